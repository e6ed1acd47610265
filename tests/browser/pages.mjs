// The built pages over an edge that is played here: the API, figures of viewers, and whatever a test wants to be said of a stream.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { extname, join, normalize } from "node:path";

const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const target = process.env.CARGO_TARGET_DIR ?? join(cache, "tidegate", "target");
const folder = join(process.env.TIDEGATE_WEB ?? join(target, "tidegate"), "player");
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json", ".wasm": "application/wasm" };
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const TOKEN = "tga_test_token";

/** A server of the pages; `answer(path, query, request)` says what the API and the streams say: a document, or a status. */
export async function pages(answer) {
  const asked = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://edge");
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname } = url;
    const page = { "/": "watch.html", "/watch": "watch.html", "/dashboard": "dashboard.html" }[pathname];
    const file = page ?? (pathname.startsWith("/player/") ? normalize(pathname.slice(8)) : undefined);
    if (file !== undefined && !file.startsWith("..")) {
      const text = readFileSync(join(folder, file));
      const made = page ? text.toString().replace("@streams@", '["demo","studio"]').replace("@place@", '{"rtmp":"rtmp://127.0.0.1:1935/live"}') : text;
      response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" }).end(made);
      return;
    }
    const isJson = request.headers["content-type"]?.includes("json");
    const body = chunks.length > 0 && isJson ? JSON.parse(Buffer.concat(chunks)) : undefined;
    asked.push({ method: request.method, path: pathname, query: url.search, body, headers: request.headers });
    if (pathname.startsWith("/api/") && !pathname.endsWith("/viewers") && request.headers.authorization !== `Bearer ${TOKEN}`) {
      response.writeHead(401, { "content-type": "application/problem+json" }).end('{"title":"an API token is needed","detail":"the API token is not known"}');
      return;
    }
    const said = answer(pathname, url.searchParams, { method: request.method, body });
    const status = typeof said === "number" ? said : 200;
    response.writeHead(status, { "content-type": "application/json", etag: '"1"' }).end(typeof said === "number" ? '{"detail":"there is no such thing"}' : JSON.stringify(said));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { base: `http://127.0.0.1:${server.address().port}`, asked, stop: () => server.close() };
}

/** What axe finds wrong with a page (WCAG 2.2 A and AA), one line each. */
export async function violations(page) {
  // Through the debugger, where the policy of the page does not count.
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} at ${target}: ${failureSummary}`));
}

/** Figures as the analytics API gives them: a day's ups and downs, the same in every run. */
export function figures(params) {
  const [from, to] = ["from", "to"].map((name) => Date.parse(params.get(name)));
  const points = 60;
  const quantiles = (p50, count = 900) => ({ count, p50, p90: Math.round(p50 * 1.5), p95: Math.round(p50 * 1.9), p99: Math.round(p50 * 3.1) });
  const at = (n) => {
    const viewers = Math.round(220 + 140 * Math.sin(n / 9) + 30 * Math.sin(n * 1.7));
    return {
      viewers, viewers_peak: viewers + 25, uniques: viewers * 2, attempts: 40, plays: 38, start_failures: 1, exits_before_start: 1, watched_s: viewers * 60,
      rebuffers: n % 7, rebuffer_ppm: 1500 + 900 * (n % 7), startup_ms: quantiles(520 + 9 * (n % 11)), latency_ms: quantiles(1650 + 30 * (n % 5)), stall_ms: n % 7 ? quantiles(640) : null, visible_us: quantiles(3400), edge_us: quantiles(1900),
      bitrate_bps: 3_800_000 + 20_000 * (n % 9), dropped_frames: n, errors: [], events: 900, dropped_events: 2,
    };
  };
  const series = Array.from({ length: points }, (_, n) => ({ at: new Date(from + ((to - from) * n) / points).toISOString(), ...at(n) }));
  const total = { ...at(20), viewers: 231, viewers_peak: 402, uniques: 2841, attempts: 3120, plays: 3051, start_failures: 22, exits_before_start: 47, watched_s: 831_600, rebuffers: 211, rebuffer_ppm: 3120, errors: [{ code: "media-decode", count: 14 }, { code: "network", count: 8 }] };
  const ingest = series.map(({ at }, n) => ({ at, bitrate_bps: 4_700_000 + 90_000 * Math.sin(n), frames_per_s_milli: 30_000, drift_ms: 3, late_parts: n === 31 ? 2 : 0, part_ms: { p50: 15, p99: 34 }, put_ms: { p50: 9, p99: 31 } }));
  const value = (value, share) => ({ value, viewers: Math.round(231 * share), watched_s: Math.round(831_600 * share), uniques: Math.round(2841 * share), attempts: Math.round(3120 * share), plays: Math.round(3051 * share), start_failures: 0, exits_before_start: 0, rebuffers: 1, rebuffer_ppm: Math.round(9000 * (0.6 - share)), bitrate_bps: 3_900_000, error_count: 0, startup_ms: quantiles(Math.round(900 - 700 * share)), latency_ms: quantiles(1700) });
  const all = {
    country: [["DE", 0.31], ["US", 0.22], ["BR", 0.13], ["IN", 0.1], ["JP", 0.08], ["AU", 0.06], ["ZA", 0.05], ["other", 0.05]],
    device: [["desktop", 0.52], ["phone", 0.33], ["tv", 0.15]],
    rendition: [["source", 0.58], ["high", 0.24], ["medium", 0.12], ["low", 0.06]],
  }[params.get("by")];
  const steps = [0, 50, 100, 200, 300, 500, 750, 1000, 2000, 5000, 10000, 30000];
  const bars = (...counts) => steps.map((from_ms, n) => ({ from_ms, count: counts[n] ?? 0 }));
  const spread = { startup_ms: bars(0, 0, 21, 260, 990, 1120, 430, 170, 52, 8), stall_ms: bars(0, 4, 12, 41, 60, 48, 30, 11, 5) };
  return { stream: "demo", spread, from: params.get("from"), to: params.get("to"), step_s: 60, total, series, ingest, lost: [], ...(all ? { by: { dimension: params.get("by"), values: all.map(([name, share]) => value(name, share)) } } : {}) };
}
