// Where the edges of a record lie. Usually in one partition, under the record's id; of an edge type whose records may become very large, in as many buckets
// as the settings say, by the neighbour's hash: `<bucket>:<id>`. Each edge lies in one of them, so exactness is the same, and what is asked of a record is
// asked of all its buckets at once (docs/adr/0129).
import { RdgError } from "../../core/errors.ts";
import { hashBytes } from "../../core/hash.ts";
import type { Buckets, ListKind } from "./layout.ts";

export const bucketsOf = ({ edge, direction }: ListKind): number => edge.buckets[direction];

const bucketsMax = 256;

/** @throws RdgError invalid, `bad_buckets` */
export function checkBuckets(buckets: Buckets): void {
  for (const [name, byDirection] of Object.entries(buckets)) {
    const counts = Object.values(byDirection);
    if (counts.every((count) => Number.isInteger(count) && count >= 1 && count <= bucketsMax)) continue;
    throw new RdgError("invalid", "bad_buckets", `"${name}" has ${counts.join(", ")} buckets.`, {
      place: `buckets.${name}`,
      hint: `Say 1 to ${bucketsMax} for each direction ("out", "in").`,
    });
  }
}

/** The bucket of an edge, by its neighbour's id in UTF-8. */
export function bucketOf(list: ListKind, neighbour: Uint8Array): number {
  return hashBytes(neighbour, 0, neighbour.length) % bucketsOf(list);
}

export const inBucket = (bucket: number, record: string): string => `${bucket}:${record}`;

/** Key of the partition of one edge. */
export function partitionOf(list: ListKind, record: string, neighbour: string): string {
  return bucketsOf(list) === 1 ? record : inBucket(bucketOf(list, Buffer.from(neighbour)), record);
}

/** Keys of all partitions of a record. */
export function partitionsOf(list: ListKind, record: string): readonly string[] {
  const buckets = bucketsOf(list);
  return buckets === 1 ? [record] : Array.from({ length: buckets }, (_, bucket) => inBucket(bucket, record));
}

/** The record of a partition. */
export function recordIn(list: ListKind, partition: string): string {
  return bucketsOf(list) === 1 ? partition : partition.slice(partition.indexOf(":") + 1);
}

/** The condition that names all partitions of a record, and its parameter. */
export function wholeRecord(
  list: ListKind,
  record: string,
): { readonly where: string; readonly param: string | readonly string[] } {
  return bucketsOf(list) === 1
    ? { where: "rec = ?", param: record }
    : { where: "rec IN ?", param: partitionsOf(list, record) };
}
