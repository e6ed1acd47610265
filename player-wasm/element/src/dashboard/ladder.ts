// Where the time of a picture goes on its way, hop by hop.

import { h } from "./dom.js";
import type { Figures, Ingest } from "./figures.js";
import { ms } from "./say.js";

interface Hop {
  name: string;
  /** Half of all take no longer, in ms; unknown where nothing was measured. */
  half: number | undefined;
  /** What the slowest take, with how many those are. */
  slow: string;
}

/** The hops from the encoder to the eye, each with a bar that begins where the one before ends. */
export function ladder({ latency, visible, edge }: Figures, ingest: Ingest[]): HTMLElement | undefined {
  if (!latency && ingest.length === 0) return undefined;
  const half = (of: (at: Ingest) => number): number | undefined => middle(ingest.map(of));
  const most = (of: (at: Ingest) => number): string => (ingest.length > 0 ? `99 %: ${ms(Math.max(...ingest.map(of)))}` : "");
  const known: Hop[] = [
    { name: "Encode and package", half: half(({ partP50 }) => partP50), slow: most(({ partP99 }) => partP99) },
    { name: "Write to the bucket", half: half(({ putP50 }) => putP50), slow: most(({ putP99 }) => putP99) },
    { name: "Visible at the edge", half: visible && visible.p50 / 1000, slow: visible ? `99 %: ${ms(visible.p99 / 1000)}` : "" },
    { name: "Answer of the edge", half: edge && edge.p50 / 1000, slow: edge ? `99 %: ${ms(edge.p99 / 1000)}` : "" },
  ];
  const before = known.reduce((sum, { half }) => sum + (half ?? 0), 0);
  const player: Hop = { name: "The part itself, network, buffer", half: latency && Math.max(0, latency.p50 - before), slow: "" };
  const whole = Math.max(latency?.p50 ?? 0, before, 1);
  let at = 0;
  const rows = [...known, player].map(({ name, half, slow }) => {
    const bar = h("i", {});
    bar.style.marginInlineStart = `${(at / whole) * 100}%`;
    bar.style.width = `max(3px, ${((half ?? 0) / whole) * 100}%)`;
    bar.hidden = half === undefined;
    at += half ?? 0;
    return h("li", {}, h("span", {}, name), h("small", {}, slow), h("b", {}, half === undefined ? "–" : brief(half)), bar);
  });
  const sum = h("li", { class: "sum" }, h("span", {}, "From the camera's clock to the eye"), h("small", {}, latency ? `95 %: ${ms(latency.p95)}` : ""), h("b", {}, latency ? ms(latency.p50) : "–"));
  return h("ol", { class: "ladder", "aria-label": "Latency, hop by hop: half of all take no longer" }, ...rows, sum);
}

/** Below a millisecond whole numbers say nothing. */
function brief(value: number): string {
  if (value === 0) return "< 1 ms";
  return value < 10 ? `${value.toLocaleString(undefined, { maximumFractionDigits: 1 })} ms` : ms(value);
}

function middle(values: number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
