// What owners say of a stretch of time (EXT-X-DATERANGE): a text track of kind "metadata", so that a page hears of it when the
// picture gets there and not when the playlist does.

/** A stretch of time; texts and numbers as the playlist has them, by the names of the playlist. */
export interface DateRange {
  id: string;
  class: string;
  startDate: Date;
  /** In s; 0 for a moment. */
  duration: number;
  /** What a cue of our API says; empty in other ranges. */
  text: string;
  attributes: Record<string, string | number>;
}

const LINE = "#EXT-X-DATERANGE:";
/** The text of a cue, percent-encoded where a playlist could not hold it. */
const TEXT = "X-COM-TIDEGATE-TEXT";
const LABEL = "daterange";
/** Lines that are remembered; more at once are no live stream's. */
const KEPT = 1024;
/** Ranges further behind the playhead are let go, in s. */
const KEEP_S = 120;
/** A moment is put on the track for this long, in s, so that no browser plays past it. */
const MOMENT_S = 0.5;

export class DateRanges {
  #video: HTMLVideoElement;
  #reached: (range: DateRange) => void;
  /** Lines of playlists. */
  #known = new Set<string>();
  #waiting: DateRange[] = [];
  #track: TextTrack | undefined;

  constructor(video: HTMLVideoElement, reached: (range: DateRange) => void) {
    this.#video = video;
    this.#reached = reached;
  }

  /** Takes what a playlist says and has not said before. */
  read(list: string): void {
    if (!list.includes(LINE)) return;
    for (const line of list.split("\n")) {
      if (!line.startsWith(LINE) || this.#known.has(line)) continue;
      this.#known.add(line);
      const [oldest] = this.#known;
      if (this.#known.size > KEPT && oldest) this.#known.delete(oldest);
      const range = parse(line.slice(LINE.length));
      if (range) this.#waiting.push(range);
    }
  }

  /** Puts what waits on the track, once it is known of which time in ms the picture is. */
  place(programDateTime: () => number | null): void {
    const now = this.#waiting.length > 0 ? programDateTime() : null;
    if (now === null) return;
    const { currentTime } = this.#video;
    const track = this.#made();
    for (const range of this.#waiting.splice(0)) {
      const start = currentTime + (+range.startDate - now) / 1000;
      const end = start + Math.max(range.duration, MOMENT_S);
      for (const cue of [...(track.cues ?? [])]) if (cue.id === range.id || cue.endTime < currentTime - KEEP_S) track.removeCue(cue);
      if (end <= 0) continue;
      const cue = new VTTCue(Math.max(start, 0), end, range.text || JSON.stringify(range.attributes));
      cue.id = range.id;
      cue.onenter = () => this.#reached(range);
      track.addCue(cue);
    }
  }

  close(): void {
    for (const cue of [...(this.#track?.cues ?? [])]) this.#track?.removeCue(cue);
    this.#known.clear();
    this.#waiting = [];
  }

  /** One for all playbacks of an element, since such tracks cannot be taken away. Those that can lose what was added before they load. */
  #made(): TextTrack {
    const isOurs = ({ kind, label }: TextTrack) => kind === "metadata" && label === LABEL;
    this.#track ??= [...this.#video.textTracks].find(isOurs) ?? this.#video.addTextTrack("metadata", LABEL);
    // Disabled it would never hear of the time.
    this.#track.mode = "hidden";
    return this.#track;
  }
}

/** Reads an attribute list (RFC 8216bis, 4.2); without an id or a date it is none. */
function parse(list: string): DateRange | undefined {
  const attributes: DateRange["attributes"] = {};
  for (const [, name = "", quoted, plain = ""] of list.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^,"]+))/g)) {
    const number = Number(plain);
    attributes[name] = quoted ?? (Number.isNaN(number) || plain.startsWith("0x") ? plain : number);
  }
  const word = (name: string) => String(attributes[name] ?? "");
  const startDate = new Date(word("START-DATE"));
  if (!word("ID") || Number.isNaN(+startDate)) return undefined;
  let text = word(TEXT);
  try {
    text = decodeURIComponent(text);
  } catch {
    // Not ours, or cut: shown as it is.
  }
  const told = Number(attributes["DURATION"] ?? (+new Date(word("END-DATE")) - +startDate) / 1000);
  return { id: word("ID"), class: word("CLASS"), startDate, duration: told > 0 ? told : 0, text, attributes };
}
