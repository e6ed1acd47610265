// The engine in WebAssembly: loading it, and the shape of what it says. Codes and places are those of player-wasm/src.

import type { DateRange } from "./dateranges.js";
import type { ErrorReason } from "./errors.js";
import type { Message } from "./messages.js";

/** 0 is video (or video with sound), 1 is sound, 2 is captions. */
export type Track = 0 | 1 | 2;

/** What `Engine.poll` asks for. */
export const enum Do {
  Nothing,
  /** id; text: address */
  FetchPlaylist,
  /** id, track, kind (0 init, 1 segment, 2 part, 3 hint), first and last byte or NaN; texts: address, and of a key address and initial value */
  FetchMedia,
  /** id */
  Drop,
  /** texts: MIME types of video and audio, empty where there is none */
  OpenTracks,
  /** id, track, offset */
  Append,
  /** -, track, from, to */
  Remove,
  /** to */
  Seek,
  /** rate */
  Rate,
  /** from, to, live */
  Seekable,
  EndOfStream,
  Offline,
  Playing,
  /** rung, rungs, bandwidth, height */
  Level,
  Ended,
  NewSession,
  /** reason: place in `REASONS` */
  Failed,
  Tracks,
}

/** What `Engine.handle` is told. */
export const enum Told {
  /** text: address */
  Load = 1,
  /** id; texts: address, playlist */
  PlaylistLoaded,
  /** id, size, times of the first and the last byte; bytes: the head */
  MediaLoaded,
  /** id, what has come, times; in the place of a split, the size of all */
  Progress,
  /** id, status */
  Failed,
  /** supported */
  Opened,
  /** track */
  Appended,
  /** track, quota */
  AppendFailed,
  /** track; bytes: start, end, start, end, … */
  Buffered,
  /** time, flags: paused 1, seeking 2, waiting 4, ended 8 */
  Playhead,
  /** to */
  Sought,
  GoLive,
  /** rung or NaN */
  Pin,
  /** place */
  Sound,
  /** place or NaN */
  Text,
  Tick,
  /** what a server expects to carry, and the most that it wants to, in bit/s or NaN */
  Advised,
}

/** What `Engine.ask` answers. */
export const enum Question {
  Stats,
  /** from a number on */
  Decisions,
  Levels,
  Sounds,
  Texts,
  Sound,
}

export const REASONS: readonly ErrorReason[] = ["playlist", "codecs", "decode", "protected"];

export type EngineEvent =
  | { name: "offline" | "playing" | "ended" | "newSession" | "tracks" | "trouble" }
  | { name: "level"; rung: number; rungs: number; bandwidth: number; height: number }
  | { name: "seekable"; from: number; to: number; live: boolean }
  | { name: "daterange"; range: DateRange }
  | { name: "message"; message: Message }
  | { name: "error"; reason: ErrorReason; cause?: unknown };

/** Figures of the engine; times in s, rates in bit/s, `null` where something is not known. */
export interface EngineStats {
  live: boolean;
  atLiveEdge: boolean;
  /** Unix time in ms at which the worker received what is shown. */
  programDateTime: number | null;
  /** From then until now, in s; as good as this machine's clock. */
  latency: number | null;
  /** Distance from the newest published media. */
  edgeDistance: number | null;
  target: number | null;
  buffer: number;
  rung: number;
  rungs: number;
  bitrate: number;
  height: number;
  bandwidth: number | null;
  stalls: number;
  rate: number;
  /** Everything since the beginning stays within reach. */
  grows: boolean;
}

/** Why a quality was chosen. */
export interface Decision {
  number: number;
  /** Time of the page's clock in ms. */
  at: number;
  segment: number;
  from: number;
  to: number;
  buffer: number;
  latency: number | null;
  /** Set where a running request was given up: the value of going on, and of beginning the segment again. */
  abandoned: { goingOn: number; beginningAgain: number } | null;
  rule: "first" | "soda" | "value";
  /** What the network is expected to carry, in bit/s. */
  forecast: number;
  /** Ways in which the link may behave: how likely, what they expect, and their mean error as a natural logarithm. */
  regimes: { weight: number; forecast: number; spread: number }[];
  /** Each rung: what it is worth in segments of full quality, its quality, the price of going there, the stall to expect. */
  rungs: { value: number; utility: number; change: number; stall: number }[];
}

/** What the module exports. */
export interface Exports {
  memory: { buffer: ArrayBuffer };
  reserve(bytes: number): number;
  numbers(): number;
  out(): number;
  out_len(): number;
  begin(utcAtZero: number, latency: number, expected: number, start: number, decrypts: boolean): void;
  handle(code: number, now: number, split: number, a: number, b: number, c: number, d: number): void;
  poll(): number;
  idle(slices: number): number;
  ask(question: number, a: number): number;
}

const NUMBERS = 5;

/** One engine: a module of its own, so that its memory goes with it. */
export class Engine {
  #wasm: Exports;

  constructor(wasm: Exports, utcAtZero: number, latency = NaN, expected = NaN, start = NaN, decrypts = false) {
    this.#wasm = wasm;
    wasm.begin(utcAtZero, latency, expected, start, decrypts);
  }

  handle(code: Told, now: number, a = NaN, b = NaN, c = NaN, d = NaN, split = 0): void {
    this.#wasm.handle(code, now, split, a, b, c, d);
  }

  /** As `handle`, with texts or bytes. */
  handleWith(first: string | Uint8Array, second: string, code: Told, now: number, a = NaN, b = NaN, c = NaN, d = NaN): void {
    const encoder = new TextEncoder();
    const [head, rest] = [typeof first === "string" ? encoder.encode(first) : first, encoder.encode(second)];
    const at = this.#wasm.reserve(head.length + rest.length);
    const room = new Uint8Array(this.#wasm.memory.buffer, at, head.length + rest.length);
    room.set(head);
    room.set(rest, head.length);
    this.#wasm.handle(code, now, head.length, a, b, c, d);
  }

  poll(): { code: Do; numbers: Float64Array; texts: string[] } | undefined {
    const code = this.#wasm.poll() as Do;
    return code ? { code, numbers: this.#numbers(NUMBERS), texts: this.#text().split("\n") } : undefined;
  }

  idle(slices: number): boolean {
    return this.#wasm.idle(slices) > 0;
  }

  ask(question: Question, a = 0): { numbers: Float64Array; text: string } {
    const count = this.#wasm.ask(question, a);
    return { numbers: this.#numbers(count), text: this.#text() };
  }

  #numbers(count: number): Float64Array {
    return new Float64Array(this.#wasm.memory.buffer, this.#wasm.numbers(), count).slice();
  }

  #text(): string {
    const length = this.#wasm.out_len();
    return length ? new TextDecoder().decode(new Uint8Array(this.#wasm.memory.buffer, this.#wasm.out(), length)) : "";
  }
}

const maybe = (number: number | undefined) => (number === undefined || Number.isNaN(number) ? null : number);

export function readStats(n: Float64Array): EngineStats {
  const at = (place: number) => n[place] ?? 0;
  return {
    live: at(0) > 0,
    atLiveEdge: at(1) > 0,
    programDateTime: maybe(n[2]),
    latency: maybe(n[3]),
    edgeDistance: maybe(n[4]),
    target: maybe(n[5]),
    buffer: at(6),
    rung: at(7),
    rungs: at(8),
    bitrate: at(9),
    height: at(10),
    bandwidth: maybe(n[11]),
    stalls: at(12),
    rate: at(13),
    grows: at(14) > 0,
  };
}

export function readDecisions(n: Float64Array): Decision[] {
  const decisions: Decision[] = [];
  let place = 0;
  const next = () => n[place++] ?? NaN;
  const times = <T>(count: number, read: () => T) => Array.from({ length: count }, read);
  while (place < n.length) {
    const [number, at, segment, from, to, buffer, latency, goingOn, beginningAgain, rule, forecast] = times(11, next) as [
      number, number, number, number, number, number, number, number, number, number, number,
    ];
    decisions.push({
      number, at, segment, from, to, buffer,
      latency: maybe(latency),
      abandoned: Number.isNaN(goingOn) ? null : { goingOn, beginningAgain },
      rule: (["first", "soda", "value"] as const)[rule] ?? "first",
      forecast,
      regimes: times(3, () => ({ weight: next(), forecast: next(), spread: next() })),
      rungs: times(next(), () => ({ value: next(), utility: next(), change: next(), stall: next() })),
    });
  }
  return decisions;
}
