// Hours of watching: what a page costs its main thread, whether its memory stays, how far behind it is and how often it stands. Ours
// and hls.js side by side, each in a process of its own, on one stream. The bar is on script, which is the player's; a browser without a
// GPU paints the picture on the main thread too, whoever plays.
//   node tests/browser/steady.bench.mjs [--minutes 10] [--without-peer] [options of tidegate up]
import { open } from "./chromium.mjs";
import { page as hlsPage } from "./hlsjs.mjs";
import { page as ownerPage } from "./ownerpage.mjs";
import { playing } from "./glass.mjs";
import { up } from "./platform.mjs";

const BAR_SHARE = 0.02;
const SETTLE_MS = 20_000;
const args = process.argv.slice(2);
const at = args.indexOf("--minutes");
const minutes = at < 0 ? 10 : Number(args.splice(at, 2)[1]);
const alone = args.indexOf("--without-peer");
if (alone >= 0) args.splice(alone, 1);

/** Seconds that the main thread has worked, MiB of the heap after what is garbage has gone, and how playback goes. */
async function look({ page, client }) {
  await client.send("HeapProfiler.collectGarbage");
  const { metrics } = await client.send("Performance.getMetrics");
  const of = (name) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
  const how = await page.evaluate(() => {
    const player = document.querySelector("tidegate-player");
    const video = player?.video ?? document.querySelector("video");
    const { totalVideoFrames: frames, droppedVideoFrames: dropped } = video.getVideoPlaybackQuality();
    const latency = player ? player.stats?.latency : globalThis.hls?.latency;
    const buffered = video.buffered.length ? video.buffered.end(video.buffered.length - 1) - video.buffered.start(0) : 0;
    return { frames, dropped, latency, buffered, stalls: player?.stats?.stalls ?? globalThis.stalls, time: video.currentTime };
  });
  return { ...how, at: performance.now() / 1000, busy: of("TaskDuration"), script: of("ScriptDuration"), heap: of("JSHeapUsedSize") / 2 ** 20, nodes: of("Nodes"), listeners: of("JSEventListeners") };
}

const platform = await up(...args);
const browser = await open();
const servers = [];
let failed = false;
try {
  const pages = { "tidegate-player": ownerPage, ...(alone < 0 ? { "hls.js": hlsPage } : {}) };
  const players = [];
  for (const [name, make] of Object.entries(pages)) {
    const server = await make(platform.playlist);
    servers.push(server);
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto(server.origin);
    await playing(page, 30_000);
    await page.evaluate(() => {
      globalThis.stalls = 0;
      document.querySelector("video")?.addEventListener("waiting", () => globalThis.stalls++);
    });
    const client = await context.newCDPSession(page);
    await client.send("Performance.enable");
    players.push({ name, page, client, latencies: [] });
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  for (const player of players) player.first = player.last = await look(player);
  for (let minute = 1; minute <= minutes; minute++) {
    for (let second = 0; second < 60; second++) {
      await new Promise((resolve) => setTimeout(resolve, 1000));
      for (const { page, latencies } of players) {
        latencies.push(await page.evaluate(() => document.querySelector("tidegate-player")?.stats?.latency ?? globalThis.hls?.latency ?? NaN));
      }
    }
    for (const player of players) {
      player.last = await look(player);
      const { heap, nodes, listeners, buffered, stalls } = player.last;
      console.log(`${minute} min ${player.name}: heap ${heap.toFixed(1)} MiB, ${nodes} nodes, ${listeners} listeners, ${buffered.toFixed(0)} s buffered, ${stalls} stalls`);
    }
  }
  for (const { name, first, last, latencies } of players) {
    const wall = last.at - first.at;
    const [busy, script] = [(last.busy - first.busy) / wall, (last.script - first.script) / wall];
    const sorted = latencies.filter(Number.isFinite).sort((a, b) => a - b);
    const quantile = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]?.toFixed(2);
    const each = (last.frames - first.frames) / wall;
    console.log(`${name}: script ${(100 * script).toFixed(2)} % of a core on the main thread (with layout and painting ${(100 * busy).toFixed(2)} %), heap ${first.heap.toFixed(1)} -> ${last.heap.toFixed(1)} MiB, latency p50 ${quantile(0.5)} p95 ${quantile(0.95)} s, ${last.stalls - first.stalls} stalls, ${each.toFixed(1)} frames/s`);
    if (name === "tidegate-player") failed = script > BAR_SHARE;
  }
  console.log(`script, bar ${100 * BAR_SHARE} %: ${failed ? "NOT reached" : "reached"}; ${minutes} minutes`);
} finally {
  for (const server of servers) server.close();
  await browser.close();
  await platform.stop();
}
