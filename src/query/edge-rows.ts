// Hot path of queries: the edges and nodes of a level as growing columns of numbers, references instead of ids. No object per edge.
import type { PropertyValue } from "../model/filter.ts";
import type { AdjacencyBatch } from "../store/port.ts";

const expectedMax = 4_096;
/** Places of a frontier's table that are emptied for the next traversal; a power of two. */
const slotsKeptMax = 1_024;

/** Edges as one hop walked them. */
export class EdgeRows {
  count = 0;
  /** Index of the node, in the frontier, that the edge was reached from. */
  origins: Int32Array;
  /** References of the nodes that were reached. */
  neighbours: Int32Array;
  /** 1 where the edge was walked against its direction. */
  reversed: Uint8Array;
  firstSeenMs: Float64Array;
  lastSeenMs: Float64Array;
  readonly properties: PropertyValue[][];

  /** `countExpected` only decides how much is allocated at first. */
  constructor(propertyCount: number, countExpected: number) {
    const columns = columnsOf(Math.max(16, Math.min(countExpected, expectedMax)));
    this.origins = columns.origins;
    this.neighbours = columns.neighbours;
    this.reversed = columns.reversed;
    this.firstSeenMs = columns.firstSeenMs;
    this.lastSeenMs = columns.lastSeenMs;
    this.properties = Array.from({ length: propertyCount }, () => []);
  }

  /** Appends the rows [from, to) of a batch; its first columns are the properties that are kept. */
  append(batch: AdjacencyBatch, from: number, to: number, origin: number, reversed: number): void {
    this.reserve(to - from);
    for (let i = from, at = this.count; i < to; i++, at++) {
      this.origins[at] = origin;
      this.neighbours[at] = batch.neighbours[i]!;
      this.reversed[at] = reversed;
      this.firstSeenMs[at] = batch.firstSeenMs[i]!;
      this.lastSeenMs[at] = batch.lastSeenMs[i]!;
    }
    for (let p = 0; p < this.properties.length; p++) {
      const [target, source] = [this.properties[p]!, batch.properties[p]!];
      for (let i = from; i < to; i++) target.push(source[i]);
    }
    this.count += to - from;
  }

  /** Appends one row of other rows. */
  copy(other: EdgeRows, row: number): void {
    this.reserve(1);
    const at = this.count++;
    this.origins[at] = other.origins[row]!;
    this.neighbours[at] = other.neighbours[row]!;
    this.reversed[at] = other.reversed[row]!;
    this.firstSeenMs[at] = other.firstSeenMs[row]!;
    this.lastSeenMs[at] = other.lastSeenMs[row]!;
    for (let p = 0; p < this.properties.length; p++) this.properties[p]!.push(other.properties[p]![row]);
  }

  private reserve(more: number): void {
    const needed = this.count + more;
    if (needed <= this.origins.length) return;
    const larger = columnsOf(Math.max(needed, this.origins.length * 2));
    this.origins = grown(this.origins, larger.origins);
    this.neighbours = grown(this.neighbours, larger.neighbours);
    this.reversed = grown(this.reversed, larger.reversed);
    this.firstSeenMs = grown(this.firstSeenMs, larger.firstSeenMs);
    this.lastSeenMs = grown(this.lastSeenMs, larger.lastSeenMs);
  }
}

/** All columns in one piece of memory: one costs as much as a single column would, and most traversals are small. */
function columnsOf(size: number): Pick<EdgeRows, "origins" | "neighbours" | "reversed" | "firstSeenMs" | "lastSeenMs"> {
  const buffer = new ArrayBuffer(size * 25);
  return {
    firstSeenMs: new Float64Array(buffer, 0, size),
    lastSeenMs: new Float64Array(buffer, size * 8, size),
    origins: new Int32Array(buffer, size * 16, size),
    neighbours: new Int32Array(buffer, size * 20, size),
    reversed: new Uint8Array(buffer, size * 24, size),
  };
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Node references, each once, numbered in the order in which they came: an open table of [reference + 1, number]. */
export class Frontier {
  count = 0;
  references: Int32Array;
  private slots: Int32Array;
  private mask: number;

  constructor(countExpected: number) {
    const size = Math.max(16, Math.min(countExpected, expectedMax));
    this.references = new Int32Array(size);
    this.mask = 2 ** Math.ceil(Math.log2(size * 2)) - 1;
    this.slots = new Int32Array((this.mask + 1) * 2);
  }

  /** The number of a reference, which is new or known. */
  add(reference: number): number {
    let slot = (Math.imul(reference, 0x9e3779b1) >>> 7) & this.mask;
    for (;;) {
      const held = this.slots[slot * 2]!;
      if (held === reference + 1) return this.slots[slot * 2 + 1]!;
      if (held === 0) break;
      slot = (slot + 1) & this.mask;
    }
    const number = this.count++;
    if (number === this.references.length) {
      this.references = grown(this.references, new Int32Array(number * 2));
    }
    this.references[number] = reference;
    this.slots[slot * 2] = reference + 1;
    this.slots[slot * 2 + 1] = number;
    if (this.count * 2 > this.mask + 1) this.rehash();
    return number;
  }

  /** To be used again. A table that had to become large is left behind: emptying it would cost small traversals more than they need. */
  clear(): void {
    this.count = 0;
    if (this.slots.length > slotsKeptMax) {
      this.mask = slotsKeptMax / 2 - 1;
      this.slots = new Int32Array(slotsKeptMax);
    } else this.slots.fill(0);
  }

  private rehash(): void {
    this.mask = this.mask * 2 + 1;
    this.slots = new Int32Array((this.mask + 1) * 2);
    for (let number = 0; number < this.count; number++) {
      const reference = this.references[number]!;
      let slot = (Math.imul(reference, 0x9e3779b1) >>> 7) & this.mask;
      while (this.slots[slot * 2] !== 0) slot = (slot + 1) & this.mask;
      this.slots[slot * 2] = reference + 1;
      this.slots[slot * 2 + 1] = number;
    }
  }
}
