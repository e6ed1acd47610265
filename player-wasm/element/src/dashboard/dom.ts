// Elements made in code. Whatever comes from outside gets in as text or as the value of an attribute, never as HTML.

type Child = Node | string | undefined | null | false;
type Value = string | number | boolean | undefined | ((event: Event) => void);

/** Makes an element. Attributes that begin with `on` are listeners; `false` and `undefined` leave an attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, Value> = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  set(made, attributes);
  made.append(...children.filter((child): child is Node | string => child !== undefined && child !== null && child !== false));
  return made;
}

export function svg(tag: string, attributes: Record<string, Value> = {}, ...children: Node[]): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(made, attributes);
  made.append(...children);
  return made;
}

function set(element: Element, attributes: Record<string, Value>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
}

/** A row of a list of addresses, with a button that copies it. */
export function copyRow(name: string, text: string): HTMLElement {
  const button = h("button", { class: "button small", type: "button", "aria-label": `Copy ${name}`, onclick: () => void copy() }, "Copy");
  const copy = async (): Promise<void> => {
    const copied = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Select it";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  return h("div", { class: "copy" }, h("span", {}, name), h("code", {}, text), button);
}

/** A dialog that is gone once it is closed. */
export function dialog(title: string, ...content: Child[]): HTMLDialogElement {
  const close = h("button", { class: "button small", type: "button", onclick: () => box.close() }, "Close");
  const id = `dialog-${Math.random().toString(36).slice(2)}`;
  const box = h("dialog", { "aria-labelledby": id }, h("header", {}, h("h2", { id }, title), close), ...content);
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
  return box;
}

/** Asks before something that cannot be taken back. */
export function confirmed(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    const yes = h("button", { class: "button danger", type: "button", onclick: () => { answer = true; box.close(); } }, action);
    const box = dialog(title, h("p", { class: "soft" }, text), h("div", { class: "actions" }, yes));
    box.addEventListener("close", () => resolve(answer));
  });
}

export function icon(path: string): SVGElement {
  return svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));
}
