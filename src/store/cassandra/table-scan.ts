// Whole tables, page by page in the order of the ring, as elements: for export, verification and counting. A page is all that is held.
import type { types } from "cassandra-driver";
import { type ElementState, elementState, type LifeBounds } from "./element-state.ts";
import { listOfTable, type PropertyCells, tableOf } from "./layout.ts";
import { recordIn } from "./partitions.ts";
import type { RowsRead } from "./rows-read.ts";
import { rowColumns } from "./statements.ts";

const pageRows = 1_000;
const neverAborted = new AbortController().signal;

export interface ScannedRow {
  /** The id; or the record's and the neighbour's. */
  readonly key: readonly string[];
  /** The same as in the table: of an edge, the partition's and the neighbour's. */
  readonly stored: readonly string[];
  readonly state: ElementState;
  /** Of all its lives, with their slices. */
  readonly all: readonly types.Row[];
}

/** Every element of a table of rows, a page at a time. */
export async function* elementsOf(
  rows: RowsRead,
  table: string,
  keys: readonly string[],
  properties: readonly PropertyCells[],
  life: LifeBounds,
  signal: AbortSignal = neverAborted,
): AsyncGenerator<readonly ScannedRow[]> {
  const query = `SELECT ${rowColumns([...keys, "slice"], properties)} FROM ${tableOf(rows.layout, table)}`;
  const list = listOfTable(rows.layout, table);
  const keyOf = (row: types.Row): string => JSON.stringify(keys.map((name) => row.get(name) as string));
  let from: string | undefined;
  let held: readonly types.Row[] = [];
  do {
    const page = await rows.session.read(query, [], signal, { rowsMax: pageRows, from });
    from = page.next;
    const groups = [...Map.groupBy([...held, ...page.rows], keyOf)];
    // Rows of the last element may go on in the next page.
    held = from === undefined ? [] : (groups.pop()?.[1] ?? []);
    yield groups.map(([key, all]) => {
      const stored = JSON.parse(key) as string[];
      return {
        key: list === undefined ? stored : [recordIn(list, stored[0]!), stored[1]!],
        stored,
        state: elementState(all, life),
        all,
      };
    });
  } while (from !== undefined);
}

export interface ListedRow {
  readonly partition: string;
  readonly record: string;
  readonly neighbour: string;
  readonly seenMs: number;
}

/** Every row of an index, a page at a time. */
export async function* listedIn(
  rows: RowsRead,
  table: string,
  signal: AbortSignal = neverAborted,
): AsyncGenerator<readonly ListedRow[]> {
  const list = listOfTable(rows.layout, table)!;
  const query = `SELECT rec, seen, nb FROM ${tableOf(rows.layout, table)}`;
  let from: string | undefined;
  do {
    const page = await rows.session.read(query, [], signal, { rowsMax: pageRows, from });
    from = page.next;
    yield page.rows.map((row) => {
      const [partition, seen, neighbour] = row.values() as [string, types.Long, string];
      return { partition, record: recordIn(list, partition), neighbour, seenMs: seen.toNumber() };
    });
  } while (from !== undefined);
}

const countedMax = 10_000;
const ring = 2n ** 64n;
const ringStart = -(2n ** 63n);

/**
 * How many elements a table holds: counted up to 10,000, beyond that estimated from the part of the ring that those took.
 * @param keys names of the columns that tell elements apart, the partition's first
 */
export async function countOf(rows: RowsRead, table: string, keys: readonly [string, ...string[]]): Promise<number> {
  const [partition] = keys;
  const query = `SELECT token(${partition}) AS at, ${keys.join(", ")} FROM ${tableOf(rows.layout, table)}`;
  let from: string | undefined;
  let count = 0;
  let scanned = 0;
  let before = "";
  let at: types.Long | undefined;
  do {
    const page = await rows.session.read(query, [], neverAborted, { rowsMax: pageRows, from });
    from = page.next;
    for (const row of page.rows) {
      const key = JSON.stringify(keys.map((name) => row.get(name) as string));
      if (key !== before) count++;
      before = key;
      at = row.get("at") as types.Long;
    }
    scanned += page.rows.length;
  } while (from !== undefined && scanned < countedMax);
  if (from === undefined || at === undefined) return count;
  const covered = BigInt(at.toString()) - ringStart;
  return covered <= 0n ? count : Math.round((count * Number(ring)) / Number(covered));
}
