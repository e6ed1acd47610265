// Media that is missing, as DASH players get it: a fragment without frames in its place. They go on behind it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { content, serveContent } from "./content.mjs";

/** The fragment as the edge makes it (functions/core/cmaf) for segment 3 of this stream. */
const GAP = Buffer.from(readFileSync(new URL("../../functions/core/cmaf/src/gap.hex", import.meta.url), "utf8").trim(), "hex");
const MISSING = 3;
const SEGMENTS = 10;
const MPD = `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT${2 * SEGMENTS}S" minBufferTime="PT2S" profiles="urn:mpeg:dash:profile:isoff-live:2011"><Period>
<AdaptationSet mimeType="video/mp4" segmentAlignment="true" startWithSAP="1"><SegmentTemplate timescale="1" startNumber="0" initialization="tall/init.mp4" media="holed/$Number$.m4s"><SegmentTimeline><S t="0" d="2" r="${SEGMENTS - 1}"/></SegmentTimeline></SegmentTemplate>
<Representation id="tall" bandwidth="600000" width="640" height="360" codecs="avc1.42c01e"/></AdaptationSet></Period></MPD>`;
const video = '<!doctype html><html lang="en"><title>x</title><video id="v" muted autoplay playsinline width="640"></video>';
const PAGES = {
  dashjs: `${video}<script src="/modules/dashjs/dist/modern/umd/dash.all.min.js"></script><script type="module">
globalThis.errors = []; const player = dashjs.MediaPlayer().create(); player.initialize(v, "/vod/holed.mpd", true); player.on("error", ({ error }) => errors.push(error.message));</script>`,
  shaka: `${video}<script src="/modules/shaka-player/dist/shaka-player.compiled.js"></script><script type="module">
globalThis.errors = []; const player = new shaka.Player(); player.addEventListener("error", ({ detail }) => errors.push(detail.code)); await player.attach(v); await player.load("/vod/holed.mpd");</script>`,
};
let browser, site;

before(async () => {
  const folder = join(content(), "tall");
  const segment = (n) => (n === MISSING ? GAP : readFileSync(join(folder, `${n}.m4s`)));
  site = await serveContent({
    folders: { "/modules/": new URL("node_modules/", import.meta.url).pathname },
    pages: {
      "/vod/holed.mpd": { body: MPD }, "/favicon.ico": { type: "image/x-icon", body: "" },
      ...Object.fromEntries(Array.from({ length: SEGMENTS }, (_, n) => [`/vod/holed/${n}.m4s`, { type: "video/mp4", body: segment(n) }])),
      ...Object.fromEntries(Object.entries(PAGES).map(([name, page]) => [`/${name}`, page])),
    },
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
});

for (const name of Object.keys(PAGES)) {
  test(`${name} goes on behind a gap`, { timeout: 90_000 }, async () => {
    const tab = await browser.newPage();
    await tab.goto(`${site.origin}/${name}`);
    await tab.waitForFunction((end) => document.getElementById("v").currentTime > end, 2 * MISSING + 4, { timeout: 60_000, polling: 100 });
    assert.deepEqual(await tab.evaluate(() => globalThis.errors), []);
    assert.equal(await tab.evaluate(() => document.getElementById("v").paused), false);
    await tab.close();
  });
}
