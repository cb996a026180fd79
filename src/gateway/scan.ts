// Scanning of single JSON values as the generated transcoder does it. Hot path: allocates nothing per value but where a comment says so.
//
// Each function takes the position where the value begins and returns the position behind it, or -1 when the value is not of the plain form that it
// reads; then the whole record is read again by the slow path, which decides and words what is wrong. Positions behind the end of the bytes are harmless:
// what is read there is undefined and fits no form. The bytes are known to be UTF-8.
import { parseTimestamp } from "../model/avro/json-values.ts";

const powersOfTen = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** Behind blanks. `newline` is 10 where a record may span lines, else another blank. */
export function skipBlanks(b: Uint8Array, p: number, newline: number): number {
  for (;;) {
    const c = b[p]!;
    if (c !== 32 && c !== 9 && c !== 13 && c !== newline) return p;
    p++;
  }
}

/** The position of the quote that ends the text whose content begins at `p`; text with an escape is not plain. */
export function scanText(b: Uint8Array, p: number): number {
  let c = b[p]!;
  while (c >= 32 && c !== 34 && c !== 92) c = b[++p]!;
  return c === 34 ? p : -1;
}

export function scanNull(b: Uint8Array, p: number): number {
  return b[p] === 110 && b[p + 1] === 117 && b[p + 2] === 108 && b[p + 3] === 108 ? p + 4 : -1;
}

export function scanBoolean(b: Uint8Array, p: number, numbers: Float64Array, k: number): number {
  if (b[p] === 116 && b[p + 1] === 114 && b[p + 2] === 117 && b[p + 3] === 101) {
    numbers[k] = 1;
    return p + 4;
  }
  numbers[k] = 0;
  const isFalse = b[p] === 102 && b[p + 1] === 97 && b[p + 2] === 108 && b[p + 3] === 115 && b[p + 4] === 101;
  return isFalse ? p + 5 : -1;
}

/** An integer of at most 15 digits. */
function scanInteger(b: Uint8Array, p: number, numbers: Float64Array, k: number): number {
  const negative = b[p] === 45;
  if (negative) p++;
  const first = p;
  let value = 0;
  let c = b[p]!;
  while (c >= 48 && c <= 57) {
    value = value * 10 + (c - 48);
    c = b[++p]!;
  }
  const digits = p - first;
  if (digits === 0 || digits > 15 || (digits > 1 && b[first] === 48)) return -1;
  if (c === 46 || c === 101 || c === 69) return -1;
  numbers[k] = negative ? 0 - value : value;
  return p;
}

export function scanInt32(b: Uint8Array, p: number, numbers: Float64Array, k: number): number {
  const end = scanInteger(b, p, numbers, k);
  const value = numbers[k]!;
  return value >= -2_147_483_648 && value <= 2_147_483_647 ? end : -1;
}

/** An integer, or one as a decimal text. */
export function scanInt64(b: Uint8Array, p: number, numbers: Float64Array, k: number): number {
  if (b[p] !== 34) return scanInteger(b, p, numbers, k);
  // "-0" is no decimal text, though -0 is a number.
  if (b[p + 1] === 45 && b[p + 2] === 48) return -1;
  const end = scanInteger(b, p + 1, numbers, k);
  return end > 0 && b[end] === 34 ? end + 1 : -1;
}

/** Any finite number. Up to 15 digits without exponent are exact as one division; others cost a string. */
export function scanDouble(b: Buffer, p: number, numbers: Float64Array, k: number): number {
  const start = p;
  if (b[p] === 45) p++;
  const first = p;
  let mantissa = 0;
  let c = b[p]!;
  while (c >= 48 && c <= 57) {
    mantissa = mantissa * 10 + (c - 48);
    c = b[++p]!;
  }
  let digits = p - first;
  if (digits === 0 || (digits > 1 && b[first] === 48)) return -1;
  let fraction = 0;
  if (c === 46) {
    const point = p;
    c = b[++p]!;
    while (c >= 48 && c <= 57) {
      mantissa = mantissa * 10 + (c - 48);
      c = b[++p]!;
    }
    fraction = p - point - 1;
    if (fraction === 0) return -1;
    digits += fraction;
  }
  if (digits <= 15 && c !== 101 && c !== 69) {
    const value = mantissa / powersOfTen[fraction]!;
    numbers[k] = b[start] === 45 ? 0 - value : value;
    return p;
  }
  if (c === 101 || c === 69) {
    p = scanExponent(b, p + 1);
    if (p < 0) return -1;
  }
  if (p - start > 400) return -1;
  const value = Number(b.toString("latin1", start, p));
  numbers[k] = value === 0 ? 0 : value;
  return Number.isFinite(value) ? p : -1;
}

function scanExponent(b: Uint8Array, p: number): number {
  if (b[p] === 43 || b[p] === 45) p++;
  const first = p;
  while (b[p]! >= 48 && b[p]! <= 57) p++;
  return p > first ? p : -1;
}

/** The day that was read last, as the bytes `YYYY`, `-MM-`, `DDT`, and its milliseconds. */
export type DayCache = Float64Array;
export const createDayCache = (): DayCache => new Float64Array(4);

/** Milliseconds as an integer, or ISO 8601 text; a form other than `YYYY-MM-DDTHH:MM:SS[.mmm]Z`, or another day than last time, costs a string. */
export function scanTimestamp(b: Buffer, p: number, numbers: Float64Array, k: number, day: DayCache): number {
  if (b[p] !== 34) return scanInteger(b, p, numbers, k);
  const known =
    day[0] === ((b[p + 1]! << 24) | (b[p + 2]! << 16) | (b[p + 3]! << 8) | b[p + 4]!) &&
    day[1] === ((b[p + 5]! << 24) | (b[p + 6]! << 16) | (b[p + 7]! << 8) | b[p + 8]!) &&
    day[2] === ((b[p + 9]! << 16) | (b[p + 10]! << 8) | b[p + 11]!);
  if (!known) return scanOddTime(b, p, numbers, k, day);
  const h = b[p + 12]! - 48;
  const hh = b[p + 13]! - 48;
  const m = b[p + 15]! - 48;
  const mm = b[p + 16]! - 48;
  const s = b[p + 18]! - 48;
  const ss = b[p + 19]! - 48;
  // A digit and the digit plus 6 fit into four bits; nothing else does.
  const digits = h | hh | m | mm | s | ss | (h + 6) | (hh + 6) | (m + 6) | (mm + 6) | (s + 6) | (ss + 6);
  const hour = h * 10 + hh;
  const plain = (digits & ~15) === 0 && b[p + 14] === 58 && b[p + 17] === 58 && hour < 24 && m < 6 && s < 6;
  if (!plain) return scanOddTime(b, p, numbers, k, day);
  const timeMs = day[3]! + ((hour * 60 + m * 10 + mm) * 60 + s * 10 + ss) * 1000;
  if (b[p + 20] === 90 && b[p + 21] === 34) {
    numbers[k] = timeMs;
    return p + 22;
  }
  const x = b[p + 21]! - 48;
  const y = b[p + 22]! - 48;
  const z = b[p + 23]! - 48;
  const fraction = ((x | y | z | (x + 6) | (y + 6) | (z + 6)) & ~15) === 0;
  if (!fraction || b[p + 20] !== 46 || b[p + 24] !== 90 || b[p + 25] !== 34) return scanOddTime(b, p, numbers, k, day);
  numbers[k] = timeMs + x * 100 + y * 10 + z;
  return p + 26;
}

function scanOddTime(b: Buffer, p: number, numbers: Float64Array, k: number, day: DayCache): number {
  const end = scanText(b, p + 1);
  if (end < 0 || end - p > 40) return -1;
  const timeMs = parseTimestamp(b.toString("latin1", p + 1, end));
  if (timeMs === undefined) return -1;
  numbers[k] = timeMs;
  day[0] = (b[p + 1]! << 24) | (b[p + 2]! << 16) | (b[p + 3]! << 8) | b[p + 4]!;
  day[1] = (b[p + 5]! << 24) | (b[p + 6]! << 16) | (b[p + 7]! << 8) | b[p + 8]!;
  day[2] = (b[p + 9]! << 16) | (b[p + 10]! << 8) | b[p + 11]!;
  day[3] = parseTimestamp(`${b.toString("latin1", p + 1, p + 11)}T00:00:00Z`)!;
  return end + 1;
}
