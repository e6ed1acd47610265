// Captions: tracks of the video element, filled with the WebVTT that the engine asks for.

/** Cues further behind the playhead are let go. */
const KEEP_S = 120;
/** No list of captions has more in one file: two hours of a cue a second. */
const MAX_CUES = 10_000;

interface Cue {
  start: number;
  end: number;
  settings: string[];
  text: string;
}

/** A line of `Player.choosable`. */
export interface Choosable {
  language: string;
  isDefault: boolean;
  describesSound: boolean;
  name: string;
}

export function readChoosable(lines: string): Choosable[] {
  return lines.split("\n").filter(Boolean).map((line) => {
    const [language = "", flags = "", name = ""] = line.split("\t");
    return { language, isDefault: flags.includes("d"), describesSound: flags.includes("s"), name: name || language };
  });
}

export class Captions {
  #video: HTMLVideoElement;
  #elements: HTMLTrackElement[] = [];
  #listeners = new AbortController();
  #wanted: (at: number | undefined) => void;
  #active: number | undefined;

  constructor(video: HTMLVideoElement, wanted: (at: number | undefined) => void) {
    this.#video = video;
    this.#wanted = wanted;
    video.textTracks.addEventListener("change", () => this.#look(), { signal: this.#listeners.signal });
  }

  offer(texts: Choosable[]): void {
    this.#clear();
    this.#elements = texts.map(({ language, name, describesSound }) => {
      const element = document.createElement("track");
      Object.assign(element, { kind: describesSound ? "captions" : "subtitles", label: name, srclang: language });
      this.#video.append(element);
      return element;
    });
    this.#look();
  }

  /** Takes a file; its times are moved by `offset`. */
  append(bytes: Uint8Array, offset: number): void {
    const track = this.#elements[this.#active ?? -1]?.track;
    if (!track) return;
    const { base, cues } = parse(new TextDecoder().decode(bytes));
    const known = new Set([...(track.cues ?? [])].map((cue) => key(cue as VTTCue)));
    for (const { start, end, settings, text } of cues) {
      const cue = new VTTCue(start + base + offset, end + base + offset, text);
      if (cue.endTime <= cue.startTime || known.has(key(cue))) continue;
      for (const setting of settings) place(cue, setting);
      track.addCue(cue);
    }
    const old = this.#video.currentTime - KEEP_S;
    for (const cue of [...(track.cues ?? [])]) if (cue.endTime < old) track.removeCue(cue);
  }

  close(): void {
    this.#listeners.abort();
    this.#clear();
  }

  #clear(): void {
    for (const element of this.#elements) element.remove();
    this.#elements = [];
    this.#active = undefined;
  }

  #look(): void {
    const at = this.#elements.findIndex(({ track }) => track.mode !== "disabled");
    const active = at < 0 ? undefined : at;
    if (active === this.#active) return;
    this.#active = active;
    this.#wanted(active);
  }
}

const key = (cue: VTTCue) => `${cue.startTime.toFixed(3)} ${cue.endTime.toFixed(3)} ${cue.text}`;

/** Reads WebVTT; what makes no sense is left out. `base` is what to add to cue times to be in media time. */
export function parse(file: string): { base: number; cues: Cue[] } {
  const blocks = file.replace(/\r\n?/g, "\n").split(/\n{2,}/);
  const map = /X-TIMESTAMP-MAP=(.*)/.exec(blocks[0] ?? "")?.[1] ?? "";
  const local = seconds(/LOCAL:([\d:.]+)/.exec(map)?.[1] ?? "0:0");
  const base = Number(/MPEGTS:(\d+)/.exec(map)?.[1] ?? 0) / 90_000 - local;
  const cues: Cue[] = [];
  for (const block of blocks) {
    const lines = block.split("\n");
    const at = lines.findIndex((line) => line.includes("-->"));
    const times = /([\d:.]+)\s+-->\s+([\d:.]+)\s*(.*)/.exec(lines[at] ?? "");
    if (!times || cues.length >= MAX_CUES) continue;
    const [start, end] = [seconds(times[1] ?? ""), seconds(times[2] ?? "")];
    if (Number.isNaN(start + end)) continue;
    cues.push({ start, end, settings: (times[3] ?? "").split(/\s+/), text: lines.slice(at + 1).join("\n") });
  }
  return { base, cues };
}

function seconds(text: string): number {
  return text.split(":").reduce((sum, part) => sum * 60 + Number.parseFloat(part), 0);
}

function place(cue: VTTCue, setting: string): void {
  const [name, value = ""] = setting.split(":");
  const number = Number.parseFloat(value);
  try {
    if (name === "align") cue.align = value as AlignSetting;
    else if (name === "vertical") cue.vertical = value as DirectionSetting;
    else if (name === "line" && !Number.isNaN(number)) {
      cue.snapToLines = !value.includes("%");
      cue.line = number;
    } else if (name === "size" || name === "position") cue[name] = number;
  } catch {
    // A value that the browser does not take leaves the cue where it would be.
  }
}
