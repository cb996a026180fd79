// Counters: exact int64 sums that wrap. Hot path.
import type { PropertyValue } from "../../model/filter.ts";
import { type PropertyColumn, stateAbsent, stateValue } from "../../model/update/batch.ts";
import type { Int64 } from "../../model/update/sink.ts";
import type { PageList } from "./pages.ts";
import type { Property } from "./property.ts";
import { int64Of } from "./registers.ts";
import type { PropertyLayout } from "./row-layout.ts";
import { rowMask, rowShift, type Rows } from "./rows.ts";

const addend = new BigInt64Array(1);
const addendWords = new Uint32Array(addend.buffer);

export class Counter implements Property {
  readonly #pages: PageList;
  readonly #stride: number;
  readonly #at: number;
  readonly #stateAt: number;
  readonly #stateShift: number;

  constructor(layout: PropertyLayout, rows: Rows) {
    this.#pages = rows.pages;
    this.#stride = rows.stride;
    this.#at = layout.at;
    this.#stateAt = layout.stateAt;
    this.#stateShift = layout.stateShift;
  }

  apply(column: Extract<PropertyColumn, { form: "counter" }>, rows: Uint32Array, start: number, end: number): void {
    const { states, values, exact } = column;
    const stride = this.#stride;
    const wordsOf = this.#pages.words;
    const valueBit = stateValue << this.#stateShift;
    for (let i = start; i < end; i++) {
      if (states !== undefined && states[i] === stateAbsent) continue;
      const row = rows[i]!;
      const words = wordsOf[row >>> rowShift]!;
      const base = (row & rowMask) * stride;
      const word = (base + this.#at) * 2;
      let high: number;
      let low: number;
      if (exact === undefined) {
        high = Math.floor(values[i]! / 4294967296);
        low = values[i]! - high * 4294967296;
      } else {
        addend[0] = exact[i]!;
        low = addendWords[0]!;
        high = addendWords[1]!;
      }
      low += words[word]!;
      words[word] = low;
      words[word + 1] = words[word + 1]! + high + (low > 0xffffffff ? 1 : 0);
      words[base * 2 + this.#stateAt]! |= valueBit;
    }
  }

  read(row: number): PropertyValue {
    return this.stateOf(row) === stateAbsent ? undefined : this.int64(row);
  }

  stateOf(row: number): number {
    const words = this.#pages.words[row >>> rowShift]!;
    return (words[(row & rowMask) * this.#stride * 2 + this.#stateAt]! >>> this.#stateShift) & 3;
  }

  int64(row: number): Int64 {
    const words = this.#pages.words[row >>> rowShift]!;
    const word = ((row & rowMask) * this.#stride + this.#at) * 2;
    return int64Of(words[word]!, words[word + 1]!);
  }

  clear(row: number): void {
    const words = this.#pages.words[row >>> rowShift]!;
    const base = (row & rowMask) * this.#stride;
    words[(base + this.#at) * 2] = 0;
    words[(base + this.#at) * 2 + 1] = 0;
    words[base * 2 + this.#stateAt]! &= ~(3 << this.#stateShift);
  }

  /** Counters count over the whole life of an element, removals notwithstanding. */
  clearUntil(): void {}
}
