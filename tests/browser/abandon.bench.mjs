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
const answer = (request, response) => {
  const length = { "/large": LARGE, "/small": SMALL }[request.url];
  response.writeHead(length ? 200 : 404, { "content-type": length ? "video/mp4" : "text/html", "cache-control": "no-store", ...(length ? { "content-length": length } : {}) });
  response.end(length ? body.subarray(0, length) : "<!doctype html><title>x</title>");
};

/** Bytes pass in both directions half a round trip late, and to the viewer no faster than the link. Counts connections and bytes. */
async function link(port) {
  const seen = { connections: 0, bytes: 0 };
  const server = tcpServer({ noDelay: true }, (near) => {
    seen.connections += 1;
    const far = connect({ port, host: "127.0.0.1", noDelay: true });
    near.on("data", (bytes) => setTimeout(() => far.write(bytes), rtt / 2));
    let free = 0;
    far.on("data", (bytes) => {
      const now = performance.now();
      free = Math.max(free, now) + (8 * bytes.length) / (mbit * 1000);
      // As much as the buffer of such a link holds; beyond, the server is made to wait.
      if (free - now > 2 * rtt) {
        far.pause();
        setTimeout(() => far.resume(), free - now - rtt);
      }
      setTimeout(() => {
        seen.bytes += bytes.length;
        near.write(bytes);
      }, free - now + rtt / 2);
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
  const way = await link(server.address().port);
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
