// A bar to drag: a native range, which keyboards and screen readers know, under a picture of one.

import { h, set } from "./dom.js";

export class Slider {
  readonly root: HTMLElement;
  readonly input: HTMLInputElement;
  #held = h("i");
  #done = h("i");
  #knob = h("span", { class: "knob", part: "knob" });
  #dragged = false;

  constructor(name: string, part: string, changed: (value: number) => void) {
    this.input = h("input", { type: "range", min: "0", max: "1", step: "any", "aria-label": name, part: `${part}-input` });
    this.root = h("div", { class: `slide ${part}`, part }, h("div", { class: "rail", part: "rail" }, this.#held, this.#done), this.#knob, this.input);
    this.input.addEventListener("input", () => {
      this.#dragged = true;
      this.#draw();
      changed(this.input.valueAsNumber);
    });
    this.input.addEventListener("change", () => (this.#dragged = false));
    // Keys belong to the player as a whole; a range would take steps of its own.
    this.input.addEventListener("keydown", (event) => ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key) && event.preventDefault());
  }

  show(value: number, min: number, max: number, text: string, held = min): void {
    if (this.#dragged || !(max > min)) return;
    set(this.input, "min", String(min));
    set(this.input, "max", String(max));
    this.input.valueAsNumber = value;
    set(this.input, "aria-valuetext", text);
    this.#held.style.width = `${(100 * (Math.min(held, max) - min)) / (max - min)}%`;
    this.#draw();
  }

  #draw(): void {
    const { valueAsNumber: value, min, max } = this.input;
    const share = `${(100 * (value - Number(min))) / (Number(max) - Number(min) || 1)}%`;
    this.#done.style.width = share;
    this.#knob.style.left = share;
  }
}
