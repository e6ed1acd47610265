// Gets the engine: WebAssembly from beside this script, or the same engine in plain JavaScript where a page forbids that.

import type { Exports } from "./engine.js";

/** Where the engine is. */
export interface EngineSource {
  /** Address or bytes of the module. */
  wasm?: string | URL | BufferSource;
  /** Address of the same in JavaScript. */
  script?: string | URL;
  /** Address of what reads captions inside pictures. */
  captions?: string | URL;
  /** Address of what few viewers need: DASH, pictures over the bar, messages inside media, the panel of decisions. */
  extras?: string | URL;
}

/** Replaced at build: hashes of the files beside this script. */
declare const WASM_INTEGRITY: string;
declare const SCRIPT_INTEGRITY: string;
declare const CAPTIONS_INTEGRITY: string;
declare const EXTRAS_INTEGRITY: string;

type Make = () => Exports;
/** Where the script leaves what it makes; a name that no page uses. */
const MAILBOX = "__tidegateEngine";

let source: EngineSource = {};
let loading: Promise<Make> | undefined;
let usesScript = false;

/** Names other places for the engine; before the first player begins. */
export function setEngine(other: EngineSource): void {
  source = other;
  loading = undefined;
}

/** Whether the engine runs as WebAssembly or as JavaScript; undefined before it runs. */
export function engineKind(): "wasm" | "script" | undefined {
  return loading && (usesScript ? "script" : "wasm");
}

/** Loads the engine once for all elements of a page. */
export function loadEngine(): Promise<Make> {
  loading ??= fromWasm()
    .catch((error: unknown) => fromScript().catch(() => { throw error; }))
    .catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
  return loading;
}

async function fromWasm(): Promise<Make> {
  usesScript = false;
  const from = source.wasm ?? new URL("./tidegate_player.wasm", import.meta.url);
  // A policy without 'wasm-unsafe-eval' refuses the smallest module too, before anything is loaded. Not by a promise: the page is
  // being laid out, and its turn would come tens of milliseconds later.
  new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  const isAddress = typeof from === "string" || from instanceof URL;
  const own = source.wasm === undefined && WASM_INTEGRITY ? { integrity: WASM_INTEGRITY } : {};
  const bytes = isAddress ? await (await found(fetch(from, own))).arrayBuffer() : from;
  const module = compiledNow(bytes) ?? (await WebAssembly.compile(bytes));
  return () => new WebAssembly.Instance(module, {}).exports as unknown as Exports;
}

/** A promise's turn would come late here as well. Some browsers do not compile that much at once. */
function compiledNow(bytes: BufferSource): WebAssembly.Module | undefined {
  try {
    return new WebAssembly.Module(bytes);
  } catch {
    return undefined;
  }
}

async function found(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (!response.ok) throw new Error(`${response.url}: ${response.status}`);
  return response;
}

async function fromScript(): Promise<Make> {
  const make = await loadScript<Make>("script", MAILBOX);
  usesScript = true;
  return make;
}

/**
 * Runs a script beside this one and takes what it leaves in a mailbox. An element, not `import`: it can carry a hash, and a policy that
 * trusts this script trusts it too.
 */
export function loadScript<T>(name: "script" | "captions" | "extras", mailbox: string): Promise<T> {
  const scope = globalThis as unknown as Record<string, T | undefined>;
  // Bundlers look for addresses of this shape.
  const [own, integrity] = {
    script: [new URL("./tidegate-engine.js", import.meta.url), SCRIPT_INTEGRITY] as const,
    captions: [new URL("./tidegate-captions.js", import.meta.url), CAPTIONS_INTEGRITY] as const,
    extras: [new URL("./tidegate-extras.js", import.meta.url), EXTRAS_INTEGRITY] as const,
  }[name];
  const other = source[name];
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = String(other ?? own);
    if (other === undefined && integrity) element.integrity = integrity;
    element.crossOrigin = "anonymous";
    element.onload = () => {
      element.remove();
      const made = scope[mailbox];
      if (made) resolve(made);
      else reject(new Error(`${element.src} is something else`));
    };
    element.onerror = () => {
      element.remove();
      reject(new Error(`${element.src} cannot be loaded`));
    };
    document.head.append(element);
  });
}
