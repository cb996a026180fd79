// A gRPC server of a tiny graph, for tests, over queries and a gateway that only say what they are told to; closed behind each test.
import { setTimeout as wait } from "node:timers/promises";
import { afterEach } from "vitest";
import type { GraphModel } from "../../src/model/definition.ts";
import { type ProduceRequest, RecordFormat } from "../../src/model/rpc/generated/rdg/v1/ingest_service.ts";
import type { NodesPart, Queries, QueryContext, TraversalPart } from "../../src/query/port.ts";
import { type Loopback, type LoopbackOptions, openLoopback } from "./loopback.ts";

export const timed = { fields: [], key: "id", time: "at", dedupHorizonMs: 0, partitions: 1, retention: {} };

export const model: GraphModel = {
  format: 1,
  name: "test",
  events: [{ ...timed, name: "playback" }],
  sideInputs: [{ name: "catalogue", fields: [], key: "id" }],
  nodes: [{ name: "n", properties: [{ name: "text", type: { kind: "string" }, merge: "last" }] }],
  edges: [],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

export const open: { close(): Promise<void> | void }[] = [];

afterEach(async () => {
  for (const each of open.splice(0).toReversed()) await each.close();
});

export async function serve(options: Partial<LoopbackOptions>): Promise<Loopback> {
  const loopback = await openLoopback({ model, ...options });
  open.push(loopback);
  return loopback;
}

export const start = { question: { $case: "start" as const, value: { type: "n", ids: ["a"], select: undefined } } };

export const end: TraversalPart = {
  kind: "end",
  hops: [],
  complete: true,
  asOf: [],
  timings: { waitMs: 0, hopsMs: [], nodesMs: 0, encodeMs: 0 },
};

export function nodes(count: number, text: string, level = 0): NodesPart {
  const ids = Array.from({ length: count }, (_, i) => `n${i}`);
  const times = new Float64Array(count);
  const rows = {
    visible: new Uint8Array(count).fill(1),
    firstSeenMs: times,
    lastSeenMs: times,
    properties: [ids.map(() => text)],
  };
  return { kind: "nodes", level, type: 0, from: 0, to: count, ids, rows, select: [0] };
}

/** Answers traversals with these parts. */
export function traversing(parts: (context: QueryContext, request: unknown) => AsyncIterable<TraversalPart>): Queries {
  return { traverseParts: (request: unknown, context: QueryContext) => parts(context, request) } as unknown as Queries;
}

export const failing = (error: unknown): Queries =>
  // eslint-disable-next-line require-yield
  traversing(async function* () {
    throw error;
  });

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await wait(2);
}

export const producePath = "/rdg.v1.IngestService/Produce";

export function batch(text: string, more: Partial<ProduceRequest> = {}): ProduceRequest {
  return {
    target: { $case: "event", value: "playback" },
    format: RecordFormat.RECORD_FORMAT_NDJSON,
    records: Buffer.from(text),
    partial: false,
    idempotencyKey: undefined,
    ...more,
  };
}
