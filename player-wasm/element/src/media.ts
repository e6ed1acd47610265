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

/** Whether script can feed the element; where it cannot, the browser may play HLS by itself. */
export function isPlayableByParts(): boolean {
  return sourceType() !== undefined;
}

export class Media {
  #video: HTMLVideoElement;
  #events: MediaEvents;
  #source: MediaSource | undefined;
  #url: string | undefined;
  #buffers: [SourceBuffer | undefined, SourceBuffer | undefined] = [undefined, undefined];
  /** What has to wait until no buffer is updating. */
  #later: (() => void)[] = [];

  constructor(video: HTMLVideoElement, events: MediaEvents) {
    this.#video = video;
    this.#events = events;
  }

  open(types: [string | undefined, string | undefined]): void {
    this.close();
    const Source = sourceType();
    if (!Source || types.some((type) => type !== undefined && !Source.isTypeSupported(type))) {
      // The engine may be in the middle of its outputs.
      queueMicrotask(() => this.#events.opened(false));
      return;
    }
    const source = new Source();
    this.#source = source;
    if (!("MediaSource" in globalThis)) this.#video.disableRemotePlayback = true;
    source.addEventListener(
      "sourceopen",
      () => {
        if (this.#source !== source) return;
        try {
          types.forEach((type, track) => type !== undefined && this.#add(source, track as Track, type));
        } catch {
          this.#events.opened(false);
          return;
        }
        this.#events.opened(true);
      },
      { once: true },
    );
    this.#url = URL.createObjectURL(source);
    this.#video.src = this.#url;
  }

  append(track: Track, bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    this.#update(track, (buffer) => {
      if (Math.abs(buffer.timestampOffset - offset) > 1e-6) buffer.timestampOffset = offset;
      buffer.appendBuffer(bytes);
    });
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
    this.#source = undefined;
    if (this.#url) {
      URL.revokeObjectURL(this.#url);
      this.#url = undefined;
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
