// The functions in workerd give the golden answers: from a plain bucket, and from a MinIO that checks signatures.
//   node --test tests/deploy/workerd.test.mjs
// TIDEGATE_WORKERD names workerd, TIDEGATE_WORKER the folder that functions/workerd/build made.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { sign } from "../../functions/workerd/sign.mjs";
import { bucket, cases, check, ends, freePort, objects, reach, until } from "./golden.mjs";

const { TIDEGATE_WORKERD, TIDEGATE_WORKER } = process.env;
// One that fails must not keep the others alive.
after(() => Promise.allSettled(ends.map(async (end) => end())));

async function worker(variables) {
  const port = await freePort();
  const child = spawn(TIDEGATE_WORKERD, ["serve", path.join(TIDEGATE_WORKER, "workerd.capnp"), `--socket-addr=http=127.0.0.1:${port}`], {
    env: { PATH: process.env.PATH, ...variables },
    stdio: ["ignore", "inherit", "inherit"],
  });
  ends.push(() => child.kill());
  await until(() => reach({ port, path: "/time" }));
  return port;
}

test("golden cases are the same bytes in workerd", { timeout: 300_000 }, async () => {
  assert.ok(cases.length >= 30, `${cases.length} cases`);
  await check(await worker({ TIDEGATE_UPSTREAM: await bucket() }));
});

test("a viewer who says it in requests alone is counted", { timeout: 300_000 }, async () => {
  const written = [];
  const port = await worker({ TIDEGATE_UPSTREAM: await bucket((key) => written.push(key)), TIDEGATE_EDGE: "here" });
  const { target: part } = cases.find(({ name }) => name === "segment");
  assert.equal((await reach({ port, path: `${part}?CMCD=d%3D2000%2Csid%3D%22a%22` })).status, 200);
  assert.deepEqual(written.filter((key) => key.startsWith("analytics/open/")).length, 1, written.join());
});

test("a store that does not answer is 503", { timeout: 300_000 }, async () => {
  const port = await worker({ TIDEGATE_UPSTREAM: `http://127.0.0.1:${await freePort()}/bucket`, TIDEGATE_PLAYLISTS: "segments" });
  assert.equal((await reach({ port, path: "/live/demo/index.m3u8" })).status, 503);
});

test("the smoke test of a deployment passes what answers and fails what does not", { timeout: 300_000 }, async () => {
  const smoke = (base) =>
    new Promise((resolve) => {
      const child = spawn("bash", ["infra/aws/deploy", "test"], { env: { ...process.env, TIDEGATE_BASE: base, TIDEGATE_TRIES: "1" }, stdio: "ignore" });
      child.on("exit", resolve);
    });
  assert.equal(await smoke(`http://127.0.0.1:${await worker({ TIDEGATE_UPSTREAM: await bucket() })}`), 0);
  const blind = await worker({ TIDEGATE_UPSTREAM: `http://127.0.0.1:${await freePort()}/bucket`, TIDEGATE_PLAYLISTS: "segments" });
  assert.notEqual(await smoke(`http://127.0.0.1:${blind}`), 0, "it cannot read its bucket");
  assert.notEqual(await smoke(`http://127.0.0.1:${await freePort()}`), 0, "nobody is there");
});

const minio = path.join(process.env.TIDEGATE_BIN ?? "/nowhere", "minio");
test("golden cases are the same bytes from a MinIO that checks signatures", { timeout: 300_000, skip: !existsSync(minio) && "MinIO is not here" }, async () => {
  const [folder, port] = [mkdtempSync(path.join(tmpdir(), "tidegate-minio-")), await freePort()];
  const keys = { TIDEGATE_ACCESS_KEY: "tidegate", TIDEGATE_SECRET_KEY: "tidegate-secret", TIDEGATE_REGION: "us-east-1" };
  const child = spawn(minio, ["server", "--quiet", "--address", `127.0.0.1:${port}`, folder], {
    env: { ...process.env, MINIO_ROOT_USER: keys.TIDEGATE_ACCESS_KEY, MINIO_ROOT_PASSWORD: keys.TIDEGATE_SECRET_KEY },
    stdio: "ignore",
  });
  ends.push(async () => {
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  const upstream = `http://127.0.0.1:${port}/bucket`;
  const put = async (url, body) => {
    const init = { method: "PUT", headers: new Headers(), body };
    await sign(new URL(url), init, keys);
    const response = await fetch(url, init);
    assert.ok(response.ok || response.status === 409, `${url}: ${response.status} ${await response.text()}`);
  };
  await until(() => put(upstream));
  for (const [key, bytes] of objects) await put(`${upstream}/${key}`, bytes);
  await check(await worker({ TIDEGATE_UPSTREAM: upstream, ...keys }));
  const port2 = await worker({ TIDEGATE_UPSTREAM: upstream, ...keys, TIDEGATE_SECRET_KEY: "wrong" });
  assert.equal((await reach({ port: port2, path: "/live/demo/index.m3u8" })).status, 503, "a wrong secret opens nothing");
});
