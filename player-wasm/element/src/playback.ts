// One playback: does what the engine says, tells it what happened.

import { type EngineEvent, type EngineStats, type Output, Player, loadEngine } from "./engine.js";
import { Media } from "./media.js";
import { Net } from "./net.js";

/** How often the engine hears where the playhead is. */
const TICK_MS = 100;
const TOLD_ON = ["timeupdate", "waiting", "playing", "seeked", "pause", "play", "ended", "canplay"];

export interface Options {
  /** Wished latency in s. */
  latency: number | undefined;
  /** What the network carried last time, in bit/s. */
  expectedBandwidth: number | undefined;
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
    await loadEngine();
    if (this.#listeners.signal.aborted) return;
    // Date.now() follows corrections of the clock, timeOrigin does not.
    const utcAtZero = Date.now() - performance.now();
    this.#engine = new Player(utcAtZero, options.latency, options.expectedBandwidth);
    const signal = this.#listeners.signal;
    for (const name of TOLD_ON) this.#video.addEventListener(name, () => this.#tellPlayhead(), { signal });
    this.#video.addEventListener("loadedmetadata", () => this.#ownSeek !== undefined && this.#seek(this.#ownSeek), { signal });
    this.#video.addEventListener("seeking", () => this.#tellSeek(), { signal });
    this.#timer = setInterval(() => {
      this.#tellPlayhead();
      this.#tell((engine, now) => engine.handle_tick(now));
    }, TICK_MS);
    this.#tell((engine, now) => engine.handle_load(now, url));
  }

  goLive(): void {
    this.#tell((engine, now) => engine.handle_go_live(now));
  }

  get stats(): EngineStats | undefined {
    return this.#engine && (JSON.parse(this.#engine.stats()) as EngineStats);
  }

  close(): void {
    this.#listeners.abort();
    clearInterval(this.#timer);
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
  }

  #tellSeek(): void {
    const to = this.#video.currentTime;
    const own = this.#ownSeek !== undefined && Math.abs(this.#ownSeek - to) < 0.05;
    this.#ownSeek = undefined;
    if (!own) this.#tell((engine, now) => engine.handle_sought(now, to));
    this.#tellPlayhead();
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
      let text: string | undefined;
      while ((text = this.#engine?.poll())) this.#do(JSON.parse(text) as Output);
    } finally {
      this.#pumping = false;
    }
  }

  #do(output: Output): void {
    switch (output.do) {
      case "fetchPlaylist": {
        const { id, url } = output;
        this.#net.playlist(
          id,
          url,
          (from, text) => this.#tell((engine, now) => engine.handle_playlist_loaded(now, id, from, text)),
          (status) => this.#tell((engine, now) => engine.handle_failed(now, id, status)),
        );
        break;
      }
      case "fetchMedia": {
        const { id, url, first, last } = output;
        this.#net.media(
          id,
          url,
          first !== undefined && last !== undefined ? [first, last] : undefined,
          ({ bytes, head, ttfb, total }) =>
            this.#tell((engine, now) => engine.handle_media_loaded(now, id, bytes.byteLength, head, ttfb, total)),
          (status) => this.#tell((engine, now) => engine.handle_failed(now, id, status)),
        );
        break;
      }
      case "drop":
        this.#net.drop(output.id);
        break;
      case "openTracks":
        this.#media.open([output.video, output.audio]);
        break;
      case "append": {
        const bytes = this.#net.bytes(output.id);
        if (bytes) this.#media.append(output.track, bytes, output.offset);
        else queueMicrotask(() => this.#tell((engine, now) => engine.handle_append_failed(now, output.track, false)));
        break;
      }
      case "remove":
        this.#media.remove(output.track, output.from, output.to);
        break;
      case "seek":
        this.#seek(output.to);
        break;
      case "rate":
        this.#video.playbackRate = output.rate;
        break;
      case "seekable":
        this.#media.seekable(output.from, output.to, output.live);
        break;
      case "endOfStream":
        this.#media.endOfStream();
        break;
      case "event":
        this.#said(output);
        break;
    }
  }
}
