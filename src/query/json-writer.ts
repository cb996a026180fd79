// Hot path of queries: writes JSON straight into bytes. Most of an answer is short ASCII strings, times and integers, each of which is a loop over
// bytes here; anything else goes through JSON.stringify. Measured at 6 times the speed of building objects and stringifying them.

const dayMs = 86_400_000;
/** Days whose `2026-11-21T` is kept; a power of two. */
const daysKept = 128;
const dayLength = 11;
/** Buffers up to this size are kept for the next answer. */
const keptBytesMax = 1024 * 1024;

const isoLength = 26;
const encoder = new TextEncoder();

export class JsonWriter {
  private buffer = Buffer.allocUnsafeSlow(16 * 1024);
  private at = 0;
  private readonly days = new Int32Array(daysKept).fill(-0x80000000);
  private readonly dayTexts = new Uint8Array(daysKept * dayLength);

  /** What was written, and starts anew. */
  finish(): Uint8Array {
    const written = new Uint8Array(this.at);
    written.set(this.buffer.subarray(0, this.at));
    this.at = 0;
    if (this.buffer.length > keptBytesMax) this.buffer = Buffer.allocUnsafeSlow(16 * 1024);
    return written;
  }

  /** Forgets what was written, for example when writing it failed. */
  reset(): void {
    this.at = 0;
  }

  /** Bytes made ready by `jsonBytes`. */
  put(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    const { buffer, at } = this;
    for (let i = 0; i < bytes.length; i++) buffer[at + i] = bytes[i]!;
    this.at = at + bytes.length;
  }

  /** One ASCII character by its code. */
  char(code: number): void {
    this.reserve(1);
    this.buffer[this.at++] = code;
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

  /** JSON that is text already. */
  raw(json: string): void {
    this.reserve(json.length * 3);
    this.at += this.buffer.write(json, this.at);
  }

  number(value: number): void {
    if (value < 0 || value > 0x7fffffff || (value | 0) !== value) return this.raw(JSON.stringify(value));
    this.reserve(10);
    let digits = 1;
    for (let rest = value; rest >= 10; rest = (rest / 10) | 0) digits++;
    const { buffer } = this;
    let at = (this.at += digits);
    let rest = value | 0;
    do {
      const tens = (rest / 10) | 0;
      buffer[--at] = 48 + rest - tens * 10;
      rest = tens;
    } while (rest > 0);
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
    const { buffer, at, dayTexts } = this;
    buffer[at] = 0x22;
    for (let i = 0; i < dayLength; i++) buffer[at + 1 + i] = dayTexts[from + i]!;
    const rest = (ms - day * dayMs) | 0;
    const seconds = (rest / 1_000) | 0;
    const minutes = (seconds / 60) | 0;
    const hours = (minutes / 60) | 0;
    twoDigits(buffer, at + 12, hours);
    buffer[at + 14] = 0x3a;
    twoDigits(buffer, at + 15, minutes - hours * 60);
    buffer[at + 17] = 0x3a;
    twoDigits(buffer, at + 18, seconds - minutes * 60);
    buffer[at + 20] = 0x2e;
    const thousandths = rest - seconds * 1_000;
    const hundredths = (thousandths / 10) | 0;
    twoDigits(buffer, at + 21, hundredths);
    buffer[at + 23] = 48 + thousandths - hundredths * 10;
    buffer[at + 24] = 0x5a;
    buffer[at + 25] = 0x22;
    this.at = at + isoLength;
  }

  private oddTime(ms: number): void {
    const date = new Date(ms);
    this.raw(Number.isNaN(date.getTime()) ? JSON.stringify(String(ms)) : JSON.stringify(date));
  }

  /** Where the day's text begins in `dayTexts`. */
  private dayText(day: number): number {
    const slot = day & (daysKept - 1);
    if (this.days[slot] !== day) {
      this.days[slot] = day;
      encoder.encodeInto(
        new Date(day * dayMs).toISOString().slice(0, dayLength),
        this.dayTexts.subarray(slot * dayLength),
      );
    }
    return slot * dayLength;
  }

  private reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.at));
    this.buffer = larger;
  }
}

function twoDigits(buffer: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0;
  buffer[at] = 48 + tens;
  buffer[at + 1] = 48 + value - tens * 10;
}

/** Text that is written again and again, as bytes for `put`. */
export function jsonBytes(text: string): Uint8Array {
  return encoder.encode(text);
}
