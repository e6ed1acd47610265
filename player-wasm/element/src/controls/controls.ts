// The control bar: what it shows follows the player, what it does goes to the player.

import type { Controls, TidegatePlayer } from "../element.js";
import { extras } from "../later.js";
import css from "./controls.css";
import { type Icon, changeIcon, h, icon, say, set } from "./dom.js";
import { clock, seconds } from "./figures.js";
import { press, toggleCaptions, toggleFullscreen, togglePip, togglePlay } from "./keys.js";
import { captionsOf, menu } from "./menu.js";
import { note } from "./note.js";
import { Preview } from "./preview.js";
import { Slider } from "./slider.js";
import { type Words, fill, words } from "./words.js";

/** The bar goes away when nobody has moved for this long. */
const IDLE_MS = 2_800;
/** Figures move on this often, and plots. */
const REFRESH_MS = 250;
/** A wait that is shorter is not worth a wheel. */
const WAIT_MS = 400;
const LOOKED_AT = [
  "play", "pause", "playing", "waiting", "timeupdate", "seeked", "volumechange", "durationchange", "progress", "statuschange", "streamtypechange", "ended",
  "targetlivewindowchange", "loadedmetadata", "enterpictureinpicture", "leavepictureinpicture", "levelchange",
];

/** Puts controls over the picture of a player. */
export function makeControls(player: TidegatePlayer, root: ShadowRoot): Controls {
  return new Bar(player, root);
}

class Bar implements Controls {
  #player: TidegatePlayer;
  #root: ShadowRoot;
  #words: Words;
  #sheet = new CSSStyleSheet();
  #listeners = new AbortController();
  #timer: ReturnType<typeof setInterval>;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #waiting: ReturnType<typeof setTimeout> | undefined;

  #ui: HTMLElement;
  #big: HTMLButtonElement;
  #spin = h("div", { class: "spin", part: "spinner", hidden: true });
  #note = h("div", { class: "note", part: "notice", role: "status", hidden: true });
  #play: HTMLButtonElement;
  #mute: HTMLButtonElement;
  #volume: Slider;
  #seek: Slider;
  #preview: Preview;
  #live: HTMLButtonElement;
  #time = h("span", { class: "time", part: "time", dir: "ltr" });
  #lag: HTMLElement;
  #captions: HTMLButtonElement;
  #settings: HTMLButtonElement;
  #pip: HTMLButtonElement;
  #full: HTMLButtonElement;
  #panel: HTMLElement | undefined;
  #plotting: ReturnType<typeof setInterval> | undefined;

  constructor(player: TidegatePlayer, root: ShadowRoot) {
    this.#player = player;
    this.#root = root;
    const { language, words: spoken } = words([player.closest("[lang]")?.getAttribute("lang") ?? "", ...navigator.languages]);
    this.#words = spoken;
    const button = (word: keyof Words, of: Icon, part: string, click: () => void) =>
      h("button", { type: "button", part: `button ${part}`, "aria-label": spoken[word], title: spoken[word], click }, icon(of));
    this.#big = button("play", "play", "big-play", () => togglePlay(player));
    this.#big.className = "big";
    this.#play = button("play", "play", "play", () => togglePlay(player));
    this.#mute = button("mute", "loud", "mute", () => (player.muted = !player.muted));
    this.#volume = new Slider(spoken.volume, "loudness", (value) => {
      player.volume = value;
      player.muted = value === 0;
    });
    this.#seek = new Slider(spoken.seek, "seek", (value) => (player.currentTime = value));
    this.#preview = new Preview(player, this.#seek, (value) => this.#place(value));
    this.#live = h("button", { type: "button", class: "live", part: "live", click: () => player.goLive() }, spoken.live);
    this.#lag = h("span", { class: "lag", part: "latency", dir: "ltr", title: spoken.latency });
    this.#captions = button("captions", "captions", "captions", () => toggleCaptions(player));
    this.#settings = button("settings", "settings", "settings", () => this.#open(this.#panel ? undefined : "menu"));
    set(this.#settings, "aria-haspopup", "menu");
    this.#pip = button("pip", "pip", "pip", () => void togglePip(player).catch(() => undefined));
    this.#full = button("fullscreen", "full", "fullscreen", () => void toggleFullscreen(player).catch(() => undefined));
    for (const rare of [this.#pip, this.#captions]) rare.className = "rare";
    const row = h("div", { class: "row", part: "row" },
      this.#play, this.#mute, this.#volume.root, this.#live, this.#time, this.#lag, h("span", { class: "space" }),
      this.#captions, this.#settings, this.#pip, this.#full);
    this.#ui = h("div", { class: "ui", part: "controls", role: "region", "aria-label": spoken.player, lang: language, dir: language === "ar" ? "rtl" : "ltr" },
      h("div", { class: "shade" }), this.#spin, this.#big, this.#note, h("div", { class: "bar", part: "bar" }, this.#seek.root, row));
    this.#sheet.replaceSync(css);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, this.#sheet];
    root.append(this.#ui);
    if (!player.hasAttribute("tabindex")) player.tabIndex = -1;

    const { signal } = this.#listeners;
    for (const name of LOOKED_AT) player.addEventListener(name, () => this.#look(), { signal });
    for (const list of [player.videoRenditions, player.audioTracks, player.video.textTracks]) {
      for (const name of ["change", "addtrack", "removetrack", "addrendition"]) list.addEventListener(name, () => this.#look(), { signal });
    }
    document.addEventListener("fullscreenchange", () => this.#look(), { signal });
    for (const name of ["pointermove", "pointerdown", "focusin"]) this.#ui.addEventListener(name, () => this.#wake(), { signal });
    this.#ui.addEventListener("pointerleave", () => this.#sleep(), { signal });
    this.#ui.addEventListener("click", (event) => this.#clicked(event as PointerEvent), { signal });
    this.#ui.addEventListener("dblclick", (event) => event.target === this.#ui && void toggleFullscreen(player).catch(() => undefined), { signal });
    player.addEventListener("keydown", (event) => this.#key(event), { signal });
    this.#timer = setInterval(() => this.#look(), REFRESH_MS);
    this.#wake();
    this.#look();
  }

  close(): void {
    this.#listeners.abort();
    clearInterval(this.#timer);
    clearTimeout(this.#idle);
    clearTimeout(this.#waiting);
    clearInterval(this.#plotting);
    this.#preview.close();
    this.#ui.remove();
    this.#root.adoptedStyleSheets = this.#root.adoptedStyleSheets.filter((sheet) => sheet !== this.#sheet);
  }

  /** Shows things as they are. */
  #look(): void {
    const { paused, muted, volume, status, streamType, ended } = this.#player;
    const { play, pause, mute, unmute, fullscreen, smaller } = this.#words;
    const live = streamType === "live";
    this.#name(this.#play, paused ? play : pause, ended ? "again" : paused ? "play" : "pause");
    const loudness = muted ? 0 : volume;
    this.#name(this.#mute, loudness ? mute : unmute, loudness ? "loud" : "mute");
    this.#volume.show(loudness, 0, 1, `${Math.round(loudness * 100)} %`);
    const full = document.fullscreenElement !== null;
    this.#name(this.#full, full ? smaller : fullscreen, full ? "small" : "full");
    this.#full.hidden = !document.fullscreenEnabled && !("webkitEnterFullscreen" in this.#player.video);
    this.#pip.hidden = !document.pictureInPictureEnabled || this.#player.disablePictureInPicture;
    const tracks = captionsOf(this.#player);
    this.#captions.hidden = tracks.length === 0;
    set(this.#captions, "aria-pressed", String(tracks.some(({ mode }) => mode === "showing")));
    set(this.#settings, "aria-expanded", String(this.#panel !== undefined));
    const shown = status === "playing" || status === "idle" || status === "loading";
    this.#big.hidden = !paused || !shown || ended || this.#panel !== undefined;
    note(this.#note, this.#player, this.#words);
    this.#position(live);
    this.#wheel(shown && !paused && this.#player.readyState < HTMLMediaElement.HAVE_FUTURE_DATA);
    if (paused) this.#wake();
  }

  #position(live: boolean): void {
    const { seekable, currentTime, buffered, stats, targetLiveWindow } = this.#player;
    const last = seekable.length - 1;
    const [from, to] = last < 0 ? [0, 0] : [seekable.start(0), seekable.end(last)];
    const atEdge = stats?.atLiveEdge === true && !this.#player.paused;
    const behind = Math.max(0, (stats?.edgeDistance ?? 0) - (stats?.target ?? 0));
    this.#seek.root.hidden = last < 0 || (live && targetLiveWindow === 0);
    const held = buffered.length ? buffered.end(buffered.length - 1) : from;
    this.#seek.show(atEdge ? to : Math.min(currentTime, to), from, to, live ? this.#place(currentTime) : `${clock(currentTime)} / ${clock(to)}`, held);
    this.#live.hidden = !live;
    set(this.#live, "data-state", atEdge ? "live" : "behind");
    set(this.#live, "aria-label", atEdge ? this.#words.live : fill(this.#words.goLive, { x: clock(behind) }));
    const isAway = behind > 1 && !atEdge;
    say(this.#time, live ? (isAway ? `−${clock(behind)}` : "") : last < 0 ? "" : `${clock(currentTime)} / ${clock(to)}`);
    const latency = stats?.latency;
    this.#lag.hidden = !live || latency == null || isAway;
    if (latency != null) say(this.#lag, seconds(latency));
  }

  /** A time as it is called on the bar: from the start, or before the live edge. */
  #place(time: number): string {
    const { seekable, streamType } = this.#player;
    if (streamType !== "live") return clock(time);
    const behind = (seekable.length ? seekable.end(seekable.length - 1) : 0) - time;
    return behind < 2 ? this.#words.live : `−${clock(behind)}`;
  }

  #name(button: HTMLElement, name: string, picture: Icon): void {
    set(button, "aria-label", name);
    set(button, "title", name);
    changeIcon(button, picture);
  }

  #wheel(waits: boolean): void {
    if (!waits) {
      clearTimeout(this.#waiting);
      this.#waiting = undefined;
      this.#spin.hidden = true;
    } else this.#waiting ??= setTimeout(() => (this.#spin.hidden = false), WAIT_MS);
  }

  #wake(): void {
    this.#ui.classList.remove("idle");
    this.#player.video.style.setProperty("--_lift", "-3.6em");
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#sleep(), IDLE_MS);
  }

  #sleep(): void {
    if (this.#player.paused || this.#panel) return;
    this.#ui.classList.add("idle");
    this.#player.video.style.removeProperty("--_lift");
  }

  #clicked(event: PointerEvent): void {
    if (event.target !== this.#ui) return;
    if (this.#panel) this.#open(undefined);
    // A finger wakes the bar; a mouse has done so by moving.
    else if (event.pointerType !== "touch") togglePlay(this.#player);
  }

  #key(event: KeyboardEvent): void {
    if (event.defaultPrevented && !event.key.startsWith("Arrow")) return;
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    this.#wake();
    if (event.key === "Escape" && this.#panel) {
      this.#open(undefined);
      this.#settings.focus();
    } else if (event.key === " " && this.#root.activeElement instanceof HTMLButtonElement) {
      // A button that has the focus is what the bar stands for.
    } else if (event.key === "w") this.#open(this.#panel ? undefined : "why");
    else if (press(this.#player, event.key)) event.preventDefault();
  }

  #open(what: "menu" | "why" | undefined): void {
    clearInterval(this.#plotting);
    this.#panel?.remove();
    this.#panel = undefined;
    if (what === "menu") {
      this.#panel = menu(this.#player, this.#words, () => (this.#open(undefined), this.#settings.focus()), () => this.#open("why"));
      this.#ui.append(this.#panel);
      (this.#panel.querySelector<HTMLElement>("[aria-checked=true]") ?? this.#panel).focus();
    } else if (what === "why") {
      const panel = h("section", { class: "panel why", part: "why", tabindex: "0", role: "dialog", "aria-label": this.#words.why });
      const close = () => (this.#open(undefined), this.#settings.focus());
      void extras().then(({ why }) => {
        if (this.#panel !== panel) return;
        const draw = () => {
          const focused = this.#root.activeElement?.closest(".why button") != null;
          panel.replaceChildren(...why(this.#player, this.#words, close));
          if (focused) panel.querySelector("button")?.focus();
        };
        draw();
        this.#plotting = setInterval(draw, 4 * REFRESH_MS);
      }, () => this.#panel === panel && close());
      this.#panel = panel;
      this.#ui.append(panel);
      panel.focus();
    }
    this.#look();
  }
}
