// Applies a batch to the graph, in slices of rows between which the event loop has its turn. Hot path: nothing is allocated per row.
//
// A slice first resolves its rows (ids, edges), then merges times and lists, then each property's column. Between slices every element is whole, so
// readers may look; of a batch that is being applied they may see the part that is done.
import type { EdgeColumns, NodeColumns, UpdateBatch } from "../../model/update/batch.ts";
import type { EdgeType } from "./edge-type.ts";
import type { ElementType } from "./element-type.ts";
import type { Graph } from "./graph.ts";
import type { NodeType } from "./node-type.ts";
import { rowShift } from "./rows.ts";

const sliceRows = 256;
/** A slice ends early when it had to copy so much for a checkpoint: copying 4 MB takes about a millisecond. */
const sliceCopiedBytesMax = 4 << 20;
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
  const { bytes, starts } = columns.ids;
  const { lastSeenMs, firstSeenMs, removedAtMs } = columns;
  const copiedBytesMax = graph.epoch.copiedBytes + sliceCopiedBytesMax;
  const { pages } = type.rows;
  const stop = Math.min(start + sliceRows, columns.count);
  let end = start;
  for (; end < stop && graph.epoch.copiedBytes <= copiedBytesMax; end++) {
    const row = type.intern(bytes, starts[end]!, starts[end + 1]!);
    rows[end] = row;
    const isUpsert = lastSeenMs[end] !== -Infinity;
    const isRemoval = removedAtMs !== undefined && removedAtMs[end] !== -Infinity;
    if (isUpsert || isRemoval) pages.touch(row >>> rowShift);
  }
  for (let i = start; i < end; i++) {
    if (lastSeenMs[i] !== -Infinity) type.see(rows[i]!, firstSeenMs[i]!, lastSeenMs[i]!);
    if (removedAtMs !== undefined && removedAtMs[i] !== -Infinity) type.remove(rows[i]!, removedAtMs[i]!);
  }
  applyProperties(type, columns, rows, start, end);
  return end;
}

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
  const copiedBytesMax = graph.epoch.copiedBytes + sliceCopiedBytesMax;
  const { pages } = type.rows;
  const stop = Math.min(start + sliceRows, columns.count);
  let end = start;
  for (; end < stop && graph.epoch.copiedBytes <= copiedBytesMax; end++) {
    const row = type.intern(fromRows[from[end]!]!, toRows[to[end]!]!);
    rows[end] = row;
    pages.touch(row >>> rowShift);
  }
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
