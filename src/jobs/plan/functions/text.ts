// The reference meaning of the functions on text: code points, UTF-8 order, no locale.
import { createHash } from "node:crypto";
import type { PropertyValue } from "../../../model/filter.ts";
import type { Int64 } from "../../../model/update/sink.ts";

export function codePoints(text: string): string[] {
  return Array.from(text);
}

/** Negative starts and lengths count as 0. */
export function substring(text: string, start: Int64, length?: Int64): string {
  const points = codePoints(text);
  const from = Math.max(0, Number(start));
  const to = length === undefined ? points.length : from + Math.max(0, Number(length));
  return points.slice(from, to).join("");
}

/** "" has no pieces. */
export function split(text: string, separator: string): string[] {
  return text === "" ? [] : text.split(separator);
}

export function hash(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** Negative, 0 or positive; strings by their UTF-8 bytes. */
export function compareText(x: PropertyValue, y: PropertyValue): number {
  return Buffer.compare(utf8(x), utf8(y));
}

function utf8(value: PropertyValue): Uint8Array {
  return typeof value === "string" ? Buffer.from(value, "utf8") : (value as Uint8Array);
}
