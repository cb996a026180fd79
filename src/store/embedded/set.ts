// Sets: the smallest items by encoded order, bounded, in one block of the type's value arena. Hot path.
//
// A block is [size in bytes u32][number of items, high bit when some were cut][per item: length u32, encoded value], items in order. An empty set has none.
import type { PropertyModel } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import { type PropertyColumn, stateAbsent, stateValue } from "../../model/update/batch.ts";
import { unionMaxDefault } from "../../model/update/element.ts";
import { compareRanges, decodeValue } from "../../model/update/encoded-value.ts";
import { type Arena, Arena as Blocks, pageShift, unitMask } from "./arena.ts";
import type { Property } from "./property.ts";
import { copyBytes } from "./registers.ts";
import type { PropertyLayout } from "./row-layout.ts";
import type { Rows } from "./rows.ts";

type SetColumn = Extract<PropertyColumn, { form: "set" }>;

const headerBytes = 8;
const cutFlag = 0x80000000;

export class SetProperty implements Property {
  readonly #model: PropertyModel;
  readonly #rows: Rows;
  readonly #at: number;
  readonly #itemsMax: number;
  readonly #values: Arena;
  /** Where a merged set is put together. */
  #scratch = Buffer.alloc(1024);

  constructor(layout: PropertyLayout, rows: Rows, values: Arena) {
    this.#model = layout.model;
    this.#rows = rows;
    this.#at = layout.at;
    this.#itemsMax = layout.model.unionMax ?? unionMaxDefault;
    this.#values = values;
  }

  apply(column: SetColumn, rows: Uint32Array, start: number, end: number): void {
    const { starts } = column;
    for (let i = start; i < end; i++) {
      if (starts[i] === starts[i + 1]) continue;
      const row = rows[i]!;
      const reference = this.#rows.word(row, this.#at);
      if (this.#adds(reference, column, i)) this.#store(row, reference, this.#merge(reference, column, i));
    }
  }

  read(row: number): PropertyValue {
    const reference = this.#rows.word(row, this.#at);
    if (reference === 0) return undefined;
    const items: PropertyValue[] = [];
    this.#each(reference, (bytes, start, end) => {
      items.push(decodeValue(this.#model.type, bytes, start, end));
      return true;
    });
    return items;
  }

  stateOf(row: number): number {
    return this.#rows.word(row, this.#at) === 0 ? stateAbsent : stateValue;
  }

  /** Whether the set has this encoded item. */
  has(row: number, item: Uint8Array): boolean {
    const reference = this.#rows.word(row, this.#at);
    if (reference === 0) return false;
    return !this.#each(reference, (bytes, start, end) => compareRanges(bytes, start, end, item, 0, item.length) !== 0);
  }

  clear(row: number): void {
    const reference = this.#rows.word(row, this.#at);
    if (reference === 0) return;
    this.#values.free(reference, this.#sizeBytes(reference));
    this.#rows.setWord(row, this.#at, 0);
  }

  /** Sets gather over the whole life of an element, removals notwithstanding. */
  clearUntil(): void {}

  /** Visits the items in order until one says no; false when one did. */
  #each(reference: number, visit: (bytes: Buffer, start: number, end: number) => boolean): boolean {
    const bytes = this.#values.pages.bytes[reference >>> pageShift]!;
    let at = (reference & unitMask) * 8;
    const end = at + bytes.readUInt32LE(at);
    for (at += headerBytes; at < end;) {
      const length = bytes.readUInt32LE(at);
      if (!visit(bytes, at + 4, at + 4 + length)) return false;
      at += 4 + length;
    }
    return true;
  }

  /** Whether the batch's row has an item, or a cut, that the held set has not. Both are sorted: one walk. */
  #adds(reference: number, column: SetColumn, i: number): boolean {
    if (reference === 0) return true;
    const { bytes: given, starts } = column.items;
    const held = this.#values.pages.bytes[reference >>> pageShift]!;
    let at = (reference & unitMask) * 8;
    const end = at + readWord(held, at);
    if (column.cut?.[i] === 1 && readWord(held, at + 4) < cutFlag) return true;
    at += headerBytes;
    for (let item = column.starts[i]!; item < column.starts[i + 1]!; item++) {
      let order = 1;
      for (; at < end && order > 0; at += 4 + readWord(held, at)) {
        order = compareRanges(given, starts[item]!, starts[item + 1]!, held, at + 4, at + 4 + readWord(held, at));
      }
      if (order !== 0) return true;
    }
    return false;
  }

  /** Merges held and given items into the scratch buffer; returns the size. */
  #merge(reference: number, column: SetColumn, i: number): number {
    const { bytes: given, starts } = column.items;
    const held = reference === 0 ? this.#scratch : this.#values.pages.bytes[reference >>> pageShift]!;
    let at = (reference & unitMask) * 8;
    const end = reference === 0 ? 0 : at + readWord(held, at);
    let cut = column.cut?.[i] === 1 || (reference !== 0 && readWord(held, at + 4) >= cutFlag);
    at = reference === 0 ? 0 : at + headerBytes;
    let item = column.starts[i]!;
    const itemsEnd = column.starts[i + 1]!;
    let size = headerBytes;
    let count = 0;
    for (; (at < end || item < itemsEnd) && count < this.#itemsMax; count++) {
      const heldEnd = at < end ? at + 4 + readWord(held, at) : at;
      let order = item < itemsEnd ? -1 : 1;
      if (at < end && item < itemsEnd)
        order = compareRanges(given, starts[item]!, starts[item + 1]!, held, at + 4, heldEnd);
      if (order <= 0) size = this.#append(size, given, starts[item]!, starts[item + 1]!);
      else size = this.#append(size, held, at + 4, heldEnd);
      if (order <= 0) item++;
      if (order >= 0) at = heldEnd;
    }
    if (at < end || item < itemsEnd) cut = true;
    this.#scratch.writeUInt32LE(size, 0);
    this.#scratch.writeUInt32LE((count | (cut ? cutFlag : 0)) >>> 0, 4);
    return size;
  }

  #append(size: number, bytes: Uint8Array, start: number, end: number): number {
    const needed = size + 4 + end - start;
    if (needed > this.#scratch.length) {
      const grown = Buffer.alloc(needed * 2);
      this.#scratch.copy(grown, 0, 0, size);
      this.#scratch = grown;
    }
    this.#scratch.writeUInt32LE(end - start, size);
    copyBytes(this.#scratch, size + 4, bytes, start, end);
    return needed;
  }

  #store(row: number, held: number, size: number): void {
    const values = this.#values;
    let reference = held;
    const heldBytes = held === 0 ? 0 : this.#sizeBytes(held);
    if (held === 0 || Blocks.capacityOf(heldBytes) !== Blocks.capacityOf(size)) {
      if (held !== 0) values.free(held, heldBytes);
      reference = values.allocate(size);
      this.#rows.setWord(row, this.#at, reference);
    } else values.pages.touch(reference >>> pageShift);
    const at = (reference & unitMask) * 8;
    copyBytes(values.pages.bytes[reference >>> pageShift]!, at, this.#scratch, 0, size);
  }

  #sizeBytes(reference: number): number {
    return this.#values.pages.words[reference >>> pageShift]![(reference & unitMask) * 2]!;
  }
}

function readWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
