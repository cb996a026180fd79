// A graph of several edge types between the same nodes, for tests of wide traversals, and how they are asked.
import type { Clock } from "../../src/core/clock.ts";
import type { EdgeModel, GraphModel } from "../../src/model/definition.ts";
import type { HopRequest, TraverseAnswer, TraverseRequest } from "../../src/model/traversal.ts";
import { batchOfElements } from "../../src/model/update/batch-of-elements.ts";
import type { Update } from "../../src/model/update/element.ts";
import { graphOf } from "../../src/model/update/oracle.ts";
import type { Queries, QueryAnswer, QueryContext } from "../../src/query/port.ts";
import { createQueries, type QueriesOptions } from "../../src/query/queries.ts";
import type { AdjacencyBatch, AdjacencyRequest, Store, StoreReader } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";

export const nowMs = Date.parse("2026-11-21T12:00:00Z");

export const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };

export const context: QueryContext = { signal: new AbortController().signal };

export const edge = (name: string, from: string, to: string): EdgeModel => ({ name, from, to, properties: [] });

export const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [
    { name: "account", properties: [{ name: "blocked", type: { kind: "boolean" }, merge: "last" }] },
    { name: "device", properties: [{ name: "label", type: { kind: "string" }, merge: "last" }] },
  ],
  edges: [edge("knows", "account", "account"), edge("uses", "account", "device")],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

export const upsertEdge = (type: string, from: string, to: string, ageMs: number): Update => ({
  kind: "edge",
  operation: "upsert",
  type,
  from,
  to,
  timeMs: nowMs - ageMs,
  properties: {},
});

export const upsertNode = (
  type: string,
  id: string,
  properties: Update extends { properties: infer P } ? P : object,
): Update => ({ kind: "node", operation: "upsert", type, id, timeMs: nowMs, properties }) as Update;

/** a knows b and c, b knows c and a; a uses d1, b uses d1 and d2, c uses d2. */
export const updates: Update[] = [
  upsertNode("account", "a", { blocked: false }),
  upsertNode("account", "c", { blocked: true }),
  upsertNode("device", "d1", { label: "x".repeat(50) }),
  upsertNode("device", "d2", { label: "y".repeat(50) }),
  upsertEdge("knows", "a", "b", 1),
  upsertEdge("knows", "a", "c", 2),
  upsertEdge("knows", "b", "c", 3),
  upsertEdge("knows", "b", "a", 4),
  upsertEdge("uses", "a", "d1", 5),
  upsertEdge("uses", "b", "d1", 6),
  upsertEdge("uses", "b", "d2", 7),
  upsertEdge("uses", "c", "d2", 8),
];

export async function filledStore(): Promise<Store> {
  const store = referenceStore({ model, clock });
  const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
  await store.apply({
    source: "s",
    offset: 0,
    job: "j",
    timestampMs: 0,
    inputs: [],
    sizeBytes: 0,
    updates: () => batch,
  });
  return store;
}

export async function open(options: Partial<QueriesOptions> = {}): Promise<Queries> {
  const store = options.store ?? (await filledStore());
  const continuationKey = new Uint8Array(32).fill(7);
  return createQueries({ model, store, clock, waitFor: async () => true, continuationKey, ...options });
}

export const request = (hops: readonly HopRequest[], more: Partial<TraverseRequest> = {}): TraverseRequest => ({
  from: { type: "account", ids: ["a"] },
  hops,
  ...more,
});

export const answerOf = ({ json }: QueryAnswer): TraverseAnswer =>
  JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;

export const ask = async (queries: Queries, asked: object, of = context): Promise<TraverseAnswer> =>
  answerOf(await queries.traverse(asked, of));

export const edgesOf = ({ levels }: TraverseAnswer): readonly string[] =>
  levels.flatMap(({ edges = [] }, i) => edges.map(({ type, from, to }) => `${i} ${from} ${type} ${to}`));

export const nextOf = ({ hops }: TraverseAnswer, i: number): string => {
  const hop = hops[i]!;
  if (hop.complete || hop.truncated.next === undefined) throw new Error("It cannot be continued.");
  return hop.truncated.next;
};

/** A store whose adjacency is told of, and may be held up, before it is read and when its reader leaves it. */
export function watched(
  store: Store,
  onAdjacency: (request: AdjacencyRequest) => Promise<void> | void,
  onLeft: (request: AdjacencyRequest) => Promise<void> | void = () => undefined,
): Store & { open: number } {
  const counted = { open: 0 };
  return new Proxy(store, {
    get(target, name) {
      if (name === "open") return counted.open;
      if (name !== "reader") {
        const member: unknown = Reflect.get(target, name);
        return typeof member === "function" ? member.bind(target) : member;
      }
      return (): StoreReader => {
        counted.open++;
        const reader = target.reader();
        const readers: Partial<StoreReader> = {
          async *adjacency(asked, signal): AsyncGenerator<AdjacencyBatch> {
            await onAdjacency(asked);
            try {
              yield* reader.adjacency(asked, signal);
            } finally {
              await onLeft(asked);
            }
          },
          close() {
            counted.open--;
            reader.close();
          },
        };
        return new Proxy(reader, {
          get(inner, method) {
            const member: unknown = Reflect.get(readers, method) ?? Reflect.get(inner, method);
            return typeof member === "function" ? member.bind(inner) : member;
          },
        });
      };
    },
  }) as Store & { open: number };
}
