// The script of what few viewers need at first: it leaves all of it in the place where `later.ts` looks.

import { why } from "./controls/why.js";
import { messages } from "./emsg.js";
import { makeMpd } from "./mpd.js";
import { Stills } from "./stills.js";

const extras = { makeMpd, Stills, messages, why };
export type Extras = typeof extras;

(globalThis as unknown as Record<string, Extras>)["__tidegateExtras"] = extras;
