// Hot path: reads Avro and compares text in place. Generated code calls these with ranges of buffers; nothing here allocates, save int64 beyond 2^53.
import { itemsMax, timestampMaxMs } from "../../../model/avro/json-values.ts";

/** Second results: functions return the next position, or -1 when the bytes are malformed, and leave the value here. */
export const cursor = {
  value: 0,
  /** Byte length of an array or map block, -1 when the writer did not say it. */
  size: -1,
  /** A number that is no small integer; NaN makes the engine keep it unboxed. */
  timeMs: Number.NaN,
};

/** A varint of at most 64 bits, not decoded. */
export function skipInt64(bytes: Uint8Array, start: number, end: number): number {
  let position = start;
  for (let i = 0; i < 9; i++) {
    if (position >= end) return -1;
    if (bytes[position++]! < 128) return position;
  }
  return position < end && bytes[position]! <= 1 ? position + 1 : -1;
}

/** A zigzag varint as a number: exact while it is a safe integer. The bytes are known to be good. */
export function numberAt(bytes: Uint8Array, start: number): number {
  let position = start;
  let byte = bytes[position++]!;
  const negative = (byte & 1) === 1;
  let magnitude = (byte & 127) >>> 1;
  let scale = 64;
  while (byte > 127) {
    byte = bytes[position++]!;
    magnitude += (byte & 127) * scale;
    scale *= 128;
  }
  return negative ? -magnitude - 1 : magnitude;
}

/** A zigzag varint as canonical int64: a number while it is safe, a bigint beyond. The bytes are known to be good. */
export function int64At(bytes: Uint8Array, start: number): number | bigint {
  const value = numberAt(bytes, start);
  return Number.isSafeInteger(value) ? value : bigintAt(bytes, start);
}

function bigintAt(bytes: Uint8Array, start: number): bigint {
  let position = start;
  let shift = 0n;
  let raw = 0n;
  for (;;) {
    const byte = bytes[position++]!;
    raw |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte < 128) return (raw >> 1n) ^ -(raw & 1n);
  }
}

/** Lengths, a union's branch, an enum's symbol: a zigzag varint from 0 to `most`, into `cursor.value`. */
export function smallAt(bytes: Uint8Array, start: number, end: number, most: number): number {
  const after = skipInt64(bytes, start, end);
  if (after < 0) return -1;
  const value = numberAt(bytes, start);
  if (value < 0 || value > most) return -1;
  cursor.value = value;
  return after;
}

export function skipInt32(bytes: Uint8Array, start: number, end: number): number {
  if (start < end && bytes[start]! < 128) return start + 1;
  const after = skipInt64(bytes, start, end);
  if (after < 0) return -1;
  const value = numberAt(bytes, start);
  return value >= -0x80000000 && value <= 0x7fffffff ? after : -1;
}

/** A timestamp, into `cursor.timeMs`. */
export function timestampAt(bytes: Uint8Array, start: number, end: number): number {
  const after = skipInt64(bytes, start, end);
  if (after < 0) return -1;
  const value = numberAt(bytes, start);
  if (value < -timestampMaxMs || value > timestampMaxMs) return -1;
  cursor.timeMs = value;
  return after;
}

/** The head of a block of an array or map: items into `cursor.value`, bytes into `cursor.size`. */
export function blockAt(bytes: Uint8Array, start: number, end: number): number {
  const after = skipInt64(bytes, start, end);
  if (after < 0) return -1;
  const count = numberAt(bytes, start);
  if (count > itemsMax || count < -itemsMax) return -1;
  cursor.size = -1;
  if (count >= 0) {
    cursor.value = count;
    return after;
  }
  const items = smallAt(bytes, after, end, 0x7fffffff);
  if (items < 0) return -1;
  cursor.size = cursor.value;
  cursor.value = -count;
  return items;
}

const doubleBytes = new Uint8Array(8);
const doubleView = new DataView(doubleBytes.buffer);

export function doubleAt(bytes: Uint8Array, start: number): number {
  for (let i = 0; i < 8; i++) doubleBytes[i] = bytes[start + i]!;
  return doubleView.getFloat64(0, true) + 0; // -0 becomes 0
}

/** Whether the range is well-formed UTF-8. */
export function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i]! > 127) return isWideText(bytes, i, end);
  return true;
}

function isWideText(bytes: Uint8Array, start: number, end: number): boolean {
  let i = start;
  while (i < end) {
    const lead = bytes[i++]!;
    if (lead < 128) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (i + more > end) return false;
    const second = bytes[i]!;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    if (second < (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80)) return false;
    if (second > (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf)) return false;
    for (let k = 1; k < more; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return false;
    i += more;
  }
  return true;
}

export function equalBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = aStart, k = bStart; i < aEnd; i++, k++) if (a[i] !== b[k]) return false;
  return true;
}

/** Negative, 0 or positive: as unsigned bytes, which for UTF-8 is the order of code points. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < shared; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

export function startsWith(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = bEnd - bStart;
  return length <= aEnd - aStart && equalBytes(a, aStart, aStart + length, b, bStart, bEnd);
}

export function endsWith(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  const length = bEnd - bStart;
  return length <= aEnd - aStart && equalBytes(a, aEnd - length, aEnd, b, bStart, bEnd);
}

/** Where b first begins in a, -1 when nowhere. In UTF-8 a match of bytes is a match of code points. */
export function indexOf(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = bEnd - bStart;
  for (let i = aStart; i + length <= aEnd; i++) if (equalBytes(a, i, i + length, b, bStart, bEnd)) return i;
  return -1;
}

/** Code points in the range. */
export function textLength(bytes: Uint8Array, start: number, end: number): number {
  let length = 0;
  for (let i = start; i < end; i++) if ((bytes[i]! & 0xc0) !== 0x80) length++;
  return length;
}

/** The position behind `points` code points, at most `end`; a negative number of points counts as none. */
export function skipPoints(bytes: Uint8Array, start: number, end: number, points: number | bigint): number {
  let left = points;
  let i = start;
  while (i < end && left > 0) {
    i++;
    while (i < end && (bytes[i]! & 0xc0) === 0x80) i++;
    left--;
  }
  return i;
}
