// The element without controls of its own, defined as <tidegate-player>: for pages that bring theirs.

import { TidegatePlayer } from "./element.js";

export { TidegatePlayer };
export type { DateRange } from "./dateranges.js";
export { type EngineSource, engineKind, setEngine } from "./load.js";

if (globalThis.customElements && !customElements.get("tidegate-player")) {
  customElements.define("tidegate-player", TidegatePlayer);
}
