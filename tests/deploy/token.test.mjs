// infra/aws/modules/edge/token.js opens what functions/core/token opens, and nothing else: node --test tests/deploy/token.test.mjs
// It runs here as CloudFront Functions runs it, in Node, with a key value store of ours. Every token is shown to both.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// As Terraform puts it into the function.
const code = readFileSync("infra/aws/modules/edge/token.js", "utf8").replace(/\n\s*(\/\/[^\n]*)?/g, "\n");
const SECRET = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
const STORE = { "key/interop": SECRET.toString("base64url"), audience: "one", token: "own", "open/lobby": "1" };
const NOW_S = 2_000_000_000;

async function load(entries) {
  globalThis.entries = entries;
  const body = code
    .replace("import cf from 'cloudfront';", "const cf = { kvs: () => ({ exists: async (key) => { if (globalThis.entries.fails === key) throw new Error(key); return key in globalThis.entries; }, get: async (key) => globalThis.entries[key] }) };")
    .replace("Date.now()", `${NOW_S * 1000}`);
  return (await import(`data:text/javascript,${encodeURIComponent(`${body}\nexport { handler };`)}#${Math.random()}`)).handler;
}

const request = (uri, more = {}) => ({
  version: "1.0",
  request: { method: "GET", uri, querystring: {}, cookies: {}, headers: { host: { value: "live.example" }, "cloudfront-viewer-country": { value: "DE" } }, ...more },
});

// --- tokens by hand, so that both readers are shown what our own writer does not write ---
const head = (major, n) => (n < 24 ? [(major << 5) | n] : n < 256 ? [(major << 5) | 24, n] : n < 65536 ? [(major << 5) | 25, n >> 8, n & 255] : n < 4294967296 ? [(major << 5) | 26, ...u32(n)] : [(major << 5) | 27, ...u32(Math.floor(n / 4294967296)), ...u32(n % 4294967296)]);
const u32 = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const tag = (n, bytes) => Buffer.from([...head(6, n), ...bytes]);
function cbor(value) {
  if (typeof value === "number") return Buffer.from(value >= 0 ? head(0, value) : head(1, -1 - value));
  if (typeof value === "string") return Buffer.from([...head(3, Buffer.byteLength(value)), ...Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.from([...head(2, value.length), ...value]);
  if (Array.isArray(value)) return Buffer.from([...head(4, value.length), ...value.flatMap((one) => [...cbor(one)])]);
  if (value instanceof Map) return Buffer.from([...head(5, value.size), ...[...value].flatMap(([k, v]) => [...cbor(k), ...cbor(v)])]);
  if (value.raw) return Buffer.from(value.raw);
  throw new Error(`${value}`);
}
function seal(claims, { header = new Map([[1, 5]]), kid = Buffer.from("interop"), secret = SECRET, tags = true, code: given, payload = cbor(claims) } = {}) {
  const protectedBytes = cbor(header);
  const mac = given ?? crypto.createHmac("sha256", secret).update(cbor(["MAC0", protectedBytes, Buffer.alloc(0), payload])).digest();
  const whole = cbor([protectedBytes, new Map([[4, kid]]), payload, mac]);
  return (tags ? tag(61, tag(17, whole)) : whole).toString("base64url");
}

const ok = [[1, "tidegate"], [4, 4_000_000_000], [310, 1]];
const claims = (...more) => new Map([...ok, ...more]);
const uri = (part, kind, text) => [312, new Map([[part, new Map([[kind, text]])]])];
const sha = (text) => crypto.createHash("sha256").update(text).digest();
const PATH = "/live/demo/index.m3u8";
const TOKENS = {
  plain: seal(claims()),
  "without tags": seal(claims(), { tags: false }),
  "kid as text": seal(claims(), { kid: "interop" }),
  "kid under the code": seal(claims(), { header: new Map([[1, 5], [4, Buffer.from("interop")]]) }),
  expired: seal(claims([4, 1_999_999_999])),
  "expires now": seal(claims([4, NOW_S])),
  "expires in a second": seal(claims([4, NOW_S + 1])),
  "not yet": seal(claims([5, NOW_S + 1])),
  "from now on": seal(claims([5, NOW_S])),
  "expiry as a tagged time": seal(claims([4, { raw: tag(1, cbor(4_000_000_000)) }])),
  "expiry below 0": seal(claims([4, -5])),
  "issued as a text": seal(claims([6, "x"])),
  "expiry as a text": seal(claims([4, "4000000000"])),
  "expiry as a fraction": seal(claims([4, { raw: [0xfb, ...new Uint8Array(new Float64Array([4e9 + 0.5]).buffer).reverse()] }])),
  "another audience": seal(claims([3, "two"])),
  "our audience": seal(claims([3, "one"])),
  "one of several audiences": seal(claims([3, ["two", "one"]])),
  "path prefix": seal(claims(uri(3, 1, "/live/demo/"))),
  "path of another stream": seal(claims(uri(3, 1, "/live/other/"))),
  "whole path": seal(claims(uri(3, 0, PATH))),
  "path suffix": seal(claims(uri(3, 2, ".m3u8"))),
  "path contains": seal(claims(uri(3, 3, "/demo/"))),
  "path contains not": seal(claims(uri(3, 3, "/x/"))),
  "path hash as bytes": seal(claims(uri(3, -1, sha(PATH)))),
  "path hash as text": seal(claims(uri(3, -1, sha(PATH).toString("hex")))),
  "path hash of another": seal(claims(uri(3, -1, sha("/")))),
  "regular expression": seal(claims(uri(3, 4, ".*"))),
  scheme: seal(claims(uri(0, 0, "https"))),
  host: seal(claims(uri(1, 0, "live.example"))),
  "another host": seal(claims(uri(1, 0, "other.example"))),
  port: seal(claims(uri(2, 0, ""))),
  query: seal(claims(uri(4, 0, ""))),
  "parent path": seal(claims(uri(5, 0, "/live/demo"))),
  "file name": seal(claims(uri(6, 0, "index.m3u8"))),
  stem: seal(claims(uri(7, 0, "index"))),
  extension: seal(claims(uri(8, 0, ".m3u8"))),
  "part that is none": seal(claims(uri(9, 0, ""))),
  "two conditions, one of which does not fit": seal(claims([312, new Map([[3, new Map([[1, "/live/"], [2, ".mpd"]])]])])),
  "method GET": seal(claims([313, ["GET"]])),
  "method POST": seal(claims([313, ["POST"]])),
  "in DE": seal(claims([316, ["FR", "DE"]])),
  "in de": seal(claims([316, ["de"]])),
  "in FR": seal(claims([316, ["FR"]])),
  "in DE-BY": seal(claims([316, ["DE-BY"]])),
  "replay 0": seal(claims([308, 0])),
  "replay 1": seal(claims([308, 1])),
  "version 2": seal(claims([310, 2])),
  "a claim that nobody knows": seal(claims([999, 1])),
  "an id that is no bytes": seal(claims([7, "x"])),
  "claims that are no map": seal([1]),
  "a key that is not known": seal(claims(), { kid: Buffer.from("other") }),
  "another secret": seal(claims(), { secret: Buffer.alloc(32, 9) }),
  "another algorithm": seal(claims(), { header: new Map([[1, 4]]) }),
  "no algorithm": seal(claims(), { header: new Map() }),
  critical: seal(claims(), { header: new Map([[1, 5], [2, [99]]]) }),
  "short code": seal(claims(), { code: Buffer.alloc(16) }),
  "claims twice": seal(claims(), { payload: Buffer.from([0xa2, 0x01, 0x61, 0x61, 0x01, 0x61, 0x62]) }),
  "claims cut off": seal(claims(), { payload: cbor(claims()).subarray(0, -1) }),
  "claims and more": seal(claims(), { payload: Buffer.concat([cbor(claims()), Buffer.from([0])]) }),
  deep: seal(claims([999, { raw: [...Array(40).fill(0x81), 0] }])),
  "a claimed length": seal(claims(), { payload: Buffer.from([0xba, 0xff, 0xff, 0xff, 0xff]) }),
  empty: "",
  "not base64url": "a+b",
  cut: seal(claims()).slice(0, -3),
  long: "A".repeat(4096),
};

function native(tokens) {
  const input = tokens.map((token) => `open ${token}`).join("\n") + "\n";
  const lines = execFileSync("cargo", ["run", "--locked", "--quiet", "-p", "tidegate-token", "--example", "interop"], { input, encoding: "utf8", maxBuffer: 1 << 24 });
  return lines.trimEnd().split("\n").map((line) => line.startsWith("allowed"));
}

test("the function is within what CloudFront takes and uses no more of the language than it has", () => {
  assert.ok(Buffer.byteLength(code) < 10_240, `${Buffer.byteLength(code)} bytes`);
  for (const word of [/\bclass\b/, /\?\./, /\?\?/, /\.\.\./, /\bfor \(const/, /(const|let) [[{]/, /\bTextDecoder\b/, /\bfetch\b/]) assert.doesNotMatch(code, word);
});

test("each token opens here where it opens natively", { timeout: 600_000 }, async () => {
  const handler = await load(STORE);
  const names = Object.keys(TOKENS);
  const expected = native(names.map((name) => TOKENS[name]));
  assert.equal(expected.length, names.length);
  const wrong = [];
  for (const [index, name] of names.entries()) {
    const answer = await handler(request(`/~${TOKENS[name]}${PATH}`));
    const opened = answer.statusCode === undefined;
    if (opened !== expected[index]) wrong.push(`${name}: ${opened ? "opened" : `refused (${answer.statusCode} ${answer.body.data})`}, natively ${expected[index] ? "allowed" : "refused"}`);
  }
  assert.deepEqual(wrong, []);
  assert.ok(expected.filter(Boolean).length >= 20 && expected.filter((one) => !one).length >= 20, "both kinds are many");
});

test("the token leaves the address, and the edge is asked with the distribution's own", async () => {
  const handler = await load(STORE);
  const token = TOKENS.plain;
  const ways = [
    [`/~${token}${PATH}`, {}],
    [PATH, { headers: { host: { value: "live.example" }, "cta-common-access-token": { value: token } } }],
    [PATH, { headers: { host: { value: "live.example" }, authorization: { value: `Bearer ${token}` } } }],
    [PATH, { cookies: { "cta-common-access-token": { value: token } } }],
  ];
  for (const [address, more] of ways) {
    const asked = await handler(request(address, more));
    assert.equal(asked.statusCode, undefined, asked.body?.data);
    assert.deepEqual([asked.uri, asked.headers["cta-common-access-token"].value, asked.headers.authorization, asked.cookies["cta-common-access-token"]], [PATH, "own", undefined, undefined]);
  }
  const led = await handler(request(PATH, { querystring: { token: { value: token } } }));
  assert.deepEqual([led.statusCode, led.headers.location.value], [302, `/~${token}${PATH}`]);
  const blocking = await handler(request(PATH, { querystring: { _HLS_msn: { value: "3" }, token: { value: token }, _HLS_part: { value: "1" } } }));
  assert.equal(blocking.headers.location.value, `/~${token}${PATH}?_HLS_msn=3&_HLS_part=1`);
});

test("what a bucket would read as another address is refused, and so is all where the store of keys fails", async () => {
  const handler = await load(STORE);
  for (const address of ["/%6cive/demo/s/seg/0000000001.mp4", "/live%2fdemo/index.m3u8", `/~${TOKENS.plain}/%6Cive/demo/index.m3u8`, "/%"]) {
    assert.equal((await handler(request(address))).statusCode, 400, address);
  }
  assert.equal((await handler(request("/origin/shop/a%20b.m3u8"))).uri, "/origin/shop/a%20b.m3u8");
  const named = seal(claims([7, Buffer.from([1, 2, 3])]));
  for (const fails of ["open/demo", "revoked/010203", "audience", "token"]) {
    const failing = await load({ ...STORE, fails });
    await assert.rejects(async () => failing(request(`/~${named}${PATH}`)), { message: fails });
  }
});

test("without a token a stream is closed, but for those that are open, and nobody brings the distribution's own along", async () => {
  const handler = await load(STORE);
  assert.equal((await handler(request(PATH))).statusCode, 401);
  assert.equal((await handler(request("/live/demo/s/seg/0000000001.mp4"))).statusCode, 401);
  assert.equal((await handler(request(PATH, { headers: { "cta-common-access-token": { value: "own" } } }))).statusCode, 401);
  const open = await handler(request("/live/lobby/index.m3u8", { headers: { "cta-common-access-token": { value: "own" } } }));
  assert.deepEqual([open.statusCode, open.uri, open.headers["cta-common-access-token"]], [undefined, "/live/lobby/index.m3u8", undefined]);
  const elsewhere = await handler(request(`/~${TOKENS.plain}/origin/shop/index.m3u8`));
  assert.equal(elsewhere.uri, `/~${TOKENS.plain}/origin/shop/index.m3u8`, "what is not shared keeps its token");
});

test("a token is called back by its id, and belongs to the issuer of its key", async () => {
  const revoked = seal(claims([7, Buffer.from([1, 2, 3])]));
  assert.equal((await (await load(STORE))(request(`/~${revoked}${PATH}`))).statusCode, undefined);
  assert.equal((await (await load({ ...STORE, "revoked/010203": "1" }))(request(`/~${revoked}${PATH}`))).statusCode, 403);
  const owned = { ...STORE, "key/interop": `${STORE["key/interop"]} shop` };
  assert.equal((await (await load(owned))(request(`/~${TOKENS.plain}${PATH}`))).statusCode, 401);
  assert.equal((await (await load(owned))(request(`/~${seal(claims([1, "shop"]))}${PATH}`))).statusCode, undefined);
});
