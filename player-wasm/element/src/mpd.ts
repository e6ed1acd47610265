// DASH (ISO/IEC 23009-1) becomes what the engine follows: a multivariant playlist, and a media playlist for each representation. The
// browser has a reader of XML; one in the engine would be paid for by every viewer of HLS.

import { Chunks, partAddress } from "./chunks.js";
import { MAX_PLAYLIST, readAll } from "./net.js";

/** A stretch of media: times in s from the start of its period. */
interface Segment {
  uri: string;
  /** As in EXT-X-BYTERANGE. */
  range?: string | undefined;
  start: number;
  duration: number;
  /** Where it is a sequence of parts (`$SubNumber$`), or comes while it is made: how many, and the address of each. */
  count?: number;
  part?: (at: number) => string;
  /** The same of the first part of what follows, where a server holds requests for what is not there yet. */
  next?: () => string;
}

/** The MPD as it was last had. */
interface Known {
  root: Element;
  url: string;
  from: string;
  /** When, by the steady clock. */
  at: number;
}

/** The end of a list of parts: the newest segment, and how far it is there. */
interface Tail {
  number: number;
  /** When it began, in ms of this machine's wall clock. */
  began: number;
  /** Length of a part in ms, and how many make the segment. */
  length: number;
  count: number;
  there: number;
  /** How long an MPD may be used, in ms. */
  stays: number;
}

/** A period on the time of the presentation, in s. */
interface Period {
  element: Element;
  start: number;
  end: number;
}

/** A representation in its period, which its own attributes and those of what it lies in describe. */
interface Source {
  period: Period;
  base: string;
  /** From the inside outwards: representation, adaptation set, period. */
  around: [Element, Element, Element];
}

interface Init {
  uri: string;
  range: string | undefined;
}

const MAX_SEGMENTS = 20_000;
const MAX_INDEX = 1 << 20;
/** Of what a live presentation does not say how far back it goes, this much is listed. */
const WINDOW_S = 7_200;
/** Two lists mean the same segment where it starts within this many seconds. */
const SAME_S = 0.02;
/** Segments by parts that are listed, and parts of one: a claim of more is none that anybody makes. */
const MAX_SEQUENCES = 400;
const MAX_PARTS = 60;
/** What comes while it is made is handed over in parts of this length at least, and only the newest segments are: others are there. */
const MIN_PART_S = 0.2;
const MAX_COMING = 3;
/** A part is taken for there when it has been complete for this share of its length, at most this long: until then the request for the next is early. */
const LATE_SHARE = 0.4;
const LATE_S = 0.2;
/** Where segments are all alike, this many are taken to follow those that an MPD has. */
const MAX_AHEAD = 2;
const ALIKE = 0.05;
/** An MPD that was just had is not asked for again. */
const FRESH_MS = 1_000;
const STAYS_S = 2;
/** What is overdue is looked for again after half as long, but not sooner. */
const MIN_PAUSE_MS = 100;
const PATIENCE_MS = 10_000;
/** Sound above this many bit/s is taken only where there is no other. */
const SOUND_BPS = 200_000;
const KINDS = ["video", "audio", "text"] as const;
type Kind = (typeof KINDS)[number];

/** Whether a text is an MPD. */
export function isMpd(text: string): boolean {
  return /^\uFEFF?\s*(<\?xml[^>]*>\s*)?(<!--[^]*?-->\s*)*<(\w+:)?MPD[\s>]/.test(text.slice(0, 4096));
}

/** Whether an address means a part of a segment, for which the reader is to be asked. */
export const isPart = (url: string) => url.includes("#part=");

/** What is asked of a reader. */
export type MpdReader = Pick<Mpd, "reads" | "playlist" | "part" | "close"> & { readonly undated: boolean; ahead(asked: string, dropped: AbortSignal): ReturnType<Mpd["ahead"]> | undefined };

export class Mpd {
  #credentials: RequestCredentials;
  #address: (url: string) => string;
  /** Media sequence numbers of the last list of each representation, by start of segment. */
  #numbers = new Map<string, { start: number; number: number }[]>();
  /** Periods are counted as they are first seen, which is what discontinuities are counted by. */
  #periods = new Map<string, number>();
  #indexes = new Map<string, Promise<Segment[]>>();
  #clock: Promise<number> | undefined;
  #known: Known | undefined;
  #asking: Promise<boolean> | undefined;
  #tails = new Map<string, Tail>();
  #chunks = new Chunks();
  /** Nothing says when it was made: dates in the lists count from 1970. */
  undated = false;

  /** `address` adds to an address what its request tells. */
  constructor(credentials: boolean, address: (url: string) => string) {
    this.#credentials = credentials ? "include" : "same-origin";
    this.#address = address;
  }

  reads = isMpd;

  /** The playlist that stands for what was asked for: `asked` ends in `#` and a representation, or is the address of the whole. */
  async playlist(asked: string, from: string, text: string): Promise<string> {
    const root = parsed(text);
    if (!root) return "";
    this.#known = { root, url: plain(asked), from, at: performance.now() };
    const name = nameOf(asked);
    if (name === undefined) return multivariant(periodsOf(root), asked, isDynamic(root));
    return this.#media(this.#known, name);
  }

  /**
   * What is asked for, with the address that it is from, out of the MPD that is known: at once, or when the clock says that the part that is
   * waited for (`_HLS_msn`, `_HLS_part`) is there. Nothing where the MPD has to be asked for as anything else, or nobody waits any more.
   */
  async ahead(asked: string, dropped: AbortSignal): Promise<[string, string] | undefined> {
    const name = nameOf(asked);
    const [, msn, part] = (/[?&]_HLS_msn=(\d+)&_HLS_part=(\d+)/.exec(asked) ?? []).map(Number);
    const begun = performance.now();
    while (this.#known && name !== undefined && !dropped.aborted && performance.now() - begun < PATIENCE_MS) {
      const known = this.#known;
      const list = await this.#media(known, name);
      const tail = this.#tails.get(name);
      const age = performance.now() - known.at;
      const still = !isDynamic(known.root) || age < (tail?.stays ?? FRESH_MS);
      if (!tail || msn === undefined || part === undefined) return still ? [known.from, list] : undefined;
      const after = tail.number - msn || tail.there - part;
      if (after > 0 && still) return [known.from, list];
      const due = tail.began + ((msn - tail.number) * tail.count + part + 1) * tail.length + late(tail.length / 1000) * 1000 - Date.now();
      const rest = Math.min(tail.stays, Math.max(MIN_PAUSE_MS, due < 0 ? -due / 2 : tail.stays)) - age;
      if (rest > 0) await new Promise((resolve) => setTimeout(resolve, due > 0 ? Math.min(due, rest) : rest));
      else if (!(await this.#again(known))) return undefined;
    }
    return undefined;
  }

  /** A part of a segment that comes while it is made, as an answer of its own. */
  part(address: string, init: RequestInit): Promise<Response> {
    return this.#chunks.part(address, init);
  }

  close(): void {
    this.#chunks.close();
  }

  /** Gets the MPD anew, once for all who wait for it. */
  #again(known: Known): Promise<boolean> {
    const get = async () => {
      const response = await fetch(this.#address(known.url), { credentials: this.#credentials, cache: "no-cache", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (!response.ok) return false;
      const root = parsed(new TextDecoder().decode(await readAll(response, () => undefined, { first: 0, length: 0 }, MAX_PLAYLIST)));
      if (!root) return false;
      this.#known = { ...known, root, from: response.url || known.from, at: performance.now() };
      return true;
    };
    this.#asking ??= get().catch(() => false).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #media({ root, from }: Known, name: string): Promise<string> {
    const base = resolved(from, root);
    const dynamic = isDynamic(root);
    const birth = Date.parse(root.getAttribute("availabilityStartTime") ?? "");
    const born = Number.isNaN(birth) ? 0 : birth;
    this.undated = Number.isNaN(birth);
    const ahead = dynamic ? await (this.#clock ??= this.#offset(root, base)) : 0;
    const now = dynamic ? (Date.now() + ahead - born) / 1000 : Number.POSITIVE_INFINITY;
    const all = seconds(root.getAttribute("mediaPresentationDuration"));
    const over = !dynamic || (all !== undefined && !root.hasAttribute("minimumUpdatePeriod") && now > all);
    const begun = periodsOf(root).filter((period) => period.start <= now);
    const stays = seconds(root.getAttribute("timeShiftBufferDepth")) ?? WINDOW_S;
    const lines: string[] = [];
    const starts: number[] = [];
    let longest = 1;
    let longestPart = 0;
    let tail: Omit<Tail, "number"> | undefined;
    let first: number | undefined;
    for (const period of begun) {
      const source = find(period, base, name);
      if (!source) continue;
      const init = initOf(source);
      const newest = !over && period === begun.at(-1);
      const made = await this.#segments(source, now - period.start, stays, newest);
      const segments = made.filter(({ start }) => !dynamic || period.start + start > now - stays - 60).slice(-MAX_SEGMENTS);
      if (segments.length === 0) continue;
      const id = period.element.getAttribute("id") ?? String(period.start);
      if (!this.#periods.has(id)) this.#periods.set(id, this.#periods.size);
      if (first === undefined) first = this.#periods.get(id);
      else lines.push("#EXT-X-DISCONTINUITY");
      if (init) lines.push(`#EXT-X-MAP:URI="${init.uri}"${init.range ? `,BYTERANGE="${init.range}"` : ""}`);
      if (source.around.some((element) => child(element, "ContentProtection"))) lines.push('#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="data:",KEYFORMAT="urn:mpeg:dash:mp4protection:2011"');
      let end = NaN;
      const every = Number(attribute(source.around.flatMap((element) => children(element, "SegmentSequenceProperties")), "cadence")) || MAX_PARTS;
      for (const [at, { uri, range, start, duration, count = 0, part, next }] of segments.entries()) {
        longest = Math.max(longest, duration);
        const length = duration / (count || 1);
        const last = newest && at === segments.length - 1;
        // What another follows is there; of the newest, as much as the clock says.
        const there = last ? Math.max(0, Math.min(count, Math.floor((now - period.start - start - late(length)) / length + 1e-6))) : count;
        if (part) {
          longestPart = Math.max(longestPart, length);
          tail = { began: born - ahead + (period.start + start) * 1000, length: length * 1000, count, there, stays: Math.max(FRESH_MS, (seconds(root.getAttribute("minimumUpdatePeriod")) ?? STAYS_S) * 1000) };
          if (last && there === 0) {
            if (next) lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${uri}"`);
            break;
          }
        }
        // What is missing in a timeline shows in the dates.
        if (!(Math.abs(start - end) < SAME_S)) lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(born + Math.round((period.start + start) * 1000)).toISOString()}`);
        end = start + duration;
        starts.push(period.start + start);
        if (part && (next || at >= segments.length - MAX_COMING)) for (let sub = 0; sub < there; sub++) lines.push(`#EXT-X-PART:DURATION=${length.toFixed(6)},URI="${part(sub)}"${sub % every ? "" : ",INDEPENDENT=YES"}`);
        if (part && last) {
          const hint = there < count ? part(there) : next?.();
          if (hint) lines.push(`#EXT-X-PRELOAD-HINT:TYPE=PART,URI="${hint}"`);
          continue;
        }
        lines.push(`#EXTINF:${duration.toFixed(6)},`);
        if (range) lines.push(`#EXT-X-BYTERANGE:${range}`);
        lines.push(uri);
      }
    }
    const oldest = this.#number(name, starts);
    const parts = !over && tail && longestPart > 0;
    if (tail && parts) this.#tails.set(name, { ...tail, number: oldest + starts.length - (tail.there > 0 ? 1 : 0) });
    else this.#tails.delete(name);
    const delay = wishedDelay(root);
    // Parts are listed late: where to play is to be counted from when they were there.
    const control = parts
      ? `CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=${Math.max(2 * longestPart, (delay ?? 3 * longestPart) - late(longestPart)).toFixed(3)}`
      : delay && `HOLD-BACK=${delay}`;
    return [
      "#EXTM3U", "#EXT-X-VERSION:8", `#EXT-X-TARGETDURATION:${Math.ceil(longest)}`,
      ...(parts ? [`#EXT-X-PART-INF:PART-TARGET=${longestPart.toFixed(6)}`] : []),
      ...(dynamic ? [] : ["#EXT-X-PLAYLIST-TYPE:VOD"]), ...(control ? [`#EXT-X-SERVER-CONTROL:${control}`] : []),
      `#EXT-X-MEDIA-SEQUENCE:${oldest}`, `#EXT-X-DISCONTINUITY-SEQUENCE:${first ?? 0}`,
      ...lines, ...(over ? ["#EXT-X-ENDLIST"] : []), "",
    ].join("\n");
  }

  /** The number of the first segment, so that a segment keeps the one that it had. */
  #number(name: string, starts: number[]): number {
    const known = this.#numbers.get(name) ?? [];
    let number = (known.at(-1)?.number ?? -1) + 1;
    const [oldest = 0] = starts;
    const same = known.find(({ start }) => Math.abs(start - oldest) < SAME_S);
    const later = known.find(({ start }) => start > oldest);
    if (same) ({ number } = same);
    // Its window was made longer: what was not listed before gets smaller numbers, where there are any.
    else if (later) number = Math.max(0, later.number - starts.filter((start) => start < later.start - SAME_S).length);
    this.#numbers.set(name, starts.map((start, at) => ({ start, number: number + at })));
    return number;
  }

  /** Segments of a representation; `now` is the time of its period, to which more comes if it is `newest`. */
  async #segments(source: Source, now: number, stays: number, newest: boolean): Promise<Segment[]> {
    const { period, base } = source;
    const long = period.end - period.start;
    const kind = ["SegmentTemplate", "SegmentList", "SegmentBase"].find((name) => within(source, name).length > 0);
    const parts = within(source, kind ?? "");
    const number = (name: string, other: number) => Number(attribute(parts, name) ?? other);
    const scale = number("timescale", 1) || 1;
    const offset = number("presentationTimeOffset", 0);
    const firstNumber = number("startNumber", 1);
    const listed = parts.map((part) => children(part, "SegmentURL")).find((list) => list.length > 0) ?? [];
    const media = attribute(parts, "media") ?? "";
    const sequences = /\$SubNumber[%$]/.test(media);
    const init = initOf(source);
    const early = init && !init.range && !sequences ? earlyOf(source, parts) : 0;
    const make = (at: number, time: number, duration: number, of = number("k", 1)): Segment => {
      const common = { start: (time - offset) / scale, duration: duration / scale };
      const address = (n: number, time: number, sub: number) => new URL(fill(media, source, firstNumber + n, time, sub), base).href;
      if (kind === "SegmentTemplate") {
        const uri = address(at, time, 0);
        if (sequences) return { uri, ...common, count: Math.min(Math.max(1, Math.floor(of) || 1), MAX_PARTS), part: (sub) => address(at, time, sub), next: () => address(at + 1, time + duration, 0) };
        // It is there for requests once its first part is.
        const count = Math.min(Math.round(common.duration / Math.max(MIN_PART_S, common.duration - early)), MAX_PARTS);
        if (!init || early <= 0 || early >= common.duration || count < 2) return { uri, ...common };
        const length = Number((common.duration / count).toFixed(6));
        return { uri, ...common, count, part: (sub) => partAddress({ url: uri, at: sub, count, length, init: init.uri }) };
      }
      const url = listed[at];
      return { uri: new URL(url?.getAttribute("media") ?? "", base).href, range: byteRange(url?.getAttribute("mediaRange")), ...common };
    };
    const timeline = parts.map((part) => child(part, "SegmentTimeline")).find(Boolean);
    const duration = number("duration", 0);
    if (kind === undefined || kind === "SegmentBase") return this.#indexed(source, parts, offset / scale);
    const segments: Segment[] = [];
    const most = kind === "SegmentList" ? listed.length : MAX_SEGMENTS;
    if (timeline) {
      let time = 0;
      let [length, of] = [0, 1];
      const entries = children(timeline, "S");
      entries.forEach((entry, at) => {
        length = Number(entry.getAttribute("d"));
        of = Number(entry.getAttribute("k") ?? 1);
        time = Number(entry.getAttribute("t") ?? time);
        const next = entries[at + 1]?.getAttribute("t");
        const until = next ? Number(next) : offset + Math.min(long, now) * scale;
        const repeat = Number(entry.getAttribute("r") ?? 0);
        const count = !(length > 0) ? 0 : repeat >= 0 ? repeat + 1 : Math.ceil((until - time) / length - 1e-6);
        for (let n = 0; n < count && segments.length < most; n++, time += length) segments.push(make(segments.length, time, length, of));
      });
      const lately = segments.slice(-3);
      const alike = lately.length === 3 && lately.every(({ count, duration }) => count === lately[0]?.count && Math.abs(duration / (length / scale) - 1) < ALIKE);
      // The MPD may be as old as it says: what is alike goes on.
      for (let n = 0; segments.at(-1)?.part && newest && alike && n < MAX_AHEAD && now >= (time - offset) / scale; n++, time += length) segments.push(make(segments.length, time, length, of));
    } else if (duration > 0) {
      // What begins in the period belongs to it; live, what has ended by now is there.
      const length = duration / scale;
      const count = Math.min(Number.isFinite(long) ? Math.ceil(long / length - 1e-6) : Number.POSITIVE_INFINITY, Math.floor(now / length) + (newest && make(0, offset, duration).part ? 1 : 0));
      const from = Math.max(0, Number.isFinite(now) ? count - Math.ceil(Math.min(stays, WINDOW_S) / length) : 0);
      for (let at = from; at < count && segments.length < most; at++) segments.push(make(at, offset + at * duration, duration));
      const last = segments.at(-1);
      if (last && Number.isFinite(long)) last.duration = Math.min(last.duration, long - last.start);
    }
    return segments.at(-1)?.part ? segments.slice(-MAX_SEQUENCES) : segments;
  }

  /** A file with an index of its own (ISO/IEC 14496-12, 8.16.3), or one that is all of the representation. */
  #indexed(source: Source, parts: Element[], offset: number): Promise<Segment[]> {
    const { base, period } = source;
    const range = attribute(parts, "indexRange");
    if (!range) return Promise.resolve([{ uri: base, start: 0, duration: period.end - period.start }]);
    const key = `${base} ${range}`;
    let known = this.#indexes.get(key);
    if (!known) this.#indexes.set(key, (known = this.#index(base, range, offset)));
    known.catch(() => this.#indexes.delete(key));
    return known;
  }

  async #index(uri: string, range: string, offset: number): Promise<Segment[]> {
    const response = await fetch(uri, { headers: { Range: `bytes=${range}` }, credentials: this.#credentials });
    const [from = 0, last = 0] = range.split("-").map(Number);
    if (!response.ok || last - from > MAX_INDEX) throw new Error(`${uri}: no index (${response.status})`);
    const bytes = new DataView(await response.arrayBuffer(), response.status === 200 ? from : 0);
    const wide = bytes.getUint8(8) > 0;
    const read = (at: number) => (wide ? Number(bytes.getBigUint64(at)) : bytes.getUint32(at));
    const scale = bytes.getUint32(16) || 1;
    const entries = wide ? 40 : 32;
    let time = read(20) / scale - offset;
    let place = last + 1 + read(wide ? 28 : 24);
    return Array.from({ length: Math.min(bytes.getUint16(entries - 2), MAX_SEGMENTS) }, (_, n) => {
      const [size, duration] = [bytes.getUint32(entries + 12 * n) & 0x7fffffff, bytes.getUint32(entries + 12 * n + 4) / scale];
      const segment = { uri, range: `${size}@${place}`, start: time, duration };
      place += size;
      time += duration;
      return segment;
    });
  }

  /** How far in ms the server's clock is ahead of this machine's. */
  async #offset(root: Element, base: string): Promise<number> {
    for (const timing of children(root, "UTCTiming")) {
      const [scheme, value] = [timing.getAttribute("schemeIdUri") ?? "", timing.getAttribute("value") ?? ""];
      try {
        if (scheme.includes(":direct:")) return Date.parse(value) - Date.now() || 0;
        if (!/:http-(head|iso|xsdate):/.test(scheme)) continue;
        const head = scheme.includes(":http-head:");
        const asked = Date.now();
        const response = await fetch(new URL(value.split(/\s/)[0] ?? "", base), { method: head ? "HEAD" : "GET", cache: "no-store", credentials: this.#credentials });
        const told = Date.parse(head ? (response.headers.get("date") ?? "") : (await response.text()).trim());
        if (!Number.isNaN(told)) return told - (asked + Date.now()) / 2;
      } catch {
        // The next one may answer.
      }
    }
    return 0;
  }
}

function multivariant(periods: Period[], url: string, dynamic: boolean): string {
  const period = dynamic ? periods.at(-1) : periods[0];
  if (!period) return "";
  const lines = ["#EXTM3U", "#EXT-X-VERSION:8"];
  const text = (value: string) => `"${value.replace(/["\r\n]/g, " ")}"`;
  const address = (kind: Kind, set: number, id: string) => `${url}#${encodeURIComponent(`${kind} ${set} ${id}`)}`;
  const sets = KINDS.map((kind) => setsOf(period, kind));
  const [videos = [], sounds = [], texts = []] = sets;
  const about = (set: Element, name: string, at: number) => {
    const language = set.getAttribute("lang") ?? "";
    const label = child(set, "Label")?.textContent?.trim() || language || String(at + 1);
    const main = children(set, "Role").some((role) => role.getAttribute("value") === "main");
    const first = main || (at === 0 && name === "sound");
    return `GROUP-ID="${name}",NAME=${text(label)}${language ? `,LANGUAGE=${text(language)}` : ""},AUTOSELECT=YES${first ? ",DEFAULT=YES" : ""}`;
  };
  const soundOf = (set: Element) => {
    const all = ordered(set);
    return all.filter((one) => rate(one) <= SOUND_BPS).at(-1) ?? all[0];
  };
  const rates: number[] = [];
  const codecs: string[] = [];
  if (videos.length > 0) {
    sounds.forEach((set, at) => {
      const chosen = soundOf(set);
      if (!chosen) return;
      rates.push(rate(chosen));
      codecs.push(own(chosen, "codecs"));
      lines.push(`#EXT-X-MEDIA:TYPE=AUDIO,${about(set, "sound", at)},URI=${text(address("audio", at, chosen.getAttribute("id") ?? ""))}`);
    });
    texts.forEach((set, at) => {
      const [chosen] = ordered(set);
      if (chosen) lines.push(`#EXT-X-MEDIA:TYPE=SUBTITLES,${about(set, "text", at)},URI=${text(address("text", at, chosen.getAttribute("id") ?? ""))}`);
    });
  }
  const hasText = lines.some((line) => line.includes("SUBTITLES"));
  const [kind, main]: [Kind, Element[]] = videos.length > 0 ? ["video", videos] : ["audio", sounds];
  main.forEach((set, at) => {
    for (const one of ordered(set)) {
      const [width, height] = [own(one, "width"), own(one, "height")];
      const [frames = 0, per = 1] = own(one, "frameRate").split("/").map(Number);
      const known = [own(one, "codecs"), ...new Set(codecs)].filter(Boolean).join(",");
      lines.push(
        `#EXT-X-STREAM-INF:BANDWIDTH=${Math.round(rate(one) + Math.max(0, ...rates))}${known ? `,CODECS=${text(known)}` : ""}${width && height ? `,RESOLUTION=${width}x${height}` : ""}` +
          `${frames > 0 ? `,FRAME-RATE=${(frames / per).toFixed(3)}` : ""}${rates.length > 0 ? ',AUDIO="sound"' : ""}${hasText ? ',SUBTITLES="text"' : ""}`,
        address(kind, at, one.getAttribute("id") ?? ""),
      );
    }
  });
  return `${lines.join("\n")}\n`;
}

/** The representation of a period that goes on with one of another period: by name, else by place and rate. */
function find(period: Period, base: string, name: string): Source | undefined {
  const [, kind = "", set = "", id = ""] = /^(\w+) (\d+) (.*)$/s.exec(name) ?? [];
  const sets = setsOf(period, kind as Kind);
  const all = sets.flatMap((set) => ordered(set));
  const element = all.find((one) => one.getAttribute("id") === id) ?? ordered(sets[Number(set)] ?? sets[0])[0];
  const around = element?.parentElement;
  if (!element || !around) return undefined;
  return { period, base: [period.element, around, element].reduce(resolved, base), around: [element, around, period.element] };
}

/** Says that segments are sequences of parts, which is known here. */
const SEQUENCES = "urn:mpeg:dash:ssr:2023";

/** Adaptation sets that a viewer may be given; what needs something that is not known here, as pictures for fast winding, is not. */
function setsOf({ element }: Period, kind: Kind): Element[] {
  return children(element, "AdaptationSet").filter((set) => {
    const [one] = children(set, "Representation");
    const type = set.getAttribute("contentType") ?? (one ? own(one, "mimeType") : "").split("/")[0];
    const unknown = children(set, "EssentialProperty").some((property) => property.getAttribute("schemeIdUri") !== SEQUENCES);
    return one && type === kind && !unknown && (kind !== "text" || own(one, "mimeType") === "text/vtt");
  });
}

function periodsOf(root: Element): Period[] {
  const all = seconds(root.getAttribute("mediaPresentationDuration")) ?? Number.POSITIVE_INFINITY;
  let end = 0;
  const periods = children(root, "Period").map((element): Period => {
    const start = seconds(element.getAttribute("start")) ?? end;
    end = start + (seconds(element.getAttribute("duration")) ?? NaN);
    return { element, start, end };
  });
  // Some count the length of all from the start of the first period.
  const last = (start: number) => (all > start ? all : start + all);
  return periods.map((period, at) => ({ ...period, end: Number.isNaN(period.end) ? (periods[at + 1]?.start ?? last(period.start)) : period.end }));
}

/** How long before its end a segment may be asked for that comes while it is made, in s (5.3.9.5.3); 0 where it has to be whole. */
function earlyOf({ period: { element }, around }: Source, parts: Element[]): number {
  const told = [...parts, ...[...around, element.parentElement].flatMap((one) => (one ? children(one, "BaseURL") : []))];
  return attribute(told, "availabilityTimeComplete") === "false" ? Number(attribute(told, "availabilityTimeOffset")) || 0 : 0;
}

function initOf(source: Source): Init | undefined {
  for (const name of ["SegmentTemplate", "SegmentList", "SegmentBase"]) {
    const parts = within(source, name);
    const template = attribute(parts, "initialization");
    if (template) return { uri: new URL(fill(template, source, 0, 0), source.base).href, range: undefined };
    const element = parts.map((part) => child(part, "Initialization")).find(Boolean);
    if (element) return { uri: new URL(element.getAttribute("sourceURL") ?? "", source.base).href, range: byteRange(element.getAttribute("range")) };
  }
  return undefined;
}

/** Puts values in place of what stands between dollar signs (5.3.9.4.4). */
function fill(template: string, { around: [representation] }: Source, number: number, time: number, sub = 0): string {
  const counted: Record<string, number> = { Number: number, SubNumber: sub, Time: time };
  return template.replace(/\$(?:(RepresentationID|Number|SubNumber|Time|Bandwidth)(?:%0(\d{1,2})d)?)?\$/g, (_, name?: string, width?: string) => {
    if (!name) return "$";
    const value = counted[name] ?? representation.getAttribute(name === "Bandwidth" ? "bandwidth" : "id");
    return String(value ?? "").padStart(Number(width ?? 0), "0");
  });
}

function parsed(text: string): Element | undefined {
  const document = new DOMParser().parseFromString(text, "application/xml");
  const root = document.documentElement;
  return root.localName !== "MPD" || document.querySelector("parsererror") ? undefined : root;
}

/** The representation that an address of ours names. */
function nameOf(asked: string): string | undefined {
  const hash = asked.indexOf("#");
  return hash < 0 ? undefined : decodeURIComponent(asked.slice(hash + 1));
}

/** The address that a server is asked for. */
export function plain(asked: string): string {
  return asked.replace(/#.*/s, "").replace(/[?&]_HLS_.*/s, "");
}

/** How far from the newest to play, in s. */
function wishedDelay(root: Element): number | undefined {
  const latency = children(root, "ServiceDescription").map((one) => child(one, "Latency")).find(Boolean);
  const target = Number(latency?.getAttribute("target") ?? NaN) / 1000;
  return target > 0 ? target : seconds(root.getAttribute("suggestedPresentationDelay"));
}

/** After the end of a part until it is taken for there. */
const late = (length: number) => Math.min(LATE_S, LATE_SHARE * length);
const isDynamic = (root: Element) => root.getAttribute("type") === "dynamic";
const children = (element: Element, name: string) => [...element.children].filter((one) => one.localName === name);
const child = (element: Element, name: string) => children(element, name)[0];
const within = ({ around }: Source, name: string) => around.flatMap((element) => children(element, name));
const attribute = (elements: Element[], name: string) => elements.map((element) => element.getAttribute(name)).find((value) => value !== null);
const rate = (representation: Element) => Number(representation.getAttribute("bandwidth") ?? 0) || 1;
/** Of a representation, or of its set. */
const own = (one: Element, name: string) => one.getAttribute(name) ?? one.parentElement?.getAttribute(name) ?? "";
const ordered = (set: Element | undefined) => (set ? children(set, "Representation").sort((a, b) => rate(a) - rate(b)) : []);

function resolved(base: string, element: Element): string {
  const own = child(element, "BaseURL")?.textContent?.trim();
  return own ? new URL(own, base).href : base;
}

/** "first-last" as EXT-X-BYTERANGE says it. */
function byteRange(range: string | null | undefined): string | undefined {
  const [first = NaN, last = NaN] = range?.split("-").map(Number) ?? [];
  return last >= first ? `${last - first + 1}@${first}` : undefined;
}

/** An xs:duration in s. */
function seconds(text: string | null): number | undefined {
  const found = /^P(?:([\d.]+)Y)?(?:([\d.]+)M)?(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/.exec(text ?? "");
  if (!found) return undefined;
  const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, s = 0] = found.slice(1).map((part) => Number(part ?? 0));
  return ((years * 365 + months * 30 + days) * 24 + hours) * 3600 + minutes * 60 + s;
}

export function makeMpd(credentials: boolean, address: (url: string) => string): Mpd {
  return new Mpd(credentials, address);
}
