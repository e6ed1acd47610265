// What keys do while the player has the focus.

import type { TidegatePlayer } from "../element.js";
import { captionsOf, showCaptions } from "./menu.js";

const STEP_S = 5;
const VOLUME_STEP = 0.05;

export function togglePlay(player: TidegatePlayer): void {
  if (player.paused) void player.play().catch(() => undefined);
  else player.pause();
}

export function toggleCaptions(player: TidegatePlayer): void {
  const tracks = captionsOf(player);
  const shown = tracks.find(({ mode }) => mode === "showing");
  const language = player.closest("[lang]")?.getAttribute("lang") ?? navigator.language;
  const own = tracks.find((track) => track.language && language.startsWith(track.language.split("-")[0] ?? ""));
  showCaptions(player, shown ? undefined : (own ?? tracks[0]));
}

export async function togglePip(player: TidegatePlayer): Promise<void> {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else await player.requestPictureInPicture();
}

export async function toggleFullscreen(player: TidegatePlayer): Promise<void> {
  const video = player.video as HTMLVideoElement & { webkitEnterFullscreen?: () => void };
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (player.requestFullscreen) await player.requestFullscreen();
  // iPhones show a video alone on the full screen.
  else video.webkitEnterFullscreen?.();
}

/** Seeks by so many seconds, within what can be reached. */
export function step(player: TidegatePlayer, by: number): void {
  const { seekable } = player;
  if (seekable.length === 0 || player.targetLiveWindow === 0) return;
  player.currentTime = Math.min(Math.max(player.currentTime + by, seekable.start(0)), seekable.end(seekable.length - 1));
}

/** Does what a key stands for; false where it stands for nothing. */
export function press(player: TidegatePlayer, key: string): boolean {
  const louder = (by: number) => {
    player.volume = Math.min(1, Math.max(0, player.volume + by));
    if (by > 0) player.muted = false;
  };
  const actions: Record<string, () => unknown> = {
    " ": () => togglePlay(player),
    k: () => togglePlay(player),
    m: () => (player.muted = !player.muted),
    f: () => toggleFullscreen(player).catch(() => undefined),
    c: () => toggleCaptions(player),
    i: () => togglePip(player).catch(() => undefined),
    l: () => player.streamType === "live" && player.goLive(),
    arrowleft: () => step(player, -STEP_S),
    arrowright: () => step(player, STEP_S),
    arrowup: () => louder(VOLUME_STEP),
    arrowdown: () => louder(-VOLUME_STEP),
  };
  const action = actions[key.toLowerCase()];
  action?.();
  return action !== undefined;
}
