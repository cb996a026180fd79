// The merge window's tables: rows of one node type, keyed by id, and of one edge type, keyed by two references. Hot path: only growth allocates.
import { ByteDictionary } from "../../../core/byte-dictionary.ts";
import { hashPair } from "../../../core/hash.ts";
import type { EdgeModel, NodeModel, PropertyModel } from "../../../model/definition.ts";
import type { EdgeColumns, NodeColumns } from "../../../model/update/batch.ts";
import { propertyFormOf } from "../../../model/update/batch.ts";
import { unionMaxDefault } from "../../../model/update/element.ts";
import { numberEncodingOf } from "../../../model/update/encoded-value.ts";
import type { EdgeSink, NodeSink, PropertySink } from "../../../model/update/sink.ts";
import { bytesColumn } from "./bytes-column.ts";
import { grownFloats, grownIntegers, type WindowColumn } from "./column.ts";
import { CounterColumn, int64Column } from "./int64-column.ts";
import { numberColumn } from "./number-column.ts";
import { SetColumn } from "./set-column.ts";

const rowsMin = 64;

function columnOf(property: PropertyModel): PropertySink & WindowColumn {
  const { merge } = property;
  if (merge === "sum") return new CounterColumn();
  if (merge === "union") return new SetColumn(numberEncodingOf(property.type), property.unionMax ?? unionMaxDefault);
  const form = propertyFormOf(property);
  if (form === "number") return numberColumn(merge);
  return form === "int64" ? int64Column(merge) : bytesColumn(merge);
}

/** Times, removals and property columns of a table's rows. */
class Rows {
  readonly properties: readonly (PropertySink & WindowColumn)[];
  readonly rowBytes: number;
  lastSeen = new Float64Array(0);
  firstSeen = new Float64Array(0);
  /** Made by the first removal. */
  removedAt: Float64Array<ArrayBuffer> | undefined;
  removals = 0;
  upserts = 0;
  capacity = 0;

  constructor(properties: readonly PropertyModel[]) {
    this.properties = properties.map(columnOf);
    this.rowBytes = this.properties.reduce((sum, { rowBytes }) => sum + rowBytes, 16);
    this.grow();
  }

  upsert(row: number, timeMs: number): void {
    this.upserts++;
    if (timeMs > this.lastSeen[row]!) this.lastSeen[row] = timeMs;
    if (timeMs < this.firstSeen[row]!) this.firstSeen[row] = timeMs;
  }

  remove(row: number, timeMs: number): void {
    this.removals++;
    this.removedAt ??= new Float64Array(this.capacity).fill(-Infinity);
    if (timeMs > this.removedAt[row]!) this.removedAt[row] = timeMs;
  }

  grow(): void {
    this.capacity = Math.max(rowsMin, this.capacity * 2);
    this.lastSeen = grownFloats(this.lastSeen, this.capacity, -Infinity);
    this.firstSeen = grownFloats(this.firstSeen, this.capacity, Infinity);
    if (this.removedAt !== undefined) this.removedAt = grownFloats(this.removedAt, this.capacity, -Infinity);
    for (const column of this.properties) column.grow(this.capacity);
  }

  reset(count: number): void {
    this.lastSeen.fill(-Infinity, 0, count);
    this.firstSeen.fill(Infinity, 0, count);
    if (this.removals > 0) this.removedAt!.fill(-Infinity, 0, count);
    this.removals = 0;
    this.upserts = 0;
    for (const column of this.properties) column.reset(count);
  }

  sizeBytes(count: number): number {
    let size = count * this.rowBytes;
    for (const column of this.properties) size += column.extraBytes;
    return size;
  }

  /** Rows that were upserted or removed; others are only ends of edges. */
  changedRows(count: number): number {
    let changed = 0;
    for (let row = 0; row < count; row++) {
      if (this.lastSeen[row]! > -Infinity || (this.removals > 0 && this.removedAt![row]! > -Infinity)) changed++;
    }
    return changed;
  }

  columns(type: number, count: number): Omit<NodeColumns, "ids"> {
    return {
      type,
      count,
      lastSeenMs: this.lastSeen.subarray(0, count),
      firstSeenMs: this.firstSeen.subarray(0, count),
      ...(this.removals > 0 && { removedAtMs: this.removedAt!.subarray(0, count) }),
      properties: this.properties.map((column) => column.column(count, this)),
    };
  }
}

/** A reference is the row's number. */
export class NodeTable implements NodeSink {
  readonly properties: readonly PropertySink[];
  readonly #ids = new ByteDictionary();
  readonly #rows: Rows;

  constructor(model: NodeModel) {
    this.#rows = new Rows(model.properties);
    this.properties = this.#rows.properties;
  }

  get count(): number {
    return this.#ids.count;
  }
  get sizeBytes(): number {
    return this.#ids.sizeBytes + this.#rows.sizeBytes(this.count);
  }
  get updateCount(): number {
    return this.#rows.upserts + this.#rows.removals;
  }
  get changedRows(): number {
    return this.#rows.changedRows(this.count);
  }

  intern(bytes: Uint8Array, start: number, end: number): number {
    const row = this.#ids.intern(bytes, start, end);
    if (row === this.#rows.capacity) this.#rows.grow();
    return row;
  }
  upsert(row: number, timeMs: number): number {
    this.#rows.upsert(row, timeMs);
    return row;
  }
  remove(row: number, timeMs: number): void {
    this.#rows.remove(row, timeMs);
  }
  columns(type: number): NodeColumns {
    const { bytes, starts, count } = this.#ids;
    const ids = { bytes: bytes.subarray(0, starts[count]), starts: starts.subarray(0, count + 1) };
    return { ...this.#rows.columns(type, count), ids };
  }
  reset(): void {
    this.#rows.reset(this.count);
    this.#ids.reset();
  }
}

/** Open addressing over pairs [hash, row + 1], at most half full; a probe reads a row's ends only when the whole hash agrees. */
export class EdgeTable implements EdgeSink {
  readonly properties: readonly PropertySink[];
  count = 0;
  #slots = new Uint32Array(rowsMin * 4);
  #from = new Uint32Array(rowsMin);
  #to = new Uint32Array(rowsMin);
  readonly #rows: Rows;

  constructor(model: EdgeModel) {
    this.#rows = new Rows(model.properties);
    this.properties = this.#rows.properties;
  }

  get sizeBytes(): number {
    return this.count * 24 + this.#rows.sizeBytes(this.count);
  }
  get updateCount(): number {
    return this.#rows.upserts + this.#rows.removals;
  }
  get changedRows(): number {
    return this.count;
  }

  upsert(from: number, to: number, timeMs: number): number {
    const row = this.#row(from, to);
    this.#rows.upsert(row, timeMs);
    return row;
  }
  remove(from: number, to: number, timeMs: number): void {
    this.#rows.remove(this.#row(from, to), timeMs);
  }

  #row(from: number, to: number): number {
    const hash = hashPair(from, to);
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    let slot = hash & mask;
    for (;;) {
      const entry = slots[2 * slot + 1]!;
      if (entry === 0) break;
      if (slots[2 * slot] === hash && this.#from[entry - 1] === from && this.#to[entry - 1] === to) return entry - 1;
      slot = (slot + 1) & mask;
    }
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = this.count + 1;
    return this.#append(from, to);
  }

  #append(from: number, to: number): number {
    const row = this.count++;
    this.#from[row] = from;
    this.#to[row] = to;
    if (this.count === this.#rows.capacity) this.#grow();
    return row;
  }

  #grow(): void {
    this.#rows.grow();
    const { capacity } = this.#rows;
    this.#from = grownIntegers(this.#from, capacity);
    this.#to = grownIntegers(this.#to, capacity);
    const slots = new Uint32Array(capacity * 4);
    const mask = capacity * 2 - 1;
    for (let row = 0; row < this.count; row++) {
      const hash = hashPair(this.#from[row]!, this.#to[row]!);
      let slot = hash & mask;
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
      slots[2 * slot] = hash;
      slots[2 * slot + 1] = row + 1;
    }
    this.#slots = slots;
  }

  columns(type: number): EdgeColumns {
    const { count } = this;
    return { ...this.#rows.columns(type, count), from: this.#from.subarray(0, count), to: this.#to.subarray(0, count) };
  }

  reset(): void {
    this.#rows.reset(this.count);
    if (this.count * 16 >= this.#slots.length) this.#slots.fill(0);
    else for (let row = 0; row < this.count; row++) this.#clearRun(hashPair(this.#from[row]!, this.#to[row]!));
    this.count = 0;
  }

  /** Clears the slots from the hash's own to the end of its run. Every entry of a run is cleared whole once all entries have passed here. */
  #clearRun(hash: number): void {
    const slots = this.#slots;
    const mask = slots.length / 2 - 1;
    for (let slot = hash & mask; slots[2 * slot + 1] !== 0; slot = (slot + 1) & mask) slots[2 * slot + 1] = 0;
  }
}
