// A gateway over the embedded log and registry, for tests: a shop's orders and prices, what is stored of them, and how a log fails.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { systemTimers } from "../../src/core/clock.ts";
import { type ControlledGateway, type GatewaySettings, createGateway } from "../../src/gateway/gateway.ts";
import type { BadRecords, ProduceAnswer, ProduceRequest } from "../../src/gateway/port.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";
import type { Log, Producer } from "../../src/log/port.ts";
import type { FieldModel, GraphModel } from "../../src/model/definition.ts";
import { type QuarantineRecord, decodeQuarantineRecord } from "../../src/model/quarantine.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";

export const nowMs = Date.UTC(2026, 10, 21, 16, 55);

export const at = "2026-11-21T16:55:00.000Z";

export const field = (name: string, type: FieldModel["type"], optional = false): FieldModel => ({
  name,
  type,
  optional,
});

export const model: GraphModel = {
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

export let folder: string;

export let log: Log;

export let registry: SchemaRegistry;

export let gateway: ControlledGateway;

/** How far the clock is ahead of `nowMs`. */
let laterMs = 0;

export const clock = { now: () => nowMs + laterMs, monotonicMs: () => 0 };

/** By so much, until the end of the test. */
export function beLater(ms: number): void {
  laterMs = ms;
}

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

export async function useGateway(
  settings: Partial<GatewaySettings>,
  usedLog: Pick<Log, "producer"> = log,
): Promise<void> {
  await gateway.close();
  gateway = await createGateway({ model, log: usedLog, registry, clock, settings });
}

export function request(body: string | Uint8Array, more: Partial<ProduceRequest> = {}): ProduceRequest {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  return { target: { kind: "event", name: "order" }, format: "ndjson", body: bytes, partial: false, ...more };
}

export const produce = (body: string | Uint8Array, more: Partial<ProduceRequest> = {}): Promise<ProduceAnswer> =>
  gateway.produce(request(body, more));

export const order = (customer: string, more: object = {}): string => JSON.stringify({ customer, at, ...more });

export interface Stored {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: Buffer | null;
}

export async function stored(topic: string): Promise<readonly Stored[]> {
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

export async function quarantined(): Promise<readonly QuarantineRecord[]> {
  return (await stored("quarantine.gateway")).map(({ value }) => decodeQuarantineRecord(value!));
}

export const problemsOf = async (
  body: string | Uint8Array,
  more: Partial<ProduceRequest> = {},
): Promise<BadRecords> => {
  const error: unknown = await produce(body, more).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ kind: "invalid", code: "bad_records" });
  return error as BadRecords;
};

export type Append = Producer["append"];

/** The log with its append wrapped. */
export function withAppend(
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
