// Caption data inside a picture: SEI messages of H.264 and HEVC with `cc_data` (ATSC A/53 part 4, 6.2.3; ITU-T H.264 annex D). Pure.

/** Two bytes of captions, and what they belong to: 0 and 1 are the fields of CTA-608, 2 goes on with a packet of CTA-708 and 3 begins one. */
export interface CaptionPair {
  type: 0 | 1 | 2 | 3;
  bytes: [number, number];
}

/** Country and provider, "GA94" and the type of what follows, as they stand in front of caption data. */
const HEAD = [0xb5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03];
/** Messages of users that are registered (H.264, D.1.6). */
const REGISTERED = 4;
/** A message is short; what claims to be longer than this is none. */
const MAX_SEI = 4096;

/** The captions of a sample whose units have their length in front, in 4 bytes. */
export function captionPairs(sample: Uint8Array): CaptionPair[] {
  const pairs: CaptionPair[] = [];
  for (let at = 0; at + 5 < sample.length; ) {
    const [a = 0, b = 0, c = 0, d = 0, first = 0] = sample.subarray(at, at + 5);
    const length = a * 2 ** 24 + (b << 16) + (c << 8) + d;
    const unit = sample.subarray(at + 4, at + 4 + length);
    // Which of both codecs it is the bytes do not say: what is no message of the other has no captions in it.
    if ((first & 31) === 6) messages(unit.subarray(1), pairs);
    else if (((first >> 1) & 63) === 39) messages(unit.subarray(2), pairs);
    at += 4 + length;
  }
  return pairs;
}

function messages(escaped: Uint8Array, pairs: CaptionPair[]): void {
  if (escaped.length > MAX_SEI) return;
  const bytes = unescaped(escaped);
  for (let at = 0; at + 2 < bytes.length; ) {
    // Type and size are sums of bytes, of which all but the last are 255.
    const [type, size] = [0, 0].map((sum) => {
      while (bytes[at] === 255) sum += bytes[at++] ?? 0;
      return sum + (bytes[at++] ?? 0);
    });
    if (type === REGISTERED) read(bytes.slice(at, at + (size ?? 0)), pairs);
    at += size ?? 0;
  }
}

function read(payload: number[], pairs: CaptionPair[]): void {
  if (!HEAD.every((byte, place) => payload[place] === byte)) return;
  const flags = payload[HEAD.length] ?? 0;
  if (!(flags & 0x40)) return;
  for (let n = 0, at = HEAD.length + 2; n < (flags & 31) && at + 2 < payload.length; n++, at += 3) {
    const [about = 0, one = 0, two = 0] = payload.slice(at, at + 3);
    if (about & 4) pairs.push({ type: (about & 3) as CaptionPair["type"], bytes: [one, two] });
  }
}

/** Without the bytes that keep a start code from occurring inside (H.264, 7.4.1). */
function unescaped(bytes: Uint8Array): number[] {
  const plain: number[] = [];
  let zeros = 0;
  for (const byte of bytes) {
    const isGuard = zeros >= 2 && byte === 3;
    zeros = byte === 0 ? zeros + 1 : 0;
    if (!isGuard) plain.push(byte);
  }
  return plain;
}
