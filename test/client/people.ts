// A small graph that the client's tests ask, on the real server: people, what they know and own.
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import type { Gateway } from "../../src/gateway/port.ts";
import { edge, node } from "../../src/model/define/element.ts";
import { enrichment } from "../../src/model/define/enrichment.ts";
import { event, sideInput } from "../../src/model/define/event.ts";
import { t } from "../../src/model/define/field.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { batchOfElements } from "../../src/model/update/batch-of-elements.ts";
import type { Update } from "../../src/model/update/element.ts";
import { graphOf } from "../../src/model/update/oracle.ts";
import { Enricher } from "../../src/query/enrichment/enricher.ts";
import { createQueries } from "../../src/query/queries.ts";
import { createGrpcServer } from "../../src/serve/grpc/server.ts";
import { createServer } from "../../src/serve/server.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";

export const person = node("person", {
  name: t.string(),
  born: t.timestamp(),
  tags: t.set(t.string()),
  and: t.int32(),
});
export const thing = node("thing", { size: t.int64(), raw: t.bytes(), name: t.string() });
export const knows = edge("knows", person, person, { properties: { since: t.int32(), firstSeen: t.boolean() } });
export const owns = edge("owns", person, thing, { properties: { count: t.counter(), since: t.int64() } });
export const likes = edge("likes", person, thing, { properties: { stars: t.int32(), count: t.counter() } });
export const rating = enrichment("rating", {
  on: thing,
  fields: { stars: t.int64(), at: t.timestamp().optional() },
  load: async (ids) => new Map(ids.filter((id) => id === "car").map((id) => [id, { stars: 5n, at: new Date(0) }])),
});
export const bought = event("bought", {
  key: "who",
  time: "at",
  fields: { who: t.string(), at: t.timestamp(), price: t.int64(), raw: t.bytes() },
});

export const prices = sideInput("prices", { key: "what", fields: { what: t.string(), cents: t.int64() } });

export const model: GraphModel = {
  format: 1,
  name: "people",
  events: [bought.model],
  sideInputs: [prices.model],
  nodes: [person.model, thing.model],
  edges: [knows.model, owns.model, likes.model],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

/** A moment, in seconds behind a fixed one that is an hour or more ago. */
const startMs = Math.floor(systemClock.now() / 3_600_000 - 1) * 3_600_000;
export const at = (seconds: number): number => startMs + seconds * 1_000;

const upsertNode = (type: string, id: string, properties: object): Update =>
  ({ kind: "node", operation: "upsert", type, id, timeMs: at(0), properties }) as Update;
const upsertEdge = (type: string, from: string, to: string, seconds: number, properties: object): Update =>
  ({ kind: "edge", operation: "upsert", type, from, to, timeMs: at(seconds), properties }) as Update;

const updates: readonly Update[] = [
  upsertNode("person", "ann", { name: "Ann", born: at(0), tags: ["x", "y"], and: 3 }),
  upsertNode("person", "bob", { name: "Bob", and: 4 }),
  upsertNode("thing", "car", { size: 2n ** 60n, raw: new Uint8Array([1, 2]), name: "Car" }),
  // Ids are of a type: this is no person.
  upsertNode("thing", "bob", { size: 1n }),
  upsertEdge("knows", "ann", "bob", 1, { since: 2001, firstSeen: true }),
  upsertEdge("knows", "cid", "ann", 2, { since: 1999 }),
  upsertEdge("owns", "bob", "car", 3, { count: 7, since: 5n }),
  ...["t1", "t2", "t3", "t4", "t5"].map((id, i) => upsertEdge("owns", "ann", id, i, { count: i })),
  upsertEdge("likes", "ann", "car", 4, { stars: 5, count: 2 }),
  upsertEdge("likes", "ann", "bob", 5, { stars: 1 }),
  upsertEdge("likes", "cid", "car", 6, { stars: 4 }),
  // A chain, for what is repeated.
  ...["l0", "l1", "l2", "l3"].map((id, i) => upsertEdge("knows", id, `l${i + 1}`, i, { since: i })),
  upsertNode("person", "l3", { name: "Lee" }),
  // A fan of fans, for what comes in pages: h* know m*, each of which owns the same things.
  ...["h1", "h2"].flatMap((from) =>
    Array.from({ length: 7 }, (_, i) => upsertEdge("knows", from, `m${i}`, i, { since: i })),
  ),
  ...Array.from({ length: 7 }, (_, i) => i).flatMap((i) =>
    Array.from({ length: 5 }, (_, j) => upsertEdge("owns", `m${i}`, `w${j}`, j, { count: j })),
  ),
];

/** The server over HTTP and gRPC. */
export interface PeopleServer {
  readonly http: string;
  readonly grpc: string;
  close(): Promise<void>;
}

export async function peopleServer(gateway: Gateway): Promise<PeopleServer> {
  const store = referenceStore({ model, clock: systemClock });
  const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
  const frame = { source: "test", offset: 0, job: "test", timestampMs: 0, inputs: [], sizeBytes: 0 };
  await store.apply({ ...frame, updates: () => batch });
  const waitFor = async (): Promise<boolean> => true;
  const ports = { model, clock: systemClock, timers: systemTimers };
  const enrichments = new Enricher({ ...ports, enrichments: [rating], notice: () => {} });
  const queries = createQueries({ ...ports, store, waitFor, continuationKey: new Uint8Array(32), enrichments });
  const server = createServer({ ...ports, gateway, queries, settings: { port: 0 } });
  const grpc = createGrpcServer({ ...ports, gateway, queries, bounds: server.bounds, settings: { port: 0 } });
  const { url } = await server.listen();
  const { port } = await grpc.listen();
  return {
    http: url,
    grpc: `grpc://127.0.0.1:${port}`,
    async close() {
      await Promise.all([server.close(), grpc.close()]);
    },
  };
}
