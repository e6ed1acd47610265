// Players over recordings of real links: ours, hls.js, Shaka and dash.js on the same live stream, at the same time of the recording, one
// after the other. dash.js plays the low-latency MPD, the others HLS. Players count from different places: the end of what is listed, the date
// of what is shown. So each is watched without a limit first, and asked for so much less or more that all are at the same distance there,
// from glass to glass (--as-asked leaves that out).
//   node tests/browser/shaped.bench.mjs [--seconds 60] [--latency 2.5] [--scale 1] [--players tidegate,hls.js,shaka,dash.js] [--as-asked] RECORDING.csv …
// With --clean in place of recordings the link is not limited: that compares start-up and latency.
import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { open } from "./chromium.mjs";
import { playing, summary, watch } from "./glass.mjs";
import { up } from "./platform.mjs";
import { serve } from "./serve.mjs";
import { shaper, trace } from "./shaper.mjs";

const args = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? otherwise : args.splice(at, 2)[1];
};
const seconds = Number(option("seconds", "60"));
const latency = Number(option("latency", "2.5"));
const scale = Number(option("scale", "1"));
const wanted = option("players", "tidegate,hls.js,shaka,dash.js").split(",");
const flag = (name) => {
  const at = args.indexOf(`--${name}`);
  return at >= 0 && args.splice(at, 1).length > 0;
};
const asAsked = flag("as-asked");
const CLEAN = { bps: () => 1e9, rttMs: 0 };
const clean = flag("clean");
const links = clean ? [["clean", CLEAN]] : args.map((path) => [basename(path), trace(path, scale)]);
if (links.length === 0) throw new Error("name recordings of links, or --clean");

const file = (path) => readFileSync(new URL(path, import.meta.url));
const script = (name, path) => (existsSync(new URL(path, import.meta.url)) ? { [name]: { type: "text/javascript", body: file(path) } } : {});
const page = (body) => ({ type: "text/html; charset=utf-8", body: `<!doctype html><meta charset="utf-8">${body}` });
const video = '<video muted autoplay playsinline width="960"></video>';

/** A picture that is there for longer than this stands. */
const STANDS_MS = 250;
const SETTLE_MS = 8000;
/** How long a player is watched without a limit, after it has had so long to get where it wants to be. */
const CALIBRATION_S = 15;
const CALIBRATION_SETTLE_MS = 12_000;
const FILES = { "/tidegate-player.js": "text/javascript", "/tidegate_player.wasm": "application/wasm" };

/** The page of a player, for the playlist at `address`, that asks for a distance from live in s. */
function pageOf(player, address, latency) {
  switch (player) {
    case "tidegate":
      return page(`<script type="module" src="/tidegate-player.js"></script>
<tidegate-player muted autoplay playsinline style="width:960px" latency="${latency}" src="${address}"></tidegate-player>`);
    case "hls.js":
      return page(`${video}<script src="/hls.js"></script><script>
const hls = new Hls({ lowLatencyMode: true, liveSyncDuration: ${latency}, maxLiveSyncPlaybackRate: 1.1 });
hls.loadSource("${address}"); hls.attachMedia(document.querySelector("video"));</script>`);
    case "shaka":
      return page(`${video}<script src="/shaka.js"></script><script>
(async () => { shaka.polyfill.installAll(); const player = new shaka.Player(); await player.attach(document.querySelector("video"));
player.configure({ streaming: { lowLatencyMode: true, liveSync: { enabled: true, targetLatency: ${latency} } } });
await player.load("${address}"); })();</script>`);
    case "dash.js":
      return page(`${video}<script src="/dash.js"></script><script>
const player = dashjs.MediaPlayer().create();
player.initialize(document.querySelector("video"), null, true);
player.updateSettings({ streaming: { delay: { liveDelay: ${latency} }, liveCatchup: { enabled: true } } });
player.attachSource("${address.replace("index.m3u8", "low-latency.mpd")}");</script>`);
    default:
      throw new Error(`there is no player ${player}`);
  }
}

/** Runs in the page, before its scripts: counts waits and the time that they take, once something was shown. */
function count() {
  globalThis.waits = { count: 0, ms: 0, since: undefined, begun: false };
  const heard = (event) => {
    if (!(event.composedPath()[0] instanceof HTMLVideoElement)) return;
    const waits = globalThis.waits;
    if (event.type === "playing") {
      if (waits.since !== undefined) waits.ms += performance.now() - waits.since;
      waits.since = undefined;
      waits.begun = true;
    } else if (waits.begun && waits.since === undefined && !event.composedPath()[0].seeking) {
      waits.count += 1;
      waits.since = performance.now();
    }
  };
  for (const type of ["playing", "waiting"]) addEventListener(type, heard, true);
  // Media events do not leave a shadow tree.
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (options) {
    const root = attach.call(this, options);
    for (const type of ["playing", "waiting"]) root.addEventListener(type, heard, true);
    return root;
  };
}

const platform = await up();
const browser = await open();
try {
  // The first player would meet a stream that is shorter than the distance it is to keep, and a browser that is being started.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const { origin, pathname } = new URL(platform.playlist);
  // Scripts come from the page's own server, past the link: what is compared is playback.
  const ours = Object.fromEntries(await Promise.all(Object.entries(FILES).map(async ([name, type]) => {
    const answer = await fetch(`${origin}/player${name}`);
    return [name, { type, body: Buffer.from(await answer.arrayBuffer()) }];
  })));
  /** Opens a page with a player behind a link, and closes it after `look`. */
  const visit = async (player, link, asked, look) => {
    const shaped = await shaper(origin, link);
    const site = await serve({
      "/": pageOf(player, `${shaped.origin}${pathname}`, asked),
      ...ours,
      ...script("/hls.js", "node_modules/hls.js/dist/hls.js"),
      ...script("/shaka.js", "node_modules/shaka-player/dist/shaka-player.compiled.js"),
      ...script("/dash.js", "node_modules/dashjs/dist/modern/umd/dash.all.min.js"),
      "/favicon.ico": { type: "image/x-icon", body: "" },
    });
    const tab = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await tab.addInitScript(count);
    await tab.goto(site.origin);
    const started = await playing(tab, 60_000).catch(() => NaN);
    const result = await look(tab, started);
    await tab.close();
    site.close();
    shaped.close();
    return result;
  };
  const asked = {};
  for (const player of wanted) {
    asked[player] = latency;
    if (asAsked || clean) continue;
    const distance = await visit(player, CLEAN, latency, async (tab) => {
      await new Promise((resolve) => setTimeout(resolve, CALIBRATION_SETTLE_MS));
      return summary(await watch(tab, CALIBRATION_S)).p50 / 1000;
    });
    asked[player] = Math.max(0.5, 2 * latency - distance);
    console.log(`${player} asked for ${latency.toFixed(2)} s is ${distance.toFixed(2)} s from live without a limit: asked for ${asked[player].toFixed(2)} s below`);
  }
  console.log(`| link | player | start-up ms | stalls | stalled s | picture stood s | latency p50 / p95 s | mean height | changes |`);
  console.log(`|---|---|---|---|---|---|---|---|---|`);
  for (const [name, link] of links) {
    for (const player of wanted) {
      await visit(player, link, asked[player], async (tab, started) => {
        const seen = await watch(tab, seconds);
        const waits = await tab.evaluate(() => ({ ...waits, ms: waits.ms + (waits.since === undefined ? 0 : performance.now() - waits.since) }));
        const { p50, p95 } = summary(seen);
        // What events say of stalls is the player's word; this is what a viewer sees.
        const stood = seen.frames.slice(1).reduce((sum, frame, at) => sum + Math.max(0, frame.at - seen.frames[at].at - STANDS_MS), 0) / 1000;
        const heights = seen.frames.map((frame) => frame.height);
        const changes = heights.slice(1).filter((height, at) => height !== heights[at]).length;
        const mean = heights.reduce((sum, height) => sum + height, 0) / heights.length;
        console.log(`| ${name} | ${player} | ${Math.round(started)} | ${waits.count} | ${(waits.ms / 1000).toFixed(1)} | ${stood.toFixed(1)} | ${(p50 / 1000).toFixed(2)} / ${(p95 / 1000).toFixed(2)} | ${Math.round(mean)} | ${changes} |`);
      });
    }
  }
} finally {
  await browser.close();
  await platform.stop();
}
