// The broadcasts of a stream; each is a recording once it is over.

import type { Page } from "../dashboard.js";
import { type Api, type Fields, items, number, object, text, time } from "./api.js";
import { h } from "./dom.js";
import { count, date, span } from "./say.js";

export async function sessions(api: Api, id: string): Promise<Page> {
  const rows = h("tbody");
  const note = h("p", { class: "soft", role: "status" });
  let next = "";
  const more = h("button", { class: "button", type: "button", onclick: () => void load() }, "Show more");
  const load = async (): Promise<void> => {
    const page = object(await api.get(`streams/${encodeURIComponent(id)}/sessions${next && `?cursor=${encodeURIComponent(next)}`}`));
    rows.append(...items(page["items"]).map((session) => row(api, object(session))));
    next = text(page["next"]);
    more.hidden = next === "";
    note.textContent = rows.childElementCount > 0 ? "" : "It has not been live yet.";
  };
  await load();
  const head = h("tr", {}, ...["Began", "State", "Length", "Input", "Peak", "Recording"].map((name) => h("th", { scope: "col" }, name)));
  return { node: h("section", { class: "card" }, h("h2", {}, "Sessions"), note, h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Sessions" }, h("table", { hidden: rows.childElementCount === 0 }, h("thead", {}, head), rows)), more) };
}

function row(api: Api, of: Fields): HTMLElement {
  const began = time(of["started"]);
  const video = object(object(of["input"])["video"]);
  const isLive = text(of["state"]) === "live";
  const peak = number(of["peak_viewers"]);
  return h(
    "tr",
    {},
    h("td", {}, began ? date(began) : text(of["id"])),
    h("td", {}, h("span", { class: "pill", "data-state": isLive ? "live" : "idle" }, isLive ? "Live" : "Over")),
    h("td", {}, span(number(of["duration_s"]) ?? 0)),
    h("td", {}, number(video["height"]) ? `${number(video["width"])}×${number(video["height"])}` : "–"),
    h("td", {}, peak === undefined ? "–" : count(peak)),
    h("td", {}, h("a", { href: api.url(text(of["playlist"])) }, "Playlist")),
  );
}
