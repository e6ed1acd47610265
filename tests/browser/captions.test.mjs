// Captions inside pictures: what reads them, without a browser.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const player = new URL("../../player-wasm/element/", import.meta.url);
const { buildSync } = createRequire(new URL("package.json", player))("esbuild");
const contents = 'export * from "./src/cta708.ts"; export * from "./src/ccdata.ts";';
const { outputFiles } = buildSync({ stdin: { contents, resolveDir: fileURLToPath(player), loader: "ts" }, bundle: true, write: false, format: "esm", target: "es2022" });
const { Cta708, captionPairs } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

/** A packet with blocks of services, as its pairs of bytes. */
function packet(...blocks) {
  const bytes = [0, ...blocks.flatMap(([service, ...block]) => [...(service > 6 ? [0xe0 | block.length, service] : [(service << 5) | block.length]), ...block])];
  if (bytes.length % 2) bytes.push(0);
  bytes[0] = bytes.length / 2;
  return Array.from({ length: bytes.length / 2 }, (_, n) => [bytes[2 * n], bytes[2 * n + 1]]);
}

/** A reader, what it has said, and a way to send it what a service does at a time. */
function reader() {
  const said = [];
  const cta = new Cta708((one) => said.push(one));
  const send = (time, ...blocks) => packet(...blocks).forEach((pair, n) => cta.add(n === 0, pair, time));
  return { said, cta, send };
}

const text = (what) => [...Buffer.from(what, "latin1")];
const VISIBLE = 0x20;
/** A window of so many rows and 32 columns; its middle at the bottom stands in the middle of the screen's last row. */
const define = (id, rows, flags = 0) => [0x98 | id, flags, 74, 105, 0x70 | (rows - 1), 31, 0];
const [CLEAR, DISPLAY, HIDE, TOGGLE, DELETE] = [0x88, 0x89, 0x8a, 0x8b, 0x8c];

test("a window that is filled while nobody sees it is said from when it is shown until it is gone", () => {
  const { said, send } = reader();
  send(1, [1, ...define(0, 2), ...text("never mind"), 0x0d, ...text("the gap")]);
  assert.deepEqual(said, []);
  send(2, [1, DISPLAY, 1]);
  send(3.5, [1, HIDE, 1]);
  send(4, [1, TOGGLE, 1]);
  send(5, [1, DELETE, 0xff]);
  send(6, [1, DISPLAY, 1]);
  assert.deepEqual(said.map(({ service, from, to, text }) => [service, from, to, text]), [[1, 2, 3.5, "never mind\nthe gap"], [1, 4, 5, "never mind\nthe gap"]]);
  const { top, left, align } = said[0].place;
  // Two rows that end at the foot of the inner part of the picture, on the left of 32 columns around its middle.
  assert.ok(Math.abs(top - 78.3) < 0.1 && Math.abs(left - 19.5) < 0.1 && align === "start", JSON.stringify(said[0].place));
});

test("what is still there at a split is said so far, and goes on", () => {
  const { said, cta, send } = reader();
  send(1, [1, ...define(0, 1, VISIBLE), ...text("on air")]);
  cta.split(1.5);
  cta.split(2);
  send(2.25, [1, CLEAR, 1]);
  cta.split(3);
  assert.deepEqual(said.map(({ from, to, text }) => [from, to, text]), [[1, 1.5, "on air"], [1.5, 2, "on air"], [2, 2.25, "on air"]]);
});

test("rows roll up, and are written into at a place", () => {
  const { said, cta, send } = reader();
  send(1, [1, ...define(3, 2, VISIBLE), ...text("one"), 0x0d, ...text("two")]);
  send(2, [1, 0x0d, ...text("three")]);
  send(3, [1, 0x0e, ...text("3x"), 0x08, 0x92, 0, 1, ...text("W")]);
  cta.split(4);
  assert.deepEqual(said.map(({ text }) => text), ["one\ntwo", "two\nthree", "tWo\n3"]);
});

test("characters beyond ASCII, lines that stand in the middle and on the right, two services at once", () => {
  const { said, cta, send } = reader();
  send(1, [1, ...define(0, 1, VISIBLE), 0x97, 0, 0, 2, 0, ...text("ñ"), 0x7f, 0x10, 0x39, 0x10, 0xa0, 0x18, 0x4e, 0x2d], [2, ...define(0, 1, VISIBLE), 0x97, 0, 0, 1, 0, ...text("derecha")]);
  cta.split(2);
  assert.deepEqual(said.map(({ service, text, place }) => [service, text, place.align, Math.round(place.left)]), [[1, "ñ♪™_中", "center", 50], [2, "derecha", "end", 80]]);
});

test("commands that are only half there, unknown ones and services beyond six do nothing", () => {
  const { said, cta, send } = reader();
  send(1, [1, ...define(0, 1, VISIBLE), 0x8d, 9, 0x8e, 0x90, 1, 2, 0x91, 1, 2, 3, 0x10, 0x05, 0x10, 0x0a, 7, ...text("kept"), 0x97, 1], [9, ...text("nobody")]);
  // A packet that another one cuts off.
  cta.add(true, [0x05, 0x23], 1.2);
  send(1.5, [1, 0x83, ...text("into no window")]);
  cta.add(false, [0x41, 0x42], 1.7);
  cta.split(2);
  cta.reset();
  cta.split(3);
  assert.deepEqual(said.map(({ text, to }) => [text, to]), [["kept", 2]]);
});

test("nothing that comes from outside breaks the reader", () => {
  const seed = randomBytes(4).readUInt32LE();
  let state = seed;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  const { said, cta } = reader();
  for (let n = 0; n < 200_000; n++) {
    cta.add(random() < 16, [random(), random()], n / 100);
    if (n % 50 === 0) cta.split(n / 100);
    if (n % 5000 === 0) captionPairs(Uint8Array.from({ length: 400 }, random));
  }
  const longest = said.reduce((most, { text }) => Math.max(most, text.length), 0);
  assert.ok(longest <= 16 * 65, `seed ${seed}: a text of ${longest} characters`);
  assert.ok(said.every(({ from, to, place }) => to > from && place.top >= 10 && place.top <= 90 && place.left >= 10 && place.left <= 90), `seed ${seed}`);
});

/** A unit with its length in front. */
const unit = (...bytes) => [0, 0, bytes.length >> 8, bytes.length & 255, ...bytes];
const message = (...triplets) => [0xb5, 0, 0x31, 0x47, 0x41, 0x39, 0x34, 3, 0x40 | (triplets.length / 3), 0xff, ...triplets, 0xff];

test("caption data is read out of messages of H.264 and HEVC, guards taken out, other messages passed over", () => {
  const some = message(0xfc, 0x94, 0x20, 0xff, 1, 2, 0xf8, 9, 9, 0xfe, 0, 3);
  const pairs = [{ type: 0, bytes: [0x94, 0x20] }, { type: 3, bytes: [1, 2] }, { type: 2, bytes: [0, 3] }];
  const other = [5, 2, 7, 7, 5, 255, 10, ...Array(265).fill(1)];
  const all = (...header) => Uint8Array.from([...unit(1, 2, 3), ...unit(...header, ...other, 4, some.length, ...some, 0x80), ...unit(0x65, 1, 2)]);
  assert.deepEqual(captionPairs(all(6)), pairs);
  assert.deepEqual(captionPairs(all(39 << 1, 1)), pairs);
  // 0, 0, 3 stands for 0, 0 where a smaller byte follows.
  const guarded = message(0xfc, 0x80, 0, 0xfe, 0, 0, 3, 1);
  guarded[8] = 0x42;
  assert.deepEqual(captionPairs(Uint8Array.from(unit(6, 4, guarded.length - 1, ...guarded, 0x80))), [{ type: 0, bytes: [0x80, 0] }, { type: 2, bytes: [0, 0] }]);
  // A length that lies, and data that is not to be processed.
  assert.deepEqual(captionPairs(Uint8Array.from([0, 1, 0, 0, 6, 4, some.length, ...some.slice(0, 12)])), []);
  some[8] &= ~0x40;
  assert.deepEqual(captionPairs(all(6)), []);
});
