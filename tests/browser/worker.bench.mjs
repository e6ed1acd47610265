// What a media source in a worker costs before the first frame, against one on the page: until source buffers can be made, in ms, middle of
// 15, each with a worker of its own as a new page has it.
//   node tests/browser/worker.bench.mjs
import { open } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const ROUNDS = 15;
const TYPE = 'video/mp4; codecs="avc1.64001f"';
const WORKER = `const source = new MediaSource();
source.onsourceopen = () => { source.addSourceBuffer('${TYPE}'); postMessage("open"); };
postMessage({ handle: source.handle }, [source.handle]);`;

const site = await serve({
  "/": { type: "text/html; charset=utf-8", body: "<!doctype html><title>x</title><video id=v muted></video>" },
  "/worker.js": { type: "text/javascript", body: WORKER },
  "/favicon.ico": { type: "image/x-icon", body: "" },
});
const browser = await open();
try {
  const times = { page: [], worker: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const where of Object.keys(times)) {
      const page = await browser.newPage();
      await page.goto(site.origin);
      times[where].push(await page.evaluate(([where, type]) => new Promise((resolve, reject) => {
        const video = document.getElementById("v");
        const begun = performance.now();
        const done = () => resolve(performance.now() - begun);
        if (where === "page") {
          const source = new MediaSource();
          source.onsourceopen = () => (source.addSourceBuffer(type), done());
          video.src = URL.createObjectURL(source);
        } else {
          if (!MediaSource.canConstructInDedicatedWorker) reject(new Error("this browser has no media source in workers"));
          const worker = new Worker("/worker.js");
          worker.onmessage = ({ data }) => (data === "open" ? done() : (video.srcObject = data.handle));
        }
      }), [where, TYPE]));
      await page.close();
    }
  }
  for (const [where, all] of Object.entries(times)) {
    const sorted = all.sort((a, b) => a - b);
    console.log(`${where}: ${sorted[ROUNDS >> 1].toFixed(1)} ms (${sorted[0].toFixed(1)} to ${sorted.at(-1).toFixed(1)})`);
  }
} finally {
  await browser.close();
  site.close();
}
