// The same component in Spin gives the golden answers: node --test tests/deploy/spin.test.mjs, with TIDEGATE_COMPONENT.
import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { bucket, check, ends, freePort, reach, until } from "./golden.mjs";

// One that fails must not keep the others alive.
after(() => Promise.allSettled(ends.map(async (end) => end())));

test("golden cases are the same bytes in Spin", { timeout: 300_000 }, async () => {
  const [folder, port, upstream] = [mkdtempSync(path.join(tmpdir(), "tidegate-spin-")), await freePort(), await bucket()];
  ends.push(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 }));
  copyFileSync(process.env.TIDEGATE_COMPONENT, path.join(folder, "functions.wasm"));
  const manifest = readFileSync("infra/spin/spin.toml", "utf8").replace("http://127.0.0.1:9000/tidegate", upstream);
  writeFileSync(path.join(folder, "spin.toml"), manifest.replace('["http://127.0.0.1:9000"]', `["${new URL(upstream).origin}"]`));
  const options = ["up", "--from", path.join(folder, "spin.toml"), "--listen", `127.0.0.1:${port}`, "--runtime-config-file", "infra/spin/runtime.toml"];
  const child = spawn("spin", options, { stdio: ["ignore", "inherit", "inherit"] });
  ends.push(() => child.kill());
  await until(() => reach({ port, path: "/time" }));
  await check(port);
});
