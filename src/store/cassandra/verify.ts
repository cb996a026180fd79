// Proves that the four tables of each edge type agree: every edge has its reverse with the same times, and both indexes list it where it is; nothing is listed
// that no edge accounts for. Rows of edges that were seen again since are no difference: they are what the layout leaves behind. Degrees that are kept are
// those that counting finds.
import type { Difference } from "../port.ts";
import { bigintCell } from "./cells.ts";
import { degreeOf } from "./degrees.ts";
import { type ElementState, isVisible } from "./element-state.ts";
import { type EdgeLayout, type ListKind, listsOf, tableOf } from "./layout.ts";
import { partitionOf } from "./partitions.ts";
import type { ReaderParts } from "./reader.ts";
import { stateAt } from "./rows-read.ts";
import { elementsOf, listedIn, type ScannedRow } from "./table-scan.ts";

type Found = readonly Difference[];

export async function* differencesIn(parts: ReaderParts, signal: AbortSignal): AsyncGenerator<Difference> {
  const { rows } = parts;
  for (const edge of rows.layout.edges) {
    const life = rows.lifeOf(edge);
    for await (const page of elementsOf(rows, edge.forward, ["rec", "nb"], [], life, signal)) {
      for (const found of await Promise.all(page.map((each) => forwardDifferences(parts, edge, each, signal))))
        yield* found;
    }
    for await (const page of elementsOf(rows, edge.reverse, ["rec", "nb"], [], life, signal)) {
      for (const found of await Promise.all(page.map((each) => reverseDifferences(parts, edge, each, signal))))
        yield* found;
    }
    const indexes = [
      { table: edge.outgoing, base: edge.forward, isOutgoing: true },
      { table: edge.incoming, base: edge.reverse, isOutgoing: false },
    ];
    for (const { table, base, isOutgoing } of indexes) {
      for await (const page of listedIn(rows, table, signal)) {
        for (const [record, listed] of Map.groupBy(page, (row) => row.record)) {
          const states = await rows.neighbours(
            base,
            edge,
            record,
            listed.map(({ neighbour }) => neighbour),
            [],
            signal,
          );
          for (const { neighbour, seenMs } of listed) {
            if (stateAt(states, neighbour).lastSeenMs >= seenMs) continue;
            const [from, to] = isOutgoing ? [record, neighbour] : [neighbour, record];
            yield difference(edge, from, to, `is listed in ${table} at ${seenMs}, later than it was seen`);
          }
        }
      }
    }
    for (const list of listsOf(edge)) yield* degreeDifferences(parts, list, signal);
  }
}

/** Writers that are at work make differences that are none. */
async function* degreeDifferences(parts: ReaderParts, list: ListKind, signal: AbortSignal): AsyncGenerator<Difference> {
  const { rows, supernodes, counters, clock } = parts;
  const { edge: layout, direction } = list;
  for await (const ids of supernodes.counted(list, signal)) {
    for (const id of ids) {
      const nowMs = clock.now();
      const { count: kept, besides } = await counters.read(list, id, nowMs, signal);
      const options = {
        rows,
        layout,
        direction,
        id,
        removedAtMs: -Infinity,
        neighboursRemoved: false,
        scanMax: Infinity,
      };
      const { count } = await degreeOf({ ...options, nowMs, sinceMs: besides?.untilMs ?? -Infinity }, signal);
      if (count === kept) continue;
      yield { type: layout.name, element: `${direction} ${id}`, what: `has ${count} edges, kept as ${kept}` };
    }
  }
}

async function forwardDifferences(
  { rows, clock }: ReaderParts,
  edge: EdgeLayout,
  { key, state }: ScannedRow,
  signal: AbortSignal,
): Promise<Found> {
  const [from, to] = key as [string, string];
  const found: Difference[] = [];
  const reverse = stateAt(await rows.neighbours(edge.reverse, edge, to, [from], [], signal), from);
  if (!isSame(state, reverse)) found.push(difference(edge, from, to, "differs from its reverse"));
  if (!isVisible(state, rows.lifeOf(edge), clock.now())) return found;
  const places = [
    [edge.outgoing, partitionOf({ edge, direction: "out" }, from, to), to],
    [edge.incoming, partitionOf({ edge, direction: "in" }, to, from), from],
  ] as const;
  for (const [table, partition, neighbour] of places) {
    const query = `SELECT nb FROM ${tableOf(rows.layout, table)} WHERE rec = ? AND seen = ? AND nb = ?`;
    const listed = await rows.session.read(query, [partition, bigintCell(state.lastSeenMs), neighbour], signal);
    if (listed.rows.length === 0) found.push(difference(edge, from, to, `is not listed in ${table}`));
  }
  return found;
}

async function reverseDifferences(
  { rows }: ReaderParts,
  edge: EdgeLayout,
  { key, state }: ScannedRow,
  signal: AbortSignal,
): Promise<Found> {
  const [to, from] = key as [string, string];
  const forward = stateAt(await rows.neighbours(edge.forward, edge, from, [to], [], signal), to);
  return isSame(state, forward) ? [] : [difference(edge, from, to, "has a reverse that differs from it")];
}

function isSame(a: ElementState, b: ElementState): boolean {
  return a.firstSeenMs === b.firstSeenMs && a.lastSeenMs === b.lastSeenMs && a.removedAtMs === b.removedAtMs;
}

function difference({ name }: EdgeLayout, from: string, to: string, what: string): Difference {
  return { type: name, element: `${from} -> ${to}`, what };
}
