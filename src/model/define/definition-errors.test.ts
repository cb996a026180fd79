// Every way to get a definition wrong: its code, where it is, and that a remedy is named. Mostly what JavaScript users meet; the compiler refuses most of it.
import { expect, test } from "vitest";
import { RdgError } from "../../core/errors.ts";
import { edge, node } from "./element.ts";
import { event, sideInput } from "./event.ts";
import { t } from "./field.ts";
import { count, when } from "./functions.ts";
import { defineGraph } from "./graph.ts";
import { job } from "./job.ts";

const fields = {
  id: t.string(),
  at: t.timestamp(),
  n: t.int64(),
  kind: t.enum("a", "b"),
  lines: t.array(t.string()),
  maybe: t.string().optional(),
  ok: t.boolean(),
  w: t.double(),
  s: t.int32(),
  deep: t.record({ x: t.string() }),
};
const order = event("order", { key: "id", time: "at", fields });
const other = event("other", { key: "id", time: "at", fields });
const thing = node("thing", {
  text: t.string(),
  n: t.int64(),
  kind: t.enum("a", "b"),
  c: t.counter(),
  tags: t.set(t.string()),
  s: t.int32(),
  days: t.set(t.timestamp()),
  list: t.array(t.string()),
});
const stock = sideInput("stock", { key: "sku", fields: { sku: t.string() } });

/** What a JavaScript user may call: anything with anything. */
const untyped = (value: unknown): any => value;
const declared = (options: object): unknown => untyped(event)("e", { key: "id", time: "at", fields, ...options });
const emitting = (run: (e: any) => unknown): unknown => untyped(job(order)).emit(run);
const upserting = (properties: (e: any) => object): unknown =>
  emitting((e) => [untyped(thing).upsert(e.id, properties(e))]);
const nested = (depth: number): any => (depth === 0 ? t.string() : t.array(nested(depth - 1)));

const cases: readonly [code: string, place: string, run: () => unknown][] = [
  // Names
  ["bad_name", "event", () => untyped(event)("1st", {})],
  ["bad_name", "event", () => untyped(event)("a.b", {})],
  ["bad_name", "node", () => untyped(node)(undefined)],
  ["bad_name", "graph", () => untyped(defineGraph)("a b", { jobs: [] })],
  ["name_too_long", "event", () => untyped(event)("e".repeat(201), {})],
  ["bad_name", "event e > fields.é", () => declared({ fields: { ...fields, é: t.string() } })],
  [
    "name_too_long",
    `event e > fields.${"f".repeat(256)}`,
    () => declared({ fields: { ...fields, ["f".repeat(256)]: t.string() } }),
  ],
  ["bad_name", "node n > properties.a-b", () => node("n", { "a-b": t.string() })],
  // Fields
  ["no_fields", "event e", () => declared({ fields: {} })],
  ["bad_object", "event e", () => declared({ fields: undefined })],
  ["bad_object", "event e", () => declared({ fields: { __proto__: fields } })],
  ["bad_object", "event e", () => declared({ fields: [t.string()] })],
  ["not_a_field", "event e > fields.x", () => declared({ fields: { ...fields, x: "string" } })],
  ["merge_of_field", "event e > fields.x", () => declared({ fields: { ...fields, x: t.counter() } })],
  ["merge_of_field", "event e > fields.x", () => declared({ fields: { ...fields, x: t.string().merge("first") } })],
  ["nested_too_deep", "event e > fields.x", () => declared({ fields: { ...fields, x: nested(17) } })],
  [
    "too_many_fields",
    "event e",
    () => declared({ fields: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`f${i}`, t.string()])) }),
  ],
  ["no_fields", "record", () => t.record({})],
  ["bad_item", "", () => untyped(t).array(t.string().optional())],
  ["bad_item", "", () => untyped(t).map(t.counter())],
  ["bad_set", "", () => untyped(t).set(t.array(t.string()))],
  ["unknown_option", "", () => untyped(t).set(t.string(), { size: 5 })],
  ["out_of_range", "sizeMax", () => t.set(t.string(), { sizeMax: 0 })],
  ["bad_enum", "", () => t.enum()],
  ["bad_enum", "", () => t.enum("a", "b", "a")],
  ["bad_enum", "", () => t.enum(...Array.from({ length: 257 }, (_, i) => `s${i}`))],
  ["bad_name", "", () => t.enum("a-b")],
  ["bad_merge_policy", "", () => untyped(t.double()).merge("sum")],
  ["bad_merge_policy", "", () => untyped(t.string()).merge("newest")],
  ["bad_merge_policy", "", () => untyped(t.record({ a: t.string() })).merge("max")],
  ["bad_merge_policy", "", () => untyped(t.set(t.string())).merge("last")],
  ["optional_property", "node n > properties.x", () => untyped(node)("n", { x: t.string().optional() })],
  // Events and side inputs
  ["missing_key", "event e > key", () => declared({ key: undefined })],
  ["unknown_field", "event e > key", () => declared({ key: "nope" })],
  ["bad_key", "event e > key", () => declared({ key: "maybe" })],
  ["bad_key", "event e > key", () => declared({ key: "n" })],
  ["missing_time", "event e > time", () => declared({ time: undefined })],
  ["bad_time", "event e > time", () => declared({ time: "n" })],
  ["bad_id", "event e > id", () => declared({ id: "n" })],
  ["bad_duration", "event e > dedupHorizon", () => declared({ dedupHorizon: "1 hour" })],
  ["bad_duration", "event e > retention.time", () => declared({ retention: { time: 5 } })],
  ["out_of_range", "event e > retention.time", () => declared({ retention: { time: "0s" } })],
  ["out_of_range", "event e > retention.bytes", () => declared({ retention: { bytes: -1 } })],
  ["out_of_range", "event e > partitions", () => declared({ partitions: 0 })],
  ["out_of_range", "event e > partitions", () => declared({ partitions: 1.5 })],
  ["unknown_option", "event e", () => declared({ partition: 5 })],
  ["bad_key", "sideInput s > key", () => untyped(sideInput)("s", { key: "n", fields: { n: t.int64() } })],
  // Nodes and edges
  ["out_of_range", "node n > ttl", () => node("n", {}, { ttl: "0d" })],
  ["bad_duration", "node n > ttl", () => untyped(node)("n", {}, { ttl: "-1d" })],
  ["unknown_option", "node n > options", () => untyped(node)("n", {}, { timeToLive: "1d" })],
  ["not_a_node", "edge x > to", () => untyped(edge)("x", thing, "thing")],
  ["not_a_node", "edge x > from", () => untyped(edge)("x", order, thing)],
  // Jobs
  ["not_an_event", "job", () => untyped(job)("order")],
  ["bad_duration", "job order > window", () => untyped(job)(order, { window: "soon" })],
  ["out_of_range", "job order > window", () => job(order, { window: "2h" })],
  ["out_of_range", "job order > parallelism", () => job(order, { parallelism: 0 })],
  ["unknown_option", "job order", () => untyped(job)(order, { windows: "1s" })],
  ["not_a_function", "job order > emit", () => untyped(job(order)).emit([])],
  ["no_updates", "job order > emit", () => emitting(() => undefined)],
  ["no_updates", "job order > emit", () => emitting(async () => [])],
  ["not_an_update", "job order > emit", () => emitting((e) => [e.id])],
  ["not_an_update", "job order > emit", () => emitting((e) => [e.maybe.isPresent() && undefined])],
  ["not_a_function", "job order > map", () => untyped(job(order)).map(async () => [])],
  ["not_a_condition", "job order > where", () => untyped(job(order)).where((e: any) => e.id)],
  ["not_a_condition", "job order > where", () => untyped(job(order)).where(() => 5)],
  ["not_a_lookup", "job order > enrich > stock", () => untyped(job(order)).enrich({ stock })],
  ["bad_name", "job order > enrich > a-b", () => untyped(job(order)).enrich({ "a-b": stock.by((e: any) => e.id) })],
  ["type_mismatch", "job order > enrich > s", () => untyped(job(order)).enrich({ s: stock.by((e: any) => e.n) })],
  [
    "duplicate_alias",
    "job order > enrich > s",
    () =>
      job(order)
        .enrich({ s: stock.by((e) => e.id) })
        .enrich({ s: stock.by((e) => e.id) }),
  ],
  // Expressions
  ["unknown_field", "job order > emit", () => emitting((e) => [thing.upsert(e.idd)])],
  ["unknown_field", "job order > emit", () => emitting((e) => [thing.upsert(e.deep.y)])],
  ["no_value", "job order > emit > thing.id", () => emitting(() => [untyped(thing).upsert(undefined)])],
  ["type_mismatch", "job order > emit > thing.id", () => emitting((e) => [thing.upsert(e.n)])],
  ["unknown_property", "job order > emit > thing.txt", () => upserting((e) => ({ txt: e.id }))],
  ["type_mismatch", "job order > emit > thing.n", () => upserting((e) => ({ n: e.id }))],
  ["type_mismatch", "job order > emit > thing.n", () => upserting((e) => ({ n: e.w }))],
  ["type_mismatch", "job order > emit > thing.s", () => upserting((e) => ({ s: e.n }))],
  ["type_mismatch", "job order > emit > thing.text", () => upserting((e) => ({ text: e.n }))],
  ["type_mismatch", "job order > emit > thing.kind", () => upserting((e) => ({ kind: e.id }))],
  ["unknown_symbol", "job order > emit > thing.kind", () => upserting(() => ({ kind: "c" }))],
  ["type_mismatch", "job order > emit > thing.n", () => upserting(() => ({ n: "5" }))],
  ["literal_out_of_range", "job order > emit > thing.s", () => upserting(() => ({ s: 2 ** 31 }))],
  ["literal_out_of_range", "job order > emit > thing.s", () => upserting(() => ({ s: 1.5 }))],
  ["literal_out_of_range", "job order > emit > thing.n", () => upserting(() => ({ n: 2n ** 63n }))],
  ["literal_out_of_range", "job order > emit > thing.n", () => upserting(() => ({ n: 2 ** 53 }))],
  ["literal_out_of_range", "job order > emit > thing.n", () => upserting(() => ({ n: NaN }))],
  ["bad_literal", "job order > emit > thing.text", () => upserting(() => ({ text: "\ud800" }))],
  ["bad_literal", "job order > emit > thing.days", () => upserting(() => ({ days: new Date(NaN) }))],
  ["bad_literal", "job order > emit > thing.tags", () => upserting(() => ({ tags: ["a"] }))],
  ["bad_literal", "job order > emit > thing.list", () => upserting(() => ({ list: ["a"] }))],
  ["bad_literal", "job order > emit > thing.text", () => upserting(() => ({ text: () => "x" }))],
  ["type_mismatch", "job order > emit > thing.c", () => upserting(() => ({ c: null }))],
  ["type_mismatch", "job order > emit > thing.days", () => upserting((e) => ({ days: e.lines }))],
  ["bad_object", "job order > emit > thing", () => emitting((e) => [untyped(thing).upsert(e.id, [e.id])])],
  ["expression_as_value", "job order > emit", () => emitting((e) => [thing.upsert(`x${e.id}`)])],
  ["expression_as_value", "job order > emit", () => emitting((e) => [untyped(when)(e.n > 5, [thing.upsert(e.id)])])],
  ["expression_as_value", "job order > emit", () => emitting((e) => [thing.upsert(`x${e.deep}`)])],
  ["empty_separator", "job order > emit", () => emitting((e) => [thing.upsert(e.id, { tags: e.id.split("") })])],
  ["bad_unit", "job order > emit", () => emitting((e) => [thing.upsert(e.id, { days: e.at.truncate("month") })])],
  ["bad_arguments", "job order > emit", () => emitting((e) => [thing.upsert(e.id.concat())])],
  ["bad_list", "job order > emit", () => emitting((e) => [when(e.id.in(), [])])],
  ["not_a_literal", "job order > emit", () => emitting((e) => [when(e.id.in(e.id), [])])],
  ["unknown_symbol", "job order > emit", () => emitting((e) => [when(e.kind.equals("c"), [])])],
  ["type_mismatch", "job order > emit", () => emitting((e) => [when(e.id.equals(e.n), [])])],
  ["type_mismatch", "job order > emit", () => emitting((e) => [when(e.n.equals("5"), [])])],
  ["type_mismatch", "job order > emit", () => emitting((e) => [when(e.n.gt(e.w), [])])],
  ["type_mismatch", "job order > emit", () => emitting((e) => [untyped(when)(e.ok, e.id, e.n)])],
  ["not_a_condition", "job order > emit", () => emitting((e) => [untyped(when)(e.id, [])])],
  ["not_a_condition", "job order > emit", () => emitting((e) => [when(e.ok.and(e.id), [])])],
  ["type_mismatch", "job order > emit", () => emitting((e) => [thing.upsert(e.id, { c: count(e.w) })])],
  ["no_value", "job order > emit", () => emitting((e) => [when(e.id.equals(null), [])])],
  ["not_a_function", "job order > emit", () => emitting((e) => [e.lines.each([])])],
  ["bad_list", "job order > emit", () => emitting((e) => [thing.upsert(e.id.mapEnum({}))])],
  // Graphs
  ["no_jobs", "graph g > jobs", () => untyped(defineGraph)("g", {})],
  ["not_a_job", "graph g > jobs[0]", () => untyped(defineGraph)("g", { jobs: [job(order)] })],
  [
    "duplicate_job",
    "graph g > jobs[1]",
    () => defineGraph("g", { jobs: [job(order).emit(() => []), job(order).emit(() => [])] }),
  ],
  [
    "duplicate_type",
    "graph g > thing",
    () => defineGraph("g", { jobs: [job(order).emit((e) => [thing.upsert(e.id)])], nodes: [node("thing")] }),
  ],
  ["not_a_node", "graph g > nodes", () => untyped(defineGraph)("g", { jobs: [], nodes: ["thing"] })],
  ["not_a_edge", "graph g > edges", () => untyped(defineGraph)("g", { jobs: [], edges: [thing] })],
  ["bad_duration", "graph g > skewMax", () => untyped(defineGraph)("g", { jobs: [], skewMax: "x" })],
  ["out_of_range", "graph g > tombstoneGrace", () => defineGraph("g", { jobs: [], tombstoneGrace: "1d" })],
  [
    "unknown_option",
    "graph g > traversals",
    () => untyped(defineGraph)("g", { jobs: [], traversals: { until: "1d" } }),
  ],
  ["out_of_range", "graph g > traversals.limit", () => defineGraph("g", { jobs: [], traversals: { limit: 10_001 } })],
  ["out_of_range", "graph g > traversals.since", () => defineGraph("g", { jobs: [], traversals: { since: "0d" } })],
  [
    "out_of_range",
    "graph g > traversals.order",
    () => untyped(defineGraph)("g", { jobs: [], traversals: { order: "new" } }),
  ],
  ["unknown_option", "graph g", () => untyped(defineGraph)("g", { jobs: [], job: [] })],
];

test.each(cases.map(([code, place, run], i) => ({ i, code, place, run })))(
  "$i: $code at $place",
  ({ code, place, run }) => {
    const error = failure(run);
    expect(error).toBeInstanceOf(RdgError);
    expect(error).toMatchObject({ kind: "invalid", code, place: place === "" ? undefined : place });
    expect((error as RdgError).hint).toMatch(/\S/);
  },
);

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
const code = (run: () => unknown): string | undefined => (failure(run) as RdgError | undefined)?.code;

test("an expression belongs to its job, and an item to its each", () => {
  let stolen: any;
  emitting((e) => [thing.upsert((stolen = e.id))]);
  expect(code(() => job(other).emit(() => [thing.upsert(stolen)]))).toBe("foreign_expression");
  let item: any;
  expect(
    code(() => emitting((e) => [e.lines.each((line: any) => [thing.upsert((item = line))]), thing.upsert(item)])),
  ).toBe("foreign_expression");
});

test("plans are bounded", () => {
  const many = (n: number): unknown => emitting((e) => Array.from({ length: n }, () => thing.upsert(e.id)));
  expect(code(() => many(500))).toBe(undefined);
  expect(code(() => many(501))).toBe("too_many_updates");
  const deep = event("deep", { key: "id", time: "at", fields: { ...fields, x: nested(9) } });
  const each = (array: any, depth: number): any =>
    depth === 0 ? [thing.upsert("x")] : [array.each((item: any) => each(item, depth - 1))];
  const nesting = (depth: number): unknown => untyped(job(deep)).emit((e: any) => each(e.x, depth));
  expect(code(() => nesting(8))).toBe(undefined);
  expect(code(() => nesting(9))).toBe("nested_too_deep");
  const doubling = (times: number): unknown =>
    emitting((e) => {
      let text = e.id;
      for (let i = 0; i < times; i++) text = text.concat(text);
      return [thing.upsert(text)];
    });
  expect(code(() => doubling(10))).toBe(undefined);
  expect(code(() => doubling(40))).toBe("plan_too_large");
  const steps = (n: number): unknown => {
    let start: any = job(order);
    for (let i = 0; i < n; i++) start = start.where((e: any) => e.ok);
    return start;
  };
  expect(code(() => steps(65))).toBe("plan_too_large");
  const branches = (depth: number): any =>
    depth === 0 ? [thing.upsert("x")] : [when(true as any, branches(depth - 1))];
  expect(code(() => emitting(() => branches(40)))).toBe("nested_too_deep");
});

test("errors of users' own code pass through", () => {
  const mine = new TypeError("mine");
  expect(
    failure(() =>
      emitting(() => {
        throw mine;
      }),
    ),
  ).toBe(mine);
});
