// Our ABR in dash.js: dashAbr(dashjs, player, await loadAbr()), before the player is initialised with a source.

import { Abr, ahead } from "./abr.js";

interface Representation { bitrateInKbit: number; fragmentDuration?: number; segmentDuration?: number }
interface RulesContext {
  getMediaInfo(): { type?: string } | null;
  getMediaType(): string;
  getRepresentation(): Representation | null;
  getAbrController(): { getPossibleVoRepresentations(media: unknown, all: boolean): Representation[] | null };
}
interface Loaded { response?: { byteLength?: number } | null; request?: { mediaType?: string; type?: string; duration?: number; startDate?: Date; requestStartDate?: Date; firstByteDate?: Date; endDate?: Date; requestEndDate?: Date } }
interface Dash { FactoryMaker: { getClassFactoryByName(name: string): (context: unknown) => { create(): { representation: unknown; reason: unknown; priority: unknown; rule: unknown } } } }
interface Player {
  on(event: string, listener: (event: never) => void): void;
  addABRCustomRule(type: string, name: string, rule: unknown): void;
  updateSettings(settings: unknown): void;
  getVideoElement(): HTMLVideoElement;
  isDynamic(): boolean;
  getTargetLiveDelay(): number;
  getCurrentLiveLatency(): number;
}

const NAME = "TidegateRule";
const SEGMENT_S = 2;
const BUFFER_S = 18;
/** Stronger than every other rule. */
const PRIORITY = 1;

/** Puts a rule of ours in the place of those of dash.js. */
export function dashAbr(dashjs: unknown, player: unknown, module: WebAssembly.Module): void {
  const { FactoryMaker } = dashjs as Dash;
  const own = player as Player;
  let abr: Abr | undefined;
  let key = "";
  let length = SEGMENT_S;
  let rung: number | undefined;
  let stale = true;

  own.on("fragmentLoadingCompleted", ({ request, response }: Loaded) => {
    const { mediaType, type, duration = 0 } = request ?? {};
    if (mediaType !== "video" || type !== "MediaSegment" || !request) return;
    const start = +(request.startDate ?? request.requestStartDate ?? NaN);
    const end = +(request.endDate ?? request.requestEndDate ?? NaN);
    const first = Math.min(end, Math.max(start, +(request.firstByteDate ?? start)));
    length = duration || length;
    abr?.sample({ bytes: response?.byteLength ?? 0, ttfb: (first - start) / 1000, transfer: Math.max(1, end - first) / 1000, rung: rung ?? 0, media: length });
    stale = true;
  });

  function Rule(this: unknown) {
    const { context } = this as { context: unknown };
    return {
      getSwitchRequest(rules: RulesContext) {
        const request = FactoryMaker.getClassFactoryByName("SwitchRequest")(context).create();
        if (rules.getMediaType() !== "video") return request;
        const all = rules.getAbrController().getPossibleVoRepresentations(rules.getMediaInfo(), true) ?? [];
        const sorted = [...all].sort((a, b) => a.bitrateInKbit - b.bitrateInKbit);
        const current = rules.getRepresentation();
        const at = sorted.findIndex((one) => one === current || one.bitrateInKbit === current?.bitrateInKbit);
        if (sorted.length === 0 || at < 0) return request;
        const live = own.isDynamic();
        const latency = live ? own.getTargetLiveDelay() || undefined : undefined;
        const next = `${sorted.map(({ bitrateInKbit }) => bitrateInKbit)} ${live} ${length}`;
        if (next !== key) {
          key = next;
          abr?.close();
          abr = new Abr(module, { ladder: sorted.map(({ bitrateInKbit }) => bitrateInKbit * 1000), segment: length, live, buffer: latency ?? BUFFER_S, ...(latency ? { latency } : {}) });
        }
        if (stale || rung === undefined) {
          stale = false;
          const video = own.getVideoElement();
          const behind = live ? own.getCurrentLiveLatency() || undefined : undefined;
          rung = abr?.choose({ buffer: ahead(video), latency: behind, rate: video.playbackRate, last: at, playing: !video.paused, started: video.currentTime > 0 }) ?? at;
        }
        request.representation = sorted[Math.min(rung, sorted.length - 1)];
        request.reason = { rule: NAME, forecast: abr?.forecast };
        request.priority = PRIORITY;
        request.rule = NAME;
        return request;
      },
    };
  }
  Object.assign(Rule, { __dashjs_factory_name: NAME });
  const factory = (FactoryMaker as unknown as { getClassFactory(rule: unknown): unknown }).getClassFactory(Rule);
  const off = { active: false };
  own.updateSettings({ streaming: { abr: { rules: { throughputRule: off, bolaRule: off, insufficientBufferRule: off, switchHistoryRule: off, abandonRequestsRule: off, droppedFramesRule: off, l2ARule: off, loLPRule: off } } } });
  own.addABRCustomRule("qualitySwitchRules", NAME, factory);
}
