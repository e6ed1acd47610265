// DASH in <tidegate-player>: every way of naming segments, periods, live, and manifests of the world.
import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { open } from "./chromium.mjs";
import { chunksOf, content, serveContent } from "./content.mjs";
import { ask, until, visit as visitPage } from "./visit.mjs";

const dist = fileURLToPath(new URL("../../player-wasm/element/dist/", import.meta.url));
const world = fileURLToPath(new URL("../../../shared/playlists/", import.meta.url));
const element = (src) => `<!doctype html><html lang="en"><title>x</title><script type="module" src="/player/tidegate-player.js"></script>
<tidegate-player id="p" muted autoplay style="width:480px;height:270px" src="${src}"></tidegate-player>`;

const mpd = (attributes, periods) => ({ type: "application/dash+xml", body: `<?xml version="1.0" encoding="UTF-8"?>\n<!-- made for a test -->\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" ${attributes}>${periods}</MPD>` });
/** Pictures of two rungs and two kinds of sound, by number. */
const numbered = (attributes = "", until = Number.POSITIVE_INFINITY) => `<Period ${attributes}>
<AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate duration="2" startNumber="0" media="$RepresentationID$/$Number$.m4s" initialization="$RepresentationID$/init.mp4"/>
<Representation id="tall" bandwidth="600000" codecs="avc1.42c01e" width="640" height="360" frameRate="15"/><Representation id="low" bandwidth="150000" codecs="avc1.42c00d" width="320" height="180" frameRate="15"/></AdaptationSet>
${["en", "de"].map((id) => `<AdaptationSet mimeType="audio/mp4" lang="${id}"><Representation id="${id}" bandwidth="64000" codecs="mp4a.40.2">${timeline(id, until)}</Representation></AdaptationSet>`).join("")}
<AdaptationSet contentType="text" mimeType="text/vtt" lang="en"><Representation id="vtt" bandwidth="100"><BaseURL>text/0.vtt</BaseURL></Representation></AdaptationSet></Period>`;

/** Sound is no round number of seconds long: its segments as its own playlist has them, those that are over after so many seconds. */
function timeline(id, until) {
  const durations = readFileSync(join(content(), id, "index.m3u8"), "utf8").matchAll(/#EXTINF:([\d.]+)/g);
  let end = 0;
  const there = [...durations].filter(([, s]) => (end += Number(s)) <= until);
  const entries = there.map(([, s]) => `<S d="${Math.round(s * 48_000)}"/>`).join("");
  return `<SegmentTemplate timescale="48000" startNumber="0" media="${id}/$Number%01d$.m4s" initialization="${id}/init.mp4"><SegmentTimeline>${entries}</SegmentTimeline></SegmentTemplate>`;
}

/** Pictures as ranges of one file. */
function listed() {
  const list = readFileSync(join(content(), "high", "index.m3u8"), "utf8");
  const range = (text) => text.split("@").map(Number).reduce((length, first) => `${first}-${first + length - 1}`);
  const init = range(/BYTERANGE="([^"]*)"/.exec(list)[1]);
  const media = [...list.matchAll(/#EXT-X-BYTERANGE:(.*)/g)].map(([, text]) => `<SegmentURL mediaRange="${range(text)}"/>`).join("");
  const file = /URI="([^"]*)"/.exec(list)[1];
  return `<Period><AdaptationSet contentType="video" mimeType="video/mp4"><Representation id="x" bandwidth="600000" codecs="avc1.42c01e" width="640" height="360"><BaseURL>high/${file}</BaseURL><SegmentList duration="2"><Initialization range="${init}"/>${media}</SegmentList></Representation></AdaptationSet></Period>`;
}

/** Pictures in a file with an index; where it lies is looked up in the file. */
function indexed() {
  const file = readFileSync(join(content(), "indexed.mp4"));
  let [at, init, index] = [0, "", ""];
  while (!index) {
    const [size, name] = [file.readUInt32BE(at), file.toString("latin1", at + 4, at + 8)];
    if (name === "moov") init = `0-${at + size - 1}`;
    if (name === "sidx") index = `${at}-${at + size - 1}`;
    at += size;
  }
  return `<Period duration="PT1M"><AdaptationSet mimeType="video/mp4"><Representation id="x" bandwidth="150000" codecs="avc1.42c00d" width="320" height="180"><BaseURL>indexed.mp4</BaseURL><SegmentBase indexRange="${index}"><Initialization range="${init}"/></SegmentBase></Representation></AdaptationSet></Period>`;
}

/** Pictures and sound that come while they are made, in chunks of half a second; the first rung says so with its address, as some do. */
const coming = () => `<Period start="PT0S">${[["video", "low", 'bandwidth="150000" codecs="avc1.42c00d" width="320" height="180"'], ["video", "tall", 'bandwidth="600000" codecs="avc1.42c01e" width="640" height="360"'], ["audio", "en", 'bandwidth="64000" codecs="mp4a.40.2"']]
  .map(([kind, id, about], at) => [kind, `<Representation id="${id}" ${about}>${at ? "" : `<BaseURL ${EARLY}>./</BaseURL>`}<SegmentTemplate duration="2" ${at ? EARLY : ""} media="/coming/${id}/$Number$.m4s" initialization="/vod/chunked/${id}/init.mp4"/></Representation>`])
  .map(([kind, one], at, all) => (kind === all[at - 1]?.[0] ? "" : `<AdaptationSet mimeType="${kind}/mp4">`) + one + (kind === all[at + 1]?.[0] ? "" : "</AdaptationSet>")).join("")}</Period>`;
const EARLY = 'availabilityTimeOffset="1.5" availabilityTimeComplete="false"';

/** What came of requests for segments of that: number, when, and what was wrong with it. */
const askedFor = [];
/** Sends each chunk when it is over, and nothing before the first one is. */
function send(pathname, response) {
  const [, id, number] = /^\/coming\/(\w+)\/(\d+)\.m4s$/.exec(pathname) ?? [];
  if (!id) return false;
  const chunks = chunksOf(readFileSync(join(content(), "chunked", id, `${number}.m4s`)));
  const start = begins("coming") + (number - 1) * 2000;
  const early = start + 500 - Date.now();
  const one = { id, number: Number(number), early, left: false };
  askedFor.push(one);
  response.on("close", () => { one.left = !response.writableFinished; });
  response.writeHead(early > 20 ? 404 : 200, { "access-control-allow-origin": "*", "content-type": "video/mp4", "cache-control": "no-store" });
  if (early > 20) return Boolean(response.end());
  response.flushHeaders();
  chunks.forEach((chunk, at) => setTimeout(() => (at + 1 < chunks.length ? response.write(chunk) : response.end(chunk)), start + (at + 1) * 500 - Date.now()));
  return true;
}

let browser, site;
const begun = new Map();
/** When a live stream began: there is a minute of media, of which 24 s are over when it is first asked for. */
const begins = (name) => begun.get(name) ?? begun.set(name, Date.now() - 24_000).get(name);

before(async () => {
  const whole = 'type="static" mediaPresentationDuration="PT60S"';
  // The second period begins where its pictures do in their file.
  const two = `<Period id="a" duration="PT20S"><AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate duration="2" startNumber="0" media="low/$Number$.m4s" initialization="low/init.mp4"/><Representation id="low" bandwidth="150000" codecs="avc1.42c01e" width="320" height="180"/></AdaptationSet></Period>
<Period id="b" duration="PT10S"><AdaptationSet contentType="video" mimeType="video/mp4"><SegmentTemplate duration="2" startNumber="5" presentationTimeOffset="10" media="tall/$Number$.m4s" initialization="tall/init.mp4"/><Representation id="other" bandwidth="600000" codecs="avc1.42c01e" width="640" height="360"/></AdaptationSet></Period>`;
  const bodies = { "/vod/numbered.mpd": mpd(whole, numbered()), "/vod/listed.mpd": mpd(whole, listed()), "/vod/indexed.mpd": mpd(whole, indexed()), "/vod/two.mpd": mpd('type="static" mediaPresentationDuration="PT30S"', two) };
  const live = () => mpd(`type="dynamic" availabilityStartTime="${new Date(begins("live")).toISOString()}" minimumUpdatePeriod="PT2S" timeShiftBufferDepth="PT12S" suggestedPresentationDelay="PT6S"`,
    `<UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/now"/>${numbered('start="PT0S"', (Date.now() - begins("live")) / 1000).replace(/<AdaptationSet contentType="text".*<\/AdaptationSet>/, "")}`);
  const early = () => mpd(`type="dynamic" availabilityStartTime="${new Date(begins("coming")).toISOString()}" minimumUpdatePeriod="PT10S" timeShiftBufferDepth="PT12S"`,
    `<ServiceDescription><Latency target="1800"/></ServiceDescription><UTCTiming schemeIdUri="urn:mpeg:dash:utc:http-iso:2014" value="/now"/>${coming()}`);
  site = await serveContent({
    own: send,
    folders: { "/player/": dist },
    pages: {
      ...bodies,
      "/favicon.ico": { type: "image/x-icon", body: "" },
      "/numbered": element("/vod/numbered.mpd"), "/listed": element("/vod/listed.mpd"), "/indexed": element("/vod/indexed.mpd"), "/two": element("/vod/two.mpd"), "/moving": element("/vod/live.mpd"), "/coming": element("/vod/coming.mpd"),
      "/world": '<!doctype html><title>x</title>',
      get "/vod/live.mpd"() { return live(); },
      get "/vod/coming.mpd"() { return early(); },
      get "/now"() { return { type: "text/plain", body: new Date().toISOString() }; },
    },
  });
  browser = await open();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  site?.close();
});

const visit = (t, path) => visitPage(t, browser, site.origin + path);

test("a recording by numbers plays, with its rungs, its sounds, its captions and places to go to", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/numbered");
  await until(page, "p.currentTime > 1");
  assert.ok(Math.abs((await ask(page, "p.duration")) - 60) < 0.5);
  assert.equal(await ask(page, "p.streamType"), "on-demand");
  assert.deepEqual(await ask(page, "[...p.videoRenditions].map(({ height, frameRate }) => [height, frameRate])"), [[180, 15], [360, 15]]);
  assert.deepEqual(await ask(page, "[...p.audioTracks].map(({ language, enabled }) => [language, enabled])"), [["en", true], ["de", false]]);
  assert.deepEqual(await ask(page, "[...p.video.textTracks].filter(({ kind }) => kind === 'subtitles').map(({ language }) => language)"), ["en"]);
  assert.equal(await ask(page, "p.stats.programDateTime"), null);
  await ask(page, "(p.currentTime = 57)");
  await until(page, "p.currentTime > 57.5 && !p.seeking && p.readyState >= 3");
  await until(page, "p.ended");
});

test("recordings that list ranges, or have an index, play", { timeout: 90_000 }, async (t) => {
  for (const path of ["/listed", "/indexed"]) {
    const page = await visit(t, path);
    await until(page, "p.currentTime > 1");
    assert.ok(Math.abs((await ask(page, "p.duration")) - 60) < 0.5, path);
    await ask(page, "(p.currentTime = 41)");
    await until(page, "p.currentTime > 41.5 && p.readyState >= 3");
  }
});

test("one period follows the other", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/two");
  await until(page, "p.duration > 0 && p.readyState >= 3");
  assert.ok(Math.abs((await ask(page, "p.duration")) - 30) < 0.5);
  await ask(page, "(p.currentTime = 18)");
  await until(page, "p.currentTime > 18.2 && p.video.videoHeight === 180");
  await until(page, "p.currentTime > 21 && p.video.videoHeight === 360");
  assert.ok((await ask(page, "p.currentTime")) < 26, "the second period begins at 20 s");
});

test("a live stream is followed by the clock that it names", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/moving");
  await until(page, "p.currentTime > 0 && p.stats?.live");
  const from = await ask(page, "p.currentTime");
  await page.waitForTimeout(6_000);
  const { latency, moved, stalls } = await ask(page, `({ latency: p.stats.latency, moved: p.currentTime - ${from}, stalls: p.stats.stalls })`);
  t.diagnostic(`latency ${latency?.toFixed(1)} s`);
  assert.ok(moved > 4, `${moved} s in 6`);
  assert.ok(latency > 2 && latency < 12, `${latency} s`);
  assert.equal(stalls, 0);
});

test("segments that come while they are made are played while they come, and asked for once", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/coming");
  await until(page, "p.currentTime > 0 && p.stats?.live && !p.paused");
  const from = await ask(page, "p.currentTime");
  await page.waitForTimeout(8_000);
  const { latency, moved, stalls } = await ask(page, `({ latency: p.stats.latency, moved: p.currentTime - ${from}, stalls: p.stats.stalls })`);
  t.diagnostic(`latency ${latency?.toFixed(2)} s, stalls ${stalls}`);
  // A busy machine may make it stand for a moment.
  assert.ok(moved > 6 && stalls <= 1, `${moved} s in 8, ${stalls} stalls`);
  // A whole segment and a half would be three seconds. Who began late on a busy machine catches up by a tenth of a second each second.
  assert.ok(latency > 0.8, `${latency} s`);
  await until(page, "p.stats.latency < 2.4", 30_000);
  await until(page, "p.stats.rung === 1");
  assert.deepEqual(askedFor.filter(({ early }) => early > 20), [], "nothing is asked for before it is there");
  const whole = askedFor.filter(({ left }) => !left).map(({ id, number }) => `${id} ${number}`);
  assert.equal(new Set(whole).size, whole.length, whole.join());
  assert.ok(askedFor.filter(({ early }) => early > -1500).length >= 6, "most come while they are made");
});

test("sequences of parts become parts, as far as the clock says that they are there", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/world");
  const text = readFileSync(new URL("../../functions/core/dash/src/golden/low_latency.mpd", import.meta.url), "utf8").replace(/<UTCTiming[^>]*>/, "");
  const at = (s, text, asked = "https://media.example/a/low-latency.mpd#video 0 source") => page.evaluate(async ([now, text, asked]) => {
    const { Mpd } = await import("/player/npm/mpd.js");
    Date.now = () => now;
    const began = performance.now();
    const list = await new Mpd(false, String).playlist(asked, "https://media.example/a/low-latency.mpd", text);
    return { list, lines: list.split("\n"), ms: performance.now() - began };
  }, [Date.parse("2026-09-21T14:13:20Z") + s * 1000, text, asked]);
  const newest = ({ lines }) => lines.slice(-5).filter((line) => line && !line.includes("DATE-TIME")).map((line) => line.replace("https://media.example/a/source/", ""));
  const open = await at(40.9, text);
  assert.match(open.list, /CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1\.336\n/, "what comes late to the list is taken off");
  assert.match(open.list, /PART-TARGET=0\.500000\n/);
  assert.equal(open.lines.filter((line) => line.startsWith("#EXT-X-PART:")).length, 7 * 4 + 1);
  assert.equal(open.lines.filter((line) => line.includes("INDEPENDENT=YES")).length, 8);
  assert.deepEqual(newest(open).slice(-2), ['#EXT-X-PART:DURATION=0.500000,URI="20.0.m4s",INDEPENDENT=YES', '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="20.1.m4s"']);
  // The MPD may be as old as it says: the next segment begins where this one ends, since all are alike.
  assert.deepEqual(newest(await at(42.3, text)).slice(-2), ["20.0.m4s", '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="21.0.m4s"']);
  assert.deepEqual(newest(await at(42.8, text)).slice(-1), ['#EXT-X-PRELOAD-HINT:TYPE=PART,URI="21.1.m4s"']);
  // Where they are not, the list waits for the MPD.
  const uneven = text.replace('<S t="780000" d="60000" r="7" k="4"/>', '<S t="780000" d="60000" r="5" k="4"/><S t="1140000" d="45000" k="3"/><S t="1185000" d="60000" k="4"/>');
  assert.deepEqual(newest(await at(45, uneven)).slice(-2), ['#EXT-X-PART:DURATION=0.500000,URI="20.3.m4s"', '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="21.0.m4s"']);
  for (const hostile of ['<S t="0" d="1" r="-1" k="4000000000"/>', '<S t="0" d="60000" r="99999999" k="99999999"/>', '<S t="x" d="-5" k="-1"/>', '<S t="780000" d="60000" r="7" k="0"/>']) {
    const { lines, ms } = await at(41, text.replace(/<S t="780000"[^>]*>/, hostile));
    assert.ok(lines.length < 60_000 && ms < 5_000, `${hostile}: ${lines.length} lines in ${ms} ms`);
  }
});

test("an MPD that is asked for anew tells what other requests tell", { timeout: 60_000 }, async (t) => {
  const page = await visit(t, "/world");
  const text = readFileSync(new URL("../../functions/core/dash/src/golden/low_latency.mpd", import.meta.url), "utf8").replace(/<UTCTiming[^>]*>/, "");
  const asked = await page.evaluate(async ([now, text]) => {
    const { Mpd } = await import("/player/npm/mpd.js");
    const asked = [];
    globalThis.fetch = (url) => (asked.push(String(url)), Promise.reject(new Error("away")));
    Date.now = () => now;
    const url = "https://media.example/a/low-latency.mpd";
    const reader = new Mpd(false, (address) => `${address}?CMCD=ot%3Dm`);
    await reader.playlist(`${url}#video 0 source`, url, text);
    await reader.ahead(`${url}?_HLS_msn=21&_HLS_part=0#video 0 source`, new AbortController().signal);
    return asked;
  }, [Date.parse("2026-09-21T14:13:20Z") + 42_300, text]);
  assert.deepEqual(asked, ["https://media.example/a/low-latency.mpd?CMCD=ot%3Dm"]);
});

test("manifests of the world become lists with rungs and segments", { timeout: 60_000 }, async (t) => {
  const files = existsSync(world) ? readdirSync(world, { recursive: true }).filter((name) => name.endsWith(".mpd")) : [];
  if (files.length === 0) return t.skip("shared/playlists is not here");
  const page = await visit(t, "/world");
  // Indexes lie on hosts of others, which tests do not ask.
  await page.evaluate(() => (globalThis.fetch = () => Promise.reject(new Error("no fetch"))));
  const empty = [];
  for (const name of files) {
    const { refused, rungs, segments, dynamic } = await page.evaluate(async (text) => {
      const { Mpd } = await import("/player/npm/mpd.js");
      const reader = new Mpd(false, String);
      const url = "https://media.example/a/manifest.mpd";
      // Two of them are broken on purpose, and one is cut off.
      if (new DOMParser().parseFromString(text, "application/xml").querySelector("parsererror")) return { refused: await reader.playlist(url, url, text) };
      if (!reader.reads(text)) return { rungs: 0, segments: 0 };
      const all = await reader.playlist(url, url, text);
      const addresses = all.split("\n").filter((line) => line && !line.startsWith("#"));
      const counts = [];
      for (const address of addresses) {
        const list = await reader.playlist(address, url, text).catch((error) => String(error));
        if (!list.startsWith("#EXTM3U") && !/no index|fetch/.test(list)) throw new Error(list);
        counts.push(list.split("\n").filter((line) => line.startsWith("#EXTINF")).length + (/no index|fetch/.test(list) ? 1 : 0));
      }
      return { rungs: addresses.length, segments: Math.min(...counts), dynamic: text.includes('type="dynamic"') };
    }, readFileSync(join(world, name), "utf8"));
    if (refused !== undefined) {
      assert.equal(refused, "", name);
      continue;
    }
    // What was live when it was recorded may have nothing left by today's clock.
    if (rungs === 0 || (segments === 0 && !dynamic)) empty.push(`${name}: ${rungs} rungs, ${segments} segments`);
  }
  t.diagnostic(`${files.length} manifests, ${empty.length} without rungs or segments`);
  assert.deepEqual(empty, []);
});
