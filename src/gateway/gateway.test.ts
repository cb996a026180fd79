// The gateway over the embedded log and registry: what it accepts, every documented refusal, partial requests, retries, bounds, side inputs, Avro.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import avro from "avsc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { openEmbeddedLog } from "../log/embedded/log.ts";
import type { Log, Producer } from "../log/port.ts";
import type { FieldModel, GraphModel } from "../model/definition.ts";
import { type QuarantineRecord, decodeQuarantineRecord } from "../model/quarantine.ts";
import { openEmbeddedRegistry } from "../schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { type ControlledGateway, type GatewaySettings, createGateway } from "./gateway.ts";
import { partitionOf } from "./partitioner.ts";
import type { BadRecords, ProduceAnswer, ProduceRequest } from "./port.ts";

const nowMs = Date.UTC(2026, 10, 21, 16, 55);
const at = "2026-11-21T16:55:00.000Z";

const field = (name: string, type: FieldModel["type"], optional = false): FieldModel => ({ name, type, optional });

const model: GraphModel = {
  format: 1,
  name: "shop",
  events: [
    {
      name: "order",
      fields: [
        field("customer", { kind: "string" }),
        field("at", { kind: "timestamp" }),
        field("total", { kind: "double" }, true),
        field("count", { kind: "int32" }, true),
        field("number", { kind: "int64" }, true),
        field("state", { kind: "enum", symbols: ["open", "paid"] }, true),
        field("note", { kind: "string" }, true),
        field("lines", { kind: "array", item: { kind: "record", fields: [field("sku", { kind: "string" })] } }, true),
        field("__proto__", { kind: "string" }, true),
      ],
      key: "customer",
      time: "at",
      dedupHorizonMs: 3_600_000,
      partitions: 4,
      retention: {},
    },
    {
      name: "closed",
      fields: [field("customer", { kind: "string" }), field("at", { kind: "timestamp" })],
      key: "customer",
      time: "at",
      dedupHorizonMs: 3_600_000,
      partitions: 1,
      retention: {},
    },
  ],
  sideInputs: [
    { name: "catalogue", key: "sku", fields: [field("sku", { kind: "string" }), field("price", { kind: "double" })] },
  ],
  nodes: [],
  edges: [],
  jobs: [],
  skewMaxMs: 300_000,
  latenessMs: 3_600_000,
  tombstoneGraceMs: 86_400_000,
};

let folder: string;
let log: Log;
let registry: SchemaRegistry;
let gateway: ControlledGateway;

/** How far the clock is ahead of `nowMs`. */
let laterMs = 0;
const clock = { now: () => nowMs + laterMs, monotonicMs: () => 0 };

beforeEach(async () => {
  laterMs = 0;
  folder = await mkdtemp(join(tmpdir(), "rdg-gateway-"));
  log = await openEmbeddedLog({ folder: join(folder, "log"), clock, timers: systemTimers });
  await log.ensureTopics([
    { name: "events.order", form: "records", partitions: 4, retention: {} },
    { name: "events.closed", form: "records", partitions: 1, retention: {} },
    { name: "inputs.catalogue", form: "compacted", partitions: 1, retention: {} },
    { name: "quarantine.gateway", form: "records", partitions: 1, retention: {} },
  ]);
  registry = await openEmbeddedRegistry({ folder: join(folder, "schemas") });
  gateway = await createGateway({ model, log, registry, clock });
});

afterEach(async () => {
  await gateway.close();
  await registry.close();
  await log.close();
  await rm(folder, { recursive: true });
});

async function useGateway(settings: Partial<GatewaySettings>, usedLog: Pick<Log, "producer"> = log): Promise<void> {
  await gateway.close();
  gateway = await createGateway({ model, log: usedLog, registry, clock, settings });
}

function request(body: string | Uint8Array, more: Partial<ProduceRequest> = {}): ProduceRequest {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return { target: { kind: "event", name: "order" }, format: "ndjson", body: bytes, partial: false, ...more };
}

const produce = (body: string | Uint8Array, more: Partial<ProduceRequest> = {}): Promise<ProduceAnswer> =>
  gateway.produce(request(body, more));

const order = (customer: string, more: object = {}): string => JSON.stringify({ customer, at, ...more });

interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: Buffer | null;
}

async function stored(topic: string): Promise<readonly Stored[]> {
  const records: Stored[] = [];
  for await (const frame of log.read({ topics: [topic], until: [] })) {
    for (let i = 0; i < frame.count; i++) {
      const { values, keys } = frame;
      const value =
        frame.nulls?.[i] === 1 ? null : Buffer.from(values.bytes.subarray(values.starts[i], values.starts[i + 1]));
      const key = keys && Buffer.from(keys.bytes.subarray(keys.starts[i], keys.starts[i + 1])).toString();
      records.push({ partition: frame.partition, offset: frame.firstOffset + (frame.offsets?.[i] ?? i), key, value });
    }
  }
  return records;
}

async function quarantined(): Promise<readonly QuarantineRecord[]> {
  return (await stored("quarantine.gateway")).map(({ value }) => decodeQuarantineRecord(value!));
}

/** As a foreign reader decodes it: by the schema that the registry has for the framing's id. */
async function decoded(value: Buffer): Promise<any> {
  const schema = JSON.parse(await registry.byId(value.readUInt32BE(1)));
  return avro.Type.forSchema(schema).fromBuffer(value.subarray(5));
}

const problemsOf = async (body: string | Uint8Array, more: Partial<ProduceRequest> = {}): Promise<BadRecords> => {
  const error: unknown = await produce(body, more).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ kind: "invalid", code: "bad_records" });
  return error as BadRecords;
};

describe("accepted records", () => {
  test("are durable in the partition of their key, in framing that foreign readers understand", async () => {
    const customers = Array.from({ length: 40 }, (_, i) => `customer-${i}`);
    const body = customers
      .map((customer, i) =>
        order(customer, { total: i / 4, note: i % 2 ? "né" : undefined, lines: i % 3 ? undefined : [{ sku: "s" }] }),
      )
      .join("\n");
    const answer = await produce(body);
    expect(answer).toMatchObject({ accepted: 40, duplicate: false, rejected: [], rejectedCount: 0 });
    const records = await stored("events.order");
    expect(records).toHaveLength(40);
    for (const { partition, value } of records) {
      const { customer, total, note, lines, at: time } = await decoded(value!);
      const key = Buffer.from(customer as string);
      const i = customers.indexOf(customer);
      expect(partition).toBe(partitionOf(key, 0, key.length, 4));
      expect([total, note, lines === null, time]).toEqual([i / 4, i % 2 ? "né" : null, i % 3 !== 0, nowMs]);
    }
    const lasts = new Map(records.map(({ partition, offset }) => [partition, `events.order/${partition}@${offset}`]));
    expect([...answer.positions].sort()).toEqual([...lasts.values()].sort());
  });

  test("come as an object or an array of objects too", async () => {
    expect(await produce(order("c1"), { format: "json" })).toMatchObject({ accepted: 1 });
    expect(await produce(`[${order("c1")},\n ${order("c2", { note: "a\nb" })} ]`, { format: "json" })).toMatchObject({
      accepted: 2,
    });
    expect(await produce("[]", { format: "json" })).toMatchObject({ accepted: 0, positions: [], duplicate: false });
    expect(await produce("\r\n\n")).toMatchObject({ accepted: 0, positions: [] });
    expect(await stored("events.order")).toHaveLength(3);
  });

  test("of many requests at once keep their order per key", async () => {
    const bodies = Array.from({ length: 30 }, (_, i) =>
      Array.from({ length: 5 }, (_, j) => order("c1", { count: i * 5 + j })).join("\n"),
    );
    await Promise.all(bodies.map((body) => produce(body)));
    const counts = await Promise.all(
      (await stored("events.order")).map(async ({ value }) => (await decoded(value!)).count),
    );
    expect(counts).toEqual(Array.from({ length: 150 }, (_, i) => i));
  });
});

const long = "x".repeat(1_100_000);
const deep = "[".repeat(100_000) + "]".repeat(100_000);

/** Every line but the bad one is good, so index 1 is what is reported. */
const badLines: readonly (readonly [what: string, line: string | Uint8Array, code: string, field?: string])[] = [
  ["truncated JSON", '{"customer":"c1","at', "bad_json"],
  ["no JSON at all", "customer=c1", "bad_json"],
  ["NaN", `{"customer":"c1","at":"${at}","total":NaN}`, "bad_json"],
  ["a raw control character", `{"customer":"c\u0001","at":"${at}"}`, "bad_json"],
  ["an array", "[]", "wrong_type"],
  ["null", "null", "wrong_type"],
  ["a text as double", order("c1", { total: "1" }), "wrong_type", "total"],
  ["an object as text", order("c1", { note: {} }), "wrong_type", "note"],
  ["a fraction as int32", order("c1", { count: 1.5 }), "wrong_type", "count"],
  ["an int32 of 33 bits", order("c1", { count: 2 ** 31 }), "out_of_range", "count"],
  ["an unsafe number", `{"customer":"c1","at":"${at}","number":9007199254740993}`, "unsafe_integer", "number"],
  ["a number of 65 bits", order("c1", { number: "9223372036854775808" }), "out_of_range", "number"],
  ["a huge number", `{"customer":"c1","at":"${at}","total":1e999}`, "not_finite", "total"],
  ["an unknown symbol", order("c1", { state: "lost" }), "unknown_symbol", "state"],
  ["a lone surrogate as escape", `{"customer":"c1","at":"${at}","note":"\\ud800"}`, "ill_formed_text", "note"],
  [
    "a lone surrogate in bytes",
    Buffer.from(`{"customer":"c1","at":"${at}","note":"\u00ed\u00a0\u0080"}`, "latin1"),
    "bad_utf8",
  ],
  ["bytes that are not UTF-8", Buffer.from(`{"customer":"c1","at":"${at}","note":"\u00ff"}`, "latin1"), "bad_utf8"],
  ["a missing key", `{"at":"${at}"}`, "missing_field", "customer"],
  ["a null key", order("c1", { customer: null }), "null_value", "customer"],
  ["an empty key", order(""), "bad_key", "customer"],
  ["a key of 1,025 bytes", order("é".repeat(512) + "x"), "bad_key", "customer"],
  ["an unknown field", order("c1", { colour: "red" }), "unknown_field", "colour"],
  ["constructor as a field", order("c1", { constructor: 1 }), "unknown_field", "constructor"],
  ["__proto__ of the wrong type", `{"customer":"c1","at":"${at}","__proto__":{"note":1}}`, "wrong_type", "__proto__"],
  [
    "__proto__ within",
    `{"customer":"c1","at":"${at}","lines":[{"sku":"s","__proto__":1}]}`,
    "unknown_field",
    "lines[0].__proto__",
  ],
  ["a nested problem", order("c1", { lines: [{ sku: "s" }, {}] }), "missing_field", "lines[1].sku"],
  ["no time", '{"customer":"c1"}', "missing_field", "at"],
  ["a time that is none", order("c1", { at: "yesterday" }), "bad_timestamp", "at"],
  ["a time without zone", order("c1", { at: "2026-11-21T16:55:00" }), "bad_timestamp", "at"],
  ["a time out of range", order("c1", { at: 8.64e15 + 1 }), "bad_timestamp", "at"],
  ["a time in the future", order("c1", { at: nowMs + 300_001 }), "time_in_future", "at"],
  ["a time in the far future", order("c1", { at: "9999-12-31T23:59:59Z" }), "time_in_future", "at"],
  ["a text of more than 1 MiB", order("c1", { note: long }), "record_too_large"],
  ["a line of 10 MB", order("c1", { note: long.repeat(9) }), "record_too_large"],
  ["nesting 100,000 levels deep", `{"customer":"c1","at":"${at}","note":${deep}}`, "wrong_type", "note"],
  ["deletion, which events have not", '{"$delete":"c1"}', "unknown_field", '["$delete"]'],
];

describe("bad records", () => {
  const named = badLines.map(([what, line, code, where]) => ({ what, line, code, where }));

  test.each(named)("$what", async ({ line, code, where }) => {
    const body = Buffer.concat([Buffer.from(`${order("c0")}\n`), Buffer.from(line), Buffer.from(`\n${order("c2")}\n`)]);
    const { problems, recordCount } = await problemsOf(body);
    expect(problems[0]).toEqual({
      index: 1,
      ...(where === undefined ? {} : { field: where }),
      code,
      reason: expect.any(String) as string,
    });
    expect(recordCount).toBe(1);
    expect(await stored("events.order")).toEqual([]);
    expect(await stored("quarantine.gateway")).toEqual([]);
  });

  test("what is just within the bounds is good", async () => {
    const good = [
      order("é".repeat(512)),
      order("c1", { at: nowMs + 300_000 }),
      order("c1", { at: -8.64e15 }),
      order("c1", { note: "y".repeat(1_048_000) }),
      order("__proto__"),
      `{"customer":"c1","at":"${at}","__proto__":"x"}`,
    ];
    expect(await produce(good.join("\n"))).toMatchObject({ accepted: good.length });
  });

  test("all problems are counted, a hundred are listed", async () => {
    const { problems, problemCount, recordCount, message } = await problemsOf(
      Array.from({ length: 300 }, () => '{"customer":"","colour":1}').join("\n"),
    );
    expect([problems.length, problemCount, recordCount]).toEqual([100, 900, 300]);
    expect(problems.slice(0, 4).map(({ index, field: name }) => [index, name])).toEqual([
      [0, "customer"],
      [0, "colour"],
      [0, "at"],
      [1, "customer"],
    ]);
    expect(message).toContain("300 records are not valid");
  });

  test("a body that is not JSON as a whole is refused as such", async () => {
    for (const body of [
      "",
      "[",
      `[${order("c1")}`,
      `[${order("c1")},]`,
      `${order("c1")}\n${order("c2")}`,
      Buffer.from([0x5b, 0xff, 0x5d]),
    ]) {
      await expect(produce(body, { format: "json", partial: true })).rejects.toMatchObject({
        kind: "invalid",
        code: "bad_json",
      });
    }
    expect(await stored("events.order")).toEqual([]);
    expect(await stored("quarantine.gateway")).toEqual([]);
  });
});

describe("partial requests", () => {
  test("store good records and quarantine bad ones with their bytes and the cause", async () => {
    const bad = badLines.filter(([, line]) => line.length < 1_000_000);
    const body = Buffer.concat(
      bad.flatMap(([, line], i) => [
        Buffer.from(order(`c${i}`)),
        Buffer.from("\n"),
        Buffer.from(line),
        Buffer.from(" \r\n"),
      ]),
    );
    const answer = await produce(body, { partial: true });
    expect(answer).toMatchObject({ accepted: bad.length, rejectedCount: bad.length, duplicate: false });
    expect(answer.rejected.map(({ index }) => index)).toEqual(expect.arrayContaining(bad.map((_, i) => i * 2 + 1)));
    expect(await stored("events.order")).toHaveLength(bad.length);
    const records = await quarantined();
    expect(records.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual(
      bad.map(([, line]) => Buffer.from(line).toString("hex")),
    );
    for (const [i, record] of records.entries()) {
      expect(record).toMatchObject({ stage: "gateway", code: bad[i]![2], topic: "events.order", receivedMs: nowMs });
      expect(record.message).toContain(bad[i]![3] ?? "");
    }
  });

  test("of bad records only are answered, and elements of arrays are quarantined too", async () => {
    const answer = await produce(`[ {"a":1} , ${order("c1", { count: "x" })}\n]`, { format: "json", partial: true });
    expect(answer).toMatchObject({ accepted: 0, positions: [], rejectedCount: 2 });
    expect((await quarantined()).map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      '{"a":1}',
      order("c1", { count: "x" }),
    ]);
  });
});

describe("idempotency keys", () => {
  const body = Array.from({ length: 12 }, (_, i) => order(`customer-${i}`)).join("\n");

  test("a repeated request is answered alike and stored once, also by another gateway", async () => {
    const first = await produce(body, { idempotencyKey: "k1" });
    expect(await produce(body, { idempotencyKey: "k1" })).toEqual({ ...first, duplicate: true });
    await useGateway({});
    expect(await produce(body, { idempotencyKey: "k1" })).toEqual({ ...first, duplicate: true });
    expect(await stored("events.order")).toHaveLength(12);
    expect(await produce(body, { idempotencyKey: "k2" })).toMatchObject({ duplicate: false });
    expect(await stored("events.order")).toHaveLength(24);
  });

  test("a request that was stored in some partitions only is completed by its retry", async () => {
    let failing = true;
    await useGateway(
      {},
      withAppend((append) => (topic, partition, batch) => {
        if (failing && partition === 2) throw new RdgError("unavailable", "disk_full", "No space.");
        return append(topic, partition, batch);
      }),
    );
    await expect(produce(body, { idempotencyKey: "k1" })).rejects.toMatchObject({
      kind: "unavailable",
      code: "disk_full",
    });
    const before = await stored("events.order");
    expect(before.length).toBeGreaterThan(0);
    expect(before.length).toBeLessThan(12);
    failing = false;
    const answer = await produce(body, { idempotencyKey: "k1" });
    expect(answer).toMatchObject({ accepted: 12, duplicate: false });
    expect(await stored("events.order")).toHaveLength(12);
    expect(await produce(body, { idempotencyKey: "k1" })).toEqual({ ...answer, duplicate: true });
  });

  test("is answered with what was stored, also when a record that came too early is in time by now", async () => {
    const body = [order("c1"), order("c1", { at: nowMs + model.skewMaxMs + 1 })].join("\n");
    const first = await produce(body, { idempotencyKey: "k1", partial: true });
    expect(first).toMatchObject({ accepted: 1, duplicate: false, rejectedCount: 1 });
    laterMs = 60_000;
    const { accepted, positions, duplicate } = await produce(body, { idempotencyKey: "k1", partial: true });
    expect({ accepted, positions, duplicate }).toEqual({ accepted: 1, positions: first.positions, duplicate: true });
  });

  test("quarantined records are stored once too", async () => {
    const mixed = `${order("c1")}\n{}`;
    for (let i = 0; i < 2; i++) await produce(mixed, { idempotencyKey: "k1", partial: true });
    expect(await quarantined()).toHaveLength(1);
    expect(gateway.statistics().targets[0]).toMatchObject({ quarantined: 1 });
  });

  test.each(["", "k".repeat(257), "\ud800"])("a key that is none is refused", async (idempotencyKey) => {
    await expect(produce(body, { idempotencyKey })).rejects.toMatchObject({ code: "bad_idempotency_key" });
  });
});

type Append = Producer["append"];

/** The log with its append wrapped. */
function withAppend(
  wrap: (append: Append) => (...args: Parameters<Append>) => ReturnType<Append>,
): Pick<Log, "producer"> {
  return {
    async producer(name) {
      const producer = await log.producer(name);
      const append = wrap((...args) => producer.append(...args));
      return { append: async (...args) => append(...args), close: () => producer.close() };
    },
  };
}

describe("bounds", () => {
  test.each([
    ["an unknown event", { target: { kind: "event", name: "ordr" } }, "not_found", "unknown_event"],
    ["an unknown side input", { target: { kind: "input", name: "order" } }, "not_found", "unknown_input"],
    ["a name of JavaScript", { target: { kind: "event", name: "__proto__" } }, "not_found", "unknown_event"],
  ] as const)("%s is not found", async (_, more, kind, code) => {
    await expect(produce(order("c1"), more)).rejects.toMatchObject({ kind, code });
  });

  test("a body, a record, and the number of records have a bound", async () => {
    await useGateway({ bodyBytesMax: 1000, recordBytesMax: 100, recordsMax: 3 });
    await expect(produce(" ".repeat(1001))).rejects.toMatchObject({ kind: "invalid", code: "body_too_large" });
    const three = Array.from({ length: 3 }, () => order("c1")).join("\n");
    expect(await produce(three)).toMatchObject({ accepted: 3 });
    await expect(produce(`${three}\n{}`)).rejects.toMatchObject({ kind: "invalid", code: "too_many_records" });
    await expect(produce(`[${three.replaceAll("\n", ",")},1]`, { format: "json" })).rejects.toMatchObject({
      code: "too_many_records",
    });
    expect((await problemsOf(order("c1", { note: "x".repeat(80) }))).problems[0]).toMatchObject({
      code: "record_too_large",
    });
    expect(await produce(order("c1"))).toMatchObject({ accepted: 1 });
    expect(await stored("events.order")).toHaveLength(4);
  });

  test("more requests or bytes in flight than allowed are refused until some are answered", async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await useGateway(
      { inFlightRequestsMax: 2, inFlightBytesMax: 1000, retryAfterMs: 70 },
      withAppend(
        (append) =>
          async (...args) =>
            released.then(() => append(...args)),
      ),
    );
    const first = produce(order("c1"));
    await expect(produce(" ".repeat(990))).rejects.toMatchObject({
      kind: "overloaded",
      code: "gateway_overloaded",
      retryAfterMs: 70,
    });
    const second = produce(order("c2"));
    await expect(produce(order("c3"))).rejects.toMatchObject({ kind: "overloaded" });
    expect(gateway.statistics()).toMatchObject({ inFlightRequests: 2, refusedRequests: 2 });
    release();
    await Promise.all([first, second]);
    expect(await produce(order("c3"))).toMatchObject({ accepted: 1 });
    expect(gateway.statistics()).toMatchObject({ inFlightRequests: 0, inFlightBytes: 0 });
    expect(await produce(" ".repeat(2000))).toMatchObject({ accepted: 0 });
  });

  test("while something behind the gateway is full, requests are refused with its error", async () => {
    const full = new RdgError("unavailable", "store_full", "The store's memory is full.", { retryAfterMs: 5000 });
    gateway.setUnavailable(full);
    await expect(produce(order("c1"))).rejects.toBe(full);
    gateway.setUnavailable(undefined);
    expect(await produce(order("c1"))).toMatchObject({ accepted: 1 });
  });

  test("while there is no room for rows, rows are refused and events go on", async () => {
    const full = new RdgError("unavailable", "inputs_full", "The rows take too much memory.", { retryAfterMs: 5000 });
    gateway.setInputsUnavailable(full);
    const row = { target: { kind: "input", name: model.sideInputs[0]!.name }, format: "json", partial: false } as const;
    await expect(gateway.produce({ ...row, body: Buffer.from("{}") })).rejects.toBe(full);
    expect(await produce(order("c1"))).toMatchObject({ accepted: 1 });
    gateway.setInputsUnavailable(undefined);
    await expect(gateway.produce({ ...row, body: Buffer.from("{}") })).rejects.toMatchObject({ code: "bad_records" });
    expect(gateway.statistics().refusedRequests).toBe(1);
  });

  test("closing waits for what is in flight and refuses what comes then", async () => {
    const inFlight = produce(order("c1"));
    const closed = gateway.close();
    await expect(produce(order("c2"))).rejects.toMatchObject({ kind: "closed" });
    expect(await inFlight).toMatchObject({ accepted: 1 });
    await closed;
  });
});

test("a definition whose schema cannot read earlier records is refused, naming the subject", async () => {
  const [orders, ...others] = model.events;
  const changed = {
    ...model,
    events: [{ ...orders!, fields: [...orders!.fields, field("must", { kind: "string" })] }, ...others],
  };
  await expect(createGateway({ model: changed, log, registry, clock })).rejects.toMatchObject({
    code: "incompatible_schema",
    place: "events.order-value",
  });
});

test("records are counted by target and partition", async () => {
  await produce(`${order("c1")}\n${order("c1")}`, { idempotencyKey: "k" });
  await produce(`${order("c1")}\n${order("c1")}`, { idempotencyKey: "k" });
  await produce(`${order("c1")}\n{}\n{}`, { partial: true });
  await problemsOf(`${order("c1")}\n{}`);
  const [orders] = gateway.statistics().targets;
  const bytes = (await stored("events.order")).reduce((sum, { value }) => sum + value!.length, 0);
  expect(orders).toMatchObject({ kind: "event", name: "order", rejected: 2, quarantined: 2 });
  expect(orders!.partitions.filter(({ accepted }) => accepted > 0)).toEqual([{ accepted: 3, bytes, repeated: 2 }]);
});

test("records that belong to no target are counted apart, and every record is in one count", async () => {
  const stray = { problem: { index: 1, code: "unknown_event", reason: "unknown" }, bytes: Buffer.from("?") };
  const parts = [{ ...request(`${order("c1")}\n{}`), indexes: [0, 2] }];
  const sent = { parts, strays: [stray], partial: true, idempotencyKey: "mixed" };
  expect(await gateway.produceMixed(sent)).toMatchObject({ accepted: 1, rejectedCount: 2, duplicate: false });
  expect(await gateway.produceMixed(sent)).toMatchObject({ rejectedCount: 2, duplicate: true });
  const whole = { parts: [{ ...request(order("c1")), indexes: [0] }], strays: [stray], partial: false };
  await expect(gateway.produceMixed(whole)).rejects.toMatchObject({ problems: [stray.problem], recordCount: 1 });
  const { strays, targets } = gateway.statistics();
  expect(strays).toEqual({ rejected: 1, quarantined: 1 });
  expect(targets[0]).toMatchObject({ rejected: 1, quarantined: 1 });
  expect(await quarantined()).toHaveLength(2);
  // Of 3 and 2 records.
  const accepted = targets.flatMap(({ partitions }) => partitions).reduce((sum, each) => sum + each.accepted, 0);
  const bad = [strays, ...targets].reduce((sum, each) => sum + each.rejected + each.quarantined, 0);
  expect(accepted + bad).toBe(5);
});

describe("side inputs", () => {
  const target = { kind: "input", name: "catalogue" } as const;

  test("rows are stored by key, and deleted by key", async () => {
    const rows = [
      '{"sku":"s1","price":1}',
      '{"sku":"s2","price":2.5}',
      '{"$delete":"s1"}',
      '{"price":3,"sku":"é"}',
      '{"$delete":"never"}',
    ];
    expect(await produce(rows.join("\n"), { target })).toMatchObject({
      accepted: 5,
      positions: ["inputs.catalogue/0@4"],
    });
    const records = await stored("inputs.catalogue");
    expect(records.map(({ key }) => key)).toEqual(["s1", "s2", "s1", "é", "never"]);
    expect(records.map(({ value }) => value === null)).toEqual([false, false, true, false, true]);
    expect(await decoded(records[3]!.value!)).toMatchObject({ sku: "é", price: 3 });
    expect(await produce(`[{"sku":"s3","price":1},{"$delete":"s2"}]`, { target, format: "json" })).toMatchObject({
      accepted: 2,
    });
  });

  test.each([
    ['{"sku":"","price":1}', "bad_key", "sku"],
    ['{"sku":"s1"}', "missing_field", "price"],
    ['{"$delete":""}', "bad_key", "$delete"],
    ['{"$delete":null}', "bad_key", "$delete"],
    [`{"$delete":"${"x".repeat(1025)}"}`, "bad_key", "$delete"],
    ['{"$delete":"\\ud800"}', "bad_key", "$delete"],
    ['{"$delete":"s1","sku":"s1","price":1}', "unknown_field", '["$delete"]'],
  ])("%s is refused", async (row, code, where) => {
    expect((await problemsOf(row, { target })).problems[0]).toMatchObject({ code, field: where });
  });
});

describe("Avro", () => {
  const framed = (id: number, bytes: Uint8Array): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(id, 1);
    return Buffer.concat([head, bytes]);
  };
  const typeOf = (schema: string): avro.Type => avro.Type.forSchema(JSON.parse(schema), { wrapUnions: false });
  const own = async (): Promise<{ id: number; type: avro.Type }> => {
    const { id, schema } = await registry.version("events.closed-value", "latest");
    return { id, type: typeOf(schema) };
  };
  const closed = { target: { kind: "event", name: "closed" }, format: "avro" } as const;

  test("a record of the definition's own schema is stored as it is", async () => {
    const { id, type } = await own();
    const body = framed(id, type.toBuffer({ customer: "c1", at: nowMs }));
    expect(await produce(body, closed)).toMatchObject({ accepted: 1, positions: ["events.closed/0@0"] });
    expect((await stored("events.closed"))[0]!.value).toEqual(body);
  });

  test("a record of another schema is resolved to the definition's own", async () => {
    const schema =
      '{"type":"record","name":"acme.closed","fields":[{"name":"why","type":["null","string"]},{"name":"at","type":"long"},{"name":"customer","type":"bytes"}]}';
    const { id } = await registry.register("acme-value", schema);
    const body = framed(id, typeOf(schema).toBuffer({ why: "moved", at: nowMs, customer: Buffer.from("é") }));
    for (let i = 0; i < 2; i++) expect(await produce(body, closed)).toMatchObject({ accepted: 1 });
    const { id: ownId, type } = await own();
    for (const { value } of await stored("events.closed"))
      expect(value).toEqual(framed(ownId, type.toBuffer({ customer: "é", at: nowMs })));
  });

  test("what cannot be read says why", async () => {
    const { id, type } = await own();
    const { id: unfit } = await registry.register(
      "unfit-value",
      '{"type":"record","name":"closed","fields":[{"name":"customer","type":"string"}]}',
    );
    const good = type.toBuffer({ customer: "c1", at: nowMs });
    const cases: [Uint8Array, string, string?][] = [
      [Buffer.alloc(0), "bad_framing"],
      [Buffer.from([0, 0, 0]), "bad_framing"],
      [Buffer.concat([Buffer.from([1, 0, 0, 0, 1]), good]), "bad_framing"],
      [framed(4_000_000_000, good), "unknown_schema"],
      [framed(unfit, Buffer.from("0461", "hex")), "unresolvable_schema"],
      [framed(id, good.subarray(0, good.length - 1)), "bad_avro"],
      [framed(id, Buffer.concat([good, Buffer.from([0])])), "bad_avro"],
      [framed(id, Buffer.alloc(0)), "bad_avro"],
      [framed(id, Buffer.from("02ff00", "hex")), "bad_avro"],
      [framed(id, type.toBuffer({ customer: "", at: nowMs })), "bad_key", "customer"],
      [framed(id, type.toBuffer({ customer: "x".repeat(1025), at: nowMs })), "bad_key", "customer"],
      [framed(id, type.toBuffer({ customer: "c1", at: nowMs + 300_001 })), "time_in_future", "at"],
      [framed(id, type.toBuffer({ customer: "c1", at: 8.64e15 + 2 })), "bad_timestamp", "at"],
      [framed(id, Buffer.alloc(1_048_577)), "record_too_large"],
    ];
    for (const [body, code, where] of cases) {
      expect((await problemsOf(body, closed)).problems[0]).toEqual({
        index: 0,
        ...(where === undefined ? {} : { field: where }),
        code,
        reason: expect.any(String) as string,
      });
    }
    expect(await stored("events.closed")).toEqual([]);
    expect(await produce(framed(id, Buffer.from([9])), { ...closed, partial: true })).toMatchObject({
      accepted: 0,
      rejectedCount: 1,
    });
    expect((await quarantined())[0]).toMatchObject({
      code: "bad_avro",
      topic: "events.closed",
      bytes: new Uint8Array(framed(id, Buffer.from([9]))),
    });
  });

  test("doubles that are not finite are refused", async () => {
    const { id, schema } = await registry.version("events.order-value", "latest");
    const body = framed(
      id,
      typeOf(schema.replace("__proto__", "proto")).toBuffer({ customer: "c1", at: nowMs, total: Number.NaN }),
    );
    expect((await problemsOf(body, { format: "avro" })).problems[0]).toMatchObject({
      code: "not_finite",
      field: "total",
    });
  });
});
