// Players that are programs: ffplay, ffprobe, GStreamer and VLC, without a screen and at the pace of a viewer.
import { spawn, spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SEGMENT_S } from "./sources.mjs";

/** How long one may take in all, and how much it has to show. */
const LIMIT_MS = 60_000;
const WANTED_S = 5;
const FRAMES = WANTED_S * 24;
/** Frames of sound of 1,024 samples. */
const SOUND = Math.floor((WANTED_S * 48_000) / 1024) - 20;

const LIVE = ["ll", "hls", "dash", "start-over", "vod", "clip", "dash-clip", "audio"];
/** Where VLC is sent back to, in seconds since the start; it goes on with the segment there or the next one. */
const BACK_S = 2;

export function programs() {
  return [
    program("ffplay", ["-version"], (mode, address) => ({
      args: ["-hide_banner", "-loglevel", "info", "-autoexit", ...(mode === "audio" ? ["-af", "ashowinfo"] : ["-vf", "showinfo"]), address],
      count: (text) => text.match(/showinfo[^\n]* n: *\d+/g)?.length ?? 0,
    })),
    program("ffprobe", ["-version"], (mode, address) => ({
      args: ["-v", "error", "-read_intervals", `%+${WANTED_S}`, "-select_streams", mode === "audio" ? "a:0" : "v:0", "-show_entries", "frame=pts_time", "-of", "csv", address],
      count: (text) => text.match(/^frame,/gm)?.length ?? 0,
    })),
    ...["playbin", "playbin3"].map((element) => ({
      ...program("gst-launch-1.0", ["--version"], (mode, address) => {
        const sink = (kind) => `fakesink sync=true silent=${kind === "audio" ? mode !== "audio" : mode === "audio"}`;
        return {
          args: ["-v", element, `uri=${address}`, `video-sink=${sink("video")}`, `audio-sink=${sink("audio")}`],
          count: (text) => text.match(/last-message = chain/g)?.length ?? 0,
        };
      }),
      name: `GStreamer ${element}`,
    })),
    vlc(),
  ];
}

/** The first line that says what version it is. */
function versionOf(name, args, options = {}) {
  const { error, stdout } = spawnSync(name, args, { encoding: "utf8", ...options });
  return error ? undefined : (/version (\d+\.[\d.]+)/.exec(stdout)?.[1] ?? "");
}

function program(name, args, command) {
  const version = versionOf(name, args);
  return { name, version, missing: version === undefined ? `there is no ${name}` : undefined, plays: LIVE, play: (mode, address) => count(name, mode, command(mode, address)) };
}

/** Runs it until it has shown enough. */
function count(name, mode, { args, count, env = {} }) {
  const wanted = mode === "audio" ? SOUND : FRAMES;
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, SDL_VIDEODRIVER: "dummy", SDL_AUDIODRIVER: "dummy", ...env } });
    let text = "";
    const late = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
    const heard = (bytes) => {
      text += bytes;
      if (count(text) >= wanted) child.kill("SIGKILL");
    };
    child.stdout.on("data", heard);
    child.stderr.on("data", heard);
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(late);
      const frames = count(text);
      if (frames >= wanted) resolve(mode === "audio" ? {} : { frames });
      else reject(new Error(`${frames} frames of ${wanted}; ${text.trim().split("\n").filter((line) => !/showinfo|last-message/.test(line)).slice(-2).join(" / ").slice(0, 300)}`));
    });
  });
}

/** VLC says what it has shown over its text interface. */
function vlc() {
  const version = versionOf("vlc", ["--version"], { ...nobody(), cwd: "/" });
  return { name: "VLC", version, missing: version === undefined ? "there is no vlc" : undefined, plays: [...LIVE, "rewind"], play: playVlc };
}

/** It does not run as root. */
const nobody = () => (process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {});

function playVlc(mode, address) {
  const [figure, wanted] = mode === "audio" ? ["buffers played", SOUND] : ["frames displayed", FRAMES];
  const home = mkdtempSync(join(tmpdir(), "tidegate-vlc-"));
  const { uid, gid } = nobody();
  if (uid) chownSync(home, uid, gid);
  const args = ["-I", "oldrc", "--rc-fake-tty", "--vout", "vdummy", "--aout", "dummy", "--no-video-title-show", "--no-snapshot-preview", address];
  return new Promise((resolve, reject) => {
    const child = spawn("vlc", args, { stdio: ["pipe", "pipe", "pipe"], cwd: "/", env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home }, ...nobody() });
    let text = "";
    let frames = 0;
    /** Frames until it was sent back, and where it says that it is since. */
    let before = mode === "rewind" ? undefined : 0;
    let place_s = 0;
    const begun = performance.now();
    const enough = () => before !== undefined && frames - before >= wanted && place_s < BACK_S + SEGMENT_S + 2 * WANTED_S;
    const ask = setInterval(() => {
      if (performance.now() - begun > LIMIT_MS || enough()) return void child.kill("SIGKILL");
      if (before === undefined && frames > 0 && place_s > 2 * (BACK_S + SEGMENT_S + WANTED_S)) {
        before = frames;
        child.stdin.write(`seek ${BACK_S}\n`);
      }
      child.stdin.write(mode === "rewind" ? "get_time\nstats\n" : "stats\n");
    }, 500);
    child.stdin.on("error", () => {});
    child.stdout.on("data", (bytes) => {
      text = (text + bytes).slice(-20_000);
      for (const [, count] of text.matchAll(new RegExp(`${figure} *: *(\\d+)`, "g"))) frames = Math.max(frames, Number(count));
      if (mode === "rewind") place_s = Number(text.match(/^(?:> )?(\d+)\r?$/gm)?.at(-1).replace("> ", "") ?? 0);
    });
    let errors = "";
    child.stderr.on("data", (bytes) => (errors = (errors + bytes).slice(-2000)));
    child.once("error", reject);
    child.once("close", () => {
      clearInterval(ask);
      rmSync(home, { recursive: true, force: true });
      if (enough()) resolve(mode === "audio" ? {} : { frames });
      else reject(new Error(`${frames - (before ?? 0)} of ${wanted} ${figure}${mode === "rewind" ? `, ${place_s} s after the start` : ""}; ${errors.trim().split("\n").slice(-2).join(" / ").slice(0, 300)}`));
    });
  });
}
