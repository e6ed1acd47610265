// The API as the dashboard uses it. The token is in this tab's session storage and nowhere else.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Fields = { [name: string]: Json };

export interface Answer {
  body: Json;
  etag: string;
}

/** Why the API did not do it, for a person. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const TOKEN = "tidegate.token";
const EDGE = "tidegate.edge";
/** An edge that does not answer for so long, in ms, does not answer. */
const TIME_MS = 15_000;

export class Api {
  constructor(
    readonly edge: string,
    private readonly token: string,
  ) {}

  /** As this tab has kept it. */
  static kept(): Api | undefined {
    const [token, edge] = [sessionStorage.getItem(TOKEN), sessionStorage.getItem(EDGE)];
    return token && edge ? new Api(edge, token) : undefined;
  }

  static forget(): void {
    sessionStorage.removeItem(TOKEN);
  }

  keep(): void {
    sessionStorage.setItem(TOKEN, this.token);
    sessionStorage.setItem(EDGE, this.edge);
  }

  /** The address of a path at the edge. */
  url(path: string): string {
    return new URL(path, this.edge).href;
  }

  async get(path: string): Promise<Json> {
    return (await this.ask("GET", path)).body;
  }

  async ask(method: string, path: string, body?: Json, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await this.fetch(method, path, body, headers);
    const text = await response.text();
    return { body: text ? (JSON.parse(text) as Json) : null, etag: response.headers.get("etag") ?? "" };
  }

  /** An answer as a file. */
  async file(path: string): Promise<Blob> {
    return (await this.fetch("GET", path)).blob();
  }

  private async fetch(method: string, path: string, body?: Json, more: Record<string, string> = {}): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}`, ...more };
    if (body !== undefined) headers["content-type"] ??= method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const init: RequestInit = { method, headers, cache: "no-store", referrerPolicy: "no-referrer", credentials: "omit", signal: AbortSignal.timeout(TIME_MS) };
    if (body !== undefined) init.body = JSON.stringify(body);
    let response;
    try {
      response = await fetch(this.url(`/api/v1/${path}`), init);
    } catch {
      throw new Problem(0, "The edge does not answer.");
    }
    if (!response.ok) throw new Problem(response.status, await sentence(response));
    return response;
  }
}

async function sentence(response: Response): Promise<string> {
  const problem: unknown = await response.json().catch(() => undefined);
  const fields = object(problem as Json);
  const errors = items(fields["errors"]).map((error) => `${text(object(error)["pointer"])}: ${text(object(error)["detail"])}`);
  return errors.length > 0 ? errors.join("; ") : text(fields["detail"]) || text(fields["title"]) || `The edge answers ${response.status}.`;
}

// Readers that take anything and give what they are named after.

export const object = (value: Json | undefined): Fields => (typeof value === "object" && value !== null && !Array.isArray(value) ? value : {});
export const items = (value: Json | undefined): Json[] => (Array.isArray(value) ? value : []);
export const text = (value: Json | undefined): string => (typeof value === "string" ? value : "");
export const number = (value: Json | undefined): number | undefined => (typeof value === "number" && Number.isFinite(value) ? value : undefined);
export const time = (value: Json | undefined): Date | undefined => {
  const at = new Date(text(value));
  return Number.isNaN(at.getTime()) ? undefined : at;
};
