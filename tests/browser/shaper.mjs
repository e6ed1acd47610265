// A link in front of a server: passes requests on, and lets no more bytes back than a recording of a real link would.
import { readFileSync } from "node:fs";
import { createServer, request as ask } from "node:http";

/** How often bytes are let through. */
const STEP_MS = 10;
/** What waits in the link before the server is made to wait. */
const MAX_WAITING = 256 * 1024;

/** Reads `time_s,bandwidth_kbps[,rtt_ms]`. */
export function trace(path, scale = 1) {
  const steps = readFileSync(path, "utf8").trim().split("\n").slice(1).map((line) => line.split(",").map(Number));
  if (steps.length < 2 || steps.some((step) => step.some(Number.isNaN))) throw new Error(`${path} is no recording of a link`);
  const [first] = steps[0];
  const period = steps.at(-1)[0] - first;
  return {
    /** Bits per second at a time in s; it begins anew when it ends. */
    bps: (s) => scale * 1000 * (steps.findLast(([at]) => at - first <= s % period) ?? steps[0])[1],
    rttMs: steps[0][2] ?? 40,
  };
}

/** Serves what `origin` serves, through a link. All answers share it in turn, as flows of one household do. */
export async function shaper(origin, { bps, rttMs }) {
  const target = new URL(origin);
  const flows = new Set();
  const began = performance.now();
  let credit = 0;
  let last = began;
  const timer = setInterval(() => {
    const now = performance.now();
    // A link that nobody used has not saved anything up.
    credit = Math.min(credit, 0) + (bps((now - began) / 1000) * (now - last)) / 8000;
    last = now;
    for (let waiting = true; waiting && credit > 0; ) {
      waiting = false;
      for (const flow of flows) {
        const bytes = flow.chunks.shift();
        if (!bytes) continue;
        waiting = true;
        credit -= bytes.length;
        flow.waiting -= bytes.length;
        flow.to.write(bytes);
        if (flow.waiting < MAX_WAITING) flow.from.resume();
      }
    }
    for (const flow of flows) {
      if (flow.ended && flow.chunks.length === 0) {
        flow.to.end();
        flows.delete(flow);
      }
    }
  }, STEP_MS);
  const server = createServer((inbound, outbound) => {
    // Playlists name no hosts, so that viewers stay on this side.
    const headers = { ...inbound.headers, host: target.host };
    const onward = ask({ host: target.hostname, port: target.port, path: inbound.url, method: inbound.method, headers }, (answer) => {
      setTimeout(() => {
        outbound.writeHead(answer.statusCode, answer.headers);
        const flow = { from: answer, to: outbound, chunks: [], waiting: 0, ended: false };
        flows.add(flow);
        answer.on("data", (bytes) => {
          // Small pieces, so that flows take turns.
          for (let at = 0; at < bytes.length; at += 4096) flow.chunks.push(bytes.subarray(at, at + 4096));
          flow.waiting += bytes.length;
          if (flow.waiting > MAX_WAITING) answer.pause();
        });
        answer.on("end", () => (flow.ended = true));
        outbound.on("close", () => {
          flows.delete(flow);
          answer.destroy();
        });
      }, rttMs);
    });
    onward.on("error", () => outbound.destroy());
    outbound.on("close", () => onward.destroy());
    inbound.pipe(onward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      clearInterval(timer);
      server.closeAllConnections();
      server.close();
    },
  };
}
