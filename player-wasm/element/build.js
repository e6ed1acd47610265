// Builds dist/: what a page embeds, and the modules of the npm package.
//   node build.js <module as the compiler made it>
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";
import { asScript, bind, shrink } from "./shrink.js";

const WASM = "tidegate_player.wasm";
const SCRIPT = "tidegate-engine.js";
const MAILBOX = "__tidegateEngine";

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist/esm", { recursive: true });
shrink(bind(process.argv[2], "dist/bound"), `dist/${WASM}`);
rmSync("dist/bound", { recursive: true });
writeFileSync(`dist/${SCRIPT}`, asScript(`dist/${WASM}`, MAILBOX));
for (const name of [WASM, SCRIPT]) copyFileSync(`dist/${name}`, `dist/esm/${name}`);

const integrity = (path) => `sha384-${createHash("sha384").update(readFileSync(path)).digest("base64")}`;
const define = { WASM_INTEGRITY: JSON.stringify(integrity(`dist/${WASM}`)), SCRIPT_INTEGRITY: JSON.stringify(integrity(`dist/${SCRIPT}`)) };
/** Style sheets are texts, small ones. */
const styles = {
  name: "styles",
  setup: ({ onLoad }) =>
    onLoad({ filter: /controls\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code.trim(), loader: "text" };
    }),
};
const options = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", legalComments: "none", define, plugins: [styles] };
const single = { ...options, minify: true };
await build({ ...single, entryPoints: ["src/index.ts"], outfile: "dist/tidegate-player.js" });
await build({ ...single, entryPoints: ["src/bare.ts"], outfile: "dist/tidegate-player-bare.js" });
