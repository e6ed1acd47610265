// "Why this quality?": the last decisions of the engine, in a sentence, in plots and as a list.

import type { TidegatePlayer } from "../element.js";
import type { Decision } from "../engine.js";
import { h, icon, svg } from "./dom.js";
import { qualityName, rate, seconds } from "./figures.js";
import { type Words, fill } from "./words.js";

const ROWS = 8;
const WIDTH = 120;
const HEIGHT = 40;

/** A line through values, on the scale of the largest. */
function line(values: number[], top: number): string {
  const known = values.map((value) => (Number.isFinite(value) ? value : 0));
  const step = WIDTH / Math.max(1, known.length - 1);
  return known.map((value, at) => `${at ? "L" : "M"}${(at * step).toFixed(1)} ${(HEIGHT - (Math.min(value, top) / top) * HEIGHT).toFixed(1)}`).join("");
}

function plot(lines: [string, string][]): SVGSVGElement {
  return svg(`0 0 ${WIDTH} ${HEIGHT}`, lines.map(([name, d]) => ({ class: name, d })), { class: "plot", preserveAspectRatio: "none" });
}

/** What is to be seen at this moment. */
export function why(player: TidegatePlayer, words: Words, close: () => void): Node[] {
  const all = [...player.videoRenditions];
  const name = (at: number) => qualityName(all[at], all) || String(at + 1);
  const stats = player.stats;
  const decisions = player.decisions();
  const last = decisions.at(-1);
  const head = h("header", {}, h("h2", { id: "why-title" }, words.why), h("button", { type: "button", "aria-label": words.close, click: close }, icon("close")));
  if (!stats || !last) return [head, h("p", {}, words.loading)];
  const network = stats.bandwidth ?? last.forecast;
  const sentence = fill(words.chosen, { q: name(stats.rung), n: rate(network), b: seconds(stats.buffer) });
  const used = decisions.map(({ to }) => all[to]?.bitrate ?? 0);
  const seen = decisions.map(({ forecast }) => forecast);
  const top = Math.max(...used, ...all.map(({ bitrate }) => bitrate), Math.min(Math.max(...seen), 2 * Math.max(...all.map(({ bitrate }) => bitrate), 1)), 1);
  const rungs = all.map(({ bitrate }): [string, string] => ["rung", line([bitrate, bitrate], top)]);
  const buffers = decisions.map(({ buffer }) => buffer);
  return [
    head,
    h("p", {}, player.videoRenditions.selectedIndex < 0 ? sentence : name(player.videoRenditions.selectedIndex)),
    h("h3", {}, words.network, h("b", {}, rate(network))),
    plot([...rungs, ["seen", line(seen, top)], ["used", line(used, top)]]),
    h("h3", {}, words.buffer, h("b", {}, seconds(stats.buffer))),
    plot([["seen", line(buffers, Math.max(...buffers, 1))]]),
    ...alternatives(last, words, name),
    h("h3", {}, words.decisions),
    h("ol", {}, ...decisions.slice(-ROWS).reverse().map((decision) => row(decision, name))),
  ];
}

/** What each rung was worth at the last decision. */
function alternatives({ rungs, to }: Decision, words: Words, name: (at: number) => string): Node[] {
  if (rungs.length === 0) return [];
  const values = rungs.map(({ value }) => value);
  const least = Math.min(...values);
  const span = Math.max(...values) - least || 1;
  const cells = rungs.flatMap(({ value, stall }, at) => {
    const bar = h("i", at === to ? { class: "on" } : {});
    bar.style.width = `${Math.max(4, (100 * (value - least)) / span)}%`;
    return [h("span", {}, name(at)), bar, h("span", {}, seconds(stall))];
  });
  return [h("h3", {}, words.worth, h("span", {}, words.risk)), h("div", { class: "bars" }, ...cells)];
}

function row(decision: Decision, name: (at: number) => string): HTMLElement {
  const { from, to, at, forecast, buffer } = decision;
  const age = Math.max(0, (performance.now() - at) / 1000);
  const what = from === to ? name(to) : `${name(from)} → ${name(to)}`;
  return h("li", {}, h("b", {}, decision.abandoned ? `${what} ✕` : what), h("span", {}, `${rate(forecast)} · ${seconds(buffer)} · −${age.toFixed(0)} s`));
}
