// A page with hls.js on it.
import { readFileSync } from "node:fs";
import { serve } from "./serve.mjs";

const library = readFileSync(new URL("node_modules/hls.js/dist/hls.js", import.meta.url));

/** Serves a page that plays `playlist` in the low-latency mode; `options` are more of the library's own. */
export function page(playlist, options = {}) {
  const body = `<!doctype html><meta charset="utf-8"><title>hls.js</title>
<video muted autoplay playsinline width="960"></video>
<script src="hls.js"></script>
<script>
  globalThis.errors = [];
  globalThis.switches = 0;
  const hls = (globalThis.hls = new Hls({ lowLatencyMode: true, enableWorker: true, maxLiveSyncPlaybackRate: 1.1, ...${JSON.stringify(options)} }));
  hls.on(Hls.Events.ERROR, (_, { type, details, fatal }) => errors.push({ type, details, fatal }));
  hls.on(Hls.Events.LEVEL_SWITCHED, () => (globalThis.switches += 1));
  hls.loadSource(${JSON.stringify(playlist)});
  hls.attachMedia(document.querySelector("video"));
</script>`;
  return serve({
    "/": { type: "text/html; charset=utf-8", body },
    "/hls.js": { type: "text/javascript", body: library },
    "/favicon.ico": { type: "image/x-icon", body: "" },
  });
}
