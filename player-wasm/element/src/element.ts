// <tidegate-player>: mirrors the basics of HTMLMediaElement around one playback.

import type { CmcdOptions } from "./cmcd.js";
import type { Decision, EngineEvent, EngineStats } from "./engine.js";
import { Playback } from "./playback.js";

/** Figures of the engine and of the element. */
export interface Stats extends EngineStats {
  currentTime: number;
  readyState: number;
  droppedFrames: number;
  totalFrames: number;
}

/** Attributes that the inner video element has as well. */
const PASSED_ON = ["muted", "controls", "playsinline", "poster", "loop", "crossorigin"];
/** Events of the inner video element, fired again on this one. */
const FIRED_AGAIN = [
  "abort", "canplay", "canplaythrough", "durationchange", "emptied", "ended", "error", "loadeddata", "loadedmetadata", "loadstart",
  "pause", "play", "playing", "progress", "ratechange", "resize", "seeked", "seeking", "stalled", "suspend", "timeupdate",
  "volumechange", "waiting",
];
const STYLE = ":host{display:inline-block;position:relative;background:#000}:host([hidden]){display:none}video{display:block;width:100%;height:100%}";
/** Playbacks that failed and were begun anew, before the element gives up. */
const MAX_RESTARTS = 3;
const RESTART_MS = 1_000;

// Where there is no document the class can still be imported.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

export class TidegatePlayer extends Base {
  static readonly observedAttributes = ["src", "autoplay", "latency", "cmcd", "beacon", ...PASSED_ON];

  #video: HTMLVideoElement | undefined;
  #playback: Playback | undefined;
  #listeners: AbortController | undefined;
  #restarts = 0;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #bandwidth: number | undefined;

  connectedCallback(): void {
    const video = this.#ensureVideo();
    this.#listeners = new AbortController();
    for (const name of FIRED_AGAIN) {
      video.addEventListener(name, () => this.dispatchEvent(new Event(name)), { signal: this.#listeners.signal });
    }
    this.load();
  }

  disconnectedCallback(): void {
    this.#listeners?.abort();
    this.#listeners = undefined;
    this.#close();
  }

  attributeChangedCallback(name: string, _old: string | null, value: string | null): void {
    const video = this.#ensureVideo();
    if (name === "src" || name === "latency" || name === "cmcd" || name === "beacon") {
      if (this.isConnected && this.#listeners) this.load();
    } else if (name === "muted") {
      video.muted = value !== null;
      video.toggleAttribute("muted", value !== null);
    } else if (name !== "autoplay") {
      if (value === null) video.removeAttribute(name);
      else video.setAttribute(name, value);
    }
  }

  /** Plays the address of `src` from its live edge or its beginning. */
  load(): void {
    this.#restarts = 0;
    this.#begin();
  }

  play(): Promise<void> {
    return this.#ensureVideo().play();
  }

  pause(): void {
    this.#ensureVideo().pause();
  }

  /** Goes to the live edge and stays near it. */
  goLive(): void {
    this.#playback?.goLive();
    void this.play().catch(() => undefined);
  }

  /** The inner media element, for what is not mirrored. */
  get video(): HTMLVideoElement { return this.#ensureVideo(); }

  /** Figures of this moment; `undefined` while nothing is loaded. */
  get stats(): Stats | undefined {
    const video = this.#video;
    const stats = this.#playback?.stats;
    if (!video || !stats) return undefined;
    const { droppedVideoFrames, totalVideoFrames } = video.getVideoPlaybackQuality();
    const { currentTime, readyState } = video;
    return { ...stats, currentTime, readyState, droppedFrames: droppedVideoFrames, totalFrames: totalVideoFrames };
  }

  /** Why the qualities of late were chosen, oldest first; from the decision with number `since` on. */
  decisions(since = 0): Decision[] {
    return this.#playback?.decisions(since) ?? [];
  }

  get src(): string { return this.#url("src"); }
  set src(value: string) { this.setAttribute("src", value); }
  get poster(): string { return this.#url("poster"); }
  set poster(value: string) { this.setAttribute("poster", value); }
  get autoplay(): boolean { return this.hasAttribute("autoplay"); }
  set autoplay(value: boolean) { this.toggleAttribute("autoplay", value); }
  get controls(): boolean { return this.hasAttribute("controls"); }
  set controls(value: boolean) { this.toggleAttribute("controls", value); }
  get loop(): boolean { return this.hasAttribute("loop"); }
  set loop(value: boolean) { this.toggleAttribute("loop", value); }
  get playsInline(): boolean { return this.hasAttribute("playsinline"); }
  set playsInline(value: boolean) { this.toggleAttribute("playsinline", value); }
  get defaultMuted(): boolean { return this.hasAttribute("muted"); }
  set defaultMuted(value: boolean) { this.toggleAttribute("muted", value); }
  get muted(): boolean { return this.#ensureVideo().muted; }
  set muted(value: boolean) { this.#ensureVideo().muted = value; }
  get volume(): number { return this.#ensureVideo().volume; }
  set volume(value: number) { this.#ensureVideo().volume = value; }
  get currentTime(): number { return this.#ensureVideo().currentTime; }
  set currentTime(value: number) { this.#ensureVideo().currentTime = value; }
  get playbackRate(): number { return this.#ensureVideo().playbackRate; }
  set playbackRate(value: number) { this.#ensureVideo().playbackRate = value; }
  /** Wished distance from the live edge in s; `NaN` leaves it to the playlist. */
  get latency(): number { return Number.parseFloat(this.getAttribute("latency") ?? ""); }
  set latency(value: number) {
    if (value > 0) this.setAttribute("latency", String(value));
    else this.removeAttribute("latency");
  }
  get duration(): number { return this.#ensureVideo().duration; }
  get paused(): boolean { return this.#ensureVideo().paused; }
  get ended(): boolean { return this.#ensureVideo().ended; }
  get seeking(): boolean { return this.#ensureVideo().seeking; }
  get readyState(): number { return this.#ensureVideo().readyState; }
  get networkState(): number { return this.#ensureVideo().networkState; }
  get error(): MediaError | null { return this.#ensureVideo().error; }
  get buffered(): TimeRanges { return this.#ensureVideo().buffered; }
  get seekable(): TimeRanges { return this.#ensureVideo().seekable; }
  get played(): TimeRanges { return this.#ensureVideo().played; }
  get videoWidth(): number { return this.#ensureVideo().videoWidth; }
  get videoHeight(): number { return this.#ensureVideo().videoHeight; }
  get textTracks(): TextTrackList { return this.#ensureVideo().textTracks; }

  #url(name: string): string {
    const value = this.getAttribute(name);
    return value ? new URL(value, document.baseURI).href : "";
  }

  #ensureVideo(): HTMLVideoElement {
    if (this.#video) return this.#video;
    const video = document.createElement("video");
    video.setAttribute("part", "video");
    const root = this.attachShadow({ mode: "open" });
    // A constructed sheet is allowed where the page's policy forbids inline styles.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(video);
    this.#video = video;
    return video;
  }

  #begin(): void {
    this.#close();
    const video = this.#ensureVideo();
    if (!this.src) return;
    const playback = new Playback(video, (event) => this.#heard(playback, event));
    this.#playback = playback;
    const latency = this.latency > 0 ? this.latency : undefined;
    playback.start(this.src, { latency, expectedBandwidth: this.#bandwidth, cmcd: this.#cmcd() }).catch((error: unknown) => {
      if (this.#playback === playback) this.#fail("engine", error);
    });
    if (this.autoplay) void video.play().catch(() => undefined);
  }

  /** `cmcd` holds the words `requests` and `events`; events go to `beacon`, or to where an edge of ours takes them. */
  #cmcd(): CmcdOptions | undefined {
    const wanted = (this.getAttribute("cmcd") ?? "").split(/\s+/);
    const stream = /\/live\/([^/]+)\//.exec(this.src);
    const own = stream && new URL(`/beacon/${stream[1]}`, this.src).href;
    const events = wanted.includes("events") ? this.#url("beacon") || own || undefined : undefined;
    const requests = wanted.includes("requests");
    return requests || events ? { requests, events, content: stream?.[1] } : undefined;
  }

  #close(): void {
    clearTimeout(this.#restart);
    this.#bandwidth = this.#playback?.stats?.bandwidth ?? this.#bandwidth;
    this.#playback?.close();
    this.#playback = undefined;
  }

  #heard(playback: Playback, event: EngineEvent): void {
    if (this.#playback !== playback) return;
    switch (event.name) {
      case "level": {
        const { rung, rungs, bandwidth, height } = event;
        this.dispatchEvent(new CustomEvent("levelchange", { detail: { rung, rungs, bandwidth, height } }));
        break;
      }
      case "playing":
        this.#restarts = 0;
        break;
      case "offline":
        this.dispatchEvent(new CustomEvent("offline"));
        break;
      case "ended":
        this.dispatchEvent(new CustomEvent("streamended"));
        break;
      case "newSession":
        // The address holds another session: whoever watched goes on with it.
        this.dispatchEvent(new CustomEvent("newsession"));
        this.#restartSoon();
        break;
      case "error":
        if (event.reason === "decode" && this.#restarts < MAX_RESTARTS) {
          this.#restarts++;
          this.#restartSoon();
        } else this.#fail(event.reason);
        break;
    }
  }

  #restartSoon(): void {
    clearTimeout(this.#restart);
    const resume = this.#video !== undefined && (!this.#video.paused || this.#video.ended);
    this.#restart = setTimeout(() => {
      this.#begin();
      if (resume) void this.play().catch(() => undefined);
    }, RESTART_MS);
  }

  #fail(reason: string, cause?: unknown): void {
    const told = this.dispatchEvent(new CustomEvent("playbackerror", { detail: { reason, cause }, cancelable: true }));
    if (told) console.error(`tidegate-player: ${MESSAGES[reason] ?? reason}`, cause ?? "");
  }
}

const MESSAGES: Record<string, string> = {
  engine: "the engine could not be loaded; is tidegate_player_bg.wasm beside the script, and does the policy allow 'wasm-unsafe-eval'?",
  playlist: "there is no playlist at the address",
  codecs: "this browser plays none of the stream's codecs",
  decode: "the browser could not decode the stream",
};
