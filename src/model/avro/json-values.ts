// How single values are written in JSON, and how large they may be: one place for the validator, the encoder and the builders' literals.
// Runs in browsers too: nothing of Node is used.

/** UTF-8 bytes of a string, bytes of a byte string. */
export const textBytesMax = 1_048_576;
/** Items of an array, entries of a map. */
export const itemsMax = 10_000;
/** UTF-8 bytes of a key and of an id; the least is 1. */
export const keyBytesMax = 1024;
/** Levels of arrays, maps and records within each other; checked when a type is declared. */
export const nestingMax = 16;

export const int32Min = -2_147_483_648;
export const int32Max = 2_147_483_647;
export const int64Min = -(2n ** 63n);
export const int64Max = 2n ** 63n - 1n;
/** The range of JavaScript's Date. */
export const timestampMaxMs = 8_640_000_000_000_000;

const int64Pattern = /^(?:0|-?[1-9][0-9]{0,18})$/;

/** The int64 that a decimal text states: a number when it is a safe integer, else a bigint; undefined when the text is not one. */
export function parseInt64(text: string): number | bigint | undefined {
  if (!int64Pattern.test(text)) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  const exact = BigInt(text);
  return exact >= int64Min && exact <= int64Max ? exact : undefined;
}

/** A number when it is a safe integer, else the bigint. */
export function canonicalInt64(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const timestampPattern = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/**
 * Milliseconds since the epoch of `YYYY-MM-DDTHH:MM:SS[.fraction](Z | +HH:MM | -HH:MM)`; undefined when the text is none. The fraction has 1 to 9 digits, of which
 * those behind the third are cut off. The date must exist; 24:00 and leap seconds do not; an offset is at most 23:59.
 */
export function parseTimestamp(text: string): number | undefined {
  const parts = timestampPattern.exec(text);
  if (parts === null) return undefined;
  const [year, month, day] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const [hour, minute, second] = [Number(parts[4]), Number(parts[5]), Number(parts[6])];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const fractionMs = parts[7] === undefined ? 0 : Number(parts[7].slice(0, 3).padEnd(3, "0"));
  const [offsetHour, offsetMinute] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  if (offsetHour > 23 || offsetMinute > 59) return undefined;
  const offsetMs = (offsetHour * 60 + offsetMinute) * 60_000 * (parts[8] === "-" ? -1 : 1);
  const timeMs = ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs;
  return daysSinceEpoch(year, month, day) * 86_400_000 + timeMs - offsetMs;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days from 1970-01-01 to a date of the proleptic Gregorian calendar, years from 0 (Howard Hinnant's days_from_civil). */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Length in UTF-8 of a well-formed string. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate counts 2: a pair is 4 bytes.
    if (unit >= 0x80) bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const base64Values = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) base64Values[base64Alphabet.charCodeAt(i)] = i;

/**
 * The bytes of a base64 text (RFC 4648, section 4: `+` and `/`, padded, no blanks, unused bits zero, so that bytes have one text only); undefined when it is none.
 */
export function parseBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const digits = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let held = 0;
  let length = 0;
  for (let i = 0; i < digits; i++) {
    const unit = text.charCodeAt(i);
    const value = unit < 128 ? base64Values[unit]! : -1;
    if (value < 0) return undefined;
    held = ((held << 6) | value) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = held >>> bits;
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}

export function formatBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const [a, b, c] = [bytes[i]!, bytes[i + 1], bytes[i + 2]];
    text += base64Alphabet[a >>> 2]! + base64Alphabet[((a & 3) << 4) | ((b ?? 0) >>> 4)]!;
    text += b === undefined ? "=" : base64Alphabet[((b & 15) << 2) | ((c ?? 0) >>> 6)]!;
    text += c === undefined ? "=" : base64Alphabet[c & 63]!;
  }
  return text;
}
