// Players of the browser: a page for each, and what their pictures and sound come to.
import { readFileSync } from "node:fs";
import { serve } from "../serve.mjs";
import { CLIP_S, RECORDING_S, SEGMENT_S } from "./sources.mjs";

const module = (path) => readFileSync(new URL(`../node_modules/${path}`, import.meta.url));
const version = (name) => JSON.parse(module(`${name}/package.json`)).version;
/** Until one that plays has chosen where. */
const SETTLED_MS = 2000;
/** Until a player plays. */
const START_MS = 45_000;
/** How long it is watched then, and what of it has to be played and shown. */
const WATCH_S = 6;
const PLAYED_SHARE = 0.75;
const SHOWN_PER_S = 12;
/** How near to the start of what is kept a player goes that is told to. */
const NEAR_S = 8;

const HLS = ["ll", "hls", "rewind", "start-over", "vod", "clip", "audio"];
const DASH = ["dash", "ll-dash", "dash-rewind", "dash-clip"];

/** For each player: what it plays, the script it needs, and how it is started; `src` and `mode` are given. */
const PLAYERS = {
  "ours": {
    plays: [...HLS, ...DASH],
    html: '<tidegate-player id="p" autoplay muted></tidegate-player>',
    start: `
      await import(EDGE + "/player/tidegate-player.js");
      const player = document.getElementById("p");
      player.src = src;
      globalThis.video = () => player.shadowRoot.querySelector("video");
      globalThis.behind = () => player.stats?.latency ?? undefined;`,
  },
  "hls.js": {
    plays: HLS,
    library: "hls.js/dist/hls.js",
    start: `
      const hls = new Hls({ lowLatencyMode: mode !== "hls" });
      hls.on(Hls.Events.ERROR, (_, { details, fatal }) => fatal && errors.push(details));
      globalThis.behind = () => hls.latency;
      hls.loadSource(src); hls.attachMedia(v);`,
  },
  "shaka-player": {
    plays: [...HLS, ...DASH],
    library: "shaka-player/dist/shaka-player.compiled.js",
    start: `
      const player = new shaka.Player();
      player.addEventListener("error", ({ detail }) => detail.severity === 2 && errors.push("shaka " + detail.code));
      await player.attach(v);
      player.configure("streaming.lowLatencyMode", mode === "ll" || mode === "ll-dash");
      globalThis.behind = () => (player.isLive() ? (Date.now() - player.getPlayheadTimeAsDate()) / 1000 : undefined);
      await player.load(src); v.play();`,
  },
  "dashjs": {
    plays: DASH,
    library: "dashjs/dist/modern/umd/dash.all.min.js",
    start: `
      const player = dashjs.MediaPlayer().create();
      player.initialize(v, null, true);
      player.on("error", ({ error }) => errors.push(error?.message ?? String(error)));
      globalThis.behind = () => player.getCurrentLiveLatency();
      player.attachSource(src);`,
  },
  "video.js": {
    plays: [...HLS, ...DASH.filter((mode) => mode !== "ll-dash")],
    library: "video.js/dist/video.js",
    html: '<video id="v" class="video-js" muted autoplay playsinline width="640" height="360"></video>',
    start: `
      const player = videojs("v", { html5: { vhs: { overrideNative: true, llhls: mode === "ll" } } });
      player.on("error", () => errors.push(player.error()?.message));
      globalThis.video = () => player.el().querySelector("video");
      player.src({ src, type: src.includes(".mpd") ? "application/dash+xml" : "application/x-mpegURL" });`,
  },
};

/** Serves the pages; `players(browser)` are those that can be asked to play. */
export async function pages(edge) {
  const files = { "/favicon.ico": { type: "image/x-icon", body: "" } };
  for (const [name, { library, html, start }] of Object.entries(PLAYERS)) {
    const script = library ? `<script src="/${name}.lib.js"></script>` : "";
    if (library) files[`/${name}.lib.js`] = { type: "text/javascript", body: module(library) };
    const body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title>
${html ?? '<video id="v" muted autoplay playsinline width="640" height="360"></video>'}
${script}<script type="module">
const EDGE = ${JSON.stringify(edge)};
const { src, mode } = Object.fromEntries(new URLSearchParams(location.search));
const errors = (globalThis.errors = []);
const v = document.getElementById("v");
globalThis.video = () => v;
globalThis.behind = () => undefined;
globalThis.state = () => {
  const video = globalThis.video();
  if (!video) return {};
  const { currentTime: time, paused, ended, seekable, webkitAudioDecodedByteCount: heard } = video;
  return { time, paused, ended, heard, shown: video.getVideoPlaybackQuality().totalVideoFrames, start: seekable.length ? seekable.start(0) : undefined, end: seekable.length ? seekable.end(seekable.length - 1) : undefined, behind: globalThis.behind() };
};
${start}
</script></html>`;
    files[`/${name}`] = { type: "text/html; charset=utf-8", body };
  }
  const site = await serve(files);
  const players = (browser) =>
    Object.entries(PLAYERS).map(([name, { plays, library }]) => ({
      name,
      version: library ? version(name) : undefined,
      plays,
      play: (mode, address) => play(browser, `${site.origin}/${name}?${new URLSearchParams({ src: address, mode })}`, mode),
    }));
  return { players, close: site.close };
}

async function play(browser, page, mode) {
  const tab = await browser.newPage();
  const complaints = [];
  tab.on("pageerror", (error) => complaints.push(String(error)));
  const state = () => tab.evaluate(() => globalThis.state());
  const moves = async (from) => {
    try {
      await tab.waitForFunction((from) => globalThis.errors.length > 0 || (globalThis.state().time > from && !globalThis.video().paused), from, { timeout: START_MS, polling: 100 });
    } catch {
      throw new Error(`does not begin: ${JSON.stringify(await state())} ${complaints.join("; ")}`);
    }
  };
  try {
    await tab.goto(page);
    await moves(0.3);
    if (mode.endsWith("rewind")) {
      // Video.js goes to the live edge once more after its first pictures.
      await tab.waitForTimeout(SETTLED_MS);
      const from = await tab.evaluate(() => {
        const video = globalThis.video();
        // Not at the very start of what is kept, which moves on.
        video.currentTime = video.seekable.start(0) + 1;
        return video.seekable.start(0) + 1;
      });
      await moves(from + 0.5);
    }
    const first = await state();
    await tab.waitForTimeout(WATCH_S * 1000);
    const last = await state();
    const errors = await tab.evaluate(() => globalThis.errors);
    const need = (holds, what) => {
      if (!holds) throw new Error(`${what}: ${JSON.stringify({ first, last, errors, complaints })}`);
    };
    need(errors.length === 0 && complaints.length === 0, "it complains");
    const played = last.time - first.time;
    need(played > WATCH_S * PLAYED_SHARE || last.ended, `played ${played.toFixed(1)} s of ${WATCH_S}`);
    const [shown, heard] = [last.shown - first.shown, last.heard - first.heard];
    if (mode === "audio") need(heard > 0, "no sound");
    else need(shown > played * SHOWN_PER_S, `${shown} pictures in ${played.toFixed(1)} s`);
    if (mode.endsWith("rewind") || mode === "start-over") need(first.time - first.start < NEAR_S && last.end - last.time > NEAR_S, "not at the start");
    if (mode === "vod") need(Math.abs(last.end - last.start - RECORDING_S) < SEGMENT_S, "not as long as the recording");
    if (mode.includes("clip")) need(Math.abs(last.end - last.start - (CLIP_S[1] - CLIP_S[0])) <= SEGMENT_S + 0.1, "not as long as the clip");
    const live = ["ll", "hls", "dash", "ll-dash"].includes(mode) && Number.isFinite(last.behind);
    return { frames: shown, behind_s: live ? last.behind : undefined };
  } finally {
    await tab.close();
  }
}
