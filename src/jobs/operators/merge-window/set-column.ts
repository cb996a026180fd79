// Bounded sets in the merge window: per row a list of item numbers, the items themselves interned once per column. Hot path.
//
// A list is kept greatest first, so that a full set refuses a greater item at its head, and finds an item by comparing integers.
import { ByteDictionary } from "../../../core/byte-dictionary.ts";
import type { PropertyColumn } from "../../../model/update/batch.ts";
import { compareRanges, type NumberEncoding, writeEncodedNumber } from "../../../model/update/encoded-value.ts";
import type { Int64, SetSink } from "../../../model/update/sink.ts";
import { grownBytes, grownIntegers, type WindowColumn } from "./column.ts";

const encodedNull = new Uint8Array(1);

export class SetColumn implements SetSink, WindowColumn {
  readonly form = "set";
  readonly rowBytes = 8;
  readonly #encoding: NumberEncoding | undefined;
  readonly #itemsMax: number;
  #items = new ByteDictionary();
  #encoded: Uint8Array = new Uint8Array(64);
  /** Per row: the first cell + 1, and the number of cells. */
  #heads = new Uint32Array(0);
  #sizes = new Uint32Array(0);
  /** Cells: pairs [item, next cell + 1]. A cell that fell out of a full set is used again at once. */
  #cells = new Uint32Array(128);
  #cellCount = 0;
  /** 1 where items were left out. */
  #cut = new Uint8Array(0);
  #cutCount = 0;

  constructor(encoding: NumberEncoding | undefined, itemsMax: number) {
    this.#encoding = encoding;
    this.#itemsMax = itemsMax;
  }

  get extraBytes(): number {
    return this.#cellCount * 8 + this.#items.sizeBytes;
  }

  addNumber(row: number, value: number): void {
    const length = writeEncodedNumber(this.#encoded, this.#encoding ?? "double", value);
    this.#add(row, this.#items.intern(this.#encoded, 0, length));
  }
  addInt64(row: number, value: Int64): void {
    this.#add(row, this.#items.intern(this.#encoded, 0, writeEncodedNumber(this.#encoded, "integer", value)));
  }
  addBytes(row: number, bytes: Uint8Array, start: number, end: number): void {
    const length = end - start + 1;
    if (length > this.#encoded.length) this.#encoded = grownBytes(this.#encoded, length);
    const encoded = this.#encoded;
    encoded[0] = 1;
    for (let i = start, to = 1; i < end; i++, to++) encoded[to] = bytes[i]!;
    this.#add(row, this.#items.intern(encoded, 0, length));
  }
  addNull(row: number): void {
    this.#add(row, this.#items.intern(encodedNull, 0, 1));
  }

  #add(row: number, item: number): void {
    const head = this.#heads[row]!;
    if (head === 0) this.#insert(row, item, 0, 0);
    else if (this.#cells[2 * (head - 1)] !== item) this.#addToList(row, item, head);
  }

  #addToList(row: number, item: number, head: number): void {
    const cells = this.#cells;
    for (let cell = cells[2 * head - 1]!; cell !== 0; cell = cells[2 * cell - 1]!)
      if (cells[2 * cell - 2] === item) return;
    if (this.#sizes[row] === this.#itemsMax) {
      this.#cut[row] = 1;
      this.#cutCount++;
      if (this.#compare(item, cells[2 * head - 2]!) > 0) return;
      this.#replaceGreatest(row, item, head);
      return;
    }
    let before = 0;
    let after = head;
    while (after !== 0 && this.#compare(cells[2 * after - 2]!, item) > 0) {
      before = after;
      after = cells[2 * after - 1]!;
    }
    this.#insert(row, item, before, after);
  }

  #insert(row: number, item: number, before: number, after: number): void {
    if (2 * this.#cellCount === this.#cells.length) this.#cells = grownIntegers(this.#cells, this.#cells.length * 2);
    const cell = ++this.#cellCount;
    this.#sizes[row]!++;
    this.#link(row, cell, item, before, after);
  }

  #replaceGreatest(row: number, item: number, head: number): void {
    const cells = this.#cells;
    let before = 0;
    let after = cells[2 * head - 1]!;
    this.#heads[row] = after;
    while (after !== 0 && this.#compare(cells[2 * after - 2]!, item) > 0) {
      before = after;
      after = cells[2 * after - 1]!;
    }
    this.#link(row, head, item, before, after);
  }

  #link(row: number, cell: number, item: number, before: number, after: number): void {
    this.#cells[2 * cell - 2] = item;
    this.#cells[2 * cell - 1] = after;
    if (before === 0) this.#heads[row] = cell;
    else this.#cells[2 * before - 1] = cell;
  }

  #compare(a: number, b: number): number {
    const { bytes, starts } = this.#items;
    return compareRanges(bytes, starts[a]!, starts[a + 1]!, bytes, starts[b]!, starts[b + 1]!);
  }

  grow(capacity: number): void {
    this.#heads = grownIntegers(this.#heads, capacity);
    this.#sizes = grownIntegers(this.#sizes, capacity);
    const cut = new Uint8Array(capacity);
    cut.set(this.#cut);
    this.#cut = cut;
  }

  reset(count: number): void {
    this.#heads.fill(0, 0, count);
    this.#sizes.fill(0, 0, count);
    if (this.#cutCount > 0) this.#cut.fill(0, 0, count);
    this.#cutCount = 0;
    this.#cellCount = 0;
    this.#items.reset();
  }

  column(count: number): PropertyColumn | undefined {
    if (this.#cellCount === 0) return undefined;
    const { bytes: from, starts: itemStarts } = this.#items;
    const cells = this.#cells;
    const starts = new Uint32Array(count + 1);
    for (let row = 0; row < count; row++) starts[row + 1] = starts[row]! + this.#sizes[row]!;
    const total = starts[count]!;
    const order = new Uint32Array(total);
    let size = 0;
    for (let row = 0; row < count; row++) {
      let at = starts[row + 1]!;
      for (let cell = this.#heads[row]!; cell !== 0; cell = cells[2 * cell - 1]!) {
        const item = cells[2 * cell - 2]!;
        order[--at] = item;
        size += itemStarts[item + 1]! - itemStarts[item]!;
      }
    }
    const items = { bytes: new Uint8Array(size), starts: new Uint32Array(total + 1) };
    let to = 0;
    for (let i = 0; i < total; i++) {
      const end = itemStarts[order[i]! + 1]!;
      for (let at = itemStarts[order[i]!]!; at < end; at++) items.bytes[to++] = from[at]!;
      items.starts[i + 1] = to;
    }
    return { form: "set", starts, items, ...(this.#cutCount > 0 && { cut: this.#cut.subarray(0, count) }) };
  }
}
