const DAY_MS = 86_400_000;

/** A moment as people say it: the time alone for today. */
export function date(at: Date): string {
  const isToday = at.toDateString() === new Date().toDateString();
  return at.toLocaleString(undefined, isToday ? { hour: "2-digit", minute: "2-digit" } : { dateStyle: "full", timeStyle: "short" });
}

/** The cells of a countdown: values with their units. */
export function countdown(ms: number): [string, string][] {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const cell = (value: number, unit: string): [string, string] => [String(value).padStart(2, "0"), unit];
  const cells = [cell(Math.floor(seconds / 3600) % 24, "hours"), cell(Math.floor(seconds / 60) % 60, "minutes"), cell(seconds % 60, "seconds")];
  const days = Math.floor((seconds * 1000) / DAY_MS);
  return days > 0 ? [cell(days, days === 1 ? "day" : "days"), ...cells] : cells;
}
