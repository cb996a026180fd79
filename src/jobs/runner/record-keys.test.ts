// Keys of a team's records against a naive table that knows which row came under which key.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { RecordKeys } from "./record-keys.ts";

/** No row comes under two keys of records, but keys of rows are called like keys of other records. */
const rowKeys: Readonly<Record<string, readonly string[]>> = {
  a: ["a1", "b", "a2"],
  b: ["b1", "c"],
  c: ["a", "c1"],
  d: ["d", "d1"],
};
const steps = fc.array(
  fc
    .constantFrom(...Object.keys(rowKeys))
    .chain((record) =>
      fc.record({ record: fc.constant(record), row: fc.constantFrom(undefined, ...rowKeys[record]!) }),
    ),
  { maxLength: 40 },
);

test("rows are there as long as the record's key has them, whatever they are called", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const table = new Set<string>();
      const keys = new RecordKeys((key) => table.has(Buffer.from(key).toString()));
      const byRecord = new Map<string, string>();
      for (const { record, row } of taken) {
        const gone =
          row === undefined ? keys.remove(Buffer.from(record)) : keys.put(Buffer.from(record), Buffer.from(row));
        if (gone !== undefined) table.delete(Buffer.from(gone).toString());
        if (row === undefined) byRecord.delete(record);
        else {
          table.add(row);
          byRecord.set(record, row);
        }
        expect([...table].sort()).toEqual([...byRecord.values()].sort());
      }
      const differ = [...byRecord].filter(([record, row]) => record !== row);
      expect(keys.sizeBytes > 0).toBe(differ.length > 0);
    }),
  );
});

test("a row that came again without a key is not removed under the old one", () => {
  const keys = new RecordKeys(() => false);
  keys.put(Buffer.from("k"), Buffer.from("row"));
  expect(keys.put(undefined, Buffer.from("row"))).toBeUndefined();
  expect(keys.remove(Buffer.from("k"))).toBeUndefined();
});
