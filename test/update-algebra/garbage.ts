// What decoding of damaged packed batches may do: refuse, or yield a batch that is whole.
import { expect } from "vitest";
import { RdgError } from "../../src/core/errors.ts";
import type { BytesColumn, PropertyColumn } from "../../src/model/update/batch.ts";
import { decodeUpdateBatch } from "../../src/model/update/codec.ts";

/** Decoding may refuse as corrupt or yield some batch: never another error, never a column that is shorter than its rows. */
export function decodeGarbage(bytes: Uint8Array): void {
  try {
    const batch = decodeUpdateBatch(bytes, 64 * 1024 * 1024);
    for (const rows of [...batch.nodes, ...batch.edges]) {
      const whole = rows.lastSeenMs.length === rows.count && rows.firstSeenMs.length === rows.count;
      if (!whole || !rows.properties.every((property) => isWhole(property, rows.count)))
        expect.fail("a column is short");
    }
  } catch (error) {
    if (!(error instanceof RdgError) || !["update_batch_damaged", "update_batch_version"].includes(error.code))
      throw error;
  }
}

function isWhole(property: PropertyColumn | undefined, count: number): boolean {
  if (property === undefined) return true;
  if (property.form === "bytes") return isWholeBytes(property.values, count);
  if (property.form !== "set") return property.values.length === count;
  return property.starts.length === count + 1 && isWholeBytes(property.items, property.starts[count]!);
}

function isWholeBytes({ bytes, starts }: BytesColumn, count: number): boolean {
  return starts.length === count + 1 && starts[count]! <= bytes.length;
}
