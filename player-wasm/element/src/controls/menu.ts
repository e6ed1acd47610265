// The menu of settings: groups of which one item each is on.

import type { TidegatePlayer } from "../element.js";
import { h } from "./dom.js";
import { qualityName } from "./figures.js";
import type { Words } from "./words.js";

interface Item {
  name: string;
  on: boolean;
  choose: () => void;
}

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
const CUE_SIZES = ["75%", "100%", "150%"];

export const captionsOf = (player: TidegatePlayer): TextTrack[] =>
  [...player.video.textTracks].filter(({ kind }) => kind === "captions" || kind === "subtitles");

/** Shows one track of captions, or none. */
export function showCaptions(player: TidegatePlayer, wanted: TextTrack | undefined): void {
  for (const track of captionsOf(player)) track.mode = track === wanted ? "showing" : "disabled";
}

function groups(player: TidegatePlayer, words: Words): [string, Item[]][] {
  const renditions = player.videoRenditions;
  const all = [...renditions];
  const active = all[player.stats?.rung ?? -1];
  const quality = all.map((rendition, at) => ({ name: qualityName(rendition, all), on: renditions.selectedIndex === at, choose: () => (renditions.selectedIndex = at) }));
  const automatic = renditions.selectedIndex < 0;
  const auto = { name: `${words.auto}${automatic && active ? ` (${qualityName(active, all)})` : ""}`, on: automatic, choose: () => (renditions.selectedIndex = -1) };
  const sound = [...player.audioTracks].map((track) => ({ name: track.label || track.language, on: track.enabled, choose: () => (track.enabled = true) }));
  const tracks = captionsOf(player);
  const shown = tracks.find(({ mode }) => mode === "showing");
  const captions = [undefined, ...tracks].map((track) => ({
    name: track ? track.label || track.language : words.off,
    on: track === shown,
    choose: () => showCaptions(player, track),
  }));
  const cue = player.video.style.getPropertyValue("--_cue") || "100%";
  const sizes = CUE_SIZES.map((size) => ({ name: size, on: size === cue, choose: () => player.video.style.setProperty("--_cue", size) }));
  const speeds = SPEEDS.map((speed) => ({ name: `${speed}×`, on: player.playbackRate === speed, choose: () => (player.playbackRate = speed) }));
  return [
    [words.quality, all.length > 1 ? [auto, ...quality.reverse()] : []],
    [words.sound, sound.length > 1 ? sound : []],
    [words.captions, tracks.length > 0 ? captions : []],
    [words.captionSize, shown ? sizes : []],
    // A live stream is played at the speed that keeps it live.
    [words.speed, player.streamType === "live" ? [] : speeds],
  ];
}

/** Makes the menu as things are; `close` is called once something was chosen. */
export function menu(player: TidegatePlayer, words: Words, close: () => void, why: () => void): HTMLElement {
  const items = groups(player, words).flatMap(([name, entries]) => {
    if (entries.length === 0) return [];
    const buttons = entries.map((entry) =>
      h("button", { type: "button", role: "menuitemradio", "aria-checked": String(entry.on), tabindex: "-1", click: () => (entry.choose(), close()) }, entry.name),
    );
    return [h("div", { role: "group", "aria-label": name }, h("h3", { role: "presentation", "aria-hidden": "true" }, name), ...buttons)];
  });
  const more = h("button", { type: "button", role: "menuitem", tabindex: "-1", part: "why-item", click: why }, words.why);
  const root = h("div", { class: "panel menu", part: "menu", role: "menu", "aria-label": words.settings, tabindex: "-1" }, ...items, more);
  root.addEventListener("keydown", (event) => {
    const all = [...root.querySelectorAll("button")];
    const at = all.indexOf((root.getRootNode() as ShadowRoot).activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (event.key === "Tab") close();
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    all.at(to % all.length)?.focus();
  });
  return root;
}
