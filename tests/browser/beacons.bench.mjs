// Events of players that one core counts through the component: the CPU of the whole of `tidegate up`, HTTP included, by the events.
// A network of which too many viewers come is not believed, and what is dropped costs little: so each 250 viewers have a network of
// their own, and how many viewers are counted in the end is printed beside the sessions.
// node tests/browser/beacons.bench.mjs [SECONDS]
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { up } from "./platform.mjs";

const SECONDS = Number(process.argv[2] ?? 10);
const CONNECTIONS = 64;
const VIEWERS_OF_A_NETWORK = 250;
/** From the last report until the count of viewers holds it. */
const COUNTED_MS = 12_000;
/** Of the kernel's clock in /proc. */
const TICKS_PER_S = 100;

const cpu = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const platform = await up("--no-demo");
const { hostname, port } = new URL(platform.watch);
let networks = 0;
/** Connections from an address in a network of loopback that nobody has come from. */
const network = () => {
  const number = networks++;
  return new Agent({ keepAlive: true, maxSockets: 1, localAddress: `127.${1 + ((number >> 8) & 127)}.${number & 255}.1` });
};
const post = (agent, body) => new Promise((resolve, reject) => {
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
        const agent = network();
        for (let viewer = 0; viewer < VIEWERS_OF_A_NETWORK && performance.now() < end; viewer++) {
          const name = `bench-${lines}-${session++}`;
          const body = Array.from({ length: lines }, (_, n) =>
            `bl=(1200),br=(3000),cid="studio",com.tidegate-since="3000 3000 0 0 ${n ? 1 : 0}",e=t,ltc=1500,mtp=(12300),sf=h,sid="${name}",sn=${n + 1},st=ll,sta=p,ts=${Date.now() - 3000 * (lines - n)},v=2`);
          const status = await post(agent, body.join("\n"));
          if (status === 204) taken += lines;
          else if (status !== 429) throw new Error(`a report was answered with ${status}`);
        }
        agent.destroy();
      }
    }));
    const seconds = (performance.now() - begun) / 1000;
    const spent = cpu(platform.pid) - before - perSecond * seconds;
    console.log(`${lines} events a report: ${Math.round(taken / spent)} events/s per core (bar 8,000); ${Math.round(taken / seconds)} events/s seen`);
    await sleep(COUNTED_MS);
    const { viewers } = await (await fetch(new URL("/api/v1/streams/studio/viewers", platform.watch))).json();
    console.log(`  ${session} sessions, ${viewers} viewers are counted`);
  }
} finally {
  await platform.stop();
}
