// Glass to glass in Chromium, by the clock in the picture: our player, and hls.js in its low-latency mode, one after the other.
//   node tests/browser/glass.bench.mjs [--seconds 60] [options of tidegate up]
import { open } from "./chromium.mjs";
import { playing, summary, watch } from "./glass.mjs";
import { page as hlsPage } from "./hlsjs.mjs";
import { up } from "./platform.mjs";

const args = process.argv.slice(2);
const at = args.indexOf("--seconds");
const seconds = at < 0 ? 60 : Number(args.splice(at, 2)[1]);
const SETTLE_MS = 15_000;

const platform = await up(...args);
const browser = await open();
try {
  const hls = await hlsPage(platform.playlist);
  for (const [name, address] of [["tidegate-player", platform.watch], ["hls.js 1.7.4", hls.origin]]) {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const begun = performance.now();
    await page.goto(address);
    await playing(page, 60_000);
    const first = Math.round(performance.now() - begun);
    await page.waitForTimeout(SETTLE_MS);
    const { p50, p95, max, longestFreezeMs, dropped, shown, stamped, heights } = summary(await watch(page, seconds));
    console.log(`${name}: glass to glass p50 ${p50} ms, p95 ${p95} ms, max ${max} ms over ${seconds} s`);
    console.log(`  first picture after ${first} ms; ${shown} frames shown (${stamped} with a clock), ${dropped} dropped, longest freeze ${longestFreezeMs} ms, heights ${heights}`);
    await page.close();
  }
  hls.close();
} finally {
  await browser.close();
  await platform.stop();
}
