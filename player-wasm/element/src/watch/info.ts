// What `/live/<stream>/info.json` says, as far as it is what it should be.

export interface Info {
  title: string;
  description: string;
  tags: string[];
  poster: string;
  scheduledStart: Date | undefined;
  live: boolean;
  since: Date | undefined;
}

export function readInfo(body: unknown): Info | undefined {
  if (typeof body !== "object" || body === null) return undefined;
  const fields = body as Record<string, unknown>;
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === "string" ? value : "";
  };
  const time = (name: string): Date | undefined => {
    const value = new Date(text(name));
    return Number.isNaN(value.getTime()) ? undefined : value;
  };
  const tags = Array.isArray(fields["tags"]) ? fields["tags"].filter((tag): tag is string => typeof tag === "string") : [];
  return {
    title: text("title"),
    description: text("description"),
    tags,
    poster: text("poster"),
    scheduledStart: time("scheduled_start"),
    live: fields["live"] === true,
    since: time("since"),
  };
}

/** An address of a picture that may stand in a style: http(s), with everything escaped that could end it. */
export function shownUrl(text: string): string | undefined {
  try {
    const url = new URL(text, location.href);
    return /^https?:$/.test(url.protocol) ? url.href.replace(/["'()\\\s]/g, encodeURIComponent) : undefined;
  } catch {
    return undefined;
  }
}
