// Bundles the element into dist/. The bindings in generated/ are made by ../build.
import { copyFileSync, mkdirSync } from "node:fs";
import { build } from "esbuild";

const options = { bundle: true, format: "esm", minify: true, target: "es2022", logLevel: "warning", legalComments: "none" };
mkdirSync("dist", { recursive: true });
await build({ ...options, entryPoints: ["src/index.ts"], outfile: "dist/tidegate-player.js" });
copyFileSync("generated/tidegate_player_bg.wasm", "dist/tidegate_player_bg.wasm");
