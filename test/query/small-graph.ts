// A small graph of accounts, for tests of the questions beside traversals: asked on the naive store, or on one that is slow.
import type { Clock } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { batchOfElements } from "../../src/model/update/batch-of-elements.ts";
import type { Update } from "../../src/model/update/element.ts";
import { graphOf } from "../../src/model/update/oracle.ts";
import type { QueryContext, Questions } from "../../src/query/port.ts";
import { type QueriesOptions, createQueries } from "../../src/query/queries.ts";
import type { Store, StoreReader } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";

export const nowMs = Date.parse("2026-11-21T12:00:00Z");

export const dayMs = 86_400_000;

export const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [
    {
      name: "account",
      properties: [
        { name: "visits", type: { kind: "int64" }, merge: "sum" },
        { name: "countries", type: { kind: "string" }, merge: "union", unionMax: 9 },
        { name: "__proto__", type: { kind: "bytes" }, merge: "last" },
      ],
    },
    { name: "device", properties: [{ name: "kind", type: { kind: "string" }, merge: "last" }] },
    { name: "title", properties: [{ name: "shownAt", type: { kind: "timestamp" }, merge: "last" }] },
  ],
  edges: [
    {
      name: "uses",
      from: "account",
      to: "device",
      properties: [{ name: "times", type: { kind: "int32" }, merge: "last" }],
    },
    { name: "watched", from: "account", to: "title", properties: [] },
    { name: "knows", from: "account", to: "account", properties: [] },
  ],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

export const upsert = { operation: "upsert" } as const;

export function edge(type: string, from: string, to: string, ageMs = 0, properties = {}): Update {
  return { ...upsert, kind: "edge", type, from, to, timeMs: nowMs - ageMs, properties };
}

export function node(type: string, id: string, properties: Record<string, never> | object): Update {
  return { ...upsert, kind: "node", type, id, timeMs: nowMs - 5, properties: properties as Record<string, null> };
}

export const updates: readonly Update[] = [
  node("account", "a1", { visits: 2n ** 60n, countries: ["DE", "FR"], ["__proto__"]: new Uint8Array([1, 2]) }),
  node("account", "a2", { visits: 1 }),
  node("device", "d1", { kind: "tv" }),
  node("device", "d2", { kind: "phone" }),
  node("title", "t1", { shownAt: null }),
  edge("uses", "a1", "d1", 200 * dayMs, { times: 3 }),
  edge("uses", "a1", "d2", 1),
  edge("uses", "a2", "d1", 2),
  edge("uses", "a2", "d2", 3),
  edge("uses", "a3", "d2", 4),
  edge("watched", "a3", "t1", 5),
  edge("knows", "a1", "a1"),
  edge("knows", "a4", "a1"),
];

export async function open(
  options: Partial<QueriesOptions> = {},
  wrap: (reader: StoreReader) => Partial<StoreReader> = () => ({}),
): Promise<Questions> {
  const clock: Clock = options.clock ?? { now: () => nowMs, monotonicMs: () => 0 };
  const store = referenceStore({ model, clock });
  const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
  const inputs = [{ topic: "events.playback", partition: 0, offset: 41 }];
  await store.apply({ source: "s", offset: 0, job: "j", timestampMs: 0, inputs, sizeBytes: 0, updates: () => batch });
  const wrapped: Store = new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name !== "reader") return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return (): StoreReader => {
        const reader = target.reader();
        const bound = Object.fromEntries(
          (["find", "id", "nodes", "adjacency", "edge", "degrees", "close"] as const).map((method) => [
            method,
            (reader[method] as (...args: unknown[]) => unknown).bind(reader),
          ]),
        );
        return { ...bound, ...wrap(reader) } as unknown as StoreReader;
      };
    },
  });
  return createQueries({
    model,
    store: wrapped,
    clock,
    waitFor: async () => true,
    continuationKey: new Uint8Array(32),
    ...options,
  });
}

/** Every call takes the store 10 ms. */
export function openSlow(): Promise<Questions> {
  let ms = 0;
  const slowly = <Args extends readonly unknown[], T>(call: (...args: Args) => Promise<T>) => {
    return (...args: Args): Promise<T> => {
      ms += 10;
      return call(...args);
    };
  };
  return open({ clock: { now: () => nowMs, monotonicMs: () => ms } }, (reader) => ({
    find: slowly((type: number, ids: readonly string[], signal: AbortSignal) => reader.find(type, ids, signal)),
    nodes: slowly((request: Parameters<StoreReader["nodes"]>[0], signal: AbortSignal) => reader.nodes(request, signal)),
    edge: slowly((request: Parameters<StoreReader["edge"]>[0], signal: AbortSignal) => reader.edge(request, signal)),
    async *adjacency(request, signal) {
      for await (const batch of reader.adjacency(request, signal)) {
        ms += 10;
        yield batch;
      }
    },
  }));
}

export const context: QueryContext = { signal: new AbortController().signal };

export const account = (id: string): object => ({ type: "account", id });

export const accounts = (...ids: string[]): object => ({ type: "account", ids });

export const asOf = ["events.playback/0@41"];
