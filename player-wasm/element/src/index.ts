// Everything: the element with its controls, defined as <tidegate-player>.

import { makeControls } from "./controls/controls.js";
import { TidegatePlayer } from "./element.js";
import { laterMpd } from "./later.js";
import { makeLicenses } from "./licenses.js";

export { TidegatePlayer };
export { LANGUAGES } from "./controls/words.js";
export type { Stats, Status, StreamType } from "./element.js";
export type { Decision } from "./engine.js";
export type { ErrorReason, PlayerError } from "./errors.js";
export type { KeySystem, KeySystems, LicenseRequest } from "./licenses.js";
export type { AudioTrack, AudioTrackList, VideoRendition, VideoRenditionList } from "./lists.js";
export type { DateRange } from "./dateranges.js";
export type { Message } from "./messages.js";
export { type EngineSource, engineKind, setEngine } from "./load.js";

TidegatePlayer.makeControls = makeControls;
TidegatePlayer.makeLicenses = makeLicenses;
TidegatePlayer.makeMpd = laterMpd;
// Nothing to do where there is no document, as when a site is rendered on a server.
if (globalThis.customElements && !customElements.get("tidegate-player")) {
  customElements.define("tidegate-player", TidegatePlayer);
}
