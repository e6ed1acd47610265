// Boxes of ISO/IEC 14496-12, as far as script has to look into them. Nothing is believed that reaches beyond the bytes.

export interface Box {
  /** Where it begins, with its size and name. */
  at: number;
  /** Its content. */
  from: number;
  to: number;
}

/** Boxes whose content begins with fields: `stsd` and sample entries for pictures (8.5.2, 12.1.3). */
const FIELDS: Record<string, number> = { stsd: 8, avc1: 78, avc3: 78, hvc1: 78, hev1: 78 };

/** Every box of a name between two places. */
export function boxes(bytes: DataView, name: string, from = 0, to = bytes.byteLength): Box[] {
  const found: Box[] = [];
  for (let at = from; at + 8 <= to; ) {
    const size = bytes.getUint32(at);
    if (size < 8) break;
    const end = Math.min(at + size, to);
    if ([0, 1, 2, 3].every((place) => bytes.getUint8(at + 4 + place) === name.charCodeAt(place))) found.push({ at, from: at + 8, to: end });
    at = end;
  }
  return found;
}

/** The first box at the end of a path. */
export function box(bytes: DataView, [name = "", ...rest]: string[], from = 0, to = bytes.byteLength): Box | undefined {
  for (const own of boxes(bytes, name, from, to)) {
    const found = rest.length === 0 ? own : box(bytes, rest, own.from + (FIELDS[name] ?? 0), own.to);
    if (found) return found;
  }
  return undefined;
}

/** A number of 32 bits; NaN beyond the box. */
export function number(bytes: DataView, { to }: Box, at: number): number {
  return at + 4 <= Math.min(to, bytes.byteLength) ? bytes.getUint32(at) : NaN;
}

/** A sample of a track fragment: where it lies, and its times in units of the track. */
export interface Sample {
  from: number;
  size: number;
  /** Of decoding, from the first sample of the fragment; and until the next one's. */
  time: number;
  duration: number;
  /** From then until it is shown. */
  delay: number;
}

/** When the first track fragment from a place on begins (8.8.12), in units of its track; NaN where nothing says it. */
export function decodeTime(bytes: DataView, from: number): number {
  const tfdt = box(bytes, ["moof", "traf", "tfdt"], from);
  if (!tfdt || tfdt.from >= tfdt.to) return NaN;
  const high = number(bytes, tfdt, tfdt.from + 4);
  return bytes.getUint8(tfdt.from) === 1 ? high * 2 ** 32 + number(bytes, tfdt, tfdt.from + 8) : high;
}

/** Units a second of the first track of an init segment (8.4.2); NaN where it does not say. */
export function timescale(init: DataView): number {
  const mdhd = box(init, ["moov", "trak", "mdia", "mdhd"]);
  if (!mdhd || mdhd.from >= mdhd.to) return NaN;
  return number(init, mdhd, mdhd.from + (init.getUint8(mdhd.from) === 1 ? 20 : 12));
}

/** The samples of a track fragment (8.8.7 and 8.8.8), those that lie in front of `end`. `most` of them. */
export function samples(bytes: DataView, moof: Box, traf: Box, most: number, end = bytes.byteLength): Sample[] {
  const tfhd = box(bytes, ["tfhd"], traf.from, traf.to);
  if (!tfhd) return [];
  const read = (of: Box, at: number) => number(bytes, of, at);
  const always = read(tfhd, tfhd.from);
  // Fields are there or not, by flags.
  let at = tfhd.from + 8 + (always & 1 ? 8 : 0) + (always & 2 ? 4 : 0);
  const usual = (flag: number) => (always & flag ? read(tfhd, (at += 4) - 4) : NaN);
  const [usualDuration, usualSize] = [usual(8), usual(0x10)];
  const found: Sample[] = [];
  let [from, time] = [moof.at, 0];
  for (const trun of boxes(bytes, "trun", traf.from, traf.to)) {
    const flags = read(trun, trun.from);
    const count = read(trun, trun.from + 4);
    let place = trun.from + 8;
    if (flags & 1) from = moof.at + read(trun, (place += 4) - 4);
    if (flags & 4) place += 4;
    const field = (flag: number, other: number) => (flags & flag ? read(trun, (place += 4) - 4) : other);
    for (let n = 0; n < count && found.length < most; n++) {
      const duration = field(0x100, usualDuration) || 0;
      const size = field(0x200, usualSize);
      field(0x400, 0);
      const delay = field(0x800, 0) | 0;
      if (!(from + size <= end)) return found;
      found.push({ from, size, time, duration, delay });
      from += size;
      time += duration;
    }
  }
  return found;
}

/** Takes whole boxes off the start of bytes that go on. */
export class Boxes {
  left: Uint8Array;
  /** How many bytes have to be there for the next one. */
  wanted = 8;

  constructor(bytes: Uint8Array) {
    this.left = bytes;
  }

  next(): Uint8Array | undefined {
    const { buffer, byteOffset, byteLength } = this.left;
    const view = new DataView(buffer as ArrayBuffer, byteOffset, byteLength);
    this.wanted = 8;
    if (byteLength < 8) return undefined;
    const size = view.getUint32(0);
    if (size === 1) this.wanted = 16;
    if (byteLength < this.wanted) return undefined;
    const whole = size === 1 ? Number(view.getBigUint64(8)) : size;
    // Nought is a box up to the end, and less than a head is none at all: what there is goes on as it is.
    this.wanted = whole < this.wanted ? Number.POSITIVE_INFINITY : whole;
    if (byteLength < this.wanted) return undefined;
    const one = this.left.subarray(0, whole);
    this.left = this.left.subarray(whole);
    return one;
  }
}
