// The watch page: one player, the streams of this address, and what the player says about itself.
import "/player/tidegate-player.js";

const REFRESH_MS = 500;
const streams = JSON.parse(document.getElementById("names").textContent);
const wanted = new URLSearchParams(location.search).get("stream") ?? streams[0];
const player = document.getElementById("player");
const text = (id, value) => (document.getElementById(id).textContent = value);

for (const name of streams) {
  const link = Object.assign(document.createElement("a"), { href: `/?stream=${encodeURIComponent(name)}`, textContent: name });
  if (name === wanted) link.ariaCurrent = "page";
  document.getElementById("streams").append(link);
}
const playlist = new URL(`/live/${encodeURIComponent(wanted)}/index.m3u8`, location.href).href;
text("playlist", playlist);
document.title = `${wanted} · Tidegate`;

// A stream that is not live yet is asked for until it is; the player itself never asks for what is not there.
async function untilLive() {
  for (;;) {
    const answer = await fetch(playlist, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) return;
    text("status", "waiting for the stream to begin");
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

await untilLive();
text("status", "loading");
player.src = playlist;

setInterval(() => {
  const video = player.video ?? player.shadowRoot?.querySelector("video");
  if (!video) return;
  const { buffered, currentTime, videoWidth, videoHeight } = video;
  const seconds = (value) => (Number.isFinite(value) ? `${value.toFixed(2)} s` : "–");
  text("latency", seconds(player.latency));
  text("buffer", buffered.length ? seconds(Math.max(0, buffered.end(buffered.length - 1) - currentTime)) : "–");
  text("picture", videoWidth ? `${videoWidth} × ${videoHeight}` : "–");
  text("dropped", String(video.getVideoPlaybackQuality?.().droppedVideoFrames ?? "–"));
  text("status", video.ended ? "the stream has ended" : video.readyState < 3 ? "buffering" : video.paused ? "paused" : "live");
}, REFRESH_MS);
