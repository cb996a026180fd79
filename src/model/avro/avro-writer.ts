// Writes Avro's primitive values into one growing, reused buffer. Hot path: runs per record; allocates only when the buffer grows.
// Runs in browsers too: nothing of Node is used.
import { utf8Length } from "./json-values.ts";

const utf8 = new TextEncoder();
/** Texts up to this many units are written unit by unit while they are ASCII; longer ones are worth the call of the encoder. */
const shortText = 48;

export class AvroWriter {
  bytes: Uint8Array;
  length = 0;
  #view: DataView;

  constructor(capacity = 1024) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
  }

  reset(): void {
    this.length = 0;
  }

  /** A copy of what was written. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.bytes[this.length++] = value;
  }

  /** A safe integer, or a bigint of 64 bits, as zigzag varint (Avro's int and long). */
  long(value: number | bigint): void {
    this.#reserve(10);
    if (typeof value === "bigint") return this.#bigLong(value);
    if (value >= -0x4000_0000 && value < 0x4000_0000) {
      let rest = (value << 1) ^ (value >> 31);
      while (rest > 0x7f) {
        this.bytes[this.length++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.bytes[this.length++] = rest;
      return;
    }
    // Below 2^52 the zigzag form is exact in a double.
    if (value > 0xf_ffff_ffff_ffff || value < -0xf_ffff_ffff_ffff) return this.#bigLong(BigInt(value));
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    while (rest > 0x7f) {
      this.bytes[this.length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  #bigLong(value: bigint): void {
    const zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    let low = Number(zigzag & 0xfff_ffffn);
    let middle = Number((zigzag >> 28n) & 0xfff_ffffn);
    let high = Number(zigzag >> 56n);
    while (middle > 0 || high > 0 || low > 0x7f) {
      this.bytes[this.length++] = (low & 0x7f) | 0x80;
      low = (low >>> 7) | ((middle & 0x7f) << 21);
      middle = (middle >>> 7) | ((high & 0x7f) << 21);
      high >>>= 7;
    }
    this.bytes[this.length++] = low;
  }

  double(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  /** Bytes that are Avro already. */
  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  blob(value: Uint8Array): void {
    this.long(value.length);
    this.#reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** A well-formed text as UTF-8, behind its length. */
  text(value: string): void {
    if (value.length <= shortText && this.#shortAscii(value)) return;
    const size = utf8Length(value);
    this.long(size);
    this.#reserve(size);
    utf8.encodeInto(value, this.bytes.subarray(this.length));
    this.length += size;
  }

  #shortAscii(value: string): boolean {
    this.#reserve(shortText + 1);
    const start = this.length + 1;
    for (let i = 0; i < value.length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) return false;
      this.bytes[start + i] = unit;
    }
    this.bytes[this.length] = value.length << 1;
    this.length = start + value.length;
    return true;
  }

  #reserve(size: number): void {
    const needed = this.length + size;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
