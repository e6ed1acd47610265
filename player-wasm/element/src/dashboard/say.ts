// Figures as people read them.

const whole = new Intl.NumberFormat();
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

export const count = (value: number): string => (value < 100_000 ? whole.format(Math.round(value)) : short.format(value));
export const percent = (ppm: number): string => `${(ppm / 10_000).toLocaleString(undefined, { maximumFractionDigits: ppm < 10_000 ? 2 : 1 })} %`;
export const ms = (value: number): string =>
  value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toLocaleString(undefined, { maximumFractionDigits: 2 })} s`;
export const bits = (bps: number): string =>
  bps >= 1e6 ? `${(bps / 1e6).toLocaleString(undefined, { maximumFractionDigits: bps >= 1e7 ? 0 : 1 })} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;
export const date = (at: Date): string => at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

export function span(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 360_000) return `${(seconds / 3600).toLocaleString(undefined, { maximumFractionDigits: 1 })} h`;
  return `${count(seconds / 3600)} h`;
}

const regions = new Intl.DisplayNames(undefined, { type: "region" });

/** The name of a country by its code. */
export function country(code: string): string {
  if (!/^[A-Z]{2}$/.test(code)) return code === "other" ? "Others" : code || "Unknown";
  return regions.of(code) ?? code;
}
