import { TidegatePlayer } from "./element.js";

export { TidegatePlayer };
export type { Stats } from "./element.js";
export type { Decision } from "./engine.js";

// Nothing to do where there is no document, as when a site is rendered on a server.
if (globalThis.customElements && !customElements.get("tidegate-player")) {
  customElements.define("tidegate-player", TidegatePlayer);
}
