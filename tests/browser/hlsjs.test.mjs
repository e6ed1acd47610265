// An independent player on the same stream: hls.js in its low-latency mode.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { playing, summary, watch } from "./glass.mjs";
import { page as hlsPage } from "./hlsjs.mjs";
import { up } from "./platform.mjs";

const output = process.env.TIDEGATE_OUTPUT;
const ATTEMPTS = 3;
let browser, platform, site;

before(async () => {
  [platform, browser] = await Promise.all([up(), open()]);
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
  await platform?.stop();
});

for (const [name, address] of [["the edge", () => platform.playlist], ["the bucket alone", () => platform.bucket]]) {
  test(`hls.js plays the playlists of ${name}`, { timeout: 240_000 }, async (t) => {
    site?.close();
    site = await hlsPage(address());
    const page = await browser.newPage();
    await begin(page, site.origin, name === "the edge" ? 2 : Infinity);
    const result = summary(await watch(page, 15));
    const state = await page.evaluate(() => ({ errors: globalThis.errors, switches: globalThis.switches, target: globalThis.hls.targetLatency }));
    t.diagnostic(`glass to glass: ${JSON.stringify(result)} ${JSON.stringify(state)}`);
    if (output) writeFileSync(join(output, `glass-hlsjs-${name.split(" ").at(-1)}.json`), JSON.stringify(result));
    assert.deepEqual(state.errors.filter((error) => error.fatal), []);
    assert.ok(result.stamped > result.shown * 0.95, "nearly every frame has a clock that reads");
    assert.ok(result.shown > 15 * 20, "the picture moves");
    // Ordinary HLS stands three segments and the interval of its playlists behind.
    assert.ok(result.p95 < (name === "the edge" ? 6_000 : 25_000), `p95 is ${result.p95} ms`);
    await page.close();
  });
}

/** Opens the page until it plays within some segments of where it wants to: hls.js catches up by one, so what a busy machine does to its start stays. */
async function begin(page, address, segments) {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    await page.goto(address);
    await playing(page, 40_000);
    await page.waitForTimeout(8_000);
    const [late, segment] = await page.evaluate(() => [globalThis.hls.latency - globalThis.hls.targetLatency, globalThis.hls.latestLevelDetails.targetduration]);
    if (late < segments * segment) return;
  }
}
