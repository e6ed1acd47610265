// Events of players that one core counts through the component: the CPU of the whole of `tidegate up`, HTTP included, by the events.
// node tests/browser/beacons.bench.mjs [SECONDS]
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { up } from "./platform.mjs";

const SECONDS = Number(process.argv[2] ?? 10);
const CONNECTIONS = 64;
/** Of the kernel's clock in /proc. */
const TICKS_PER_S = 100;

const cpu = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const platform = await up("--no-demo");
const { hostname, port } = new URL(platform.watch);
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
const post = (body) => new Promise((resolve, reject) => {
  const sent = request({ hostname, port, agent, method: "POST", path: "/live/studio/beacon", headers: { "content-type": "application/cmcd", "user-agent": "bench (Linux)" } }, (answer) => {
    answer.resume();
    answer.once("end", () => resolve(answer.statusCode));
  });
  sent.once("error", reject);
  sent.end(body);
});

try {
  for (const lines of [1, 2, 10]) {
    await sleep(3_000);
    const [idle, waited] = [cpu(platform.pid), performance.now()];
    await sleep(3_000);
    const perSecond = (cpu(platform.pid) - idle) / ((performance.now() - waited) / 1000);
    let [taken, session] = [0, 0];
    const [before, begun] = [cpu(platform.pid), performance.now()];
    const end = begun + SECONDS * 1000;
    await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
      while (performance.now() < end) {
        const name = `bench-${lines}-${session++}`;
        const body = Array.from({ length: lines }, (_, n) =>
          `bl=(1200),br=(3000),cid="studio",com.tidegate-since="30000 30000 0 0 1",e=t,ltc=1500,mtp=(12300),sf=h,sid="${name}",sn=${n + 1},st=ll,sta=p,ts=${Date.now()},v=2`);
        const status = await post(body.join("\n"));
        if (status === 204) taken += lines;
        else if (status !== 429) throw new Error(`a report was answered with ${status}`);
      }
    }));
    const seconds = (performance.now() - begun) / 1000;
    const spent = cpu(platform.pid) - before - perSecond * seconds;
    console.log(`${lines} events a report: ${Math.round(taken / spent)} events/s per core (bar 8,000); ${Math.round(taken / seconds)} events/s seen`);
  }
} finally {
  agent.destroy();
  await platform.stop();
}
