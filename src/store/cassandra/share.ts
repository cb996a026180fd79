// The graph in parts, so that several processes write it: a node belongs to the part that its id says, an edge to that of its origin, with all its rows.
import type { EdgeColumns, NodeColumns, UpdateBatch } from "../../model/update/batch.ts";
import { type BatchIds, idsOfBatch } from "./batch-ids.ts";
import type { GraphLayout } from "./layout.ts";

/** Parts of the graph, 0 to `of` - 1. */
export interface Share {
  readonly parts: readonly number[];
  readonly of: number;
}

export const everything: Share = { parts: [0], of: 1 };

/** FNV-1a: the same for ever, since positions go by it. */
export function partOfId(bytes: Uint8Array, from: number, to: number, of: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193);
  return (hash >>> 0) % of;
}

/** The batch with what belongs to these parts; all other rows say nothing. */
export function ownRows(batch: UpdateBatch, share: Share, layout: GraphLayout): UpdateBatch {
  if (share.parts.length === share.of) return batch;
  const isOwn = ownIds(idsOfBatch(batch, layout.nodes.length), share);
  return {
    ...batch,
    nodes: batch.nodes.map((nodes) => sayingLess(nodes, (row) => isOwn(nodes.type, row))),
    edges: batch.edges.map((edges) => {
      const { from } = layout.edges[edges.type]!;
      return sayingLess(edges, (row) => isOwn(from, edges.from[row]!));
    }),
  };
}

function ownIds(ids: BatchIds, { parts, of }: Share): (type: number, row: number) => boolean {
  const wanted = new Uint8Array(of);
  for (const part of parts) wanted[part] = 1;
  const own = ids.map((column) => {
    if (column === undefined) return undefined;
    const { bytes, starts } = column;
    return Uint8Array.from(
      { length: starts.length - 1 },
      (_, row) => wanted[partOfId(bytes, starts[row]!, starts[row + 1]!, of)]!,
    );
  });
  return (type, row) => own[type]?.[row] === 1;
}

function sayingLess<C extends NodeColumns | EdgeColumns>(columns: C, isOwn: (row: number) => boolean): C {
  const lastSeenMs = columns.lastSeenMs.slice();
  const firstSeenMs = columns.firstSeenMs.slice();
  const removedAtMs = columns.removedAtMs?.slice();
  for (let row = 0; row < columns.count; row++) {
    if (isOwn(row)) continue;
    lastSeenMs[row] = -Infinity;
    firstSeenMs[row] = Infinity;
    if (removedAtMs !== undefined) removedAtMs[row] = -Infinity;
  }
  return { ...columns, lastSeenMs, firstSeenMs, ...(removedAtMs && { removedAtMs }) };
}
