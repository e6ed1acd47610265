#!/usr/bin/env node
// What a viewer downloads, in bytes as brotli 11 makes them: our player beside others that are installed for the browser tests.
//   node player-wasm/sizes.mjs [folder of player-wasm/build]
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';

const here = fileURLToPath(new URL('.', import.meta.url));
const built = process.argv[2] ?? join(here, 'element/dist');
const others = join(here, '../tests/browser/node_modules');
const ours = (...names) => names.map((name) => join(built, name));
const rows = [
  ['ours: engine, ABR, element and controls', ours('tidegate_player.wasm', 'tidegate-player.js')],
  ['ours without controls', ours('tidegate_player.wasm', 'tidegate-player-bare.js')],
  ['  of it WebAssembly', ours('tidegate_player.wasm')],
  ['our decisions alone, for other players', ours('tidegate_abr.wasm')],
  ['our engine where WebAssembly is forbidden', ours('tidegate-engine.js')],
  ['hls.js light', [join(others, 'hls.js/dist/hls.light.min.js')]],
  ['hls.js', [join(others, 'hls.js/dist/hls.min.js')]],
  ['Shaka, HLS alone', [join(others, 'shaka-player/dist/shaka-player.hls.js')]],
  ['dash.js, player alone', [join(others, 'dashjs/dist/modern/umd/dash.mediaplayer.min.js')]],
  ['media-chrome, controls alone', [join(others, 'media-chrome/dist/iife/index.js')]],
];
const packed = (path) => {
  const bytes = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return [bytes.length, brotliCompressSync(bytes, { params }).length];
};
console.log('| player | bytes | brotli |\n|---|---|---|');
for (const [name, paths] of rows) {
  if (!paths.every(existsSync)) {
    console.log(`| ${name} | not installed | |`);
    continue;
  }
  const [bytes, brotli] = paths.map(packed).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
  console.log(`| ${name} | ${bytes} | ${brotli} |`);
}
