// Moments in requests: ISO 8601 with a zone (or a date, meaning its midnight UTC), or an age such as `30d`, counted back from now.

const iso =
  /^(?<date>\d{4}-\d{2}-\d{2})(?:T(?<hour>\d{2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
const age = /^(\d{1,12})(ms|s|m|h|d)$/;
const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const momentForms =
  "ISO 8601 with a zone (2026-01-31T08:00:00Z), a date (2026-01-31), or an age (15m, 24h, 30d)";

/** Milliseconds since the epoch, or undefined when the text is none of the forms. */
export function parseMoment(text: string, nowMs: number): number | undefined {
  const aged = age.exec(text);
  if (aged) {
    const moment = nowMs - Number(aged[1]) * unitMs[aged[2] as keyof typeof unitMs];
    return Number.isSafeInteger(moment) ? moment : undefined;
  }
  const groups = iso.exec(text)?.groups;
  if (!groups) return undefined;
  const midnight = Date.parse(`${groups.date}T00:00:00Z`);
  // Date.parse carries the 30th of February over to March; a day that does not exist is a mistake.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== groups.date) return undefined;
  const moment = Date.parse(groups.hour !== undefined && groups.second === undefined ? withSeconds(text) : text);
  return Number.isNaN(moment) ? undefined : moment;
}

function withSeconds(text: string): string {
  return `${text.slice(0, 16)}:00${text.slice(16)}`;
}
