// Segments that come while they are made (ISO/IEC 23009-1, 5.3.9.5.3: availabilityTimeComplete is false). Each is asked for once; what comes is
// handed over in parts, as if each part were a file. A chunk (`moof` and `mdat`) belongs to the part that its middle lies in.

import { type Box, Boxes, box, decodeTime, samples, timescale } from "./boxes.js";
import { joined } from "./net.js";

/** Segments that come at the same time: one of pictures and one of sound, and those which follow them. */
const MAX_COMING = 4;
const MAX_SEGMENT = 64 << 20;
/** Samples of a chunk that are added up, and init segments of which the unit of time is remembered. */
const MAX_SAMPLES = 4096;
const MAX_INITS = 16;
/** A part without a chunk: a file must not be empty, and this box says nothing. */
const NOTHING = [0, 0, 0, 8, 0x66, 0x72, 0x65, 0x65];
/** Rounding of times, as a share of a part. */
const SAME = 1e-3;

type Get = (url: string, init: RequestInit) => Promise<Response>;

/** A part of a segment. */
interface Place {
  /** Of the segment. */
  url: string;
  /** Which of so many parts of so many seconds. */
  at: number;
  count: number;
  length: number;
  /** Address of what describes the segment. */
  init: string;
}

/** An address for a part, which only `Chunks` knows what to do with. */
export function partAddress({ url, at, count, length, init }: Place): string {
  return `${url}#part=${at}/${count}/${length}/${init}`;
}

function placeOf(address: string): Place | undefined {
  const [, url = "", at, count, length, init = ""] = /^([^#]*)#part=(\d+)\/(\d+)\/([\d.]+)\/(.*)$/s.exec(address) ?? [];
  return at === undefined ? undefined : { url, at: Number(at), count: Number(count), length: Number(length), init };
}

/** What of an address says which file is meant: a request may tell more in it. */
const nameOf = (url: string) => url.replace(/[?&]CMCD=[^&]*/, "");

export class Chunks {
  #get: Get;
  #coming = new Map<string, Coming>();
  #scales = new Map<string, Promise<number>>();

  constructor(get: Get = (url, init) => fetch(url, init)) {
    this.#get = get;
  }

  /** The part that an address of ours means, as it comes; its status is that of the segment. */
  async part(address: string, init: RequestInit): Promise<Response> {
    const place = placeOf(address);
    if (!place || !(place.at < place.count)) throw new TypeError(address);
    const name = nameOf(place.url);
    let segment = this.#coming.get(name);
    if (!segment?.has(place.at)) {
      segment?.close();
      this.#coming.delete(name);
      for (const [oldest, { close }] of [...this.#coming].slice(0, Math.max(0, this.#coming.size - MAX_COMING + 1))) {
        close();
        this.#coming.delete(oldest);
      }
      const { signal: _, ...rest } = init;
      segment = new Coming(place, (signal) => this.#get(place.url, { ...rest, signal }), this.#scale(place.init, rest));
      this.#coming.set(name, segment);
    }
    return segment.part(place.at, init.signal ?? undefined);
  }

  close(): void {
    for (const { close } of this.#coming.values()) close();
    this.#coming.clear();
  }

  /** Units a second of what an init segment describes; NaN where it does not say. */
  #scale(url: string, init: RequestInit): Promise<number> {
    let scale = this.#scales.get(url);
    if (!scale) {
      if (this.#scales.size >= MAX_INITS) this.#scales.clear();
      scale = this.#get(url, init).then(async (response) => (response.ok ? timescale(new DataView(await response.arrayBuffer())) : NaN));
      scale = scale.catch(() => NaN);
      this.#scales.set(url, scale);
    }
    return scale;
  }
}

/** A part until it is fetched, and while it is. */
class Part {
  stream: ReadableStream<Uint8Array>;
  taken = false;
  over = false;
  empty = true;
  #to: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    this.stream = new ReadableStream({ start: (to) => { this.#to = to; } });
  }

  add(bytes: Uint8Array): void {
    if (this.over) return;
    this.empty &&= bytes.byteLength === 0;
    this.#to?.enqueue(bytes);
  }

  end(error?: unknown): void {
    if (this.over) return;
    if (!error && this.empty) this.add(new Uint8Array(NOTHING));
    this.over = true;
    if (error) this.#to?.error(error);
    else this.#to?.close();
  }
}

/** A segment that comes. */
class Coming {
  #length: number;
  #parts: Part[];
  #answer: Promise<Response>;
  #abort = new AbortController();
  /** The part that comes, and how many chunks have come. */
  #at = 0;
  #chunks = 0;
  /** When the first chunk begins, in units of the track. */
  #first: number | undefined;
  /** Boxes that stand in front of a chunk and belong to it. */
  #front: Uint8Array[] = [];
  /** Whether what comes behind the chunk is another part. */
  #full = false;

  constructor({ count, length }: Place, get: (signal: AbortSignal) => Promise<Response>, scale: Promise<number>) {
    this.#length = length;
    this.#parts = Array.from({ length: count }, () => new Part());
    this.#answer = get(this.#abort.signal);
    void this.#read(scale);
  }

  /** Whether a part can still be had: each is handed over once. */
  has(at: number): boolean {
    const part = this.#parts[at];
    return part !== undefined && !part.taken && !this.#abort.signal.aborted;
  }

  async part(at: number, signal?: AbortSignal): Promise<Response> {
    const part = this.#parts[at];
    if (!part) throw new RangeError(String(at));
    part.taken = true;
    const leave = () => {
      part.end(signal?.reason);
      // Of a segment that nobody waits for no more is loaded.
      if (!this.#parts.some(({ taken, over }) => taken && !over)) this.close();
    };
    signal?.addEventListener("abort", leave);
    if (signal?.aborted) leave();
    const { status, headers } = await this.#answer;
    const own = new Headers(headers);
    // Says how long all of it is.
    own.delete("content-length");
    return new Response(status === 200 ? part.stream : null, { status, headers: own });
  }

  close = (): void => {
    this.#abort.abort();
  };

  async #read(scale: Promise<number>): Promise<void> {
    try {
      const response = await this.#answer;
      if (!response.ok) return this.close();
      const reader = response.body?.getReader();
      const unit = await scale;
      let waiting: Uint8Array[] = [];
      let [all, length, wanted] = [0, 0, 8];
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true };
        if (done || !value) break;
        waiting.push(value);
        length += value.byteLength;
        all += value.byteLength;
        if (all > MAX_SEGMENT) throw new RangeError("the segment is too large");
        if (length < wanted) continue;
        const rest = new Boxes(joined(waiting, length));
        for (let one; (one = rest.next()); ) this.#take(one, unit);
        ({ wanted } = rest);
        waiting = [rest.left];
        length = rest.left.byteLength;
      }
      this.#flush();
      this.#parts[this.#at]?.add(joined(waiting, length));
      for (const part of this.#parts) part.end();
    } catch (error) {
      for (const part of this.#parts) part.end(error ?? new Error("broken off"));
    }
  }

  /** A box that is whole. */
  #take(bytes: Uint8Array, scale: number): void {
    const view = new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
    const moof = box(view, ["moof"]);
    const isMedia = String.fromCharCode(...bytes.subarray(4, 8)) === "mdat";
    if (moof) this.#begin(view, moof, scale);
    this.#front.push(bytes);
    if (!moof && !isMedia) return;
    this.#flush();
    if (isMedia && this.#full) this.#become(this.#at + 1);
  }

  #flush(): void {
    for (const bytes of this.#front) this.#parts[this.#at]?.add(bytes);
    this.#front = [];
  }

  #begin(view: DataView, moof: Box, scale: number): void {
    const time = decodeTime(view, moof.at);
    this.#first ??= time;
    const traf = box(view, ["traf"], moof.from, moof.to);
    const last = traf && samples(view, moof, traf, MAX_SAMPLES, Number.POSITIVE_INFINITY).at(-1);
    const long = last ? (last.time + last.duration) / scale : 0;
    const from = (time - this.#first) / scale;
    const partOf = (start: number) => Math.floor((start + long / 2) / this.#length + SAME);
    // Where nothing says when it is, a chunk is a part.
    this.#become(Number.isFinite(from) ? partOf(from) : this.#chunks);
    this.#full = long > 0 ? partOf(from + long) > this.#at : !Number.isFinite(from);
    this.#chunks++;
  }

  /** What comes now belongs to another part; those before it are complete. What comes behind the last one is the last one's. */
  #become(next: number): void {
    const to = Math.min(next, this.#parts.length - 1);
    for (; this.#at < to; this.#at++) this.#parts[this.#at]?.end();
  }
}
