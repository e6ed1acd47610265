// What an owner says about a stream, as fields of a form.

import { type Fields, type Json, items, number, object, text, time } from "./api.js";
import { h } from "./dom.js";

interface Field {
  label: string;
  help?: string;
  /** The control with the value of the document in it. */
  make: (id: string, value: Json | undefined) => HTMLElement;
  /** The value of the document from the control. */
  read: (control: HTMLInputElement) => Json;
}

const line = (max: number, more: Record<string, string | number> = {}) => (id: string, value: Json | undefined) =>
  h("input", { id, maxlength: max, value: text(value), ...more });
const words = (control: HTMLInputElement): string[] => control.value.split(",").map((word) => word.trim()).filter(Boolean);
const choice = (options: [string, string][]) => (id: string, value: Json | undefined) =>
  h("select", { id }, ...options.map(([value_, label]) => h("option", { value: value_, selected: value_ === text(value) }, label)));
const orNull = (control: HTMLInputElement): Json => control.value.trim() || null;

/** Local time as such a control has it. */
function local(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const FIELDS: Record<string, Field> = {
  title: { label: "Title", make: line(200), read: (control) => control.value },
  description: {
    label: "Description",
    make: (id, value) => h("textarea", { id, maxlength: 5000, rows: 4 }, text(value)),
    read: (control) => control.value,
  },
  tags: {
    label: "Tags",
    help: "Up to 20, with commas between them.",
    make: (id, value) => h("input", { id, value: items(value).map(text).join(", ") }),
    read: words,
  },
  visibility: {
    label: "Visibility",
    make: choice([["public", "Public: may be listed"], ["unlisted", "Unlisted: who has the address"], ["private", "Private: not shown to viewers"]]),
    read: (control) => control.value,
  },
  access: {
    label: "Who may watch",
    make: choice([["public", "Everybody"], ["token", "Whoever has a playback token"], ["private", "Whoever has a token for this stream alone"]]),
    read: (control) => control.value,
  },
  language: { label: "Language", help: "As de or pt-BR.", make: line(35, { placeholder: "not said" }), read: orNull },
  category: { label: "Category", make: line(60), read: (control) => control.value },
  poster: { label: "Poster", help: "The address of a picture that is shown while nothing plays.", make: line(2000, { type: "url", placeholder: "https://…" }), read: orNull },
  scheduled_start: {
    label: "Planned start",
    help: "The watch page counts down to it.",
    make: (id, value) => {
      const at = time(value);
      return h("input", { id, type: "datetime-local", value: at ? local(at) : "" });
    },
    read: (control) => (control.value ? new Date(control.value).toISOString() : null),
  },
  dvr_window_s: {
    label: "Rewind, in minutes",
    help: "How much of the past a viewer of the live stream can go back to.",
    make: (id, value) => h("input", { id, type: "number", min: 1, max: 1440, required: true, value: Math.round((number(value) ?? 7200) / 60) }),
    read: (control) => Number(control.value) * 60,
  },
  retention_days: {
    label: "Keep recordings, in days",
    help: "They are removed within an hour after that, for good.",
    make: (id, value) => h("input", { id, type: "number", min: 0, max: 3650, placeholder: "for ever", value: number(value) }),
    read: (control) => (control.value ? Number(control.value) : null),
  },
  latency_mode: {
    label: "Delay",
    help: "Short parts cost more requests. From the next publish on.",
    make: choice([["ultra", "As short as can be: parts of 0.2 s"], ["low", "Short: the worker's own parts"], ["normal", "Longer: parts of 1 s"]]),
    read: (control) => control.value,
  },
  viewer_thresholds: {
    label: "Tell webhooks at so many viewers",
    help: "Up to 16 numbers, with commas between them; each is told once in a session.",
    make: (id, value) => h("input", { id, inputmode: "numeric", pattern: "[0-9, ]*", placeholder: "100, 1000", value: items(value).map(String).join(", ") }),
    read: (control) => words(control).map(Number),
  },
  viewer_count: {
    label: "Number of viewers",
    make: choice([["public", "Everybody may see it"], ["hidden", "Only owners see it"]]),
    read: (control) => control.value,
  },
  enabled: {
    label: "Switched on",
    make: choice([["true", "Yes"], ["false", "No: nobody may publish or watch it"]]),
    read: (control) => control.value === "true",
  },
};

/** Labels and controls for these fields. */
export function fieldset(document: Fields, names: string[], prefix: string): HTMLElement[] {
  return names.flatMap((name) => {
    const field = FIELDS[name];
    if (!field) return [];
    const id = `${prefix}-${name}`;
    const value = name === "access" ? object(document["playback"])["access"] : name === "enabled" ? String(document[name] ?? true) : document[name];
    const control = field.make(id, value);
    control.dataset["field"] = name;
    const help = field.help ? h("p", { class: "help", id: `${id}-help` }, field.help) : undefined;
    if (help) control.setAttribute("aria-describedby", help.id);
    return [h("label", { for: id }, field.label), control, ...(help ? [help] : [])];
  });
}

/** What the controls say, as members of the document; those of an empty name are left out. */
export function read(form: HTMLElement, prefix: string): Fields {
  const found: Fields = {};
  for (const control of form.querySelectorAll<HTMLInputElement>(`[id^="${prefix}-"][data-field]`)) {
    const name = control.dataset["field"] ?? "";
    const value = FIELDS[name]?.read(control);
    if (value === undefined) continue;
    if (name === "access") found["playback"] = { access: value };
    else found[name] = value;
  }
  return found;
}
