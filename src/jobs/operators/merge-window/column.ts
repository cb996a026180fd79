// What every column of the merge window has in common, and how typed arrays grow with their table. Hot path.
import type { PropertyColumn } from "../../../model/update/batch.ts";

/** A column holds one contribution per row of its table. Rows beyond `count` are always in their empty state. */
export interface WindowColumn {
  /** Makes room for `capacity` rows, a greater number than before. */
  grow(capacity: number): void;
  /** The first `count` rows for encoding; undefined when none has a contribution. Valid until the next call of any method. */
  column(count: number, rows: RowTimes): PropertyColumn | undefined;
  /** Empties the first `count` rows. */
  reset(count: number): void;
  /** Memory that the rows need beyond `rowBytes` each. */
  readonly extraBytes: number;
  readonly rowBytes: number;
}

/** The rows' own times, which a property's times are usually equal to. */
export interface RowTimes {
  readonly lastSeen: Float64Array;
  readonly firstSeen: Float64Array;
}

export function grownFloats(old: Float64Array, capacity: number, empty: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(old);
  if (empty !== 0) grown.fill(empty, old.length);
  return grown;
}

export function grownIntegers(old: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(capacity);
  grown.set(old);
  return grown;
}

export function grownBytes(old: Uint8Array, needed: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(Math.max(needed, old.length * 2));
  grown.set(old);
  return grown;
}

/** The times for encoding, or undefined when each present contribution has the row's own time. */
export function differingTimes(
  count: number,
  times: Float64Array,
  own: Float64Array,
  states: Uint8Array | undefined,
): Float64Array | undefined {
  for (let row = 0; row < count; row++) {
    if (times[row] !== own[row] && (states === undefined || states[row] !== 0)) return times.subarray(0, count);
  }
  return undefined;
}
