// What the player tells CDNs and operators reads as CMCD version 2, by the field's own library.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { validateCmcdEvents, validateCmcdRequest } from "@svta/cml-cmcd";

const source = new URL("../../player-wasm/element/src/cmcd.ts", import.meta.url);
const { transformSync } = createRequire(new URL("../../player-wasm/element/package.json", import.meta.url))("esbuild");
const { code } = transformSync(readFileSync(source, "utf8"), { loader: "ts", format: "esm", target: "es2022" });
const { Cmcd, readCmsd } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const stats = {
  live: true, target: 1.3, latency: 1.482, buffer: 1.2345, rate: 1.05, rung: 2, rungs: 4, bitrate: 3_000_000, height: 720, bandwidth: 12_345_678, stalls: 1,
};

test("requests carry what they are for and how playback stands", () => {
  const cmcd = new Cmcd({ requests: true, events: undefined, content: 'demo "one" \\ ü' }, () => stats);
  const media = [undefined, { track: 0, kind: 0, muxed: false }, { track: 0, kind: 2, muxed: false }, { track: 0, kind: 1, muxed: true }, { track: 1, kind: 3, muxed: false }];
  const types = media.map((what) => {
    const url = cmcd.address("http://edge/live/demo/s/high/12.m4s?token=1", what);
    assert.ok(url.startsWith("http://edge/live/demo/s/high/12.m4s?token=1&CMCD="));
    const { valid, issues, data } = validateCmcdRequest({ url, method: "GET", headers: {} });
    assert.ok(valid, JSON.stringify(issues));
    assert.equal(data.st, "ll");
    assert.deepEqual(data.bl, [1200]);
    assert.equal(data.ltc, 1500);
    assert.equal(data.su, what && true, "media is urgent until something is shown");
    return data.ot;
  });
  assert.deepEqual(types, ["m", "i", "v", "av", "a"]);
  cmcd.state("p");
  assert.ok(!cmcd.address("http://edge/x").includes("su"));
  cmcd.close();
});

test("without figures and without the wish nothing is told that is not known", () => {
  const cmcd = new Cmcd({ requests: true, events: undefined, content: undefined }, () => undefined);
  assert.ok(validateCmcdRequest({ url: cmcd.address("http://edge/x.m3u8"), method: "GET", headers: {} }).valid);
  cmcd.close();
  const silent = new Cmcd({ requests: false, events: undefined, content: undefined }, () => stats);
  assert.equal(silent.address("http://edge/x.m3u8"), "http://edge/x.m3u8");
  silent.close();
});

test("events are gathered, posted, and read back", async () => {
  const posted = [];
  const real = globalThis.fetch;
  globalThis.fetch = async (url, { body, ...rest }) => {
    posted.push({ url, text: await body.text(), type: body.type, ...rest });
    return { status: 204 };
  };
  try {
    const cmcd = new Cmcd({ requests: false, events: "http://edge/beacon/demo", content: "demo" }, () => stats);
    cmcd.state("p");
    cmcd.state("p");
    cmcd.state("r");
    cmcd.event("bc", { br: [1200] });
    cmcd.event("t");
    cmcd.event("e", { ec: ["decode"] });
    cmcd.close();
    await new Promise((resolve) => setTimeout(resolve));
  } finally {
    globalThis.fetch = real;
  }
  assert.equal(posted.length, 1);
  assert.deepEqual([posted[0].url, posted[0].type, posted[0].method, posted[0].credentials], ["http://edge/beacon/demo", "application/cmcd", "POST", "omit"]);
  const { valid, issues, data } = validateCmcdEvents(posted[0].text);
  assert.ok(valid, JSON.stringify(issues));
  assert.deepEqual(data.map(({ e, sta }) => `${e} ${sta}`), ["ps s", "ps p", "ps r", "bc r", "t r", "e r", "ps e"]);
  assert.ok(data[1].msd >= 0 && data[2].msd === undefined, "the time to the first picture is told once");
  assert.equal(data[0]["com.tidegate-since"], undefined, "nothing was before the first");
  assert.deepEqual(data.map((line) => line["com.tidegate-since"]?.split(" ")[4]), [undefined, "0", "1", "0", "0", "0", "0"], "whether the event before left playback running");
  assert.deepEqual(data.map((line) => line["com.tidegate-since"]?.split(" ")[3]), [undefined, "0", "1", "0", "0", "0", "0"], "a stall is told once");
  assert.deepEqual(data.map(({ sn }) => sn), [0, 1, 2, 3, 4, 5, 6]);
});

test("lines are sent until they are taken, in order and with their numbers", async () => {
  const posted = [];
  const real = [globalThis.fetch, globalThis.setTimeout];
  const timers = [];
  globalThis.setTimeout = (run) => timers.push(run);
  const answers = [503, 204];
  globalThis.fetch = async (_, { body }) => {
    posted.push(validateCmcdEvents(await body.text()).data.map(({ sn }) => sn));
    const status = answers.shift();
    if (status === undefined) throw new TypeError("the network is away");
    return { status };
  };
  const settled = async () => { for (let n = 0; n < 20; n++) await Promise.resolve(); await new Promise((resolve) => setImmediate(resolve)); };
  try {
    const cmcd = new Cmcd({ requests: false, events: "http://edge/live/demo/beacon", content: "demo" }, () => stats);
    timers.pop()();
    cmcd.state("p");
    await settled();
    timers.pop()();
    await settled();
    cmcd.close();
    await settled();
  } finally {
    [globalThis.fetch, globalThis.setTimeout] = real;
  }
  assert.deepEqual(posted, [[0], [0, 1], [2]]);
});

test("what the nearest server says of the way is read, and nothing else of the header", () => {
  for (const [header, said] of [
    ['"a";etp=96;rtt=8', [96_000, NaN]],
    ['"a";etp=96;mb=1,"b";rtt=8;mb=2500', [NaN, 2_500_000]],
    ['"a, \\";etp=1, ";etp=5000; mb=800', [5_000_000, 800_000]],
    ['"a";xetp=1;etp=x;mb=0', [NaN, NaN]],
    ['"a";etp=99999999999;mb=1.5', [NaN, NaN]],
    ["", [NaN, NaN]],
  ]) assert.deepEqual(readCmsd(header), said, header);
});
