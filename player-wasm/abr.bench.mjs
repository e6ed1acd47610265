#!/usr/bin/env node
// How long the ABR's tables and decisions take in WebAssembly, by the clock and of a core, and how large its memory gets.
//   node player-wasm/abr.bench.mjs [tidegate_abr_wasm.wasm]
import { readFileSync } from 'node:fs';
import { decider, moduleBytes } from './abr.mjs';

const settings = [
  ['vod20', { live: false, chunk_s: 2, transport: 'segments', max_buffer_s: 20 }],
  ['live6', { live: true, chunk_s: 2, transport: 'segments', target_latency_s: 8, max_buffer_s: 8 }],
  ['ll25', { live: true, chunk_s: 0.5, transport: 'parts', target_latency_s: 2.5, max_buffer_s: 2.4 }],
];
const ladder_kbps = [250, 500, 1000, 2000, 3500, 6000];
const bytes = process.argv[2] ? readFileSync(process.argv[2]) : moduleBytes();
const DECISIONS = 5000;
/** Runs something; the microseconds by the clock, and those of a core, which a busy machine does not change much. */
const measured = (act) => {
  const [from, used] = [performance.now(), process.cpuUsage()];
  act();
  const { user, system } = process.cpuUsage(used);
  return [(performance.now() - from) * 1000, user + system];
};
const shown = ([clock, core], share, digits) => `${(clock / share).toFixed(digits)} (${(core / share).toFixed(digits)})`;

console.log('| setting | tables ms | decision us | request looked at us | memory kB |\n|---|---|---|---|---|');
for (const [name, setting] of settings) {
  const answer = decider(bytes);
  const tables = measured(() => answer({ type: 'init', ladder_kbps, seg_s: 2, rate_min: 0.95, rate_max: 1.05, ...setting }));
  let last = 0;
  const time = (act) => measured(() => {
    for (let n = 0; n < DECISIONS; n++) act(n);
  });
  const at = (n) => ({ buffer_s: 1 + (n % 7) * 0.2, latency_s: setting.live ? setting.target_latency_s : null, rate: 1, last_q: last, playing: true, started: true });
  const decision = time((n) => {
    const samples = [{ bits: 2e6, ttfb_s: 0.05, dl_s: 0.4 + (n % 11) * 0.1, q: last, dur_s: 2 }];
    last = answer({ type: 'decide', ...at(n), samples }).q;
  });
  const look = time((n) =>
    answer({ type: 'progress', ...at(n), q: 4, chunk_elapsed_s: 1, chunk_loaded_bits: 3e5 + (n % 13) * 1e4, chunk_bits: 3e6, seg_loaded_bits: 3e5, chunk: 0, buffered_chunks: 0 }),
  );
  console.log(`| ${name} | ${shown(tables, 1000, 0)} | ${shown(decision, DECISIONS, 1)} | ${shown(look, DECISIONS, 1)} | ${answer.memory() / 1024} |`);
}
