// Common Access Tokens of ours and of another implementation, in both directions.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import cat from "@eyevinn/cat";

const root = fileURLToPath(new URL("../..", import.meta.url));
const key = Buffer.from(Array.from({ length: 32 }, (_, n) => n));
const theirs = new cat.CAT({ keys: { interop: key }, expectCwtTag: true });

/** Asks our implementation; an answer for each line. */
function ours(lines) {
  const run = spawnSync("cargo", ["run", "--quiet", "--locked", "-p", "tidegate-token", "--example", "interop"], {
    cwd: root,
    input: lines.join("\n"),
    encoding: "utf8",
  });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.trim().split("\n");
}

const options = (url, audience = ["one"]) => ({ issuer: "tidegate", audience, url: new URL(url) });
const good = "https://live.example/live/demo/index.m3u8";

test("tokens of ours open there", async () => {
  const [all, short, expired] = ours(["seal all", "seal short", "seal expired"]);
  const opened = await theirs.validate(all, "mac", options(good));
  assert.equal(opened.error, undefined);
  const claims = opened.cat.claims;
  assert.equal(claims.sub, "bob");
  assert.deepEqual(claims.aud, ["one", "two"]);
  assert.deepEqual([claims.exp, claims.nbf, claims.iat], [4000000000, 1000000000, 1000000000]);
  assert.equal(claims.cti, "0001fe");
  assert.deepEqual(claims.catu, {
    path: { "prefix-match": "/live/demo/" },
    host: { "exact-match": "live.example" },
    extension: { "exact-match": ".m3u8" },
  });
  assert.deepEqual([claims.catm, claims.catgeoiso3166], [["GET", "HEAD"], ["DE"]]);
  assert.deepEqual(claims.catr, { type: "header", expadd: 120, deadline: 60, "header-name": "renewed" });
  assert.equal((await theirs.validate(short, "mac", options(good))).error, undefined);
  for (const [token, url, audience] of [
    [all, "https://live.example/live/other/index.m3u8", ["one"]],
    [all, "https://else.example/live/demo/index.m3u8", ["one"]],
    [all, "https://live.example/live/demo/7.m4s", ["one"]],
    [all, good, ["three"]],
    [expired, good, ["one"]],
  ]) {
    assert.ok((await theirs.validate(token, "mac", options(url, audience))).error, url);
  }
  const foreign = new cat.CAT({ keys: { interop: Buffer.alloc(32, 7) }, expectCwtTag: true });
  await assert.rejects(foreign.validate(short, "mac", options(good)));
});

test("tokens of theirs open here", async () => {
  const make = (claims, from = theirs) => from.generateFromJson({ iss: "tidegate", ...claims }, { type: "mac", alg: "HS256", kid: "interop" });
  const untagged = new cat.CAT({ keys: { interop: key } });
  const foreign = new cat.CAT({ keys: { interop: Buffer.alloc(32, 7) }, expectCwtTag: true });
  const cases = [
    [await make({ sub: "bob", exp: 4000000000, cti: "0001fe" }), /^allowed .*subject: Some\("bob"\).*id: Some\(\[0, 1, 254\]\)/],
    [await make({ aud: ["one", "two"], nbf: 1000000000, iat: 1000000000 }), /^allowed .*audience: \["one", "two"\]/],
    [await make({ catu: { path: { "prefix-match": "/live/demo/" }, scheme: { "exact-match": "https" } } }), /^allowed /],
    [await make({ catu: { filename: { "exact-match": "index.m3u8" }, "parent-path": { "suffix-match": "/demo" } } }), /^allowed /],
    [await make({ catm: ["GET"], catgeoiso3166: ["DE", "FR"] }), /^allowed /],
    [await make({ catr: { type: "automatic", expadd: 120, deadline: 60 } }), /^allowed .*kind: Automatic, adds_s: 120, deadline_s: Some\(60\)/],
    [await make({ catreplay: 0 }), /^allowed /],
    [await make({ exp: 1000000000 }), /^the token has expired/],
    [await make({ aud: "three" }), /^the token is for another service/],
    [await make({ catu: { path: { "prefix-match": "/live/other/" } } }), /^the token is for another address/],
    [await make({ catm: ["POST"] }), /^the token is not for this method/],
    [await make({ catgeoiso3166: ["US"] }), /^the token is not for this country/],
    // What cannot be kept is refused, never passed over.
    [await make({ catu: { path: { "regex-match": ["^/live/.*", ""] } } }), /^refused: the claim 312 /],
    [await make({ catreplay: 1 }), /^refused: the claim 308 /],
    [await make({ catnip: ["10.0.0.1"] }), /^refused: the claim 311 /],
    [await make({ sub: "bob" }, foreign), /^refused: the token is not made with the right key/],
  ];
  const answers = ours(cases.map(([token]) => `open ${token}`));
  cases.forEach(([, expected], at) => assert.match(answers[at], expected));
  // Without the CWT tag this library macs the hexadecimal text of the claims: no map, and refused.
  assert.match(ours([`open ${await make({ sub: "bob" }, untagged)}`])[0], /^refused: /);
});
