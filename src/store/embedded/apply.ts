// Applies a batch to the graph, in slices of rows between which the event loop has its turn. Hot path: nothing is allocated per row.
//
// A slice first resolves its rows (ids, edges), then merges times and lists, then each property's column. Between slices every element is whole, so
// readers may look; of a batch that is being applied they may see the part that is done.
import type { EdgeColumns, NodeColumns, UpdateBatch } from "../../model/update/batch.ts";
import type { EdgeType } from "./edge-type.ts";
import type { ElementType } from "./element-type.ts";
import type { Graph } from "./graph.ts";
import { type NodeType, sliceRows } from "./node-type.ts";
import { rowShift } from "./rows.ts";

/** A slice ends early when it had to copy so much for a checkpoint: copying 1 MB takes about a quarter of a millisecond. */
const sliceCopiedBytesMax = 1 << 20;
const noRows = new Uint32Array(0);

/** Applies a batch that `assertFits` has accepted. Asks after each slice what to wait for before the next one. */
export async function applyBatch(
  graph: Graph,
  batch: UpdateBatch,
  between: () => Promise<void> | undefined,
): Promise<void> {
  const nodeRows = graph.nodes.map(() => noRows);
  for (const columns of batch.nodes) {
    const rows = new Uint32Array(columns.count);
    nodeRows[columns.type] = rows;
    for (let start = 0; start < columns.count;) {
      start = applyNodes(graph, graph.nodes[columns.type]!, columns, rows, start);
      const wait = between();
      if (wait !== undefined) await wait;
    }
  }
  const edgeRows = new Uint32Array(batch.edges.reduce((most, { count }) => Math.max(most, count), 0));
  for (const columns of batch.edges) {
    const type = graph.edges[columns.type]!;
    const fromRows = nodeRows[type.from.index]!;
    const toRows = nodeRows[type.to.index]!;
    for (let start = 0; start < columns.count;) {
      start = applyEdges(graph, type, columns, fromRows, toRows, edgeRows, start);
      const wait = between();
      if (wait !== undefined) await wait;
    }
  }
}

/** Applies a slice that begins at `start`; returns where the next one begins. */
function applyNodes(graph: Graph, type: NodeType, columns: NodeColumns, rows: Uint32Array, start: number): number {
  const { lastSeenMs, firstSeenMs, removedAtMs } = columns;
  let end = Math.min(start + sliceRows, columns.count);
  type.internAll(columns.ids, rows, start, end);
  end = touchRows(graph, type, rows, start, end);
  for (let i = start; i < end; i++) {
    if (lastSeenMs[i] !== -Infinity) type.see(rows[i]!, firstSeenMs[i]!, lastSeenMs[i]!);
    if (removedAtMs !== undefined && removedAtMs[i] !== -Infinity) type.remove(rows[i]!, removedAtMs[i]!);
  }
  applyProperties(type, columns, rows, start, end);
  return end;
}

const fromOfSlice = new Uint32Array(sliceRows);
const toOfSlice = new Uint32Array(sliceRows);

function applyEdges(
  graph: Graph,
  type: EdgeType,
  columns: EdgeColumns,
  fromRows: Uint32Array,
  toRows: Uint32Array,
  rows: Uint32Array,
  start: number,
): number {
  const { from, to, lastSeenMs, firstSeenMs, removedAtMs } = columns;
  let end = Math.min(start + sliceRows, columns.count);
  for (let i = start; i < end; i++) {
    fromOfSlice[i - start] = fromRows[from[i]!]!;
    toOfSlice[i - start] = toRows[to[i]!]!;
  }
  type.internAll(fromOfSlice, toOfSlice, rows, start, end);
  end = touchRows(graph, type, rows, start, end);
  type.out.approach(fromOfSlice, end - start);
  type.in.approach(toOfSlice, end - start);
  for (let i = start; i < end; i++) {
    const row = rows[i]!;
    const oldLastMs = type.rows.lastSeenMs(row);
    const wasListed = type.isListed(row);
    if (lastSeenMs[i] !== -Infinity) type.see(row, firstSeenMs[i]!, lastSeenMs[i]!);
    if (removedAtMs !== undefined && removedAtMs[i] !== -Infinity) type.remove(row, removedAtMs[i]!);
    type.relist(row, oldLastMs, wasListed);
  }
  applyProperties(type, columns, rows, start, end);
  return end;
}

/** Makes the rows safe to write; returns where the slice ends when that made it copy too much for one turn. */
function touchRows(graph: Graph, type: ElementType, rows: Uint32Array, start: number, end: number): number {
  const copiedBytesMax = graph.epoch.copiedBytes + sliceCopiedBytesMax;
  const { pages } = type.rows;
  for (let i = start; i < end; i++) {
    pages.touch(rows[i]! >>> rowShift);
    if (graph.epoch.copiedBytes > copiedBytesMax) return i + 1;
  }
  return end;
}

function applyProperties(
  type: ElementType,
  columns: NodeColumns | EdgeColumns,
  rows: Uint32Array,
  start: number,
  end: number,
): void {
  for (const [i, property] of type.properties.entries()) {
    const column = columns.properties[i];
    if (column === undefined) continue;
    const usualMs = type.model.properties[i]!.merge === "first" ? columns.firstSeenMs : columns.lastSeenMs;
    property.apply(column, rows, start, end, usualMs);
  }
}
