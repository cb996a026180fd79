// Forgets what is expired or was removed long enough ago, row by row in small steps.
//
// `horizonMs` is the time of publication up to which frames were applied, never the clock ahead of it: so a restart that replays old frames forgets nothing that a
// later frame of the log goes on with. Removed edges, and edges that the removal of a node hides, are forgotten before the node's removal is.
import type { EdgeType } from "./edge-type.ts";
import type { ElementType } from "./element-type.ts";
import type { Graph } from "./graph.ts";
import type { NodeType } from "./node-type.ts";
import type { RetiredNodes } from "./retired-nodes.ts";
import { rowShift } from "./rows.ts";

export interface Purged {
  nodes: number;
  edges: number;
  /** Removals older than the grace period of elements that live on. */
  removals: number;
}

const stepRows = 256;

/** Walks all rows; after each step the graph is whole and others may change it. */
export function* purgeSteps(graph: Graph, retired: RetiredNodes, horizonMs: number, purged: Purged): Generator<void> {
  const removedBeforeMs = horizonMs - graph.model.tombstoneGraceMs;
  for (const type of graph.edges) {
    for (let row = 0; row < type.rows.count; row++) {
      if (row % stepRows === stepRows - 1) yield;
      if (!type.rows.isFree(row)) purgeEdge(type, row, horizonMs, removedBeforeMs, purged);
    }
  }
  for (const type of graph.nodes) {
    for (let row = 0; row < type.rows.count; row++) {
      if (row % stepRows === stepRows - 1) yield;
      if (!type.isGone(row)) purgeNode(type, row, horizonMs, removedBeforeMs, retired, purged);
    }
  }
}

function purgeEdge(type: EdgeType, row: number, horizonMs: number, removedBeforeMs: number, purged: Purged): void {
  const removedAtMs = type.rows.removedAtMs(row);
  if (isEdgeOver(type, row, horizonMs, removedBeforeMs)) {
    type.forget(row);
    purged.edges++;
  } else if (removedAtMs !== -Infinity && removedAtMs <= removedBeforeMs) forgetRemoval(type, row, purged);
}

/** An edge that its own removal hides goes with that removal, whatever became of its ends since: it must not come back without it. */
function isEdgeOver(type: EdgeType, row: number, horizonMs: number, removedBeforeMs: number): boolean {
  const lastSeenMs = type.rows.lastSeenMs(row);
  const removedAtMs = type.rows.removedAtMs(row);
  if (lastSeenMs <= removedAtMs) return removedAtMs <= removedBeforeMs;
  const endsRemovedAtMs = type.endsRemovedAtMs(row);
  return lastSeenMs > endsRemovedAtMs ? lastSeenMs + type.afreshMs <= horizonMs : endsRemovedAtMs <= removedBeforeMs;
}

function purgeNode(
  type: NodeType,
  row: number,
  horizonMs: number,
  removedBeforeMs: number,
  retired: RetiredNodes,
  purged: Purged,
): void {
  const lastSeenMs = type.rows.lastSeenMs(row);
  const removedAtMs = type.rows.removedAtMs(row);
  const isRemovalOver = removedAtMs !== -Infinity && removedAtMs <= removedBeforeMs;
  const isOver = lastSeenMs > removedAtMs ? lastSeenMs + type.afreshMs <= horizonMs : isRemovalOver;
  if (isOver) {
    type.rows.pages.touch(row >>> rowShift);
    type.startAfresh(row);
    purged.nodes++;
  }
  if (isRemovalOver) forgetRemoval(type, row, purged);
  const isEmpty = type.rows.lastSeenMs(row) === -Infinity && type.rows.removedAtMs(row) === -Infinity;
  if (isEmpty && type.holders(row) === 0) {
    type.unlink(row);
    retired.retire(type, row);
  }
}

function forgetRemoval(type: ElementType, row: number, purged: Purged): void {
  type.rows.pages.touch(row >>> rowShift);
  type.forgetRemoval(row);
  purged.removals++;
}
