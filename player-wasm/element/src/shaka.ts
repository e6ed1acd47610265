// Our ABR in Shaka Player: player.configure("abrFactory", shakaAbr(await loadAbr())).

import { Abr, ahead } from "./abr.js";

interface Variant { bandwidth: number; video?: { height?: number } | null }
interface Context { stream?: { type?: string }; segment?: { startTime: number; endTime: number } | null }
type Switch = (variant: Variant, clearBuffer?: boolean, safeMargin?: number) => void;

/** Shaka keeps so much ahead unless it is told otherwise. */
const BUFFER_S = 10;
const SEGMENT_S = 2;

/** The object that `abrFactory` makes. */
export class ShakaAbr {
  #module: WebAssembly.Module;
  #abr: Abr | undefined;
  #switch: Switch | undefined;
  #video: HTMLMediaElement | undefined;
  #variants: Variant[] = [];
  #low = false;
  #segment = SEGMENT_S;
  #enabled = false;
  #rate = 1;
  #last: number | undefined;
  #default = 1e6;

  constructor(module: WebAssembly.Module) {
    this.#module = module;
  }

  init(switchCallback: Switch): void { this.#switch = switchCallback; }
  setMediaElement(video: HTMLMediaElement | null): void { this.#video = video ?? undefined; }
  setCmsdManager(): void {}
  configure(config: { defaultBandwidthEstimate?: number }): void { this.#default = config.defaultBandwidthEstimate ?? this.#default; }
  enable(): void { this.#enabled = true; }
  disable(): void { this.#enabled = false; }
  playbackRateChanged(rate: number): void { this.#rate = rate; }
  trySuggestStreams(): void { this.#suggest(); }
  release(): void { this.stop(); }
  getBandwidthEstimate(): number { return this.#abr?.forecast || this.#default; }

  stop(): void {
    this.#abr?.close();
    this.#abr = undefined;
    this.#enabled = false;
    this.#last = undefined;
    this.#variants = [];
  }

  setVariants(variants: Variant[], isLowLatency = false): boolean {
    const sorted = [...variants].sort((a, b) => a.bandwidth - b.bandwidth);
    const same = sorted.length === this.#variants.length && sorted.every((variant, at) => variant === this.#variants[at]);
    if (same && isLowLatency === this.#low) return false;
    this.#variants = sorted;
    this.#low = isLowLatency;
    this.#last = undefined;
    this.#make();
    return true;
  }

  chooseVariant(): Variant | null {
    const { length } = this.#variants;
    if (length === 0) return null;
    if (!this.#abr || this.#last === undefined) {
      const fit = this.#variants.filter(({ bandwidth }) => bandwidth <= 0.7 * this.getBandwidthEstimate()).length;
      this.#last = Math.max(0, fit - 1);
    } else {
      this.#last = this.#abr.choose({
        buffer: ahead(this.#video), rate: this.#rate, last: this.#last, playing: this.#video?.paused === false, started: (this.#video?.currentTime ?? 0) > 0,
      });
    }
    return this.#variants[Math.min(this.#last, length - 1)] ?? null;
  }

  segmentDownloaded(deltaTimeMs: number, numBytes: number, allowSwitch: boolean, _request?: unknown, context?: Context): void {
    const { stream, segment } = context ?? {};
    if (segment && stream?.type === "video") {
      const length = segment.endTime - segment.startTime;
      if (Math.abs(length - this.#segment) > 0.25 * this.#segment) {
        this.#segment = length;
        this.#make();
      }
      this.#abr?.sample({ bytes: numBytes, ttfb: 0, transfer: Math.max(1, deltaTimeMs) / 1000, rung: this.#last ?? 0, media: length });
    }
    if (allowSwitch && stream?.type === "video") this.#suggest();
  }

  #suggest(): void {
    if (!this.#enabled || this.#last === undefined) return;
    const before = this.#variants[this.#last];
    const variant = this.chooseVariant();
    if (variant && variant !== before) this.#switch?.(variant);
  }

  #make(): void {
    this.#abr?.close();
    this.#abr = new Abr(this.#module, { ladder: this.#variants.map(({ bandwidth }) => bandwidth), segment: this.#segment, live: false, buffer: BUFFER_S });
  }
}

export function shakaAbr(module: WebAssembly.Module): () => ShakaAbr {
  return () => new ShakaAbr(module);
}
