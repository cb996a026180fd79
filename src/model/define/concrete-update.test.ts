// Updates of map functions: what is read from them, what is refused.
import { expect, test } from "vitest";
import streaming, { account, device, hasProfile, profile, title, watched } from "../../../examples/streaming/graph.ts";
import type { GraphModel } from "../definition.ts";
import { compileConcreteUpdates } from "./concrete-update.ts";
import { node } from "./element.ts";
import { event } from "./event.ts";
import { t } from "./field.ts";
import { when } from "./functions.ts";
import { defineGraph } from "./graph.ts";
import { job } from "./job.ts";

const everything = node("everything", {
  text: t.string(),
  small: t.int32(),
  big: t.int64(),
  weight: t.double(),
  flag: t.boolean(),
  time: t.timestamp(),
  blob: t.bytes(),
  kind: t.enum("a", "b"),
  n: t.counter(),
  times: t.set(t.timestamp()),
  list: t.array(t.int64()),
  map: t.map(t.timestamp()),
  place: t.record({ ["__proto__"]: t.string(), at: t.timestamp().optional(), city: t.string().optional() }),
});
const model: GraphModel = {
  ...streaming.model,
  nodes: [...streaming.model.nodes, everything.model],
};
const read = compileConcreteUpdates(model);
const untyped = (value: unknown): any => value;
const code = (returned: unknown): unknown => {
  try {
    return read(returned);
  } catch (error) {
    return (error as { code: string }).code;
  }
};

test("updates are data with indexes of types and properties", () => {
  expect(
    read([
      account.upsert("a1", { firstCountry: "NL" }),
      [title.remove("t1"), [profile.upsert("p1")]],
      watched.upsert("p1", "t1", { positionMs: 5n, plays: 2, furthestMs: undefined }),
      hasProfile.remove("a1", "p1"),
    ]),
  ).toEqual({
    skipped: 0,
    updates: [
      { kind: "upsertNode", type: 0, id: "a1", properties: ["NL"] },
      { kind: "removeNode", type: 2, id: "t1" },
      { kind: "upsertNode", type: 3, id: "p1", properties: [] },
      { kind: "upsertEdge", type: 2, from: "p1", to: "t1", properties: [5, undefined, 2] },
      { kind: "removeEdge", type: 0, from: "a1", to: "p1" },
    ],
  });
});

test("values take the form that stores and filters know", () => {
  const place = Object.fromEntries([
    ["__proto__", "x"],
    ["at", new Date(7)],
    ["city", null],
  ]) as never;
  const { updates } = read([
    everything.upsert("e", {
      text: "x",
      small: -0,
      big: 2n ** 60n,
      weight: -0,
      flag: false,
      time: new Date(5),
      blob: Uint8Array.of(1),
      kind: "b",
      n: 3n,
      times: [new Date(1), new Date(2)],
      list: [1n, 2n ** 60n],
      map: { a: new Date(3) },
      place,
    }),
    everything.upsert("e", { times: new Date(1) as never, text: null, place: null }),
  ]);
  const [first, second] = updates as readonly { properties: readonly unknown[] }[];
  const readPlace = first!.properties[12] as object;
  expect(first!.properties.slice(0, 12)).toEqual([
    "x",
    0,
    2n ** 60n,
    0,
    false,
    5,
    Uint8Array.of(1),
    "b",
    3,
    [1, 2],
    [1, 2n ** 60n],
    { a: 3 },
  ]);
  expect(Object.entries(readPlace)).toEqual([
    ["__proto__", "x"],
    ["at", 7],
  ]);
  expect(second!.properties.slice(0, 1)).toEqual([null]);
  expect(second!.properties.slice(9)).toEqual([[1], undefined, undefined, null]);
});

test("updates without an id are skipped and counted", () => {
  const returned = [
    account.upsert(""),
    untyped(account).upsert(undefined),
    hasProfile.upsert("a", ""),
    untyped(hasProfile).remove(null, "p"),
    account.upsert("a"),
  ];
  expect(read(returned)).toMatchObject({ skipped: 4, updates: [{ id: "a" }] });
});

test("generators and sets are lists too", () => {
  function* run() {
    yield account.upsert("a");
    yield profile.upsert("p");
  }
  expect(read(run()).updates).toHaveLength(2);
  expect(read(new Set([account.upsert("a")])).updates).toHaveLength(1);
});

const unknownType = node("unknown");
const orderEvent = event("o", { key: "k", time: "at", fields: { k: t.string(), at: t.timestamp() } });
let symbolic: unknown;
job(orderEvent).emit((e) => [account.upsert((symbolic = e.k))]);

const refused: readonly [string, () => unknown][] = [
  ["bad_update", () => undefined],
  ["bad_update", () => account.upsert("a")],
  ["bad_update", () => "text"],
  ["bad_update", () => Promise.resolve([])],
  ["bad_update", () => [5]],
  ["bad_update", () => [untyped(when)(true, [])]],
  ["bad_update", () => Array.from({ length: 10_001 }, () => account.upsert("a"))],
  ["unknown_type", () => [unknownType.upsert("x")]],
  ["unknown_property", () => [untyped(account).upsert("a", { nope: 1 })]],
  ["unknown_property", () => [untyped(account).upsert("a", { ["__proto__"]: 1 })]],
  ["bad_id", () => [untyped(account).upsert(5)]],
  ["bad_id", () => [untyped(account).upsert(symbolic)]],
  ["bad_id", () => [account.upsert("\ud800")]],
  ["bad_id", () => [account.upsert("é".repeat(513))]],
  ["bad_value", () => [untyped(account).upsert("a", { firstCountry: 5 })]],
  ["bad_value", () => [untyped(account).upsert("a", { firstCountry: symbolic })]],
  ["bad_value", () => [untyped(title).upsert("t", { kind: "series" })]],
  ["bad_value", () => [untyped(watched).upsert("p", "t", { plays: null })]],
  ["bad_value", () => [untyped(watched).upsert("p", "t", { plays: 0.5 })]],
  ["bad_value", () => [untyped(device).upsert("d", { countries: ["NL", 5] })]],
  ["bad_value", () => [device.upsert("d", { countries: Array.from({ length: 10_001 }, () => "x") })]],
];

test.each(refused.map(([expected, returned], i) => ({ i, expected, returned })))(
  "$i: $expected",
  ({ expected, returned }) => {
    expect(code(returned())).toBe(expected);
  },
);

test("types of map functions are part of the graph when they are named", () => {
  const graph = defineGraph("g", {
    jobs: [job(orderEvent).map((e) => [unknownType.upsert(e.k)])],
    nodes: [unknownType],
  });
  const run = graph.maps.get("o") as (event: unknown) => unknown;
  expect(compileConcreteUpdates(graph.model)(run({ k: "x" })).updates).toEqual([
    { kind: "upsertNode", type: 0, id: "x", properties: [] },
  ]);
});
