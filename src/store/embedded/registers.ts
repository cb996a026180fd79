// Properties of one value: `last`, `first`, `min` and `max` of numbers, int64 and bytes. Hot path.
//
// All follow one rule: a contribution wins when its (time, value) is greater than the held one, in the mirror image smaller; `min` and `max` have no
// time. A null is smaller than every value, and states are numbered so that comparing them says so.
import type { PropertyModel } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import { type PropertyColumn, stateAbsent, stateNull, stateValue } from "../../model/update/batch.ts";
import { compareRanges, valueOfBytes, valueOfNumber } from "../../model/update/encoded-value.ts";
import { isOpaque, valueOfAvro } from "../../model/update/opaque-value.ts";
import type { Int64 } from "../../model/update/sink.ts";
import { type Arena, Arena as Blocks, pageShift, unitMask } from "./arena.ts";
import type { PageList } from "./pages.ts";
import type { Property } from "./property.ts";
import type { PropertyLayout } from "./row-layout.ts";
import { rowMask, rowShift, type Rows } from "./rows.ts";

type ColumnOf<F extends PropertyColumn["form"]> = Extract<PropertyColumn, { form: F }>;

/** Where a register lies, whom it lets win, and its state. */
abstract class Register {
  protected readonly model: PropertyModel;
  protected readonly pages: PageList;
  protected readonly stride: number;
  protected readonly at: number;
  /** -1 without a time. */
  protected readonly timeAt: number;
  /** 1 where the greater wins, -1 where the smaller does. */
  protected readonly sign: number;
  protected readonly stateAt: number;
  protected readonly stateShift: number;

  constructor(layout: PropertyLayout, rows: Rows) {
    this.model = layout.model;
    this.pages = rows.pages;
    this.stride = rows.stride;
    this.at = layout.at;
    this.timeAt = layout.timeAt;
    this.sign = layout.model.merge === "last" || layout.model.merge === "max" ? 1 : -1;
    this.stateAt = layout.stateAt;
    this.stateShift = layout.stateShift;
  }

  stateOf(row: number, removedAtMs: number): number {
    const base = (row & rowMask) * this.stride;
    const state = (this.pages.words[row >>> rowShift]![base * 2 + this.stateAt]! >>> this.stateShift) & 3;
    if (state === stateAbsent || removedAtMs === -Infinity || this.model.merge !== "last") return state;
    return this.pages.doubles[row >>> rowShift]![base + this.timeAt]! > removedAtMs ? state : stateAbsent;
  }

  clear(row: number): void {
    this.pages.words[row >>> rowShift]![(row & rowMask) * this.stride * 2 + this.stateAt]! &= ~(3 << this.stateShift);
  }

  clearUntil(row: number, timeMs: number): void {
    if (this.stateOf(row, -Infinity) !== stateAbsent && this.stateOf(row, timeMs) === stateAbsent) this.clear(row);
  }
}

export class NumberRegister extends Register implements Property {
  apply(column: ColumnOf<"number">, rows: Uint32Array, start: number, end: number, usualMs: Float64Array): void {
    const { states, values } = column;
    const timesMs = column.timesMs ?? usualMs;
    const { stride, at, timeAt, sign, stateAt, stateShift } = this;
    const { doubles: doublesOf, words: wordsOf } = this.pages;
    for (let i = start; i < end; i++) {
      const state = states === undefined ? stateValue : states[i]!;
      if (state === stateAbsent) continue;
      const row = rows[i]!;
      const doubles = doublesOf[row >>> rowShift]!;
      const words = wordsOf[row >>> rowShift]!;
      const base = (row & rowMask) * stride;
      const stateWord = words[base * 2 + stateAt]!;
      const held = (stateWord >>> stateShift) & 3;
      const value = state === stateValue ? values[i]! : 0;
      if (held !== stateAbsent) {
        let order = timeAt < 0 ? 0 : timesMs[i]! - doubles[base + timeAt]!;
        if (order === 0) order = state - held || value - doubles[base + at]!;
        if (order * sign <= 0) continue;
      }
      doubles[base + at] = value;
      if (timeAt >= 0) doubles[base + timeAt] = timesMs[i]!;
      if (held !== state) words[base * 2 + stateAt] = (stateWord & ~(3 << stateShift)) | (state << stateShift);
    }
  }

  read(row: number, removedAtMs: number): PropertyValue {
    const state = this.stateOf(row, removedAtMs);
    if (state !== stateValue) return state === stateNull ? null : undefined;
    return valueOfNumber(this.model.type, this.number(row));
  }

  number(row: number): number {
    return this.pages.doubles[row >>> rowShift]![(row & rowMask) * this.stride + this.at]!;
  }
}

const int64 = new BigInt64Array(1);
const int64Words = new Uint32Array(int64.buffer);

/** The int64 of a low and a high word in canonical form. */
export function int64Of(low: number, high: number): Int64 {
  const signed = high | 0;
  // 2^53 is 2^21 in the high word.
  if (signed >= -0x200000 && signed < 0x200000 && !(signed === -0x200000 && low === 0))
    return signed * 4294967296 + low;
  int64Words[0] = low;
  int64Words[1] = high;
  return int64[0]!;
}

export class Int64Register extends Register implements Property {
  apply(column: ColumnOf<"int64">, rows: Uint32Array, start: number, end: number, usualMs: Float64Array): void {
    const { states, values, exact } = column;
    const timesMs = column.timesMs ?? usualMs;
    const { stride, at, timeAt, sign, stateAt, stateShift } = this;
    const { doubles: doublesOf, words: wordsOf } = this.pages;
    for (let i = start; i < end; i++) {
      const state = states === undefined ? stateValue : states[i]!;
      if (state === stateAbsent) continue;
      const row = rows[i]!;
      const doubles = doublesOf[row >>> rowShift]!;
      const words = wordsOf[row >>> rowShift]!;
      const base = (row & rowMask) * stride;
      const stateWord = words[base * 2 + stateAt]!;
      const held = (stateWord >>> stateShift) & 3;
      let high = 0;
      let low = 0;
      if (state === stateValue) {
        if (exact === undefined) {
          high = Math.floor(values[i]! / 4294967296);
          low = values[i]! - high * 4294967296;
        } else {
          int64[0] = exact[i]!;
          low = int64Words[0]!;
          high = int64Words[1]! | 0;
        }
      }
      const word = (base + at) * 2;
      if (held !== stateAbsent) {
        let order = timeAt < 0 ? 0 : timesMs[i]! - doubles[base + timeAt]!;
        if (order === 0) order = state - held || high - (words[word + 1]! | 0) || low - words[word]!;
        if (order * sign <= 0) continue;
      }
      words[word] = low;
      words[word + 1] = high;
      if (timeAt >= 0) doubles[base + timeAt] = timesMs[i]!;
      if (held !== state) words[base * 2 + stateAt] = (stateWord & ~(3 << stateShift)) | (state << stateShift);
    }
  }

  read(row: number, removedAtMs: number): PropertyValue {
    const state = this.stateOf(row, removedAtMs);
    if (state !== stateValue) return state === stateNull ? null : undefined;
    return this.int64(row);
  }

  int64(row: number): Int64 {
    const words = this.pages.words[row >>> rowShift]!;
    const word = ((row & rowMask) * this.stride + this.at) * 2;
    return int64Of(words[word]!, words[word + 1]!);
  }
}

const nearMax = 256;
/** Where values are that are read next. */
const near = new Uint32Array(nearMax);

const noBytes: Buffer = Buffer.alloc(0);

/** The value is a block of the type's value arena: [length u32][bytes]. A block's content is found by `place`. */
export class BytesRegister extends Register implements Property {
  readonly #values: Arena;
  /** The bytes of the value that was placed last: `bytes[start, end)`. */
  bytes = noBytes;
  start = 0;
  end = 0;

  constructor(layout: PropertyLayout, rows: Rows, values: Arena) {
    super(layout, rows);
    this.#values = values;
  }

  apply(column: ColumnOf<"bytes">, rows: Uint32Array, start: number, end: number, usualMs: Float64Array): void {
    const { states } = column;
    const { bytes, starts } = column.values;
    const timesMs = column.timesMs ?? usualMs;
    const { stride, timeAt, sign, stateAt, stateShift } = this;
    for (let i = start; i < end; i++) {
      const state = states === undefined ? stateValue : states[i]!;
      if (state === stateAbsent) continue;
      const row = rows[i]!;
      const doubles = this.pages.doubles[row >>> rowShift]!;
      const words = this.pages.words[row >>> rowShift]!;
      const base = (row & rowMask) * stride;
      const stateWord = words[base * 2 + stateAt]!;
      const held = (stateWord >>> stateShift) & 3;
      if (held !== stateAbsent) {
        let order = timeAt < 0 ? 0 : timesMs[i]! - doubles[base + timeAt]!;
        if (order === 0)
          order = state - held || (state === stateNull ? 0 : this.#compare(row, bytes, starts[i]!, starts[i + 1]!));
        if (order * sign <= 0) continue;
      }
      this.#write(words, base * 2 + this.at, bytes, starts[i]!, state === stateValue ? starts[i + 1]! : starts[i]!);
      if (timeAt >= 0) doubles[base + timeAt] = timesMs[i]!;
      if (held !== state) words[base * 2 + stateAt] = (stateWord & ~(3 << stateShift)) | (state << stateShift);
    }
  }

  /** A row without a value has whatever its word says: a block all the same, or none. */
  warm(rows: Uint32Array | Int32Array, count: number): void {
    const { stride, at } = this;
    const { words } = this.pages;
    const values = this.#values.pages.words;
    for (let from = 0; from < count; from += nearMax) {
      const end = Math.min(count, from + nearMax);
      for (let i = from; i < end; i++) {
        const row = rows[i]!;
        near[i - from] = row < 0 ? 0 : words[row >>> rowShift]![(row & rowMask) * stride * 2 + at]!;
      }
      for (let i = 0; i < end - from; i++) {
        const reference = near[i]!;
        if (reference !== 0) near[i] = values[reference >>> pageShift]![(reference & unitMask) * 2]!;
      }
    }
  }

  read(row: number, removedAtMs: number): PropertyValue {
    const state = this.stateOf(row, removedAtMs);
    if (state !== stateValue) return state === stateNull ? null : undefined;
    this.place(row);
    const { type } = this.model;
    if (type.kind === "string") return this.bytes.toString("utf8", this.start, this.end);
    if (isOpaque(type)) return valueOfAvro(type, this.bytes, this.start);
    return valueOfBytes(type, this.bytes, this.start, this.end);
  }

  override clear(row: number): void {
    super.clear(row);
    const words = this.pages.words[row >>> rowShift]!;
    const word = (row & rowMask) * this.stride * 2 + this.at;
    this.#write(words, word, this.bytes, 0, 0);
  }

  /** Sets `bytes`, `start` and `end` to the row's value, which is there. */
  place(row: number): void {
    const reference = this.pages.words[row >>> rowShift]![(row & rowMask) * this.stride * 2 + this.at]!;
    if (reference === 0) {
      // Not the page of the value before: it may be without memory by now.
      this.bytes = noBytes;
      this.start = this.end = 0;
      return;
    }
    const page = reference >>> pageShift;
    const unit = reference & unitMask;
    this.bytes = this.#values.pages.bytes[page]!;
    this.start = unit * 8 + 4;
    this.end = this.start + this.#values.pages.words[page]![unit * 2]!;
  }

  #compare(row: number, bytes: Uint8Array, start: number, end: number): number {
    this.place(row);
    return compareRanges(bytes, start, end, this.bytes, this.start, this.end);
  }

  /** An empty value has no block. A block is kept when the new value fits it as well as a new one would. */
  #write(words: Uint32Array, word: number, bytes: Uint8Array, start: number, end: number): void {
    const values = this.#values;
    let reference = words[word]!;
    const heldBytes =
      reference === 0 ? 0 : 4 + values.pages.words[reference >>> pageShift]![(reference & unitMask) * 2]!;
    const newBytes = end === start ? 0 : 4 + end - start;
    const keep = heldBytes > 0 && newBytes > 0 && Blocks.capacityOf(heldBytes) === Blocks.capacityOf(newBytes);
    if (!keep) {
      if (heldBytes > 0) values.free(reference, heldBytes);
      reference = newBytes === 0 ? 0 : values.allocate(newBytes);
      words[word] = reference;
    } else values.pages.touch(reference >>> pageShift);
    if (reference === 0) return;
    const at = (reference & unitMask) * 8;
    values.pages.words[reference >>> pageShift]![at >>> 2] = end - start;
    copyBytes(values.pages.bytes[reference >>> pageShift]!, at + 4, bytes, start, end);
  }
}

/** Copies a range: short ones in a loop, which is faster than making a view. */
export function copyBytes(target: Uint8Array, at: number, source: Uint8Array, start: number, end: number): void {
  if (end - start > 64) target.set(source.subarray(start, end), at);
  else for (let i = start, j = at; i < end; i++, j++) target[j] = source[i]!;
}
