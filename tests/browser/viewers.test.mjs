// Who watches: the player reports, the edge counts, the worker adds up, the API says it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { playing } from "./glass.mjs";
import { up } from "./platform.mjs";

// The bars are 15 s and 60 s; a machine with other work on it gets more before this fails, and says what it took.
const APPEARS_MS = 60_000;
const GONE_MS = 150_000;

let browser, platform;

before(async () => {
  [platform, browser] = await Promise.all([up(), open()]);
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  await platform?.stop();
});

async function viewers() {
  const answer = await fetch(new URL("/api/v1/streams/demo/viewers", platform.watch));
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).viewers;
}

/** Waits until so many watch; how long that took. */
async function until(wanted, patience) {
  const begun = performance.now();
  for (;;) {
    const seen = await viewers();
    const took = Math.round(performance.now() - begun);
    if (seen === wanted) return took;
    assert.ok(took < patience, `${seen} viewers in place of ${wanted} after ${took} ms: ${platform.errors()}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

test("viewers appear, are counted, and are gone", { timeout: 300_000 }, async (t) => {
  assert.equal(await viewers(), 0);
  const first = await browser.newPage();
  await first.goto(platform.watch);
  await playing(first, 30_000);
  t.diagnostic(`a view appears ${await until(1, APPEARS_MS)} ms after its first picture (bar 15,000)`);
  const second = await browser.newPage();
  await second.goto(platform.watch);
  await playing(second, 30_000);
  t.diagnostic(`the second appears ${await until(2, APPEARS_MS)} ms after its first picture`);
  await first.goto("about:blank");
  t.diagnostic(`one that says that it leaves is gone after ${await until(1, GONE_MS)} ms (bar 60,000)`);
  // Nothing is said of the other: its network is away when it goes.
  await second.context().setOffline(true);
  await second.close();
  t.diagnostic(`one that falls silent is gone after ${await until(0, GONE_MS)} ms (bar 60,000)`);
});
