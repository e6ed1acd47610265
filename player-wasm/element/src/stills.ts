// Pictures of other moments, for whoever looks for one: key frames that an I-frame playlist lists (RFC 8216bis, 4.4.3.6), decoded one
// at a time by the browser (WebCodecs).

import { box, samples } from "./boxes.js";

/** The I-frame playlist of a stream. */
export interface IFrames {
  url: string;
  codec: string;
}

/** A key frame in the playlist; times in s from the start of the list, and in ms since 1970 where the list says them. */
interface Frame {
  start: number;
  utc: number | undefined;
  media: Place;
  init: Place | undefined;
}

/** A file, or the bytes of one from the first to the last. */
interface Place {
  url: string;
  range: [number, number] | undefined;
}

/** Width of what is asked for and kept, in pixels: twice that of a tip, for dense screens. */
const WIDTH = 320;
const MAX_KEPT = 64;
const MAX_FRAMES = 20_000;
const MAX_LIST = 4 << 20;
const MAX_FRAME = 2 << 20;
/** A live list is asked for again after this long, where a moment is later than all that it has. */
const STALE_MS = 4_000;
/** A server or a decoder that takes longer has none: the next picture is not kept waiting. */
const WAIT_MS = 5_000;

/** The smallest I-frame playlist of a multivariant playlist that is large enough for a tip, or the largest. */
export function iFramesOf(list: string, base: string): IFrames | undefined {
  const all = [...list.matchAll(/^#EXT-X-I-FRAME-STREAM-INF:(.*)$/gm)].flatMap(([, line = ""]) => {
    const text = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(line)?.[1];
    const [uri, codecs] = [text("URI"), text("CODECS")];
    const width = Number(/(?:^|,)RESOLUTION=(\d+)x/.exec(line)?.[1] ?? 0);
    return uri && codecs ? [{ url: new URL(uri, base).href, codec: codecs.split(",")[0] ?? "", width }] : [];
  });
  all.sort((a, b) => a.width - b.width);
  const chosen = all.find(({ width }) => width >= WIDTH) ?? all.at(-1);
  return chosen && { url: chosen.url, codec: chosen.codec };
}

export class Stills {
  #from: IFrames;
  #credentials: RequestCredentials;
  #frames: Frame[] = [];
  #asked = -Infinity;
  #ended = false;
  #inits = new Map<string, Promise<DataView<ArrayBuffer>>>();
  #kept = new Map<string, ImageBitmap>();

  constructor(from: IFrames, credentials: boolean) {
    this.#from = from;
    this.#credentials = credentials ? "include" : "same-origin";
  }

  /** The key frame of a moment: its media time in s, and if it is known its time in ms since 1970. */
  async at(time: number, utc: number | undefined): Promise<ImageBitmap | undefined> {
    if (!("VideoDecoder" in globalThis)) return undefined;
    const frame = await this.#frame(time, utc);
    if (!frame) return undefined;
    const key = `${frame.media.url} ${frame.media.range?.[0] ?? ""}`;
    const picture = this.#kept.get(key) ?? (await this.#decode(frame));
    this.#kept.delete(key);
    if (picture) this.#kept.set(key, picture);
    const [oldest] = this.#kept;
    if (this.#kept.size > MAX_KEPT && oldest) {
      oldest[1].close();
      this.#kept.delete(oldest[0]);
    }
    return picture;
  }

  close(): void {
    for (const picture of this.#kept.values()) picture.close();
    this.#kept.clear();
  }

  async #frame(time: number, utc: number | undefined): Promise<Frame | undefined> {
    const before = () => this.#frames.filter((frame) => (utc === undefined || frame.utc === undefined ? frame.start <= time : frame.utc <= utc)).at(-1);
    const known = before();
    if (known !== this.#frames.at(-1) || this.#ended || performance.now() - this.#asked < STALE_MS) return known;
    this.#asked = performance.now();
    const list = new TextDecoder().decode(await this.#load({ url: this.#from.url, range: undefined }, MAX_LIST));
    this.#ended = list.includes("#EXT-X-ENDLIST");
    this.#frames = parse(list, this.#from.url);
    return before();
  }

  async #decode({ media, init }: Frame): Promise<ImageBitmap | undefined> {
    if (!init) return undefined;
    let known = this.#inits.get(init.url);
    if (!known) this.#inits.set(init.url, (known = this.#load(init, MAX_FRAME)));
    known.catch(() => this.#inits.delete(init.url));
    const [head, bytes] = await Promise.all([known, this.#load(media, MAX_FRAME)]);
    const [description, data] = [configuration(head), firstSample(bytes)];
    return description && data && picture(this.#from.codec, description, data);
  }

  async #load({ url, range }: Place, most: number): Promise<DataView<ArrayBuffer>> {
    const headers: Record<string, string> = range ? { Range: `bytes=${range[0]}-${range[1]}` } : {};
    const response = await fetch(url, { headers, credentials: this.#credentials, signal: AbortSignal.timeout(WAIT_MS) });
    const length = Number(response.headers.get("content-length") ?? 0);
    if (!response.ok || length > most) {
      void response.body?.cancel();
      throw new Error(`${url}: ${response.ok ? `${length} bytes are too many` : response.status}`);
    }
    const bytes = await response.arrayBuffer();
    // A server without ranges sends the whole file.
    if (!range || response.status !== 200) return new DataView(bytes);
    return new DataView(bytes.slice(range[0], range[1] + 1));
  }
}

function parse(list: string, base: string): Frame[] {
  const frames: Frame[] = [];
  let [start, duration, end] = [0, 0, 0];
  let utc: number | undefined;
  let range: Place["range"];
  let init: Place | undefined;
  let gap = false;
  const bytes = (text: string): Place["range"] => {
    const [length = NaN, first = end] = text.split("@").map(Number);
    end = first + length;
    return length > 0 && first >= 0 ? [first, end - 1] : undefined;
  };
  for (const line of list.split(/\r?\n/)) {
    const [, tag = "", value = ""] = /^#(EXT[A-Z0-9-]*):?(.*)$/.exec(line) ?? [];
    if (tag === "EXTINF") duration = Number.parseFloat(value) || 0;
    else if (tag === "EXT-X-BYTERANGE") range = bytes(value);
    else if (tag === "EXT-X-PROGRAM-DATE-TIME") utc = Date.parse(value) || undefined;
    else if (tag === "EXT-X-GAP") gap = true;
    else if (tag === "EXT-X-MAP") {
      const uri = /URI="([^"]*)"/.exec(value)?.[1];
      const part = /BYTERANGE="([^"]*)"/.exec(value)?.[1];
      init = uri ? { url: new URL(uri, base).href, range: part ? bytes(part) : undefined } : undefined;
    } else if (line && !line.startsWith("#")) {
      if (!gap && frames.length < MAX_FRAMES) frames.push({ start, utc, media: { url: new URL(line, base).href, range }, init });
      start += duration;
      utc &&= utc + duration * 1000;
      range = undefined;
      gap = false;
    }
  }
  return frames;
}

/** What a decoder has to know of H.264 or HEVC, out of an init segment. */
function configuration(init: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  for (const [entry, name] of [["avc1", "avcC"], ["avc3", "avcC"], ["hvc1", "hvcC"], ["hev1", "hvcC"]] as const) {
    const found = box(init, ["moov", "trak", "mdia", "minf", "stbl", "stsd", entry, name]);
    if (found) return new Uint8Array(init.buffer, init.byteOffset + found.from, found.to - found.from);
  }
  return undefined;
}

function firstSample(bytes: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  const [moof, traf] = [box(bytes, ["moof"]), box(bytes, ["moof", "traf"])];
  const [first] = moof && traf ? samples(bytes, moof, traf, 1) : [];
  return first && new Uint8Array(bytes.buffer, bytes.byteOffset + first.from, first.size);
}

async function picture(codec: string, description: Uint8Array<ArrayBuffer>, data: Uint8Array<ArrayBuffer>): Promise<ImageBitmap | undefined> {
  const made: Promise<ImageBitmap>[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const decoder = new VideoDecoder({
    output: (frame) => {
      made.push(createImageBitmap(frame, { resizeWidth: WIDTH, resizeHeight: Math.round((WIDTH * frame.displayHeight) / frame.displayWidth) }).finally(() => frame.close()));
    },
    error: () => undefined, // `flush` rejects.
  });
  try {
    decoder.configure({ codec, description, optimizeForLatency: true });
    decoder.decode(new EncodedVideoChunk({ type: "key", timestamp: 0, data }));
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("no picture in time")), WAIT_MS); });
    await Promise.race([decoder.flush(), late]);
  } finally {
    clearTimeout(timer);
    if (decoder.state !== "closed") decoder.close();
  }
  return made[0];
}
