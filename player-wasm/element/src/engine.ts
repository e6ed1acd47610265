// The engine in WebAssembly: loading it, and the shape of what it says.

import init, { Player } from "../generated/tidegate_player.js";

export { Player };

/** 0 is video (or video with sound), 1 is sound. */
export type Track = 0 | 1;

export type EngineEvent =
  | { do: "event"; name: "offline" | "playing" | "ended" | "newSession" }
  | { do: "event"; name: "level"; rung: number; rungs: number; bandwidth: number; height: number }
  | { do: "event"; name: "error"; reason: "playlist" | "codecs" | "decode" };

export type Output =
  | { do: "fetchPlaylist"; id: number; url: string }
  | { do: "fetchMedia"; id: number; url: string; track: Track; kind: "init" | "segment" | "part" | "hint"; first?: number; last?: number }
  | { do: "drop"; id: number }
  | { do: "openTracks"; video?: string; audio?: string }
  | { do: "append"; track: Track; id: number; offset: number }
  | { do: "remove"; track: Track; from: number; to: number }
  | { do: "seek"; to: number }
  | { do: "rate"; rate: number }
  | { do: "seekable"; from: number; to: number; live: boolean }
  | { do: "endOfStream" }
  | EngineEvent;

/** Figures of the engine; times in s, rates in bit/s. */
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

let loading: Promise<unknown> | undefined;

/** Loads the engine once for all elements of a page, from the address beside this script. */
export function loadEngine(): Promise<unknown> {
  loading ??= init().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
