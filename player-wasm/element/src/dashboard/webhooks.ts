// Where events are sent.

import type { Page } from "../dashboard.js";
import { type Api, type Fields, items, number, object, text, time } from "./api.js";
import { confirmed, copyRow, dialog, h } from "./dom.js";
import { date } from "./say.js";

const EVENTS = ["stream.created", "stream.live", "stream.idle", "stream.errored", "session.ended", "recording.ready", "viewer.threshold"];

export async function webhooks(api: Api): Promise<Page> {
  const list = h("ul", { class: "plain" });
  const letters = h("ul", { class: "plain" });
  const load = async (): Promise<void> => {
    const [all, lost] = await Promise.all([api.get("webhooks"), api.get("undelivered?limit=20")]);
    const rows = items(object(all)["items"]).map((webhook) => row(api, object(webhook), () => void load()));
    list.replaceChildren(...(rows.length > 0 ? rows : [h("li", { class: "soft" }, "Events are sent nowhere yet.")]));
    const failed = items(object(lost)["items"]).map((letter) => {
      const { event, webhook, tries, why, at } = object(letter);
      const when = time(at);
      return h("li", { class: "line" }, h("span", {}, `Event ${number(event) ?? "?"} to ${text(webhook)}`), h("small", {}, `${text(why)}, ${number(tries) ?? 0} tries`, when && ` · ${date(when)}`));
    });
    letters.replaceChildren(...(failed.length > 0 ? failed : [h("li", { class: "soft" }, "Nothing was given up.")]));
  };
  await load();
  const node = h(
    "section",
    {},
    h("div", { class: "head" }, h("h1", {}, "Webhooks"), h("button", { class: "button first", type: "button", onclick: () => create(api, () => void load()) }, "New webhook")),
    h("p", { class: "soft intro" }, "Each event is POSTed as JSON at least once, signed in the header tidegate-signature, and tried again for ten hours."),
    h("div", { class: "card" }, list),
    h("h2", {}, "Given up"),
    h("div", { class: "card" }, letters),
  );
  return { node };
}

function row(api: Api, webhook: Fields, changed: () => void): HTMLElement {
  const id = text(webhook["id"]);
  const events = items(webhook["events"]).map(text);
  const said = h("small", { role: "status" });
  const test = async (): Promise<void> => {
    said.textContent = await api.ask("POST", `webhooks/${encodeURIComponent(id)}/test`).then(() => "An event is on its way.", (problem: Error) => problem.message);
  };
  const remove = async (): Promise<void> => {
    if (!(await confirmed("Remove this webhook?", "Events that wait for it are dropped.", "Remove"))) return;
    await api.ask("DELETE", `webhooks/${encodeURIComponent(id)}`);
    changed();
  };
  return h(
    "li",
    { class: "line" },
    h("span", {}, h("code", {}, text(webhook["url"])), h("small", {}, events.length > 0 ? events.join(", ") : "every event"), said),
    h("span", { class: "actions" }, h("button", { class: "button small", type: "button", onclick: () => void test() }, "Test"), h("button", { class: "button small danger", type: "button", onclick: () => void remove() }, "Remove")),
  );
}

function create(api: Api, changed: () => void): void {
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const url = h("input", { id: "hook-url", type: "url", required: true, placeholder: "https://…" });
  const boxes = EVENTS.map((event) => h("label", { class: "check" }, h("input", { type: "checkbox", name: "event", value: event }), event));
  const form = h(
    "form",
    { class: "fields", onsubmit: (event) => { event.preventDefault(); void save(); } },
    h("label", { for: "hook-url" }, "Address"),
    url,
    h("fieldset", {}, h("legend", {}, "Events (none: all)"), ...boxes),
    error,
    h("div", { class: "actions" }, h("button", { class: "button first", type: "submit" }, "Add")),
  );
  const save = async (): Promise<void> => {
    const events = [...form.querySelectorAll<HTMLInputElement>("input[name=event]:checked")].map(({ value }) => value);
    try {
      const made = await api.ask("POST", "webhooks", { url: url.value, events }, { "idempotency-key": crypto.randomUUID() });
      box.close();
      changed();
      dialog("Secret of this webhook", h("p", { class: "soft" }, "Whoever takes the events checks their signature with it. It is shown only now."), h("div", { class: "copies" }, copyRow("Secret", text(object(made.body)["secret"]))));
    } catch (problem) {
      error.textContent = problem instanceof Error ? problem.message : "That did not work.";
      error.hidden = false;
    }
  };
  const box = dialog("New webhook", form);
}
