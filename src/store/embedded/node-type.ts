// The nodes of one type: their ids, interned to rows, beside their rows. Hot path.
//
// An id is a block of the id arena: [row u32][length u16][UTF-8]. The row's first word leads to it, its second counts the edges that hold the node.
import { hashBytes } from "../../core/hash.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { BytesColumn } from "../../model/update/batch.ts";
import { compareRanges } from "../../model/update/encoded-value.ts";
import { Arena, pageShift, unitMask } from "./arena.ts";
import { ElementType } from "./element-type.ts";
import { HashTable, shardShift } from "./hash-table.ts";
import type { Epoch } from "./pages.ts";
import { copyBytes } from "./registers.ts";
import { listsOf } from "./row-layout.ts";
import { rowMask, rowShift } from "./rows.ts";

const idAt = 0;
const holdersAt = 1;
const idHeaderBytes = 6;
/** In place of the number of holders. */
const unlinked = 0xffffffff;

/** Ids that are interned at once. */
export const sliceRows = 256;
const hashes = new Uint32Array(sliceRows);
const entries = new Uint32Array(sliceRows);
/** Where ids are that are asked for next. */
const near = new Uint32Array(sliceRows);

export class NodeType extends ElementType {
  readonly table: HashTable;
  readonly ids: Arena;

  constructor(graph: GraphModel, index: number, epoch: Epoch) {
    const model = graph.nodes[index]!;
    super(index, model, listsOf(graph, model).length, graph.latenessMs, epoch);
    this.table = new HashTable(epoch);
    this.ids = new Arena(epoch);
  }

  override get usedBytes(): number {
    return super.usedBytes + this.table.shards.sizeBytes + this.ids.usedBytes;
  }

  /**
   * Brings rows and their ids near, at most `sliceRows`, that are read next. One by one each would be waited for three times, one after the other: here the processor waits
   * for all rows at once, then for all ids.
   */
  warm(rows: Int32Array, count: number): void {
    const { stride } = this.rows;
    const { words } = this.rows.pages;
    for (let i = 0; i < count; i++) {
      const row = rows[i]!;
      near[i] = words[row >>> rowShift]![(row & rowMask) * stride * 2 + idAt]!;
    }
    const ids = this.ids.pages.words;
    for (let i = 0; i < count; i++) near[i] = ids[near[i]! >>> pageShift]![(near[i]! & unitMask) * 2]!;
  }

  /** The same for any number of rows. */
  warmAll(rows: Int32Array, count: number): void {
    if (count <= sliceRows) return this.warm(rows, count);
    for (let from = 0; from < count; from += sliceRows) {
      this.warm(rows.subarray(from, count), Math.min(sliceRows, count - from));
    }
  }

  /** The row of the id `bytes[start, end)`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#find(hashBytes(bytes, start, end), bytes, start, end);
  }

  /**
   * The rows of the ids `start` to `end`, at most `sliceRows`, made where there are none. Each loop waits for memory at one place only, the same for all ids, so
   * that the processor waits for many at once: first the slots, then the ids that they lead to.
   */
  internAll(ids: BytesColumn, rows: Uint32Array, start: number, end: number): void {
    const { bytes, starts } = ids;
    for (let i = start; i < end; i++) {
      const hash = hashBytes(bytes, starts[i]!, starts[i + 1]!);
      const slots = this.table.shards.words[hash >>> shardShift]!;
      const slot = (hash << 1) & (slots.length - 1);
      hashes[i - start] = hash;
      entries[i - start] = slots[slot] === hash ? slots[slot + 1]! : 0;
    }
    for (let i = start; i < end; i++) {
      const entry = entries[i - start]!;
      const row = entry === 0 ? -1 : this.#rowIfEqual(entry - 1, bytes, starts[i]!, starts[i + 1]!);
      rows[i] = row >= 0 ? row : this.#intern(hashes[i - start]!, bytes, starts[i]!, starts[i + 1]!);
    }
  }

  #intern(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const found = this.#find(hash, bytes, start, end);
    if (found >= 0) return found;
    const row = this.rows.allocate();
    const reference = this.ids.allocate(idHeaderBytes + end - start);
    const at = (reference & unitMask) * 8;
    const block = this.ids.pages.bytes[reference >>> pageShift]!;
    this.ids.pages.words[reference >>> pageShift]![at >>> 2] = row;
    block[at + 4] = (end - start) & 0xff;
    block[at + 5] = (end - start) >>> 8;
    copyBytes(block, at + idHeaderBytes, bytes, start, end);
    this.rows.pages.words[row >>> rowShift]![(row & rowMask) * this.rows.stride * 2 + idAt] = reference;
    this.table.insert(hash, reference);
    return row;
  }

  /** Takes the id out of the table, so that no one finds the row any more; `free` gives the row and the id's block back. */
  unlink(row: number): void {
    const reference = this.rows.word(row, idAt);
    const { bytes, start, end } = this.idBytes(row);
    this.table.remove(hashBytes(bytes, start, end), reference);
    this.rows.setWord(row, holdersAt, unlinked);
  }

  /** Whether there is no node in the row: it is free, or waits to be. */
  isGone(row: number): boolean {
    return this.rows.isFree(row) || this.holders(row) === unlinked;
  }

  free(row: number): void {
    const { start, end } = this.idBytes(row);
    this.ids.free(this.rows.word(row, idAt), idHeaderBytes + end - start);
    this.rows.free(row);
  }

  /** Edges that hold the node, visible or not. */
  holders(row: number): number {
    return this.rows.word(row, holdersAt);
  }

  hold(row: number, by: 1 | -1): void {
    this.rows.setWord(row, holdersAt, this.holders(row) + by);
  }

  id(row: number): string {
    const { bytes, start, end } = this.idBytes(row);
    return bytes.toString("utf8", start, end);
  }

  idBytes(row: number): { readonly bytes: Buffer; readonly start: number; readonly end: number } {
    const reference = this.rows.word(row, idAt);
    const bytes = this.ids.pages.bytes[reference >>> pageShift]!;
    const at = (reference & unitMask) * 8;
    return { bytes, start: at + idHeaderBytes, end: at + idHeaderBytes + (bytes[at + 4]! | (bytes[at + 5]! << 8)) };
  }

  /** `idBytes` without an object. */
  placeId(row: number, into: { bytes: Buffer; start: number; end: number }): void {
    const reference = this.rows.word(row, idAt);
    const bytes = this.ids.pages.bytes[reference >>> pageShift]!;
    const at = (reference & unitMask) * 8;
    into.bytes = bytes;
    into.start = at + idHeaderBytes;
    into.end = at + idHeaderBytes + (bytes[at + 4]! | (bytes[at + 5]! << 8));
  }

  /** Compares the node's id with `bytes[start, end)` as unsigned bytes. */
  compareId(row: number, bytes: Uint8Array, start: number, end: number): number {
    const own = this.idBytes(row);
    return compareRanges(own.bytes, own.start, own.end, bytes, start, end);
  }

  #find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const slots = this.table.shards.words[hash >>> shardShift]!;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + 2) & mask) {
      const entry = slots[slot + 1]!;
      if (entry === 0) return -1;
      if (slots[slot] !== hash) continue;
      const row = this.#rowIfEqual(entry - 1, bytes, start, end);
      if (row >= 0) return row;
    }
  }

  #rowIfEqual(reference: number, bytes: Uint8Array, start: number, end: number): number {
    const block = this.ids.pages.bytes[reference >>> pageShift]!;
    let at = (reference & unitMask) * 8;
    const row = this.ids.pages.words[reference >>> pageShift]![at >>> 2]!;
    if ((block[at + 4]! | (block[at + 5]! << 8)) !== end - start) return -1;
    at += idHeaderBytes;
    for (let i = start; i < end; i++) if (block[at++] !== bytes[i]) return -1;
    return row;
  }
}
