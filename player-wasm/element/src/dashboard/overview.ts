// Figures over a range of time.

import type { Page } from "../dashboard.js";
import type { Api } from "./api.js";
import { bars, columns, type Line, lines } from "./charts.js";
import { h } from "./dom.js";
import { type Figures, type History, history, query, type Quantiles, type Range, type Share, shares } from "./figures.js";
import { ladder } from "./ladder.js";
import { world } from "./map.js";
import { bits, count, country, ms, percent, span } from "./say.js";

const HOUR_MS = 3_600_000;
const RANGES: [string, number][] = [["1 h", 1], ["6 h", 6], ["24 h", 24], ["7 d", 168], ["30 d", 720]];
const REFRESH_MS = 15_000;
const KEPT = "tidegate.range";

export async function overview(api: Api, id: string): Promise<Page> {
  let hours = Number(sessionStorage.getItem(KEPT)) || 1;
  let fixed: Range | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let turn = 0;
  const range = (): Range => fixed ?? { from: new Date(Date.now() - hours * HOUR_MS), to: new Date() };

  const body = h("div", { class: "board" });
  const note = h("p", { class: "soft", role: "status" });
  const load = async (): Promise<void> => {
    clearTimeout(timer);
    const asked = ++turn;
    const of = range();
    try {
      const all = await history(api, id, of);
      const parts = all && hasAny(all) ? await Promise.all([shares(api, id, of, "country"), shares(api, id, of, "rendition"), shares(api, id, of, "device")]) : undefined;
      if (asked !== turn) return;
      body.replaceChildren(...(all && parts ? await board(all, ...parts) : [nothing(id)]));
      note.textContent = all?.lost ? "Some edges stopped without a word in this range: what they counted in their last minute is missing." : "";
    } catch (problem) {
      if (asked === turn) note.textContent = problem instanceof Error ? problem.message : "The figures cannot be read.";
    }
    if (!fixed && hours <= 24 && asked === turn) timer = setTimeout(() => (document.hidden ? (timer = setTimeout(() => void load(), REFRESH_MS)) : void load()), REFRESH_MS);
  };

  const buttons = RANGES.map(([label, value]) => h("button", { type: "button", "aria-pressed": String(value === hours), onclick: () => pick(value) }, label));
  const [from, to] = ["From", "To"].map((label) => h("input", { type: "datetime-local", "aria-label": label })) as [HTMLInputElement, HTMLInputElement];
  const mark = (): void => buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(!fixed && RANGES[at]?.[1] === hours)));
  const pick = (value: number): void => {
    [hours, fixed] = [value, undefined];
    sessionStorage.setItem(KEPT, String(value));
    mark();
    void load();
  };
  const between = (): void => {
    const [start, end] = [new Date(from.value), new Date(to.value)];
    if (Number.isNaN(start.getTime()) || Number.isNaN(end.getTime()) || start >= end) return;
    fixed = { from: start, to: end };
    mark();
    void load();
  };
  from.addEventListener("change", between);
  to.addEventListener("change", between);

  const save = async (format: "csv" | "json"): Promise<void> => {
    try {
      const file = await api.file(`streams/${encodeURIComponent(id)}/analytics?${query(range())}&format=${format}`);
      const address = URL.createObjectURL(file);
      const link = h("a", { href: address, download: `${id}-${range().from.toISOString().slice(0, 10)}.${format}` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    } catch (problem) {
      note.textContent = problem instanceof Error ? problem.message : "The file cannot be made.";
    }
  };
  const node = h(
    "div",
    {},
    h(
      "div",
      { class: "filters" },
      h("div", { class: "ranges", role: "group", "aria-label": "Range of time" }, ...buttons),
      h("details", { class: "between" }, h("summary", {}, "Dates"), h("div", {}, from, to)),
      h("span", { class: "actions" }, ...(["csv", "json"] as const).map((format) => h("button", { class: "button small", type: "button", onclick: () => void save(format) }, format.toUpperCase()))),
    ),
    note,
    body,
  );
  body.append(h("p", { class: "wait" }, "Loading…"));
  void load();
  return { node, stop: () => { clearTimeout(timer); turn++; } };
}

function hasAny({ total, ingest }: History): boolean {
  return total.watchedS > 0 || total.attempts > 0 || total.plays > 0 || total.peak > 0 || ingest.length > 0;
}

function nothing(id: string): HTMLElement {
  return h(
    "div",
    { class: "card empty" },
    h("h2", {}, "No figures in this range yet"),
    h("p", { class: "soft" }, "They appear within 15 s of the first viewer: players report by themselves."),
    h("a", { class: "button first", href: `#/streams/${encodeURIComponent(id)}/publish` }, "How to publish"),
  );
}

async function board(all: History, countries: Share[], renditions: Share[], devices: Share[]): Promise<HTMLElement[]> {
  const { total, series, ingest, startups, stalls } = all;
  const times = series.map(({ at }) => at);
  const over = (value: (figures: Figures) => number | null): (number | null)[] => series.map(({ figures }) => value(figures));
  const quantile = (of: "startup" | "latency", name: "p50" | "p95"): (number | null)[] => over((figures) => figures[of]?.[name] ?? null);
  const line = (name: string, colour: string, values: (number | null)[], area = false): Line => ({ name, colour, values, area });
  const sum = (of: Share[]): number => of.reduce((sum, { watchedS }) => sum + watchedS, 0) || 1;
  const share = (of: Share[], name: (value: string) => string): { name: string; share: number; value: string }[] =>
    of.slice(0, 8).map(({ value, watchedS }) => ({ name: name(value), share: watchedS / sum(of), value: percent((watchedS / sum(of)) * 1e6) }));
  const ingestTimes = ingest.flatMap(({ at }) => at ?? []);
  const failed = total.attempts > 0 ? (total.startFailures / total.attempts) * 1e6 : 0;
  return [
    h(
      "dl",
      { class: "tiles" },
      tile("Peak viewers", count(total.peak), `${total.viewers.toLocaleString()} on average`),
      tile("Unique viewers", count(total.uniques), "about, day by day"),
      tile("Plays", count(total.plays), `of ${count(total.attempts)} attempts`),
      tile("Watched", span(total.watchedS), total.plays > 0 ? `${span(total.watchedS / total.plays)} each` : ""),
      tile("Start-up", total.startup ? ms(total.startup.p50) : "–", total.startup ? `95 %: ${ms(total.startup.p95)}` : ""),
      tile("Rebuffering", percent(total.rebufferPpm), `${count(total.rebuffers)} stalls`),
      tile("Latency", total.latency ? ms(total.latency.p50) : "–", total.latency ? `95 %: ${ms(total.latency.p95)}` : ""),
      tile("Failed starts", percent(failed), `${count(total.exits)} left before`),
    ),
    card("Viewers", "wide", lines("Viewers", times, [line("Average", "--accent", over(({ viewers }) => viewers), true), line("Peak", "--soft", over(({ peak }) => peak))], count)),
    card("Countries", "wide", countries.length > 0 ? await world(countries) : none()),
    card("Latency, hop by hop", "wide", ladder(total, ingest) ?? none()),
    card("Start-up time", "", columns(startups, "How start-up times are spread") ?? none(), marks(total.startup), lines("Start-up time", times, [line("Half", "--accent", quantile("startup", "p50")), line("95 %", "--warn", quantile("startup", "p95"))], ms)),
    card("Rebuffering", "", columns(stalls, "How long stalls are") ?? h("p", { class: "soft none" }, "No stalls."), marks(total.stall), lines("Rebuffering", times, [line("Of time watched", "--bad", over(({ rebufferPpm }) => rebufferPpm), true)], percent)),
    card("Latency", "", marks(total.latency), lines("Latency", times, [line("Half", "--accent", quantile("latency", "p50")), line("95 %", "--warn", quantile("latency", "p95"))], ms)),
    card("Bit rate", "", lines("Bit rate", times, [line("Watched", "--accent", over(({ bitrate }) => bitrate || null))], bits)),
    card("Qualities", "", renditions.length > 0 ? bars(share(renditions, (value) => value || "Unknown"), "Share of time watched by rendition") : none()),
    card("Devices", "", devices.length > 0 ? bars(share(devices, (value) => value || "Unknown"), "Share of time watched by device") : none()),
    card("How it went", "wide", experience([["Country", countries, country], ["Device", devices, (value) => value || "Unknown"]])),
    card("Errors", "", total.errors.length > 0 ? errors(total) : h("p", { class: "soft none" }, "No errors.")),
    card(
      "Coming in",
      "",
      ingestTimes.length > 0
        ? lines("Coming in", ingestTimes, [line("Bit rate", "--good", ingest.map(({ bitrate }) => bitrate || null), true)], bits)
        : none(),
      ingest.length > 0 ? h("p", { class: "soft" }, `${ingest.reduce((sum, { lateParts }) => sum + lateParts, 0)} late parts; slowest 1 % of writes ${ms(Math.max(...ingest.map(({ putP99 }) => putP99)))}`) : undefined,
    ),
  ];
}

function tile(name: string, value: string, more: string): HTMLElement {
  return h("div", { class: "card" }, h("dt", {}, name), h("dd", {}, value), h("dd", { class: "more" }, more));
}

function card(title: string, size: string, ...content: (HTMLElement | undefined)[]): HTMLElement {
  return h("section", { class: `card ${size}` }, h("h2", {}, title), ...content);
}

function none(): HTMLElement {
  return h("p", { class: "soft none" }, "No data yet.");
}

/** Who had it well and who did not: the largest values of each dimension. */
function experience(kinds: [string, Share[], (value: string) => string][]): HTMLElement {
  const head = ["", "Viewers", "Plays", "Half start in", "95 % in", "Rebuffering"];
  const cells = ({ uniques, plays, startup, rebufferPpm }: Share): string[] => [count(uniques), count(plays), startup ? ms(startup.p50) : "–", startup ? ms(startup.p95) : "–", percent(rebufferPpm)];
  const rows = kinds.flatMap(([kind, all, name]) => all.slice(0, 5).map((share) => h("tr", {}, h("th", { scope: "row" }, name(share.value), h("small", {}, kind)), ...cells(share).map((cell) => h("td", { class: "number" }, cell)))));
  if (rows.length === 0) return none();
  // Wider than a phone: it scrolls by itself, and by the keyboard.
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "How it went, by country and device" },
    h("table", { class: "values" }, h("thead", {}, h("tr", {}, ...head.map((name, at) => h("th", { scope: "col", class: at > 0 ? "number" : undefined }, name || h("span", { class: "hidden" }, "Where"))))), h("tbody", {}, ...rows)),
  );
}

/** Where half and the tails of a distribution lie. */
function marks(of: Quantiles | undefined): HTMLElement | undefined {
  if (!of) return undefined;
  const all: [string, number][] = [["Half within", of.p50], ["90 %", of.p90], ["95 %", of.p95], ["99 %", of.p99]];
  return h("dl", { class: "marks" }, ...all.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, ms(value)))));
}

function errors({ errors }: Figures): HTMLElement {
  const rows = errors.slice(0, 10).map(({ code, count: times }) => h("tr", {}, h("td", {}, h("code", {}, code)), h("td", { class: "number" }, count(times))));
  return h("table", {}, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Code"), h("th", { scope: "col", class: "number" }, "Times"))), h("tbody", {}, ...rows));
}
