// Ids of a batch's nodes as bytes and as text, and the slices of its rows.
import type { BytesColumn, UpdateBatch } from "../../model/update/batch.ts";

/** Ids by node type; undefined for types that the batch does not mention. */
export type BatchIds = readonly (BytesColumn | undefined)[];

export function idsOfBatch(batch: UpdateBatch, nodeTypes: number): BatchIds {
  const ids: (BytesColumn | undefined)[] = Array.from({ length: nodeTypes });
  for (const nodes of batch.nodes) ids[nodes.type] = nodes.ids;
  return ids;
}

/** Shares the batch's memory. */
export function idBytesAt(ids: BatchIds, type: number, row: number): Buffer {
  const { bytes, starts } = ids[type]!;
  return Buffer.from(bytes.buffer, bytes.byteOffset + starts[row]!, starts[row + 1]! - starts[row]!);
}

export const idAt = (ids: BatchIds, type: number, row: number): string => idBytesAt(ids, type, row).toString();

/** Start of the span of one ttl in which the time lies: two times of one slice are never of different lives. */
export function sliceOf(timeMs: number, ttlMs: number | undefined): number {
  return ttlMs === undefined ? 0 : Math.floor(timeMs / ttlMs) * ttlMs;
}
