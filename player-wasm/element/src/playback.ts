// One playback: does what the engine says, tells it what happened.

import { Cmcd, type CmcdOptions, type State, readCmsd } from "./cmcd.js";
import { Captions, type Choosable, readChoosable } from "./captions.js";
import { DateRanges } from "./dateranges.js";
import { Embedded } from "./embedded.js";
import { type Decision, Do, Engine, type EngineEvent, type EngineStats, Question, REASONS, Told, type Track, readDecisions, readStats } from "./engine.js";
import { firstLists } from "./first.js";
import type { Licenses } from "./licenses.js";
import { loadEngine } from "./load.js";
import { Media, isPlayableByParts, playable } from "./media.js";
import { type MpdReader, isPart, plain } from "./mpd.js";
import { Messages } from "./messages.js";
import { Net } from "./net.js";
import { type IFrames, iFramesOf } from "./stills.js";

/** How often the engine hears where the playhead is. */
const TICK_MS = 100;
/** Slices of about 0.1 ms that the engine works for at a time, while the page has nothing else to do. */
const IDLE_SLICES = 10;
/** A picture that stands for this long while nothing can be loaded is worth a word. */
const TROUBLE_MS = 3_000;
/** Elements round times. */
const SAME_SEEK_S = 0.05;
const TOLD_ON = ["timeupdate", "waiting", "playing", "seeked", "pause", "play", "ended", "canplay"];

export interface Options {
  /** Wished latency in s. */
  latency: number | undefined;
  /** What the network carried last time, in bit/s. */
  expectedBandwidth: number | undefined;
  /** Where to begin, in s from the start of what is listed or before its end. */
  start: number | undefined;
  /** Send cookies along with requests to other hosts. */
  credentials: boolean;
  /** What is told to CDN and operator, where anything is. */
  cmcd: CmcdOptions | undefined;
  /** Makes what reads DASH. */
  mpd: ((credentials: boolean, address: (url: string) => string) => MpdReader) | undefined;
  /** Makes what asks for licences, where the page has said how they are had. */
  licenses: ((video: HTMLVideoElement, failed: (cause: unknown) => void) => Licenses) | undefined;
}

export class Playback {
  #video: HTMLVideoElement;
  #said: (event: EngineEvent) => void;
  #net: Net = new Net(false);
  #media: Media;
  #engine: Engine | undefined;
  #captions: Captions | undefined;
  #ranges: DateRanges;
  #embedded: Embedded | undefined;
  #messages: Messages | undefined;
  #licenses: Licenses | undefined;
  #iFrames: IFrames | undefined;
  #mpd: MpdReader | undefined;
  /** Requests that an MPD which is known may answer. */
  #waits = new Map<number, AbortController>();
  /** Requests that failed since the last one that did not, and since when the picture stands. */
  #failures = 0;
  #standing: number | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #listeners = new AbortController();
  #ownSeek: number | undefined;
  /** Where the seek goes that the engine has been told of and that is not over. */
  #toldSeek = Number.NaN;
  #pumping = false;
  #idle = false;
  #cmcd: Cmcd | undefined;
  #begun = false;
  #muxed = false;
  /** What another screen can play by itself. */
  #playlist: string | undefined;

  constructor(video: HTMLVideoElement, said: (event: EngineEvent) => void) {
    this.#video = video;
    this.#said = said;
    this.#ranges = new DateRanges(video, (range) => said({ name: "daterange", range }));
    this.#media = new Media(video, {
      opened: (supported) => this.#tell(Told.Opened, Number(supported)),
      buffered: (track, times) => this.#tellWith(new Uint8Array(times.buffer), "", Told.Buffered, track),
      appended: (track) => this.#tell(Told.Appended, track),
      appendFailed: (track, quota) => this.#tell(Told.AppendFailed, track, Number(quota)),
    });
  }

  /** Begins to play. Rejects if the engine cannot be loaded. */
  async start(url: string, options: Options): Promise<void> {
    this.#licenses = options.licenses?.(this.#video, (cause) => this.#said({ name: "error", reason: "license", cause }));
    if (!isPlayableByParts() && this.#playNatively(url, options.start)) return;
    this.#net = new Net(
      options.credentials,
      (header) => this.#tell(Told.Advised, ...readCmsd(header)),
      (url, init) => (isPart(url) ? this.#mpd?.part(url, init) : undefined) ?? fetch(url, init),
    );
    this.#mpd = options.mpd?.(options.credentials, (url) => this.#address(url));
    // Once the engine is there it asks for itself, and knows more.
    const next = (list: string, from: string) => (this.#engine || options.expectedBandwidth ? [] : firstLists(list, from));
    if (!options.cmcd?.requests) this.#net.begin(url, next);
    this.#media.prepare(url);
    let make;
    try {
      make = await loadEngine();
    } catch (error) {
      // A page may forbid WebAssembly; some browsers then still play HLS, further from live.
      this.#media.close();
      if (!this.#listeners.signal.aborted && !this.#playNatively(url, options.start)) throw error;
      return;
    }
    if (this.#listeners.signal.aborted) return;
    // Date.now() follows corrections of the clock, timeOrigin does not.
    const utcAtZero = Date.now() - performance.now();
    this.#engine = new Engine(make(), utcAtZero, options.latency, options.expectedBandwidth, options.start, this.#licenses !== undefined);
    this.#captions = new Captions(this.#video, (at) => this.#tell(Told.Text, at));
    this.#embedded = new Embedded(this.#video);
    this.#messages = new Messages(this.#video, (message) => this.#said({ name: "message", message }));
    if (options.cmcd) this.#cmcd = new Cmcd(options.cmcd, () => this.stats);
    const signal = this.#listeners.signal;
    for (const name of TOLD_ON) this.#video.addEventListener(name, () => this.#tellPlayhead(), { signal });
    this.#video.addEventListener("loadedmetadata", () => this.#ownSeek !== undefined && this.#seek(this.#ownSeek), { signal });
    this.#video.addEventListener("seeking", () => this.#tellSeek(), { signal });
    this.#timer = setInterval(() => {
      this.#tellPlayhead();
      this.#tell(Told.Tick);
      this.#ranges.place(() => this.stats?.programDateTime ?? null);
      for (const { id, bytes, total, ttfb, elapsed } of this.#net.running()) {
        this.#tell(Told.Progress, id, bytes, ttfb, elapsed, total || 0);
      }
      this.#whileIdle();
    }, TICK_MS);
    this.#playlist = url;
    this.#video.addEventListener("webkitcurrentplaybacktargetiswirelesschanged", () => this.#handOver(), { signal });
    this.#tellWith(url, "", Told.Load);
  }

  /** Another screen plays the stream by itself (AirPlay): nothing is loaded here until it comes back. */
  #handOver(): void {
    if ((this.#video as { webkitCurrentPlaybackTargetIsWireless?: boolean }).webkitCurrentPlaybackTargetIsWireless) {
      clearInterval(this.#timer);
      this.#drop();
      this.#engine = undefined;
    } else if (!this.#engine) this.#said({ name: "newSession" });
  }

  /** Nothing that is under way is wanted any more. */
  #drop(): void {
    this.#net.close();
    this.#mpd?.close();
    for (const wait of this.#waits.values()) wait.abort();
  }

  goLive(): void {
    this.#tell(Told.GoLive);
  }

  /** Keeps to a quality; `undefined` leaves it to the engine. */
  pin(rung: number | undefined): void {
    this.#tell(Told.Pin, rung);
  }

  sound(at: number): void {
    this.#tell(Told.Sound, at);
  }

  /** What there is to choose from, and which sound is on. */
  get tracks(): { levels: Float64Array; codecs: string[]; sounds: Choosable[]; sound: number } | undefined {
    if (!this.#engine) return undefined;
    const levels = this.#engine.ask(Question.Levels);
    const sounds = readChoosable(this.#engine.ask(Question.Sounds).text);
    return { levels: levels.numbers, codecs: levels.text.split("\n"), sounds, sound: this.#engine.ask(Question.Sound).numbers[0] ?? -1 };
  }

  get stats(): EngineStats | undefined {
    const stats = this.#engine && readStats(this.#engine.ask(Question.Stats).numbers);
    if (stats && this.#mpd?.undated) stats.programDateTime = null;
    return stats;
  }

  get iFrames(): IFrames | undefined {
    return this.#iFrames;
  }

  /** The decisions about quality from a number on; the engine keeps the last ones. */
  decisions(since: number): Decision[] {
    return this.#engine ? readDecisions(this.#engine.ask(Question.Decisions, since).numbers) : [];
  }

  close(): void {
    this.#listeners.abort();
    clearInterval(this.#timer);
    this.#cmcd?.close();
    this.#drop();
    this.#media.close();
    this.#licenses?.close();
    this.#captions?.close();
    this.#embedded?.close();
    this.#messages?.close();
    this.#ranges.close();
    this.#engine = undefined;
  }

  #tellPlayhead(): void {
    const { currentTime, paused, seeking, readyState, ended } = this.#video;
    // The element says that it seeks a moment after it does: the new place is not to be taken for one that playback has fallen back to.
    if (seeking && !this.#isTold(currentTime)) return this.#tellSeek();
    if (!seeking) this.#toldSeek = Number.NaN;
    const waiting = readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    this.#tell(Told.Playhead, currentTime, Number(paused) | (seeking ? 2 : 0) | (waiting ? 4 : 0) | (ended ? 8 : 0));
    this.#watch(this.#begun && waiting && !paused && !ended);
    const state: State = ended ? "e" : !this.#begun ? "s" : seeking ? "k" : paused ? "a" : waiting ? "r" : "p";
    this.#cmcd?.state(state);
  }

  #isTold(seek: number): boolean {
    return Math.abs(this.#toldSeek - seek) < SAME_SEEK_S;
  }

  #tellSeek(): void {
    const to = this.#video.currentTime;
    if (!this.#isTold(to)) {
      this.#toldSeek = to;
      const own = this.#ownSeek !== undefined && Math.abs(this.#ownSeek - to) < SAME_SEEK_S;
      this.#ownSeek = undefined;
      if (!own) this.#tell(Told.Sought, to);
    }
    this.#tellPlayhead();
  }

  /** Leaves all of it to the browser, as on iPhones before iOS 17.1. */
  #playNatively(url: string, start: number | undefined): boolean {
    const video = this.#video;
    if (video.canPlayType("application/vnd.apple.mpegurl") === "") return false;
    const signal = this.#listeners.signal;
    video.addEventListener("playing", () => this.#said({ name: "playing" }), { signal });
    video.addEventListener("ended", () => this.#said({ name: "ended" }), { signal });
    video.addEventListener("error", () => this.#said({ name: "error", reason: "playlist" }), { signal });
    video.addEventListener("loadedmetadata", () => {
      const { seekable } = video;
      if (start !== undefined && seekable.length) video.currentTime = start < 0 ? seekable.end(0) + start : seekable.start(0) + start;
    }, { signal });
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

  /** A picture that stands while requests fail is no slow link: the viewer is to hear of it. */
  #watch(stands: boolean): void {
    const now = performance.now();
    if (!stands) this.#standing = undefined;
    else this.#standing ??= now;
    if (this.#standing === undefined || now - this.#standing < TROUBLE_MS || this.#failures === 0) return;
    this.#standing = Number.POSITIVE_INFINITY;
    this.#said({ name: "trouble" });
  }

  #tell(code: Told, a?: number, b?: number, c?: number, d?: number, size?: number): void {
    this.#engine?.handle(code, performance.now(), a, b, c, d, size);
    this.#pump();
  }

  #tellWith(first: string | Uint8Array, second: string, code: Told, a?: number, b?: number, c?: number, d?: number): void {
    this.#engine?.handleWith(first, second, code, performance.now(), a, b, c, d);
    this.#pump();
  }

  #ask(id: number, asked: string): void {
    if (!this.#engine) return;
    this.#net.playlist(
      id,
      this.#address(asked.includes("#") ? plain(asked) : asked),
      (from, list) => {
        this.#failures = 0;
        if (!this.#mpd?.reads(list)) return this.#loaded(id, from, list);
        this.#playlist = undefined;
        this.#mpd.playlist(asked, from, list).then((list) => this.#loaded(id, from, list), () => this.#failed(id, 0));
      },
      (status) => this.#failed(id, status),
    );
  }

  #loaded(id: number, from: string, list: string): void {
    this.#ranges.read(list);
    this.#iFrames ??= iFramesOf(list, from);
    this.#tellWith(from, list.includes("#EXT-X-STREAM-INF") ? playable(list) : list, Told.PlaylistLoaded, id);
  }

  #failed(id: number, status: number): void {
    this.#failures++;
    this.#tell(Told.Failed, id, status);
  }

  #pump(): void {
    if (!this.#engine || this.#pumping) return;
    this.#pumping = true;
    try {
      let what;
      while ((what = this.#engine?.poll())) this.#do(what.code, what.numbers, what.texts);
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

  #do(what: Do, numbers: Float64Array, texts: string[]): void {
    const number = (at: number) => numbers[at] ?? NaN;
    const text = (at: number) => texts[at] ?? "";
    const say = (event: EngineEvent) => this.#said(event);
    switch (what) {
      case Do.FetchPlaylist: {
        const id = number(0);
        const asked = text(0);
        // Out of an MPD that is known; a playlist is never part of a document.
        const wait = new AbortController();
        const known = asked.includes("#") ? this.#mpd?.ahead(asked, wait.signal) : undefined;
        if (known) {
          this.#waits.set(id, wait);
          const wanted = () => this.#waits.delete(id) && !wait.signal.aborted;
          known.then((found) => wanted() && (found ? this.#loaded(id, ...found) : this.#ask(id, asked)), () => wanted() && this.#failed(id, 0));
        } else this.#ask(id, asked);
        break;
      }
      case Do.FetchMedia: {
        const id = number(0);
        const [first, last] = [number(3), number(4)];
        this.#net.media(
          id,
          this.#address(text(0), { track: number(1) as Track, kind: number(2), muxed: this.#muxed }),
          Number.isNaN(first) ? undefined : [first, last],
          text(1) ? { url: text(1), iv: text(2), maybe: number(2) === 0 } : undefined,
          ({ bytes, head, ttfb, total }) => {
            this.#failures = 0;
            this.#tellWith(head, "", Told.MediaLoaded, id, bytes.byteLength, ttfb, total);
          },
          (status) => this.#failed(id, status),
        );
        break;
      }
      case Do.Drop:
        this.#net.drop(number(0));
        this.#waits.get(number(0))?.abort();
        break;
      case Do.OpenTracks: {
        const [video, audio] = [text(0), text(1)];
        this.#muxed = video !== "" && audio === "";
        this.#licenses?.open([video || undefined, audio || undefined]);
        // Making a media source takes a while: what the engine asks for beside it goes out before.
        queueMicrotask(() => this.#engine && this.#media.open([video || undefined, audio || undefined], this.#playlist));
        break;
      }
      case Do.Append: {
        const track = number(1) as Track;
        const bytes = this.#net.bytes(number(0));
        if (bytes && track === 2) {
          this.#captions?.append(bytes, number(2));
          queueMicrotask(() => this.#tell(Told.Appended, track));
        } else if (bytes) {
          if (track === 0) this.#embedded?.append(bytes, number(2));
          this.#messages?.append(track, bytes, number(2));
          this.#media.append(track, bytes, number(2));
        } else queueMicrotask(() => this.#tell(Told.AppendFailed, track, 0));
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
        say({ name: "seekable", from: number(0), to: number(1), live: number(2) > 0 });
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
      case Do.Tracks:
        this.#captions?.offer(readChoosable(this.#engine?.ask(Question.Texts).text ?? ""));
        say({ name: "tracks" });
        break;
      case Do.Failed:
        this.#cmcd?.state("f");
        this.#cmcd?.event("e", { ec: [REASONS[number(0)] ?? "playlist"] });
        say({ name: "error", reason: REASONS[number(0)] ?? "playlist" });
        break;
    }
  }
}
