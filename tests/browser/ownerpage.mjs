// The page of a site owner, with our player on it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./serve.mjs";

const DIST = fileURLToPath(new URL("../../player-wasm/element/dist/", import.meta.url));

/** Serves a page that plays `playlist`: the tag, and what it needs first asked for early, as the manual says. `dist` is a folder with a build of the player. */
export function page(playlist, dist = DIST) {
  const file = (name) => readFileSync(join(dist, name));
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
