// Builds dist/: what a page embeds, and the modules of the npm package.
//   node build.js <the player's module as the compiler made it> <that of the ABR alone>
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";
import { assemble } from "./npm.js";
import { asScript, bind, quiet, shrink } from "./shrink.js";

const WASM = "tidegate_player.wasm";
const SCRIPT = "tidegate-engine.js";
const MAILBOX = "__tidegateEngine";
const CAPTIONS = "tidegate-captions.js";
const EXTRAS = "tidegate-extras.js";

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist/npm", { recursive: true });
shrink(bind(quiet(process.argv[2]), "dist/bound"), `dist/${WASM}`);
writeFileSync(`dist/${SCRIPT}`, asScript(`dist/${WASM}`, MAILBOX));
writeFileSync("dist/bound/abr.wasm", quiet(process.argv[3]));
shrink("dist/bound/abr.wasm", "dist/tidegate_abr.wasm");
rmSync("dist/bound", { recursive: true });

// Its licence asks for its notice, which stays in the file.
await build({ entryPoints: ["src/embeddedreader.ts"], bundle: true, format: "iife", target: "es2022", minify: true, legalComments: "inline", logLevel: "warning", outfile: `dist/${CAPTIONS}` });

await build({ entryPoints: ["src/extras.ts"], bundle: true, format: "iife", target: "es2022", minify: true, logLevel: "warning", outfile: `dist/${EXTRAS}` });

const integrity = (path) => `sha384-${createHash("sha384").update(readFileSync(path)).digest("base64")}`;
const define = { WASM_INTEGRITY: JSON.stringify(integrity(`dist/${WASM}`)), SCRIPT_INTEGRITY: JSON.stringify(integrity(`dist/${SCRIPT}`)), CAPTIONS_INTEGRITY: JSON.stringify(integrity(`dist/${CAPTIONS}`)), EXTRAS_INTEGRITY: JSON.stringify(integrity(`dist/${EXTRAS}`)) };
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

// The package: modules that share what they have in common, so that a bundler takes what a page uses.
const entries = ["index", "element", "controls", "licenses", "mpd", "abr", "hls", "shaka", "dash"];
const entryPoints = entries.map((name) => ({ in: name === "controls" ? "src/controls/controls.ts" : `src/${name}.ts`, out: name }));
await build({ ...options, entryPoints, outdir: "dist/npm", splitting: true, chunkNames: "shared-[hash]", sourcemap: true });
const inside = readFileSync(`dist/${WASM}`).toString("base64");
await build({
  ...options,
  stdin: { contents: `import { setEngine } from "./load.js"; import "./extras.js"; setEngine({ wasm: Uint8Array.from(atob("${inside}"), (one) => one.charCodeAt(0)) }); export * from "./index.js";`, resolveDir: "src", loader: "ts" },
  outfile: "dist/npm/inline.js",
  minify: true,
});
await assemble("dist/npm", [WASM, SCRIPT, CAPTIONS, EXTRAS, "tidegate_abr.wasm", "tidegate-player.js", "tidegate-player-bare.js"]);
