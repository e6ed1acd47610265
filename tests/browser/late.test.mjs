// An encoder whose machine stands still for a while and which then sends on without catching up: from there on everything comes later. Dates
// say when something was seen, so they step. Who begins to watch while that is listed has to find the picture all the same.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { open } from "./chromium.mjs";
import { ffmpeg } from "./content.mjs";
import { playing } from "./glass.mjs";
import { page as hlsPage } from "./hlsjs.mjs";
import { up } from "./platform.mjs";

const PROMPT_MS = 8_000;
const LATE_MS = 4_000;
const STEPS_MS = 60_000;
let browser, platform, source;

before(async () => {
  [platform, browser] = await Promise.all([up("--no-demo", "--ladder", "none"), open()]);
  source = publish(`${platform.rtmp}/${platform.key}`);
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  source?.stop();
  await platform?.stop();
});

/** Makes a picture with sound in real time and sends it on, after a while everything later. */
function publish(address) {
  const quiet = ["-v", "error"];
  const picture = ["-nostdin", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"];
  const codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "60", "-c:a", "aac", "-b:a", "64k"];
  const camera = spawn(ffmpeg, [...quiet, ...picture, ...codecs, "-f", "flv", "-flush_packets", "1", "pipe:1"], { stdio: ["ignore", "pipe", "inherit"] });
  const encoder = spawn(ffmpeg, [...quiet, "-probesize", "32768", "-f", "flv", "-i", "pipe:0", "-c", "copy", "-f", "flv", address], { stdio: ["pipe", "inherit", "inherit"] });
  encoder.stdin.on("error", () => {});
  const begun = performance.now();
  camera.stdout.on("data", (bytes) => {
    setTimeout(() => encoder.stdin.write(bytes), performance.now() - begun < PROMPT_MS ? 0 : LATE_MS);
  });
  return { stop: () => [camera, encoder].forEach((child) => child.kill("SIGKILL")) };
}

/** The segments of a playlist, and by how much each begins later than the one before it ends, in s. */
function segments(text) {
  const [, ...all] = text.split(/(?=#EXT-X-PROGRAM-DATE-TIME:)/);
  let ends;
  return all.flatMap((lines) => {
    const seconds = Number(/#EXTINF:([\d.]+)/.exec(lines)?.[1]);
    const begins = Date.parse(/DATE-TIME:(\S+)/.exec(lines)[1]) / 1000;
    const step = begins - (ends ?? begins);
    ends = begins + seconds;
    return Number.isNaN(seconds) ? [] : [{ step, seconds }];
  });
}

test("who comes while a step of the dates is listed sees the picture: hls.js, and the player", { timeout: 180_000 }, async (t) => {
  const begun = performance.now();
  const media = async () => {
    const list = await (await fetch(platform.playlist)).text();
    const uri = list.split("\n").find((line) => line.endsWith("source.m3u8"));
    return uri && new URL(uri, platform.playlist);
  };
  // A step is a second or more, what is led to where it should be goes by less than a tenth.
  const steps = ({ step }) => step > 0.5;
  let [text, list] = ["", []];
  // Half of what is listed has to lie behind the step.
  for (let at = -1; at < 0 || list.length < 2 * at + 3; at = list.findIndex(steps)) {
    assert.ok(performance.now() - begun < STEPS_MS, `the dates did not step: ${JSON.stringify(list)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const address = await media().catch(() => undefined);
    if (!address) continue;
    text = await (await fetch(address)).text();
    list = segments(text);
  }
  t.diagnostic(`steps: ${list.map(({ step }) => step.toFixed(2)).join(" ")} s`);
  assert.equal(text.match(/^#EXT-X-DISCONTINUITY$/gm)?.length, list.filter(steps).length, text);

  const site = await hlsPage(platform.playlist);
  t.after(() => site.close());
  for (const [name, address] of [["hls.js", site.origin], ["the player", platform.watch]]) {
    const page = await browser.newPage();
    await page.goto(address);
    t.diagnostic(`${name}: a picture after ${Math.round(await playing(page, 30_000))} ms`);
    await page.waitForTimeout(5_000);
    const shown = await page.evaluate(() => {
      const video = document.querySelector("video") ?? document.querySelector("tidegate-player").video;
      return { time: video.currentTime, frames: video.getVideoPlaybackQuality().totalVideoFrames, errors: globalThis.errors?.filter(({ fatal }) => fatal) ?? [] };
    });
    assert.ok(shown.frames > 60 && shown.errors.length === 0, `${name}: ${JSON.stringify(shown)}`);
    await page.close();
  }
});
