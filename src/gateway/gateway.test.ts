// The gateway over the embedded log and registry: what it accepts, retries, side inputs, counts, Avro.
import avro from "avsc";
import { describe, expect, test } from "vitest";
import {
  nowMs,
  field,
  model,
  log,
  registry,
  gateway,
  beLater,
  clock,
  useGateway,
  request,
  produce,
  order,
  stored,
  quarantined,
  problemsOf,
  withAppend,
} from "../../test/gateway/shop.ts";
import { RdgError } from "../core/errors.ts";
import { partitionOf } from "../model/partitioner.ts";
import { createGateway } from "./gateway.ts";

/** As a foreign reader decodes it: by the schema that the registry has for the framing's id. */
async function decoded(value: Buffer): Promise<any> {
  const schema = JSON.parse(await registry.byId(value.readUInt32BE(1)));
  return avro.Type.forSchema(schema).fromBuffer(value.subarray(5));
}

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
    beLater(60_000);
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
