// Degrees of records with few edges are counted when they are asked for: a write that reads nothing cannot know whether its edge is new.
import type { Degree, Direction } from "../port.ts";
import { isVisible } from "./element-state.ts";
import { type EdgeLayout, tableOf } from "./layout.ts";
import { wholeRecord } from "./partitions.ts";
import { type RowsRead, statesBy } from "./rows-read.ts";
import { rowColumns } from "./statements.ts";

const pageRows = 2_000;

export interface DegreeOptions {
  readonly rows: RowsRead;
  readonly layout: EdgeLayout;
  readonly direction: Direction;
  readonly id: string;
  /** When the record's own node was removed, or -Infinity. */
  readonly removedAtMs: number;
  /** Whether nodes of the neighbours' type were ever removed. */
  readonly neighboursRemoved: boolean;
  readonly scanMax: number;
  readonly nowMs: number;
  /** Edges seen before are not counted. */
  readonly sinceMs?: number;
}

/** Counts visible neighbours among the first `scanMax` edges. */
export async function degreeOf(options: DegreeOptions, signal: AbortSignal): Promise<Degree> {
  const { rows, layout, direction, id, removedAtMs, neighboursRemoved, scanMax, nowMs, sinceMs = -Infinity } = options;
  const table = direction === "out" ? layout.forward : layout.reverse;
  const there = direction === "out" ? layout.to : layout.from;
  const { where, param } = wholeRecord({ edge: layout, direction }, id);
  const query = `SELECT ${rowColumns(["nb"], [])} FROM ${tableOf(rows.layout, table)} WHERE ${where}`;
  const life = rows.lifeOf(layout);
  let count = 0;
  let scanned = 0;
  let from: string | undefined;
  let held: Awaited<ReturnType<typeof rows.session.read>>["rows"] = [];
  do {
    const rowsMax = Math.min(pageRows, scanMax - scanned + 1);
    const page = await rows.session.read(query, [param], signal, { rowsMax, from });
    from = page.next;
    const states = [...statesBy([...held, ...page.rows], "nb", life)];
    // Rows of the last edge may go on in the next page.
    const [last] = from === undefined ? [] : states.splice(-1);
    const all = [...held, ...page.rows];
    held = last === undefined ? [] : all.filter((row) => row.get("nb") === last[0]);
    const looked = states.slice(0, scanMax - scanned);
    scanned += looked.length;
    const seen = looked.filter(
      ([, state]) => isVisible(state, life, nowMs) && state.lastSeenMs > removedAtMs && state.lastSeenMs >= sinceMs,
    );
    const hidden = neighboursRemoved
      ? await rows.nodeRemovals(
          there,
          seen.map(([nb]) => nb),
          signal,
        )
      : undefined;
    count += seen.filter(([nb, { lastSeenMs }]) => lastSeenMs > (hidden?.get(nb) ?? -Infinity)).length;
    if (looked.length < states.length || (scanned >= scanMax && from !== undefined)) return { count, exact: false };
  } while (from !== undefined);
  return { count, exact: true };
}
