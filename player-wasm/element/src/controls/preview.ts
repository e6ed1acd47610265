// The time under the pointer over the bar, and a picture of it.

import type { TidegatePlayer } from "../element.js";
import { extras } from "../later.js";
import type { Stills } from "../stills.js";
import { h, say } from "./dom.js";
import type { Slider } from "./slider.js";

/** Of tips, in CSS pixels. */
const WIDTH = 160;
const THUMBNAILS = "thumbnails";

/** A picture, or a piece of one. */
interface Still {
  image: CanvasImageSource;
  x: number;
  y: number;
  width: number;
  height: number;
}

export class Preview {
  #player: TidegatePlayer;
  #slider: Slider;
  #text: (value: number) => string;
  #label = h("span");
  #picture = h("canvas", { part: "thumbnail", hidden: true });
  #tip = h("div", { class: "tip", "aria-hidden": "true" }, this.#picture, this.#label);
  #stills: { url: string; of: Stills } | undefined;
  #sprites = new Map<string, Promise<HTMLImageElement>>();
  #wanted: number | undefined;
  #busy = false;
  #closed = false;

  constructor(player: TidegatePlayer, slider: Slider, text: (value: number) => string) {
    this.#player = player;
    this.#slider = slider;
    this.#text = text;
    slider.root.append(this.#tip);
    slider.root.addEventListener("pointermove", (event) => this.#point(event.clientX));
  }

  close(): void {
    this.#closed = true;
    this.#stills?.of.close();
  }

  #point(x: number): void {
    const { left, width } = this.#slider.root.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (x - left) / (width || 1)));
    const { min, max } = this.#slider.input;
    const time = Number(min) + share * (Number(max) - Number(min));
    // A picture does not reach over the ends of the bar.
    const half = this.#picture.hidden ? 0 : WIDTH / 2;
    this.#tip.style.left = `${Math.min(Math.max(share * width, half), Math.max(width - half, half))}px`;
    say(this.#label, this.#text(time));
    this.#wanted = time;
    void this.#look();
  }

  /** One picture at a time, always of where the pointer is by then. */
  async #look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#wanted !== undefined) {
      const time = this.#wanted;
      this.#wanted = undefined;
      // Without a picture there is still the time.
      const still = await this.#still(time).catch(() => undefined);
      this.#picture.hidden = !still;
      if (still) draw(this.#picture, still);
    }
    this.#busy = false;
  }

  async #still(time: number): Promise<Still | undefined> {
    const { iFrames, video, stats, currentTime, crossOrigin } = this.#player;
    const own = [...video.textTracks].find(({ kind, label }) => kind === "metadata" && label === THUMBNAILS);
    if (own) return this.#sprite(own, time);
    if (this.#stills?.url !== iFrames?.url) {
      const { Stills } = await extras();
      this.#stills?.of.close();
      this.#stills = this.#closed || !iFrames ? undefined : { url: iFrames.url, of: new Stills(iFrames, crossOrigin === "use-credentials") };
    }
    const now = stats?.programDateTime;
    const image = await this.#stills?.of.at(time, now == null ? undefined : now + (time - currentTime) * 1000);
    return image && { image, x: 0, y: 0, width: image.width, height: image.height };
  }

  /** What a `<track kind="metadata" label="thumbnails">` of the page says: pieces of larger pictures. */
  async #sprite(track: TextTrack, time: number): Promise<Still | undefined> {
    if (track.mode === "disabled") track.mode = "hidden";
    const cue = [...(track.cues ?? [])].find(({ startTime, endTime }) => startTime <= time && time < endTime) as VTTCue | undefined;
    const element = [...this.#player.video.querySelectorAll("track")].find((one) => one.track === track);
    if (!cue || !element) return undefined;
    const url = new URL(cue.text.trim(), element.src);
    const [x = 0, y = 0, width = 0, height = 0] = /xywh=(?:pixel:)?([\d,]+)/.exec(url.hash)?.[1]?.split(",").map(Number) ?? [];
    url.hash = "";
    let loading = this.#sprites.get(url.href);
    if (!loading) {
      const image = new Image();
      image.src = url.href;
      loading = image.decode().then(() => image);
      this.#sprites.set(url.href, loading);
    }
    const image = await loading;
    return { image, x, y, width: width || image.naturalWidth, height: height || image.naturalHeight };
  }
}

function draw(canvas: HTMLCanvasElement, { image, x, y, width, height }: Still): void {
  const scale = Math.min(2, globalThis.devicePixelRatio || 1);
  canvas.width = WIDTH * scale;
  canvas.height = Math.round((WIDTH * scale * height) / width);
  canvas.style.width = `${WIDTH}px`;
  canvas.getContext("2d")?.drawImage(image, x, y, width, height, 0, 0, canvas.width, canvas.height);
}
