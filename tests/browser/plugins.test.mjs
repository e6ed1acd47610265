// Our ABR inside of hls.js, Shaka and dash.js, and the examples: each really plays.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { compile } from "svelte/compiler";
import { open } from "./chromium.mjs";
import { content, serveContent } from "./content.mjs";
import { visit as visitPage } from "./visit.mjs";

const element = fileURLToPath(new URL("../../player-wasm/element/", import.meta.url));
const modules = fileURLToPath(new URL("node_modules/", import.meta.url));
const examples = join(element, "examples");
const { build } = createRequire(join(element, "package.json"))("esbuild");
const video = '<!doctype html><html lang="en"><title>x</title><video id="v" muted autoplay playsinline width="640"></video>';
const PLUGS = {
  "/hls": `${video}<script src="/modules/hls.js/dist/hls.min.js"></script><script type="module">
import { loadAbr } from "/npm/abr.js"; import { hlsAbr } from "/npm/hls.js";
const hls = new Hls({ abrController: hlsAbr(Hls, await loadAbr()), enableWorker: false });
globalThis.level = () => hls.levels[hls.loadLevel]?.height; hls.loadSource("/vod/index.m3u8"); hls.attachMedia(v);</script>`,
  "/shaka": `${video}<script src="/modules/shaka-player/dist/shaka-player.compiled.js"></script><script type="module">
import { loadAbr } from "/npm/abr.js"; import { shakaAbr } from "/npm/shaka.js";
const player = new shaka.Player(); await player.attach(v); player.configure("abrFactory", shakaAbr(await loadAbr()));
globalThis.level = () => player.getVariantTracks().find((one) => one.active)?.height; await player.load("/vod/index.m3u8");</script>`,
  "/dash": `${video}<script src="/modules/dashjs/dist/modern/umd/dash.all.min.js"></script><script type="module">
import { loadAbr } from "/npm/abr.js"; import { dashAbr } from "/npm/dash.js";
const player = dashjs.MediaPlayer().create(); player.initialize(); dashAbr(dashjs, player, await loadAbr());
globalThis.level = () => player.getCurrentRepresentationForType("video")?.height; player.attachView(v); player.attachSource("/vod/index.mpd"); player.play();</script>`,
};
/** The same files as DASH. */
const MPD = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT60S" minBufferTime="PT2S" profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period>
<AdaptationSet mimeType="video/mp4" segmentAlignment="true" startWithSAP="1"><SegmentTemplate timescale="1" duration="2" startNumber="0" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s"/>
<Representation id="low" bandwidth="150000" width="320" height="180" codecs="avc1.42c00d"/><Representation id="tall" bandwidth="600000" width="640" height="360" codecs="avc1.42c01e"/></AdaptationSet></Period></MPD>`;

let browser, site, work;

before(async () => {
  content();
  work = mkdtempSync(join(tmpdir(), "tidegate-examples-"));
  mkdirSync(join(work, "node_modules/@tidegate"), { recursive: true });
  symlinkSync(join(element, "dist/npm"), join(work, "node_modules/@tidegate/player"));
  const root = '<!doctype html><html lang="en"><title>x</title><div id="root"></div><script type="module" src="/bundles/NAME.js"></script>';
  const pages = Object.fromEntries(["react-page", "vue", "svelte-page"].map((name) => [`/${name}`, root.replace("NAME", name)]));
  const svelte = {
    name: "svelte",
    setup: ({ onLoad }) => onLoad({ filter: /\.svelte$/ }, ({ path }) => ({ contents: compile(readFileSync(path, "utf8"), { filename: path, generate: "client" }).js.code, loader: "js" })),
  };
  await build({
    entryPoints: ["react-page.jsx", "vue.js", "svelte-page.js"].map((name) => join(examples, name)), outdir: join(work, "bundles"), bundle: true, format: "esm", minify: true,
    jsx: "automatic", nodePaths: [join(work, "node_modules"), modules], conditions: ["browser"], plugins: [svelte], logLevel: "warning",
    define: { "process.env.NODE_ENV": '"production"', __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false", __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false" },
  });
  const npm = join(element, "dist/npm");
  site = await serveContent({
    folders: { "/npm/": npm, "/player/": join(element, "dist/"), "/bundles/": join(work, "bundles"), "/modules/": modules, "/chrome/": join(modules, "media-chrome") },
    pages: {
      ...PLUGS, ...pages,
      "/favicon.ico": { type: "image/x-icon", body: "" },
      "/vod/index.mpd": { body: MPD },
      // esbuild does not copy these; a site puts them beside its bundle.
      "/bundles/tidegate_player.wasm": { body: readFileSync(join(npm, "tidegate_player.wasm")) },
      "/plain": readFileSync(join(examples, "plain.html"), "utf8"),
      "/media-chrome": readFileSync(join(examples, "media-chrome.html"), "utf8"),
    },
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  rmSync(work, { recursive: true, force: true });
  await browser?.close();
  site?.close();
});

const visit = (t, path) => visitPage(t, browser, site.origin + path, { expected: /./ });

for (const path of Object.keys(PLUGS)) {
  test(`our ABR decides in ${path.slice(1)}, which plays and goes up`, { timeout: 90_000 }, async (t) => {
    const tab = await visit(t, path);
    await tab.waitForFunction(() => document.getElementById("v").currentTime > 3 && globalThis.level?.() === 360, undefined, { timeout: 60_000, polling: 100 });
  });
}

for (const path of ["/plain", "/media-chrome", "/react-page", "/vue", "/svelte-page"]) {
  test(`the example ${path.slice(1)} plays`, { timeout: 90_000 }, async (t) => {
    const tab = await visit(t, path);
    await tab.waitForFunction(() => document.querySelector("tidegate-player")?.currentTime > 0.5, undefined, { timeout: 60_000, polling: 100 });
    if (/react|vue|svelte/.test(path)) await tab.waitForFunction(() => document.getElementById("root").textContent.includes("playing"), undefined, { timeout: 20_000, polling: 100 });
  });
}
