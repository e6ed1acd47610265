// Bundles the element and the watch page into dist/. The bindings in generated/ are made by ../build.
import { copyFileSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

const options = { bundle: true, format: "esm", minify: true, target: "es2022", logLevel: "warning", legalComments: "none" };
mkdirSync("dist", { recursive: true });
await build({ ...options, entryPoints: ["src/index.ts"], outfile: "dist/tidegate-player.js" });
await build({ ...options, entryPoints: ["src/watch.ts"], outfile: "dist/watch.js" });
await build({ ...options, entryPoints: ["watch.css"], outfile: "dist/watch.css" });
copyFileSync("generated/tidegate_player_bg.wasm", "dist/tidegate_player_bg.wasm");
for (const name of ["watch.html", "watch.svg"]) copyFileSync(name, `dist/${name}`);
