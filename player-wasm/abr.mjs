#!/usr/bin/env node
// Our ABR for outside simulators: one JSON object per line in, one answer per line out, decided by the WASM module.
// The native twin, `tidegate-abr-lines`, gives the same answers.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const built = ['wasm32-unknown-unknown', 'wasm', 'tidegate_abr_wasm.wasm'];
const READY_SLICES = 1 << 20; // more than the largest ladder needs

/** The module's bytes: `TIDEGATE_ABR_WASM`, or what cargo has built, or builds now. */
export function moduleBytes() {
  const named = process.env.TIDEGATE_ABR_WASM;
  if (named) return readFileSync(named);
  const target = process.env.CARGO_TARGET_DIR || join(root, 'target');
  const path = join(target, ...built);
  const cargo = ['build', '--quiet', '-p', 'tidegate-abr-wasm', '--profile', 'wasm', '--target', 'wasm32-unknown-unknown', '--target-dir', target];
  const { error, status } = spawnSync('cargo', cargo, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if ((error || status !== 0) && !existsSync(path)) throw new Error(`there is no ${path}, and cargo could not build it`);
  return readFileSync(path);
}

/** A decider over the module: `answer(message)` for each message of the protocol, undefined after `end`. */
export function decider(bytes) {
  const { exports: wasm } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
  let rungs = 0;
  // Memory may grow and move: the view is made anew for each call.
  const io = () => new Float64Array(wasm.memory.buffer, wasm.abr_io(), wasm.abr_io_len());
  const put = (numbers) => io().set(numbers.slice(0, wasm.abr_io_len()));
  const number = (x, otherwise) => (typeof x === 'number' ? x : otherwise);
  const flag = (x) => (x === true ? 1 : 0);

  const state = (m) => [
    number(m.buffer_s, 0), number(m.latency_s, NaN), number(m.rate, 1), number(m.last_q, -1), flag(m.playing), flag(m.started),
  ];
  const sample = (s) => {
    put([number(s.bits, 0), number(s.ttfb_s, 0), number(s.dl_s, 0), number(s.q, 0), number(s.dur_s, 0)]);
    wasm.abr_sample();
  };
  // Segment after segment, each with one size per rung; also understood the other way round.
  const sizes = (rows) => {
    if (!Array.isArray(rows) || !rows.every(Array.isArray) || rungs === 0) return [];
    const byRung = (row) => row.length === rungs && (rungs === 1 || row[rungs - 1] > row[0] * 1.5);
    if (rows.every(byRung)) return rows.flat();
    const turned = rows.length === rungs ? (rows[0] || []).map((_, k) => rows.map((row) => row[k])) : [];
    return turned.every(byRung) ? turned.flat() : [];
  };

  answer.memory = () => wasm.memory.buffer.byteLength;
  return answer;

  function answer(m) {
    switch (m.type) {
      case 'init': {
        const ladder = (m.ladder_kbps || []).map((kbps) => kbps * 1000);
        rungs = ladder.length;
        const segment = number(m.seg_s, 2);
        const chunk = m.transport === undefined || m.transport === 'parts' ? number(m.chunk_s, segment) : segment;
        put([
          flag(m.live), segment, chunk, number(m.target_latency_s, 0), number(m.max_buffer_s, 20),
          number(m.rate_min, 1), number(m.rate_max, 1), number(m.rtt_ms, 40) / 1000, rungs, ...ladder,
        ]);
        wasm.abr_init();
        wasm.abr_idle(READY_SLICES);
        return { ok: true, progress: true };
      }
      case 'decide': {
        for (const s of m.samples || []) sample(s);
        const upcoming = sizes(m.next_bits);
        put([...state(m), upcoming.length, ...upcoming]);
        return { q: wasm.abr_decide() };
      }
      case 'progress': {
        put([
          ...state(m), number(m.q, 0), number(m.chunk_elapsed_s, 0), NaN, number(m.seg_loaded_bits, 0),
          number(m.chunk_loaded_bits, 0), number(m.chunk_bits, 0), number(m.chunk, 0), number(m.buffered_chunks, 0),
        ]);
        const q = wasm.abr_progress();
        return q < 0 ? {} : { abandon: true, q };
      }
      case 'end':
        return undefined;
      default:
        return {};
    }
  }
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const answer = decider(moduleBytes());
  let rest = '';
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    let out = '';
    for (const line of lines) {
      if (!line.trim()) continue;
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        out += '{"error":"not JSON"}\n';
        continue;
      }
      const answered = answer(message);
      if (answered === undefined) {
        process.stdout.write(out, () => process.exit(0));
        return;
      }
      out += JSON.stringify(answered) + '\n';
    }
    if (out) process.stdout.write(out);
  });
}
