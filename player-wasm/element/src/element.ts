// <tidegate-player>: an HTMLMediaElement by shape, around one playback.

import type { CmcdOptions } from "./cmcd.js";
import type { Decision, EngineEvent, EngineStats } from "./engine.js";
import { type ErrorReason, type PlayerError, playerError } from "./errors.js";
import type { KeySystems, Licenses } from "./licenses.js";
import { type AudioTrack, AudioTrackList, VideoRenditionList } from "./lists.js";
import { EVENTS, mirrored } from "./mirror.js";
import type { MpdReader } from "./mpd.js";
import type { IFrames } from "./stills.js";
import { type Options, Playback } from "./playback.js";

/** Figures of the engine and of the element. */
export interface Stats extends EngineStats {
  currentTime: number;
  readyState: number;
  droppedFrames: number;
  totalFrames: number;
}

export type StreamType = "live" | "on-demand" | "unknown";
/** What the element is about; `trouble` is a picture that stands because nothing can be loaded. */
export type Status = "idle" | "loading" | "offline" | "playing" | "trouble" | "ended" | "error";

/** Controls that are put over the picture. */
export interface Controls {
  close(): void;
}

/** Attributes that the inner video element has as well. */
const PASSED_ON = ["muted", "playsinline", "poster", "loop", "crossorigin", "disablepictureinpicture", "disableremoteplayback", "autopictureinpicture"];
/** Attributes that change how an address is played. */
const RELOAD = ["src", "start-time", "latency", "cmcd", "beacon", "crossorigin"];
const STYLE =
  ":host{display:inline-block;position:relative;background:#000;line-height:0}:host([hidden]){display:none}video{width:100%;height:100%}video::cue{font-size:var(--_cue,100%)}video::-webkit-media-text-track-container{transition:translate .2s;translate:0 var(--_lift,0)}";
/** Playbacks that failed and were begun anew, before the element gives up. */
const MAX_RESTARTS = 3;
const RESTART_MS = 1_000;
/** A window that is shorter is none that a viewer would look for something in. */
const MIN_DVR_S = 60;
/** This much behind the place where the engine wants to be is still live. */
const LIVE_EDGE_S = 2;

// Where there is no document the class can still be imported.
const Base = mirrored(globalThis.HTMLElement ?? (class {} as typeof HTMLElement), (element) => (element as TidegatePlayer).video);

export class TidegatePlayer extends Base {
  static readonly observedAttributes = ["controls", "autoplay", "preload", ...RELOAD, ...PASSED_ON];
  /** Makes what the attribute `controls` asks for; without it the browser's own controls are shown. */
  static makeControls: ((player: TidegatePlayer, root: ShadowRoot) => Controls) | undefined;

  /** Makes what reads DASH; without it only HLS is played. */
  static makeMpd: ((credentials: boolean, address: (url: string) => string) => MpdReader) | undefined;
  /** Makes what asks for licences of encrypted streams; without it there are none. */
  static makeLicenses: ((video: HTMLVideoElement, systems: KeySystems, failed: (cause: unknown) => void) => Licenses) | undefined;

  /** The media element inside, for what is not mirrored. */
  readonly video: HTMLVideoElement;
  /** The qualities; `selectedIndex` -1 leaves the choice to the player. */
  readonly videoRenditions = new VideoRenditionList((index) => this.#playback?.pin(index < 0 ? undefined : index));
  readonly audioTracks = new AudioTrackList();

  #root: ShadowRoot;
  #playback: Playback | undefined;
  #controls: Controls | undefined;
  #listeners: AbortController | undefined;
  #children: MutationObserver | undefined;
  #restarts = 0;
  #restart: ReturnType<typeof setTimeout> | undefined;
  #bandwidth: number | undefined;
  #error: PlayerError | null = null;
  #status: Status = "idle";
  #streamType: StreamType = "unknown";
  #window = NaN;
  #keySystems: KeySystems | undefined;
  /** Where a recording was when its playback failed. */
  #resume: number | undefined;

  constructor() {
    super();
    this.video = document.createElement("video");
    this.video.setAttribute("part", "video");
    this.#root = this.attachShadow({ mode: "open" });
    // A constructed sheet is allowed where the page's policy forbids inline styles.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [sheet];
    this.#root.append(this.video);
  }

  connectedCallback(): void {
    // What a framework has set before the element was defined would hide the accessors.
    for (const name of Object.keys(this)) {
      if (!(name in TidegatePlayer.prototype)) continue;
      const own = this as unknown as Record<string, unknown>;
      const value = own[name];
      delete own[name];
      own[name] = value;
    }
    this.#listeners = new AbortController();
    const { signal } = this.#listeners;
    for (const name of EVENTS) this.video.addEventListener(name, (event) => this.#again(event), { signal });
    this.#children = new MutationObserver(() => this.#copyTracks());
    this.#children.observe(this, { childList: true });
    this.#copyTracks();
    // Before the controls are made, which takes as long as the first answer.
    this.load();
    this.#showControls();
  }

  disconnectedCallback(): void {
    this.#listeners?.abort();
    this.#listeners = undefined;
    this.#children?.disconnect();
    this.#controls?.close();
    this.#controls = undefined;
    this.#close();
  }

  attributeChangedCallback(name: string, _old: string | null, value: string | null): void {
    if (name === "muted") this.video.muted = value !== null;
    if (PASSED_ON.includes(name)) {
      if (value === null) this.video.removeAttribute(name);
      else this.video.setAttribute(name, value);
    }
    if (!this.#listeners) return;
    if (RELOAD.includes(name)) this.load();
    else if (name === "controls") this.#showControls();
  }

  /** Plays the address of `src` from its live edge or its beginning. */
  load(): void {
    this.#restarts = 0;
    this.#resume = undefined;
    this.#error = null;
    this.#close();
    this.#describe("unknown", NaN);
    if (this.preload !== "none" || this.autoplay) this.#begin();
    else this.#become("idle");
  }

  play(): Promise<void> {
    if (!this.#playback || this.#error) {
      this.#error = null;
      this.#begin();
    }
    return this.video.play();
  }

  /** Goes to the live edge and stays near it. */
  goLive(): void {
    this.#playback?.goLive();
    void this.play().catch(() => undefined);
  }

  /** Figures of this moment; `undefined` while nothing is loaded. */
  get stats(): Stats | undefined {
    const stats = this.#playback?.stats;
    if (!stats) return undefined;
    const { droppedVideoFrames, totalVideoFrames } = this.video.getVideoPlaybackQuality();
    const { currentTime, readyState } = this.video;
    return { ...stats, currentTime, readyState, droppedFrames: droppedVideoFrames, totalFrames: totalVideoFrames };
  }

  /** Why the qualities of late were chosen, oldest first; from the decision with number `since` on. */
  decisions(since = 0): Decision[] {
    return this.#playback?.decisions(since) ?? [];
  }

  get status(): Status { return this.#status; }
  get error(): PlayerError | null { return this.#error; }
  get currentSrc(): string { return this.src; }
  get streamType(): StreamType { return this.#streamType; }
  /** Seconds that a live stream can be gone back, `Infinity` where all of it stays, 0 where there is no going back. */
  get targetLiveWindow(): number { return this.#window; }
  /** A playhead behind this time is not live. */
  get liveEdgeStart(): number {
    const stats = this.#playback?.stats;
    if (!stats?.live || stats.edgeDistance === null) return NaN;
    return this.video.currentTime + stats.edgeDistance - (stats.target ?? 0) - LIVE_EDGE_S;
  }
  /** Wished distance from the live edge in s; `NaN` leaves it to the playlist. */
  get latency(): number { return Number.parseFloat(this.getAttribute("latency") ?? ""); }
  set latency(value: number) {
    if (value > 0) this.setAttribute("latency", String(value));
    else this.removeAttribute("latency");
  }

  /** Where to begin, in s from the start of what is listed or, negative, before its end; `NaN` leaves it to the playlist. */
  get startTime(): number { return Number.parseFloat(this.getAttribute("start-time") ?? ""); }
  set startTime(value: number) {
    if (Number.isFinite(value)) this.setAttribute("start-time", String(value));
    else this.removeAttribute("start-time");
  }

  /** Where the stream lists its key frames, if it does. */
  get iFrames(): IFrames | undefined { return this.#playback?.iFrames; }
  /** How the keys of encrypted streams are had; setting it loads anew. */
  get keySystems(): KeySystems | undefined { return this.#keySystems; }
  set keySystems(value: KeySystems | undefined) {
    this.#keySystems = value;
    if (this.#listeners) this.load();
  }

  #again(event: Event): void {
    if (event.type === "playing" && this.#status === "trouble") this.#become("playing");
    if (event.type === "durationchange" && !this.#playback?.stats && this.video.duration > 0) {
      this.#describe(this.video.duration === Number.POSITIVE_INFINITY ? "live" : "on-demand", NaN);
    }
    const Kind = event.constructor as typeof Event;
    this.dispatchEvent(new Kind(event.type, event));
  }

  /** `<track>` elements of the page belong to the video. */
  #copyTracks(): void {
    for (const old of this.video.querySelectorAll("track[data-page]")) old.remove();
    for (const track of this.querySelectorAll(":scope > track")) {
      const copy = track.cloneNode() as HTMLTrackElement;
      copy.dataset["page"] = "";
      this.video.append(copy);
    }
  }

  #showControls(): void {
    const make = TidegatePlayer.makeControls;
    const wanted = this.getAttribute("controls");
    const own = wanted !== null && wanted !== "native" && make !== undefined;
    this.video.controls = wanted !== null && !own;
    this.#controls?.close();
    this.#controls = own ? make(this, this.#root) : undefined;
  }

  #begin(): void {
    this.#close();
    if (!this.src || !this.#listeners) return this.#become("idle");
    this.#become("loading");
    const playback = new Playback(this.video, (event) => this.#heard(playback, event));
    this.#playback = playback;
    const latency = this.latency > 0 ? this.latency : undefined;
    const own = this.startTime;
    const start = this.#resume ?? (Number.isFinite(own) ? own : undefined);
    const credentials = this.crossOrigin === "use-credentials";
    const [make, systems] = [TidegatePlayer.makeLicenses, this.#keySystems];
    const licenses: Options["licenses"] = make && systems && ((video, failed) => make(video, systems, failed));
    playback.start(this.src, { latency, expectedBandwidth: this.#bandwidth, start, credentials, cmcd: this.#cmcd(), licenses, mpd: TidegatePlayer.makeMpd }).catch((error: unknown) => {
      if (this.#playback === playback) this.#fail("engine", error);
    });
    if (this.autoplay) void this.video.play().catch(() => undefined);
  }

  /** `cmcd` holds the words `requests` and `events`; events go to `beacon`, or to where an edge of ours takes them. */
  #cmcd(): CmcdOptions | undefined {
    const wanted = (this.getAttribute("cmcd") ?? "").split(/\s+/);
    // Beside the playlists, behind the same token.
    const stream = /^(.*?\/live\/([^/]+)\/)/.exec(this.src);
    const own = stream && `${stream[1]}beacon`;
    const beacon = this.getAttribute("beacon");
    const events = wanted.includes("events") ? (beacon ? new URL(beacon, document.baseURI).href : own) || undefined : undefined;
    const requests = wanted.includes("requests");
    return requests || events ? { requests, events, content: stream?.[2] } : undefined;
  }

  #close(): void {
    clearTimeout(this.#restart);
    this.#bandwidth = this.#playback?.stats?.bandwidth ?? this.#bandwidth;
    this.#playback?.close();
    this.#playback = undefined;
    this.videoRenditions.replace([]);
    this.audioTracks.replace([]);
  }

  #heard(playback: Playback, event: EngineEvent): void {
    if (this.#playback !== playback) return;
    switch (event.name) {
      case "level": {
        const { rung, rungs, bandwidth, height } = event;
        this.#say("levelchange", { rung, rungs, bandwidth, height });
        break;
      }
      case "tracks":
        this.#list(playback);
        break;
      case "seekable": {
        const span = event.to - event.from;
        const reach = span < MIN_DVR_S ? 0 : Math.round(span / MIN_DVR_S) * MIN_DVR_S;
        this.#describe(event.live ? "live" : "on-demand", !event.live ? NaN : playback.stats?.grows ? Number.POSITIVE_INFINITY : reach);
        break;
      }
      case "daterange":
        this.#say("daterange", event.range);
        break;
      case "message":
        this.#say("timedmetadata", event.message);
        break;
      case "playing":
        this.#restarts = 0;
        this.#become("playing");
        break;
      case "offline":
        this.#become("offline");
        this.#say("offline");
        break;
      case "trouble":
        this.#become("trouble");
        break;
      case "ended":
        this.#become("ended");
        this.#say("streamended");
        break;
      case "newSession":
        // The address holds another session: whoever watched goes on with it.
        this.#say("newsession");
        this.#restartSoon();
        break;
      case "error":
        if (event.reason === "decode" && this.#restarts < MAX_RESTARTS) {
          this.#restarts++;
          this.#restartSoon();
        } else this.#fail(event.reason, event.cause);
        break;
    }
  }

  #list(playback: Playback): void {
    const { levels, codecs, sounds, sound } = playback.tracks ?? { levels: [], codecs: [], sounds: [], sound: -1 };
    const known = (value: number | undefined) => value || undefined;
    const renditions = this.videoRenditions;
    renditions.replace(
      codecs.map((codec, at) => {
        const [bitrate = 0, width, height, frames] = levels.slice(4 * at, 4 * at + 4);
        return {
          id: String(at), bitrate, width: known(width), height: known(height), frameRate: known((frames ?? 0) / 1000), codec,
          get selected() { return renditions.selectedIndex === at; },
        };
      }),
    );
    let on = sound;
    const list = this.audioTracks;
    list.replace(
      sounds.map(({ language, name, isDefault }, at): AudioTrack => ({
        id: String(at), kind: isDefault ? "main" : "alternative", label: name, language,
        get enabled() { return on === at; },
        set enabled(value) {
          if (!value || on === at) return;
          on = at;
          playback.sound(at);
          list.changed();
        },
      })),
    );
  }

  #restartSoon(): void {
    clearTimeout(this.#restart);
    const resume = !this.video.paused || this.video.ended;
    const { currentTime, seekable } = this.video;
    if (this.#streamType === "on-demand" && seekable.length) this.#resume = currentTime - seekable.start(0);
    this.#restart = setTimeout(() => {
      this.#begin();
      if (resume) void this.play().catch(() => undefined);
    }, RESTART_MS);
  }

  #describe(type: StreamType, reach: number): void {
    if (type !== this.#streamType) {
      this.#streamType = type;
      this.#say("streamtypechange");
    }
    if (!Object.is(reach, this.#window)) {
      this.#window = reach;
      this.#say("targetlivewindowchange");
    }
  }

  #become(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#say("statuschange");
  }

  #say(name: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #fail(reason: ErrorReason, cause?: unknown): void {
    this.#error = playerError(reason);
    this.#become("error");
    const told = this.dispatchEvent(new CustomEvent("playbackerror", { detail: { reason, cause }, cancelable: true }));
    this.dispatchEvent(new Event("error"));
    if (told) console.error(`tidegate-player: ${this.#error.message}`, cause ?? "");
  }
}
