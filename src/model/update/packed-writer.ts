// Writes the column kinds of the packed update batch (codec.ts states the format) into one growing, reused buffer. Hot path: per column, never per value.
import { ByteDictionary } from "../../core/byte-dictionary.ts";
import type { BytesColumn } from "./batch.ts";

const sizeKeptMax = 32 * 1024 * 1024;
/** A dictionary of byte values is tried for values up to this length, and kept while it is small and values repeat. */
export const dictionaryValueBytesMax = 64;
const dictionaryEntriesMax = 4096;
const dictionarySample = 64;

export class PackedWriter {
  #buffer = new ArrayBuffer(64 * 1024);
  #bytes = new Uint8Array(this.#buffer);
  #view = new DataView(this.#buffer);
  #dictionary = new ByteDictionary();
  #integers = new Uint32Array(1024);
  at = 0;

  /** A copy of what was written, with `length` patched into the u32 at `lengthAt`; the writer starts afresh. */
  finish(lengthAt: number): Uint8Array {
    this.#view.setUint32(lengthAt, this.at, true);
    const written = this.#bytes.slice(0, this.at);
    this.at = 0;
    if (this.#buffer.byteLength > sizeKeptMax) this.#allocate(64 * 1024);
    return written;
  }

  #allocate(size: number): void {
    this.#buffer = new ArrayBuffer(size);
    this.#bytes = new Uint8Array(this.#buffer);
    this.#view = new DataView(this.#buffer);
  }

  /** Makes room for `size` bytes and the padding after them. */
  #reserve(size: number): void {
    const needed = this.at + size + 8;
    if (needed <= this.#buffer.byteLength) return;
    const old = this.#bytes;
    this.#allocate(Math.max(needed, this.#buffer.byteLength * 2));
    this.#bytes.set(old.subarray(0, this.at));
  }

  /** Moves on by `size` and to the next multiple of 8; the padding is zero. */
  #advance(size: number): void {
    this.at += size;
    while (this.at % 8 !== 0) this.#bytes[this.at++] = 0;
  }

  /** Eight bytes: u16, u8, u8, u32. */
  head(a: number, b: number, c: number, d: number): void {
    this.#reserve(8);
    this.#view.setUint16(this.at, a, true);
    this.#view.setUint8(this.at + 2, b);
    this.#view.setUint8(this.at + 3, c);
    this.#view.setUint32(this.at + 4, d, true);
    this.at += 8;
  }

  patch8(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** Eight bytes: u32, u32. */
  pair(a: number, b: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.at, a, true);
    this.#view.setUint32(this.at + 4, b, true);
    this.at += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.at);
    this.#advance(bytes.length);
  }

  /** A bit per row: 1 where the state is at least `least`. */
  bitmap(states: Uint8Array, least: number, count: number): void {
    const size = (count + 7) >>> 3;
    this.#reserve(size);
    const bytes = this.#bytes;
    const to = this.at;
    bytes.fill(0, to, to + size);
    for (let i = 0; i < count; i++) if (states[i]! >= least) bytes[to + (i >>> 3)]! |= 1 << (i & 7);
    this.#advance(size);
  }

  exact(values: BigInt64Array): void {
    this.raw(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  #columnHead(width: number, base: number): void {
    this.#reserve(16);
    this.head(0, width, base === 0 ? 0 : 1, 0);
    if (base === 0) return;
    this.#view.setFloat64(this.at, base, true);
    this.at += 8;
  }

  /** A number column: frame of reference for integers of a range below 2^32, else the doubles as they are. */
  numbers(values: Float64Array, count: number): void {
    if (count === 0) return;
    const first = values[0]!;
    let least = first;
    let greatest = first;
    let whole = true;
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
      if (Math.floor(value) !== value) whole = false;
    }
    const framed =
      whole &&
      least >= -Number.MAX_SAFE_INTEGER &&
      greatest <= Number.MAX_SAFE_INTEGER &&
      greatest - least < 4294967296;
    if (!framed) return this.#doubles(values, count);
    this.#framed(values, count, least, greatest - least);
  }

  #doubles(values: Float64Array, count: number): void {
    this.#columnHead(8, 0);
    this.raw(new Uint8Array(values.buffer, values.byteOffset, count * 8));
  }

  /** As `numbers`, of unsigned integers. */
  integers(values: Uint32Array, count: number): void {
    if (count === 0) return;
    let least = values[0]!;
    let greatest = least;
    for (let i = 0; i < count; i++) {
      const value = values[i]!;
      if (value < least) least = value;
      else if (value > greatest) greatest = value;
    }
    this.#framed(values, count, least, greatest - least);
  }

  #framed(values: Float64Array | Uint32Array, count: number, base: number, range: number): void {
    const width = range === 0 ? 0 : range < 256 ? 1 : range < 65536 ? 2 : 4;
    this.#columnHead(width, base);
    if (width === 0) return;
    this.#reserve(count * width);
    const to = width === 1 ? this.#bytes : width === 2 ? new Uint16Array(this.#buffer) : new Uint32Array(this.#buffer);
    if (values instanceof Float64Array) subtractDoubles(to, this.at / width, values, count, base);
    else subtractIntegers(to, this.at / width, values, count, base);
    this.#advance(count * width);
  }

  /** Lengths and bytes of all values. */
  plainBytes(column: BytesColumn, count: number): void {
    const lengths = this.#scratch(count);
    const { starts } = column;
    for (let i = 0; i < count; i++) lengths[i] = starts[i + 1]! - starts[i]!;
    this.integers(lengths, count);
    this.raw(column.bytes.subarray(starts[0], starts[count]));
  }

  /** Distinct values and their numbers; false, with nothing written, when the values are too many or too long for that. */
  dictionaryBytes(column: BytesColumn, count: number): boolean {
    if (count < dictionarySample) return false;
    const dictionary = this.#dictionary;
    dictionary.reset();
    const numbers = this.#scratch(count);
    if (!fillDictionary(dictionary, numbers, column, count)) return false;
    const entries = dictionary.count;
    this.pair(entries, 0);
    const lengths = new Uint32Array(entries);
    for (let i = 0; i < entries; i++) lengths[i] = dictionary.starts[i + 1]! - dictionary.starts[i]!;
    this.integers(lengths, entries);
    this.raw(dictionary.bytes.subarray(0, dictionary.starts[entries]));
    this.integers(numbers, count);
    return true;
  }

  #scratch(count: number): Uint32Array {
    if (this.#integers.length < count) this.#integers = new Uint32Array(count * 2);
    return this.#integers;
  }
}

function fillDictionary(dictionary: ByteDictionary, numbers: Uint32Array, column: BytesColumn, count: number): boolean {
  const { bytes, starts } = column;
  const entriesMax = Math.min(dictionaryEntriesMax, count >>> 2);
  for (let i = 0; i < count; i++) {
    const start = starts[i]!;
    const end = starts[i + 1]!;
    if (end - start > dictionaryValueBytesMax) return false;
    numbers[i] = dictionary.intern(bytes, start, end);
    if (dictionary.count > entriesMax || (i === dictionarySample && dictionary.count > dictionarySample / 2))
      return false;
  }
  return true;
}

type Narrow = Uint8Array | Uint16Array | Uint32Array;

function subtractDoubles(to: Narrow, at: number, values: Float64Array, count: number, base: number): void {
  if (to instanceof Uint8Array) for (let i = 0; i < count; i++) to[at + i] = values[i]! - base;
  else if (to instanceof Uint16Array) for (let i = 0; i < count; i++) to[at + i] = values[i]! - base;
  else for (let i = 0; i < count; i++) to[at + i] = values[i]! - base;
}

function subtractIntegers(to: Narrow, at: number, values: Uint32Array, count: number, base: number): void {
  if (to instanceof Uint8Array) for (let i = 0; i < count; i++) to[at + i] = values[i]! - base;
  else if (to instanceof Uint16Array) for (let i = 0; i < count; i++) to[at + i] = values[i]! - base;
  else for (let i = 0; i < count; i++) to[at + i] = values[i]! - base;
}
