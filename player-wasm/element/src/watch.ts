// The watch page: one player, the streams of this address, and what the player says of itself.

import type { Stats } from "./element.js";
import type { TidegatePlayer } from "./element.js";

const REFRESH_MS = 500;
/** Points of the latency trace: one minute. */
const TRACE_POINTS = 120;
/** Height of the trace in s of latency. */
const TRACE_S = 5;

const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
};
const player = element("player") as TidegatePlayer;
const live = element("live");
const notice = element("notice");
const trace: number[] = [];
let state: "loading" | "offline" | "ended" | "error" | "playing" = "loading";

const names = streamNames();
const stream = new URLSearchParams(location.search).get("stream") || names[0] || "demo";
const playlist = new URL(`/live/${encodeURIComponent(stream)}/index.m3u8`, location.href).href;
document.title = `${stream} · Tidegate`;
element("name").textContent = stream;
element("playlist").textContent = playlist;
element("ffplay").textContent = `ffplay -fflags nobuffer ${playlist}`;
element("embed").textContent =
  `<script type="module" src="${new URL("/player/tidegate-player.js", location.href).href}"></script> ` +
  `<tidegate-player src="${playlist}" autoplay muted controls></tidegate-player>`;
for (const name of names.length > 1 ? names : []) {
  const link = document.createElement("a");
  link.href = `/watch?stream=${encodeURIComponent(name)}`;
  link.textContent = name;
  if (name === stream) link.ariaCurrent = "page";
  element("streams").append(link);
}

player.addEventListener("offline", () => show("offline", "Waiting for the stream to begin"));
player.addEventListener("streamended", () => show("ended", "The stream has ended"));
player.addEventListener("newsession", () => show("loading"));
player.addEventListener("playing", () => show("playing"));
player.addEventListener("playbackerror", (event) => show("error", explain((event as CustomEvent<{ reason: string }>).detail.reason)));
live.addEventListener("click", () => player.goLive());
for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) {
  button.addEventListener("click", () => void copy(button));
}
await customElements.whenDefined("tidegate-player");
player.src = playlist;
setInterval(refresh, REFRESH_MS);

/** The names that the server wrote into the page, if it did. */
function streamNames(): string[] {
  try {
    const names: unknown = JSON.parse(document.getElementById("names")?.textContent ?? "");
    return Array.isArray(names) ? names.filter((name): name is string => typeof name === "string") : [];
  } catch {
    return [];
  }
}

function show(next: typeof state, text = ""): void {
  state = next;
  notice.textContent = text;
  notice.hidden = text === "";
}

function explain(reason: string): string {
  switch (reason) {
    case "codecs":
      return "This browser cannot decode the stream";
    case "engine":
      return "The player could not be loaded";
    default:
      return "The stream cannot be played";
  }
}

function refresh(): void {
  const stats = player.stats;
  badge(stats);
  if (!stats || state !== "playing") return;
  const latency = stats.latency ?? undefined;
  figure("latency", latency === undefined ? "–" : `${latency.toFixed(2)} s`, stats.target === null ? "" : `target ${stats.target.toFixed(1)} s behind the edge`);
  figure("buffer", `${stats.buffer.toFixed(1)} s`);
  figure("quality", stats.height ? `${stats.height}p` : megabits(stats.bitrate), `${stats.rung + 1} of ${stats.rungs}${stats.height ? `, ${megabits(stats.bitrate)}` : ""}`);
  figure("network", stats.bandwidth === null ? "–" : megabits(stats.bandwidth));
  figure("stalls", String(stats.stalls));
  figure("dropped", String(stats.droppedFrames), `of ${stats.totalFrames}`);
  if (latency !== undefined) draw(latency);
}

function badge(stats: Stats | undefined): void {
  const [next, text] =
    state === "ended" ? ["ended", "Ended"]
    : state === "offline" ? ["offline", "Offline"]
    : !stats || state !== "playing" ? ["loading", "Loading"]
    : !stats.live ? ["recording", "Recording"]
    : stats.atLiveEdge && !player.paused ? ["live", "Live"]
    : ["behind", "Go to live"];
  if (live.dataset["state"] === next) return;
  live.dataset["state"] = next;
  live.textContent = text;
}

function figure(id: string, value: string, more = ""): void {
  const small = document.createElement("small");
  small.textContent = more;
  element(id).replaceChildren(value, " ", small);
}

function megabits(bps: number): string {
  return bps >= 1e7 ? `${Math.round(bps / 1e6)} Mbit/s` : bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

function draw(latency: number): void {
  trace.push(latency);
  if (trace.length > TRACE_POINTS) trace.shift();
  const points = trace.map((value, at) => `${TRACE_POINTS - trace.length + at} ${(32 - (Math.min(Math.max(value, 0), TRACE_S) / TRACE_S) * 32).toFixed(2)}`);
  element("trace").querySelector("path")?.setAttribute("d", `M${points.join("L")}`);
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const text = element(button.dataset["copy"] ?? "").textContent ?? "";
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  button.textContent = copied ? "Copied" : "Select it";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
