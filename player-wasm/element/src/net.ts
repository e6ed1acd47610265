// Requests, with the times of their first and last byte, and the bytes of media until they are appended.

/** Without a byte for this long a request is given up; a server holds a blocking request for less. */
const SILENCE_MS = 20_000;
/** A key is 16 bytes; keys that are kept: one an hour for a day, if they are changed that often. */
const MAX_KEYS = 32;
/** No playlist is longer (one of a day is below 4 MB), nor a segment (6 s of 80 Mbit/s): what is, is refused as a server would. */
export const MAX_PLAYLIST = 16 << 20;
const MAX_MEDIA = 64 << 20;
const TOO_LARGE = 413;
/** How long after it was begun such a request for a media playlist is good for. */
const FRESH_MS = 1_000;
/** How much of a file the engine looks at. */
const HEAD_BYTES = 16_384;

export interface Loaded {
  bytes: Uint8Array<ArrayBuffer>;
  head: Uint8Array;
  ttfb: number;
  total: number;
}

/** A request for media that runs. `total` is NaN where the server does not say it; `ttfb` is that of now before the first byte. */
export interface Running {
  id: number;
  bytes: number;
  total: number;
  ttfb: number;
  elapsed: number;
}

interface Kept {
  abort: AbortController;
  bytes?: Uint8Array<ArrayBuffer>;
  /** While the body of a media request comes. */
  body?: { started: number; first: number; length: number; total: number };
}

/** A request for a playlist that was begun before anybody asked for it. */
interface Early {
  abort: AbortController;
  response: Promise<Response>;
  text: Promise<string>;
  /** After that a live playlist would be from before too long. */
  until: number;
}

/** What decrypts a file. `maybe`: it may be plain all the same. */
export interface Lock {
  url: string;
  /** 32 hexadecimal digits. */
  iv: string;
  maybe: boolean;
}

export class Net {
  #credentials: RequestCredentials;
  #advised: (header: string) => void;
  #get: (url: string, init: RequestInit) => Promise<Response>;
  #keys = new Map<string, Promise<CryptoKey>>();
  #kept = new Map<number, Kept>();
  #early = new Map<string, Early>();

  /** `advised` gets what a server says of the way to this viewer (CMSD-Dynamic), before what it says that with; `get` is what asks. */
  constructor(credentials: boolean, advised: (header: string) => void = () => undefined, get: (url: string, init: RequestInit) => Promise<Response> = (url, init) => fetch(url, init)) {
    this.#credentials = credentials ? "include" : "same-origin";
    this.#advised = advised;
    this.#get = get;
  }

  /** Asks for a playlist before the engine is there to ask for it, and then for those that `next` finds in it. */
  begin(url: string, next?: (list: string, from: string) => string[]): void {
    const abort = new AbortController();
    const response = fetch(url, { signal: abort.signal, credentials: this.#credentials });
    const text = response.then(async (response) => {
      if (!response.ok) return "";
      const list = await readList(response, () => undefined);
      if (next && !abort.signal.aborted) for (const one of next(list, response.url || url)) this.begin(one);
      return list;
    });
    text.catch(() => undefined);
    this.#early.set(url, { abort, response, text, until: next ? Infinity : performance.now() + FRESH_MS });
  }

  /** Gets a playlist; `failed` gets the HTTP status, or 0. Neither is called after `drop`. */
  playlist(id: number, url: string, loaded: (url: string, text: string) => void, failed: (status: number) => void): void {
    void this.#request(id, url, {}, failed, async (response, alive, heard, early) => {
      const text = await (early?.text ?? readList(response, heard));
      this.#kept.delete(id);
      if (alive()) loaded(response.url || url, text);
    });
  }

  /** Gets media and keeps it under `id`. */
  media(id: number, url: string, range: [number, number] | undefined, lock: Lock | undefined, loaded: (result: Loaded) => void, failed: (status: number) => void): void {
    this.#dropEarly();
    const headers: Record<string, string> = range ? { Range: `bytes=${range[0]}-${range[1]}` } : {};
    const started = performance.now();
    const body = { started, first: 0, length: 0, total: NaN };
    void this.#request(id, url, headers, failed, async (response, alive, heard) => {
      body.total = Number.parseInt(response.headers.get("content-length") ?? "", 10);
      // A server without ranges sends the whole file: of that no more is read than what was asked for.
      const end = range && response.status === 200 ? range[1] + 1 : NaN;
      const bytes = await readAll(response, heard, body, MAX_MEDIA, end);
      const ended = performance.now();
      const first = body.first || ended;
      const kept = this.#kept.get(id);
      if (!alive() || !kept) return;
      const own = range && response.status === 200 ? bytes.slice(range[0], range[1] + 1) : bytes;
      const open = lock ? await this.#open(own, lock) : own;
      if (!alive()) return;
      kept.bytes = open;
      delete kept.body;
      loaded({ bytes: open, head: open.subarray(0, HEAD_BYTES), ttfb: first - started, total: ended - started });
    });
    const kept = this.#kept.get(id);
    if (kept) kept.body = body;
  }

  /** How far the requests for media are. */
  running(): Running[] {
    const now = performance.now();
    return [...this.#kept].flatMap(([id, { body }]) =>
      body ? [{ id, bytes: body.length, total: body.total, ttfb: (body.first || now) - body.started, elapsed: now - body.started }] : [],
    );
  }

  bytes(id: number): Uint8Array<ArrayBuffer> | undefined {
    return this.#kept.get(id)?.bytes;
  }

  drop(id: number): void {
    const kept = this.#kept.get(id);
    this.#kept.delete(id);
    if (kept && !kept.bytes) kept.abort.abort();
  }

  close(): void {
    this.#dropEarly();
    for (const id of [...this.#kept.keys()]) this.drop(id);
  }

  /** What was begun and nobody asked for. */
  #dropEarly(): void {
    for (const { abort } of this.#early.values()) abort.abort();
    this.#early.clear();
  }

  async #open(bytes: Uint8Array<ArrayBuffer>, { url, iv, maybe }: Lock): Promise<Uint8Array<ArrayBuffer>> {
    // Where the list does not say whether an init segment is encrypted too, its first box does.
    if (maybe && /^(ftyp|styp|moov|free)$/.test(String.fromCharCode(...bytes.subarray(4, 8)))) return bytes;
    let key = this.#keys.get(url);
    if (!key) {
      if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
      key = fetch(url, { credentials: this.#credentials })
        .then((response) => (response.ok ? response.arrayBuffer() : Promise.reject(new Error(`${url}: ${response.status}`))))
        .then((raw) => crypto.subtle.importKey("raw", raw, "AES-CBC", false, ["decrypt"]));
      this.#keys.set(url, key);
      key.catch(() => this.#keys.delete(url));
    }
    const start = Uint8Array.from(iv.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv: start }, await key, bytes));
  }

  async #request(
    id: number,
    url: string,
    headers: Record<string, string>,
    failed: (status: number) => void,
    read: (response: Response, alive: () => boolean, heard: () => void, early: Early | undefined) => Promise<void>,
  ): Promise<void> {
    const begun = this.#early.get(url);
    this.#early.delete(url);
    const early = begun && performance.now() < begun.until ? begun : undefined;
    if (!early) begun?.abort.abort();
    const kept: Kept = { abort: early?.abort ?? new AbortController() };
    this.#kept.set(id, kept);
    const alive = () => !kept.abort.signal.aborted;
    const fail = (status: number) => {
      const wanted = this.#kept.get(id) === kept;
      this.#kept.delete(id);
      if (wanted) failed(status);
    };
    let timer = setTimeout(() => kept.abort.abort(), SILENCE_MS);
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => kept.abort.abort(), SILENCE_MS);
    };
    try {
      const response = await (early?.response ?? this.#get(url, { headers, signal: kept.abort.signal, credentials: this.#credentials }));
      heard();
      const advice = response.headers.get("cmsd-dynamic");
      if (advice && alive()) this.#advised(advice);
      if (response.ok) await read(response, alive, heard, early);
      else {
        void response.body?.cancel();
        fail(response.status);
      }
    } catch (error) {
      fail(error === TOO_LARGE ? TOO_LARGE : 0);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function readList(response: Response, heard: () => void): Promise<string> {
  return new TextDecoder().decode(await readAll(response, heard, { first: 0, length: 0 }, MAX_PLAYLIST));
}

/** Reads a body as it comes, so that its first byte has a time and its progress can be told; up to `end`, and no more than `most`. */
export async function readAll(response: Response, heard: () => void, body: { first: number; length: number }, most: number, end = NaN): Promise<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  while (reader) {
    const { done, value } = await reader.read();
    body.first ||= performance.now();
    if (done) break;
    heard();
    chunks.push(value);
    body.length += value.byteLength;
    if (body.length <= most && !(body.length >= end)) continue;
    reader.cancel().catch(() => undefined);
    if (body.length > most) throw TOO_LARGE;
    break;
  }
  return joined(chunks, body.length);
}

/** Pieces as one, of so many bytes. */
export function joined(pieces: Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
