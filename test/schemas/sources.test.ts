// Events and side inputs that are read from topics of others: what a definition may say, how records become events, what a plan says of the live schemas.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import avro from "avsc";
import { afterEach, beforeEach, expect, test } from "vitest";
import { conversionsFrom, rowConversionsFrom } from "../../src/compose/source-conversions.ts";
import { withoutSources } from "../../src/compose/sources.ts";
import { topicsOf } from "../../src/compose/topics.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { count, defineGraph, event, job, node, sideInput, t } from "../../src/index.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";
import { compileRecordDecoder } from "../../src/model/avro/record-decoder.ts";
import { modelSchemas } from "../../src/model/avro/schemas.ts";
import { classifyChange } from "../../src/model/change.ts";
import type { EventModel } from "../../src/model/definition.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { checkSources, hasDrifted } from "../../src/schemas/source-check.ts";

let folder: string;
let registry: SchemaRegistry;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-sources-"));
  registry = await openEmbeddedRegistry({ folder });
  await registry.setCompatibility("NONE");
});
afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

const record = (...fields: readonly object[]): object => ({ type: "record", name: "com.shop.Order", fields });
const long = (logicalType: string): object => ({ type: "long", logicalType });
const first = record(
  { name: "id", type: "long" },
  {
    name: "meta",
    type: {
      type: "record",
      name: "Meta",
      fields: [
        { name: "at", type: long("timestamp-micros") },
        { name: "host", type: "string" },
      ],
    },
  },
  { name: "state", type: { type: "enum", name: "State", symbols: ["NEW", "PAID"] } },
  { name: "extra", type: ["null", "string"], default: null },
);
const second = record(
  { name: "number", aliases: ["id"], type: "long" },
  {
    name: "meta",
    type: {
      type: "record",
      name: "Meta",
      fields: [
        { name: "at", type: long("timestamp-micros") },
        { name: "host", type: "string" },
      ],
    },
  },
  { name: "state", type: { type: "enum", name: "State", symbols: ["NEW", "PAID", "LOST"] } },
  { name: "channel", type: "string", default: "web" },
);

const order = (version?: number) =>
  event("order", {
    from: { topic: "shop.orders", ...(version !== undefined && { version }), paths: { at: "meta.at" } },
    key: "id",
    time: "at",
    partitions: 3,
    fields: { id: t.string(), at: t.timestamp(), state: t.enum("NEW", "PAID"), meta: t.record({ host: t.string() }) },
  });
const newest = event("order", {
  from: { topic: "shop.orders", version: 2, paths: { at: "meta.at" } },
  key: "number",
  time: "at",
  fields: { number: t.string(), at: t.timestamp(), channel: t.string().optional() },
});

const register = async (schema: object): Promise<number> =>
  (await registry.register("shop.orders-value", JSON.stringify(schema))).id;
const written = (schema: object, value: object): Buffer =>
  avro.Type.forSchema(schema as avro.Schema, { wrapUnions: true, logicalTypes: {} }).toBuffer(value);

async function eventOf(
  { model }: { readonly model: EventModel },
  schemaId: number,
  bytes: Uint8Array,
): Promise<unknown> {
  const convert = await conversionsFrom(registry, model, model.source!)(schemaId);
  return compileRecordDecoder(model.fields)(convert(bytes));
}

test("records become events by their own schema, or by the version that is named", async () => {
  const [one, two] = [await register(first), await register(second)];
  const meta = { at: 1_500_999, host: "h" };
  const old = written(first, { id: 7, meta, state: "PAID", extra: { string: "passed over" } });
  const next = written(second, { number: 8, meta, state: "NEW", channel: "shop" });
  const expected = { id: "7", at: new Date(1_500), state: "PAID", meta: { host: "h" } };
  expect(await eventOf(order(), one, old)).toEqual(expected);
  expect(await eventOf(order(1), one, old)).toEqual(expected);
  expect(await eventOf(newest, two, next)).toEqual({ number: "8", at: new Date(1_500), channel: "shop" });
  expect(await eventOf(newest, one, old)).toEqual({ number: "7", at: new Date(1_500), channel: "web" });
});

test("what cannot be read says why, and where", async () => {
  const [one, two] = [await register(first), await register(second)];
  const meta = { at: 1, host: "h" };
  const next = written(second, { number: 8, meta, state: "NEW", channel: "shop" });
  await expect(eventOf(order(1), two, next)).rejects.toMatchObject({ code: "unresolvable_schema", place: "id" });
  await expect(eventOf(order(), 99, next)).rejects.toMatchObject({ code: "schema_not_found" });
  const old = written(first, { id: 7, meta, state: "NEW", extra: null });
  await expect(eventOf(order(), one, old.subarray(0, 3))).rejects.toMatchObject({ code: "bad_avro" });
});

test("JSON values: fields by name and path, what is not declared is left out", async () => {
  const click = event("click", {
    from: { topic: "web.clicks", values: "json", paths: { user: ["meta", "user.name"], at: "meta.at", all: "items" } },
    key: "user",
    time: "at",
    fields: { user: t.string(), at: t.timestamp(), n: t.int64().optional(), all: t.array(t.record({ a: t.int32() })) },
  });
  const read = (value: unknown): Promise<unknown> =>
    eventOf(click, 0, Buffer.from(typeof value === "string" ? value : JSON.stringify(value)));
  const meta = { "user.name": "u", at: 5, more: {} };
  expect(await read({ meta, n: "9007199254740993", items: [{ a: 1, b: 2 }], zzz: null })).toEqual({
    user: "u",
    at: new Date(5),
    n: 9007199254740993n,
    all: [{ a: 1 }],
  });
  await expect(read("{")).rejects.toMatchObject({ code: "bad_json" });
  await expect(read("[]")).rejects.toMatchObject({ code: "invalid_record" });
  await expect(read({ meta: "m", items: [] })).rejects.toMatchObject({ code: "invalid_record", place: "user" });
  await expect(read({ meta, items: [{ a: 1.5 }] })).rejects.toMatchObject({ place: "all[0].a" });
  await expect(read('{"meta":{"user.name":"u","at":5},"n":9007199254740993,"items":[]}')).rejects.toMatchObject({
    place: "n",
  });
  await expect(eventOf(click, 0, Buffer.from([0x22, 0xff, 0x22]))).rejects.toMatchObject({ code: "bad_json" });
});

test("a plan says what has changed, and what can no longer be read", async () => {
  await register(first);
  const clean = await checkSources({ events: [order(1).model], sideInputs: [] }, registry);
  expect(clean).toMatchObject([
    { event: "order", topic: "shop.orders", subject: "shop.orders-value", version: 1, latest: 1 },
  ]);
  expect(clean.some(hasDrifted)).toBe(false);
  await register(second);
  const [report] = await checkSources({ events: [order(1).model], sideInputs: [] }, registry);
  expect(report!.drift).toEqual({
    version: 2,
    changes: [
      "id is gone",
      "extra is gone",
      "number is new: int64",
      "state was enum(NEW, PAID) and is now enum(NEW, PAID, LOST)",
      "channel is new: string",
    ],
  });
  expect(report!.findings).toContainEqual({
    version: 2,
    place: "id",
    reason: "it was not written and has no default",
    unreadable: "every",
  });
  expect(hasDrifted(report!)).toBe(true);
  const [updated] = await checkSources({ events: [newest.model], sideInputs: [] }, registry);
  expect(hasDrifted(updated!)).toBe(false);
});

test("a plan says what could not be looked at, and says nothing of JSON values", async () => {
  const [missing] = await checkSources({ events: [order().model], sideInputs: [] }, registry);
  expect(missing).toMatchObject({ problem: { code: "subject_not_found" } });
  expect(hasDrifted(missing!)).toBe(true);
  const json = event("j", {
    from: { topic: "j", values: "json" },
    key: "k",
    time: "at",
    fields: { k: t.string(), at: t.timestamp() },
  });
  expect(await checkSources({ events: [json.model], sideInputs: [] }, registry)).toEqual([
    { event: "j", topic: "j", values: "json", findings: [] },
  ]);
});

const fields = { k: t.string(), at: t.timestamp(), r: t.record({ a: t.string() }), b: t.string() };
test.each<readonly [string, object]>([
  ["bad_topic_name", { topic: "no spaces" }],
  ["bad_values", { topic: "t", values: "xml" }],
  ["bad_values", { topic: "t", values: "json", version: 1 }],
  ["bad_subject", { topic: "t", subject: "" }],
  ["out_of_range", { topic: "t", version: 0 }],
  ["unknown_field", { topic: "t", paths: { x: "y" } }],
  ["bad_path", { topic: "t", paths: { k: "a..b" } }],
  ["bad_path", { topic: "t", paths: { k: [] } }],
  ["bad_path", { topic: "t", paths: { k: "at" } }],
  ["bad_path", { topic: "t", paths: { k: "b.c" } }],
  ["bad_path", { topic: "t", paths: { k: "r.a" } }],
  ["unknown_option", { topic: "t", subjekt: "s" }],
])("a definition is refused: %s %j", (code, from) => {
  expect(() => event("e", { from: from as never, key: "k", time: "at", fields })).toThrow(
    expect.objectContaining({ code }) as Error,
  );
});

const state = sideInput("state", {
  from: { topic: "shop.orders", version: 1, paths: { host: "meta.host" } },
  key: "id",
  partitions: 3,
  fields: { id: t.string(), host: t.string() },
});

test("rows of a side input have the key that they are looked up by", async () => {
  const schemaId = await register(first);
  const bytes = written(first, { id: 7, meta: { at: 1, host: "h" }, state: "NEW", extra: null });
  const { key, row } = (await rowConversionsFrom(registry, state.model, state.model.source!)(schemaId))(bytes);
  expect(Buffer.from(key).toString()).toBe("7");
  expect(compileRecordDecoder(state.model.fields)(row)).toEqual({ id: "7", host: "h" });
  expect(await checkSources({ events: [], sideInputs: [state.model] }, registry)).toMatchObject([
    { input: "state", topic: "shop.orders", version: 1, latest: 1, findings: [] },
  ]);
});

test("partitions are said of a team's topic only", () => {
  const fields = { id: t.string() };
  expect(() => sideInput("s", { key: "id", partitions: 2, fields })).toThrow(
    expect.objectContaining({ code: "bad_partitions" }) as Error,
  );
  expect(sideInput("s", { key: "id", partitions: 1, fields }).model).not.toHaveProperty("partitions");
});

const thing = node("thing", { seen: t.counter() });
const graph = defineGraph("g", {
  jobs: [
    job(order(1))
      .enrich({ now: state.by((e) => e.id) })
      .emit((e) => [thing.upsert(e.id, { seen: count(1) })]),
  ],
});

test("topics and schemas of others are not RDG's to make; where it keeps its log itself the event is one of its own", async () => {
  expect(topicsOf(graph.model)[0]).toEqual({
    name: "events.order",
    form: "records",
    partitions: 3,
    retention: {},
    foreign: "shop.orders",
  });
  const subjects = (model: typeof graph.model): readonly string[] => modelSchemas(model).map(({ subject }) => subject);
  expect(topicsOf(graph.model)[1]).toMatchObject({ name: "inputs.state", form: "compacted", partitions: 3 });
  expect(topicsOf(graph.model).map(({ name }) => name)).toContain("quarantine.inputs.state");
  expect(subjects(graph.model)).toEqual(["nodes.thing-value"]);
  const own = withoutSources(graph).model;
  expect(subjects(own)).toEqual(["events.order-value", "inputs.state-value", "nodes.thing-value"]);
  expect(topicsOf(own).map(({ name }) => name)).not.toContain("quarantine.inputs.state");
  expect(topicsOf(own)[1]).toMatchObject({ name: "inputs.state", partitions: 1 });
  for (const topic of topicsOf(own)) expect(topic).not.toHaveProperty("foreign");
  const log = await openEmbeddedLog({ folder: join(folder, "log"), clock: systemClock, timers: systemTimers });
  try {
    await expect(log.ensureTopics(topicsOf(graph.model))).rejects.toMatchObject({ code: "no_foreign_topics" });
    await log.ensureTopics(topicsOf(own));
  } finally {
    await log.close();
  }
});

test("another topic breaks what was read; another version does not", () => {
  const model = (from: object): typeof graph.model => ({
    ...graph.model,
    events: [{ ...graph.model.events[0]!, source: { ...graph.model.events[0]!.source!, ...from } }],
  });
  const classes = (from: object): readonly unknown[] =>
    classifyChange(graph.model, model(from)).map((change) => [change.place, change.class]);
  expect(classes({ topic: "other" })).toEqual([["event order.from.topic", "breaking"]]);
  expect(classes({ version: 2 })).toEqual([["event order.from.version", "compatible"]]);
  expect(classes({ paths: {} })).toEqual([["event order.from.paths", "needs_backfill"]]);
  const rows = (from: object): typeof graph.model => ({
    ...graph.model,
    sideInputs: [{ ...graph.model.sideInputs[0]!, source: { ...graph.model.sideInputs[0]!.source!, ...from } }],
  });
  expect(classifyChange(graph.model, rows({ topic: "other" }))).toMatchObject([
    { place: "sideInput state.from.topic", class: "breaking" },
  ]);
});
