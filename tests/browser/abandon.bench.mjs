// What it costs to give a request up: our policy takes it that what was loaded is lost and nothing else, that the next request begins a round
// trip later, and that no connection has to be made anew. In Chromium, over TLS and HTTP/2 and over HTTP/1.1, behind a link with a delay.
//   node tests/browser/abandon.bench.mjs [--times 20] [--rtt 40] [--mbit 4]
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as plainServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as tcpServer, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "./chromium.mjs";

const args = process.argv.slice(2);
const option = (name, otherwise) => (args.includes(`--${name}`) ? Number(args[args.indexOf(`--${name}`) + 1]) : otherwise);
const [times, rtt, mbit] = [option("times", 20), option("rtt", 40), option("mbit", 4)];
/** The segment that is given up, and the one that is asked for in its place, in bytes. */
const [LARGE, SMALL] = [4 << 20, 50_000];
const GIVEN_UP_MS = 500;

const folder = mkdtempSync(join(tmpdir(), "tidegate-abandon-"));
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-keyout", join(folder, "key"), "-out", join(folder, "cert"), "-days", "2"], { stdio: "ignore" });
const tls = { key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "cert")), allowHTTP1: false };
rmSync(folder, { recursive: true });

const body = Buffer.alloc(LARGE, 120);
/** What a server has written and the link not yet passed on: our host gives HTTP/2 64 KiB of a body at a time. Loopback would swallow all of it. */
const MOST_UNSENT = 64 << 10;
let way;
const answer = async (request, response) => {
  const length = { "/large": LARGE, "/small": SMALL }[request.url];
  response.writeHead(length ? 200 : 404, { "content-type": length ? "video/mp4" : "text/html", "cache-control": "no-store", ...(length ? { "content-length": length } : {}) });
  if (!length) return response.end("<!doctype html><title>x</title>");
  const from = way.seen.bytes;
  for (let at = 0; at < length && !response.destroyed && !response.writableEnded; ) {
    if (at - (way.seen.bytes - from) < MOST_UNSENT) response.write(body.subarray(at, (at = Math.min(length, at + 16_384))));
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
  response.end();
};

/** Passes bytes on when they are due, in their order, which timers of their own would not keep. */
function queue(pass) {
  const waiting = [];
  const step = () => {
    while (waiting.length > 0 && waiting[0].due <= performance.now()) pass(waiting.shift().bytes);
    if (waiting.length > 0) setTimeout(step, Math.max(1, waiting[0].due - performance.now()));
  };
  return (due, bytes) => {
    waiting.push({ due, bytes });
    if (waiting.length === 1) step();
  };
}

/** Bytes pass in both directions half a round trip late, and to the viewer no faster than the link. Counts connections and bytes. */
async function link(port) {
  const seen = { connections: 0, bytes: 0 };
  // All connections share it.
  let free = 0;
  const server = tcpServer({ noDelay: true }, (near) => {
    seen.connections += 1;
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    const up = queue((bytes) => far.write(bytes));
    const down = queue((bytes) => {
      seen.bytes += bytes.length;
      near.write(bytes);
    });
    near.on("data", (bytes) => up(Math.max(since, performance.now()) + rtt / 2, bytes));
    // Its handshake.
    const since = performance.now() + rtt;
    far.on("data", (bytes) => {
      const now = performance.now();
      free = Math.max(free, now) + (8 * bytes.length) / (mbit * 1000);
      // As much as the buffer of such a link holds; beyond, the server is made to wait.
      if (free - now > 2 * rtt) {
        far.pause();
        setTimeout(() => far.resume(), free - now - rtt);
      }
      down(free + rtt / 2, bytes);
    });
    for (const [one, other] of [[near, far], [far, near]]) one.on("close", () => other.destroy()).on("error", () => other.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, seen, close: () => server.close() };
}

const browser = await open();
console.log(`a request of ${LARGE >> 20} MiB is given up after ${GIVEN_UP_MS} ms for one of ${SMALL / 1000} kB; ${mbit} Mbit/s, round trip ${rtt} ms; middle of ${times}`);
console.log("| | new connections | first byte ms | last byte ms | the same with nothing given up | bytes that came too late |");
console.log("|---|---|---|---|---|---|");
for (const [name, scheme, make] of [["HTTP/2", "https", () => createSecureServer(tls, answer)], ["HTTP/1.1", "http", () => plainServer(answer)]]) {
  const server = make();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  way = await link(server.address().port);
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`${scheme}://localhost:${way.port}/`);
  const rows = { kept: [], alone: [] };
  for (let n = 0; n < times; n++) {
    for (const kind of ["alone", "kept"]) {
      const before = { ...way.seen };
      const seen = await page.evaluate(async ([kind, wait]) => {
        const small = async () => {
          const began = performance.now();
          const reader = (await fetch("/small")).body.getReader();
          let [first, bytes] = [0, 0];
          for (let next; !(next = await reader.read()).done; bytes += next.value.length) first ||= performance.now() - began;
          return { first, last: performance.now() - began, loaded: bytes };
        };
        if (kind === "alone") return small();
        const abort = new AbortController();
        let loaded = 0;
        const large = fetch("/large", { signal: abort.signal }).then(async ({ body }) => {
          const reader = body.getReader();
          for (let next; !(next = await reader.read()).done; ) loaded += next.value.length;
        }).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, wait));
        abort.abort();
        await large;
        const after = await small();
        return { ...after, loaded: after.loaded + loaded };
      }, [kind, GIVEN_UP_MS]);
      rows[kind].push({ ...seen, connections: way.seen.connections - before.connections, late: way.seen.bytes - before.bytes - seen.loaded });
      // What is still on its way is not the next one's.
      await page.waitForTimeout(4 * rtt + 200);
    }
  }
  const middle = (kind, what) => Math.round(rows[kind].map((row) => row[what]).sort((a, b) => a - b)[Math.floor(times / 2)]);
  console.log(`| ${name} | ${middle("kept", "connections")} | ${middle("kept", "first")} | ${middle("kept", "last")} | ${middle("alone", "first")}, ${middle("alone", "last")} | ${middle("kept", "late")} |`);
  await page.close();
  way.close();
  server.closeAllConnections?.();
  server.close();
}
await browser.close();
