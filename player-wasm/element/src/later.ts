// What few viewers need (DASH, pictures over the bar, messages inside media, the panel of decisions) lies in a script beside this one, and is
// asked for when it is needed first.

import type { Extras } from "./extras.js";
import { loadScript } from "./load.js";
import { type MpdReader, isMpd } from "./mpd.js";

/** Where the script leaves it; it says the same in extras.ts. */
const MAILBOX = "__tidegateExtras";

let loading: Promise<Extras> | undefined;

export function extras(): Promise<Extras> {
  const there = (globalThis as unknown as Record<string, Extras | undefined>)[MAILBOX];
  if (there) return Promise.resolve(there);
  loading ??= loadScript<Extras>("extras", MAILBOX).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** Reads DASH once there is some. */
export function laterMpd(credentials: boolean, address: (url: string) => string): MpdReader {
  let reader: MpdReader | undefined;
  return {
    reads: isMpd,
    get undated() { return reader?.undated ?? false; },
    ahead: (...about) => reader?.ahead(...about),
    // Only a list that it has made has addresses of parts.
    part: (...about) => reader?.part(...about) ?? Promise.reject(new TypeError("there is no reader")),
    close: () => reader?.close(),
    async playlist(...about) {
      const { makeMpd } = await extras();
      reader ??= makeMpd(credentials, address);
      return reader.playlist(...about);
    },
  };
}
