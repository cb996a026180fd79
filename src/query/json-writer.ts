// Hot path of queries: writes JSON straight into bytes. Most of an answer is names, short ASCII strings, times and integers; anything else goes through
// JSON.stringify. Measured at 8 times the speed of building objects and stringifying them.
//
// Where bytes are at hand, eight of them are moved at a time, as a double: no valid UTF-8 reads as one of the doubles (NaNs) that change when they are moved, since a
// byte from 0xF0 on is never followed by 0x7F. Up to seven bytes too many are written, which what follows writes over: there always is room for them.

const dayMs = 86_400_000;
/** Days whose `"2026-11-21T` is kept; a power of two. */
const daysKept = 128;
/** Up to where the hours begin, the quote included. */
const dayLength = 12;
const dayDoubles = 2;
/** Answers are written one behind the other into pieces of this size: who keeps a small answer keeps one piece. A larger answer has a piece of its own. */
const pieceBytes = 128 * 1024;

const isoLength = 26;
const overshootBytes = 16;
const encoder = new TextEncoder();

/** Text that is written again and again, as it is moved. */
export interface JsonBytes {
  readonly length: number;
  readonly doubles: Float64Array;
}

export function jsonBytes(text: string): JsonBytes {
  const bytes = encoder.encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
  padded.set(bytes);
  return { length: bytes.length, doubles: new Float64Array(padded.buffer) };
}

const asciiOf = (text: string): number[] => Array.from(text, (character) => character.charCodeAt(0));
const wordOf = (text: string): number => asciiOf(text.padEnd(4)).reduceRight((word, code) => word * 256 + code, 0);
const padded = (number: number, digits: number): string => String(number).padStart(digits, "0");
/** Two digits, and with `:` and `.` behind; three digits with `Z` behind: what times are made of, as words. */
const pairs = Uint16Array.from({ length: 100 }, (_, i) => wordOf(padded(i, 2)) & 0xffff);
const pairsColon = Uint32Array.from({ length: 60 }, (_, i) => wordOf(`${padded(i, 2)}:`));
const pairsDot = Uint32Array.from({ length: 60 }, (_, i) => wordOf(`${padded(i, 2)}.`));
const thousandthsZ = Uint32Array.from({ length: 1_000 }, (_, i) => wordOf(`${padded(i, 3)}Z`));

/** 1 for ASCII that stands for itself in a string. */
const isPlain = Uint8Array.from({ length: 256 }, (_, code) =>
  code >= 0x20 && code <= 0x7e && code !== 0x22 && code !== 0x5c ? 1 : 0,
);

export class JsonWriter {
  private buffer = Buffer.allocUnsafeSlow(pieceBytes);
  private view = viewOf(this.buffer);
  /** Where the answer begins that is being written. */
  private start = 0;
  private at = 0;
  private readonly days = new Int32Array(daysKept).fill(-0x80000000);
  private readonly dayTexts = new Float64Array(daysKept * dayDoubles);

  /** What was written, and starts anew. */
  finish(): Uint8Array {
    const { start, at, buffer } = this;
    const written = new Uint8Array(buffer.buffer, start, at - start);
    this.start = this.at = at;
    if (buffer.length > pieceBytes) this.take(pieceBytes);
    return written;
  }

  /** Forgets what was written, for example when writing it failed. */
  reset(): void {
    this.at = this.start;
  }

  /** Bytes made ready by `jsonBytes`. */
  put({ length, doubles }: JsonBytes): void {
    this.reserve(length);
    const { view, at } = this;
    for (let i = 0; i < doubles.length; i++) view.setFloat64(at + i * 8, doubles[i]!, true);
    this.at = at + length;
  }

  /** One ASCII character by its code. */
  char(code: number): void {
    this.reserve(1);
    this.buffer[this.at++] = code;
  }

  /** Where the next byte goes, counted from where the answer begins; for `again`. */
  get place(): number {
    return this.at - this.start;
  }

  /** Writes what stands at a place of this answer once more. */
  again(place: number, length: number): void {
    this.reserve(length);
    const { view, at } = this;
    const from = this.start + place;
    for (let i = 0; i < length; i += 8) view.setFloat64(at + i, view.getFloat64(from + i, true), true);
    this.at = at + length;
  }

  /** A string in quotes. */
  text(value: string): void {
    const { length } = value;
    this.reserve(length + 2);
    const { buffer, at } = this;
    buffer[at] = 0x22;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return this.raw(JSON.stringify(value));
      buffer[at + 1 + i] = code;
    }
    buffer[at + 1 + length] = 0x22;
    this.at = at + length + 2;
  }

  /** A string in quotes, from its UTF-8 in `bytes[start, end)`. */
  utf8(bytes: Buffer, start: number, end: number): void {
    this.reserve(end - start + 2);
    const { buffer } = this;
    let to = this.at;
    buffer[to++] = 0x22;
    for (let i = start; i < end; i++) {
      const code = bytes[i]!;
      buffer[to++] = code;
      if (isPlain[code] === 1) continue;
      const further = furtherBytes(bytes, i, end);
      // A quote, a control character, or no UTF-8: who knows all of that says how it is written.
      if (further === 0) return this.raw(JSON.stringify(bytes.toString("utf8", start, end)));
      for (let left = further; left > 0; left--) buffer[to++] = bytes[++i]!;
    }
    buffer[to] = 0x22;
    this.at = to + 1;
  }

  /** JSON that is text already. */
  raw(json: string): void {
    this.reserve(json.length * 3);
    this.at += this.buffer.write(json, this.at);
  }

  number(value: number): void {
    if (value < 0 || value > 0x7fffffff || (value | 0) !== value) return this.raw(JSON.stringify(value));
    this.reserve(10);
    this.digits(value | 0);
  }

  /** An int64, as decimal digits in quotes. */
  int64(value: number | bigint): void {
    this.char(0x22);
    if (typeof value === "number") this.number(value);
    else this.raw(value.toString());
    this.char(0x22);
  }

  /** A time as ISO 8601 in quotes; a moment that a Date cannot express as its milliseconds. */
  time(ms: number): void {
    // Years 0 to 9999: others have another form, which Date knows.
    if (!(ms >= -62_167_219_200_000 && ms < 253_402_300_800_000)) return this.oddTime(ms);
    this.reserve(isoLength);
    const day = Math.floor(ms / dayMs);
    const from = this.dayText(day);
    const { view, at, dayTexts } = this;
    view.setFloat64(at, dayTexts[from]!, true);
    view.setFloat64(at + 8, dayTexts[from + 1]!, true);
    const rest = (ms - day * dayMs) | 0;
    const seconds = (rest / 1_000) | 0;
    const minutes = (seconds / 60) | 0;
    const hours = (minutes / 60) | 0;
    view.setUint32(at + dayLength, pairsColon[hours]!, true);
    view.setUint32(at + dayLength + 3, pairsColon[minutes - hours * 60]!, true);
    view.setUint32(at + dayLength + 6, pairsDot[seconds - minutes * 60]!, true);
    view.setUint32(at + dayLength + 9, thousandthsZ[rest - seconds * 1_000]!, true);
    view.setUint8(at + isoLength - 1, 0x22);
    this.at = at + isoLength;
  }

  private oddTime(ms: number): void {
    const date = new Date(ms);
    this.raw(Number.isNaN(date.getTime()) ? JSON.stringify(String(ms)) : JSON.stringify(date));
  }

  /** Writes a number from 0 to 2^31 - 1, for which there is room. */
  private digits(value: number): void {
    let count = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) count++;
    const { view } = this;
    let at = (this.at += count);
    let rest = value;
    while (rest >= 100) {
      const hundreds = (rest / 100) | 0;
      at -= 2;
      view.setUint16(at, pairs[rest - hundreds * 100]!, true);
      rest = hundreds;
    }
    if (rest >= 10) view.setUint16(at - 2, pairs[rest]!, true);
    else view.setUint8(at - 1, 0x30 + rest);
  }

  /** Where the day's text begins in `dayTexts`. */
  private dayText(day: number): number {
    const slot = day & (daysKept - 1);
    if (this.days[slot] !== day) {
      this.days[slot] = day;
      const text = `"${new Date(day * dayMs).toISOString().slice(0, dayLength - 1)}`;
      this.dayTexts.set(jsonBytes(text).doubles, slot * dayDoubles);
    }
    return slot * dayDoubles;
  }

  private reserve(more: number): void {
    const needed = this.at + more + overshootBytes;
    if (needed > this.buffer.length) this.grow(needed);
  }

  private grow(needed: number): void {
    const { buffer, start, at } = this;
    this.take(Math.max(pieceBytes, (needed - start) * 2));
    this.buffer.set(buffer.subarray(start, at));
    this.at = at - start;
  }

  private take(sizeBytes: number): void {
    this.buffer = Buffer.allocUnsafeSlow(sizeBytes);
    this.view = viewOf(this.buffer);
    this.start = this.at = 0;
  }
}

function viewOf({ buffer }: Buffer): DataView {
  return new DataView(buffer);
}

/** How many bytes behind the one at `i` belong to the same character beyond ASCII; 0 where it is none. */
function furtherBytes(bytes: Buffer, i: number, end: number): number {
  const first = bytes[i]!;
  if (first < 0xc2 || first > 0xf4) return 0;
  const further = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  if (i + further >= end) return 0;
  const second = bytes[i + 1]!;
  // Not longer than need be, no surrogates, nothing beyond the last character.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let at = 2; at <= further; at++) if ((bytes[i + at]! & 0xc0) !== 0x80) return 0;
  return further;
}
