// Starts the real `tidegate up` on free ports, and stops it as a person would.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const target = process.env.CARGO_TARGET_DIR ?? join(cache, "tidegate", "target");
const binary = process.env.TIDEGATE_BINARY ?? join(target, "debug", "tidegate");
const START_MS = 60_000;
const STOP_MS = 20_000;

/** Starts the platform; `args` go to `tidegate up`. The demo is on its way when this returns. */
export const up = (...args) => start(binary, ["up", ...args]);

/** Starts a program that runs the platform, on free ports. */
export async function start(program, args) {
  const data = mkdtempSync(join(tmpdir(), "tidegate-test-"));
  const free = "127.0.0.1:0";
  const begun = performance.now();
  const all = [...args, "--listen", free, "--rtmp", free, "--store-listen", free, "--data", data];
  const child = spawn(program, all, { stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  let out = "";
  let errors = "";
  child.stderr.on("data", (bytes) => (errors += bytes));
  const summary = new Promise((resolve, reject) => {
    child.stdout.on("data", (bytes) => {
      out += bytes;
      // The summary ends with how to stop it.
      if (out.includes("Ctrl-C")) resolve(out);
    });
    ended.then(({ code }) => reject(new Error(`tidegate up ended with ${code}: ${errors}`)));
    setTimeout(() => reject(new Error(`no summary within ${START_MS} ms: ${out}${errors}`)), START_MS).unref();
  });
  const line = (name) => new RegExp(`^\\s*${name}\\s+(\\S+)`, "m").exec(out)?.[1];
  try {
    await summary;
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(data, { recursive: true, force: true });
    throw error;
  }
  return {
    watch: line("Watch"),
    playlist: line("Playlist"),
    bucket: line("Bucket"),
    rtmp: line("OBS"),
    key: line("Stream key"),
    dashboard: line("Dashboard"),
    token: line("API token"),
    startMs: performance.now() - begun,
    pid: child.pid,
    errors: () => errors,
    async stop() {
      child.kill("SIGINT");
      const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      const result = await ended;
      clearTimeout(late);
      rmSync(data, { recursive: true, force: true });
      return result;
    },
  };
}
