// Cuts writes into batches: those of one partition stay together, and those for the same replicas, so that the node that gets a batch need not pass it on.
import { type PartitionWrites, sizeOf, type WriteStatement } from "./frame-writes.ts";
import type { Statement } from "./session.ts";

export interface BatchBounds {
  readonly statementsMax: number;
  readonly bytesMax: number;
}

/** @param replicasOf names the replicas of a key; missing where there is one node */
export function* batchesOf(
  partitions: readonly PartitionWrites[],
  bounds: BatchBounds,
  replicasOf?: (key: Buffer) => string,
): Generator<readonly WriteStatement[]> {
  const groups =
    replicasOf === undefined ? [partitions] : Map.groupBy(partitions, ({ key }) => replicasOf(key)).values();
  for (const group of groups) yield* inBatches(statementsOf(group), bounds);
}

export function* statementsOf(partitions: readonly PartitionWrites[]): Generator<WriteStatement> {
  for (const { statements } of partitions) yield* statements;
}

/** The statements in order, in batches within the bounds; a statement that is larger by itself is alone in its batch. */
export function* inBatches<S extends Statement>(
  statements: Iterable<S>,
  { statementsMax, bytesMax }: BatchBounds,
): Generator<readonly S[]> {
  let batch: S[] = [];
  let bytes = 0;
  for (const statement of statements) {
    const size = sizeOf(statement);
    if (batch.length > 0 && (batch.length === statementsMax || bytes + size > bytesMax)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(statement);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
