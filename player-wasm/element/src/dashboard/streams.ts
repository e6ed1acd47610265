// The list of streams: search, what is live, a new one.

import type { Page } from "../dashboard.js";
import { type Api, type Fields, items, object, text, time } from "./api.js";
import { dialog, h } from "./dom.js";
import { moment } from "./figures.js";
import { fieldset, read } from "./form.js";
import { count, date } from "./say.js";

const REFRESH_MS = 10_000;
const TYPING_MS = 250;

export async function streams(api: Api): Promise<Page> {
  const search = h("input", { type: "search", id: "search", placeholder: "Search titles", "aria-label": "Search titles", oninput: () => later(TYPING_MS) });
  const live = h("input", { type: "checkbox", id: "only-live", onchange: () => void load(false) });
  const list = h("ul", { class: "streams" });
  const more = h("button", { class: "button", type: "button", hidden: true, onclick: () => void load(true) }, "Show more");
  const note = h("p", { class: "soft", role: "status" });
  let next = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = 0;

  const later = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => void load(false), ms);
  };
  const load = async (on: boolean): Promise<void> => {
    clearTimeout(timer);
    const turn = ++asked;
    const query = new URLSearchParams({ limit: live.checked ? "25" : "50" });
    if (search.value.trim()) query.set("q", search.value.trim());
    if (live.checked) query.set("live", "true");
    if (on && next) query.set("cursor", next);
    try {
      const page = object(await api.get(`streams?${query}`));
      if (turn !== asked) return;
      const rows = items(page["items"]).map((item) => row(api, object(item)));
      list.replaceChildren(...(on ? [...list.children] : []), ...rows);
      next = text(page["next"]);
      more.hidden = next === "";
      note.textContent = list.childElementCount > 0 ? "" : search.value || live.checked ? "No stream fits." : "There are no streams yet: make the first one.";
    } catch (problem) {
      if (turn === asked) note.textContent = problem instanceof Error ? problem.message : "The list cannot be read.";
    }
    // What was paged through stays as it is.
    if (!on && !document.hidden) later(REFRESH_MS);
  };
  await load(false);
  const node = h(
    "section",
    {},
    h("div", { class: "head" }, h("h1", {}, "Streams"), h("button", { class: "button first", type: "button", onclick: () => create(api) }, "New stream")),
    h("div", { class: "filters" }, search, h("label", { class: "check", for: "only-live" }, live, "Live now")),
    list,
    note,
    more,
  );
  const seen = (): void => void (document.hidden || later(0));
  document.addEventListener("visibilitychange", seen);
  return { node, stop: () => { clearTimeout(timer); asked++; document.removeEventListener("visibilitychange", seen); } };
}

function row(api: Api, item: Fields): HTMLElement {
  const id = text(item["id"]);
  const isLive = item["live"] === true;
  const viewers = h("span", { class: "watching" });
  if (isLive) {
    void moment(api, id).then((now) => { viewers.textContent = now ? `${count(now.viewers)} watching` : ""; }, () => undefined);
  }
  const made = time(item["created"]);
  const tags = items(item["tags"]).map((tag) => h("span", { class: "chip" }, text(tag)));
  const visibility = text(item["visibility"]);
  return h(
    "li",
    {},
    h(
      "a",
      { href: `#/streams/${encodeURIComponent(id)}`, class: "card stream" },
      h("span", { class: "pill", "data-state": isLive ? "live" : "idle" }, isLive ? "Live" : "Idle"),
      h("span", { class: "names" }, h("strong", {}, text(item["title"]) || id), h("small", {}, id, made && ` · made ${date(made)}`, visibility !== "public" && ` · ${visibility}`)),
      h("span", { class: "tags" }, ...tags),
      viewers,
    ),
  );
}

function create(api: Api): void {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const id = h("input", { id: "new-id", pattern: "[a-z0-9][a-z0-9_\\-]{0,63}", maxlength: 64, placeholder: "made up", spellcheck: "false", "aria-describedby": "new-id-help" });
  const fields = fieldset({}, ["title", "description", "tags", "visibility"], "new");
  const form = h(
    "form",
    { class: "fields", onsubmit: (event) => { event.preventDefault(); void save(); } },
    h("label", { for: "new-id" }, "Name in addresses"),
    id,
    h("p", { id: "new-id-help", class: "help" }, "Small letters, digits, - and _. It stays for ever."),
    ...fields,
    error,
    h("div", { class: "actions" }, h("button", { class: "button first", type: "submit" }, "Make it")),
  );
  const save = async (): Promise<void> => {
    try {
      const body = { ...read(form, "new"), ...(id.value ? { id: id.value } : {}) };
      const made = await api.ask("POST", "streams", body, { "idempotency-key": crypto.randomUUID() });
      box.close();
      location.hash = `#/streams/${encodeURIComponent(text(object(made.body)["id"]))}/publish`;
    } catch (problem) {
      error.textContent = problem instanceof Error ? problem.message : "That did not work.";
      error.hidden = false;
    }
  };
  const box = dialog("New stream", form);
}
