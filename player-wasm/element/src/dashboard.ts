// The dashboard: for owners, with an API token.

import { Api, Problem } from "./dashboard/api.js";
import { h } from "./dashboard/dom.js";
import { login } from "./dashboard/login.js";
import { stream } from "./dashboard/stream.js";
import { streams } from "./dashboard/streams.js";
import { webhooks } from "./dashboard/webhooks.js";

/** What is shown; stopped when something else is. */
export interface Page {
  node: HTMLElement;
  stop?: () => void;
}

const main = document.querySelector("main") as HTMLElement;
const nav = document.querySelector("nav") as HTMLElement;
let shown: Page | undefined;

addEventListener("hashchange", () => void route());
document.getElementById("sign-out")?.addEventListener("click", () => {
  Api.forget();
  void route();
});
void route();

async function route(): Promise<void> {
  shown?.stop?.();
  shown = undefined;
  const api = Api.kept();
  document.body.classList.toggle("signed-out", api === undefined);
  if (!api) return show({ node: login(() => void route()) });
  const [place, id, part] = location.hash.replace(/^#\/?/, "").split("/").map(decode);
  for (const link of nav.querySelectorAll("a")) {
    link.ariaCurrent = link.hash === (place === "webhooks" ? "#/webhooks" : "#/") ? "page" : null;
  }
  const asked = location.hash;
  show({ node: h("p", { class: "wait", role: "status" }, "Loading…") });
  try {
    const page = place === "webhooks" ? await webhooks(api) : place === "streams" && id ? await stream(api, id, part ?? "") : await streams(api);
    if (location.hash === asked) show(page);
    else page.stop?.();
  } catch (problem) {
    if (problem instanceof Problem && problem.status === 401) {
      Api.forget();
      return route();
    }
    const what = problem instanceof Error ? problem.message : String(problem);
    const again = h("button", { class: "button", type: "button", onclick: () => void route() }, "Try again");
    show({ node: h("section", { class: "card empty", role: "alert" }, h("h1", {}, "That did not work"), h("p", {}, what), again, h("a", { href: "#/" }, "All streams")) });
  }
}

function show(page: Page): void {
  shown = page;
  main.replaceChildren(page.node);
}

function decode(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
