// Lines over time, by uPlot, in the colours of the page.

import uPlot from "uplot";
import { h } from "./dom.js";
import type { Bar } from "./figures.js";
import { ms, percent } from "./say.js";

export interface Line {
  name: string;
  /** A colour of the page, as `--accent`. */
  colour: string;
  values: (number | null)[];
  area?: boolean;
}

const HEIGHT = 220;
const sync = uPlot.sync("range");
const dark = matchMedia("(prefers-color-scheme: dark)");

/** A chart that fills the width of its place and follows the colours of the system. */
export function lines(label: string, times: Date[], all: Line[], say: (value: number) => string): HTMLElement {
  const place = h("div", { class: "chart", role: "img", "aria-label": `${label}: ${summary(all, say)}` });
  let plot: uPlot | undefined;
  const seconds = times.map((at) => at.getTime() / 1000);
  const draw = (): void => {
    plot?.destroy();
    const width = place.clientWidth;
    if (width === 0) return;
    plot = new uPlot(options(width, all, say), [seconds, ...all.map((line) => line.values)], place);
  };
  let wasThere = false;
  const resized = new ResizeObserver(() => {
    if (!place.isConnected) {
      // It is made before it gets its place.
      if (!wasThere) return;
      resized.disconnect();
      dark.removeEventListener("change", draw);
      plot?.destroy();
      plot = undefined;
    } else if (plot) {
      plot.setSize({ width: place.clientWidth, height: HEIGHT });
    } else {
      wasThere = true;
      draw();
    }
  });
  resized.observe(place);
  dark.addEventListener("change", draw);
  return place;
}

function options(width: number, all: Line[], say: (value: number) => string): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--soft"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [12, 26, 0, 0],
    cursor: { y: false, points: { size: 8 }, sync: { key: sync.key } },
    legend: { live: true },
    scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.12 : 1] } },
    axes: [
      { ...axis, space: 70 },
      { ...axis, size: 66, values: (_, marks) => marks.map(say) },
    ],
    series: [
      { value: (_, at) => (at === null || at === undefined ? "–" : new Date(at * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" })), label: "Time" },
      ...all.map((line): uPlot.Series => ({
        label: line.name,
        stroke: colour(line.colour),
        width: 2,
        points: { show: false },
        ...(line.area ? { fill: `color-mix(in srgb, ${colour(line.colour)} 14%, transparent)` } : {}),
        value: (_, value) => (value === null || value === undefined ? "–" : say(value)),
      })),
    ],
  };
}

/** What somebody who does not see the lines is told. */
function summary(all: Line[], say: (value: number) => string): string {
  const one = ({ name, values }: Line): string => {
    const known = values.filter((value): value is number => value !== null);
    const last = known.at(-1);
    return last === undefined ? `${name} has no values` : `${name} is ${say(last)} now, at most ${say(Math.max(...known))}`;
  };
  return all.map(one).join("; ");
}

/** Columns from one time to the next: how often something took so long. Empty ones at both ends are left out. */
export function columns(all: Bar[], label: string): HTMLElement | undefined {
  const from = all.findIndex(({ count }) => count > 0);
  const to = all.reduce((last, { count }, at) => (count > 0 ? at : last), -1);
  if (from < 0) return undefined;
  const sum = all.reduce((sum, { count }) => sum + count, 0);
  const most = Math.max(...all.map(({ count }) => count));
  const column = ({ from, count }: Bar, at: number): HTMLElement => {
    const [next, bar] = [all[at + 1]?.from, h("i", {})];
    bar.style.height = `${(count / most) * 100}%`;
    const times = next === undefined ? `from ${ms(from)}` : `${ms(from)} to ${ms(next)}`;
    const text = `${times}: ${percent((count / sum) * 1e6)}`;
    return h("li", { title: text }, h("span", { class: "hidden" }, text), bar, h("small", { "aria-hidden": "true" }, ms(from)));
  };
  const shown = all.map((bar, at) => [bar, at] as const).slice(Math.max(0, from - 1), to + 2);
  return h("ol", { class: "columns", "aria-label": label }, ...shown.map(([bar, at]) => column(bar, at)));
}

/** Rows with a bar each. */
export function bars(rows: { name: string; share: number; value: string }[], label: string): HTMLElement {
  const row = ({ name, share, value }: (typeof rows)[number]): HTMLElement => {
    const bar = h("i", {});
    bar.style.width = `${Math.max(1, Math.min(100, share * 100))}%`;
    return h("li", {}, h("span", {}, name), h("b", {}, value), bar);
  };
  return h("ul", { class: "bars", "aria-label": label }, ...rows.map(row));
}
