// The npm package: what is in it, whether tools can read it, what it weighs.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { publint } from "publint";

const element = fileURLToPath(new URL("../../player-wasm/element/", import.meta.url));
const folder = join(element, "dist/npm");
const modules = fileURLToPath(new URL("node_modules/", import.meta.url));
const { build } = createRequire(join(element, "package.json"))("esbuild");
let packed, work;

before(() => {
  work = mkdtempSync(join(tmpdir(), "tidegate-package-"));
  packed = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", work], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] }))[0];
  mkdirSync(join(work, "node_modules/@tidegate"), { recursive: true });
  symlinkSync(folder, join(work, "node_modules/@tidegate/player"));
}, { timeout: 60_000 });
after(() => rmSync(work, { recursive: true, force: true }));

test("what npm packs is what a site needs, with types, maps and the licence", () => {
  const files = packed.files.map(({ path }) => path);
  for (const name of ["LICENSE", "README.md", "package.json", "custom-elements.json", "integrity.json", "index.js", "index.js.map", "inline.js", "react.js", "react.d.ts",
    "hls.js", "shaka.js", "dash.js", "tidegate-player.js", "tidegate_player.wasm", "tidegate_abr.wasm", "tidegate-engine.js", "tidegate-captions.js", "tidegate-extras.js", "licenses.js", "mpd.js", "types/index.d.ts", "types/element.d.ts"]) {
    assert.ok(files.includes(name), name);
  }
  assert.deepEqual(files.filter((name) => /watch|test|\.rs$|node_modules/.test(name)), []);
});

test("publint has nothing to say", { timeout: 60_000 }, async () => {
  const { messages } = await publint({ pkgDir: folder, pack: false });
  assert.deepEqual(messages.filter(({ type }) => type !== "suggestion"), []);
});

test("types are found by every way to resolve modules", { timeout: 120_000 }, () => {
  const attw = join(modules, "@arethetypeswrong/cli/dist/index.js");
  const run = execFileSync(process.execPath, [attw, join(work, packed.filename), "--profile", "esm-only", "--no-emoji", "--format", "ascii", "--exclude-entrypoints", "tidegate-player.js", "tidegate_player.wasm", "tidegate_abr.wasm", "tidegate-engine.js", "tidegate-captions.js", "tidegate-extras.js", "custom-elements.json"], { encoding: "utf8" });
  // It ends with an error where it finds one in what is not ignored.
  assert.match(run, /^bundler: OK/m);
  assert.doesNotMatch(run, /^(node16 \(from ESM\)|bundler): (?!OK)/m);
});

test("everything can be imported on a server, and React renders it there", { timeout: 60_000 }, async () => {
  const require = createRequire(import.meta.url);
  for (const name of ["index", "element", "controls", "abr", "hls", "shaka", "dash", "inline"]) await import(join(folder, `${name}.js`));
  const { outputFiles } = await build({
    stdin: { contents: 'import { renderToString } from "react-dom/server"; import { createElement } from "react"; import { Watch } from "./react.jsx"; export default renderToString(createElement(Watch, { src: "/a.m3u8" }));', resolveDir: join(element, "examples"), loader: "js" },
    bundle: true, format: "cjs", platform: "node", write: false, jsx: "automatic", nodePaths: [modules, join(work, "node_modules")], logLevel: "silent",
  });
  const module = { exports: {} };
  new Function("module", "exports", "require", "process", outputFiles[0].text)(module, module.exports, require, process);
  assert.match(module.exports.default, /^<figure><tidegate-player src="\/a.m3u8" controls="" autoplay="" muted=""><\/tidegate-player>/);
});

test("a bundle takes only what is used", { timeout: 60_000 }, async () => {
  const size = async (contents) => {
    const { outputFiles } = await build({ stdin: { contents, resolveDir: work }, bundle: true, minify: true, format: "esm", write: false, nodePaths: [join(work, "node_modules")], logLevel: "silent" });
    return outputFiles[0].text.length;
  };
  const all = await size('import "@tidegate/player"');
  const bare = await size('import { TidegatePlayer } from "@tidegate/player/element"; console.log(TidegatePlayer)');
  const plug = await size('import { hlsAbr } from "@tidegate/player/hls"; import { loadAbr } from "@tidegate/player/abr"; console.log(hlsAbr, loadAbr)');
  assert.ok(bare < 0.5 * all, `${bare} of ${all}`);
  assert.ok(plug < 0.1 * all, `${plug} of ${all}`);
  assert.ok((await size('import { LANGUAGES } from "@tidegate/player/hls"')) < 100);
});

test("custom-elements.json names what the element has", async () => {
  const { modules: [{ declarations: [{ attributes, members, events, cssParts }] }] } = JSON.parse(readFileSync(join(folder, "custom-elements.json"), "utf8"));
  const { TidegatePlayer } = await import(join(folder, "index.js"));
  assert.deepEqual(attributes.map(({ name }) => name).sort(), [...new Set(TidegatePlayer.observedAttributes)].sort());
  for (const name of ["currentTime", "videoRenditions", "goLive", "play", "streamType", "liveEdgeStart"]) assert.ok(members.some((member) => member.name === name), name);
  assert.ok(events.length > 5 && cssParts.length > 10);
});
