// Traversals of several edge types as a whole: form of answers and tokens, explanation without reads, budgets, parts as they are asked for, and who may read what.
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { Slots } from "../core/slots.ts";
import type { EdgeModel, GraphModel } from "../model/definition.ts";
import type { HopRequest, TraverseAnswer, TraverseRequest } from "../model/traversal.ts";
import { batchOfElements } from "../model/update/batch-of-elements.ts";
import type { Update } from "../model/update/element.ts";
import { graphOf } from "../model/update/oracle.ts";
import type { AdjacencyBatch, AdjacencyRequest, Store, StoreReader } from "../store/port.ts";
import { referenceStore } from "../testing/reference-store.ts";
import type { Queries, QueryAnswer, QueryContext } from "./port.ts";
import { createQueries, type QueriesOptions } from "./queries.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const context: QueryContext = { signal: new AbortController().signal };
const edge = (name: string, from: string, to: string): EdgeModel => ({ name, from, to, properties: [] });
const model: GraphModel = {
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

const upsertEdge = (type: string, from: string, to: string, ageMs: number): Update => ({
  kind: "edge",
  operation: "upsert",
  type,
  from,
  to,
  timeMs: nowMs - ageMs,
  properties: {},
});
const upsertNode = (
  type: string,
  id: string,
  properties: Update extends { properties: infer P } ? P : object,
): Update => ({ kind: "node", operation: "upsert", type, id, timeMs: nowMs, properties }) as Update;

/** a knows b and c, b knows c and a; a uses d1, b uses d1 and d2, c uses d2. */
const updates: Update[] = [
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

async function filledStore(): Promise<Store> {
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

async function open(options: Partial<QueriesOptions> = {}): Promise<Queries> {
  const store = options.store ?? (await filledStore());
  const continuationKey = new Uint8Array(32).fill(7);
  return createQueries({ model, store, clock, waitFor: async () => true, continuationKey, ...options });
}

const request = (hops: readonly HopRequest[], more: Partial<TraverseRequest> = {}): TraverseRequest => ({
  from: { type: "account", ids: ["a"] },
  hops,
  ...more,
});
const answerOf = ({ json }: QueryAnswer): TraverseAnswer => JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
const ask = async (queries: Queries, asked: object, of = context): Promise<TraverseAnswer> =>
  answerOf(await queries.traverse(asked, of));
const edgesOf = ({ levels }: TraverseAnswer): readonly string[] =>
  levels.flatMap(({ edges = [] }, i) => edges.map(({ type, from, to }) => `${i} ${from} ${type} ${to}`));
const nextOf = ({ hops }: TraverseAnswer, i: number): string => {
  const hop = hops[i]!;
  if (hop.complete || hop.truncated.next === undefined) throw new Error("It cannot be continued.");
  return hop.truncated.next;
};

/** A store whose adjacency is told of, and may be held up, before it is read and when its reader leaves it. */
function watched(
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

const wideGolden = new URL("../../test/golden/traversal/wide-answer.v2.json", import.meta.url);
const wide = request(
  [
    { edge: "*", repeat: { times: 2, until: { blocked: true } }, limit: 2 },
    { edge: ["uses", { type: "knows", limit: 1, direction: "both" }], direction: "both" },
  ],
  { explain: "profile" },
);

describe("an answer of mixed levels and a repetition", () => {
  test("has its form, and its tokens have theirs", async () => {
    const { json } = await (await open()).traverse(wide, context);
    expect(`${Buffer.from(json).toString()}\n`).toBe(await readFile(wideGolden, "utf8"));
  });

  test("is gone on with by a server that was started later", async () => {
    const golden = JSON.parse(await readFile(wideGolden, "utf8")) as TraverseAnswer;
    const queries = await open();
    const first = await ask(queries, { continue: nextOf(golden, 0) });
    expect([first.fromHop, first.hops[0]]).toMatchObject([undefined, { hop: 0, repetition: 1 }]);
    expect(edgesOf(first)[0]).toBe("1 b knows a");
    const second = await ask(queries, { continue: nextOf(golden, 1), explain: "plan" });
    expect(second.explain!.hops.map(({ hop, repetition }) => [hop, repetition])).toEqual([
      [0, 2],
      [1, undefined],
    ]);
  });
});

describe("an explanation", () => {
  test("of the plan alone reads nothing, and neither does an impossible path", async () => {
    const store = new Proxy(await filledStore(), {
      get(target, name) {
        if (name === "capabilities") return target.capabilities;
        throw new Error(`The store was asked for ${String(name)}.`);
      },
    });
    const waitFor = () => Promise.reject(new Error("It waited."));
    const queries = await open({ store, waitFor });
    const { levels, hops, complete, explain } = await ask(queries, request([{ edge: "*" }], { explain: "plan" }));
    expect([levels, hops, complete]).toEqual([[], [], true]);
    expect(explain!.hops[0]!.branches.map((branch) => [branch.edge, branch.direction])).toEqual([
      ["knows", "both"],
      ["uses", "out"],
    ]);
    expect(explain!.budget).toEqual({ edges: 100_000, scanned: 1_000_000, bytes: 67_108_864, timeoutMs: 10_000 });
    const impossible = queries.traverse(request([{ edge: "uses" }, { edge: "knows" }]), context);
    await expect(impossible).rejects.toMatchObject({ code: "impossible_hop" });
  });

  test("with figures tells what each level cost", async () => {
    const hops: HopRequest[] = [{ edge: "knows" }, { edge: "uses", where: { node: { label: { prefix: "y" } } } }];
    const { explain } = await ask(await open(), request(hops, { explain: "profile" }));
    const cost = { cacheHits: 0, cacheMisses: 0, adjacencyUs: 0, nodesUs: 0, enrichUs: 0 };
    expect(explain!.levels).toEqual([
      { frontier: 1, scanned: 2, filtered: 0, returned: 2, ...cost },
      { frontier: 2, scanned: 3, filtered: 1, returned: 2, ...cost },
    ]);
    expect(explain!.totals).toEqual({ waitUs: 0, planUs: 0, walkUs: 0, encodeUs: 0 });
  });
});

describe("a budget", () => {
  test("of bytes ends a hop with a token, never with an error", async () => {
    const queries = await open();
    const hops: HopRequest[] = [{ edge: "uses" }, { edge: "uses", direction: "in" }];
    const first = await ask(queries, request(hops, { budget: { bytes: 10 } }));
    expect(first.hops).toMatchObject([{ complete: true }, { truncated: { cause: "budget_bytes", nodes: 1 } }]);
    const second = await ask(queries, { continue: nextOf(first, 1), budget: { bytes: 10 } });
    expect(edgesOf(second)).toEqual(["1 a uses d1", "1 b uses d1"]);
    expect(second.fromHop).toBe(1);
  });

  /**
   * Both ways, four edges of `knows` are eight that are read; of a budget of nine one is left for `uses`. Four come back when `spent` is called: while `uses`
   * is read.
   */
  async function gaveBack(ids: readonly string[], spend: "when left" | "in a pause"): Promise<TraverseAnswer> {
    const [readTwice, spent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isReading = false;
    const waitForOthers = async (): Promise<void> => {
      if (isReading) spent.resolve();
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const store = watched(
      await filledStore(),
      async ({ edge: type }) => {
        if (type === 0) return;
        await readTwice.promise;
        isReading = true;
      },
      async ({ edge: type, direction }) => {
        if (type === 1) return spend === "when left" ? waitForOthers() : undefined;
        if (direction === "out") return;
        readTwice.resolve();
        await spent.promise;
      },
    );
    let nowMs = 0;
    const pausing = { clock: { ...clock, monotonicMs: () => (nowMs += 20) }, turns: { next: waitForOthers } };
    const queries = await open({ store, ...(spend === "in a pause" ? pausing : {}) });
    const hops: HopRequest[] = [{ edge: ["uses", { type: "knows", direction: "both" }] }];
    return ask(queries, { from: { type: "account", ids }, hops, budget: { edges: 9 } });
  }

  test("of edges that a branch gives back is there for those that are walked at the same time", async () => {
    const answer = await gaveBack(["a", "b", "c"], "when left");
    expect(answer.hops).toEqual([{ complete: true }]);
    expect(edgesOf(answer)).toHaveLength(8);
  });

  test("of edges that is given back too late has left something out, and the answer says so", async () => {
    const answer = await gaveBack(["b", "a", "c"], "in a pause");
    expect(answer.hops).toMatchObject([{ truncated: { cause: "budget_edges", nodes: 1 } }]);
    const next = edgesOf(await ask(await open(), { continue: nextOf(answer, 0) }));
    expect([...edgesOf(answer), ...next].filter((text) => text.includes("uses"))).toHaveLength(4);
  });

  test("that another branch used up ends a walk behind what it has read already", async () => {
    const store = referenceStore({ model, clock });
    const many = ["knows", "uses"].flatMap((type) =>
      Array.from({ length: 150 }, (_, i) => upsertEdge(type, "a", `${type}${i}`, i)),
    );
    const batch = batchOfElements(model, [...graphOf(model, many).values()]);
    const frame = { source: "s", offset: 0, job: "j", timestampMs: 0, inputs: [], sizeBytes: 0 };
    await store.apply({ ...frame, updates: () => batch });
    const queries = await open({ store });
    const first = await ask(queries, request([{ edge: ["knows", "uses"] }], { budget: { edges: 200 } }));
    const second = await ask(queries, { continue: nextOf(first, 0) });
    const edges = [...edgesOf(first), ...edgesOf(second)];
    expect([edges.length, new Set(edges).size, second.complete]).toEqual([300, 300, true]);
  });

  test("of edges looked at is shared by the branches of a level", async () => {
    const scanned: number[] = [];
    const store = watched(await filledStore(), ({ scanMax }) => void scanned.push(scanMax));
    const queries = await open({ store });
    await ask(queries, request([{ edge: ["knows", "uses"] }, { edge: "knows" }], { budget: { scanned: 100 } }));
    expect(scanned).toEqual([50, 50, 97]);
  });
});

describe("the branches of a level", () => {
  test("are read at the same time", async () => {
    let reading = 0;
    const both = Promise.withResolvers<void>();
    const store = watched(await filledStore(), () => {
      if (++reading === 2) both.resolve();
      return both.promise;
    });
    expect(edgesOf(await ask(await open({ store }), request([{ edge: ["knows", "uses"] }])))).toHaveLength(3);
  });

  test("have all ended before a failure of one of them is told and the reader is closed", async () => {
    let ended = false;
    const store = watched(await filledStore(), async ({ edge: type }) => {
      if (type === 0) throw new RdgError("unavailable", "store_gone", "It is gone.");
      await new Promise((resolve) => setImmediate(resolve));
      expect(store.open).toBe(1);
      ended = true;
    });
    const failed = (await open({ store })).traverse(request([{ edge: "*" }]), context);
    await expect(failed).rejects.toMatchObject({ code: "store_gone" });
    expect([ended, store.open]).toEqual([true, 0]);
  });
});

describe("parts", () => {
  const hops: HopRequest[] = [{ edge: ["knows", "uses"] }, { edge: "knows", direction: "both" }, { edge: "*" }];

  test("are walked level by level as they are asked for, in a slot each; leaving early closes the reader", async () => {
    const read: number[] = [];
    const store = watched(await filledStore(), ({ edge: type }) => void read.push(type));
    const slots = new Slots(1);
    const queries = await open({ store, slots });
    const kinds: string[] = [];
    for await (const part of queries.traverseParts(request(hops), context)) {
      kinds.push(part.kind === "end" ? part.kind : `${part.kind} ${part.level}`);
      expect([slots.taken, store.open]).toEqual([0, 1]);
      // A slow reader keeps nobody else from being answered.
      expect(edgesOf(await ask(queries, request([])))).toEqual([]);
      if (kinds.at(-1) === "edges 2") break;
    }
    expect(kinds).toEqual(["nodes 0", "edges 1", "edges 1", "nodes 1", "nodes 1", "edges 2"]);
    expect(read).toEqual([0, 1, 0, 0]);
    expect(store.open).toBe(0);
  });

  test("hold at most a thousand rows", async () => {
    const store = referenceStore({ model, clock });
    const many = Array.from({ length: 2_001 }, (_, i) => upsertEdge("knows", "a", `k${i}`, i));
    const batch = batchOfElements(model, [...graphOf(model, many).values()]);
    await store.apply({
      source: "s",
      offset: 0,
      job: "j",
      timestampMs: 0,
      inputs: [],
      sizeBytes: 0,
      updates: () => batch,
    });
    const sizes: number[] = [];
    for await (const part of (await open({ store })).traverseParts(request([{ edge: "knows", limit: 5_000 }]), context))
      if (part.kind !== "end") sizes.push(part.to - part.from);
    expect(sizes).toEqual([1, 1_000, 1_000, 1, 1_000, 1_000, 1]);
  });

  test("tell a refused request before anything", async () => {
    const parts = (await open()).traverseParts(request([{ edge: "nothing" }]), context);
    await expect(parts[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "unknown_edge_type" });
  });
});

describe("a token", () => {
  const cutAtB = request([{ edge: "knows" }, { edge: "*" }], { budget: { edges: 3 } });

  test("is refused when the definition means something else by then, or is of another graph", async () => {
    const next = nextOf(await ask(await open(), cutAtB), 1);
    const code = async (changed: GraphModel): Promise<unknown> =>
      (await open({ model: changed })).traverse({ continue: next }, context).then(
        () => "accepted",
        (error: RdgError) => error.code,
      );
    expect(await code({ ...model, name: "renamed", latenessMs: 5 })).toBe("accepted");
    expect(await code({ ...model, traversals: { limit: 5 } })).toBe("continuation_stale");
    expect(await code({ ...model, edges: [...model.edges, edge("owns", "account", "device")] })).toBe(
      "continuation_stale",
    );
    const foreign = await open({ continuationKey: new Uint8Array(32).fill(8) });
    await expect(foreign.traverse({ continue: next }, context)).rejects.toMatchObject({ code: "bad_continuation" });
  });

  test("goes on with what its holder may read, and no more", async () => {
    const queries = await open();
    const next = nextOf(await ask(queries, cutAtB), 1);
    const all = edgesOf(await ask(queries, { continue: next }));
    const mayRead = (type: string): boolean => type !== "uses";
    const less = edgesOf(await ask(queries, { continue: next }, { ...context, mayRead }));
    expect(all.some((text) => text.includes("uses"))).toBe(true);
    expect(less).toEqual(all.filter((text) => !text.includes("uses")));
    const named = nextOf(
      await ask(queries, request([{ edge: "uses" }, { edge: "uses", direction: "in", limit: 1 }])),
      1,
    );
    const refused = queries.traverse({ continue: named }, { ...context, mayRead });
    await expect(refused).rejects.toMatchObject({ kind: "unauthorized", code: "type_not_readable" });
  });
});

describe("who may not read a type", () => {
  const mayRead = (type: string): boolean => type !== "device";

  test("sees none of it by any edge type, and is refused what is named", async () => {
    const queries = await open();
    const answer = await ask(queries, request([{ edge: "*", repeat: { times: 3 } }]), { ...context, mayRead });
    expect(new Set(answer.levels.flatMap(({ nodes }) => nodes.map(({ type }) => type)))).toEqual(new Set(["account"]));
    const refused = { kind: "unauthorized", code: "type_not_readable" };
    const asked = { ...context, mayRead };
    await expect(queries.traverse(request([{ edge: "uses" }]), asked)).rejects.toMatchObject(refused);
    await expect(queries.node("device", "d1", asked)).rejects.toMatchObject(refused);
    const noEdges = { ...context, mayRead: (type: string) => type !== "uses" };
    await expect(queries.edge("uses", "a", "d1", noEdges)).rejects.toMatchObject(refused);
    await expect(queries.query({ query: "(account {id: 'a'})-[:uses]->()" }, noEdges)).rejects.toMatchObject(refused);
  });
});

test("enrichments that nobody declared are refused before anything is read", async () => {
  const asked = (await open()).traverse(request([], { enrich: ["score"] }), context);
  await expect(asked).rejects.toMatchObject({ code: "unknown_enrichment", place: "/enrich/0" });
});
