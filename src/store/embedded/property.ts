// What every form of property in rows can do; one small class per form implements it (registers.ts, counter.ts, set.ts).
import type { PropertyValue } from "../../model/filter.ts";
import type { PropertyColumn } from "../../model/update/batch.ts";

/** A property of all rows of a type. Rows must be safe to write (`Rows.pages.touch`) before `apply`, `clear` and `clearUntil`. */
export interface Property {
  /**
   * Merges the contributions of the batch's rows `start` to `end` into the store's rows. `usualMs` has the times of contributions for which the
   * column has none of its own. The column has the property's form (checked before).
   */
  apply(column: PropertyColumn, rows: Uint32Array, start: number, end: number, usualMs: Float64Array): void;
  /** Brings the values of these rows near that are not in the rows themselves, before they are read one by one. Every row is there; its value need not be. */
  warm?(rows: Uint32Array | Int32Array, count: number): void;
  /** The value as a reader gets it; a `last` value that is not newer than the row's removal is absent. */
  read(row: number, removedAtMs: number): PropertyValue;
  /** 0 absent, 1 null, 2 value: what `read` would find. */
  stateOf(row: number, removedAtMs: number): number;
  /** Makes the property absent. */
  clear(row: number): void;
  /** Makes a `last` value absent that is not newer than this. */
  clearUntil(row: number, timeMs: number): void;
}
