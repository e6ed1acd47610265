// <tidegate-player> as a media element: properties, events, lists, captions, encryption, errors.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { serveContent } from "./content.mjs";
import { ask, until, visit as visitPage } from "./visit.mjs";

const dist = fileURLToPath(new URL("../../player-wasm/element/dist/", import.meta.url));
const chrome = fileURLToPath(new URL("node_modules/media-chrome/", import.meta.url));
const element = (attributes) => `<!doctype html><html lang="en"><title>x</title><script type="module" src="/player/tidegate-player.js"></script>
<tidegate-player id="p" muted style="width:480px;height:270px" ${attributes}></tidegate-player>`;
const MEDIA_CHROME = `<!doctype html><html lang="en"><title>x</title>
<script type="importmap">{"imports":{"media-chrome":"/chrome/dist/index.js","ce-la-react":"/none.js"}}</script>
<script type="module" src="/chrome/dist/index.js"></script><script type="module" src="/chrome/dist/menu/index.js"></script>
<script type="module" src="/player/tidegate-player.js"></script>
<media-controller style="width:640px"><tidegate-player id="p" slot="media" muted autoplay src="/live/c/index.m3u8"></tidegate-player>
<media-control-bar><media-play-button></media-play-button><media-live-button></media-live-button><media-time-range></media-time-range>
<media-mute-button></media-mute-button><media-captions-button></media-captions-button><media-rendition-menu hidden anchor="x"></media-rendition-menu><media-audio-track-menu hidden anchor="y"></media-audio-track-menu></media-control-bar></media-controller>`;

/** What somebody calls the sound of a stream. */
const NAMES = ["<img src=x onerror=alert(1)>", "</button><b>loud</b><script>alert(2)</script>"];

let browser, site;
let broken = () => 0;

before(async () => {
  site = await serveContent({
    folders: { "/player/": dist, "/chrome/": chrome },
    pages: {
      "/favicon.ico": { type: "image/x-icon", body: "" },
      "/vod": element('src="/vod/index.m3u8"'),
      "/auto": element('src="/vod/index.m3u8" autoplay'),
      "/live": element('src="/live/a/index.m3u8" autoplay'),
      "/window": element('src="/window/a/index.m3u8" autoplay'),
      "/window2": element('src="/window/b/index.m3u8" autoplay'),
      "/locked": element('src="/vod/locked/index.m3u8" autoplay'),
      "/own": element('src="/vod/indexed.mp4" autoplay'),
      "/spoken": element('src="/vod/spoken/index.m3u8" autoplay'),
      "/endless": element('src="/endless.m3u8" autoplay'),
      "/endless.m3u8": { type: "application/vnd.apple.mpegurl", body: "#EXTM3U\n#EXT-X-TARGETDURATION:2\n", endless: "#EXTINF:2,\n/vod/low/0.m4s\n" },
      "/grows": element('src="/grows.m3u8" autoplay'),
      "/grows.m3u8": { body: `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="/vod/low/init.mp4"\n${["/vod/low/0.m4s", "/grows.m4s", "/vod/low/2.m4s"].map((uri) => `#EXTINF:2,\n${uri}\n`).join("")}#EXT-X-ENDLIST\n` },
      "/grows.m4s": { type: "video/mp4", body: "", endless: "\0" },
      "/hostile": element('src="/hostile.m3u8" autoplay'),
      "/hostile.m3u8": { body: '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="<img src=x onerror=alert(1)>",LANGUAGE="<script>",URI="javascript:alert(2)"\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="</style><b id=in>",LANGUAGE="en",URI="data:text/html,<b>"\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.42c00d,mp4a.40.2\\"><b>",RESOLUTION=99999x99999,AUDIO="a",SUBTITLES="s"\nfile:///etc/passwd\n' },
      "/named": element('src="/named.m3u8" autoplay controls'),
      "/named.m3u8": { body: ["#EXTM3U", ...NAMES.map((name, at) => `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="${name}",LANGUAGE="${["en", "de"][at]}",AUTOSELECT=YES,URI="/vod/${["en", "de"][at]}/index.m3u8"`), '#EXT-X-STREAM-INF:BANDWIDTH=260000,CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=320x180,AUDIO="a"', "/vod/low/index.m3u8", ""].join("\n") },
      "/sleepy": element('src="/live/sleepy/index.m3u8" autoplay'),
      "/mixed": element('src="/mixed.m3u8" autoplay'),
      "/mixed.m3u8": { body: '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="zzz1.1",RESOLUTION=64x36\n/none.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=300000,CODECS="avc1.42c00d",RESOLUTION=320x180\n/switch.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9000000,CODECS="dvh1.05.06",RESOLUTION=3840x2160\n/none.m3u8\n' },
      "/switch.m3u8": { body: `#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI="/vod/low/init.mp4"\n#EXTINF:2,\n/vod/low/0.m4s\n#EXTINF:2,\n/vod/low/1.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="/vod/other/init.mp4"\n#EXTINF:2,\n/vod/other/0.m4s\n#EXTINF:2,\n/vod/other/1.m4s\n#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="/vod/low/init.mp4"\n#EXTINF:2,\n/vod/low/2.m4s\n#EXT-X-ENDLIST\n` },
      "/told": element('src="/vod/told/index.m3u8"'),
      "/middle": element('src="/vod/index.m3u8" start-time="21.5" autoplay'),
      "/early": element('src="/live/a/index.m3u8" start-time="0" autoplay'),
      "/later": element('src="/vod/index.m3u8" preload="none"'),
      "/nothing": element('src="/vod/text/0.vtt" autoplay'),
      "/offline": element('src="/gone/index.m3u8" autoplay'),
      "/sampleaes": element('src="/sample.m3u8" autoplay'),
      "/sample.m3u8": { body: '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k",KEYFORMAT="com.apple.streamingkeydelivery"\n#EXTINF:2,\n/vod/low/0.m4s\n#EXT-X-ENDLIST\n' },
      "/chrome": MEDIA_CHROME,
    },
    broken: (path) => broken(path),
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
});

async function visit(t, path, expected) {
  const page = await visitPage(t, browser, site.origin + path, { expected });
  await page.waitForFunction(() => customElements.get("tidegate-player"));
  return page;
}

test("a recording is played with the properties, methods and events of a media element", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/vod");
  await page.evaluate(() => {
    globalThis.heard = [];
    const p = document.getElementById("p");
    for (const name of ["play", "playing", "pause", "timeupdate", "seeking", "seeked", "volumechange", "ratechange", "ended", "progress", "resize"]) p.addEventListener(name, () => heard.push(name));
  });
  await until(page, "p.readyState >= 3 && p.duration > 0");
  assert.equal(await ask(page, "p.paused"), true);
  assert.ok(Math.abs((await ask(page, "p.duration")) - 60) < 0.5);
  await ask(page, "p.play()");
  await until(page, "p.currentTime > 1");
  assert.equal(await ask(page, "p.streamType"), "on-demand");
  assert.ok(Number.isNaN(await ask(page, "p.targetLiveWindow")));
  await ask(page, "p.volume = .5, p.playbackRate = 1.5, p.currentTime = 56");
  await until(page, "p.currentTime > 56.5 && !p.seeking");
  assert.deepEqual(await ask(page, "[p.volume, p.playbackRate, p.muted, p.defaultMuted, p.ended, p.error, p.canPlayType('video/mp4') !== '']"), [0.5, 1.5, true, true, false, null, true]);
  assert.ok(await ask(page, "p.buffered.length > 0 && p.seekable.end(0) > 59 && p.played.length > 0 && p.videoHeight > 0 && p.textTracks.length === 1"));
  await until(page, "p.ended");
  assert.equal(await ask(page, "p.status"), "ended");
  const heard = new Set(await page.evaluate(() => heard));
  for (const name of ["play", "playing", "timeupdate", "seeking", "seeked", "volumechange", "ratechange", "ended"]) assert.ok(heard.has(name), `${name} is fired again`);
  await ask(page, "p.currentTime = 3, p.play()");
  await until(page, "p.currentTime > 3.5 && p.currentTime < 20 && !p.paused");
});

test("the first playlists are under way before the engine is there; none is asked for twice, and none is taken that is no longer fresh", { timeout: 60_000 }, async (t) => {
  // The engine comes as soon as all of them are asked for, and once more long after.
  for (const [ms, times] of [[0, 1], [2500, 2]]) {
    const page = await browser.newPage();
    t.after(() => page.close());
    const asked = [];
    let there = false;
    page.on("request", (request) => /\.m3u8$|\.m4s$/.test(request.url()) && asked.push({ path: new URL(request.url()).pathname, there }));
    await page.route("**/*.wasm", async (route) => {
      while (asked.length < 3 && !page.isClosed()) await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, ms));
      there = true;
      await route.continue();
    });
    await page.goto(`${site.origin}/auto`);
    await until(page, "p.currentTime > 0.3");
    const of = (path) => asked.filter((one) => one.path === path);
    assert.deepEqual(asked.slice(0, 3), ["/vod/index.m3u8", "/vod/low/index.m3u8", "/vod/en/index.m3u8"].map((path) => ({ path, there: false })), `engine after ${ms} ms`);
    assert.deepEqual(["/vod/index.m3u8", "/vod/low/index.m3u8", "/vod/en/index.m3u8"].map((path) => of(path).length), [1, times, times], `engine after ${ms} ms`);
  }
});

test("attributes and properties show each other, and what was set before the element was defined is kept", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/vod");
  const seen = await page.evaluate(() => {
    const p = document.createElement("tidegate-player");
    Object.assign(p, { src: "a.m3u8", autoplay: true, loop: true, playsInline: true, controls: true, poster: "/favicon.ico", preload: "none", crossOrigin: "use-credentials", latency: 3 });
    const early = document.createElement("div");
    const later = Object.assign(early, {});
    const old = document.createElement("tidegate-player");
    Object.defineProperty(old, "loop", { value: true, configurable: true, enumerable: true, writable: true });
    document.body.append(old);
    return { names: p.getAttributeNames().sort(), src: p.src, later: later === early, upgraded: old.hasAttribute("loop"), inner: p.video.getAttribute("crossorigin") };
  });
  assert.deepEqual(seen.names, ["autoplay", "controls", "crossorigin", "latency", "loop", "playsinline", "poster", "preload", "src"]);
  assert.deepEqual([seen.src, seen.upgraded, seen.inner], [`${site.origin}/a.m3u8`, true, "use-credentials"]);
});

test("qualities are listed, one can be kept to, and the player decides again", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/auto");
  await until(page, "p.videoRenditions.length === 2 && p.currentTime > .5");
  assert.deepEqual(await ask(page, "[...p.videoRenditions].map((r) => [r.id, r.width, r.height, r.bitrate, r.frameRate, r.codec])"), [
    ["0", 320, 180, 260_000, 15, "avc1.42c00d,mp4a.40.2"], ["1", 640, 360, 760_000, 15, "avc1.42c01e,mp4a.40.2"],
  ]);
  await ask(page, "p.videoRenditions.selectedIndex = 0, p.currentTime = 40");
  await until(page, "p.currentTime > 40.5 && p.videoHeight === 180");
  assert.deepEqual(await ask(page, "[p.videoRenditions[0].selected, p.videoRenditions[1].selected]"), [true, false]);
  await ask(page, "p.videoRenditions.selectedIndex = 1, p.currentTime = 10");
  await until(page, "p.currentTime > 10.5 && p.videoHeight === 360");
  await ask(page, "p.videoRenditions.selectedIndex = -1");
  assert.ok(await ask(page, "p.decisions().length > 0 && p.decisions()[0].rungs !== undefined"));
});

test("other sound takes over while the picture goes on", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/auto");
  await until(page, "p.audioTracks.length === 2 && p.currentTime > .5");
  assert.deepEqual(await ask(page, "[...p.audioTracks].map((a) => [a.label, a.language, a.kind, a.enabled])"), [["English", "en", "main", true], ["Deutsch", "de", "alternative", false]]);
  const before = site.asked.length;
  await ask(page, "p.audioTracks[1].enabled = true");
  const from = await ask(page, "p.currentTime");
  await until(page, `p.currentTime > ${from + 3}`);
  assert.ok(site.asked.slice(before).some((path) => path.startsWith("/vod/de/") && path.endsWith(".m4s")));
  assert.deepEqual(await ask(page, "[...p.audioTracks].map((a) => a.enabled)"), [false, true]);
});

test("what reads captions inside pictures is not loaded where there are none", async (t) => {
  const page = await visit(t, "/auto");
  await until(page, "p.currentTime > 1");
  assert.ok(!site.asked.includes("/player/tidegate-captions.js"));
});

test("captions are loaded once they are wanted, and shown at their time", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/auto");
  await until(page, "p.textTracks.length === 1 && p.currentTime > .5");
  assert.deepEqual(await ask(page, "[p.textTracks[0].kind, p.textTracks[0].label, p.textTracks[0].language]"), ["captions", "English", "en"]);
  assert.ok(!site.asked.includes("/vod/text/1.vtt"));
  await ask(page, "p.textTracks[0].mode = 'showing', p.currentTime = 21");
  await until(page, "p.currentTime > 21.2 && p.textTracks[0].activeCues?.length === 1");
  const [time, text, start] = await ask(page, "[p.currentTime, p.textTracks[0].activeCues[0].text, p.textTracks[0].activeCues[0].startTime]");
  assert.equal(text, `second <b>${Math.floor(start)}</b>`);
  assert.ok(Math.abs(start - Math.floor(time)) <= 1);
  await ask(page, "p.currentTime = 3");
  await until(page, "p.currentTime > 3.2 && p.textTracks[0].activeCues?.length === 1");
});

test("captions inside the pictures are found, and shown at their time", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/spoken");
  for (const label of ["CC1", "Service 1"]) await until(page, `[...p.video.textTracks].some(({ label }) => label === '${label}')`);
  // What came before somebody wanted captions is there too: a busy machine has played some of it by now.
  await page.evaluate(() => {
    const player = document.getElementById("p");
    const { video } = player;
    globalThis.shown = { CC1: new Map(), "Service 1": new Map() };
    for (const track of video.textTracks) {
      track.addEventListener("cuechange", () => { for (const { text, startTime, endTime, line } of track.activeCues ?? []) if (!shown[track.label].has(text)) shown[track.label].set(text, { startTime, endTime, line, at: video.currentTime }); });
      track.mode = "showing";
    }
    player.currentTime = 0;
  });
  await until(page, "p.currentTime > 6");
  const shown = await page.evaluate(() => Object.fromEntries(Object.entries(globalThis.shown).map(([label, texts]) => [label, [...texts]])));
  for (const [label, says, line] of [["CC1", /^SECOND (\d+)$/, 84.7], ["Service 1", /^Zweite (\d+) ♪$/, 20.7]]) {
    assert.ok(shown[label].length >= 4, JSON.stringify(shown));
    for (const [text, { startTime, endTime, line: at, at: seen }] of shown[label]) {
      const [, second] = says.exec(text) ?? assert.fail(text);
      // A busy browser is late with its events, but shows nothing outside its time.
      assert.ok(Math.abs(startTime - second) < 0.15 && seen > startTime - 0.1 && seen < endTime + 0.25, `${text} from ${startTime}, seen at ${seen}`);
      assert.ok(Math.abs(endTime - startTime - 1) < 0.1 && Math.abs(at - line) < 0.1, `${text} until ${endTime}, at ${at} %`);
    }
  }
  // Going back does not lose or double any.
  await ask(page, "(p.currentTime = 1.5)");
  await until(page, "p.currentTime > 2.5");
  for (const label of ["CC1", "Service 1"]) {
    const starts = await ask(page, `[...[...p.video.textTracks].find(({ label }) => label === '${label}').cues].map(({ startTime }) => startTime.toFixed(1))`);
    assert.equal(new Set(starts).size, starts.length, starts.join());
  }
  assert.ok(site.asked.includes("/player/tidegate-captions.js"));
});

test("messages inside media reach the page with their picture, once, and as texts", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/told");
  await ask(page, "(globalThis.heard = [], p.addEventListener('timedmetadata', ({ detail }) => heard.push({ ...detail, data: detail.data.length, at: p.currentTime })), p.play())");
  await until(page, "heard.length >= 3 && p.currentTime > 5.2");
  const heard = await ask(page, "heard");
  assert.deepEqual(heard.slice(0, 3).map(({ id, value, scheme, duration, frames }) => [id, value, scheme, duration, frames]),
    [0, 1, 2].map((at) => [at, "test", "https://aomedia.org/emsg/ID3", at % 2 ? 0 : 0.5, [{ id: "TXXX", description: "where", text: `<b>segment</b> ${at}` }]]));
  for (const { id, start, at } of heard) {
    // The list begins with 0, whatever the media says.
    assert.ok(Math.abs(start - (2 * id + 1)) < 0.2, `message ${id} is meant for ${start} s`);
    assert.ok(at > start - 0.1 && at < start + 1.5, `message ${id} of ${start} s was heard at ${at} s`);
  }
  assert.equal(await ask(page, "[...p.textTracks].filter(({ label }) => label === 'emsg').length"), 1);
  assert.equal(await ask(page, "p.shadowRoot.querySelectorAll('b').length"), 0);
});

test("a server that names the most it wants to carry is obeyed, but not against the viewer", { timeout: 60_000 }, async (t) => {
  const own = await serveContent({ folders: { "/player/": dist }, pages: { "/favicon.ico": { type: "image/x-icon", body: "" }, "/": element('src="/vod/index.m3u8" autoplay') }, headers: { "cmsd-dynamic": '"origin";mb=9000,"edge, near";etp=90000;mb=300' } });
  const page = await visitPage(t, browser, own.origin);
  t.after(() => own.close());
  await until(page, "p.decisions?.().length >= 6");
  assert.deepEqual(await ask(page, "[p.stats.rung, p.videoHeight, p.decisions().some(({ to }) => to > 0)]"), [0, 180, true], "the decisions want more, and are not followed");
  await ask(page, "(p.videoRenditions.selectedIndex = 1, undefined)");
  await until(page, "p.stats.rung === 1");
});

test("a recording that is encrypted with AES-128 is played, with values given and by number", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/locked");
  await until(page, "p.currentTime > 1");
  await ask(page, "p.currentTime = 40");
  await until(page, "p.currentTime > 41");
});

test("a live stream says that it is one, how far back it goes, and where its edge is", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/live");
  await until(page, "p.streamType === 'live' && p.currentTime > 1 && !p.paused");
  assert.equal(await ask(page, "p.targetLiveWindow"), Number.POSITIVE_INFINITY);
  assert.equal(await ask(page, "p.duration"), Number.POSITIVE_INFINITY);
  await until(page, "p.stats.atLiveEdge && p.currentTime >= p.liveEdgeStart");
  // What is heard between a seek and the event that says so is not taken for a picture that has fallen behind, after which a player goes
  // to live, though not in its first seconds.
  await until(page, "performance.now() > 4000");
  await ask(page, "p.currentTime = 2, p.video.dispatchEvent(new Event('timeupdate'))");
  await until(page, "p.currentTime < 8 && p.currentTime > 2.2 && p.currentTime < p.liveEdgeStart && !p.stats.atLiveEdge");
  await ask(page, "p.goLive()");
  await until(page, "p.currentTime >= p.liveEdgeStart && p.stats.atLiveEdge");
});

test("a live stream of a short window cannot be gone back in", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/window");
  await until(page, "p.streamType === 'live' && p.currentTime > 1");
  assert.equal(await ask(page, "p.targetLiveWindow"), 0);
});

test("start-time says where a recording and a live stream begin", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/middle");
  await until(page, "p.currentTime > 21.4 && !p.paused && p.getVideoPlaybackQuality().totalVideoFrames > 0");
  // Before its first seek a browser takes 0 for played.
  const begun = await ask(page, "p.played.start(p.played.length - 1)");
  assert.ok(begun > 21.4, `it begins at ${begun} s`);
  assert.equal(await ask(page, "p.startTime"), 21.5);
  const live = await visit(t, "/early");
  await until(live, "p.streamType === 'live' && p.currentTime > .5 && !p.paused");
  assert.ok((await ask(live, "p.played.start(p.played.length - 1) - p.seekable.start(0)")) < 1);
  assert.equal(await ask(live, "p.stats.atLiveEdge"), false);
});

test("preload none asks for nothing before play", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/later");
  const before = site.asked.length;
  await page.waitForTimeout(500);
  assert.deepEqual(site.asked.slice(before).filter((path) => path.startsWith("/vod/")), []);
  assert.equal(await ask(page, "p.status"), "idle");
  await ask(page, "void p.play()");
  await until(page, "p.currentTime > .5 && p.status === 'playing'");
});

test("errors have a type, and loading again mends what can be mended", { timeout: 90_000 }, async (t) => {
  const nothing = await visit(t, "/nothing", /tidegate-player/);
  await until(nothing, "p.error");
  assert.deepEqual(await ask(nothing, "[p.error.code, p.error.reason, p.status]"), [4, "playlist", "error"]);
  await ask(nothing, "(p.src = '/vod/index.m3u8', undefined)");
  await until(nothing, "p.error === null && p.currentTime > .5");
  const locked = await visit(t, "/sampleaes", /tidegate-player/);
  await until(locked, "p.error");
  assert.equal(await ask(locked, "p.error.reason"), "protected");
  const offline = await visit(t, "/offline", /404/);
  await until(offline, "p.status === 'offline'");
});

test("another codec behind a discontinuity is decoded, and rungs that the browser cannot play are no rungs", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/mixed");
  await until(page, "p.currentTime > .5");
  assert.deepEqual(await ask(page, "[...p.videoRenditions].map(({ height }) => height)"), [180]);
  await until(page, "p.ended", 40_000);
  const [end, shown] = await ask(page, "[p.currentTime, p.getVideoPlaybackQuality().totalVideoFrames]");
  assert.ok(Math.abs(end - 10) < 0.5, `it ends at ${end} s`);
  assert.ok(shown > 120, `${shown} pictures of 150`);
});

test("a storm of seeks ends where the last one led, and asks for no more than it needs", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/auto");
  await until(page, "p.currentTime > .5");
  const before = site.asked.length;
  await ask(page, `(async () => { for (let n = 0; n < 60; n++) { p.currentTime = (n * 17.3) % 58; await new Promise((resolve) => setTimeout(resolve, n % 7 * 5)); } p.currentTime = 31; })()`);
  await until(page, "p.currentTime > 32 && p.currentTime < 36 && !p.seeking && p.status === 'playing'");
  const asked = site.asked.length - before;
  t.diagnostic(`${asked} requests for 61 seeks`);
  assert.ok(asked < 61 * 6, `${asked} requests`);
});

test("a tab that sleeps goes on near live when it wakes", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/sleepy");
  await until(page, "p.currentTime > 1 && p.stats.live");
  const client = await page.context().newCDPSession(page);
  const requests = () => site.asked.filter((path) => path.startsWith("/live/sleepy/")).length;
  const [asleep, latency] = [await ask(page, "p.currentTime"), "p.stats.edgeDistance - p.stats.target"];
  // What Chromium calls frozen goes on in a tab that is shown: its scripts are held instead.
  await client.send("Debugger.enable");
  await client.send("Debugger.pause");
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const before = requests();
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  // Six segments came into being meanwhile, and who is awake asks for a playlist every second or two.
  assert.ok(requests() - before < 2, `${requests() - before} requests in its sleep`);
  await client.send("Debugger.resume");
  await client.send("Debugger.disable");
  await until(page, `p.status === 'playing' && !p.seeking && p.readyState >= 3 && ${latency} < 4`);
  const from = await ask(page, "p.currentTime");
  assert.ok(from > asleep + 8, `it slept at ${asleep} s for 12 s and went on at ${from} s`);
  await until(page, `p.currentTime > ${from} + 1`);
});

test("what never ends is cut off: a playlist is not had, a segment is passed over", { timeout: 120_000 }, async (t) => {
  const endless = await visit(t, "/endless");
  await until(endless, "p.status === 'offline'", 60_000);
  const page = await visit(t, "/grows", /413/);
  await until(page, "p.currentTime > 4.3", 90_000);
  // 16 MiB of a playlist and 64 of a segment are read; what is on its way when that is cut off comes on top: of a server on this machine and a
  // browser that has no turn for a moment that was 46 MiB once. Without the cut the server sends gigabytes.
  for (const [path, most] of [["/endless.m3u8", 16], ["/grows.m4s", 64]]) {
    const given = site.sent.filter(({ pathname }) => pathname === path).map(({ bytes, left }) => ({ MiB: bytes / (1 << 20), left }));
    t.diagnostic(`${path}: ${given.map(({ MiB, left }) => MiB.toFixed(1) + (left ? "" : "…")).join(", ")} MiB`);
    // The first page asks again and again: one may be on its way.
    const fits = ({ MiB, left }) => MiB < most + 96 && (MiB > most - 1 || !left);
    assert.ok(given.some(({ left }) => left) && given.length < 12 && given.every(fits), `${path}: ${JSON.stringify(given)}`);
  }
  // What was thrown away is kept until the browser looks, 133 MiB of it once: nothing of it may be left.
  await (await page.context().newCDPSession(page)).send("HeapProfiler.collectGarbage");
  const heap = (await ask(page, "performance.memory.usedJSHeapSize")) / (1 << 20);
  t.diagnostic(`heap: ${heap.toFixed(1)} MiB`);
  assert.ok(heap < 16, `${heap} MiB`);
});

test("nothing that a playlist says becomes markup or runs", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/hostile", /./);
  page.on("dialog", (dialog) => assert.fail(`a dialog: ${dialog.message()}`));
  await ask(page, "(p.setAttribute('controls', ''), undefined)");
  await until(page, "p.error || p.status === 'offline' || p.audioTracks.length", 45_000);
  await page.waitForTimeout(2_000);
  const made = "document.querySelectorAll('img, b, script:not([src])').length + p.shadowRoot.querySelectorAll('img, b, script').length";
  assert.equal(await ask(page, made), 0);
  // The same where it is shown: in the menu of a stream that plays.
  const named = await visit(t, "/named");
  named.on("dialog", (dialog) => assert.fail(`a dialog: ${dialog.message()}`));
  await until(named, "p.audioTracks.length === 2 && p.currentTime > .5");
  const part = (name) => `p.shadowRoot.querySelector('[part~="${name}"]')`;
  await ask(named, `${part("settings")}.click()`);
  await until(named, part("menu"));
  const shown = await ask(named, `${part("menu")}.textContent`);
  for (const name of NAMES) assert.ok(shown.includes(name), `${name} in ${shown}`);
  assert.equal(await ask(named, made), 0);
});

test("a server that fails for a while costs a wait and a word, and the picture goes on", { timeout: 120_000 }, async (t) => {
  const page = await visit(t, "/window2", /503/);
  await until(page, "p.currentTime > 1");
  broken = (path) => (path.startsWith("/window/") ? 503 : 0);
  t.after(() => (broken = () => 0));
  await until(page, "p.status === 'trouble'", 60_000);
  broken = () => 0;
  const from = await ask(page, "p.currentTime");
  await until(page, `p.status === 'playing' && p.currentTime > ${from} + .5`);
});

test("where script cannot feed the element the browser's own HLS takes over", { timeout: 60_000 }, async (t) => {
  const page = await browser.newPage();
  t.after(() => page.close());
  // As on iPhones before iOS 17.1. What this browser has in place of HLS of its own is a file.
  await page.addInitScript(() => {
    delete globalThis.MediaSource;
    HTMLMediaElement.prototype.canPlayType = () => "maybe";
  });
  await page.goto(`${site.origin}/own`);
  await until(page, "p.status === 'playing' && p.currentTime > 0.5");
  assert.equal(await ask(page, "p.video.currentSrc"), `${site.origin}/vod/indexed.mp4`);
  assert.equal(await ask(page, "p.streamType"), "on-demand");
  await ask(page, "p.remove()");
  assert.equal(await page.evaluate(() => document.querySelectorAll("video").length), 0);
});

test("a browser that manages its media source is fed, and hands the playlist to another screen", { timeout: 90_000 }, async (t) => {
  const managed = async (hls) => {
    const page = await browser.newPage();
    t.after(() => page.close());
    await page.addInitScript((hls) => {
      globalThis.ManagedMediaSource = MediaSource;
      delete globalThis.MediaSource;
      if (!hls) return;
      globalThis.WebKitPlaybackTargetAvailabilityEvent = Event;
      const own = HTMLMediaElement.prototype.canPlayType;
      HTMLMediaElement.prototype.canPlayType = function (type) { return type === "application/vnd.apple.mpegurl" ? "maybe" : own.call(this, type); };
    }, hls);
    await page.goto(`${site.origin}/auto`);
    await until(page, "p.currentTime > 1 && p.status === 'playing'");
    return page;
  };
  const alone = await managed(false);
  assert.deepEqual(await ask(alone, "[p.video.disableRemotePlayback, p.video.querySelectorAll('source').length]"), [true, 0]);
  await alone.close();
  const page = await managed(true);
  assert.deepEqual(await ask(page, "[p.video.disableRemotePlayback, ...[...p.video.querySelectorAll('source')].map(({ type, src }) => type === 'video/mp4' ? src.split(':')[0] : new URL(src).pathname)]"), [false, "blob", "/vod/index.m3u8"]);
  // Another screen has taken it: nothing more is asked for here.
  const wireless = (is) => page.evaluate((is) => {
    const { video } = document.getElementById("p");
    video.webkitCurrentPlaybackTargetIsWireless = is;
    video.dispatchEvent(new Event("webkitcurrentplaybacktargetiswirelesschanged"));
  }, is);
  await wireless(true);
  await page.waitForTimeout(500);
  const before = site.asked.length;
  await page.waitForTimeout(1_500);
  assert.equal(site.asked.length, before);
  await wireless(false);
  await until(page, "p.stats && p.currentTime > 1 && p.status === 'playing' && p.video.querySelectorAll('source').length === 2");
});

test("a browser that keeps little goes on with little", { timeout: 60_000 }, async (t) => {
  const page = await browser.newPage();
  t.after(() => page.close());
  await page.addInitScript(() => {
    globalThis.refused = 0;
    const append = SourceBuffer.prototype.appendBuffer;
    SourceBuffer.prototype.appendBuffer = function (bytes) {
      const { length } = this.buffered;
      if (length > 0 && this.buffered.end(length - 1) - this.buffered.start(0) > 14) {
        refused++;
        throw new DOMException("full", "QuotaExceededError");
      }
      append.call(this, bytes);
    };
  });
  await page.goto(`${site.origin}/auto`);
  // Further than what fits at once.
  await until(page, "p.currentTime > 20", 50_000);
  const [refused, stalls, status] = await ask(page, "[globalThis.refused, p.stats.stalls, p.status]");
  t.diagnostic(`${refused} refusals, ${stalls} stalls`);
  assert.ok(refused > 0);
  assert.equal(status, "playing");
  assert.equal(stalls, 0);
});

test("nothing is left behind when the element goes, and it begins again when it comes back", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/auto");
  await until(page, "p.currentTime > .5");
  await page.evaluate(() => {
    globalThis.kept = document.getElementById("p");
    kept.remove();
  });
  // What was on its way arrives all the same.
  await page.waitForTimeout(500);
  const before = site.asked.length;
  await page.waitForTimeout(1_500);
  assert.equal(site.asked.length, before, "no requests without the element");
  await page.evaluate(() => document.body.append(kept));
  await until(page, "p.currentTime > .5 && !p.paused");
  assert.equal(await page.evaluate(() => document.cookie), "");
});

test("media-chrome takes it as its media", { timeout: 90_000 }, async (t) => {
  const page = await visit(t, "/chrome");
  await until(page, "p.streamType === 'live' && p.currentTime > 1");
  const controller = (expression) => page.waitForFunction((text) => new Function("c", `return ${text}`)(document.querySelector("media-controller")), expression, { timeout: 30_000, polling: 100 });
  await controller("c.hasAttribute('mediastreamtype') && c.getAttribute('mediastreamtype') === 'live'");
  await controller("c.getAttribute('mediatargetlivewindow') === 'Infinity' && c.hasAttribute('mediatimeislive')");
  await controller("c.querySelector('media-rendition-menu').mediaRenditionList?.length === 2");
  await controller("c.querySelector('media-audio-track-menu').mediaAudioTrackList?.length === 2");
  await controller("c.querySelector('media-captions-button').mediaSubtitlesList?.length === 1");
  await page.click("media-play-button");
  await until(page, "p.paused");
  await page.click("media-play-button");
  await until(page, "!p.paused");
  await ask(page, "p.currentTime = 2");
  await controller("!c.hasAttribute('mediatimeislive')");
  await page.click("media-live-button");
  await controller("c.hasAttribute('mediatimeislive')");
});

test("the module can be imported where there is no document", async () => {
  const module = await import(new URL("../../player-wasm/element/dist/tidegate-player.js", import.meta.url));
  assert.equal(typeof module.TidegatePlayer, "function");
  assert.deepEqual(module.LANGUAGES, ["en", "de", "fr", "es", "pt", "ja", "zh", "ar"]);
});
