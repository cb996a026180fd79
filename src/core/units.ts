// Durations and sizes as people write them ("30d", "512MB"), to and from plain numbers.
import { RdgError } from "./errors.ts";

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizeUnitsBytes: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 };

/** Milliseconds of a duration such as `250ms`, `1.5s`, `30d`. @throws RdgError invalid, `bad_duration` */
export function parseDuration(text: string, place?: string): number {
  const match = /^(?<amount>\d{1,12}(?:\.\d{1,6})?)(?<unit>ms|s|m|h|d)$/.exec(text);
  if (!match?.groups) {
    throw new RdgError("invalid", "bad_duration", `"${text}" is not a duration.`, {
      place,
      hint: 'Write a number and a unit without a space: "250ms", "10s", "5m", "6h" or "30d".',
    });
  }
  return Math.round(Number(match.groups["amount"]) * durationUnitsMs[match.groups["unit"]!]!);
}

/** Bytes of a size such as `64MB` (decimal units) or `1048576`. @throws RdgError invalid, `bad_size` */
export function parseSize(text: string, place?: string): number {
  const match = /^(?<amount>\d{1,15}(?:\.\d{1,6})?)(?<unit>B|kB|MB|GB|TB)?$/.exec(text);
  if (!match?.groups) {
    throw new RdgError("invalid", "bad_size", `"${text}" is not a size.`, {
      place,
      hint: 'Write bytes, or a number and a unit without a space: "800kB", "64MB", "2GB".',
    });
  }
  return Math.round(Number(match.groups["amount"]) * sizeUnitsBytes[match.groups["unit"] ?? "B"]!);
}

/** The duration in its two largest units: `1d 4h`, `2m 5s`, `350ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`;
  const parts: string[] = [];
  let rest = Math.round(durationMs / 1000) * 1000;
  for (const unit of ["d", "h", "m", "s"]) {
    const amount = Math.floor(rest / durationUnitsMs[unit]!);
    rest -= amount * durationUnitsMs[unit]!;
    if (amount > 0) parts.push(`${amount}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join(" ");
}

/** The size in decimal units with three digits: `1.53GB`, `64MB`, `12B`. */
export function formatSize(sizeBytes: number): string {
  for (const unit of ["TB", "GB", "MB", "kB"]) {
    const factor = sizeUnitsBytes[unit]!;
    if (sizeBytes >= factor) return `${Number((sizeBytes / factor).toPrecision(3))}${unit}`;
  }
  return `${Math.round(sizeBytes)}B`;
}
