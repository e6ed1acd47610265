// Timed metadata inside media (`emsg`): a text track of kind "metadata", so that a page hears of it when the picture gets there. What reads
// it is loaded once there is some.

import { extras } from "./later.js";

/** What media says of a stretch of time; times in s of the presentation. */
export interface Message {
  scheme: string;
  value: string;
  id: number;
  start: number;
  /** 0 where it is not known. */
  duration: number;
  data: Uint8Array;
  /** What is in `data` where that is ID3: the frames with a text. */
  frames: { id: string; description: string; text: string }[];
}

const LABEL = "emsg";
/** Messages that are remembered, and cues that wait: the same one comes with each rung, and with each part that it concerns. */
const KEPT = 1024;
/** Further behind the playhead they are let go, in s. */
const KEEP_S = 120;
/** A moment is put on the track for this long, in s, so that no browser plays past it. */
const MOMENT_S = 0.5;

export class Messages {
  #video: HTMLVideoElement;
  #reached: (message: Message) => void;
  #inits: (Uint8Array | undefined)[] = [];
  #known = new Set<string>();
  #track: TextTrack | undefined;
  #closed = false;

  constructor(video: HTMLVideoElement, reached: (message: Message) => void) {
    this.#video = video;
    this.#reached = reached;
  }

  /** Takes an init segment or fragments of a track, whose times are moved by `offset` in s. */
  append(track: number, bytes: Uint8Array, offset: number): void {
    const names = firstNames(bytes);
    if (names.includes("moov")) this.#inits[track] = bytes;
    if (!names.includes("emsg")) return;
    const init = this.#inits[track];
    // Without what reads it the picture goes on, without messages.
    extras().then(({ messages }) => !this.#closed && messages(bytes, init, offset).forEach((one) => this.#add(one))).catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    for (const cue of [...(this.#track?.cues ?? [])]) this.#track?.removeCue(cue);
  }

  #add(message: Message): void {
    const { scheme, value, id, start, duration, frames } = message;
    const name = `${scheme} ${value} ${id} ${Math.round(start)}`;
    const end = start + Math.max(duration, MOMENT_S);
    if (this.#known.has(name) || !(end > 0)) return;
    this.#known.add(name);
    const [oldest] = this.#known;
    if (this.#known.size > KEPT && oldest !== undefined) this.#known.delete(oldest);
    const track = this.#made();
    for (const cue of [...(track.cues ?? [])]) if (cue.endTime < this.#video.currentTime - KEEP_S) track.removeCue(cue);
    if ((track.cues?.length ?? 0) >= KEPT) return;
    const cue = new VTTCue(Math.max(start, 0), end, frames.map(({ text }) => text).join("\n"));
    cue.id = String(id);
    cue.onenter = () => this.#reached(message);
    track.addCue(cue);
  }

  /** One for all playbacks of an element, since such tracks cannot be taken away. */
  #made(): TextTrack {
    const isOurs = ({ kind, label }: TextTrack) => kind === "metadata" && label === LABEL;
    this.#track ??= [...this.#video.textTracks].find(isOurs) ?? this.#video.addTextTrack("metadata", LABEL);
    // Disabled it would never hear of the time.
    this.#track.mode = "hidden";
    return this.#track;
  }
}

/** The boxes before the media. */
function firstNames(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const names: string[] = [];
  for (let at = 0; at + 8 <= bytes.length && names.length < 16; ) {
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    names.push(name);
    if (name === "moof" || name === "mdat") break;
    at += Math.max(8, view.getUint32(at));
  }
  return names;
}
