// Reads the column kinds of the packed update batch (codec.ts states the format) into typed arrays. Hot path: per column, never per value.
//
// Trusts nothing: every length is checked against the bytes that are there before anything is allocated for it, and what a few bytes may stand for
// (columns of equal values, dictionaries) is charged to a bound on the decoded size.
import { RdgError } from "../../core/errors.ts";
import { type BytesColumn, stateAbsent, stateNull, stateValue } from "./batch.ts";
import type { ColumnMemory } from "./column-memory.ts";
import { dictionaryValueBytesMax } from "./packed-writer.ts";

export class PackedReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #memory: ColumnMemory | undefined;
  #at = 0;
  #allowance: number;

  /** `bytes` begin at a multiple of 8 of their buffer. Without `memory` every array has its own. */
  constructor(bytes: Uint8Array, decodedSizeBytesMax: number, memory: ColumnMemory | undefined) {
    this.#bytes = bytes;
    this.#memory = memory;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#allowance = decodedSizeBytesMax;
  }

  get at(): number {
    return this.#at;
  }
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  damaged(what: string): RdgError {
    return new RdgError("corrupt", "update_batch_damaged", `The packed update batch is damaged: ${what}.`, {
      place: `byte ${this.#at} of ${this.#bytes.length}`,
      hint: "Rebuild it from the events that it was made of, or restore the log from a copy.",
    });
  }

  /** Charges what is about to be allocated. */
  #charge(size: number): void {
    this.#allowance -= size;
    if (this.#allowance < 0) throw this.damaged("it stands for more data than a batch may hold");
  }

  /** Arrays of undefined content, to be written whole. */
  #newDoubles(count: number): Float64Array {
    return this.#memory === undefined ? new Float64Array(count) : this.#memory.doubles(count);
  }
  #newWords(count: number): Uint32Array {
    return this.#memory === undefined ? new Uint32Array(count) : this.#memory.words(count);
  }
  #newExact(count: number): BigInt64Array {
    return this.#memory === undefined ? new BigInt64Array(count) : this.#memory.integers64(count);
  }
  #newBytes(count: number): Uint8Array {
    return this.#memory === undefined ? new Uint8Array(count) : this.#memory.bytes(count);
  }

  /** The start of the next `size` bytes; moves behind them and their padding. */
  #take(size: number): number {
    const from = this.#at;
    if (size > this.#bytes.length - from) throw this.damaged(`${size} bytes are missing`);
    this.#at = Math.min(this.#bytes.length, from + size + ((8 - (size % 8)) % 8));
    return from;
  }

  uint8(offset: number): number {
    return this.#view.getUint8(offset);
  }
  uint16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }
  uint32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }
  /** Where the next `words` times eight bytes start. */
  head(words: number): number {
    return this.#take(words * 8);
  }

  /** Adds `state` to `states` where the bit is set, over `count` rows; returns how many bits are. */
  bitmap(states: Uint8Array, count: number, state: number): number {
    const from = this.#take((count + 7) >>> 3);
    const bytes = this.#bytes;
    let set = 0;
    for (let i = 0; i < count; i++) {
      if (((bytes[from + (i >>> 3)]! >>> (i & 7)) & 1) === 0) continue;
      states[i] = state;
      set++;
    }
    return set;
  }

  emptyStates(count: number): Uint8Array {
    this.#charge(count);
    return this.#newBytes(count).fill(stateAbsent);
  }

  /** States of an optional column: a bitmap of contributing rows (when not all) and one of nulls (when any). */
  states(count: number, someAbsent: boolean, someNull: boolean): Uint8Array | undefined {
    if (!someAbsent && !someNull) return undefined;
    const states = this.emptyStates(count);
    if (someAbsent) this.bitmap(states, count, stateValue);
    else states.fill(stateValue);
    if (!someNull) return states;
    const nulls = this.emptyStates(count);
    this.bitmap(nulls, count, 1);
    for (let i = 0; i < count; i++) {
      if (nulls[i] === 0) continue;
      if (states[i] === stateAbsent) throw this.damaged("a row is null and absent");
      states[i] = stateNull;
    }
    return states;
  }

  #columnHead(): { readonly width: number; readonly base: number } {
    const head = this.#take(8);
    const width = this.#view.getUint8(head + 2);
    const base = this.#view.getUint8(head + 3) === 0 ? 0 : this.#view.getFloat64(this.#take(8), true);
    if (width > 8 || (width !== 0 && (width & (width - 1)) !== 0))
      throw this.damaged(`a column is ${width} bytes wide`);
    return { width, base };
  }

  #doubles(from: number, count: number): Float64Array {
    return new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset + from, count);
  }

  numbers(count: number): Float64Array {
    if (count === 0) return new Float64Array(0);
    const { width, base } = this.#columnHead();
    if (!Number.isFinite(base)) throw this.damaged("a column's base is not a number");
    const from = this.#take(count * width);
    if (width === 8) return this.#doubles(from, count);
    this.#charge(count * 8);
    const values = this.#newDoubles(count);
    const start = this.#bytes.byteOffset + from;
    if (width === 0) values.fill(base);
    else if (width === 1) addBytes(values, this.#bytes, from, base);
    else if (width === 2) addShorts(values, new Uint16Array(this.#bytes.buffer, start, count), base);
    else addWords(values, new Uint32Array(this.#bytes.buffer, start, count), base);
    return values;
  }

  /** A column of unsigned integers, each at most `max`. */
  integers(count: number, max: number): Uint32Array {
    if (count === 0) return new Uint32Array(0);
    const { width, base } = this.#columnHead();
    if (width === 8 || !(base >= 0 && base <= max && Number.isInteger(base)))
      throw this.damaged("an index is out of bounds");
    const from = this.#take(count * width);
    this.#charge(count * 4);
    const values = this.#newWords(count);
    const start = this.#bytes.byteOffset + from;
    let greatest = base;
    if (width === 0) values.fill(base);
    else if (width === 1) greatest = addBytes(values, this.#bytes, from, base);
    else if (width === 2) greatest = addShorts(values, new Uint16Array(this.#bytes.buffer, start, count), base);
    else greatest = addWords(values, new Uint32Array(this.#bytes.buffer, start, count), base);
    if (greatest > max) throw this.damaged("an index is out of bounds");
    return values;
  }

  exact(count: number): BigInt64Array {
    const from = this.#take(count * 8);
    return new BigInt64Array(this.#bytes.buffer, this.#bytes.byteOffset + from, count);
  }

  /** Values of at least `lengthMin` and at most `lengthMax` bytes. The bytes are a view on what is read. */
  plainBytes(count: number, lengthMin: number, lengthMax: number): BytesColumn {
    const lengths = this.integers(count, Math.min(lengthMax, this.remaining));
    this.#charge(count * 4 + 4);
    const starts = this.#newWords(count + 1);
    starts[0] = 0;
    let total = 0;
    let least = 0xffffffff;
    for (let i = 0; i < count; i++) {
      const length = lengths[i]!;
      if (length < least) least = length;
      total += length;
      starts[i + 1] = total;
    }
    if (count > 0 && least < lengthMin) throw this.damaged("a value is too short");
    const from = this.#take(total);
    return { bytes: this.#bytes.subarray(from, from + total), starts };
  }

  dictionaryBytes(count: number, lengthMin: number): BytesColumn {
    const entries = this.uint32(this.#take(8));
    if (entries === 0 || entries > count) throw this.damaged("a dictionary has a wrong number of entries");
    const dictionary = this.plainBytes(entries, lengthMin, dictionaryValueBytesMax);
    const numbers = this.integers(count, entries - 1);
    const from = dictionary.starts;
    this.#charge(count * 4 + 4);
    const starts = this.#newWords(count + 1);
    starts[0] = 0;
    let total = 0;
    for (let i = 0; i < count; i++) {
      total += from[numbers[i]! + 1]! - from[numbers[i]!]!;
      starts[i + 1] = total;
    }
    this.#charge(total);
    const bytes = this.#newBytes(total);
    let to = 0;
    for (let i = 0; i < count; i++) {
      const end = from[numbers[i]! + 1]!;
      for (let at = from[numbers[i]!]!; at < end; at++) bytes[to++] = dictionary.bytes[at]!;
    }
    return { bytes, starts };
  }

  /** Spreads dense values over the rows whose state is at least `least`; other rows get `empty`. */
  spread(dense: Float64Array, states: Uint8Array, least: number, empty: number): Float64Array {
    this.#charge(states.length * 8);
    const values = this.#newDoubles(states.length);
    for (let row = 0, i = 0; row < states.length; row++) values[row] = states[row]! >= least ? dense[i++]! : empty;
    return values;
  }

  spreadExact(dense: BigInt64Array, states: Uint8Array): BigInt64Array {
    this.#charge(states.length * 8);
    const values = this.#newExact(states.length).fill(0n);
    for (let row = 0, i = 0; row < states.length; row++) if (states[row] === stateValue) values[row] = dense[i++]!;
    return values;
  }

  spreadBytes(dense: BytesColumn, states: Uint8Array): BytesColumn {
    this.#charge(states.length * 4 + 4);
    const starts = this.#newWords(states.length + 1);
    starts[0] = 0;
    for (let row = 0, i = 0; row < states.length; row++) {
      if (states[row] === stateValue) i++;
      starts[row + 1] = dense.starts[i]!;
    }
    return { bytes: dense.bytes, starts };
  }

  /** `from - difference` per row; the differences are those of the rows whose state is not absent, other rows get 0. */
  subtractFrom(from: Float64Array, differences: Float64Array, states?: Uint8Array): Float64Array {
    this.#charge(from.length * 8);
    const values = this.#newDoubles(from.length);
    if (states === undefined) for (let row = 0; row < from.length; row++) values[row] = from[row]! - differences[row]!;
    else {
      for (let row = 0, i = 0; row < from.length; row++) {
        values[row] = states[row] === stateAbsent ? 0 : from[row]! - differences[i++]!;
      }
    }
    return values;
  }

  doublesOf(exact: BigInt64Array): Float64Array {
    this.#charge(exact.length * 8);
    const values = this.#newDoubles(exact.length);
    for (let i = 0; i < exact.length; i++) values[i] = Number(exact[i]);
    return values;
  }

  /** Row offsets from sizes of at most `sizeMax`. */
  startsOf(sizes: Uint32Array): Uint32Array {
    this.#charge(sizes.length * 4 + 4);
    const starts = this.#newWords(sizes.length + 1);
    starts[0] = 0;
    let total = 0;
    for (let i = 0; i < sizes.length; i++) {
      total += sizes[i]!;
      starts[i + 1] = total;
    }
    if (total > 0xffffffff) throw this.damaged("a set column is too long");
    return starts;
  }
}

/** Each writes `base + narrow value` and returns the greatest. */
function addBytes(to: Float64Array | Uint32Array, from: Uint8Array, at: number, base: number): number {
  let greatest = 0;
  for (let i = 0; i < to.length; i++) {
    const value = from[at + i]!;
    if (value > greatest) greatest = value;
    to[i] = base + value;
  }
  return base + greatest;
}

function addShorts(to: Float64Array | Uint32Array, from: Uint16Array, base: number): number {
  let greatest = 0;
  for (let i = 0; i < to.length; i++) {
    const value = from[i]!;
    if (value > greatest) greatest = value;
    to[i] = base + value;
  }
  return base + greatest;
}

function addWords(to: Float64Array | Uint32Array, from: Uint32Array, base: number): number {
  let greatest = 0;
  for (let i = 0; i < to.length; i++) {
    const value = from[i]!;
    if (value > greatest) greatest = value;
    to[i] = base + value;
  }
  return base + greatest;
}
