// The functions as a JavaScript worker: this shell moves bytes, the module beside it decides.
//
// Variables of the worker:
//   TIDEGATE_UPSTREAM         where the bucket is, as https://s3.example/bucket
//   TIDEGATE_ACCESS_KEY, TIDEGATE_SECRET_KEY, TIDEGATE_REGION
//                             sign requests to it; without them they go out unsigned
//   TIDEGATE_PLAYLISTS        "segments": nothing is held; else parts, and a request is held until what it names is there
//   TIDEGATE_NETWORK          a service through which the bucket is reached, where it is not in the open internet
//   TIDEGATE_COUNTRY_HEADER, TIDEGATE_NETWORK_HEADER, TIDEGATE_ADDRESS_HEADER
//                             where it is not Cloudflare that says where a viewer is
//   TIDEGATE_EDGE             what this place is called in figures; without it Cloudflare's name of it
import wasm from "./functions.wasm";
import { sign } from "./sign.mjs";

/// The largest object that is read, and the largest body of a request: those of the other hosts.
const OBJECT_BYTES = 16 << 20;
const REQUEST_BYTES = 64 << 10;
const OBJECT_MS = 5000;
/// No answer.
const NOTHING = [0, [], new Uint8Array()];

const { memory, room, begin, poll, said, handle, end } = new WebAssembly.Instance(wasm).exports;
const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    const body = ["GET", "HEAD", "OPTIONS"].includes(request.method) ? new Uint8Array() : await bytes(request.body, REQUEST_BYTES);
    if (!body) return new Response("the body is too long\n", { status: 413 });
    const holds = env.TIDEGATE_PLAYLISTS !== "segments";
    write([request.method, url.pathname, url.search.slice(1), ...headersOf(request, url, env)], body);
    const call = begin(Number(holds));
    try {
      return await drive(call, request.method, env);
    } finally {
      end(call);
    }
  },
};

// A message for the module: lines, a zero, bytes.
function write(lines, body) {
  const head = encoder.encode(`${lines.join("\n")}\0`);
  const at = room(head.length + body.length);
  new Uint8Array(memory.buffer).set(head, at);
  new Uint8Array(memory.buffer).set(body, at + head.length);
}

// A message of the module.
function read(at) {
  const bytes = new Uint8Array(memory.buffer, at, said());
  const length = bytes.indexOf(0);
  const [kind, method, target, number, limit, ...headers] = decoder.decode(bytes.subarray(0, length)).split("\n");
  // A copy: the memory moves on.
  return { kind, method, target, number: Number(number), limit: Number(limit), headers: headers.map(pair), body: bytes.slice(length + 1) };
}

async function drive(call, method, env) {
  for (;;) {
    const random = room(32);
    crypto.getRandomValues(new Uint8Array(memory.buffer, random, 32));
    const step = read(poll(call, Date.now()));
    if (step.kind === "respond") {
      const { number: status, headers, body } = step;
      const bodiless = status === 204 || status === 304;
      if (!bodiless) headers.push(["content-length", String(body.length)]);
      const empty = method === "HEAD" || bodiless;
      return new Response(empty ? null : body, { status, headers });
    }
    if (step.kind === "pause") {
      await new Promise((resolve) => setTimeout(resolve, step.number));
    } else {
      const [status, lines, body] = await (step.kind === "object" ? object(env, step) : load(step));
      write(lines, body);
      handle(call, Date.now(), status);
    }
  }
}

async function object(env, { method, target, headers, body }) {
  const url = new URL(`${env.TIDEGATE_UPSTREAM.replace(/\/$/, "")}/${target}`);
  try {
    const init = { method, headers: new Headers(headers), signal: AbortSignal.timeout(OBJECT_MS) };
    if (method === "PUT") init.body = body;
    if (env.TIDEGATE_ACCESS_KEY) await sign(url, init, env);
    const response = await (env.TIDEGATE_NETWORK ?? globalThis).fetch(url, init);
    const answer = await bytes(response.body, OBJECT_BYTES);
    const date = (name) => Date.parse(response.headers.get(name) ?? "");
    // By one clock, the store's own.
    const age = date("date") - date("last-modified");
    return answer ? [response.status, [response.headers.get("etag") ?? "", age >= 0 ? String(age) : ""], answer] : NOTHING;
  } catch {
    return NOTHING;
  }
}

// What is not ours. Where this runs on Cloudflare, and in workerd with its default network, only public addresses can be reached.
async function load({ target, headers, limit, number }) {
  try {
    const response = await fetch(target, { headers, redirect: "manual", signal: AbortSignal.timeout(number) });
    const body = await bytes(response.body, limit);
    return body ? [response.status, [...response.headers].map(line), body] : [413, [], new Uint8Array()];
  } catch {
    return NOTHING;
  }
}

// The request's headers as the functions read them; who the viewer is, only this shell says.
function headersOf(request, url, env) {
  const own = [...request.headers].filter(([name]) => !name.startsWith("tidegate-") && !name.startsWith("viewer-"));
  const said = (what, known) => (env[`TIDEGATE_${what}_HEADER`] ? request.headers.get(env[`TIDEGATE_${what}_HEADER`]) : known);
  own.push(["viewer-host", url.host], ["viewer-scheme", url.protocol.slice(0, -1)]);
  const known = {
    country: said("COUNTRY", request.cf?.country),
    network: said("NETWORK", request.cf?.asn && `AS${request.cf.asn}`),
    // Only behind Cloudflare is it Cloudflare that has written this.
    address: said("ADDRESS", request.cf && request.headers.get("cf-connecting-ip")),
    edge: env.TIDEGATE_EDGE ?? request.cf?.colo,
  };
  for (const [what, value] of Object.entries(known)) if (value) own.push([`viewer-${what}`, value]);
  return own.map(line);
}

function line([name, value]) {
  return `${name}: ${value}`;
}

function pair(text) {
  const at = text.indexOf(": ");
  return [text.slice(0, at), text.slice(at + 2)];
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
