// Moments in requests: ISO 8601 with a zone (or a date, meaning its midnight UTC), or an age such as `30d`, counted back from now.
import { parseTimestamp } from "../model/avro/json-values.ts";

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
  return parseTimestamp(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
}
