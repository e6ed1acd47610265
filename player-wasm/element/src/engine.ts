// The engine in WebAssembly: loading it, and the shape of what it says. Codes and places are those of player-wasm/src/lib.rs.

import init, { Player } from "../generated/tidegate_player.js";

export { Player };

/** 0 is video (or video with sound), 1 is sound. */
export type Track = 0 | 1;

/** What `Player.poll` asks for. */
export const enum Do {
  Nothing,
  /** id; text: address */
  FetchPlaylist,
  /** id, track, kind (0 init, 1 segment, 2 part, 3 hint), first and last byte or NaN; text: address */
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
}

export const REASONS = ["playlist", "codecs", "decode"] as const;

export type EngineEvent =
  | { name: "offline" | "playing" | "ended" | "newSession" }
  | { name: "level"; rung: number; rungs: number; bandwidth: number; height: number }
  | { name: "error"; reason: (typeof REASONS)[number] };

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

let loading: Promise<unknown> | undefined;

/** Loads the engine once for all elements of a page, from the address beside this script. */
export function loadEngine(): Promise<unknown> {
  loading ??= init().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
