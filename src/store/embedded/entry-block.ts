// Entries of adjacency lists in one block: searched, shifted, kept in order. Hot path.
//
// Rows of edges and nodes are below 2^31 - 2^20 (rows.ts), so that their pair, read as a double, is never a NaN, and moving it as one changes no bit.
import { assert } from "../../core/errors.ts";
import { type Arena, pageShift, unitMask } from "./arena.ts";
import type { NodeType } from "./node-type.ts";

export const entryBytes = 16;
/** Up to so many entries a block is searched from the end, which is faster than halving. */
const scanMax = 8;
/** Up to so many doubles are moved one by one, which is faster than `copyWithin`. */
const shortShift = 32;

export class EntryBlocks {
  readonly #arena: Arena;
  readonly #neighbours: NodeType;

  constructor(arena: Arena, neighbours: NodeType) {
    this.#arena = arena;
    this.#neighbours = neighbours;
  }

  timeMs(block: number, i: number): number {
    return this.#arena.pages.doubles[block >>> pageShift]![(block & unitMask) + 2 * i]!;
  }

  edge(block: number, i: number): number {
    return this.#arena.pages.words[block >>> pageShift]![((block & unitMask) + 2 * i + 1) * 2]!;
  }

  neighbour(block: number, i: number): number {
    return this.#arena.pages.words[block >>> pageShift]![((block & unitMask) + 2 * i + 1) * 2 + 1]!;
  }

  write(block: number, i: number, timeMs: number, edge: number, neighbour: number): void {
    const at = (block & unitMask) + 2 * i;
    this.#arena.pages.doubles[block >>> pageShift]![at] = timeMs;
    const words = this.#arena.pages.words[block >>> pageShift]!;
    words[at * 2 + 2] = edge;
    words[at * 2 + 3] = neighbour;
  }

  /** Whether an entry comes before (timeMs, id) in the list; without an id, whether it is older. */
  isBefore(entryMs: number, neighbour: number, timeMs: number, id?: Uint8Array): boolean {
    if (entryMs !== timeMs) return entryMs < timeMs;
    return id !== undefined && this.#neighbours.compareId(neighbour, id, 0, id.length) > 0;
  }

  /** Whether entry i comes before the edge to this neighbour. */
  isBeforeNeighbour(block: number, i: number, timeMs: number, neighbour: number): boolean {
    const entryMs = this.timeMs(block, i);
    if (entryMs !== timeMs) return entryMs < timeMs;
    const held = this.neighbour(block, i);
    if (held === neighbour) return false;
    const { bytes, start, end } = this.#neighbours.idBytes(neighbour);
    return this.#neighbours.compareId(held, bytes, start, end) > 0;
  }

  countBefore(block: number, count: number, timeMs: number, id?: Uint8Array): number {
    let low = 0;
    let high = count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.isBefore(this.timeMs(block, middle), this.neighbour(block, middle), timeMs, id)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Where the edge is, or would be. Newest are looked at first: that is where most go. */
  place(block: number, count: number, timeMs: number, neighbour: number): number {
    let high = count;
    for (const stop = Math.max(0, count - scanMax); high > stop; high--) {
      if (this.isBeforeNeighbour(block, high - 1, timeMs, neighbour)) return high;
    }
    let low = 0;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.isBeforeNeighbour(block, middle, timeMs, neighbour)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Inserts into a block of `count` entries that has room and is safe to write; returns the place. */
  insert(block: number, count: number, timeMs: number, edge: number, neighbour: number): number {
    const place = this.place(block, count, timeMs, neighbour);
    if (place < count) {
      const base = block & unitMask;
      this.#arena.pages.doubles[block >>> pageShift]!.copyWithin(
        base + 2 * place + 2,
        base + 2 * place,
        base + 2 * count,
      );
    }
    this.write(block, place, timeMs, edge, neighbour);
    return place;
  }

  /** Takes an edge out; returns its place. */
  remove(block: number, count: number, timeMs: number, edge: number, neighbour: number): number {
    const place = this.find(block, count, timeMs, edge, neighbour);
    this.shiftOver(block, place, count);
    return place;
  }

  /** Closes the gap that entry `place` leaves. */
  shiftOver(block: number, place: number, end: number): void {
    const doubles = this.#arena.pages.doubles[block >>> pageShift]!;
    const base = block & unitMask;
    const stop = base + 2 * end - 2;
    let at = base + 2 * place;
    if (stop - at > shortShift) doubles.copyWithin(at, at + 2, stop + 2);
    else for (; at < stop; at++) doubles[at] = doubles[at + 2]!;
  }

  /** Moves an edge to its later time within the block: mostly to the end, over few others. */
  move(block: number, count: number, oldMs: number, newMs: number, edge: number, neighbour: number): void {
    const from = this.find(block, count, oldMs, edge, neighbour);
    const last = count - 1;
    const isNewest = from === last || newMs > this.timeMs(block, last);
    const to = isNewest ? last : this.place(block, count, newMs, neighbour) - 1;
    if (to > from) this.shiftOver(block, from, to + 1);
    this.write(block, Math.max(from, to), newMs, edge, neighbour);
  }

  /** The place of an edge that is in the block. */
  find(block: number, count: number, timeMs: number, edge: number, neighbour: number): number {
    const words = this.#arena.pages.words[block >>> pageShift]!;
    const first = ((block & unitMask) + 1) * 2;
    let i = count - 1;
    if (count > scanMax) i = this.place(block, count, timeMs, neighbour);
    else while (i > 0 && words[first + 4 * i] !== edge) i--;
    assert(i < count && words[first + 4 * i] === edge, "An edge is not where its last seen says in its list.");
    return i;
  }

  has(block: number, count: number, timeMs: number, edge: number, neighbour: number): boolean {
    const place = this.place(block, count, timeMs, neighbour);
    return place < count && this.edge(block, place) === edge;
  }

  copy(source: number, from: number, target: number, at: number, count: number): void {
    const { doubles } = this.#arena.pages;
    const start = (source & unitMask) + 2 * from;
    const entries = doubles[source >>> pageShift]!.subarray(start, start + 2 * count);
    doubles[target >>> pageShift]!.set(entries, (target & unitMask) + 2 * at);
  }
}
