// A media source and one queue of appends for each of its tracks.

import type { Track } from "./engine.js";

export interface MediaEvents {
  opened(supported: boolean): void;
  buffered(track: Track, times: Float64Array): void;
  appended(track: Track): void;
  appendFailed(track: Track, quota: boolean): void;
}

/** `ManagedMediaSource` is what iPhones have in place of `MediaSource`. */
function sourceType(): typeof MediaSource | undefined {
  const scope = globalThis as { MediaSource?: typeof MediaSource; ManagedMediaSource?: typeof MediaSource };
  return scope.MediaSource ?? scope.ManagedMediaSource;
}

const HLS = "application/vnd.apple.mpegurl";
/** An init segment says within these what it is for. */
const HEAD_BYTES = 4096;
/** A browser wants the whole name of a codec and looks at its family alone. */
const NAMES: Record<string, string> = { av01: "av01.0.08M.08", avc1: "avc1.640028", avc3: "avc3.640028", hev1: "hev1.1.6.L120.B0", hvc1: "hvc1.1.6.L120.B0", vp09: "vp09.00.40.08", mp4a: "mp4a.40.2", Opus: "opus", fLaC: "flac" };

/** Whether script can feed the element; where it cannot, the browser may play HLS by itself. */
export function isPlayableByParts(): boolean {
  return sourceType() !== undefined;
}

/** A multivariant playlist without what this browser says that it cannot play; as it is where nothing would be left. */
export function playable(list: string): string {
  const Source = sourceType();
  let [plays, any] = [true, false];
  const kept = list.split("\n").filter((line) => {
    const own = plays;
    if (line.startsWith("#EXT-X-STREAM-INF:")) {
      const codecs = /[:,]\s*CODECS="([^"]*)"/.exec(line)?.[1];
      plays = !codecs || Source?.isTypeSupported(`video/mp4; codecs="${codecs}"`) === true;
      any ||= plays;
      return plays;
    }
    // The address of a variant is the next line that is no tag.
    if (line.startsWith("#") || !line.trim()) return true;
    plays = true;
    return own;
  });
  return any ? kept.join("\n") : list;
}

/** The first sample entry of an init segment, which says which decoder it is for. */
function entryOf(bytes: Uint8Array): string | undefined {
  const text = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  return /ftyp|moov/.test(text(4, 8)) ? /stsd[^]{12}([\w-]{4})/.exec(text(0, HEAD_BYTES))?.[1] : undefined;
}

export class Media {
  #video: HTMLVideoElement;
  #events: MediaEvents;
  #source: MediaSource | undefined;
  /** One that is attached, and not yet for anything. */
  #prepared: MediaSource | undefined;
  #url: string | undefined;
  #buffers: [SourceBuffer | undefined, SourceBuffer | undefined] = [undefined, undefined];
  /** Their types, and what their init segments were for. */
  #types: [string | undefined, string | undefined] = [undefined, undefined];
  #entries: [string | undefined, string | undefined] = [undefined, undefined];
  /** What has to wait until no buffer is updating. */
  #later: (() => void)[] = [];

  constructor(video: HTMLVideoElement, events: MediaEvents) {
    this.#video = video;
    this.#events = events;
  }

  /**
   * Attaches a source before it is known what is to be put into it: a browser takes as long to open one as the first playlists are on
   * their way. `playlist` is what a screen that is sent the stream to plays by itself.
   */
  prepare(playlist?: string): void {
    this.close();
    const Source = sourceType();
    if (!Source) return;
    const source = new Source();
    this.#prepared = source;
    this.#url = URL.createObjectURL(source);
    // AirPlay cannot be fed by script: Safari hands over the second source, and offers it only where there is one.
    const hands = "WebKitPlaybackTargetAvailabilityEvent" in globalThis && playlist && this.#video.canPlayType(HLS);
    if (hands) {
      for (const [src, type] of [[this.#url, "video/mp4"], [playlist, HLS]] as const) this.#video.append(Object.assign(document.createElement("source"), { src, type }));
      return;
    }
    if (!("MediaSource" in globalThis)) this.#video.disableRemotePlayback = true;
    this.#video.src = this.#url;
  }

  open(types: [string | undefined, string | undefined], playlist?: string): void {
    const Source = sourceType();
    if (!Source || types.some((type) => type !== undefined && !Source.isTypeSupported(type))) {
      this.close();
      // The engine may be in the middle of its outputs.
      queueMicrotask(() => this.#events.opened(false));
      return;
    }
    if (!this.#prepared) this.prepare(playlist);
    const source = this.#prepared;
    if (!source) return;
    this.#prepared = undefined;
    this.#source = source;
    this.#types = types;
    const begin = () => {
      if (this.#source !== source) return;
      try {
        types.forEach((type, track) => type !== undefined && this.#add(source, track as Track, type));
      } catch {
        this.#events.opened(false);
        return;
      }
      this.#events.opened(true);
    };
    if (source.readyState === "open") queueMicrotask(begin);
    else source.addEventListener("sourceopen", begin, { once: true });
  }

  append(track: Track, bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    const entry = entryOf(bytes);
    this.#update(track, (buffer) => {
      if (entry) this.#become(track as 0 | 1, buffer, entry);
      if (Math.abs(buffer.timestampOffset - offset) > 1e-6) buffer.timestampOffset = offset;
      buffer.appendBuffer(bytes);
    });
  }

  /** Another codec than before, in another rung or behind a discontinuity, takes the place of the one that it follows. */
  #become(at: 0 | 1, buffer: SourceBuffer, entry: string): void {
    const before = this.#entries[at] ?? entry;
    this.#entries[at] = entry;
    // What encrypted media is called here is no codec.
    if (entry === before || [entry, before].some((name) => name.startsWith("enc"))) return;
    const family = before.slice(0, 3).toLowerCase();
    const next = (this.#types[at] ?? "").replace(/(?<=codecs=")[^"]*/, (codecs) =>
      codecs.split(",").map((codec) => (codec.trim().toLowerCase().startsWith(family) ? (NAMES[entry] ?? entry) : codec)).join(","));
    buffer.changeType(next);
    this.#types[at] = next;
  }

  remove(track: Track, from: number, to: number): void {
    this.#update(track, (buffer) => buffer.remove(from, to));
  }

  seekable(from: number, to: number, live: boolean): void {
    if (live && this.#source?.readyState === "open") this.#source.setLiveSeekableRange(Math.max(0, from), Math.max(0, to));
    this.#whenIdle(() => {
      const source = this.#source;
      if (source?.readyState !== "open") return;
      const duration = live ? Number.POSITIVE_INFINITY : to;
      const end = this.#buffers.reduce((end, buffer) => Math.max(end, buffer?.buffered.length ? buffer.buffered.end(buffer.buffered.length - 1) : 0), 0);
      if (source.duration !== duration && duration >= end) source.duration = duration;
    });
  }

  endOfStream(): void {
    this.#whenIdle(() => {
      if (this.#source?.readyState === "open") this.#source.endOfStream();
    });
  }

  close(): void {
    this.#later = [];
    this.#buffers = [undefined, undefined];
    this.#entries = [undefined, undefined];
    this.#source = undefined;
    this.#prepared = undefined;
    if (this.#url) {
      URL.revokeObjectURL(this.#url);
      this.#url = undefined;
      for (const source of this.#video.querySelectorAll("source")) source.remove();
      this.#video.removeAttribute("src");
      this.#video.load();
    }
  }

  #add(source: MediaSource, track: Track, type: string): void {
    const buffer = source.addSourceBuffer(type);
    this.#buffers[track as 0 | 1] = buffer;
    let failed = false;
    buffer.addEventListener("error", () => {
      failed = true;
    });
    buffer.addEventListener("updateend", () => {
      if (this.#buffers[track as 0 | 1] !== buffer) return;
      this.#flush();
      this.#tellBuffered(track, buffer);
      if (failed) this.#events.appendFailed(track, false);
      else this.#events.appended(track);
      failed = false;
    });
  }

  #update(track: Track, change: (buffer: SourceBuffer) => void): void {
    const buffer = this.#buffers[track as 0 | 1];
    if (!buffer) return;
    try {
      change(buffer);
    } catch (error) {
      const quota = error instanceof DOMException && error.name === "QuotaExceededError";
      queueMicrotask(() => this.#events.appendFailed(track, quota));
    }
  }

  #tellBuffered(track: Track, buffer: SourceBuffer): void {
    let ranges: TimeRanges;
    try {
      ranges = buffer.buffered;
    } catch {
      return; // The source has been closed meanwhile.
    }
    const times = new Float64Array(ranges.length * 2);
    for (let index = 0; index < ranges.length; index++) {
      times[index * 2] = ranges.start(index);
      times[index * 2 + 1] = ranges.end(index);
    }
    this.#events.buffered(track, times);
  }

  #whenIdle(action: () => void): void {
    this.#later.push(action);
    this.#flush();
  }

  #flush(): void {
    while (this.#later.length > 0 && !this.#buffers.some((buffer) => buffer?.updating)) this.#later.shift()?.();
  }
}
