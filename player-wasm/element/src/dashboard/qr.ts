// An address as a picture that a phone's camera reads.

import { encode } from "uqr";
import { h, svg } from "./dom.js";

/** Light modules around the code, which readers want. */
const BORDER = 4;

/** A code of a text, with a sentence under it. Black on white in either look: cameras read nothing else. */
export function qr(text: string, about: string): HTMLElement {
  const { size, data } = encode(text, { ecc: "M", border: BORDER });
  const d = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  const picture = svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": about, "shape-rendering": "crispEdges" }, svg("path", { d }));
  return h("figure", { class: "qr" }, picture, h("figcaption", { class: "soft" }, about));
}
