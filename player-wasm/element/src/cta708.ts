// Captions of CTA-708 (CTA-708-E; 47 CFR 79.102): packets of services that write into windows. Pure: bytes and times go in, texts come out.
// Left out: delays, colours, and writing from right to left or downwards.

/** What a window said, with times in s of the media. */
export interface Said {
  service: number;
  from: number;
  to: number;
  text: string;
  place: Place;
}

/** Where a text stands, in % of the picture: its first line from above, and from the left where its lines are aligned. */
export interface Place {
  top: number;
  left: number;
  align: "start" | "center" | "end";
}

/** Services beyond belong to nobody's remote control. */
const SERVICES = 6;
/** Rows and columns of the safe area of a wide picture, which windows are measured by, and the steps of their anchors in it (8.4.3). */
const [ROWS, COLUMNS, DOWN, ACROSS] = [15, 42, 75, 210];
/** Where the safe area begins, and how large it is, in % of the picture. */
const [EDGE, INNER] = [10, 80];
const ALIGNS = ["start", "end", "center", "start"] as const;
/** Beyond ASCII and Latin-1 (7.1.6): what follows EXT1. */
const G2: Record<number, string> = {
  0x20: " ", 0x21: "\u00a0", 0x25: "…", 0x2a: "Š", 0x2c: "Œ", 0x30: "█", 0x31: "‘", 0x32: "’", 0x33: "“", 0x34: "”", 0x35: "•", 0x39: "™", 0x3a: "š",
  0x3c: "œ", 0x3d: "℠", 0x3f: "Ÿ", 0x76: "⅛", 0x77: "⅜", 0x78: "⅝", 0x79: "⅞", 0x7a: "│", 0x7b: "┐", 0x7c: "└", 0x7d: "─", 0x7e: "┘", 0x7f: "┌",
};

export class Cta708 {
  #packet: number[] = [];
  #services = new Map<number, Service>();
  #said: (said: Said) => void;

  constructor(said: (said: Said) => void) {
    this.#said = said;
  }

  /** Takes two bytes of a packet, which they begin or go on with. */
  add(begins: boolean, pair: readonly [number, number], time: number): void {
    if (begins) this.#packet = [];
    else if (this.#packet.length === 0) return;
    this.#packet.push(...pair);
    const [head = 0] = this.#packet;
    const size = (head & 63) * 2 || 128;
    if (this.#packet.length < size) return;
    this.#read(this.#packet, time);
    this.#packet = [];
  }

  /** Says what is to be seen as if it ended here, and goes on with it: a reader near live cannot wait for the end. */
  split(time: number): void {
    for (const service of this.#services.values()) service.look(time, true);
  }

  /** What comes next has nothing to do with what was. */
  reset(): void {
    this.#packet = [];
    this.#services.clear();
  }

  #read(packet: number[], time: number): void {
    for (let at = 1; at < packet.length; ) {
      const head = packet[at++] ?? 0;
      const size = head & 31;
      let number = head >> 5;
      // The rest is filled up with nothing.
      if (number === 0) return;
      if (number === 7 && size > 0) number = (packet[at++] ?? 0) & 63;
      const block = packet.slice(at, at + size);
      at += size;
      if (number > SERVICES) continue;
      let service = this.#services.get(number);
      if (!service) this.#services.set(number, (service = new Service(number, this.#said)));
      service.run(block);
      service.look(time, false);
    }
  }
}

class Service {
  #number: number;
  #windows: (Window | undefined)[] = [];
  #current = 0;
  /** What is to be seen, by window. */
  #seen = new Map<number, Omit<Said, "service" | "to">>();
  #said: (said: Said) => void;

  constructor(number: number, said: (said: Said) => void) {
    this.#number = number;
    this.#said = said;
  }

  /** Commands and characters. One that is not all there is nothing. */
  run(block: number[]): void {
    for (let at = 0; at < block.length; ) {
      const code = block[at++] ?? 0;
      if (code === 0x10) at = this.#extended(block, at);
      else if ((code & 0x60) !== 0) this.#window()?.write(code === 0x7f ? "♪" : String.fromCharCode(code));
      else if (code < 0x20) {
        const long = code < 0x10 ? 0 : code < 0x18 ? 1 : 2;
        if (code === 0x18) this.#window()?.write(String.fromCharCode(((block[at] ?? 0) << 8) | (block[at + 1] ?? 0)));
        else if (code < 0x10) this.#window()?.control(code);
        at += long;
      } else {
        const long = lengthOf(code);
        const given = block.slice(at, at + long);
        at += long;
        if (given.length === long) this.#command(code, given);
      }
    }
  }

  /** Says what has gone since the last look, and at a split all that is there. */
  look(time: number, splits: boolean): void {
    for (let id = 0; id < 8; id++) {
      const window = this.#windows[id];
      const text = window?.visible ? window.text() : "";
      const before = this.#seen.get(id);
      if (before?.text === text && !splits) continue;
      if (before && time > before.from) this.#said({ service: this.#number, ...before, to: time });
      if (window && text) this.#seen.set(id, { from: time, text, place: window.place() });
      else this.#seen.delete(id);
    }
  }

  #window(): Window | undefined {
    return this.#windows[this.#current];
  }

  #extended(block: number[], at: number): number {
    const code = block[at++] ?? 0;
    if (code < 0x20) return at + (code >> 3);
    if (code >= 0x80 && code < 0xa0) return at + (code < 0x88 ? 4 : code < 0x90 ? 5 : 1 + ((block[at] ?? 0) & 63));
    this.#window()?.write(code < 0x80 ? (G2[code] ?? "_") : "_");
    return at;
  }

  #command(code: number, given: number[]): void {
    const [first = 0, second = 0] = given;
    if (code < 0x88) this.#current = code & 7;
    else if (code >= 0x98) this.#define(code & 7, given);
    else if (code === 0x8f) this.#windows = [];
    else if (code === 0x92) this.#window()?.move(first & 15, second & 63);
    else if (code === 0x97) this.#window()?.justify(ALIGNS[(given[2] ?? 0) & 3]);
    else if (code <= 0x8c) {
      for (let id = 0; id < 8; id++) {
        const window = this.#windows[id];
        if (!window || !(first & (1 << id))) continue;
        if (code === 0x88) window.clear();
        else if (code === 0x8c) this.#windows[id] = undefined;
        else window.visible = code === 0x89 || (code === 0x8b && !window.visible);
      }
    }
  }

  #define(id: number, [flags = 0, down = 0, across = 0, size = 0, columns = 0]: number[]): void {
    const shape = { isRelative: (down & 0x80) !== 0, down: down & 0x7f, across, anchor: size >> 4, rows: (size & 15) + 1, columns: (columns & 63) + 1 };
    const known = this.#windows[id];
    // One that is there keeps its text.
    if (known) known.shape = shape;
    else this.#windows[id] = new Window(shape);
    const window = this.#windows[id];
    if (window) window.visible = (flags & 0x20) !== 0;
    this.#current = id;
  }
}

interface Shape {
  /** Anchors are in %. */
  isRelative: boolean;
  down: number;
  across: number;
  /** Which of nine points of the window is there: from the left, then downwards. */
  anchor: number;
  rows: number;
  columns: number;
}

class Window {
  visible = false;
  shape: Shape;
  #align: Place["align"] = "start";
  #rows: string[][] = [];
  #row = 0;
  #column = 0;

  constructor(shape: Shape) {
    this.shape = shape;
  }

  write(char: string): void {
    if (this.#column >= this.shape.columns || this.#row >= this.shape.rows) return;
    (this.#rows[this.#row] ??= [])[this.#column++] = char;
  }

  control(code: number): void {
    if (code === 0x08 && this.#column > 0) delete this.#rows[this.#row]?.[--this.#column];
    else if (code === 0x0c) this.clear();
    else if (code === 0x0d) this.#next();
    else if (code === 0x0e) {
      this.#rows[this.#row] = [];
      this.#column = 0;
    }
  }

  clear(): void {
    this.#rows = [];
    this.move(0, 0);
  }

  move(row: number, column: number): void {
    [this.#row, this.#column] = [row, column];
  }

  justify(align: Place["align"] | undefined): void {
    this.#align = align ?? "start";
  }

  /** Rows with something in them, without what surrounds them. */
  text(): string {
    const rows = Array.from({ length: this.shape.rows }, (_, row) => Array.from(this.#rows[row] ?? [], (char) => char ?? " ").join("").trimEnd());
    return rows.join("\n").replace(/^\n+|\n+$/g, "").replace(/^ +/gm, "");
  }

  place(): Place {
    const { isRelative, down, across, anchor, rows, columns } = this.shape;
    const empty = Math.max(0, Array.from(this.#rows).findIndex((row) => row?.some((char) => char.trim())));
    const [width, height] = [(columns * 100) / COLUMNS, (rows * 100) / ROWS];
    const above = (isRelative ? down : (down * 100) / DOWN) - (height * Math.floor(anchor / 3)) / 2 + (empty * 100) / ROWS;
    const before = (isRelative ? across : (across * 100) / ACROSS) - (width * (anchor % 3)) / 2;
    const aligned = before + { start: 0, center: width / 2, end: width }[this.#align];
    return { top: inPicture(above), left: inPicture(aligned), align: this.#align };
  }

  /** The next row; what is above all of them leaves the window. */
  #next(): void {
    this.#column = 0;
    if (this.#row + 1 < this.shape.rows) this.#row++;
    else this.#rows.splice(0, 1);
  }
}

/** Bytes that follow a command (7.1.5). */
function lengthOf(code: number): number {
  if (code >= 0x98) return 6;
  if (code === 0x97) return 4;
  if (code === 0x91) return 3;
  if (code === 0x90 || code === 0x92) return 2;
  return code >= 0x88 && code <= 0x8d ? 1 : 0;
}

const inPicture = (percent: number) => EDGE + (INNER * Math.min(100, Math.max(0, percent))) / 100;
