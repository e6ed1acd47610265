// Reads event messages (ISO/IEC 23009-1, 5.10.3.3) and the ID3 that many of them hold. Nothing is believed that reaches beyond the bytes.

import { boxes, decodeTime, number, timescale } from "./boxes.js";
import type { Message } from "./messages.js";

/** Of one file. */
const MAX_MESSAGES = 256;
const MAX_FRAMES = 64;
/** "Not known" as a duration. */
const UNKNOWN = 0xffff_ffff;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);

/** The messages in front of fragments; `init` describes these, and times are moved by `offset` in s. */
export function messages(file: Uint8Array, init: Uint8Array | undefined, offset: number): Message[] {
  const bytes = view(file);
  return boxes(bytes, "emsg").slice(0, MAX_MESSAGES).flatMap((own) => {
    const version = own.from < own.to ? bytes.getUint8(own.from) : NaN;
    let at = own.from + 4;
    const text = () => {
      const end = file.subarray(0, own.to).indexOf(0, at);
      const found = end < 0 ? "" : new TextDecoder().decode(file.subarray(at, end));
      at = end < 0 ? own.to : end + 1;
      return found;
    };
    const next = () => number(bytes, own, (at += 4) - 4);
    let [scheme, value] = version === 0 ? [text(), text()] : ["", ""];
    const scale = next();
    // Version 0 counts from the first picture of what it stands in front of.
    const [high, low] = version === 1 ? [next(), next()] : [0, next()];
    const begun = version === 1 ? 0 : init ? decodeTime(bytes, own.to) / timescale(view(init)) : NaN;
    const [length, id] = [next(), next()];
    if (version === 1) [scheme, value] = [text(), text()];
    const start = begun + (high * 2 ** 32 + low) / scale + offset;
    if (version > 1 || !scheme || !Number.isFinite(start) || Number.isNaN(id)) return [];
    const data = file.slice(at, own.to);
    return [{ scheme, value, id, start, duration: length === UNKNOWN ? 0 : length / scale, data, frames: frames(data) }];
  });
}

/** The frames of ID3 version 2.3 or 2.4 that hold texts. */
function frames(tag: Uint8Array): Message["frames"] {
  const found: Message["frames"] = [];
  const name = (at: number, length: number) => String.fromCharCode(...tag.subarray(at, at + length));
  if (name(0, 3) !== "ID3") return found;
  const four = tag[3] === 4;
  // Seven bits a byte; in 2.3 eight, but for the size of all.
  const size = (at: number, bits: number) => tag.subarray(at, at + 4).reduce((sum, byte) => sum * 2 ** bits + byte, 0);
  const end = Math.min(tag.length, 10 + size(6, 7));
  for (let at = 10; at + 10 < end && found.length < MAX_FRAMES; ) {
    const [id, length] = [name(at, 4), size(at + 4, four ? 7 : 8)];
    const body = tag.subarray(at + 10, Math.min(at + 10 + length, end));
    if (id.startsWith("T")) {
      // 1 begins with a mark that says in which order its bytes are.
      const swapped = body[0] === 1 && body[1] === 0xfe && body[2] === 0xff;
      const kind = ["latin1", "utf-16", "utf-16be", "utf-8"][swapped ? 2 : (body[0] ?? 0)] ?? "utf-8";
      const texts = new TextDecoder(kind).decode(body.subarray(1)).replace(/\0+$/, "").split("\0");
      const description = id === "TXXX" ? (texts.shift() ?? "") : "";
      found.push({ id, description, text: texts.join("\n").replace(/^\uFEFF/, "") });
    }
    at += 10 + length;
  }
  return found;
}
