// What node types and edge types have in common: rows with times, properties and removals, and who of them is visible.
import type { EdgeModel, NodeModel } from "../../model/definition.ts";
import { Arena } from "./arena.ts";
import { Counter } from "./counter.ts";
import type { Epoch } from "./pages.ts";
import type { Property } from "./property.ts";
import { BytesRegister, Int64Register, NumberRegister } from "./registers.ts";
import { firstSeenAt, lastSeenAt, type PropertyLayout, rowLayoutOf } from "./row-layout.ts";
import { Rows, rowMask, rowShift } from "./rows.ts";
import { SetProperty } from "./set.ts";

export class ElementType {
  /** Index in the definition's `nodes` or `edges`. */
  readonly index: number;
  readonly model: NodeModel | EdgeModel;
  readonly rows: Rows;
  /** Values that do not fit into rows. */
  readonly values: Arena;
  readonly properties: readonly Property[];
  readonly ttlMs: number;
  /** After a gap longer than this an element starts afresh. */
  readonly afreshMs: number;

  constructor(index: number, model: NodeModel | EdgeModel, lists: number, latenessMs: number, epoch: Epoch) {
    this.index = index;
    this.model = model;
    const layout = rowLayoutOf(model, lists);
    this.rows = new Rows(layout, epoch);
    this.values = new Arena(epoch);
    this.properties = layout.properties.map((slot) => propertyOf(slot, this.rows, this.values));
    this.ttlMs = model.ttlMs ?? Infinity;
    this.afreshMs = this.ttlMs + 2 * latenessMs;
  }

  get usedBytes(): number {
    return this.rows.usedBytes + this.values.usedBytes;
  }

  /** Merges the times of an upsert into a row that is safe to write. */
  see(row: number, firstSeenMs: number, lastSeenMs: number): void {
    const doubles = this.rows.pages.doubles[row >>> rowShift]!;
    const base = (row & rowMask) * this.rows.stride;
    const held = doubles[base + lastSeenAt]!;
    if (firstSeenMs - held > this.afreshMs && held !== -Infinity) this.startAfresh(row);
    if (lastSeenMs > doubles[base + lastSeenAt]!) doubles[base + lastSeenAt] = lastSeenMs;
    if (firstSeenMs < doubles[base + firstSeenAt]!) doubles[base + firstSeenAt] = firstSeenMs;
  }

  /** Merges a removal. */
  remove(row: number, removedAtMs: number): void {
    if (removedAtMs > this.rows.removedAtMs(row)) this.rows.setRemovedAt(row, removedAtMs);
  }

  /** Forgets upserts and properties; keeps when the element was removed. The row must be safe to write. */
  startAfresh(row: number): void {
    this.rows.setSeen(row, Infinity, -Infinity);
    for (const property of this.properties) property.clear(row);
  }

  /** Forgets the removal, and what it hides for ever. The row must be safe to write. */
  forgetRemoval(row: number): void {
    const removedAtMs = this.rows.removedAtMs(row);
    for (const property of this.properties) property.clearUntil(row, removedAtMs);
    this.rows.setRemovedAt(row, -Infinity);
  }

  /** Whether the element is seen, its edge's ends not asked. */
  isVisible(row: number, nowMs: number): boolean {
    const lastSeenMs = this.rows.lastSeenMs(row);
    return lastSeenMs > this.rows.removedAtMs(row) && lastSeenMs + this.ttlMs > nowMs;
  }
}

function propertyOf(slot: PropertyLayout, rows: Rows, values: Arena): Property {
  switch (slot.form) {
    case "number":
      return new NumberRegister(slot, rows);
    case "int64":
      return new Int64Register(slot, rows);
    case "bytes":
      return new BytesRegister(slot, rows, values);
    case "counter":
      return new Counter(slot, rows);
    case "set":
      return new SetProperty(slot, rows, values);
  }
}
