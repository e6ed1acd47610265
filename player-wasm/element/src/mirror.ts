// What the element has in common with HTMLVideoElement: each name leads to the video inside.

const WRITABLE = [
  "currentTime", "volume", "muted", "playbackRate", "defaultPlaybackRate", "preservesPitch", "disableRemotePlayback", "disablePictureInPicture", "srcObject",
] as const;
const READABLE = [
  "duration", "paused", "ended", "seeking", "readyState", "networkState", "buffered", "seekable", "played", "videoWidth", "videoHeight", "textTracks",
  "remote", "mediaKeys", "sinkId",
] as const;
const METHODS = [
  "pause", "canPlayType", "fastSeek", "addTextTrack", "setMediaKeys", "setSinkId", "requestPictureInPicture", "getVideoPlaybackQuality",
  "requestVideoFrameCallback", "cancelVideoFrameCallback",
] as const;
/** Properties that are attributes without a value. */
const FLAGS = { autoplay: "autoplay", controls: "controls", loop: "loop", playsInline: "playsinline", defaultMuted: "muted" } as const;
/** Properties that are attributes with a text. */
const TEXTS = { preload: "preload", crossOrigin: "crossorigin" } as const;
const ADDRESSES = ["src", "poster"] as const;

type Shared =
  | (typeof WRITABLE)[number] | (typeof READABLE)[number] | (typeof METHODS)[number] | keyof typeof FLAGS | keyof typeof TEXTS | (typeof ADDRESSES)[number];
/** The properties and methods of the video inside. */
export type VideoLike = Pick<HTMLVideoElement, Shared>;

/** Events of the video inside that are fired again on the element. */
export const EVENTS = [
  "abort", "canplay", "canplaythrough", "durationchange", "emptied", "encrypted", "ended", "loadeddata", "loadedmetadata", "loadstart", "pause", "play",
  "playing", "progress", "ratechange", "resize", "seeked", "seeking", "stalled", "suspend", "timeupdate", "volumechange", "waiting", "waitingforkey",
  "enterpictureinpicture", "leavepictureinpicture",
];

/** Gives a class of elements the face of a video; `inner` finds the video. */
export function mirrored(Base: typeof HTMLElement, inner: (element: HTMLElement) => HTMLVideoElement): new () => HTMLElement & VideoLike {
  class Mirror extends Base {}
  const add = (name: string, get: (this: HTMLElement) => unknown, set?: (this: HTMLElement, value: never) => void) =>
    Object.defineProperty(Mirror.prototype, name, { configurable: true, enumerable: true, get, ...(set && { set }) });
  type Loose = Record<string, unknown>;
  const video = (element: HTMLElement) => inner(element) as unknown as Loose;
  for (const name of READABLE) add(name, function () { return video(this)[name]; });
  for (const name of WRITABLE) add(name, function () { return video(this)[name]; }, function (value) { video(this)[name] = value; });
  for (const name of METHODS) {
    Object.defineProperty(Mirror.prototype, name, {
      configurable: true,
      writable: true,
      value(this: HTMLElement, ...given: unknown[]) {
        const found = inner(this) as unknown as Record<string, (...given: unknown[]) => unknown>;
        return found[name]?.(...given);
      },
    });
  }
  for (const [name, attribute] of Object.entries(FLAGS)) {
    add(name, function () { return this.hasAttribute(attribute); }, function (value) { this.toggleAttribute(attribute, Boolean(value)); });
  }
  for (const [name, attribute] of Object.entries(TEXTS)) {
    add(
      name,
      function () { return this.getAttribute(attribute) ?? (name === "preload" ? "auto" : null); },
      function (value: string | null) {
        if (value === null) this.removeAttribute(attribute);
        else this.setAttribute(attribute, value);
      },
    );
  }
  for (const name of ADDRESSES) {
    add(
      name,
      function () {
        const value = this.getAttribute(name);
        return value ? new URL(value, document.baseURI).href : "";
      },
      function (value) { this.setAttribute(name, value); },
    );
  }
  return Mirror as unknown as new () => HTMLElement & VideoLike;
}
