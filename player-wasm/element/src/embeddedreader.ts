// Reads captions inside pictures (CTA-608, CTA-708). Loaded by itself, see embedded.ts.

import { type CaptionScreen, Cta608Parser } from "@svta/cml-608";
import { type Box, box, boxes, number, samples } from "./boxes.js";
import { type CaptionPair, captionPairs } from "./ccdata.js";
import { Cta708, type Place } from "./cta708.js";
import type { EmbeddedReader } from "./embedded.js";

const MAILBOX = "__tidegateCaptions";
/** Samples of a fragment that are looked at: ten seconds of 100 a second. */
const MAX_SAMPLES = 1_000;
/** Data that jumps by more, in s, belongs to another place of the stream. */
const JUMP_S = 2;
/** Cues further behind the playhead are let go. */
const KEEP_S = 120;
const MAX_CUES = 2_000;
/** What goes on after so long, in s, is the same cue. */
const SAME_S = 0.02;
/** Rows of the screen, which the picture's inner part is divided into. */
const ROWS = 15;

class Reader implements EmbeddedReader {
  #video: HTMLVideoElement;
  #listeners = new AbortController();
  /** By what viewers choose: the first channel of CTA-608, services of CTA-708. */
  #tracks = new Map<string, Track>();
  #field: Cta608Parser;
  #services: Cta708;
  #last = NaN;
  #offset = 0;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    const newCue = (from: number | null, to: number, screen: CaptionScreen) => {
      if (from !== null) this.#said("CC1", from / 1000, to / 1000, screen.getDisplayText(), rowOf(screen));
    };
    this.#field = new Cta608Parser(1, { newCue }, null);
    this.#services = new Cta708(({ service, from, to, text, place }) => this.#said(`Service ${service}`, from, to, text, place));
    const { signal } = this.#listeners;
    video.textTracks.addEventListener("change", () => this.#show(), { signal });
    // Browsers may empty a track once more after it was put on.
    video.addEventListener("timeupdate", () => this.#show(), { signal });
  }

  append(init: Uint8Array, file: Uint8Array, offset: number): void {
    const track = pictures(view(init));
    if (!track) return;
    const bytes = view(file);
    const data: [number, CaptionPair[]][] = [];
    for (const moof of boxes(bytes, "moof")) {
      for (const traf of boxes(bytes, "traf", moof.from, moof.to)) {
        if (idOf(bytes, traf) !== track.id) continue;
        const base = decodeTime(bytes, traf);
        for (const { from, size, time, delay } of samples(bytes, moof, traf, MAX_SAMPLES)) {
          const pairs = captionPairs(file.subarray(from, from + size));
          if (pairs.length > 0) data.push([(base + time + delay) / track.timescale, pairs]);
        }
      }
    }
    // Pictures are stored as they are decoded and captions meant as they are shown.
    for (const [time, pairs] of data.sort(([a], [b]) => a - b)) this.#take(time, pairs, offset);
    // Near live a caption is over before its end has been read.
    const last = this.#last - this.#offset;
    if (data.length > 0 && !Number.isNaN(last)) {
      this.#field.cueSplitAtTime(last * 1000);
      this.#services.split(last);
    }
    this.#show();
  }

  close(): void {
    this.#listeners.abort();
    for (const track of this.#tracks.values()) track.close();
  }

  #take(time: number, pairs: CaptionPair[], offset: number): void {
    const since = time + offset - this.#last;
    // Another rung brings the same once more.
    if (since <= 0 && since > -JUMP_S) return;
    if (Math.abs(since) > JUMP_S) {
      this.#field.reset();
      this.#services.reset();
    }
    this.#last = time + offset;
    this.#offset = offset;
    const field: number[] = [];
    for (const { type, bytes } of pairs) {
      if (type === 0) field.push(...bytes.map((byte) => byte & 0x7f));
      else if (type >= 2) this.#services.add(type === 3, bytes, time);
    }
    if (field.some((byte) => byte !== 0)) this.#field.addData(time * 1000, field);
  }

  #said(label: string, from: number, to: number, text: string, place: Place): void {
    if (!text.trim() || to <= from) return;
    let track = this.#tracks.get(label);
    if (!track) this.#tracks.set(label, (track = new Track(this.#video, label)));
    track.say(from + this.#offset, to + this.#offset, text, place);
  }

  #show(): void {
    for (const track of this.#tracks.values()) track.show();
  }
}

/** A track that viewers can put on. */
class Track {
  #video: HTMLVideoElement;
  #element: HTMLTrackElement;
  #cues: VTTCue[] = [];

  constructor(video: HTMLVideoElement, label: string) {
    this.#video = video;
    this.#element = Object.assign(document.createElement("track"), { kind: "captions", label });
    video.append(this.#element);
  }

  say(from: number, to: number, plain: string, { top, left, align }: Place): void {
    const text = plain.replace(/[&<>]/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[one] ?? "");
    // What was said in pieces is one cue, and who goes back far loads the same once more.
    const same = this.#cues.find((cue) => cue.text === text && cue.line === top && cue.startTime <= from + SAME_S && from <= cue.endTime + SAME_S);
    if (same) {
      same.endTime = Math.max(same.endTime, to);
      return;
    }
    const cue = Object.assign(new VTTCue(from, to, text), { snapToLines: false, line: top, align, position: left });
    const kept = this.#cues.filter(({ endTime }) => endTime > this.#video.currentTime - KEEP_S);
    this.#cues = [...kept, cue].sort((a, b) => a.startTime - b.startTime).slice(-MAX_CUES);
  }

  /** A track that is off takes no cues: they wait here. */
  show(): void {
    const { track } = this.#element;
    if (track.mode === "disabled" || (track.cues?.length === this.#cues.length && track.cues[0] === this.#cues[0])) return;
    const there = new Set(track.cues ?? []);
    for (const cue of this.#cues) if (!there.has(cue)) track.addCue(cue);
    const wanted = new Set<TextTrackCue>(this.#cues);
    for (const cue of there) if (!wanted.has(cue)) track.removeCue(cue);
  }

  close(): void {
    this.#element.remove();
  }
}

/** CTA-608 has rows alone. */
const rowOf = (screen: CaptionScreen): Place => ({ top: 10 + (80 * Math.max(0, screen.rows.findIndex((row) => !row.isEmpty()))) / ROWS, left: 50, align: "center" });
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
