// Prometheus and OpenTelemetry's collector read a real platform by the files that are shipped; the dashboard's queries find what it asks for.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { up } from "../browser/platform.mjs";

const programs = process.env.TIDEGATE_OBSERVE;
const root = fileURLToPath(new URL("../..", import.meta.url));
const dashboard = join(root, "infra/compose/grafana/dashboards/tidegate.json");
const folder = mkdtempSync(join(tmpdir(), "tidegate-observe-"));
const PATIENCE_MS = 300_000;
const children = [];
let platform, edge, worker;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function start(program, args, env = {}) {
  const child = spawn(join(programs, program), args, { env: { ...process.env, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (bytes) => (errors = (errors + bytes).slice(-5_000)));
  children.push(child);
  return { child, errors: () => errors };
}

async function until(what, look) {
  const begun = performance.now();
  for (let seen; ; ) {
    try {
      seen = await look();
      if (seen === true) return;
    } catch (error) {
      seen = error;
    }
    assert.ok(performance.now() - begun < PATIENCE_MS, `${what}: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** A viewer who stalls, fails, and comes again: each figure has something to show. */
async function watch(n) {
  const line = (number, more) => `br=(3000),ltc=1500,sid="viewer-${n}",sn=${number},ts=${Date.now()},v=2,${more}`;
  const lines = [line(0, "e=ps,sta=s"), line(1, "e=ps,msd=400,sta=p"), line(2, 'com.tidegate-since="9000 8000 1000 1 1",e=ps,sta=p'), line(3, 'e=e,ec=("decode"),sta=p')];
  const answer = await fetch(`http://${edge}/live/demo/beacon`, { method: "POST", headers: { "content-type": "application/cmcd" }, body: lines.join("\n") });
  assert.equal(answer.status, 204);
}

before(async () => {
  worker = `127.0.0.1:${await freePort()}`;
  platform = await up("--metrics", worker);
  edge = new URL(platform.watch).host;
}, { timeout: 120_000 });

after(async () => {
  children.forEach((child) => child.kill());
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("the dashboard reads by Grafana's own schema", () => {
  execFileSync(join(programs, "grafana"), [dashboard], { encoding: "utf8" });
});

test("Prometheus takes its file, and each query of the dashboard finds something", { timeout: 2 * PATIENCE_MS }, async (t) => {
  const port = await freePort();
  const config = readFileSync(join(root, "infra/compose/prometheus.yaml"), "utf8").replace(/\["worker-1:9464", "worker-2:9464"\]/, `["${worker}"]`).replace(/\["edge-1:8080", "edge-2:8080"\]/, `["${edge}"]`);
  assert.ok(config.includes(worker) && config.includes(edge));
  writeFileSync(join(folder, "prometheus.yaml"), config);
  const { errors } = start("prometheus", [`--config.file=${join(folder, "prometheus.yaml")}`, `--web.listen-address=127.0.0.1:${port}`, `--storage.tsdb.path=${join(folder, "data")}`]);
  const ask = async (path) => (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json();
  await until("Prometheus reads the platform", async () => (await ask("targets")).data.activeTargets.filter(({ health }) => health === "up").length === 2 || errors());
  const watching = setInterval(() => void watch(Date.now()), 5_000);
  t.after(() => clearInterval(watching));
  const panels = JSON.parse(readFileSync(dashboard, "utf8")).panels;
  const queries = panels.flatMap(({ targets }) => targets ?? []).map(({ expr }) => expr);
  assert.ok(queries.length > 30);
  const missing = new Set(queries);
  await until("every query has a value", async () => {
    for (const query of missing) {
      const { status, data, error } = await ask(`query?query=${encodeURIComponent(query)}`);
      assert.equal(status, "success", `${query}: ${error}`);
      if (data.result.length > 0) missing.delete(query);
    }
    return missing.size === 0 || [...missing].join("\n");
  });
  t.diagnostic(`${queries.length} queries of ${panels.length} panels and rows`);
});

test("the collector takes its file and sends the same counters by OTLP", { timeout: 2 * PATIENCE_MS }, async (t) => {
  let received = "";
  const sink = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { gunzipSync } = await import("node:zlib");
    const bytes = Buffer.concat(chunks);
    received += `${request.url} ${request.headers.authorization}\n${(request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes).toString("latin1")}`;
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
  await new Promise((resolve) => sink.listen(0, "127.0.0.1", resolve));
  t.after(() => sink.close());
  const file = join(root, "infra/analytics/opentelemetry.yaml");
  const env = { WORKERS: worker, EDGES: edge, OTLP_ENDPOINT: `http://127.0.0.1:${sink.address().port}`, OTLP_AUTHORIZATION: "Bearer test" };
  const { errors } = start("otelcol", ["--config", file], env);
  await watch(1);
  const wanted = ["/v1/metrics Bearer test", "tidegate_viewers", "tidegate_viewers_watched_seconds_total", "tidegate_ingest_live", "tidegate_ingest_input_bytes_total", "tidegate_host_requests_total"];
  await until("counters arrive", () => wanted.every((name) => received.includes(name)) || `${wanted.filter((name) => !received.includes(name))} ${errors()}`);
});
