// Map jobs: the same calls and results as compiled plans, with a user's function in the middle.
import { describe, expect, test } from "vitest";
import { encodeRecord } from "../../../test/plan/avro.ts";
import { createRecordingSink } from "../../../test/plan/recording-sink.ts";
import { edge, node } from "../../model/define/element.ts";
import { event } from "../../model/define/event.ts";
import { t } from "../../model/define/field.ts";
import { defineGraph } from "../../model/define/graph.ts";
import { job } from "../../model/define/job.ts";
import type { CompiledJob } from "./compiled-job.ts";
import { compileJob, type JobOptions } from "./compiler.ts";
import { compileMapJob, type MapFunction } from "./map-job.ts";
import { badUpdate, filtered, functionFailed, malformedRecord, mapped, timeInFuture } from "./result.ts";

const order = event("order", {
  key: "customer",
  time: "at",
  id: "number",
  fields: {
    customer: t.string(),
    number: t.string().optional(),
    lines: t.array(t.record({ sku: t.string(), quantity: t.int32() })),
    total: t.int64(),
    at: t.timestamp(),
  },
});
const customer = node("customer", { lastTotal: t.int64(), orders: t.counter(), skus: t.set(t.string()) });
const item = node("item", {
  kind: t.enum("a", "b"),
  flag: t.boolean(),
  weight: t.double(),
  seen: t.timestamp(),
  blob: t.bytes(),
  name: t.string(),
  numbers: t.set(t.int64()),
  kinds: t.set(t.enum("x", "y")),
  blobs: t.set(t.bytes()),
  list: t.array(t.int64()),
  place: t.record({ city: t.string(), zip: t.string().optional() }),
});
const bought = edge("bought", customer, item, { properties: { quantity: t.int32() } });

const graph = defineGraph("orders", {
  jobs: [
    job(order)
      .where((e) => e.total.gte(0))
      .map(() => []),
  ],
  nodes: [customer, item],
  edges: [bought],
});
const noRows: JobOptions = { side: () => ({ find: () => undefined }) };
const { model } = graph;
const [definition] = model.jobs;
const at = 1_700_000_000_000;
const first = {
  customer: "c1",
  number: "n1",
  lines: [
    { sku: "s1", quantity: 2 },
    { sku: "s2", quantity: 3 },
  ],
  total: 2n ** 60n,
  at,
};

function run(compiled: CompiledJob, change: object = {}): { readonly result: number; readonly updates: unknown } {
  const sink = createRecordingSink(model);
  const bytes = encodeRecord(model.events[0]!.fields, { ...first, ...change });
  const result = compiled.process(bytes, 0, bytes.length, at, sink);
  if (result !== mapped) expect(sink.calls).toBe(0);
  return { result, updates: sink.updates };
}

const compile = (map: MapFunction): CompiledJob => compileMapJob(model, definition!, map, noRows);

test("gives the function a decoded event and writes what it returns", () => {
  const given: unknown[] = [];
  const compiled = compile((e) => {
    given.push(e);
    return [
      customer.upsert("c1", { lastTotal: 2n ** 60n, orders: 2, skus: ["s1", "s2"] }),
      [customer.remove("Zoë"), bought.remove("c1", "s1")],
      bought.upsert("c1", "s2", { quantity: -3 }),
      item.upsert(undefined as never),
    ];
  });
  const { result, updates } = run(compiled);
  expect(result).toBe(mapped);
  expect(given).toStrictEqual([{ ...first, at: new Date(at) }]);
  expect(updates).toStrictEqual([
    {
      kind: "upsertNode",
      type: 0,
      ids: ["c1"],
      timeMs: at,
      properties: [
        { property: 0, value: 2n ** 60n },
        { property: 1, value: 2 },
        { property: 2, value: "s1" },
        { property: 2, value: "s2" },
      ],
    },
    { kind: "removeNode", type: 0, ids: ["Zoë"], timeMs: at, properties: [] },
    { kind: "removeEdge", type: 0, ids: ["c1", "s1"], timeMs: at, properties: [] },
    { kind: "upsertEdge", type: 0, ids: ["c1", "s2"], timeMs: at, properties: [{ property: 0, value: -3 }] },
  ]);
  expect(compiled.counts).toStrictEqual({ emitted: 4, skipped: 1 });
  expect(
    Buffer.from(encodeRecord(model.events[0]!.fields, first))
      .subarray(compiled.found.idStart, compiled.found.idEnd)
      .toString(),
  ).toBe("n1");
});

test("writes values of every type, nulls and long texts", () => {
  const long = "é".repeat(5000);
  const values = {
    kind: "b",
    flag: true,
    weight: -0.5,
    seen: new Date(at),
    blob: Uint8Array.of(0, 255),
    name: long,
    numbers: [1, 2n ** 60n],
    kinds: ["y", "x"],
    blobs: [new Uint8Array(0), new Uint8Array(300).fill(7)],
    list: [1n, -1n],
    place: { city: "Köln" },
  } as const;
  const nulls = Object.fromEntries(Object.keys(values).map((name) => [name, null]));
  const compiled = compile(() => [item.upsert("i", values), item.upsert("i", nulls)]);
  const { result, updates } = run(compiled);
  expect(result, compiled.explain(result)).toBe(mapped);
  const contributions = (updates as { properties: { value: unknown }[] }[]).map(({ properties }) =>
    properties.map((p) => p.value),
  );
  expect(contributions[0]).toEqual([
    "b", true, -0.5, at, Uint8Array.of(0, 255), long, 1, 2n ** 60n, "y", "x", new Uint8Array(0), new Uint8Array(300).fill(7),
    [1, -1], { city: "Köln" },
  ]); // prettier-ignore
  expect(contributions[1]).toEqual(Object.keys(values).map(() => null));
});

test("runs the job's steps and checks before the function", () => {
  let calls = 0;
  const compiled = compile(() => {
    calls++;
    return [];
  });
  expect(run(compiled, { total: -1n }).result).toBe(filtered);
  expect(run(compiled, { at: at + 300_001 }).result).toBe(timeInFuture);
  expect(compiled.explain(timeInFuture)).toMatch(/ahead of its receipt/u);
  const sink = createRecordingSink(model);
  expect(compiled.process(Uint8Array.of(2), 0, 1, at, sink)).toBe(malformedRecord);
  expect(compiled.explain(malformedRecord)).toMatch(/ends too early/u);
  expect(calls).toBe(0);
  expect(run(compiled).result).toBe(mapped);
  expect(calls).toBe(1);
});

describe("quarantines the event, with the cause", () => {
  const failing = (): never => {
    throw new TypeError("no such thing");
  };
  const cases: readonly (readonly [string, MapFunction, number, RegExp])[] = [
    ["when the function throws", failing, functionFailed, /map function failed: no such thing/u],
    [
      "when it throws while it yields, after good updates",
      function* () {
        yield customer.upsert("c1");
        failing();
      },
      functionFailed,
      /no such thing/u,
    ],
    ["when it returns no list", () => 7, badUpdate, /no list of updates/u],
    ["when it returns a promise", () => Promise.resolve([]), badUpdate, /no list of updates/u],
    ["when it returns garbage in a list", () => [customer.upsert("c1"), { id: "c1" }], badUpdate, /not an update/u],
    ["when an id is too long", () => [customer.upsert("c1"), customer.upsert("x".repeat(1025))], badUpdate, /1024/u],
    ["when an id is no well-formed text", () => [customer.upsert("\ud800")], badUpdate, /lone surrogate/u],
    ["when a value is of another type", () => [bought.upsert("a", "b", { quantity: 2.5 })], badUpdate, /quantity/u],
    ["when a property does not exist", () => [customer.upsert("a", { nope: 1 } as never)], badUpdate, /nope/u],
    ["when the type is of no graph", () => [node("stranger").upsert("a")], badUpdate, /stranger/u],
  ];
  test.each(cases)("%s", (_, map, expected, cause) => {
    const compiled = compile(map);
    expect(run(compiled).result).toBe(expected);
    expect(compiled.explain(expected)).toMatch(cause);
    expect(compiled.counts).toStrictEqual({ emitted: 0, skipped: 0 });
  });
});

test("does what the same updates as a plan do", () => {
  const planned = defineGraph("orders", {
    jobs: [
      job(order).emit((e) => [
        customer.upsert(e.customer, { lastTotal: e.total, orders: 1 }),
        e.lines.each((line) => [
          bought.upsert(e.customer, line.sku, { quantity: line.quantity }),
          item.upsert(line.sku),
        ]),
      ]),
    ],
  });
  const byPlan = compileJob(planned.model, planned.model.jobs[0]!, noRows);
  const map = (e: typeof first): unknown => [
    customer.upsert(e.customer, { lastTotal: e.total, orders: 1 }),
    ...e.lines.map(({ sku, quantity }) => [bought.upsert(e.customer, sku, { quantity }), item.upsert(sku)]),
  ];
  const byFunction = compileMapJob(
    planned.model,
    { ...planned.model.jobs[0]!, output: { kind: "map", source: String(map) } },
    map,
    noRows,
  );
  for (const change of [{}, { lines: [] }, { customer: "" }, { lines: [{ sku: "", quantity: 1 }, first.lines[0]!] }]) {
    const bytes = encodeRecord(planned.model.events[0]!.fields, { ...first, ...change });
    const [one, two] = [byPlan, byFunction].map((compiled) => {
      const sink = createRecordingSink(planned.model);
      expect(compiled.process(bytes, 0, bytes.length, at, sink)).toBe(mapped);
      return { updates: sink.updates, counts: { ...compiled.counts } };
    });
    expect(two).toStrictEqual(one);
  }
  expect(byFunction.printSource()).toContain("customer.upsert");
});
