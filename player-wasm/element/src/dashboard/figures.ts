// What the analytics API says, as far as it is what it should be.

import { type Api, type Json, Problem, items, number, object, text, time } from "./api.js";

export interface Quantiles {
  count: number;
  p50: number;
  p90: number;
  p95: number;
  p99: number;
}

export interface Figures {
  viewers: number;
  peak: number;
  uniques: number;
  attempts: number;
  plays: number;
  startFailures: number;
  exits: number;
  watchedS: number;
  rebuffers: number;
  rebufferPpm: number;
  startup: Quantiles | undefined;
  latency: Quantiles | undefined;
  stall: Quantiles | undefined;
  /** In µs, as `edge`. */
  visible: Quantiles | undefined;
  edge: Quantiles | undefined;
  bitrate: number;
  errors: { code: string; count: number }[];
}

export interface Share {
  value: string;
  viewers: number;
  watchedS: number;
  plays: number;
  uniques: number;
  rebufferPpm: number;
  startup: Quantiles | undefined;
}

export interface Ingest {
  at: Date | undefined;
  bitrate: number;
  framesPerS: number;
  driftMs: number;
  lateParts: number;
  partP50: number;
  partP99: number;
  putP50: number;
  putP99: number;
}

/** How many values lie between this time, in ms, and that of the next bar. */
export interface Bar {
  from: number;
  count: number;
}

export interface History {
  total: Figures;
  startups: Bar[];
  stalls: Bar[];
  series: { at: Date; figures: Figures }[];
  ingest: Ingest[];
  lost: number;
}

export interface Moment {
  viewers: number;
  peakToday: number | undefined;
  ingest: Ingest | undefined;
}

export interface Range {
  from: Date;
  to: Date;
}

const whole = (value: Json | undefined): number => number(value) ?? 0;

function quantiles(value: Json | undefined): Quantiles | undefined {
  const all = object(value);
  if (!whole(all["count"])) return undefined;
  const [p50, p90, p95, p99] = ["p50", "p90", "p95", "p99"].map((name) => whole(all[name])) as [number, number, number, number];
  return { count: whole(all["count"]), p50, p90, p95, p99 };
}

function figures(value: Json | undefined): Figures {
  const all = object(value);
  return {
    viewers: whole(all["viewers"]),
    peak: whole(all["viewers_peak"]),
    uniques: whole(all["uniques"]),
    attempts: whole(all["attempts"]),
    plays: whole(all["plays"]),
    startFailures: whole(all["start_failures"]),
    exits: whole(all["exits_before_start"]),
    watchedS: whole(all["watched_s"]),
    rebuffers: whole(all["rebuffers"]),
    rebufferPpm: whole(all["rebuffer_ppm"]),
    startup: quantiles(all["startup_ms"]),
    latency: quantiles(all["latency_ms"]),
    stall: quantiles(all["stall_ms"]),
    visible: quantiles(all["visible_us"]),
    edge: quantiles(all["edge_us"]),
    bitrate: whole(all["bitrate_bps"]),
    errors: items(all["errors"]).map((error) => ({ code: text(object(error)["code"]), count: whole(object(error)["count"]) })),
  };
}

function ingest(value: Json | undefined): Ingest | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const all = object(value);
  const [part, put] = [object(all["part_ms"]), object(all["put_ms"])];
  return {
    at: time(all["at"]),
    bitrate: whole(all["bitrate_bps"]),
    framesPerS: whole(all["frames_per_s_milli"]) / 1000,
    driftMs: whole(all["drift_ms"]),
    lateParts: whole(all["late_parts"]),
    partP50: whole(part["p50"]),
    partP99: whole(part["p99"]),
    putP50: whole(put["p50"]),
    putP99: whole(put["p99"]),
  };
}

const base = (stream: string): string => `streams/${encodeURIComponent(stream)}`;

/** The query of a range. */
export function query({ from, to }: Range): string {
  return `from=${from.toISOString()}&to=${to.toISOString()}`;
}

/** A platform without the analytics function, and a stream that nobody has watched, have no figures. */
async function orNothing(answer: Promise<Json>): Promise<Json | undefined> {
  try {
    return await answer;
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 404) return undefined;
    throw problem;
  }
}

export async function moment(api: Api, stream: string): Promise<Moment | undefined> {
  const answer = await orNothing(api.get(`${base(stream)}/viewers`));
  const viewers = number(object(answer)["viewers"]);
  if (viewers === undefined) return undefined;
  return { viewers, peakToday: number(object(answer)["peak_today"]), ingest: ingest(object(answer)["ingest"]) };
}

export async function history(api: Api, stream: string, range: Range): Promise<History | undefined> {
  const answer = await orNothing(api.get(`${base(stream)}/analytics?${query(range)}`));
  if (answer === undefined) return undefined;
  const all = object(answer);
  const series = items(all["series"]).flatMap((point) => {
    const at = time(object(point)["at"]);
    return at ? [{ at, figures: figures(point) }] : [];
  });
  const ingests = items(all["ingest"]).flatMap((point) => ingest(point) ?? []);
  const spread = object(all["spread"]);
  const bars = (value: Json | undefined): Bar[] => items(value).map((bar) => ({ from: whole(object(bar)["from_ms"]), count: whole(object(bar)["count"]) }));
  return { total: figures(all["total"]), startups: bars(spread["startup_ms"]), stalls: bars(spread["stall_ms"]), series, ingest: ingests, lost: items(all["lost"]).length };
}

export type Dimension = "country" | "region" | "device" | "rendition" | "network" | "edge";

export async function shares(api: Api, stream: string, range: Range, by: Dimension): Promise<Share[]> {
  const answer = await orNothing(api.get(`${base(stream)}/analytics?${query(range)}&by=${by}`));
  const values = items(object(object(answer)["by"])["values"]).map((value) => {
    const all = object(value);
    return {
      value: text(all["value"]),
      viewers: whole(all["viewers"]),
      watchedS: whole(all["watched_s"]),
      plays: whole(all["plays"]),
      uniques: whole(all["uniques"]),
      rebufferPpm: whole(all["rebuffer_ppm"]),
      startup: quantiles(all["startup_ms"]),
    };
  });
  return values.filter((share) => share.watchedS > 0 || share.plays > 0).sort((a, b) => b.watchedS - a.watchedS);
}
