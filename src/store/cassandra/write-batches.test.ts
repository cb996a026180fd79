// How statements are put into batches, and how those that were given up are kept for repair.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { sizeOf, type WriteStatement } from "./frame-writes.ts";
import { decodeRepair, encodeRepair } from "./repair-queue.ts";
import { batchesOf } from "./write-batches.ts";

const statement = fc
  .record({ query: fc.constantFrom("A", "B"), bytes: fc.integer({ min: 0, max: 300 }) })
  .map(({ query, bytes }): WriteStatement => ({ query, params: [Buffer.alloc(bytes), undefined, "s"], counts: false }));
const partition = fc.record({
  key: fc.constantFrom("a", "b", "c", "d").map((key) => Buffer.from(key)),
  statements: fc.array(statement, { maxLength: 6 }),
});

test("every statement is in one batch, within the bounds, with those for the same replicas only", () => {
  const replicasOf = (key: Buffer): string => (key.toString() < "c" ? "one two" : "two three");
  fc.assert(
    fc.property(
      fc.array(partition),
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      (partitions, statementsMax, grouped) => {
        const bytesMax = 400;
        const batches = [...batchesOf(partitions, { statementsMax, bytesMax }, grouped ? replicasOf : undefined)];
        const all = partitions.flatMap(({ statements }) => statements);
        expect(new Set(batches.flat())).toEqual(new Set(all));
        expect(batches.flat()).toHaveLength(all.length);
        for (const batch of batches) {
          expect(batch.length).toBeLessThanOrEqual(statementsMax);
          if (batch.length > 1)
            expect(batch.reduce((sum, each) => sum + sizeOf(each), 0)).toBeLessThanOrEqual(bytesMax);
          const replicas = partitions
            .filter(({ statements }) => statements.some((each) => batch.includes(each)))
            .map(({ key }) => replicasOf(key));
          if (grouped) expect(new Set(replicas).size).toBe(1);
        }
      },
    ),
  );
});

test("writes for repair are read as they were written", () => {
  const bytes = fc.uint8Array({ maxLength: 4 }).map((value) => Buffer.from(value));
  const param = fc.oneof(bytes, fc.string(), fc.constant(undefined), fc.array(bytes, { minLength: 1, maxLength: 3 }));
  fc.assert(
    fc.property(fc.array(fc.record({ query: fc.string(), params: fc.array(param) })), (statements) => {
      expect(decodeRepair(encodeRepair(statements))).toEqual(statements);
    }),
  );
  expect(() => decodeRepair(Buffer.from('{"format":2}'))).toThrow(expect.objectContaining({ code: "bad_repair" }));
});
