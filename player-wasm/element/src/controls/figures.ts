// Numbers as people read them.

import type { VideoRendition } from "../lists.js";

export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return "0:00";
  const all = Math.floor(Math.abs(seconds));
  const two = (n: number) => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(all / 3600), Math.floor(all / 60) % 60];
  return `${seconds < 0 ? "−" : ""}${hours ? `${hours}:${two(minutes)}` : minutes}:${two(all % 60)}`;
}

export function rate(bps: number): string {
  return bps >= 9.95e6 ? `${Math.round(bps / 1e6)} Mbit/s` : bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
}

export const seconds = (value: number) => `${value.toFixed(1)} s`;

/** A quality by its height, and by its rate too where another one has the same. */
export function qualityName(rendition: VideoRendition | undefined, all: Iterable<VideoRendition>): string {
  if (!rendition) return "";
  const { height, frameRate = 0, bitrate } = rendition;
  if (!height) return bitrate ? rate(bitrate) : "";
  const name = `${height}p${frameRate > 31 ? Math.round(frameRate) : ""}`;
  const twins = [...all].filter((one) => one.height === height && Math.round(one.frameRate ?? 0) === Math.round(frameRate));
  return twins.length > 1 ? `${name} ${rate(bitrate)}` : name;
}
