// What a stream is called and how it is treated.

import type { Page } from "../dashboard.js";
import { type Answer, type Api, Problem, type Fields, object } from "./api.js";
import { confirmed, h } from "./dom.js";
import { fieldset, read } from "./form.js";

const ABOUT = ["title", "description", "tags", "category", "language", "poster", "scheduled_start"];
const RULES = ["visibility", "access", "enabled", "latency_mode", "dvr_window_s", "retention_days", "viewer_count", "viewer_thresholds"];
/** Writes that somebody else came before: the document is read again, and only what was changed here is written. */
const TRIES = 4;

export async function settings(api: Api, id: string): Promise<Page> {
  const path = `streams/${encodeURIComponent(id)}`;
  let known: Answer = await api.ask("GET", path);
  const said = h("p", { role: "status", class: "soft" });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const form = h("form", { class: "card fields", onsubmit: (event) => { event.preventDefault(); void save(); } });
  const fill = (): void => {
    const document = object(known.body);
    form.replaceChildren(
      h("h2", {}, "What viewers see"),
      ...fieldset(document, ABOUT, "set"),
      h("h2", {}, "How it is treated"),
      ...fieldset(document, RULES, "set"),
      error,
      h("div", { class: "actions" }, h("button", { class: "button first", type: "submit" }, "Save"), said),
    );
  };
  fill();
  const changes = (): Fields => {
    const [before, now] = [object(known.body), read(form, "set")];
    const differs = ([name, value]: [string, Fields[string]]): boolean =>
      name === "playback" ? object(before[name])["access"] !== object(value)["access"] : JSON.stringify(before[name] ?? null) !== JSON.stringify(value ?? null);
    return Object.fromEntries(Object.entries(now).filter(differs)) as Fields;
  };
  const save = async (): Promise<void> => {
    error.hidden = true;
    const patch = changes();
    try {
      for (let tried = 1; ; tried++) {
        try {
          known = await api.ask("PATCH", path, patch, { "if-match": known.etag });
          break;
        } catch (problem) {
          if (!(problem instanceof Problem && problem.status === 412 && tried < TRIES)) throw problem;
          known = await api.ask("GET", path);
        }
      }
      said.textContent = "Saved. Viewers see it within 5 s.";
      setTimeout(() => (said.textContent = ""), 5_000);
    } catch (problem) {
      error.textContent = problem instanceof Error ? problem.message : "That did not work.";
      error.hidden = false;
    }
  };
  const remove = async (): Promise<void> => {
    if (!(await confirmed("Delete this stream?", "Its keys open nothing any more, and lists forget it. Recordings stay in the bucket.", "Delete"))) return;
    try {
      known = await api.ask("GET", path);
      await api.ask("DELETE", path, undefined, { "if-match": known.etag });
      location.hash = "#/";
    } catch (problem) {
      said.textContent = problem instanceof Error ? problem.message : "That did not work.";
    }
  };
  const node = h("div", {}, form, h("section", { class: "card danger" }, h("h2", {}, "Delete"), h("p", { class: "soft" }, "The name can be used again later."), h("button", { class: "button danger", type: "button", onclick: () => void remove() }, "Delete this stream")));
  return { node };
}
