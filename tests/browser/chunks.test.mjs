// Segments that come while they are made: how their parts are cut, without a browser.
import assert from "node:assert/strict";
import { randomBytes, randomInt } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const player = new URL("../../player-wasm/element/", import.meta.url);
const { buildSync } = createRequire(new URL("package.json", player))("esbuild");
const contents = 'export * from "./src/chunks.ts";';
const { outputFiles } = buildSync({ stdin: { contents, resolveDir: fileURLToPath(player), loader: "ts" }, bundle: true, write: false, format: "esm", target: "es2022" });
const { Chunks, partAddress } = await import(`data:text/javascript,${encodeURIComponent(outputFiles[0].text)}`);

const SCALE = 90_000;
const u32 = (...values) => Buffer.concat(values.map((value) => { const four = Buffer.alloc(4); four.writeUInt32BE(value); return four; }));
const boxed = (name, ...bodies) => { const body = Buffer.concat(bodies); return Buffer.concat([u32(body.length + 8), Buffer.from(name), body]); };
const INIT = boxed("moov", boxed("trak", boxed("mdia", boxed("mdhd", u32(0, 0, 0, SCALE, 0)))));
/** A chunk of samples of equal duration, each of so many bytes. */
function chunk(time, samples, duration, size = 100) {
  const traf = boxed("traf", boxed("tfhd", u32(8, 1, duration)), boxed("tfdt", u32(0, time)), boxed("trun", u32(0x200, samples), u32(...Array(samples).fill(size))));
  return Buffer.concat([boxed("moof", boxed("mfhd", u32(0, 1)), traf), boxed("mdat", randomBytes(samples * size))]);
}
const place = (at, more = {}) => partAddress({ url: "https://x.example/7.m4s", at, count: 4, length: 0.5, init: "https://x.example/init.mp4", ...more });
const bytesOf = async (answer) => Buffer.from(await (await answer).arrayBuffer());
const soon = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A server that sends a segment as it is told to. */
function server(init = INIT) {
  const asked = [];
  const served = {
    asked, signals: [],
    get: (url, { signal }) => {
      asked.push(url);
      if (url.includes("init")) return Promise.resolve(new Response(init));
      served.signals.push(signal);
      return Promise.resolve(new Response(new ReadableStream({ start: (to) => { served.send = (bytes) => to.enqueue(new Uint8Array(bytes)); served.end = () => to.close(); served.break = () => to.error(new TypeError("away")); } }), { headers: { "content-length": "1", "cmsd-dynamic": "mb=1" } }));
    },
  };
  return served;
}

test("a part is whole as soon as its last chunk is, and the segment is asked for once", async () => {
  const site = server();
  const chunks = new Chunks(site.get);
  // 15 pictures a second: seven and eight by turns.
  const parts = [[0, 7], [7, 8], [15, 7], [22, 8]].map(([from, count]) => chunk(SCALE + from * 6000, count, 6000));
  const first = await chunks.part(place(0), {});
  assert.deepEqual([first.status, first.headers.get("content-length"), first.headers.get("cmsd-dynamic")], [200, null, "mb=1"]);
  for (const [at, bytes] of parts.entries()) {
    const got = bytesOf(at ? chunks.part(place(at), {}) : first);
    await soon();
    site.send(at ? bytes : Buffer.concat([boxed("styp", Buffer.alloc(8)), bytes]));
    // The last one cannot know that nothing more comes.
    if (at === 3) site.end();
    assert.deepEqual((await got).subarray(at ? 0 : 16), bytes);
  }
  assert.deepEqual(site.asked.sort(), ["https://x.example/7.m4s", "https://x.example/init.mp4"]);
});

test("however the network cuts it, and however long its chunks are, all parts together are the segment", async () => {
  for (let round = 0; round < 300; round++) {
    const site = server(round % 5 ? INIT : Buffer.alloc(0));
    const chunks = new Chunks(site.get);
    const pictures = 60;
    const pieces = [boxed("styp", randomBytes(4))];
    for (let at = 0; at < pictures; ) {
      const count = Math.min(pictures - at, randomInt(1, [2, 5, 40][round % 3]));
      if (randomInt(3) === 0) pieces.push(boxed("prft", randomBytes(12)));
      pieces.push(chunk(1_000_000 + at * 3000, count, 3000, randomInt(1, 50)));
      at += count;
    }
    const whole = Buffer.concat(pieces);
    const got = Promise.all([0, 1, 2, 3].map((at) => bytesOf(chunks.part(place(at), {}))));
    await soon();
    for (let at = 0; at < whole.length; ) {
      const length = randomInt(1, [3, 200, 5000][round % 3] + 1);
      site.send(whole.subarray(at, at + length));
      at += length;
    }
    site.end();
    const nothing = boxed("free").toString("latin1");
    assert.equal(Buffer.concat((await got).filter((part) => part.toString("latin1") !== nothing)).compare(whole), 0, `round ${round}`);
    assert.ok((await got).every(({ length }) => length > 0));
  }
});

test("chunks of one picture are cut where a part ends by the clock of the media", async () => {
  const site = server();
  const chunks = new Chunks(site.get);
  const got = [0, 1, 2, 3].map((at) => bytesOf(chunks.part(place(at), {})));
  await soon();
  const whole = Array.from({ length: 60 }, (_, at) => chunk(at * 3000, 1, 3000));
  for (const bytes of whole) site.send(bytes);
  site.end();
  assert.deepEqual((await Promise.all(got)).map(({ length }) => length / whole[0].length), [15, 15, 15, 15]);
});

test("who leaves alone ends the request, and what is asked for once more is loaded once more", async () => {
  const site = server();
  const chunks = new Chunks(site.get);
  const leaving = new AbortController();
  const left = bytesOf(chunks.part(place(0), { signal: leaving.signal }));
  await soon();
  leaving.abort();
  await assert.rejects(left);
  assert.ok(site.signals[0].aborted);
  const again = bytesOf(chunks.part(place(0), {}));
  await soon();
  const bytes = chunk(0, 15, 3000);
  site.send(bytes);
  assert.deepEqual(await again, bytes);
  // It was handed over, so that the same once more is another request.
  const other = bytesOf(chunks.part(place(0), {}));
  await soon();
  site.send(bytes);
  assert.deepEqual(await other, bytes);
  assert.equal(site.signals.length, 3);
  // A request that tells the server more than another is for the same segment.
  const next = bytesOf(chunks.part(place(1).replace("#", "?CMCD=bl%3D100#"), {}));
  site.send(chunk(45_000, 15, 3000));
  assert.equal((await next).length, bytes.length);
  assert.equal(site.signals.length, 3);
});

test("a segment that is not there is said to be so, and one that breaks off ends in an error", async () => {
  const none = new Chunks(() => Promise.resolve(new Response("", { status: 404 })));
  assert.equal((await none.part(place(0), {})).status, 404);
  const site = server();
  const broken = new Chunks(site.get);
  const [whole, torn] = [0, 1].map((at) => bytesOf(broken.part(place(at), {})));
  await soon();
  site.send(chunk(0, 15, 3000));
  await whole;
  site.break();
  await assert.rejects(torn, /away/);
  const away = new Chunks(() => Promise.reject(new TypeError("no network")));
  await assert.rejects(away.part(place(0), {}), /no network/);
  await assert.rejects(none.part("https://x.example/7.m4s#part=9/4/0.5/i", {}));
});

test("bytes that are no media go on as they came, and no more is kept than a bound", async () => {
  for (const hostile of [Buffer.from("<html>nothing here</html>"), u32(0), Buffer.concat([u32(1), Buffer.from("mdat"), Buffer.alloc(8, 255)]), Buffer.concat([u32(3), randomBytes(90)]), Buffer.concat([boxed("moof", boxed("traf", boxed("tfhd"), boxed("tfdt"), boxed("trun"))), boxed("mdat")])]) {
    const site = server(randomBytes(50));
    const chunks = new Chunks(site.get);
    const got = Promise.all([0, 1, 2, 3].map((at) => bytesOf(chunks.part(place(at), {}))));
    await soon();
    site.send(hostile);
    site.end();
    const nothing = boxed("free").toString("latin1");
    assert.equal(Buffer.concat((await got).filter((part) => part.toString("latin1") !== nothing)).compare(hostile), 0);
  }
  const site = server();
  const chunks = new Chunks(site.get);
  const endless = bytesOf(chunks.part(place(0), {}));
  await soon();
  for (let megabytes = 0; megabytes < 70; megabytes++) site.send(Buffer.alloc(1 << 20, 255));
  await assert.rejects(endless, /too large/);
  // Segments that nobody takes any more are let go.
  const many = server();
  const few = new Chunks(many.get);
  for (let at = 0; at < 10; at++) void few.part(place(0, { url: `https://x.example/${at}.m4s` }), {}).catch(() => undefined);
  await soon();
  assert.equal(many.signals.filter(({ aborted }) => !aborted).length, 4);
});
