import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  arbitraryModel,
  arbitraryUpdate,
  arbitraryUpdateOf,
  modelOfType,
} from "../../../test/update-algebra/arbitrary.ts";
import { hashPair } from "../../core/hash.ts";
import { decodeUpdateBatch } from "../../model/update/codec.ts";
import type { Update } from "../../model/update/element.ts";
import { type ElementGraph, graphOf, graphOfElements, keyOf } from "../../model/update/oracle.ts";
import { type UpdateRow, updateRows } from "../../model/update/rows.ts";
import { writeUpdate } from "../../model/update/write-update.ts";
import { createMergeWindow, type MergeWindow } from "./merge-window.ts";

function rowsOf(packed: Uint8Array | undefined, model = arbitraryModel): UpdateRow[] {
  return packed === undefined ? [] : [...updateRows(model, decodeUpdateBatch(packed))];
}

function fill(window: MergeWindow, updates: readonly Update[], model = arbitraryModel): void {
  for (const update of updates) writeUpdate(model, window.sink, update);
  window.countEvents(updates.length);
}

function sorted(graph: ElementGraph): unknown[] {
  return [...graph].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, element]) => element);
}

const windows = fc.array(fc.array(arbitraryUpdate, { maxLength: 30, size: "max" }), { maxLength: 4 });

describe("the merge window", () => {
  it("publishes, in however many windows, what the oracle says of all updates", () => {
    const window = createMergeWindow(arbitraryModel);
    fc.assert(
      fc.property(windows, (cuts) => {
        const rows = cuts.flatMap((updates) => {
          fill(window, updates);
          return rowsOf(window.take());
        });
        expect(sorted(graphOfElements(arbitraryModel, rows))).toEqual(sorted(graphOf(arbitraryModel, cuts.flat())));
      }),
      { numRuns: 150 },
    );
  });

  const kinds = [
    "string",
    "int32",
    "int64",
    "double",
    "boolean",
    "timestamp",
    "bytes",
    "enum",
    "array",
    "map",
  ] as const;
  it.each(kinds)("merges %s values as the oracle does, where many meet", (kind) => {
    const model = modelOfType(kind);
    const window = createMergeWindow(model);
    fc.assert(
      fc.property(fc.array(arbitraryUpdateOf(model), { maxLength: 60, size: "max" }), (updates) => {
        fill(window, updates, model);
        const graph = graphOfElements(model, rowsOf(window.take(), model));
        expect(sorted(graph)).toEqual(sorted(graphOf(model, updates)));
      }),
      { numRuns: 60 },
    );
  });

  it("orders int64 exactly where doubles cannot, in every pair of values and either order", () => {
    const model = modelOfType("int64");
    const window = createMergeWindow(model);
    const values = [
      null,
      0,
      2 ** 53 - 1,
      2n ** 53n,
      2n ** 53n + 1n,
      -(2n ** 53n),
      -(2n ** 53n) - 1n,
      2n ** 63n - 1n,
      2n ** 63n - 2n,
    ];
    const names = model.nodes[0]!.properties.filter(({ merge }) => merge !== "sum" && merge !== "union").map(
      ({ name }) => name,
    );
    const updates = values.flatMap((a) =>
      values.flatMap((b) =>
        [a, b].map((value): Update => {
          const properties = Object.fromEntries(names.map((name) => [name, value]));
          return { kind: "node", type: "account", id: `${a} then ${b}`, timeMs: 1, operation: "upsert", properties };
        }),
      ),
    );
    fill(window, updates, model);
    const graph = graphOfElements(model, rowsOf(window.take(), model));
    expect(sorted(graph)).toEqual(sorted(graphOf(model, updates)));
  });

  it("tells edges apart whose ends have the same hash", () => {
    expect(hashPair(594, 40)).toBe(hashPair(588, 86));
    const updates = [edgeBetween(594, 40), edgeBetween(588, 86), edgeBetween(594, 40)];
    const window = createMergeWindow(arbitraryModel);
    const mention = (type: number, id: string): number => {
      const bytes = new TextEncoder().encode(id);
      return window.sink.nodes[type]!.intern(bytes, 0, bytes.length);
    };
    for (let i = 0; i < 640; i++) {
      expect(mention(0, String(i))).toBe(i);
      expect(mention(1, String(i))).toBe(i);
    }
    fill(window, updates);
    expect(rowsOf(window.take())).toHaveLength(2);
  });

  it("states no times where every contribution has its element's own", () => {
    const window = createMergeWindow(arbitraryModel);
    const updates = ["a", "b", "c"].map((id, i): Update => {
      const properties = id === "b" ? {} : { last_string: id, first_int64: i, last_double: i };
      return { kind: "node", type: "account", id, timeMs: i, operation: "upsert", properties };
    });
    fill(window, updates);
    const columns = decodeUpdateBatch(window.take()!).nodes[0]!.properties.filter((column) => column !== undefined);
    expect(columns).toHaveLength(3);
    for (const column of columns) expect(column).not.toHaveProperty("timesMs");
  });

  it("publishes each element once per window, and counts what it merged", () => {
    const window = createMergeWindow(arbitraryModel);
    fc.assert(
      fc.property(fc.array(arbitraryUpdate, { maxLength: 40 }), (updates) => {
        fill(window, updates);
        const distinct = new Set(updates.map(keyOf)).size;
        expect(window.isEmpty).toBe(updates.length === 0);
        expect(window.eventCount).toBe(updates.length);
        expect(window.mergedCount).toBe(updates.length - distinct);
        expect(window.keyCount).toBeGreaterThanOrEqual(distinct);
        const packed = window.take();
        expect(packed === undefined).toBe(updates.length === 0);
        if (packed !== undefined) expect(decodeUpdateBatch(packed).eventCount).toBe(updates.length);
        expect(rowsOf(packed)).toHaveLength(distinct);
        expect([window.isEmpty, window.eventCount, window.keyCount, window.sizeBytes]).toEqual([true, 0, 0, 0]);
      }),
    );
  });

  it("publishes nothing for events without updates, and forgets them", () => {
    const window = createMergeWindow(arbitraryModel);
    window.countEvents(5);
    expect(window.isEmpty).toBe(true);
    expect(window.take()).toBe(undefined);
    expect(window.eventCount).toBe(0);
  });

  it("grows by thousands of rows, and is as good afterwards for a few", () => {
    const window = createMergeWindow(arbitraryModel);
    for (const count of [3000, 2, 700, 1]) {
      const updates = Array.from({ length: count }, (_, i): Update => edgeUpdate(i));
      fill(window, updates);
      expect(window.sizeBytes).toBeGreaterThan(count * 100);
      const graph = graphOfElements(arbitraryModel, rowsOf(window.take()));
      expect(sorted(graph)).toEqual(sorted(graphOf(arbitraryModel, updates)));
    }
  });

  it("keeps the smallest items of a set when many more come in any order", () => {
    const window = createMergeWindow(arbitraryModel);
    const items = Array.from({ length: 700 }, (_, i) => String((i * 263) % 700));
    const updates = items.map((item): Update => {
      const properties = {
        union_wide: [item],
        union_int64: [Number(item) - 350],
        union_boolean: [Number(item) % 2 === 0],
      };
      return { kind: "node", type: "account", id: "a", timeMs: 1, operation: "upsert", properties };
    });
    fill(window, updates);
    const rows = rowsOf(window.take());
    expect(rows[0]?.properties["union_wide"]).toMatchObject({ cut: true });
    expect(rows[0]?.properties["union_wide"]?.value).toHaveLength(256);
    expect(sorted(graphOfElements(arbitraryModel, rows))).toEqual(sorted(graphOf(arbitraryModel, updates)));
  });
});

function edgeBetween(from: number, to: number): Update {
  const ends = { from: String(from), to: String(to) };
  return { kind: "edge", type: "uses", ...ends, timeMs: 1, operation: "upsert", properties: {} };
}

function edgeUpdate(i: number): Update {
  const properties = {
    last_string: `value ${i % 5}`,
    first_bytes: new Uint8Array([i, i >>> 8]),
    max_double: i / 3,
    min_int64: i % 7 === 0 ? 2n ** 60n + BigInt(i) : i,
    union_string: [`${i % 3}`, `${i % 50}`],
    total: i,
  };
  return {
    kind: "edge",
    type: "uses",
    from: `a${i % 999}`,
    to: `d${i}`,
    timeMs: 1_700_000_000_000 + i,
    operation: "upsert",
    properties,
  };
}
