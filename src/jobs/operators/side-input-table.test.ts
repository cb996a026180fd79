import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { RowReader } from "../plan/side-row.ts";
import { createSideInputTable } from "./side-input-table.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Rows of any bytes but "bad". */
const reader: RowReader = {
  offsetCount: 1,
  read: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)) !== "bad",
};

const arrival = fc.record({
  key: fc.constantFrom("a", "b", "c"),
  row: fc.option(
    fc.string({ minLength: 1, maxLength: 3 }).filter((text) => text !== "bad"),
    { nil: undefined },
  ),
  afterMs: fc.integer({ min: 1, max: 50 }),
});

describe("side-input table", () => {
  test("finds the version as of any time that may still be asked for", () => {
    const scenario = fc.record({
      arrivals: fc.array(arrival, { maxLength: 60 }),
      lagMs: fc.integer({ min: 0, max: 300 }),
    });
    fc.assert(
      fc.property(scenario, ({ arrivals, lagMs }) => {
        let nowMs = 1000;
        const table = createSideInputTable(reader, () => nowMs - lagMs);
        const history: { key: string; row: string | undefined; atMs: number }[] = [];
        for (const { key, row, afterMs } of arrivals) {
          nowMs += afterMs;
          history.push({ key, row, atMs: nowMs });
          const keyBytes = encoder.encode(key);
          if (row === undefined) table.remove(keyBytes, 0, keyBytes.length, nowMs);
          else {
            const rowBytes = encoder.encode(row);
            expect(table.put(keyBytes, 0, keyBytes.length, nowMs, rowBytes, 0, rowBytes.length)).toBe(true);
          }
          for (let askedMs = nowMs - lagMs; askedMs <= nowMs; askedMs += 7) {
            const expected = history.findLast((version) => version.key === key && version.atMs <= askedMs)?.row;
            const found = table.find(keyBytes, 0, keyBytes.length, askedMs);
            expect(found === undefined ? undefined : decoder.decode(found.bytes)).toBe(expected);
          }
        }
        const alive = new Set(
          history.map(({ key }) => key).filter((key) => history.findLast((v) => v.key === key)?.row !== undefined),
        );
        expect(table.rowCount).toBe(alive.size);
      }),
    );
  });

  test("a malformed row changes nothing", () => {
    const table = createSideInputTable(reader, () => 0);
    const put = (row: string, recordMs: number): boolean =>
      table.put(encoder.encode("k"), 0, 1, recordMs, encoder.encode(row), 0, row.length);
    expect(put("one", 1)).toBe(true);
    expect(put("bad", 2)).toBe(false);
    expect(decoder.decode(table.find(encoder.encode("k"), 0, 1, 3)!.bytes)).toBe("one");
  });

  test("memory follows the rows, not their history", () => {
    let nowMs = 0;
    const table = createSideInputTable(reader, () => nowMs);
    for (nowMs = 1; nowMs < 1000; nowMs++) table.put(encoder.encode("k"), 0, 1, nowMs, encoder.encode("row"), 0, 3);
    expect(table.sizeBytes).toBeLessThan(500);
  });
});
