// The functions as a JavaScript worker: this shell moves bytes, the module beside it decides.
//
// Variables of the worker:
//   TIDEGATE_UPSTREAM         where the bucket is, as https://s3.example/bucket
//   TIDEGATE_ACCESS_KEY, TIDEGATE_SECRET_KEY, TIDEGATE_REGION
//                             sign requests to it; without them they go out unsigned
//   TIDEGATE_PLAYLISTS        "segments": nothing is held; else parts, and a request is held until what it names is there
//   TIDEGATE_NETWORK          a service through which the bucket is reached, where it is not in the open internet
//   TIDEGATE_COUNTRY_HEADER   where it is not Cloudflare that says where a viewer is
import { initSync, Call } from "./generated/tidegate_workerd.js";
import wasm from "./generated/tidegate_workerd_bg.wasm";
import { sign } from "./sign.mjs";

/// The largest object that is read, and the largest body of a request: those of the other hosts.
const OBJECT_BYTES = 16 << 20;
const REQUEST_BYTES = 64 << 10;
const OBJECT_MS = 5000;

initSync({ module: wasm });

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const body = ["GET", "HEAD", "OPTIONS"].includes(request.method) ? new Uint8Array() : await bytes(request.body, REQUEST_BYTES);
    if (!body) return new Response("the body is too long\n", { status: 413 });
    const holds = env.TIDEGATE_PLAYLISTS !== "segments";
    const call = new Call(request.method, url.pathname, url.search.slice(1), headersOf(request, url, env), body, holds);
    try {
      return await drive(call, request.method, env);
    } finally {
      call.free();
    }
  },
};

async function drive(call, method, env) {
  for (;;) {
    const step = call.poll(Date.now(), crypto.getRandomValues(new Uint8Array(32)));
    const { kind, target, number } = step;
    const headers = pairs(step.headers);
    if (kind === "respond") {
      const body = step.body();
      headers.push(["content-length", String(body.length)]);
      const empty = method === "HEAD" || number === 204 || number === 304;
      return new Response(empty ? null : body, { status: number, headers });
    }
    if (kind === "pause") {
      await new Promise((resolve) => setTimeout(resolve, number));
    } else if (kind === "object") {
      const [status, etag, body] = await object(env, step.method, target, headers, step.body());
      call.object(Date.now(), status, etag, body);
    } else {
      const [status, lines, body] = await load(target, headers, step.limit, number);
      call.loaded(Date.now(), status, lines, body);
    }
  }
}

async function object(env, method, key, headers, body) {
  const url = new URL(`${env.TIDEGATE_UPSTREAM.replace(/\/$/, "")}/${key}`);
  try {
    const init = { method, headers: new Headers(headers), signal: AbortSignal.timeout(OBJECT_MS) };
    if (method === "PUT") init.body = body;
    if (env.TIDEGATE_ACCESS_KEY) await sign(url, init, env);
    const response = await (env.TIDEGATE_NETWORK ?? globalThis).fetch(url, init);
    const answer = await bytes(response.body, OBJECT_BYTES);
    return answer ? [response.status, response.headers.get("etag") ?? undefined, answer] : [0, undefined, new Uint8Array()];
  } catch {
    return [0, undefined, new Uint8Array()];
  }
}

// What is not ours. Where this runs on Cloudflare, and in workerd with its default network, only public addresses can be reached.
async function load(url, headers, limit, ms) {
  try {
    const response = await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(ms) });
    const body = await bytes(response.body, limit);
    if (!body) return [413, "", new Uint8Array()];
    return [response.status, [...response.headers].map(([name, value]) => `${name}: ${value}\n`).join(""), body];
  } catch {
    return [0, "", new Uint8Array()];
  }
}

// The request's headers as the functions read them; who the viewer is, only this shell says.
function headersOf(request, url, env) {
  const own = [...request.headers].filter(([name]) => !name.startsWith("tidegate-") && !name.startsWith("viewer-"));
  const country = env.TIDEGATE_COUNTRY_HEADER ? request.headers.get(env.TIDEGATE_COUNTRY_HEADER) : request.cf?.country;
  own.push(["viewer-host", url.host], ["viewer-scheme", url.protocol.slice(0, -1)]);
  if (country) own.push(["viewer-country", country]);
  return own.map(([name, value]) => `${name}: ${value}\n`).join("");
}

function pairs(lines) {
  return lines
    .split("\n")
    .filter(Boolean)
    .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]);
}

// All bytes of a body, or null where there are more than `limit`.
async function bytes(body, limit) {
  if (!body) return new Uint8Array();
  const chunks = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > limit) return null;
    chunks.push(chunk);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}
