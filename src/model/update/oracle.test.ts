import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { accountProperties, arbitraryAccountUpdate, arbitraryModel } from "../../../test/update-algebra/arbitrary.ts";
import type { PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { type Element, mergeElements, type Update } from "./element.ts";
import { elementOf, graphOf, keyOf, presentLife, visibleElement, visibleGraph } from "./oracle.ts";

const counterNames = accountProperties.filter(({ merge }) => merge === "sum").map(({ name }) => name);
const updates = fc.array(arbitraryAccountUpdate, { maxLength: 12 });
const element = updates.map((list) => elementOf(accountProperties, list));
const merge = (a: Element, b: Element): Element => mergeElements(accountProperties, a, b);

function withoutCounters(element: Element): Element {
  const properties = { ...element.properties };
  for (const name of counterNames) delete properties[name];
  return { ...element, properties };
}

describe("merging", () => {
  it("is associative", () => {
    fc.assert(
      fc.property(element, element, element, (a, b, c) => {
        expect(merge(a, merge(b, c))).toEqual(merge(merge(a, b), c));
      }),
    );
  });
  it("is commutative", () => {
    fc.assert(
      fc.property(element, element, (a, b) => {
        expect(merge(a, b)).toEqual(merge(b, a));
      }),
    );
  });
  it("is idempotent, counters aside", () => {
    fc.assert(
      fc.property(element, element, (a, b) => {
        expect(withoutCounters(merge(merge(a, b), b))).toEqual(withoutCounters(merge(a, b)));
      }),
    );
  });
  it("of single updates in any order is what the whole set means", () => {
    const shuffled = updates.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, ([list, reordered]) => {
        const merged = reordered
          .map((update) => elementOf(accountProperties, [update]))
          .reduce(merge, { properties: Object.create(null) });
        expect(merged).toEqual(elementOf(accountProperties, list));
      }),
    );
  });
  it("of repeated updates changes nothing, counters aside", () => {
    fc.assert(
      fc.property(updates, (list) => {
        const twice = elementOf(accountProperties, [...list, ...list]);
        expect(withoutCounters(twice)).toEqual(withoutCounters(elementOf(accountProperties, list)));
      }),
    );
  });
});

function account(timeMs: number, properties: Readonly<Record<string, PropertyValue>>): Update {
  return { kind: "node", type: "account", id: "a", timeMs, operation: "upsert", properties };
}
function removal(timeMs: number): Update {
  return { kind: "node", type: "account", id: "a", timeMs, operation: "remove" };
}
function property(merge: PropertyModel["merge"], given: readonly (readonly [number, PropertyValue])[]): PropertyValue {
  const properties: readonly PropertyModel[] = [{ name: "p", type: { kind: "string" }, merge, unionMax: 2 }];
  const list = given.map(([timeMs, value]) => account(timeMs, { p: value }));
  return elementOf(properties, list).properties["p"]?.value;
}

describe("policies", () => {
  it("last: the greatest time; at equal times the greater value, any value above null", () => {
    expect(
      property("last", [
        [2, "a"],
        [1, "z"],
      ]),
    ).toBe("a");
    expect(
      property("last", [
        [1, "a"],
        [1, "b"],
      ]),
    ).toBe("b");
    expect(
      property("last", [
        [1, "a"],
        [1, null],
      ]),
    ).toBe("a");
    expect(
      property("last", [
        [1, "a"],
        [2, null],
      ]),
    ).toBe(null);
  });
  it("first: the least time; at equal times the smaller value, null below any", () => {
    expect(
      property("first", [
        [2, "a"],
        [1, "z"],
      ]),
    ).toBe("z");
    expect(
      property("first", [
        [1, "a"],
        [1, "b"],
      ]),
    ).toBe("a");
    expect(
      property("first", [
        [1, "a"],
        [1, null],
      ]),
    ).toBe(null);
  });
  it("min and max: by value, whatever the time; null is the least", () => {
    expect(
      property("min", [
        [1, "b"],
        [2, "a"],
      ]),
    ).toBe("a");
    expect(
      property("min", [
        [1, "b"],
        [2, null],
      ]),
    ).toBe(null);
    expect(
      property("max", [
        [1, "b"],
        [2, null],
      ]),
    ).toBe("b");
    expect(
      property("max", [
        [1, "\u{ffff}"],
        [2, "\u{1f600}"],
      ]),
    ).toBe("\u{1f600}");
  });
  it("union: the smallest items, and says when it is cut", () => {
    expect(
      property("union", [
        [1, ["b"]],
        [2, ["a", "b"]],
      ]),
    ).toEqual(["a", "b"]);
    const properties: readonly PropertyModel[] = [{ name: "p", type: { kind: "string" }, merge: "union", unionMax: 2 }];
    expect(elementOf(properties, [account(1, { p: ["c", "b"] }), account(1, { p: ["a"] })]).properties["p"]).toEqual({
      value: ["a", "b"],
      cut: true,
    });
    expect(property("union", [[1, []]])).toBe(undefined);
  });
  it("sum wraps at 64 bits", () => {
    const properties: readonly PropertyModel[] = [{ name: "p", type: { kind: "int64" }, merge: "sum" }];
    const sum = elementOf(properties, [account(1, { p: 2n ** 63n - 1n }), account(1, { p: 1 })]).properties["p"];
    expect(sum).toEqual({ value: -(2n ** 63n) });
  });
  it("absent says nothing", () => {
    expect(
      property("last", [
        [1, "a"],
        [2, undefined],
      ]),
    ).toBe("a");
    expect(property("last", [[2, undefined]])).toBe(undefined);
  });
});

describe("what is visible", () => {
  const properties: readonly PropertyModel[] = [
    { name: "l", type: { kind: "string" }, merge: "last" },
    { name: "f", type: { kind: "string" }, merge: "first" },
    { name: "n", type: { kind: "int64" }, merge: "sum" },
  ];
  const see = (list: readonly Update[], view = {}): ReturnType<typeof visibleElement> =>
    visibleElement(properties, elementOf(properties, list), { nowMs: 100, ...view });
  const full = { l: "x", f: "x", n: 1 };

  it("hides a removed element until it is seen strictly later", () => {
    expect(see([account(1, full), removal(1)])).toBe(undefined);
    expect(see([removal(1)])).toBe(undefined);
    expect(see([account(1, full), removal(2), account(3, {})])).toEqual({
      firstSeenMs: 1,
      lastSeenMs: 3,
      properties: { f: "x", n: 1 },
      cut: [],
    });
  });
  it("hides `last` values from before the removal, shows later ones", () => {
    expect(see([account(3, { l: "y" }), account(1, full), removal(2)])?.properties).toEqual({ l: "y", f: "x", n: 1 });
  });
  it("expires when the ttl is over, to the millisecond", () => {
    expect(see([account(90, {})], { ttlMs: 10 })).toBe(undefined);
    expect(see([account(91, {})], { ttlMs: 10 })).toBeDefined();
  });
  it("hides an edge that was not seen since either end was removed", () => {
    expect(see([account(5, {})], { endsRemovedAtMs: [undefined, 5] })).toBe(undefined);
    expect(see([account(5, {})], { endsRemovedAtMs: [4, undefined] })).toBeDefined();
    expect(see([account(1, full), account(5, {})], { endsRemovedAtMs: [4, 4] })?.properties).toEqual(full);
  });
  it("knows a graph: an end that was never upserted hides nothing, a removed one does", () => {
    const edge = (to: string): Update => ({
      kind: "edge",
      type: "uses",
      from: "a",
      to,
      timeMs: 1,
      operation: "upsert",
      properties: {},
    });
    const removed: Update = { kind: "node", type: "device", id: "d2", timeMs: 1, operation: "remove" };
    const graph = graphOf(arbitraryModel, [edge("d1"), edge("d2"), removed]);
    expect([...visibleGraph(arbitraryModel, graph, 0).keys()]).toEqual([keyOf(edge("d1"))]);
  });
  it("starts afresh after a gap beyond the ttl and twice the lateness", () => {
    const list = [account(200, {}), account(0, full), account(50, {}), account(201, {})];
    expect(presentLife(list, 100, 20).map(({ timeMs }) => timeMs)).toEqual([200, 201]);
    expect(presentLife(list, 110, 20)).toHaveLength(4);
  });
});
