// The list of one record, newest first, page by page, from a cursor on and between bounds in time.
import type { types } from "cassandra-driver";
import type { AdjacencyCursor } from "../port.ts";
import { bigintCell } from "./cells.ts";
import { type ListKind, tableOf } from "./layout.ts";
import { bucketsOf, wholeRecord } from "./partitions.ts";
import type { RowsRead } from "./rows-read.ts";
import type { Page, Parameter } from "./session.ts";

export interface ListOptions {
  readonly rows: RowsRead;
  readonly list: ListKind;
  readonly id: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly after: AdjacencyCursor | undefined;
  /** Rows of the next page, asked when it is read. */
  readonly rowsMax: () => number;
  readonly signal: AbortSignal;
}

export interface Listed {
  readonly id: string;
  readonly seenMs: number;
}

export interface ListPage {
  readonly listed: readonly Listed[];
  readonly isLast: boolean;
}

interface Range {
  readonly query: string;
  readonly params: readonly Parameter[];
}

export async function* pagesOfList(options: ListOptions): AsyncGenerator<ListPage> {
  const { rows, list, rowsMax, signal } = options;
  let ranges = rangesOf(options, options.after);
  if (bucketsOf(list) === 1) {
    for (const [place, { query, params }] of ranges.entries()) {
      let from: string | undefined;
      do {
        const page: Page = await rows.session.read(query, params, signal, { rowsMax: rowsMax(), from });
        from = page.next;
        yield { listed: page.rows.map(listedOf), isLast: place === ranges.length - 1 && from === undefined };
      } while (from !== undefined);
    }
    return;
  }
  // The server puts the buckets into one order, and cannot page then: the next page begins behind the last row.
  for (let place = 0; place < ranges.length;) {
    const { query, params } = ranges[place]!;
    const limit = rowsMax();
    const ordered = `${query} ORDER BY seen DESC, nb ASC LIMIT ?`;
    const listed = (await rows.session.read(ordered, [...params, limit], signal)).rows.map(listedOf);
    const last = listed.length < limit ? undefined : listed.at(-1);
    yield { listed, isLast: place === ranges.length - 1 && last === undefined };
    if (last === undefined) place++;
    else {
      ranges = rangesOf(options, { lastSeenMs: last.seenMs, neighbour: last.id });
      place = 0;
    }
  }
}

/** The spans of the index that are walked, one after the other. */
function rangesOf(
  { rows, list, id, sinceMs, untilMs }: ListOptions,
  after: AdjacencyCursor | undefined,
): readonly Range[] {
  const { edge, direction } = list;
  const table = tableOf(rows.layout, direction === "out" ? edge.outgoing : edge.incoming);
  const { where, param } = wholeRecord(list, id);
  const select = `SELECT seen, nb FROM ${table} WHERE ${where}`;
  const below = (beforeMs: number): Range => ({
    query: `${select} AND seen < ? AND seen >= ?`,
    params: [param, boundCell(beforeMs), boundCell(sinceMs)],
  });
  if (after === undefined || after.lastSeenMs >= untilMs) return [below(untilMs)];
  const tied = `${select} AND seen = ? AND nb > ?`;
  return [{ query: tied, params: [param, boundCell(after.lastSeenMs), after.neighbour] }, below(after.lastSeenMs)];
}

function listedOf(row: types.Row): Listed {
  return { id: row.get("nb") as string, seenMs: (row.get("seen") as types.Long).toNumber() };
}

/** A bound on whole milliseconds. */
function boundCell(timeMs: number): Buffer {
  return bigintCell(Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Math.ceil(timeMs))));
}
