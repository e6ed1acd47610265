// Media that somebody else holds the keys of (Encrypted Media Extensions): a module of the browser decrypts it, and asks through
// here for a licence, which a server or the page gives.

/** What a module of the browser asks. */
export interface LicenseRequest {
  keySystem: string;
  message: Uint8Array<ArrayBuffer>;
  messageType: MediaKeyMessageType;
  /** Headers that the module wants to be sent along. */
  headers: Record<string, string>;
}

/** How licences of one key system are had. */
export interface KeySystem {
  /** Where they are asked for, by POST. */
  licenseUrl?: string;
  /** What is sent along, such as a token. */
  headers?: Record<string, string>;
  /** Asks in the page's own way, in place of `licenseUrl`. */
  license?(request: LicenseRequest): Promise<BufferSource>;
  /** Certificate of the server, which FairPlay cannot do without: its bytes, or where they are. */
  certificate?: BufferSource | string;
  /** How well the device has to guard pictures and sound, in words of the key system. */
  robustness?: { video?: string; audio?: string };
  /** For `org.w3.clearkey`: key by id, both as 32 hexadecimal digits. */
  keys?: Record<string, string>;
}

/** By name, such as `com.widevine.alpha`; the first that the browser has is taken. */
export type KeySystems = Record<string, KeySystem>;

/** Keys of a live stream may change for ever; as many are kept. */
const MAX_SESSIONS = 32;
/** Longest init data that is passed on: a dozen of `pssh` boxes. */
const MAX_INIT_DATA = 65_536;
const TRIES = 3;
const BACK_OFF_MS = 500;
const TIMEOUT_MS = 10_000;
/** A picture that waits for its key for so long was given another one. */
const WAIT_MS = 8_000;
const INIT_DATA_TYPES = ["cenc", "keyids", "sinf", "skd"];
/** A key is no use for good; with others it may yet become one. */
const USELESS: MediaKeyStatus[] = ["expired", "internal-error", "output-restricted", "released"];

export class Licenses {
  #video: HTMLVideoElement;
  #systems: KeySystems;
  #failed: (cause: unknown) => void;
  #types: [string | undefined, string | undefined] = [undefined, undefined];
  #chosen: Promise<{ name: string; system: KeySystem; keys: MediaKeys }> | undefined;
  #sessions = new Map<string, MediaKeySession | undefined>();
  #listeners = new AbortController();

  constructor(video: HTMLVideoElement, systems: KeySystems, failed: (cause: unknown) => void) {
    this.#video = video;
    this.#systems = systems;
    this.#failed = (cause) => !this.#listeners.signal.aborted && failed(cause);
    const { signal } = this.#listeners;
    video.addEventListener("encrypted", ({ initDataType, initData }) => initData && this.#ask(initDataType, new Uint8Array(initData)), { signal });
    video.addEventListener("waitingforkey", () => this.#wait(), { signal });
  }

  /** Says what is about to be played: types of video and of sound. */
  open(types: [string | undefined, string | undefined]): void {
    this.#types = types;
    this.#chosen ??= this.#choose();
    this.#chosen.then(
      ({ system: { keys } }) => keys && this.#ask("keyids", new TextEncoder().encode(JSON.stringify({ kids: Object.keys(keys).map(base64url) }))),
      this.#failed,
    );
  }

  close(): void {
    this.#listeners.abort();
    for (const session of this.#sessions.values()) void session?.close().catch(() => undefined);
    this.#sessions.clear();
    if (this.#video.mediaKeys) void this.#video.setMediaKeys(null).catch(() => undefined);
  }

  async #choose() {
    const robust = (contentType: string | undefined, robustness = "") => (contentType ? [{ contentType, robustness }] : []);
    for (const [name, system] of Object.entries(this.#systems)) {
      // Where there are no capabilities of a kind, the kind may not be named.
      const [video, audio] = [robust(this.#types[0], system.robustness?.video), robust(this.#types[1], system.robustness?.audio)];
      const wanted = { initDataTypes: INIT_DATA_TYPES, ...(video[0] && { videoCapabilities: video }), ...(audio[0] && { audioCapabilities: audio }) };
      let access;
      try {
        access = await navigator.requestMediaKeySystemAccess(name, [wanted]);
      } catch {
        continue; // Not in this browser.
      }
      const keys = await access.createMediaKeys();
      const { certificate } = system;
      if (certificate) await keys.setServerCertificate(typeof certificate === "string" ? await request(certificate, {}) : certificate);
      await this.#video.setMediaKeys(keys);
      return { name, system, keys };
    }
    throw new Error(`this browser has none of ${Object.keys(this.#systems).join(", ")} (it needs a page of https)`);
  }

  #ask(type: string, data: Uint8Array<ArrayBuffer>): void {
    // Each rung brings the same keys along.
    const known = `${type} ${data}`;
    if (data.length > MAX_INIT_DATA || this.#sessions.has(known)) return;
    this.#sessions.set(known, undefined);
    this.#begin(known, type, data).catch(this.#failed);
  }

  async #begin(known: string, type: string, data: Uint8Array<ArrayBuffer>): Promise<void> {
    const { name, system, keys } = await (this.#chosen ??= this.#choose());
    if (this.#listeners.signal.aborted) return;
    const session = keys.createSession();
    this.#sessions.set(known, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest) {
      void this.#sessions.get(oldest)?.close().catch(() => undefined);
      this.#sessions.delete(oldest);
    }
    const { signal } = this.#listeners;
    session.addEventListener(
      "message",
      ({ message, messageType }) => {
        const asked = { keySystem: name, messageType, ...unwrap(name, new Uint8Array(message)) };
        license(system, asked).then((answer) => (signal.aborted ? undefined : session.update(answer))).catch(this.#failed);
      },
      { signal },
    );
    session.addEventListener("keystatuseschange", () => this.#look(), { signal });
    await session.generateRequest(type, data);
  }

  #wait(): void {
    const at = this.#video.currentTime;
    const stands = () => this.#video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA && this.#video.currentTime === at;
    setTimeout(() => stands() && this.#failed(new Error(`no licence has the key of what is shown at ${at} s`)), WAIT_MS);
  }

  /** One key that opens is enough to go on: the others may be those of rungs that this screen may not show. */
  #look(): void {
    const statuses: MediaKeyStatus[] = [];
    for (const session of this.#sessions.values()) session?.keyStatuses.forEach((status) => statuses.push(status));
    if (statuses.length > 0 && statuses.every((status) => USELESS.includes(status))) this.#failed(new Error(`no key can be used: ${statuses[0]}`));
  }
}

export function makeLicenses(video: HTMLVideoElement, systems: KeySystems, failed: (cause: unknown) => void): Licenses {
  return new Licenses(video, systems, failed);
}

async function license(system: KeySystem, asked: LicenseRequest): Promise<BufferSource> {
  const { keys, licenseUrl, headers } = system;
  if (system.license) return system.license(asked);
  if (keys) {
    const all = Object.entries(keys).map(([id, key]) => ({ kty: "oct", kid: base64url(id), k: base64url(key) }));
    return new TextEncoder().encode(JSON.stringify({ keys: all, type: "temporary" }));
  }
  if (!licenseUrl) throw new Error(`${asked.keySystem}: neither licenseUrl nor license is given`);
  return request(licenseUrl, { method: "POST", body: asked.message, headers: { ...asked.headers, ...headers } });
}

/** Asks a server, again where that may help. */
async function request(url: string, init: RequestInit): Promise<ArrayBuffer> {
  for (let tried = 1; ; tried++) {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((error: Error) => error);
    if (answer instanceof Response && answer.ok) return answer.arrayBuffer();
    const refused = answer instanceof Response && answer.status < 500 && answer.status !== 429;
    if (refused || tried >= TRIES) throw answer instanceof Response ? new Error(`${url}: ${answer.status}`) : answer;
    await new Promise((resolve) => setTimeout(resolve, BACK_OFF_MS * 2 ** tried));
  }
}

/** PlayReady wraps what it asks into XML (UTF-16), together with headers. */
function unwrap(name: string, message: Uint8Array<ArrayBuffer>): Pick<LicenseRequest, "message" | "headers"> {
  if (!name.startsWith("com.microsoft.playready")) return { message, headers: {} };
  const xml = new TextDecoder("utf-16le").decode(message);
  const challenge = /<Challenge[^>]*>([^<]+)</.exec(xml)?.[1];
  if (!challenge) return { message, headers: { "content-type": "text/xml; charset=utf-8" } };
  const headers = [...xml.matchAll(/<name>([^<]+)<\/name>\s*<value>([^<]+)</g)].map(([, name = "", value = ""]) => [name, value]);
  return { message: Uint8Array.from(atob(challenge), (one) => one.charCodeAt(0)), headers: Object.fromEntries(headers) };
}

/** From hexadecimal digits, with or without the hyphens of a UUID. */
function base64url(hex: string): string {
  const bytes = hex.replaceAll("-", "").match(/../g)?.map((pair) => Number.parseInt(pair, 16)) ?? [];
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
