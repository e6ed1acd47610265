// The ABR by itself, for other players: transfers in, a rung out.

interface Exports {
  memory: { buffer: ArrayBuffer };
  abr_io(): number;
  abr_io_len(): number;
  abr_init(): void;
  abr_idle(slices: number): number;
  abr_sample(): void;
  abr_decide(): number;
}

/** What does not change during playback; times in s, rates in bit/s. */
export interface Plan {
  /** Bit rate of each rung, lowest first. */
  ladder: number[];
  segment: number;
  /** Length of a part; that of a segment where there are none. */
  part?: number;
  live: boolean;
  /** Wished distance from live. */
  latency?: number;
  /** How much is buffered at most. */
  buffer: number;
}

export interface Transfer {
  bytes: number;
  /** Until the first byte. */
  ttfb: number;
  /** From the first byte to the last. */
  transfer: number;
  rung: number;
  /** Length of its media. */
  media: number;
}

export interface Moment {
  buffer: number;
  latency?: number | undefined;
  rate?: number;
  /** The rung of the segment before; none at the start. */
  last?: number | undefined;
  playing: boolean;
  started: boolean;
}

/** Slices of about 0.1 ms that tables are built for at a time. */
const SLICES = 10;
const PAUSE_MS = 16;
/** Where the answer has the forecast. */
const FORECAST = 1;

/** Decisions for one playback. */
export class Abr {
  #wasm: Exports;
  #forecast = NaN;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `module` is that of `loadAbr`. */
  constructor(module: WebAssembly.Module, plan: Plan) {
    this.#wasm = new WebAssembly.Instance(module, {}).exports as unknown as Exports;
    const { ladder, segment, part = segment, live, latency = 0, buffer } = plan;
    this.#put([Number(live), segment, part, latency, buffer, 1, 1, 0.04, ladder.length, ...ladder]);
    this.#wasm.abr_init();
    this.#build();
  }

  sample({ bytes, ttfb, transfer, rung, media }: Transfer): void {
    if (!(bytes > 0) || !(transfer > 0)) return;
    this.#put([bytes * 8, ttfb, transfer, rung, media]);
    this.#wasm.abr_sample();
  }

  /** The rung for the next segment. */
  choose({ buffer, latency = NaN, rate = 1, last = -1, playing, started }: Moment): number {
    this.#put([buffer, latency, rate, last, Number(playing), Number(started), 0]);
    const rung = this.#wasm.abr_decide();
    this.#forecast = this.#io()[FORECAST] ?? NaN;
    return rung;
  }

  /** What the network was last expected to carry, in bit/s. */
  get forecast(): number { return this.#forecast; }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** Tables are built little by little; until they are there a simpler rule decides. */
  #build(): void {
    this.#timer = setTimeout(() => this.#wasm.abr_idle(SLICES) || this.#build(), PAUSE_MS);
  }

  #io(): Float64Array {
    return new Float64Array(this.#wasm.memory.buffer, this.#wasm.abr_io(), this.#wasm.abr_io_len());
  }

  #put(numbers: number[]): void {
    const io = this.#io();
    io.set(numbers.slice(0, io.length));
  }
}

/** Loads the module: from beside this script, or from where it is said to be. */
export async function loadAbr(from: string | URL | BufferSource = new URL("./tidegate_abr.wasm", import.meta.url)): Promise<WebAssembly.Module> {
  if (typeof from !== "string" && !(from instanceof URL)) return WebAssembly.compile(from);
  const response = await fetch(from);
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Media ahead of the playhead, in s. */
export function ahead(video: HTMLMediaElement | null | undefined): number {
  if (!video) return 0;
  const { buffered, currentTime } = video;
  for (let at = 0; at < buffered.length; at++) {
    if (buffered.start(at) <= currentTime + 0.1 && currentTime < buffered.end(at)) return buffered.end(at) - currentTime;
  }
  return 0;
}
