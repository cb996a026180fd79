// Each kind of change, alone, with its class.
import { expect, test } from "vitest";
import { classifyChange, worstClass, type ChangeClass } from "./change.ts";
import { edge, node } from "./define/element.ts";
import { event, sideInput } from "./define/event.ts";
import { t } from "./define/field.ts";
import { defineGraph, type GraphOptions } from "./define/graph.ts";
import { job, type JobOptions } from "./define/job.ts";

interface Variant {
  graph?: string;
  fields?: object;
  event?: object;
  input?: object;
  properties?: object;
  ttl?: "1d" | "2d";
  reversed?: boolean;
  job?: JobOptions;
  emit?: (e: any, s: any) => unknown[];
  where?: boolean;
  map?: () => never[];
  options?: Partial<GraphOptions>;
}

const at = t.timestamp();
const base = {
  id: t.string(),
  other: t.string(),
  note: t.string().optional(),
  n: t.int32(),
  kind: t.enum("a", "b"),
  lines: t.array(t.record({ x: t.int32() })),
};
const properties = { name: t.string(), size: t.int32(), kind: t.enum("a", "b"), tags: t.set(t.string()) };

function graph(variant: Variant = {}) {
  const declared: any = {
    key: "id",
    time: "at",
    fields: { ...base, at, later: t.timestamp(), ...variant.fields },
    ...variant.event,
  };
  const order: any = event("order", dropUndefined(declared));
  const input: any = { key: "id", fields: { id: t.string(), name: t.string(), ...variant.input } };
  const stock = sideInput("stock", input);
  const thing: any = node(
    "thing",
    dropUndefined({ ...properties, ...variant.properties }),
    variant.ttl === undefined ? {} : { ttl: variant.ttl },
  );
  const part = node("part");
  const holds: any = variant.reversed === true ? edge("holds", part, thing) : edge("holds", thing, part);
  let start: any = job(order, variant.job).enrich({ stock: stock.by((e: any) => e.id) });
  if (variant.where === true) start = start.where((e: any) => e.note.isPresent());
  const emit = variant.emit ?? ((e: any) => [thing.upsert(e.id), holds.upsert(e.id, e.id)]);
  const definition = variant.map === undefined ? start.emit(emit) : start.map(variant.map);
  return defineGraph(variant.graph ?? "g", {
    jobs: [definition],
    nodes: [thing, part],
    edges: [holds],
    ...variant.options,
  }).model;
}

/** Also within `fields`: a field that is undefined is not declared. */
function dropUndefined(value: Record<string, any>): any {
  const entries = Object.entries(value).filter(([, content]) => content !== undefined);
  return Object.fromEntries(
    entries.map(([name, content]) => [name, name === "fields" ? dropUndefined(content) : content]),
  );
}

const cases: readonly [Variant, Variant, ChangeClass, string][] = [
  [{}, { graph: "h" }, "breaking", "graph.name"],
  [{}, { fields: { extra: t.string().optional() } }, "compatible", "event order.fields.extra"],
  [{}, { fields: { extra: t.string() } }, "breaking", "event order.fields.extra"],
  [{}, { fields: { note: undefined } }, "breaking", "event order.fields.note"],
  [{}, { fields: { note: t.string() } }, "breaking", "event order.fields.note"],
  [{}, { fields: { other: t.string().optional() } }, "compatible", "event order.fields.other"],
  [{}, { fields: { n: t.int64() } }, "compatible", "event order.fields.n"],
  [{}, { fields: { n: t.double() } }, "compatible", "event order.fields.n"],
  [{ fields: { n: t.int64() } }, { fields: { n: t.double() } }, "breaking", "event order.fields.n"],
  [{}, { fields: { n: t.string() } }, "breaking", "event order.fields.n"],
  [{}, { fields: { kind: t.enum("a", "b", "c") } }, "compatible", "event order.fields.kind"],
  [{}, { fields: { kind: t.enum("b", "a") } }, "needs_backfill", "event order.fields.kind"],
  [{}, { fields: { kind: t.enum("c", "a", "b") } }, "needs_backfill", "event order.fields.kind"],
  [{}, { fields: { kind: t.enum("a") } }, "breaking", "event order.fields.kind"],
  [{}, { fields: { lines: t.array(t.record({ x: t.int64() })) } }, "compatible", "event order.fields.lines[].x"],
  [
    {},
    { fields: { lines: t.array(t.record({ x: t.int32(), y: t.int32() })) } },
    "breaking",
    "event order.fields.lines[].y",
  ],
  [{ fields: { m: t.map(t.int32()) } }, { fields: { m: t.map(t.int64()) } }, "compatible", "event order.fields.m{}"],
  [{}, { event: { key: "other" } }, "breaking", "event order.key"],
  [{}, { event: { time: "later" } }, "needs_backfill", "event order.time"],
  [{}, { event: { id: "note" } }, "compatible", "event order.id"],
  [{}, { event: { dedupHorizon: "2h" } }, "compatible", "event order.dedupHorizon"],
  [{}, { event: { partitions: 2 } }, "compatible", "event order.partitions"],
  [{ event: { partitions: 2 } }, { event: { partitions: 3 } }, "breaking", "event order.partitions"],
  [{}, { event: { retention: { time: "1d" } } }, "compatible", "event order.retention"],
  [{}, { input: { more: t.string().optional() } }, "compatible", "sideInput stock.fields.more"],
  [{}, { input: { name: t.int32() } }, "breaking", "sideInput stock.fields.name"],
  [{}, { properties: { more: t.string() } }, "compatible", "node thing.properties.more"],
  [{}, { properties: { name: undefined } }, "breaking", "node thing.properties.name"],
  [{}, { properties: { name: t.string().merge("first") } }, "needs_backfill", "node thing.properties.name.merge"],
  [{}, { properties: { size: t.int64() } }, "needs_backfill", "node thing.properties.size"],
  [{}, { properties: { size: t.string() } }, "breaking", "node thing.properties.size"],
  [{}, { properties: { kind: t.enum("a", "b", "c") } }, "compatible", "node thing.properties.kind"],
  [{}, { properties: { kind: t.enum("a") } }, "breaking", "node thing.properties.kind"],
  [
    {},
    { properties: { tags: t.set(t.string(), { sizeMax: 5 }) } },
    "needs_backfill",
    "node thing.properties.tags.sizeMax",
  ],
  [{}, { ttl: "1d" }, "compatible", "node thing.ttl"],
  [{ ttl: "2d" }, { ttl: "1d" }, "compatible", "node thing.ttl"],
  [{ ttl: "1d" }, { ttl: "2d" }, "needs_backfill", "node thing.ttl"],
  [{ ttl: "1d" }, {}, "needs_backfill", "node thing.ttl"],
  [{}, { job: { window: "2s" } }, "compatible", "job order.settings"],
  [{}, { where: true }, "needs_backfill", "job order"],
  [{}, { emit: () => [] }, "needs_backfill", "job order"],
  [{ map: () => [] }, { map: () => new Array<never>() }, "needs_backfill", "job order"],
  [{}, { options: { skewMax: "1m" } }, "compatible", "graph.skewMax"],
  [{}, { options: { lateness: "2d" } }, "compatible", "graph.lateness"],
  [{}, { options: { tombstoneGrace: "60d" } }, "compatible", "graph.tombstoneGrace"],
  [{}, { options: { traversals: { since: "ever" } } }, "compatible", "graph.traversals"],
  [
    { options: { traversals: { limit: 5 } } },
    { options: { traversals: { limit: 6 } } },
    "compatible",
    "graph.traversals",
  ],
];

test.each(cases.map(([before, after, kind, place], i) => ({ i, before, after, kind, place })))(
  "$i: $place is $kind",
  ({ before, after, kind, place }) => {
    expect(classifyChange(graph(before), graph(after)).map((change) => [change.place, change.class])).toEqual([
      [place, kind],
    ]);
  },
);

test("nothing changed", () => {
  expect(classifyChange(graph(), graph())).toEqual([]);
  expect(worstClass([])).toBe(undefined);
});

test("declarations come and go", () => {
  const empty = defineGraph("g", { jobs: [] }).model;
  const added = classifyChange(empty, graph());
  expect(added.map(({ place }) => place)).toEqual([
    "event order",
    "sideInput stock",
    "node thing",
    "node part",
    "edge holds",
    "job order",
  ]);
  expect(worstClass(added)).toBe("compatible");
  expect(worstClass(classifyChange(graph(), empty))).toBe("breaking");
  expect(
    classifyChange(graph(), graph({ reversed: true })).filter(({ place }) => place.startsWith("edge")),
  ).toMatchObject([
    { place: "edge holds.from", class: "breaking", what: 'from changed from "thing" to "part"' },
    { place: "edge holds.to", class: "breaking" },
  ]);
});
