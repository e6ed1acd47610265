// The watch page: one player, what its stream is about, and what the player says of itself.

import type { Stats } from "./element.js";
import type { TidegatePlayer } from "./element.js";
import { type Info, readInfo, shownUrl } from "./watch/info.js";
import { countdown, date } from "./watch/time.js";

const REFRESH_MS = 500;
/** Answers are kept for 2 s on the way. */
const INFO_MS = 2_000;
const VIEWERS_MS = 10_000;
/** Points of the latency trace: one minute. */
const TRACE_POINTS = 120;
/** Height of the trace in s of latency. */
const TRACE_S = 5;
/** A longer description is cut until somebody wants all of it. */
const LONG_TEXT = 320;

const element = (id: string): HTMLElement => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
};
const player = element("player") as TidegatePlayer;
const live = element("live");
const sharing = element("sharing") as HTMLDialogElement;
const trace: number[] = [];
let state: "loading" | "offline" | "ended" | "error" | "playing" = "loading";
let trouble = "";
let info: Info | undefined;
let known: boolean | undefined;
/** Whether this platform counts viewers, and says how many there are. */
let counts = true;

const names = streamNames();
const query = new URLSearchParams(location.search);
const stream = query.get("stream") || names[0] || "demo";
const here = encodeURIComponent(stream);
const playlist = new URL(`/live/${here}/index.m3u8`, location.href).href;
// Asked for while the player's own code is still on its way; the element takes it from there.
const early = Object.assign(document.createElement("link"), { rel: "preload", as: "fetch", crossOrigin: "anonymous", href: playlist });
document.head.append(early);
player.setAttribute("src", playlist);
const link = new URL(`/watch?stream=${here}`, location.href).href;
document.documentElement.classList.toggle("embed", query.has("embed"));
document.title = `${stream} · Tidegate`;
element("name").textContent = stream;
element("link").textContent = link;
element("playlist").textContent = playlist;
element("ffplay").textContent = `ffplay -fflags nobuffer "${playlist}"`;
element("frame").textContent = `<iframe src="${link}&embed" width="960" height="540" allow="autoplay; fullscreen; picture-in-picture" style="border:0"></iframe>`;
element("embed").textContent =
  `<script type="module" src="${new URL("/player/tidegate-player.js", location.href).href}"></script> ` +
  `<tidegate-player src="${playlist}" autoplay muted controls></tidegate-player>`;
for (const name of names.length > 1 ? names : []) {
  const to = document.createElement("a");
  to.href = `/watch?stream=${encodeURIComponent(name)}`;
  to.textContent = name;
  if (name === stream) to.ariaCurrent = "page";
  element("streams").append(to);
}

player.addEventListener("offline", () => show("offline"));
player.addEventListener("streamended", () => show("ended"));
player.addEventListener("newsession", () => show("loading"));
player.addEventListener("playing", () => show("playing"));
player.addEventListener("playbackerror", (event) => show("error", explain((event as CustomEvent<{ reason: string }>).detail.reason)));
live.addEventListener("click", () => player.goLive());
element("share").addEventListener("click", () => void share());
element("close").addEventListener("click", () => sharing.close());
sharing.addEventListener("click", (event) => event.target === sharing && sharing.close());
element("more").addEventListener("click", () => more(!element("description").classList.contains("open")));
for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) {
  button.addEventListener("click", () => void copy(button));
}
// Not awaited: the script of the player comes after this one.
void customElements.whenDefined("tidegate-player").then(() => {
  setInterval(refresh, REFRESH_MS);
  repeat(INFO_MS, about);
  repeat(VIEWERS_MS, viewers);
});

/** Does something over and over while somebody looks. */
function repeat(ms: number, what: () => Promise<void>): void {
  const again = (): void => {
    const wait = (): void => void setTimeout(again, ms);
    if (document.hidden) wait();
    else void what().finally(wait);
  };
  again();
}

/** The names that the server wrote into the page, if it did. */
function streamNames(): string[] {
  try {
    const names: unknown = JSON.parse(document.getElementById("names")?.textContent ?? "");
    return Array.isArray(names) ? names.filter((name): name is string => typeof name === "string") : [];
  } catch {
    return [];
  }
}

async function about(): Promise<void> {
  const answer = await fetch(`/live/${here}/info.json`).catch(() => undefined);
  if (!answer) return;
  known = answer.status === 404 ? false : answer.ok ? true : known;
  if (!answer.ok) return curtain();
  info = readInfo(await answer.json().catch(() => undefined)) ?? info;
  describe();
  curtain();
}

/** Everything that comes from the owner is text, and only text. */
function describe(): void {
  if (!info) return;
  const title = info.title || stream;
  document.title = `${title} · Tidegate`;
  element("name").textContent = title;
  const description = element("description");
  if (description.textContent !== info.description) {
    description.textContent = info.description;
    description.classList.toggle("long", info.description.length > LONG_TEXT);
    more(false);
  }
  description.hidden = info.description === "";
  element("more").hidden = !description.classList.contains("long");
  const tags = element("tags");
  tags.hidden = info.tags.length === 0;
  tags.replaceChildren(...info.tags.map((tag) => {
    const item = document.createElement("li");
    item.className = "chip";
    item.textContent = tag;
    return item;
  }));
  since();
}

function more(open: boolean): void {
  element("description").classList.toggle("open", open);
  element("more").textContent = open ? "Show less" : "Show more";
  element("more").ariaExpanded = String(open);
}

async function viewers(): Promise<void> {
  if (!counts) return;
  const answer = await fetch(`/api/v1/streams/${here}/viewers`).catch(() => undefined);
  const body: unknown = answer?.ok ? await answer.json().catch(() => undefined) : undefined;
  const count = body && typeof body === "object" && "viewers" in body && typeof body.viewers === "number" ? body.viewers : undefined;
  if (answer && [401, 403, 404].includes(answer.status)) counts = false;
  element("viewers").hidden = count === undefined || !info?.live;
  element("viewer-count").textContent = count === undefined ? "" : `${count < 1000 ? count : count.toLocaleString()} watching`;
}

function show(next: typeof state, text = ""): void {
  state = next;
  trouble = text;
  since();
  curtain();
}

/** Only beside a picture: the first date of a page takes a browser 50 ms, in which the player could not go on. */
function since(): void {
  const at = state === "playing" ? info?.since : undefined;
  element("since").hidden = !at;
  if (at) element("since").textContent = `Live since ${date(at)}`;
}

/** What stands in front of the picture where there is none. */
function curtain(): void {
  const start = info && !info.live && info.scheduledStart && info.scheduledStart.getTime() > Date.now() ? info.scheduledStart : undefined;
  const [title, text] =
    state === "playing" ? ["", ""]
    : state === "error" ? ["Something went wrong", trouble]
    : known === false && state !== "ended" ? ["There is no such stream", "The address may have a typing error, or the stream is private."]
    : start ? [state === "ended" ? "Back soon" : "Starts soon", date(start)]
    : state === "ended" ? ["The stream has ended", "Thank you for watching."]
    : state === "offline" ? ["Offline", "The picture appears here by itself as soon as the stream begins."]
    : ["", ""];
  const poster = info?.poster ? shownUrl(info.poster) : undefined;
  element("curtain").hidden = title === "";
  element("curtain").classList.toggle("poster", poster !== undefined);
  element("curtain").style.backgroundImage = poster ? `url("${poster}")` : "";
  if (poster) player.setAttribute("poster", poster);
  else player.removeAttribute("poster");
  set("curtain-title", title);
  set("curtain-text", text);
  const clock = element("countdown");
  clock.hidden = !start || title === "";
  if (start && !clock.hidden) {
    clock.replaceChildren(...countdown(start.getTime() - Date.now()).map(([value, unit]) => {
      const [cell, number, name] = [document.createElement("div"), document.createElement("b"), document.createElement("small")];
      number.textContent = value;
      name.textContent = unit;
      cell.append(number, name);
      return cell;
    }));
  }
}

/** A status that is said again only when it changes. */
function set(id: string, text: string): void {
  if (element(id).textContent !== text) element(id).textContent = text;
}

function explain(reason: string): string {
  switch (reason) {
    case "codecs":
      return "This browser cannot decode the stream.";
    case "engine":
      return "The player could not be loaded.";
    default:
      return "The stream cannot be played.";
  }
}

function refresh(): void {
  const stats = player.stats;
  badge(stats);
  if (state !== "playing") curtain();
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
    : known === false ? ["offline", "Not here"]
    : !stats || state !== "playing" ? ["loading", "Loading"]
    : !stats.live ? ["recording", "Recording"]
    : stats.atLiveEdge && !player.paused ? ["live", "Live"]
    : ["behind", "Go to live"];
  if (live.dataset["state"] === next) return;
  live.dataset["state"] = next;
  live.textContent = text;
}

function figure(id: string, value: string, detail = ""): void {
  const small = document.createElement("small");
  small.textContent = detail;
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

/** On a phone the system's own sheet, else ours with everything that can be copied. */
async function share(): Promise<void> {
  const touch = matchMedia("(pointer: coarse)").matches;
  if (touch && navigator.share) {
    await navigator.share({ title: info?.title || stream, url: link }).catch(() => undefined);
  } else {
    sharing.showModal();
  }
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const text = element(button.dataset["copy"] ?? "").textContent ?? "";
  const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  button.textContent = copied ? "Copied" : "Select it";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}
