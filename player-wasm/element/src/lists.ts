// Lists of what a viewer can choose, in the shape that media controls of others look for.

const Target = globalThis.EventTarget ?? class {};

/** A list that can be indexed, gone through, and listened to. */
class List<T extends { id: string }> extends Target {
  readonly [index: number]: T;
  #items: T[] = [];
  #kind: string;

  constructor(kind: string) {
    super();
    this.#kind = kind;
  }

  get length(): number { return this.#items.length; }
  [Symbol.iterator](): IterableIterator<T> { return this.#items[Symbol.iterator](); }

  /** Puts other items in place of all. */
  replace(items: T[]): void {
    const old = this.#items;
    const own = this as unknown as Record<number, T>;
    old.forEach((_, at) => delete own[at]);
    this.#items = [];
    for (const item of old) this.#tell("remove", item);
    this.#items = items;
    items.forEach((item, at) => (own[at] = item));
    for (const item of items) this.#tell("add", item);
  }

  changed(): void {
    this.dispatchEvent(new Event("change"));
  }

  protected byId(id: string): T | null {
    return this.#items.find((item) => item.id === id) ?? null;
  }

  #tell(what: string, item: T): void {
    this.dispatchEvent(Object.assign(new Event(what + this.#kind), { [this.#kind]: item }));
  }
}

/** A quality. */
export interface VideoRendition {
  readonly id: string;
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Peak, in bit/s. */
  readonly bitrate: number;
  readonly frameRate: number | undefined;
  readonly codec: string;
  /** The viewer wants this one. */
  readonly selected: boolean;
}

/** The qualities, lowest first. */
export class VideoRenditionList extends List<VideoRendition> {
  #selected = -1;
  #wanted: (index: number) => void;

  constructor(wanted: (index: number) => void) {
    super("rendition");
    this.#wanted = wanted;
  }

  /** The one that the viewer wants; -1 leaves it to the player. */
  get selectedIndex(): number { return this.#selected; }
  set selectedIndex(index: number) {
    const next = index >= 0 && index < this.length ? Math.trunc(index) : -1;
    if (next === this.#selected) return;
    this.#selected = next;
    this.#wanted(next);
    this.changed();
  }

  getRenditionById(id: string): VideoRendition | null { return this.byId(id); }

  override replace(items: VideoRendition[]): void {
    this.#selected = -1;
    super.replace(items);
  }
}

/** A kind of sound, as a language. */
export interface AudioTrack {
  readonly id: string;
  readonly kind: "main" | "alternative";
  readonly label: string;
  readonly language: string;
  enabled: boolean;
}

/** The kinds of sound. */
export class AudioTrackList extends List<AudioTrack> {
  constructor() {
    super("track");
  }

  getTrackById(id: string): AudioTrack | null { return this.byId(id); }
}
