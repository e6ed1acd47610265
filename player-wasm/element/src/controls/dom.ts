// Elements without markup: nothing here is ever parsed as HTML.

type Props = Record<string, string | boolean | undefined | ((event: Event) => void)>;

/** Makes an element; functions become listeners, `class`, `part` and the like attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(viewBox: string, paths: Record<string, string>[], props: Record<string, string> = {}): SVGSVGElement {
  const root = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox, "aria-hidden": "true", ...props })) root.setAttribute(name, value);
  for (const attributes of paths) {
    const path = document.createElementNS(SVG, "path");
    for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
    root.append(path);
  }
  return root;
}

/** Sets what has changed only: assistive technology reads every change aloud. */
export function set(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const SPEAKER = "M4 9.5v5h3.5l4.5 4v-13l-4.5 4z";
const SCREEN = "M3.5 5.5h17v13h-17z";
const ICONS = {
  play: "M8 5.5v13l10.5-6.5z",
  pause: "M8.5 6v12M15.5 6v12",
  loud: `${SPEAKER}M15.5 9.2a4 4 0 0 1 0 5.6M18 6.7a7.5 7.5 0 0 1 0 10.6`,
  mute: `${SPEAKER}M16 9.7l4.6 4.6M20.6 9.7L16 14.3`,
  captions: `${SCREEN}M7 11.5h4.5M14 11.5h3M7 15h2.5M12 15h5`,
  settings: "M4 7.5h8M18 7.5h2M4 16.5h2M12 16.5h8M15 5.2a2.3 2.3 0 1 0 .01 0M9 14.2a2.3 2.3 0 1 0 .01 0",
  pip: `${SCREEN}M12.5 12.5h5v3h-5z`,
  full: "M4.5 9V4.5H9M15 4.5h4.5V9M19.5 15v4.5H15M9 19.5H4.5V15",
  small: "M9 4.5V9H4.5M15 4.5V9h4.5M15 19.5V15h4.5M9 19.5V15H4.5",
  close: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  again: "M19 12a7 7 0 1 1-2.3-5.2M19.5 3.5v4.2h-4.2",
} as const;
export type Icon = keyof typeof ICONS;

export function icon(name: Icon): SVGSVGElement {
  return svg("0 0 24 24", [{ d: ICONS[name] }], { class: `icon ${name}` });
}

export function changeIcon(button: Element, name: Icon): void {
  const now = button.querySelector("svg");
  if (!now?.classList.contains(name)) now?.replaceWith(icon(name));
}
