// A platform with the demo, a recording and a stream of sound alone, and the addresses of what is played of them.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { up } from "../platform.mjs";

const tools = process.env.TIDEGATE_TOOLS ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "tidegate", "tools");
const ffmpeg = [join(tools, "bin", "ffmpeg"), "/usr/bin/ffmpeg"].find(existsSync) ?? "ffmpeg";
/** Length of the recording, and the stretch of it that is the clip, in seconds. */
export const RECORDING_S = 20;
export const CLIP_S = [5, 13];
/** What all of it is cut into. */
export const SEGMENT_S = 2;
const PATIENCE_MS = 60_000;

export async function platform() {
  const platform = await up();
  const edge = new URL(platform.playlist).origin;
  const pushes = [];
  const stop = async () => {
    for (const push of pushes) push.kill("SIGKILL");
    await platform.stop();
  };
  try {
    const film = await key(edge, platform.token, "film");
    const radio = await key(edge, platform.token, "radio");
    const picture = ["-re", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=30", "-f", "lavfi", "-i", "sine=r=48000", "-t", String(RECORDING_S)];
    const coded = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-pix_fmt", "yuv420p", "-b:v", "600k", "-c:a", "aac"];
    pushes.push(push([...picture, ...coded], `${platform.rtmp}/${film}`));
    pushes.push(push(["-re", "-f", "lavfi", "-i", "sine=r=48000", "-c:a", "aac"], `${platform.rtmp}/${radio}`));
    const session = async (stream) => (await until(`${edge}/live/${stream}/index.m3u8`, (text) => /^[^#\n]+\/[^#\n]*\.m3u8/m.test(text))).match(/^([^#\n/]+)\//m)[1];
    const recording = `${edge}/live/film/${await session("film")}/`;
    const live = `${edge}/live/demo/${await session("demo")}/`;
    await session("radio");
    await until(`${recording}source.m3u8`, (text) => text.includes("#EXT-X-ENDLIST"));
    const stretch = `?start=${CLIP_S[0]}&end=${CLIP_S[1]}`;
    const addresses = {
      "ll": platform.playlist,
      "hls": platform.bucket,
      "dash": `${edge}/live/demo/manifest.mpd`,
      "ll-dash": `${edge}/live/demo/low-latency.mpd`,
      "rewind": platform.playlist,
      "dash-rewind": `${edge}/live/demo/manifest.mpd`,
      "start-over": `${live}index.m3u8?start=0`,
      "vod": `${recording}index.m3u8`,
      "clip": `${recording}index.m3u8${stretch}`,
      "dash-clip": `${recording}manifest.mpd${stretch}`,
      "audio": `${edge}/live/radio/index.m3u8`,
    };
    return { edge, address: (mode) => addresses[mode], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes a stream and a key for it. */
async function key(edge, token, id) {
  const post = async (path, body) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = await fetch(`${edge}/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  await post("streams", { id });
  return (await post(`streams/${id}/keys`, {})).key;
}

function push(input, address) {
  const child = spawn(ffmpeg, ["-v", "error", "-nostdin", ...input, "-f", "flv", address], { stdio: ["ignore", "ignore", "inherit"] });
  child.on("error", (error) => console.error(`ffmpeg: ${error.message}`));
  return child;
}

async function until(address, wanted) {
  const begun = performance.now();
  for (;;) {
    const answer = await fetch(address);
    const text = await answer.text();
    if (answer.ok && wanted(text)) return text;
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`${address}: ${answer.status} ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
