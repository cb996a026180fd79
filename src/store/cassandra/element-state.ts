// What the rows of one element say: the merge of the slices that belong to its present life.
import type { types } from "cassandra-driver";
import type { PropertyValue } from "../../model/filter.ts";
import { unionMaxDefault } from "../../model/update/element.ts";
import { canonicalInt64 } from "../../model/update/int64.ts";
import { counterOfCell, timeOfCell, timeOfEarliestCell, timeOfLast, valueOfItem, valueOfRegister } from "./cells.ts";
import type { PropertyCells } from "./layout.ts";

/** An element without upsert has `lastSeenMs` -Infinity, one without removal `removedAtMs` -Infinity. */
export interface ElementState {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly removedAtMs: number;
  /** Rows of the present life. */
  readonly rows: readonly types.Row[];
}

export interface LifeBounds {
  readonly ttlMs: number | undefined;
  readonly latenessMs: number;
}

interface SeenRow {
  readonly row: types.Row;
  readonly seenMs: number;
  readonly firstMs: number;
}

export const absentElement: ElementState = {
  firstSeenMs: Infinity,
  lastSeenMs: -Infinity,
  removedAtMs: -Infinity,
  rows: [],
};

/** The state of one element from all its rows, in any order. */
export function elementState(rows: readonly types.Row[], { ttlMs, latenessMs }: LifeBounds): ElementState {
  let removedAtMs = -Infinity;
  const seen: SeenRow[] = [];
  for (const row of rows) {
    const removed = row.get("removed") as Buffer | null;
    if (removed !== null) removedAtMs = Math.max(removedAtMs, timeOfCell(removed));
    const last = row.get("seen") as Buffer | null;
    if (last === null) continue;
    const first = row.get("first") as Buffer;
    seen.push({ row, seenMs: timeOfCell(last), firstMs: timeOfEarliestCell(first) });
  }
  if (seen.length === 0) return { ...absentElement, removedAtMs };
  seen.sort((a, b) => b.seenMs - a.seenMs);
  const gapMaxMs = ttlMs === undefined ? Infinity : ttlMs + 2 * latenessMs;
  const present: types.Row[] = [];
  let firstSeenMs = seen[0]!.firstMs;
  for (const { row, seenMs, firstMs } of seen) {
    if (firstSeenMs - seenMs > gapMaxMs) break;
    firstSeenMs = Math.min(firstSeenMs, firstMs);
    present.push(row);
  }
  return { firstSeenMs, lastSeenMs: seen[0]!.seenMs, removedAtMs, rows: present };
}

/** Whether it is seen by itself; what its ends hide is for who knows them. */
export function isVisible({ lastSeenMs, removedAtMs }: ElementState, { ttlMs }: LifeBounds, nowMs: number): boolean {
  return lastSeenMs > removedAtMs && (ttlMs === undefined || lastSeenMs + ttlMs > nowMs);
}

/** What a reader sees of the property; undefined when nothing. */
export function propertyOf({ column, form, model }: PropertyCells, state: ElementState): PropertyValue {
  if (form === "counter") return counted(column, state);
  if (form === "set")
    return union(column, state)
      ?.slice(0, model.unionMax ?? unionMaxDefault)
      .map((item) => valueOfItem(model, item));
  let greatest: Buffer | undefined;
  for (const row of state.rows) {
    const cell = row.get(column) as Buffer | null;
    if (cell !== null && (greatest === undefined || Buffer.compare(cell, greatest) > 0)) greatest = cell;
  }
  if (greatest === undefined) return undefined;
  if (model.merge === "last" && timeOfLast(greatest) <= state.removedAtMs) return undefined;
  return valueOfRegister(model, greatest);
}

function counted(column: string, { rows }: ElementState): PropertyValue {
  let total: bigint | undefined;
  for (const row of rows) {
    const sources = row.get(column) as ReadonlyMap<string, Buffer> | null;
    for (const cell of sources?.values() ?? []) total = (total ?? 0n) + counterOfCell(cell).absolute;
  }
  return total === undefined ? undefined : canonicalInt64(total);
}

/** Distinct items in encoded order. */
function union(column: string, { rows }: ElementState): readonly Buffer[] | undefined {
  const sets = rows.map((row) => row.get(column) as readonly Buffer[] | null).filter((set) => set !== null);
  if (sets.length < 2) return sets[0];
  return sets
    .flat()
    .sort((a, b) => a.compare(b))
    .filter((item, i, all) => i === 0 || !item.equals(all[i - 1]!));
}
