// The rows of one node or edge type: fixed places in pages of numbers, with free rows reused. Hot path.
import { assert } from "../../core/errors.ts";
import type { Epoch } from "./pages.ts";
import { PageList } from "./pages.ts";
import { firstSeenAt, lastSeenAt, type RowLayout } from "./row-layout.ts";

/** A page holds 2^13 rows. */
export const rowShift = 13;
const rowsPerPage = 1 << rowShift;
export const rowMask = rowsPerPage - 1;
const firstPageRows = 64;
const freeRow = 0xffffffff;
/** Entries of lists keep rows in words that are copied as halves of doubles: below 2^31 no pair of them reads as a NaN. */
const rowsMax = 0x7ff00000;

/** A place for what means nothing. */
const approached = new Float64Array(1);

/** What a checkpoint keeps of rows besides their pages. */
export interface RowsState {
  readonly count: number;
  readonly free: number;
  readonly freeCount: number;
  readonly removedCount: number;
}

export class Rows {
  readonly layout: RowLayout;
  readonly stride: number;
  readonly pages: PageList;
  /** Times of removal, a double per row; a page has no memory before the first removal in it. */
  readonly removals: PageList;
  /** Rows ever made: every row is below. */
  count = 0;
  freeCount = 0;
  /** Rows with a time of removal. */
  removedCount = 0;
  /** Row + 1 of the first free row. */
  #free = 0;

  constructor(layout: RowLayout, epoch: Epoch) {
    this.layout = layout;
    this.stride = layout.strideDoubles;
    this.pages = new PageList(epoch);
    this.removals = new PageList(epoch);
  }

  get usedBytes(): number {
    return (this.count - this.freeCount) * this.stride * 8 + this.removals.sizeBytes;
  }

  /** A row without upsert, removal and properties, whose page is safe to write. */
  allocate(): number {
    const row = this.#free === 0 ? this.#append() : this.#reuse();
    const doubles = this.pages.doubles[row >>> rowShift]!;
    const base = (row & rowMask) * this.stride;
    doubles[base + firstSeenAt] = Infinity;
    doubles[base + lastSeenAt] = -Infinity;
    return row;
  }

  /** Gives a row back that nothing refers to. */
  free(row: number): void {
    this.setRemovedAt(row, -Infinity);
    const page = row >>> rowShift;
    this.pages.touch(page);
    const words = this.pages.words[page]!;
    const base = (row & rowMask) * this.stride * 2;
    words[base] = freeRow;
    words[base + 1] = this.#free;
    this.#free = row + 1;
    this.freeCount++;
  }

  isFree(row: number): boolean {
    return this.pages.words[row >>> rowShift]![(row & rowMask) * this.stride * 2] === freeRow;
  }

  firstSeenMs(row: number): number {
    return this.pages.doubles[row >>> rowShift]![(row & rowMask) * this.stride + firstSeenAt]!;
  }

  /** First seen of many rows: a loop this tight lets the processor wait for all of them at once, and what is read of them next is then near. */
  readFirstSeen(rows: Uint32Array, count: number, into: Float64Array): void {
    const { stride } = this;
    const { doubles } = this.pages;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      into[i] = doubles[row >>> rowShift]![(row & rowMask) * stride + firstSeenAt]!;
    }
  }

  /** Brings rows near that are read next: their times, and their ends, which mostly lie in the next cache line. */
  approach(rows: Int32Array, count: number): void {
    const { stride } = this;
    const { doubles } = this.pages;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      const page = doubles[row >>> rowShift]!;
      const base = (row & rowMask) * stride;
      sum += page[base + lastSeenAt]! + page[base + stride - 1]!;
    }
    // What is read for nothing may be left out by the compiler.
    approached[0] = sum;
  }

  lastSeenMs(row: number): number {
    return this.pages.doubles[row >>> rowShift]![(row & rowMask) * this.stride + lastSeenAt]!;
  }

  /** The word at this place of the row. */
  word(row: number, at: number): number {
    return this.pages.words[row >>> rowShift]![(row & rowMask) * this.stride * 2 + at]!;
  }

  setWord(row: number, at: number, value: number): void {
    const page = row >>> rowShift;
    this.pages.touch(page);
    this.pages.words[page]![(row & rowMask) * this.stride * 2 + at] = value;
  }

  setSeen(row: number, firstSeenMs: number, lastSeenMs: number): void {
    const page = row >>> rowShift;
    this.pages.touch(page);
    const doubles = this.pages.doubles[page]!;
    const base = (row & rowMask) * this.stride;
    doubles[base + firstSeenAt] = firstSeenMs;
    doubles[base + lastSeenAt] = lastSeenMs;
  }

  /** -Infinity when it was never removed. */
  removedAtMs(row: number): number {
    if (this.removedCount === 0) return -Infinity;
    const removals = this.removals.doubles[row >>> rowShift]!;
    return removals.length === 0 ? -Infinity : removals[row & rowMask]!;
  }

  setRemovedAt(row: number, timeMs: number): void {
    const heldMs = this.removedAtMs(row);
    if (heldMs === timeMs) return;
    const page = row >>> rowShift;
    if (this.removals.words[page]!.length === 0) {
      this.removals.resize(page, rowsPerPage * 8);
      this.removals.doubles[page]!.fill(-Infinity);
    } else this.removals.touch(page);
    this.removals.doubles[page]![row & rowMask] = timeMs;
    if (heldMs === -Infinity) this.removedCount++;
    else if (timeMs === -Infinity) this.removedCount--;
  }

  state(): RowsState {
    return { count: this.count, free: this.#free, freeCount: this.freeCount, removedCount: this.removedCount };
  }

  restore(state: RowsState): void {
    this.count = state.count;
    this.#free = state.free;
    this.freeCount = state.freeCount;
    this.removedCount = state.removedCount;
  }

  #append(): number {
    assert(this.count < rowsMax, "A type has more elements than its lists can refer to.");
    const row = this.count++;
    const page = row >>> rowShift;
    const rowBytes = this.stride * 8;
    if (page === this.pages.length) {
      this.pages.add((page === 0 ? firstPageRows : rowsPerPage) * rowBytes);
      this.removals.add(0);
    } else if ((row & rowMask) * rowBytes === this.pages.words[page]!.byteLength) {
      this.pages.resize(page, this.pages.words[page]!.byteLength * 2);
    } else this.pages.touch(page);
    return row;
  }

  #reuse(): number {
    const row = this.#free - 1;
    const page = row >>> rowShift;
    this.pages.touch(page);
    const base = (row & rowMask) * this.stride;
    this.#free = this.pages.words[page]![base * 2 + 1]!;
    this.pages.words[page]!.fill(0, base * 2, (base + this.stride) * 2);
    this.freeCount--;
    return row;
  }
}
