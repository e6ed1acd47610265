// The golden cases and their bucket, for hosts of functions that are processes. TIDEGATE_GOLDEN_FILES is what the example `bucket` of
// tidegate-golden wrote.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import http from "node:http";
import path from "node:path";

const { TIDEGATE_GOLDEN_FILES } = process.env;
export const cases = JSON.parse(readFileSync(path.join(TIDEGATE_GOLDEN_FILES, "cases.json"), "utf8"));
export const objects = new Map(files(path.join(TIDEGATE_GOLDEN_FILES, "bucket"), ""));
// What has to be ended when the tests are over.
export const ends = [];

function* files(folder, prefix) {
  for (const name of readdirSync(folder)) {
    const at = path.join(folder, name);
    if (statSync(at).isDirectory()) yield* files(at, `${prefix}${name}/`);
    else yield [prefix + name, readFileSync(at)];
  }
}

function listen(server) {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
}

export async function freePort() {
  const server = http.createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A bucket that anybody may read; `written` is told of keys that somebody writes, and nothing is kept of them.
export async function bucket(written) {
  const server = http.createServer((request, response) => {
    const key = new URL(request.url, "http://x").pathname.replace(/^\/bucket\//, "");
    if (written && request.method === "PUT") {
      written(key);
      return request.resume().on("end", () => response.writeHead(200, { etag: '"2"' }).end());
    }
    const bytes = objects.get(key);
    if (!bytes) return response.writeHead(404).end();
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    if (first === undefined) return response.writeHead(200, { etag: '"1"' }).end(bytes);
    response.writeHead(206, { etag: '"1"' }).end(bytes.subarray(Number(first), Number(last) + 1));
  });
  ends.push(() => server.closeAllConnections?.() ?? server.close(), () => server.close());
  return `http://127.0.0.1:${await listen(server)}/bucket`;
}

// Node's own client, since fetch rewrites addresses and headers.
const ANSWER_MS = 10_000;

export function reach({ port, method = "GET", path, headers = {} }) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    request.on("error", reject);
    // A process that is just starting may take a connection and forget it.
    request.setTimeout(ANSWER_MS, () => request.destroy(new Error(`${path}: no answer within ${ANSWER_MS} ms`)));
    request.end();
  });
}

export async function until(what) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await what();
    } catch (error) {
      if (tries > 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

export async function check(port) {
  const wrong = [];
  for (const { name, method, target, headers, answer } of cases) {
    const got = await reach({ port, method, path: target, headers });
    const differs = Object.entries(answer.headers).filter(([header, value]) => got.headers[header] !== value);
    if (got.status !== answer.status || got.body !== answer.body || differs.length) {
      wrong.push(`${name}: ${got.status} ${JSON.stringify(differs.map(([header]) => [header, got.headers[header]]))} ${got.body.slice(0, 200)}`);
    }
  }
  assert.deepEqual(wrong, []);
}
