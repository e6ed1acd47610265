// Where viewers are: a map and a table of the same.

import { bars } from "./charts.js";
import { h, svg } from "./dom.js";
import type { Share } from "./figures.js";
import { country, percent } from "./say.js";

const ROWS = 8;
/** Width and height that the outlines are drawn in; see pages.js. */
const VIEW = "0 0 960 470";

let outlines: Promise<Record<string, string>> | undefined;

function load(): Promise<Record<string, string>> {
  outlines ??= fetch(new URL("world.json", import.meta.url)).then((answer) => answer.json() as Promise<Record<string, string>>);
  return outlines.catch((): Record<string, string> => {
    outlines = undefined;
    return {};
  });
}

export async function world(all: Share[]): Promise<HTMLElement> {
  const sum = all.reduce((sum, { watchedS }) => sum + watchedS, 0) || 1;
  const most = Math.max(...all.map(({ watchedS }) => watchedS), 1);
  const known = new Map(all.map((share) => [share.value, share]));
  const paths = Object.entries(await load()).map(([code, d]) => {
    const share = known.get(code);
    const land = svg("path", { d, class: share ? "watched" : "land" });
    if (share) {
      land.style.setProperty("--share", `${Math.round(25 + 75 * Math.sqrt(share.watchedS / most))}%`);
      const title = svg("title");
      title.textContent = `${country(code)}: ${percent((share.watchedS / sum) * 1e6)}`;
      land.append(title);
    }
    return land;
  });
  const map = svg("svg", { viewBox: VIEW, class: "world", role: "img", "aria-label": `World map of ${all.length} countries with viewers; the list has the same` }, ...paths);
  const rows = all.slice(0, ROWS).map(({ value, watchedS }) => ({
    name: country(value),
    share: watchedS / sum,
    value: percent((watchedS / sum) * 1e6),
  }));
  return h("div", { class: "where" }, map, bars(rows, "Share of time watched by country"));
}
