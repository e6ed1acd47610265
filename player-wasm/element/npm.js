// Puts the npm package together in a folder: types, licence, what tools read about the element.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { createHash } from "node:crypto";

const { name, version, description, license } = JSON.parse(readFileSync("package.json", "utf8"));

const EVENTS = {
  statuschange: "`status` has changed.",
  levelchange: "Another quality is loaded; `detail` has rung, rungs, bandwidth and height.",
  daterange: "The picture has reached what an owner says of it; `detail` has id, class, startDate, duration, text and attributes.",
  timedmetadata: "The picture has reached a message inside the media (emsg, ID3); `detail` has scheme, value, id, start, duration, data and frames.",
  streamtypechange: "`streamType` has changed.",
  targetlivewindowchange: "`targetLiveWindow` has changed.",
  offline: "There is nothing at the address yet; the player keeps asking.",
  streamended: "The stream has ended and all of it was shown.",
  newsession: "The address holds another session, which the player goes over to.",
  playbackerror: "Nothing can be played; `detail.reason` says why. Cancel it to keep the console quiet.",
  error: "As of a media element; see the property `error`.",
};
const ATTRIBUTES = {
  src: "Address of an HLS playlist, or of an MPD (DASH).",
  controls: "Shows the control bar; with the value `native` that of the browser.",
  autoplay: "Begins by itself, where the browser lets it.",
  muted: "Begins without sound.",
  preload: "`none` loads nothing before `play()`.",
  loop: "Begins again at the end.",
  poster: "A picture before the first one.",
  playsinline: "Stays in the page on phones.",
  crossorigin: "`use-credentials` sends cookies along to other hosts.",
  "start-time": "Where to begin: seconds from the start of what is listed, or before its end where negative.",
  latency: "Wished distance from live, in seconds.",
  cmcd: "`requests`, `events` or both: what CDN and operator are told.",
  beacon: "Where events are posted.",
};
const PARTS = ["video", "controls", "bar", "row", "button", "play", "mute", "live", "time", "latency", "captions", "settings", "pip", "fullscreen", "big-play", "seek", "loudness", "rail", "knob", "thumbnail", "spinner", "notice", "retry", "menu", "why"];
const VARIABLES = {
  "--tidegate-accent": "Colour of what has been played and of what is on.",
  "--tidegate-live": "Colour of the dot at the live edge.",
  "--tidegate-ink": "Colour of the bar's icons and texts.",
  "--tidegate-card": "Background of menu and panel.",
  "--tidegate-card-ink": "Colour of their texts.",
  "--tidegate-font": "Font.",
  "--tidegate-radius": "Roundness of menu and panel.",
};

export async function assemble(folder, files) {
  for (const file of files) copyFileSync(`dist/${file}`, `${folder}/${file}`);
  copyFileSync("../../LICENSE", `${folder}/LICENSE`);
  copyFileSync("README.md", `${folder}/README.md`);
  cpSync("react", folder, { recursive: true });
  execFileSync("node_modules/.bin/tsc", ["--noEmit", "false", "--emitDeclarationOnly", "--declaration", "--rootDir", "src", "--outDir", `${folder}/types`], { stdio: "inherit" });
  for (const page of ["watch", "dashboard"]) for (const path of [page, `${page}.d.ts`]) rmSync(`${folder}/types/${path}`, { recursive: true, force: true });
  const { TidegatePlayer } = await import(pathToFileURL(resolve(folder, "index.js")).href);
  writeFileSync(`${folder}/custom-elements.json`, JSON.stringify(manifest(TidegatePlayer), null, 1));
  const sri = Object.fromEntries(files.map((file) => [file, `sha384-${createHash("sha384").update(readFileSync(`${folder}/${file}`)).digest("base64")}`]));
  writeFileSync(`${folder}/integrity.json`, JSON.stringify(sri, null, 1));
  writeFileSync(`${folder}/package.json`, `${JSON.stringify(packageOf(), null, 2)}\n`);
}

function packageOf() {
  const module = (file, types = `./types/${file}.d.ts`) => ({ types, default: `./${file}.js` });
  return {
    name, version, description, license,
    type: "module",
    repository: { type: "git", url: "git+https://github.com/tidegate/tidegate.git", directory: "player-wasm/element" },
    keywords: ["hls", "low-latency", "live", "video", "player", "web-component", "webassembly", "abr"],
    main: "./index.js",
    types: "./types/index.d.ts",
    exports: {
      ".": module("index"),
      "./inline": module("inline", "./types/index.d.ts"),
      "./element": module("element"),
      "./controls": module("controls", "./types/controls/controls.d.ts"),
      "./licenses": module("licenses"),
      "./mpd": module("mpd"),
      "./react": module("react", "./react.d.ts"),
      "./abr": module("abr"),
      "./hls": module("hls"),
      "./shaka": module("shaka"),
      "./dash": module("dash"),
      "./tidegate-player.js": "./tidegate-player.js",
      "./tidegate_player.wasm": "./tidegate_player.wasm",
      "./tidegate_abr.wasm": "./tidegate_abr.wasm",
      "./tidegate-engine.js": "./tidegate-engine.js",
      "./tidegate-captions.js": "./tidegate-captions.js",
      "./tidegate-extras.js": "./tidegate-extras.js",
      "./custom-elements.json": "./custom-elements.json",
      "./package.json": "./package.json",
    },
    // These define the element; all else does nothing until it is called.
    sideEffects: ["./index.js", "./inline.js", "./react.js", "./tidegate-player.js", "./tidegate-player-bare.js", "./tidegate-extras.js"],
    customElements: "./custom-elements.json",
    peerDependencies: { react: ">=19" },
    peerDependenciesMeta: { react: { optional: true } },
  };
}

function manifest(Class) {
  const members = [];
  const methods = new Set(["load", "play", "goLive", "decisions", "pause", "canPlayType", "fastSeek", "addTextTrack", "requestPictureInPicture", "getVideoPlaybackQuality", "requestVideoFrameCallback", "cancelVideoFrameCallback", "setMediaKeys", "setSinkId"]);
  for (let type = Class.prototype; type && type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    for (const [key, { get, set, value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (key === "constructor" || key.endsWith("Callback") && !methods.has(key) || members.some((one) => one.name === key)) continue;
      if (methods.has(key)) members.push({ kind: "method", name: key });
      else if (get) members.push({ kind: "field", name: key, readonly: !set });
      else if (value === undefined) continue;
    }
  }
  members.push({ kind: "field", name: "videoRenditions", readonly: true }, { kind: "field", name: "audioTracks", readonly: true }, { kind: "field", name: "video", readonly: true });
  return {
    schemaVersion: "2.1.0",
    modules: [{
      kind: "javascript-module",
      path: "index.js",
      declarations: [{
        kind: "class", customElement: true, name: "TidegatePlayer", tagName: "tidegate-player", description,
        superclass: { name: "HTMLElement" },
        attributes: Class.observedAttributes.filter((one, at, all) => all.indexOf(one) === at).map((one) => ({ name: one, ...(ATTRIBUTES[one] && { description: ATTRIBUTES[one] }) })),
        members: members.sort((a, b) => a.name.localeCompare(b.name)),
        events: Object.entries(EVENTS).map(([one, text]) => ({ name: one, type: { text: "CustomEvent" }, description: text })),
        cssParts: PARTS.map((one) => ({ name: one })),
        cssProperties: Object.entries(VARIABLES).map(([one, text]) => ({ name: one, description: text })),
      }],
      exports: [
        { kind: "js", name: "TidegatePlayer", declaration: { name: "TidegatePlayer", module: "index.js" } },
        { kind: "custom-element-definition", name: "tidegate-player", declaration: { name: "TidegatePlayer", module: "index.js" } },
      ],
    }],
  };
}
