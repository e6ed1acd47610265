// What is to be said over the picture: that nothing is live yet, that the connection is lost, that something cannot be played.

import type { TidegatePlayer } from "../element.js";
import { h } from "./dom.js";
import type { Words } from "./words.js";

function textOf(player: TidegatePlayer, words: Words): [string, string, boolean] | undefined {
  switch (player.status) {
    case "offline":
      return [words.offline, words.offlineMore, false];
    case "trouble":
      return [words.trouble, words.troubleMore, false];
    case "ended":
      return player.streamType === "live" || player.targetLiveWindow > 0 ? [words.ended, words.endedMore, false] : undefined;
    case "error":
      return [words.failed, words[player.error?.reason ?? "engine"], true];
    default:
      return undefined;
  }
}

/** Brings the note up to date; nothing is touched that stays as it is. */
export function note(element: HTMLElement, player: TidegatePlayer, words: Words): void {
  const text = textOf(player, words);
  const key = text?.join("|") ?? "";
  if (element.dataset["key"] === key) return;
  element.dataset["key"] = key;
  element.hidden = !text;
  if (!text) return element.replaceChildren();
  const [title, more, retry] = text;
  const again = () => {
    player.load();
    void player.play().catch(() => undefined);
  };
  element.replaceChildren(
    h("strong", {}, title),
    h("span", {}, more),
    ...(retry ? [h("button", { type: "button", part: "retry", click: again }, words.retry)] : []),
  );
}
