// Reads captions inside pictures (CTA-608, also where CTA-708 carries it along). Loaded by itself, see embedded.ts.

import { type CaptionScreen, Cta608Parser, extractCta608DataFromSample } from "@svta/cml-608";
import { type Box, box, boxes, number, samples } from "./boxes.js";
import type { EmbeddedReader } from "./embedded.js";

const MAILBOX = "__tidegateCaptions";
/** Samples of a fragment that are looked at: ten seconds of 100 a second. */
const MAX_SAMPLES = 1_000;
/** Data that jumps by more, in s, belongs to another place of the stream. */
const JUMP_S = 2;
/** Cues further behind the playhead are let go. */
const KEEP_S = 120;
const MAX_CUES = 2_000;
/** Rows of the screen, which the picture's inner part is divided into. */
const ROWS = 15;

class Reader implements EmbeddedReader {
  #video: HTMLVideoElement;
  #listeners = new AbortController();
  #element: HTMLTrackElement | undefined;
  #cues: VTTCue[] = [];
  #parser: Cta608Parser;
  #last = NaN;
  #offset = 0;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    this.#parser = new Cta608Parser(1, { newCue: (from: number, to: number, screen: CaptionScreen) => this.#said(from / 1000, to / 1000, screen) }, null);
    const { signal } = this.#listeners;
    video.textTracks.addEventListener("change", () => this.#show(), { signal });
    // Browsers may empty a track once more after it was put on.
    video.addEventListener("timeupdate", () => this.#show(), { signal });
  }

  append(init: Uint8Array, file: Uint8Array, offset: number): void {
    const track = pictures(view(init));
    if (!track) return;
    const bytes = view(file);
    const data: [number, number[]][] = [];
    for (const moof of boxes(bytes, "moof")) {
      for (const traf of boxes(bytes, "traf", moof.from, moof.to)) {
        if (idOf(bytes, traf) !== track.id) continue;
        const base = decodeTime(bytes, traf);
        for (const { from, size, time, delay } of samples(bytes, moof, traf, MAX_SAMPLES)) {
          const [first = []] = extractCta608DataFromSample(bytes, from, size);
          if (first.length > 0) data.push([(base + time + delay) / track.timescale, first]);
        }
      }
    }
    // Pictures are stored as they are decoded and captions meant as they are shown.
    for (const [time, pairs] of data.sort(([a], [b]) => a - b)) this.#take(time, pairs, offset);
    this.#show();
  }

  close(): void {
    this.#listeners.abort();
    this.#element?.remove();
  }

  #take(time: number, pairs: number[], offset: number): void {
    const since = time + offset - this.#last;
    // Another rung brings the same once more.
    if (since <= 0 && since > -JUMP_S) return;
    if (Math.abs(since) > JUMP_S) this.#parser.reset();
    this.#last = time + offset;
    this.#offset = offset;
    this.#parser.addData(time * 1000, pairs);
  }

  #said(from: number, to: number, screen: CaptionScreen): void {
    const text = screen.getDisplayText().replace(/[&<>]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[one] ?? "");
    if (!text.trim() || to <= from) return;
    const cue = new VTTCue(from + this.#offset, to + this.#offset, text);
    // Who goes back far loads the same once more.
    if (this.#cues.some((other) => Math.abs(other.startTime - cue.startTime) < 0.01 && other.text === text)) return;
    cue.snapToLines = false;
    cue.line = 10 + (80 * Math.max(0, screen.rows.findIndex((row) => !row.isEmpty()))) / ROWS;
    const kept = this.#cues.filter(({ endTime }) => endTime > this.#video.currentTime - KEEP_S);
    this.#cues = [...kept, cue].sort((a, b) => a.startTime - b.startTime).slice(-MAX_CUES);
    this.#element ??= this.#offer();
  }

  #offer(): HTMLTrackElement {
    const element = Object.assign(document.createElement("track"), { kind: "captions", label: "CC1" });
    this.#video.append(element);
    return element;
  }

  /** A track that is off takes no cues: they wait here. */
  #show(): void {
    const track = this.#element?.track;
    if (!track || track.mode === "disabled" || (track.cues?.length === this.#cues.length && track.cues[0] === this.#cues[0])) return;
    const there = new Set(track.cues ?? []);
    for (const cue of this.#cues) if (!there.has(cue)) track.addCue(cue);
    const wanted = new Set<TextTrackCue>(this.#cues);
    for (const cue of there) if (!wanted.has(cue)) track.removeCue(cue);
  }
}

const view = (bytes: Uint8Array) => new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
const idOf = (bytes: DataView, traf: Box) => {
  const tfhd = box(bytes, ["tfhd"], traf.from, traf.to);
  return tfhd && number(bytes, tfhd, tfhd.from + 4);
};

/** The track with pictures. */
function pictures(init: DataView): { id: number; timescale: number } | undefined {
  const moov = box(init, ["moov"]);
  for (const trak of moov ? boxes(init, "trak", moov.from, moov.to) : []) {
    const [tkhd, mdhd, vmhd] = [["tkhd"], ["mdia", "mdhd"], ["mdia", "minf", "vmhd"]].map((path) => box(init, path, trak.from, trak.to));
    if (!tkhd || !mdhd || !vmhd) continue;
    const after = (full: Box) => number(init, full, full.from + (init.getUint8(full.from) === 1 ? 20 : 12));
    return { id: after(tkhd), timescale: after(mdhd) || 1 };
  }
  return undefined;
}

function decodeTime(bytes: DataView, traf: Box): number {
  const tfdt = box(bytes, ["tfdt"], traf.from, traf.to);
  if (!tfdt) return NaN;
  const high = number(bytes, tfdt, tfdt.from + 4);
  return bytes.getUint8(tfdt.from) === 1 ? high * 2 ** 32 + number(bytes, tfdt, tfdt.from + 8) : high;
}

(globalThis as unknown as Record<string, unknown>)[MAILBOX] = (video: HTMLVideoElement) => new Reader(video);
