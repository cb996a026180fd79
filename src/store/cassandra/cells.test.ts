// Cells are compared by Cassandra as bytes: the greater bytes must be what the policy keeps.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import { batchOfElements } from "../../model/update/batch-of-elements.ts";
import type { PropertyColumn } from "../../model/update/batch.ts";
import { mergeElements, type PropertyState } from "../../model/update/element.ts";
import { conformanceGraph } from "../conformance-graph.ts";
import {
  counterCell,
  counterOfCell,
  earliestCell,
  registerCell,
  timeCell,
  timeOfCell,
  timeOfEarliestCell,
  timeOfLast,
  valueOfRegister,
} from "./cells.ts";

const values: readonly (readonly [ValueType, fc.Arbitrary<PropertyValue>])[] = [
  [
    { kind: "string" },
    fc.oneof(fc.string({ unit: "binary", maxLength: 4 }), fc.constantFrom("", "\0", "\0\0", "a", "a\0")),
  ],
  [{ kind: "bytes" }, fc.uint8Array({ maxLength: 3, max: 2 })],
  [{ kind: "int64" }, fc.constantFrom<PropertyValue>(0, -1, 1, 2n ** 63n - 1n, -(2n ** 63n), -4294967297)],
  [{ kind: "double" }, fc.constantFrom(-1.5, -0, 0.25, 1e300, -1e-300)],
  [{ kind: "boolean" }, fc.boolean()],
];
const times = fc.constantFrom(-8_640_000_000_000, -1, 0, 1, 1_700_000_000_000);
const policies = ["last", "first", "min", "max"] as const;

test("of two cells of a register the greater bytes hold what the policy keeps", () => {
  const scenario = fc.constantFrom(...values).chain(([type, value]) => {
    const given = fc.record({ value: fc.oneof({ arbitrary: value, weight: 4 }, fc.constant(null)), timeMs: times });
    return fc.tuple(fc.constant(type), fc.constantFrom(...policies), given, given);
  });
  fc.assert(
    fc.property(scenario, ([type, merge, a, b]) => {
      const property: PropertyModel = { name: "p", type, merge };
      const states = [a, b].map(({ value, timeMs }) =>
        merge === "last" || merge === "first" ? { value, timeMs } : { value },
      );
      const [one, other] = states.map((state) => cellOf(property, state)) as [Buffer, Buffer];
      const kept = mergeElements([property], elementWith(states[0]!), elementWith(states[1]!)).properties["p"]!;
      const greater = one.compare(other) >= 0 ? one : other;
      expect(greater.equals(cellOf(property, kept))).toBe(true);
      expect(valueOfRegister(property, greater)).toEqual(Object.is(kept.value, -0) ? 0 : kept.value);
      if (merge === "last") expect(timeOfLast(greater)).toBe(kept.timeMs);
    }),
    { numRuns: 500 },
  );
});

test("times are kept by their order, before 1970 too; counters by their offset", () => {
  fc.assert(
    fc.property(times, times, (a, b) => {
      expect([timeOfCell(timeCell(a)), timeOfEarliestCell(earliestCell(a))]).toEqual([a, a]);
      expect(Math.sign(timeCell(a).compare(timeCell(b)))).toBe(Math.sign(a - b));
      expect(Math.sign(earliestCell(a).compare(earliestCell(b)))).toBe(Math.sign(b - a));
    }),
  );
  expect(counterOfCell(counterCell(7, -3n))).toEqual({ offset: 7, absolute: -3n });
  expect(counterCell(300, -5n).compare(counterCell(299, 9n))).toBe(1);
});

function elementWith(state: PropertyState) {
  return { properties: { p: state } };
}

function cellOf(property: PropertyModel, state: PropertyState): Buffer {
  const model = { ...conformanceGraph, nodes: [{ name: "n", properties: [property] }], edges: [] };
  const timeMs = state.timeMs ?? 0;
  const element = { firstSeenMs: timeMs, lastSeenMs: timeMs, properties: { p: state } };
  const batch = batchOfElements(model, [{ kind: "node", type: "n", id: "x", ...element }]);
  const column = batch.nodes[0]!.properties[0] as Extract<PropertyColumn, { form: "number" | "int64" | "bytes" }>;
  return registerCell(property, column, 0, timeMs)!;
}
