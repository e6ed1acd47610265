// Captions inside the pictures (CTA-608, CTA-708): what reads them is loaded once a picture carries some, since most streams never do.

import { loadScript } from "./load.js";

/** What `tidegate-captions.js` makes. */
export interface EmbeddedReader {
  /** Takes the fragments of a file; `init` describes them, and times are moved by `offset` in s. */
  append(init: Uint8Array, bytes: Uint8Array, offset: number): void;
  close(): void;
}

/** Where the script leaves what makes a reader; it says the same in embeddedreader.ts, which shares nothing with this one. */
const MAILBOX = "__tidegateCaptions";
/** Fragments that are kept while the reader loads. */
const MAX_WAITING = 32;
/** "GA94", by which caption data begins (ATSC A/53 part 4, 6.2.3). */
const MARK = [0x47, 0x41, 0x39, 0x34];

export class Embedded {
  #video: HTMLVideoElement;
  #init: Uint8Array | undefined;
  #waiting: [Uint8Array, Uint8Array, number][] | undefined;
  #reader: EmbeddedReader | undefined;
  #closed = false;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  /** Takes an init segment or fragments. */
  append(bytes: Uint8Array, offset: number): void {
    if (this.#closed) return;
    if (String.fromCharCode(...bytes.subarray(4, 8)) === "ftyp") this.#init = bytes;
    if (!this.#init) return;
    if (this.#reader) this.#reader.append(this.#init, bytes, offset);
    else if (this.#waiting) this.#waiting.length < MAX_WAITING && this.#waiting.push([this.#init, bytes, offset]);
    else if (isMarked(bytes)) {
      this.#waiting = [[this.#init, bytes, offset]];
      // Without it the pictures go on, without captions.
      this.#load().catch(() => this.close());
    }
  }

  close(): void {
    this.#closed = true;
    this.#waiting = undefined;
    this.#reader?.close();
  }

  async #load(): Promise<void> {
    const make = await loadScript<(video: HTMLVideoElement) => EmbeddedReader>("captions", MAILBOX);
    if (this.#closed) return;
    this.#reader = make(this.#video);
    for (const [init, bytes, offset] of this.#waiting ?? []) this.#reader.append(init, bytes, offset);
    this.#waiting = undefined;
  }
}

function isMarked(bytes: Uint8Array): boolean {
  const [first = 0, ...rest] = MARK;
  for (let at = bytes.indexOf(first); at >= 0; at = bytes.indexOf(first, at + 1)) {
    if (rest.every((byte, place) => bytes[at + 1 + place] === byte)) return true;
  }
  return false;
}
