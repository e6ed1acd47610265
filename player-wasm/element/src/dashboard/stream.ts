// One stream: figures, the live picture, how to publish it, its settings, its sessions.

import type { Page } from "../dashboard.js";
import { type Api, object, text } from "./api.js";
import { h } from "./dom.js";
import { moment } from "./figures.js";
import { live } from "./live.js";
import { overview } from "./overview.js";
import { publish } from "./publish.js";
import { count } from "./say.js";
import { sessions } from "./sessions.js";
import { settings } from "./settings.js";

const REFRESH_MS = 5_000;
const PARTS: [string, string][] = [["", "Figures"], ["live", "Live"], ["publish", "Publish"], ["settings", "Settings"], ["sessions", "Sessions"]];

export async function stream(api: Api, id: string, part: string): Promise<Page> {
  const path = `streams/${encodeURIComponent(id)}`;
  const { body } = await api.ask("GET", path);
  const title = text(object(body)["title"]) || id;
  const pill = h("span", { class: "pill", "data-state": "loading" }, "…");
  const watching = h("span", { class: "soft watching" });
  const tabs = PARTS.map(([name, label]) =>
    h("a", { href: `#/streams/${encodeURIComponent(id)}${name && `/${name}`}`, ...(name === part ? { "aria-current": "page" } : {}) }, label),
  );
  const inner: Page =
    part === "live" ? await live(api, id)
    : part === "publish" ? await publish(api, id)
    : part === "settings" ? await settings(api, id)
    : part === "sessions" ? await sessions(api, id)
    : await overview(api, id);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;
  const state = async (): Promise<void> => {
    const [now, viewers] = await Promise.all([api.get(`${path}/live`).catch(() => undefined), moment(api, id).catch(() => undefined)]);
    if (stopped) return;
    const isLive = text(object(now)["state"]) === "live";
    const health = text(object(now)["health"]);
    pill.dataset["state"] = isLive ? (health === "starving" ? "starving" : "live") : "idle";
    pill.textContent = isLive ? (health === "starving" ? "Starving" : "Live") : "Idle";
    watching.textContent = viewers ? `${count(viewers.viewers)} watching` : "";
    timer = setTimeout(() => void state(), REFRESH_MS);
  };
  void state();
  const node = h(
    "section",
    {},
    h("a", { href: "#/", class: "back" }, "All streams"),
    h("div", { class: "head" }, h("div", {}, h("h1", {}, title), h("p", { class: "under" }, pill, h("code", {}, id), watching)), h("a", { class: "button", href: api.url(`/watch?stream=${encodeURIComponent(id)}`), target: "_blank", rel: "noopener" }, "Watch page")),
    h("nav", { class: "tabs", "aria-label": "Parts of this stream" }, ...tabs),
    inner.node,
  );
  return { node, stop: () => { stopped = true; clearTimeout(timer); inner.stop?.(); } };
}
