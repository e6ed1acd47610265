// What will be asked for first, guessed while the engine is still being loaded.

import { playable } from "./media.js";

/**
 * The media playlists with which the engine begins where it knows nothing of the link: the lower of the middle rungs and its sound, as
 * `Ladder::start` says. A wrong guess costs a request of a playlist.
 */
export function firstLists(list: string, base: string): string[] {
  const lines = playable(list).split("\n").map((line) => line.trim());
  const value = (line: string, name: string) => {
    const [, quoted, plain] = new RegExp(`[:,]\\s*${name}=(?:"([^"]*)"|([^",]*))`).exec(line) ?? [];
    return quoted ?? plain;
  };
  const variants = lines.flatMap((line, at) => {
    const uri = line.startsWith("#EXT-X-STREAM-INF:") && lines.slice(at + 1).find((next) => next && !next.startsWith("#"));
    return uri ? [{ line, uri, rate: Number(value(line, "BANDWIDTH")) }] : [];
  });
  const seen = variants.filter(({ line }) => value(line, "RESOLUTION"));
  const rungs = (seen.length ? seen : variants).sort((a, b) => a.rate - b.rate);
  const first = rungs[(rungs.length - 1) >> 1];
  // What a variable stands for is the engine's to say.
  if (!first || list.includes("#EXT-X-DEFINE")) return [];
  const group = value(first.line, "AUDIO");
  const sounds = lines.filter((line) => /^#EXT-X-MEDIA:(.*,)?\s*TYPE=AUDIO/.test(line) && value(line, "GROUP-ID") === group);
  const sound = sounds.find((line) => value(line, "DEFAULT") === "YES") ?? sounds[0];
  const all = [first.uri, (group && sound && value(sound, "URI")) || first.uri];
  return [...new Set(all.map((uri) => new URL(uri, base).href))].filter((url) => /^https?:/.test(url));
}
