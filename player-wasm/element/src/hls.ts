// Our ABR in hls.js: new Hls({ abrController: hlsAbr(Hls, await loadAbr()) }).

import { Abr, ahead } from "./abr.js";

interface Stats { loaded: number; loading: { start: number; first: number; end: number } }
interface Level { bitrate: number; averageBitrate?: number; details?: { live: boolean; targetduration: number; partTarget?: number } | undefined }
interface FragLoaded { frag: { type: string; level: number; duration: number; sn: number | string; stats: Stats }; part?: { duration: number; stats: Stats } | null }
interface Hls {
  levels: Level[];
  media: HTMLMediaElement | null;
  latency: number;
  targetLatency: number | null;
  maxAutoLevel: number;
  minAutoLevel: number;
  config: { maxBufferLength: number };
  on(event: string, listener: (event: string, data: never) => void): void;
}
interface Controller {
  forcedAutoLevel: number;
  nextAutoLevel: number;
  destroy(): void;
}
/** The constructor that `abrController` takes. */
export type HlsAbrController = new (hls: never) => Controller;

/** `Hls` is the class of hls.js, whose own controller is left in charge of what is not a choice of a level. */
export function hlsAbr(Hls: { DefaultConfig: { abrController: unknown } }, module: WebAssembly.Module): HlsAbrController {
  const Base = Hls.DefaultConfig.abrController as new (hls: Hls) => Controller;
  const base = Object.getOwnPropertyDescriptor(Base.prototype, "nextAutoLevel");
  return class TidegateAbrController extends Base {
    #hls: Hls;
    #abr: Abr | undefined;
    #key = "";
    #level = -1;
    #last: number | undefined;
    #stale = true;

    constructor(hls: Hls) {
      super(hls);
      this.#hls = hls;
      hls.on("hlsFragLoaded", (_, data: FragLoaded) => this.#loaded(data));
      hls.on("hlsManifestLoading", () => this.#reset());
    }

    override get nextAutoLevel(): number {
      const { levels, maxAutoLevel, minAutoLevel } = this.#hls;
      if (this.forcedAutoLevel !== -1 || levels.length === 0 || this.#last === undefined) return base?.get?.call(this) as number;
      const abr = this.#plan();
      if (abr && this.#stale) {
        this.#stale = false;
        const { media, latency } = this.#hls;
        const live = levels[this.#last]?.details?.live;
        this.#level = abr.choose({
          buffer: ahead(media), latency: live && latency > 0 ? latency : undefined, rate: media?.playbackRate ?? 1, last: this.#last,
          playing: media?.paused === false, started: (media?.currentTime ?? 0) > 0,
        });
      }
      return Math.max(minAutoLevel, Math.min(this.#level < 0 ? this.#last : this.#level, maxAutoLevel));
    }

    override set nextAutoLevel(level: number) {
      base?.set?.call(this, level);
    }

    override destroy(): void {
      this.#reset();
      super.destroy();
    }

    #plan(): Abr | undefined {
      const { levels, targetLatency, config } = this.#hls;
      const details = levels[this.#last ?? 0]?.details;
      if (!details) return this.#abr;
      const ladder = levels.map(({ bitrate, averageBitrate }) => averageBitrate || bitrate);
      const { live, targetduration: segment, partTarget: part } = details;
      const key = `${ladder} ${live}`;
      if (key === this.#key) return this.#abr;
      this.#key = key;
      this.#abr?.close();
      const latency = targetLatency ?? 3 * segment;
      this.#abr = new Abr(module, { ladder, segment, live, latency, buffer: live ? latency : config.maxBufferLength, ...(part ? { part } : {}) });
      return this.#abr;
    }

    #loaded({ frag, part }: FragLoaded): void {
      if (frag.type !== "main" || frag.sn === "initSegment") return;
      this.#last = frag.level;
      const { loaded, loading } = (part ?? frag).stats;
      this.#plan()?.sample({
        bytes: loaded, ttfb: (loading.first - loading.start) / 1000, transfer: Math.max(1, loading.end - loading.first) / 1000,
        rung: frag.level, media: (part ?? frag).duration,
      });
      this.#stale = true;
    }

    #reset(): void {
      this.#abr?.close();
      this.#abr = undefined;
      this.#key = "";
      this.#last = undefined;
      this.#stale = true;
    }
  } as unknown as HlsAbrController;
}
