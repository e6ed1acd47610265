// Why something cannot be played.

export type ErrorReason = "playlist" | "codecs" | "decode" | "protected" | "license" | "engine";

/** Shaped as a MediaError, with a reason that a page can tell apart. */
export interface PlayerError {
  /** 3: the media cannot be decoded; 4: the source cannot be played. */
  readonly code: 3 | 4;
  readonly message: string;
  readonly reason: ErrorReason;
}

const MESSAGES: Record<ErrorReason, string> = {
  engine: "the engine could not be loaded: are the files of the player beside its script?",
  playlist: "there is no playlist at the address",
  codecs: "this browser plays none of the stream's codecs",
  decode: "the browser could not decode the stream",
  protected: "the stream is encrypted, and the page has not said how its keys are had (keySystems)",
  license: "no licence for the encrypted stream could be had",
};

export function playerError(reason: ErrorReason): PlayerError {
  return { code: reason === "decode" ? 3 : 4, message: MESSAGES[reason], reason };
}
