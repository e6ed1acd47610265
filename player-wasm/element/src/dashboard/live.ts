// The live picture, and how it is doing.

import type { Page } from "../dashboard.js";
import { type Api, type Fields, items, number, object, text, time } from "./api.js";
import { h } from "./dom.js";
import { moment } from "./figures.js";
import { bits, count, date, ms } from "./say.js";

const REFRESH_MS = 3_000;

export async function live(api: Api, id: string): Promise<Page> {
  const player = h("tidegate-player" as "div", { autoplay: true, muted: true, playsinline: true, controls: true, src: api.url(`/live/${encodeURIComponent(id)}/index.m3u8`) });
  const facts = h("dl", { class: "facts" });
  const renditions = h("tbody");
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const load = async (): Promise<void> => {
    const [now, viewers] = await Promise.all([api.get(`streams/${encodeURIComponent(id)}/live`), moment(api, id).catch(() => undefined)]).catch(() => [undefined, undefined]);
    if (stopped) return;
    timer = setTimeout(() => void load(), REFRESH_MS);
    if (now === undefined) return;
    const { state, health, since, session } = object(now);
    const isLive = text(state) === "live";
    const input = object(object(session)["input"]);
    const at = time(since);
    const ingest = viewers?.ingest;
    facts.replaceChildren(
      ...fact("State", isLive ? (text(health) === "starving" ? "Live, but nothing comes in" : "Live and healthy") : "Nobody publishes"),
      ...fact(isLive ? "Since" : "Last seen", at ? date(at) : "never"),
      ...fact("Watching", viewers ? `${count(viewers.viewers)}${viewers.peakToday === undefined ? "" : `, at most ${count(viewers.peakToday)} today`}` : "not counted yet"),
      ...fact("Picture", video(object(input["video"]))),
      ...fact("Sound", audio(object(input["audio"]))),
      ...(ingest ? [...fact("Coming in", `${bits(ingest.bitrate)}, ${ingest.framesPerS.toFixed(1)} pictures/s`), ...fact("Writing a part", `${ms(ingest.putP50)}, slowest 1 %: ${ms(ingest.putP99)}`), ...fact("Late parts", count(ingest.lateParts)), ...fact("Clock drift", ms(ingest.driftMs))] : []),
    );
    renditions.replaceChildren(...items(object(session)["renditions"]).map((rendition) => row(object(rendition))));
  };
  void load();
  const node = h(
    "div",
    { class: "two" },
    h("div", { class: "stage" }, player),
    h("section", { class: "card" }, h("h2", {}, "How it is doing"), facts),
    h("section", { class: "card wide" }, h("h2", {}, "What viewers can be given"), h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Renditions" }, h("table", {}, h("thead", {}, h("tr", {}, ...["Rendition", "Kind", "Codec", "Bit rate"].map((name) => h("th", { scope: "col" }, name)))), renditions))),
  );
  return { node, stop: () => { stopped = true; clearTimeout(timer); } };
}

const fact = (name: string, value: string): HTMLElement[] => [h("dt", {}, name), h("dd", {}, value)];

function video(of: Fields): string {
  const [width, height, rate, rates] = ["width", "height", "frame_rate_milli", "bitrate_bps"].map((name) => number(of[name]));
  if (!width || !height) return "none";
  return [`${width}×${height}`, rate && `${(rate / 1000).toFixed(rate % 1000 ? 2 : 0)} pictures/s`, text(of["codec"]), rates && `${bits(rates)} announced`].filter(Boolean).join(", ");
}

function audio(of: Fields): string {
  const rate = number(of["sample_rate_hz"]);
  if (!rate) return "none";
  return [`${(rate / 1000).toFixed(1)} kHz`, `${number(of["channels"]) ?? 0} channels`, text(of["codec"])].join(", ");
}

function row(of: Fields): HTMLElement {
  const size = number(of["height"]) ? `${number(of["width"])}×${number(of["height"])}` : "Sound";
  return h("tr", {}, h("td", {}, text(of["id"])), h("td", {}, size), h("td", {}, h("code", {}, text(of["codec"]))), h("td", {}, bits(number(of["bitrate_bps"]) ?? 0)));
}
