// From navigation, and from the moment at which the element is in the page and its code is there, to the first frame on the screen:
// our player and hls.js in turn, each alone on a page as a site owner writes it, and our watch page; on a stream that runs.
// Everything of a page is loaded anew each time. Another build of our player may be put beside this one, to see what a change brings.
//   node tests/browser/startup.bench.mjs [--times 10] [--beside FOLDER WITH ANOTHER dist] [options of tidegate up]
import { open } from "./chromium.mjs";
import { playing } from "./glass.mjs";
import { page as hlsPage } from "./hlsjs.mjs";
import { page as ownerPage } from "./ownerpage.mjs";
import { up } from "./platform.mjs";

const BAR_MS = 300;
const SETTLE_MS = 8000;
const args = process.argv.slice(2);
const option = (name) => (args.includes(name) ? args.splice(args.indexOf(name), 2)[1] : undefined);
const times = Number(option("--times") ?? 10);
const beside = option("--beside");

/** In the page, before its own scripts: notes when a player begins, and the first frame of any video. */
function note() {
  const seen = (globalThis.startup = {});
  // Both players make a MediaSource as the first thing after their code has run and their element is there.
  const define = customElements.define.bind(customElements);
  customElements.define = (name, ...rest) => {
    seen.begun ??= performance.now();
    return define(name, ...rest);
  };
  const create = URL.createObjectURL.bind(URL);
  URL.createObjectURL = (source) => {
    if (source instanceof MediaSource) seen.begun ??= performance.now();
    return create(source);
  };
  // The way to it, for the trace.
  const first = (name) => (seen[name] ??= performance.now());
  const append = SourceBuffer.prototype.appendBuffer;
  SourceBuffer.prototype.appendBuffer = function (bytes) {
    // An init segment is below that, and so is sound.
    if (bytes.byteLength > 8192) {
      first("appended");
      this.addEventListener("updateend", () => first("taken"), { once: true });
    }
    return append.call(this, bytes);
  };
  const attribute = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "src");
  Object.defineProperty(HTMLMediaElement.prototype, "src", {
    ...attribute,
    set(value) {
      first("source");
      this.requestVideoFrameCallback?.((now) => (seen.frame ??= now));
      this.addEventListener("loadeddata", () => first("decoded"), { once: true });
      attribute.set.call(this, value);
    },
  });
  const object = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "srcObject");
  Object.defineProperty(HTMLMediaElement.prototype, "srcObject", {
    ...object,
    set(value) {
      this.requestVideoFrameCallback?.((now) => (seen.frame ??= now));
      object.set.call(this, value);
    },
  });
}

const platform = await up(...args);
const browser = await open();
try {
  const hls = await hlsPage(platform.playlist);
  const owner = await ownerPage(platform.playlist);
  const other = beside && (await ownerPage(platform.playlist, beside));
  const players = [
    { name: "tidegate-player", address: owner.origin, navigation: [], element: [], way: {} },
    { name: "hls.js 1.7.4", address: hls.origin, navigation: [], element: [], way: {} },
    { name: "watch page", address: platform.watch, navigation: [], element: [], way: {} },
    ...(other ? [{ name: `the player of ${beside}`, address: other.origin, navigation: [], element: [], way: {} }] : []),
  ];
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  // The first page of a browser that has just started says more about the browser.
  for (let run = -1; run < times; run++) {
    for (const player of players) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
      const page = await context.newPage();
      await page.addInitScript(note);
      await page.goto(player.address);
      await playing(page, 30_000);
      await page.waitForFunction(() => globalThis.startup.frame, null, { timeout: 5_000 });
      const { begun, frame, ...way } = await page.evaluate(() => {
        const entries = performance.getEntriesByType("resource");
        const end = (pattern) => entries.find(({ name }) => pattern.test(name))?.responseEnd;
        return { ...globalThis.startup, module: end(/\.wasm/), playlist: end(/index\.m3u8/), media: end(/(?<!index)\.m3u8/), picture: end(/(?<!audio)\/\d+(\.\d+)?\.m4s/) };
      });
      if (run >= 0) {
        player.navigation.push(frame);
        player.element.push(frame - begun);
        for (const [name, at] of Object.entries(way)) (player.way[name] ??= []).push(at - begun);
      }
      await context.close();
    }
  }
  const middle = (values) => Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]);
  const steps = { module: "module there", playlist: "first playlist", source: "media source", media: "its playlist", picture: "first part of pictures", appended: "handed over", taken: "taken", decoded: "first picture decoded" };
  for (const { name, navigation, element, way } of players) {
    console.log(`${name}: first frame ${middle(navigation)} ms after navigation, ${middle(element)} ms after its code began (middle of ${times}; slowest ${Math.round(Math.max(...element))})`);
    console.log(`  the way, ms after its code began: ${Object.entries(steps).filter(([step]) => way[step]?.some(Number.isFinite)).map(([step, text]) => `${text} ${middle(way[step])}`).join(", ")}`);
  }
  if (other) {
    const [ours, theirs] = [players[0], players.at(-1)].map(({ element }) => element);
    const gains = ours.map((ms, run) => theirs[run] - ms);
    console.log(`sooner than the player of ${beside} by ${middle(gains)} ms (middle of ${times} pairs; ours was first in ${gains.filter((ms) => ms > 0).length})`);
  }
  const seen = middle(players[0].element);
  console.log(`first frame after the element is connected: ${seen} ms, bar ${BAR_MS} ms: ${seen <= BAR_MS ? "reached" : "NOT reached"}`);
  hls.close();
  owner.close();
  other?.close();
} finally {
  await browser.close();
  await platform.stop();
}
