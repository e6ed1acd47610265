// One playback: does what the engine says, tells it what happened.

import { Cmcd, type CmcdOptions, type State } from "./cmcd.js";
import { type Decision, Do, type EngineEvent, type EngineStats, Player, REASONS, type Track, loadEngine, readDecisions, readStats } from "./engine.js";
import { Media, isPlayableByParts } from "./media.js";
import { Net } from "./net.js";

/** How often the engine hears where the playhead is. */
const TICK_MS = 100;
/** Slices of about 0.1 ms that the engine works for at a time, while the page has nothing else to do. */
const IDLE_SLICES = 10;
const TOLD_ON = ["timeupdate", "waiting", "playing", "seeked", "pause", "play", "ended", "canplay"];

export interface Options {
  /** Wished latency in s. */
  latency: number | undefined;
  /** What the network carried last time, in bit/s. */
  expectedBandwidth: number | undefined;
  /** What is told to CDN and operator, where anything is. */
  cmcd: CmcdOptions | undefined;
}

export class Playback {
  #video: HTMLVideoElement;
  #said: (event: EngineEvent) => void;
  #net = new Net();
  #media: Media;
  #engine: Player | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #listeners = new AbortController();
  #ownSeek: number | undefined;
  #pumping = false;
  #idle = false;
  #cmcd: Cmcd | undefined;
  #begun = false;
  #muxed = false;

  constructor(video: HTMLVideoElement, said: (event: EngineEvent) => void) {
    this.#video = video;
    this.#said = said;
    this.#media = new Media(video, {
      opened: (supported) => this.#tell((engine, now) => engine.handle_opened(now, supported)),
      buffered: (track, times) => this.#tell((engine, now) => engine.handle_buffered(now, track, times)),
      appended: (track) => this.#tell((engine, now) => engine.handle_appended(now, track)),
      appendFailed: (track, quota) => this.#tell((engine, now) => engine.handle_append_failed(now, track, quota)),
    });
  }

  /** Begins to play. Rejects if the engine cannot be loaded. */
  async start(url: string, options: Options): Promise<void> {
    if (!isPlayableByParts() && this.#playNatively(url)) return;
    if (!options.cmcd?.requests) this.#net.begin(url);
    try {
      await loadEngine();
    } catch (error) {
      // A page may forbid WebAssembly; some browsers then still play HLS, further from live.
      if (!this.#listeners.signal.aborted && !this.#playNatively(url)) throw error;
      return;
    }
    if (this.#listeners.signal.aborted) return;
    // Date.now() follows corrections of the clock, timeOrigin does not.
    const utcAtZero = Date.now() - performance.now();
    this.#engine = new Player(utcAtZero, options.latency ?? NaN, options.expectedBandwidth ?? NaN);
    if (options.cmcd) this.#cmcd = new Cmcd(options.cmcd, () => this.stats);
    const signal = this.#listeners.signal;
    for (const name of TOLD_ON) this.#video.addEventListener(name, () => this.#tellPlayhead(), { signal });
    this.#video.addEventListener("loadedmetadata", () => this.#ownSeek !== undefined && this.#seek(this.#ownSeek), { signal });
    this.#video.addEventListener("seeking", () => this.#tellSeek(), { signal });
    this.#timer = setInterval(() => {
      this.#tellPlayhead();
      this.#tell((engine, now) => engine.handle_tick(now));
      for (const { id, bytes, total, ttfb, elapsed } of this.#net.running()) {
        this.#tell((engine, now) => engine.handle_progress(now, id, bytes, total, ttfb, elapsed));
      }
      this.#whileIdle();
    }, TICK_MS);
    this.#tell((engine, now) => engine.handle_load(now, url));
  }

  goLive(): void {
    this.#tell((engine, now) => engine.handle_go_live(now));
  }

  get stats(): EngineStats | undefined {
    return this.#engine && readStats(this.#engine.stats());
  }

  /** The decisions about quality from a number on; the engine keeps the last ones. */
  decisions(since: number): Decision[] {
    return this.#engine ? readDecisions(this.#engine.decisions(since)) : [];
  }

  close(): void {
    this.#listeners.abort();
    clearInterval(this.#timer);
    this.#cmcd?.close();
    this.#net.close();
    this.#media.close();
    const engine = this.#engine;
    this.#engine = undefined;
    // The engine may be the caller, so that it is freed when its call is over.
    queueMicrotask(() => engine?.free());
  }

  #tellPlayhead(): void {
    const { currentTime, paused, seeking, readyState, ended } = this.#video;
    const waiting = readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    this.#tell((engine, now) => engine.handle_playhead(now, currentTime, paused, seeking, waiting, ended));
    const state: State = ended ? "e" : !this.#begun ? "s" : seeking ? "k" : paused ? "a" : waiting ? "r" : "p";
    this.#cmcd?.state(state);
  }

  #tellSeek(): void {
    const to = this.#video.currentTime;
    const own = this.#ownSeek !== undefined && Math.abs(this.#ownSeek - to) < 0.05;
    this.#ownSeek = undefined;
    if (!own) this.#tell((engine, now) => engine.handle_sought(now, to));
    this.#tellPlayhead();
  }

  /** Leaves all of it to the browser, as on iPhones before iOS 17.1. */
  #playNatively(url: string): boolean {
    const video = this.#video;
    if (video.canPlayType("application/vnd.apple.mpegurl") === "") return false;
    const signal = this.#listeners.signal;
    video.addEventListener("playing", () => this.#said({ name: "playing" }), { signal });
    video.addEventListener("ended", () => this.#said({ name: "ended" }), { signal });
    video.addEventListener("error", () => this.#said({ name: "error", reason: "playlist" }), { signal });
    video.src = url;
    signal.addEventListener("abort", () => {
      video.removeAttribute("src");
      video.load();
    });
    return true;
  }

  #address(url: string, media?: Parameters<Cmcd["address"]>[1]): string {
    return this.#cmcd?.address(url, media) ?? url;
  }

  /** Before the element knows its media it would forget a seek. */
  #seek(to: number): void {
    this.#ownSeek = to;
    if (this.#video.readyState >= HTMLMediaElement.HAVE_METADATA) this.#video.currentTime = to;
  }

  #tell(handle: (engine: Player, now: number) => void): void {
    if (!this.#engine) return;
    handle(this.#engine, performance.now());
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      let what: Do | undefined;
      while ((what = this.#engine?.poll())) this.#do(this.#engine as Player, what);
    } finally {
      this.#pumping = false;
    }
  }

  /** The tables behind the decisions are built while the page is idle, never on the way to a picture. */
  #whileIdle(): void {
    if (this.#idle || !this.#engine || this.#engine.idle(0)) return;
    this.#idle = true;
    const work = (deadline?: IdleDeadline) => {
      this.#idle = false;
      let done = !this.#engine;
      do done ||= this.#engine?.idle(IDLE_SLICES) ?? true;
      while (!done && deadline && deadline.timeRemaining() > 2);
      if (!done) this.#whileIdle();
    };
    // Safari has no idle callbacks; a millisecond now and then is not noticed.
    if ("requestIdleCallback" in globalThis) requestIdleCallback(work, { timeout: 1000 });
    else setTimeout(work, 16);
  }

  #do(engine: Player, what: Do): void {
    const number = (at: number) => engine.number(at);
    const say = (event: EngineEvent) => this.#said(event);
    switch (what) {
      case Do.FetchPlaylist: {
        const id = number(0);
        this.#net.playlist(
          id,
          this.#address(engine.text(0)),
          (from, text) => this.#tell((engine, now) => engine.handle_playlist_loaded(now, id, from, text)),
          (status) => this.#tell((engine, now) => engine.handle_failed(now, id, status)),
        );
        break;
      }
      case Do.FetchMedia: {
        const id = number(0);
        const [first, last] = [number(3), number(4)];
        this.#net.media(
          id,
          this.#address(engine.text(0), { track: number(1) as Track, kind: number(2), muxed: this.#muxed }),
          Number.isNaN(first) ? undefined : [first, last],
          ({ bytes, head, ttfb, total }) =>
            this.#tell((engine, now) => engine.handle_media_loaded(now, id, bytes.byteLength, head, ttfb, total)),
          (status) => this.#tell((engine, now) => engine.handle_failed(now, id, status)),
        );
        break;
      }
      case Do.Drop:
        this.#net.drop(number(0));
        break;
      case Do.OpenTracks: {
        const [video, audio] = [engine.text(0), engine.text(1)];
        this.#muxed = video !== "" && audio === "";
        this.#media.open([video || undefined, audio || undefined]);
        break;
      }
      case Do.Append: {
        const track = number(1) as Track;
        const bytes = this.#net.bytes(number(0));
        if (bytes) this.#media.append(track, bytes, number(2));
        else queueMicrotask(() => this.#tell((engine, now) => engine.handle_append_failed(now, track, false)));
        break;
      }
      case Do.Remove:
        this.#media.remove(number(1) as Track, number(2), number(3));
        break;
      case Do.Seek:
        this.#seek(number(0));
        break;
      case Do.Rate:
        this.#video.playbackRate = number(0);
        break;
      case Do.Seekable:
        this.#media.seekable(number(0), number(1), number(2) > 0);
        break;
      case Do.EndOfStream:
        this.#media.endOfStream();
        break;
      case Do.Offline:
        say({ name: "offline" });
        break;
      case Do.Playing:
        this.#begun = true;
        say({ name: "playing" });
        break;
      case Do.Level:
        this.#cmcd?.event("bc", { br: [Math.round(number(2) / 1000)] });
        say({ name: "level", rung: number(0), rungs: number(1), bandwidth: number(2), height: number(3) });
        break;
      case Do.Ended:
        say({ name: "ended" });
        break;
      case Do.NewSession:
        say({ name: "newSession" });
        break;
      case Do.Failed:
        this.#cmcd?.state("f");
        this.#cmcd?.event("e", { ec: [REASONS[number(0)] ?? "playlist"] });
        say({ name: "error", reason: REASONS[number(0)] ?? "playlist" });
        break;
    }
  }
}
