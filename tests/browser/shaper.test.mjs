// The link in front of a server lets through what it should.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { serve } from "./serve.mjs";
import { shaper, trace } from "./shaper.mjs";

/** A recording of a link in a file that goes with the test. */
function recording(t, lines) {
  const folder = mkdtempSync(join(tmpdir(), "tidegate-link-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "link.csv");
  writeFileSync(path, lines);
  return path;
}

test("answers share a link of the rate that the recording says, and are whole", { timeout: 20_000 }, async (t) => {
  const path = recording(t, "time_s,bandwidth_kbps,rtt_ms\n5,4000,20\n6,4000,20\n");
  const body = Buffer.alloc(250_000, "x");
  const server = await serve({ "/a": { type: "text/plain", body } });
  const link = await shaper(server.origin, trace(path));
  const began = performance.now();
  const texts = await Promise.all([0, 1].map(async () => (await fetch(`${link.origin}/a`)).text()));
  const seconds = (performance.now() - began) / 1000;
  assert.ok(texts.every((text) => text.length === body.length));
  assert.ok(seconds > 0.8 && seconds < 2.5, `4 Mbit over 4 Mbit/s took ${seconds} s`);
  assert.equal((await fetch(`${link.origin}/none`)).status, 404);
  link.close();
  server.close();
});

test("a recording that is none is refused", (t) => {
  const path = recording(t, "time_s,bandwidth_kbps\n1,fast\n");
  assert.throws(() => trace(path), /no recording/);
});
