// Common Media Client Data, version 2 (CTA-5004-B): what requests and events tell a CDN and an operator about playback.
//
// Nothing identifies the viewer: the session is a random number of this page load.

import type { EngineStats, Track } from "./engine.js";

export interface CmcdOptions {
  /** Adds `CMCD=` to requests. A CDN has to leave it out of its cache keys. */
  requests: boolean;
  /** Where events are posted. */
  events: string | undefined;
  content: string | undefined;
}

/** Preparing, playing, seeking, rebuffering, paused, ended, failed. */
export type State = "s" | "p" | "k" | "r" | "a" | "e" | "f";

type Value = number | string | boolean | (number | string)[];
/** In the order that the standard wants: by name. */
export type Keys = Record<string, Value | undefined>;

/** Names whose values are tokens, not texts. */
const TOKENS = new Set(["e", "ot", "sf", "st", "sta"]);
/** How often the state is told when nothing happens, in ms. */
const INTERVAL_MS = 30_000;
/** Events that are told in one request. */
const GATHER_MS = 1_000;
/** Lines that wait for a request; beyond, the oldest are lost. */
const MAX_LINES = 50;
const TYPE = "application/cmcd";

/** Writes keys as a dictionary of structured fields. */
export function encode(keys: Keys): string {
  const text = (name: string, value: number | string) =>
    typeof value === "number" || TOKENS.has(name) ? String(value) : `"${value.replace(/[^ -~]/g, "").replace(/["\\]/g, "\\$&")}"`;
  return Object.keys(keys)
    .sort()
    .flatMap((name) => {
      const value = keys[name];
      if (value === undefined || value === false || Number.isNaN(value)) return [];
      if (value === true) return [name];
      return [`${name}=${Array.isArray(value) ? `(${value.map((one) => text(name, one)).join(" ")})` : text(name, value)}`];
    })
    .join(",");
}

const hundreds = (value: number) => Math.round(value / 100) * 100;

/**
 * What the server next to the viewer says in CMSD-Dynamic (CTA-5006): what it expects to carry (`etp`), and the most that it wants to (`mb`), in
 * bit/s; NaN where it says nothing.
 */
export function readCmsd(header: string): [expected: number, most: number] {
  // Each server adds itself at the end. Its name is a text, in which anything may stand.
  const last = header.replace(/"(?:[^"\\]|\\.)*"/g, "").split(",").at(-1) ?? "";
  const [expected = NaN, most = NaN] = ["etp", "mb"].map((name) => Number(new RegExp(`;\\s*${name}=(\\d{1,9})(?![\\d.])`).exec(last)?.[1]) * 1000 || NaN);
  return [expected, most];
}

/** What is told with every request and event. */
export function common(stats: EngineStats | undefined, session: string, content: string | undefined): Keys {
  const live = stats?.live ? (stats.target !== null && stats.target < 4 ? "ll" : "l") : "v";
  return {
    sid: session,
    cid: content,
    sf: "h",
    st: stats && live,
    br: stats?.bitrate ? [Math.round(stats.bitrate / 1000)] : undefined,
    bl: stats && [hundreds(stats.buffer * 1000)],
    mtp: stats?.bandwidth ? [hundreds(stats.bandwidth / 1000)] : undefined,
    ltc: stats?.latency == null ? undefined : hundreds(Math.max(0, stats.latency * 1000)),
    pr: stats && stats.rate !== 1 ? stats.rate : undefined,
    v: 2,
  };
}

/** What is told with a request besides; `kind` is 0 for an init segment, and no media is a playlist. */
export function ofRequest(media: { track: Track; kind: number; muxed: boolean } | undefined, starved: boolean): Keys {
  if (!media) return { ot: "m", br: undefined };
  const type = media.kind === 0 ? "i" : media.track === 1 ? "a" : media.muxed ? "av" : "v";
  return { ot: type, su: starved, ...(type === "a" ? { br: undefined } : {}) };
}

/** What happened since the event before, in ms and stalls, and whether that event left playback running. */
const SINCE = "com.tidegate-since";
/** In requests: this session tells events, and an edge counts it by those. */
const EVENTS = "com.tidegate-events";
/** From a report that was not taken to the next try. */
const RETRY_MS = 5_000;
/** How long a report may be on its way. */
const PATIENCE_MS = 15_000;

export class Cmcd {
  #options: CmcdOptions;
  #session = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
  #stats: () => EngineStats | undefined;
  #state: State = "s";
  #started: number | undefined = performance.now();
  /** Events and requests are numbered apart. */
  #requests = 0;
  #events = 0;
  /** When the newest event was, when the state began or was last told, and what has happened in between. */
  #told: number | undefined;
  #entered = performance.now();
  #played = 0;
  #stalled = 0;
  #stalls = 0;
  #ran = false;
  #lines: string[] = [];
  #posting = false;
  #gather: ReturnType<typeof setTimeout> | undefined;
  #interval: ReturnType<typeof setInterval> | undefined;
  #listeners = new AbortController();

  constructor(options: CmcdOptions, stats: () => EngineStats | undefined) {
    this.#options = options;
    this.#stats = stats;
    if (!options.events) return;
    this.#interval = setInterval(() => this.event("t"), INTERVAL_MS);
    globalThis.addEventListener?.("pagehide", () => this.#leave(), { signal: this.#listeners.signal });
    this.event("ps");
  }

  /** The address with what its request tells. */
  address(url: string, media?: { track: Track; kind: number; muxed: boolean }): string {
    if (!this.#options.requests) return url;
    const starved = this.#state === "s" || this.#state === "r";
    const keys = { ...common(this.#stats(), this.#session, this.#options.content), ...ofRequest(media, starved), sta: this.#state, sn: this.#requests++, [EVENTS]: !!this.#options.events };
    const [file = "", part = ""] = url.split(/(?=#)/);
    return `${file}${file.includes("?") ? "&" : "?"}CMCD=${encodeURIComponent(encode(keys))}${part}`;
  }

  state(state: State): void {
    if (state === this.#state) return;
    this.#spend();
    if (state === "r") this.#stalls += 1;
    this.#state = state;
    // The time to the first picture is told once.
    const delay = state === "p" && this.#started !== undefined ? Math.round(performance.now() - this.#started) : undefined;
    if (state === "p") this.#started = undefined;
    this.event("ps", { msd: delay });
  }

  event(name: "ps" | "t" | "e" | "bc", more: Keys = {}): void {
    if (!this.#options.events) return;
    this.#spend();
    const now = performance.now();
    // Each line says by itself what it adds, so that any edge can count it, whichever heard the line before.
    const since = this.#told === undefined ? undefined : [now - this.#told, this.#played, this.#stalled, this.#stalls, this.#ran ? 1 : 0].map(Math.round).join(" ");
    const keys = {
      ...common(this.#stats(), this.#session, this.#options.content), ...more, [SINCE]: since, e: name, sta: this.#state, ts: Date.now(), sn: this.#events++,
    };
    [this.#told, this.#played, this.#stalled, this.#stalls, this.#ran] = [now, 0, 0, 0, this.#state === "p"];
    this.#lines.push(encode(keys));
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    this.#gather ??= setTimeout(() => this.#post(), GATHER_MS);
  }

  close(): void {
    clearInterval(this.#interval);
    this.#listeners.abort();
    this.#leave();
    clearTimeout(this.#gather);
  }

  #leave(): void {
    if (this.#state !== "f") this.state("e");
    this.#posting = false;
    this.#post();
  }

  /** Counts the time in this state. */
  #spend(): void {
    const now = performance.now();
    if (this.#state === "p") this.#played += now - this.#entered;
    if (this.#state === "r") this.#stalled += now - this.#entered;
    this.#entered = now;
  }

  /** Sends the lines that wait, and again until they are taken: an edge knows by their numbers what it has counted. */
  #post(): void {
    clearTimeout(this.#gather);
    this.#gather = undefined;
    const { events } = this.#options;
    const count = this.#lines.length;
    if (!events || count === 0 || this.#posting) return;
    this.#posting = true;
    const last = this.#lines.at(-1);
    const body = new Blob([this.#lines.join("\n")], { type: TYPE });
    const end = (again: boolean) => {
      this.#posting = false;
      // Lines may have come and the oldest gone meanwhile. What nobody will ever take is given up.
      if (!again) this.#lines.splice(0, this.#lines.lastIndexOf(last ?? "") + 1);
      if (this.#lines.length > 0 && !this.#listeners.signal.aborted) this.#gather ??= setTimeout(() => this.#post(), again ? RETRY_MS : GATHER_MS);
    };
    // Lives on while the page goes away.
    const signal = typeof AbortSignal.timeout === "function" ? { signal: AbortSignal.timeout(PATIENCE_MS) } : {};
    fetch(events, { method: "POST", body, keepalive: true, credentials: "omit", ...signal }).then(
      ({ status }) => end(status === 429 || status >= 500),
      () => end(true),
    );
  }
}
