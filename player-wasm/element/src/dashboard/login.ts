import { Api, Problem } from "./api.js";
import { h } from "./dom.js";

/** The first page: an API token, and which edge it goes to. */
export function login(done: () => void): HTMLElement {
  const token = h("input", { id: "token", type: "password", required: true, autocomplete: "off", spellcheck: "false", placeholder: "tga_…", "aria-describedby": "token-help" });
  const edge = h("input", { id: "edge", type: "url", required: true, value: location.origin, spellcheck: "false" });
  const error = h("p", { class: "error", role: "alert", hidden: true });
  const button = h("button", { class: "button first", type: "submit" }, "Open the dashboard");
  const form = h(
    "form",
    { class: "card login", onsubmit: (event) => { event.preventDefault(); void enter(); } },
    h("h1", {}, "Dashboard"),
    h("p", { class: "soft" }, "Streams, viewers and figures of this Tidegate."),
    h("label", { for: "token" }, "API token"),
    token,
    h("p", { id: "token-help", class: "help" }, "tidegate up prints one; “tidegate api-token create” makes more. It stays in this tab until you close it."),
    h("details", {}, h("summary", {}, "Another edge"), h("label", { for: "edge" }, "Address of the edge that the token is sent to"), edge),
    error,
    button,
  );
  const enter = async (): Promise<void> => {
    button.disabled = true;
    error.hidden = true;
    try {
      const api = new Api(new URL(edge.value).origin, token.value.trim());
      await api.get("streams?limit=1");
      api.keep();
      done();
    } catch (problem) {
      error.textContent =
        problem instanceof Problem && problem.status === 401 ? "This token is not known here, or has expired." : problem instanceof Error ? problem.message : "That did not work.";
      error.hidden = false;
      button.disabled = false;
    }
  };
  return form;
}
