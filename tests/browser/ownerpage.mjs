// The page of a site owner, with our player on it.
import { readFileSync } from "node:fs";
import { serve } from "./serve.mjs";

/** Serves a page that plays `playlist`: the tag, and what it needs first asked for early, as the manual says. */
export function page(playlist) {
  const file = (name) => readFileSync(new URL(`../../player-wasm/element/dist/${name}`, import.meta.url));
  const body = `<!doctype html><meta charset="utf-8"><title>Tidegate</title>
<link rel="preload" href="tidegate_player.wasm" as="fetch" crossorigin>
<link rel="preload" href="${playlist}" as="fetch" crossorigin>
<script type="module" src="tidegate-player.js"></script>
<tidegate-player muted autoplay playsinline controls style="width:960px" src="${playlist}"></tidegate-player>`;
  return serve({
    "/": { type: "text/html; charset=utf-8", body },
    "/tidegate-player.js": { type: "text/javascript", body: file("tidegate-player.js") },
    "/tidegate_player.wasm": { type: "application/wasm", body: file("tidegate_player.wasm") },
    "/favicon.ico": { type: "image/x-icon", body: "" },
  });
}
