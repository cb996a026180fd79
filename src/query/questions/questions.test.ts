// Questions as they are asked and refused, and what they do when positions, time, budget or the store fail them. Their answers are held to naive twins in
// test/query/questions.test.ts; nodes with millions of edges in supernodes.test.ts.
import { describe, expect, test } from "vitest";
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import { batchOfElements } from "../../model/update/batch-of-elements.ts";
import type { Update } from "../../model/update/element.ts";
import { graphOf } from "../../model/update/oracle.ts";
import type { Store, StoreReader } from "../../store/port.ts";
import { referenceStore } from "../../testing/reference-store.ts";
import { lateError } from "../concurrency/adaptive-limit.ts";
import type { QueryContext, Questions } from "../port.ts";
import { type QueriesOptions, createQueries } from "../queries.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const dayMs = 86_400_000;
const model: GraphModel = {
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

const upsert = { operation: "upsert" } as const;
function edge(type: string, from: string, to: string, ageMs = 0, properties = {}): Update {
  return { ...upsert, kind: "edge", type, from, to, timeMs: nowMs - ageMs, properties };
}
function node(type: string, id: string, properties: Record<string, never> | object): Update {
  return { ...upsert, kind: "node", type, id, timeMs: nowMs - 5, properties: properties as Record<string, null> };
}

const updates: readonly Update[] = [
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

async function open(
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
function openSlow(): Promise<Questions> {
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

const context: QueryContext = { signal: new AbortController().signal };
const account = (id: string): object => ({ type: "account", id });
const accounts = (...ids: string[]): object => ({ type: "account", ids });
const asOf = ["events.playback/0@41"];

describe("nodes and edges", () => {
  test("come in the order asked for, those that are there, once each", async () => {
    const questions = await open();
    const nodes = await questions.nodes({ type: "account", ids: ["a2", "nobody", "a1", "a3", "a2"] }, context);
    expect(nodes.asOf).toEqual(asOf);
    expect(nodes.nodes.map(({ id }) => id)).toEqual(["a2", "a1"]);
    expect(JSON.parse(JSON.stringify(nodes.nodes[1]!.properties))).toEqual(
      JSON.parse(`{"visits":"${2n ** 60n}","countries":["DE","FR"],"__proto__":"AQI="}`),
    );
    const pairs = [
      { from: "a1", to: "d2" },
      { from: "d1", to: "a1" },
      { from: "a1", to: "d1" },
      { from: "a1", to: "d2" },
    ];
    const edges = await questions.edges({ type: "uses", pairs, select: ["times"] }, context);
    expect(edges.edges.map(({ to, properties }) => [to, properties])).toEqual([
      ["d2", {}],
      ["d1", { times: 3 }],
    ]);
  });

  test("say nothing of properties that were not selected", async () => {
    const { nodes } = await (await open()).nodes({ type: "account", ids: ["a1"], select: ["visits"] }, context);
    expect(nodes).toMatchObject([{ properties: { visits: String(2n ** 60n) } }]);
    expect(Object.keys(nodes[0]!.properties!)).toEqual(["visits"]);
  });

  test("that are too large together are refused", async () => {
    const asked = (await open({ limits: { bytesMax: 10 } })).nodes({ type: "account", ids: ["a1"] }, context);
    await expect(asked).rejects.toMatchObject({ code: "answer_too_large" });
  });

  test("that are not read in time are refused", async () => {
    const late = await openSlow();
    const manyIds = Array.from({ length: 101 }, (_, i) => `${i}`);
    const place = { code: "deadline_exceeded", kind: "unavailable", place: "/timeoutMs" };
    await expect(late.nodes({ type: "account", ids: manyIds, timeoutMs: 5 }, context)).rejects.toMatchObject(place);
    const pairs = manyIds.map((to) => ({ from: "a1", to }));
    await expect(late.edges({ type: "uses", pairs, timeoutMs: 5 }, context)).rejects.toMatchObject(place);
  });
});

describe("counts", () => {
  test("know no bound in time but the one asked for", async () => {
    const questions = await open();
    const from = accounts("a1", "nobody");
    expect(await questions.count({ from, edge: "uses" }, context)).toEqual({
      counts: [
        { id: "a1", edge: "uses", direction: "out", count: 2 },
        { id: "nobody", edge: "uses", direction: "out", count: 0 },
      ],
      asOf,
    });
    const counts = async (members: object): Promise<number[]> =>
      (await questions.count({ from: accounts("a1"), edge: "uses", ...members }, context)).counts.map(
        ({ count }) => count,
      );
    expect(await counts({ since: "100d" })).toEqual([1]);
    expect(await counts({ since: "ever", until: "1d" })).toEqual([1]);
    expect(await counts({ where: { edge: { times: { gte: 3 } } } })).toEqual([1]);
    expect(await counts({ where: { node: { kind: "phone" } } })).toEqual([1]);
    expect(await counts({ edge: ["uses", { type: "knows", direction: "in" }] })).toEqual([2, 2]);
    const own = { type: "uses", since: "ever", where: { node: { kind: "phone" } } };
    expect(await counts({ edge: [own, "knows"], since: "1d", where: { edge: {} } })).toEqual([1, 1]);
  });

  test("of any edge type are those of the types that touch, a loop once", async () => {
    const { counts } = await (await open()).count({ from: accounts("a1"), edge: "*" }, context);
    expect(counts.map(({ edge: type, direction, count }) => [type, direction, count])).toEqual([
      ["uses", "out", 2],
      ["watched", "out", 0],
      ["knows", "both", 2],
    ]);
    const device = await (await open()).count({ from: { type: "device", ids: ["d2"] }, edge: "*" }, context);
    expect(device.counts).toEqual([{ id: "d2", edge: "uses", direction: "in", count: 3 }]);
  });

  test("are at least so much when time or budget end them", async () => {
    const late = await openSlow();
    const asked = { from: accounts("a1", "a2"), edge: "uses", since: "ever", until: "0ms" };
    const { counts } = await late.count({ ...asked, timeoutMs: 15 }, context);
    expect(counts.at(-1)).toMatchObject({ atLeast: true });
    const scanned = await (await open()).count({ ...asked, budget: { scanned: 1 } }, context);
    expect(scanned.counts.map(({ count, atLeast }) => [count, atLeast])).toEqual([
      [1, true],
      [0, true],
    ]);
  });
});

describe("a shortest path", () => {
  test("crosses types, in both directions unless told otherwise", async () => {
    const questions = await open();
    const asked = { from: { type: "device", id: "d1" }, to: { type: "title", id: "t1" } };
    const answer = await questions.shortestPath(asked, context);
    expect(answer).toMatchObject({ found: true, length: 4, complete: true, asOf });
    expect(answer.path!.nodes.map(({ id }) => id)).toEqual(["d1", "a1", "d2", "a3", "t1"]);
    expect(answer.path!.edges.map(({ type, from, to }) => [type, from, to])).toEqual([
      ["uses", "a1", "d1"],
      ["uses", "a1", "d2"],
      ["uses", "a3", "d2"],
      ["watched", "a3", "t1"],
    ]);
    expect(await questions.shortestPath({ ...asked, maxDepth: 3 }, context)).toEqual({
      found: false,
      complete: true,
      asOf,
    });
    const recent = await questions.shortestPath({ ...asked, since: "1d" }, context);
    expect(recent.path!.nodes.map(({ id }) => id)).toEqual(["d1", "a2", "d2", "a3", "t1"]);
    const directed = { from: account("a4"), to: account("a1"), edge: "knows" };
    expect(await questions.shortestPath({ ...directed, direction: "out" }, context)).toMatchObject({ length: 1 });
    expect(await questions.shortestPath({ ...directed, direction: "in" }, context)).toMatchObject({ found: false });
  });

  test("leads through nodes that meet the condition; its end need not", async () => {
    const questions = await open();
    const asked = { from: account("a1"), to: account("a3"), edge: "uses" };
    const through = async (kind: string): Promise<boolean> =>
      (await questions.shortestPath({ ...asked, where: { node: { kind } } }, context)).found;
    expect(await through("phone")).toBe(true);
    expect(await through("tv")).toBe(false);
    const wrong = questions.shortestPath({ ...asked, where: { node: { colour: "red" } } }, context);
    await expect(wrong).rejects.toMatchObject({ code: "unknown_property", place: "/where/node/colour" });
    const times = { where: { edge: { times: { gte: 3 } } } };
    const any = await questions.shortestPath(
      { from: account("a1"), to: { type: "device", id: "d1" }, ...times },
      context,
    );
    expect(any).toMatchObject({ found: true, length: 1 });
  });

  test("to itself is there where the node is", async () => {
    const questions = await open();
    const itself = (id: string): Promise<unknown> =>
      questions.shortestPath({ from: account(id), to: account(id) }, context);
    expect(await itself("a1")).toMatchObject({ found: true, length: 0, path: { nodes: [{ id: "a1" }], edges: [] } });
    expect(await itself("a4")).toMatchObject({ found: true, length: 0 });
    expect(await itself("nobody")).toMatchObject({ found: false, complete: true });
  });

  test("selects of each type what it has", async () => {
    const select = { node: ["kind", "visits"], edge: [] };
    const asked = { from: account("a1"), to: account("a2"), edge: "uses", select };
    const { path } = await (await open()).shortestPath(asked, context);
    expect(path!.nodes.map(({ properties }) => properties)).toEqual([
      { visits: String(2n ** 60n) },
      { kind: "tv" },
      { visits: "1" },
    ]);
  });

  test("says what ended the search", async () => {
    const asked = { from: account("a1"), to: { type: "title", id: "t1" } };
    const scanned = await (await open()).shortestPath({ ...asked, budget: { scanned: 2 } }, context);
    expect(scanned).toMatchObject({ found: false, complete: false, truncated: { cause: "scan" } });
    const late = await openSlow();
    expect(await late.shortestPath({ ...asked, timeoutMs: 25 }, context)).toMatchObject({
      found: false,
      complete: false,
      truncated: { cause: "deadline" },
    });
    const limited = await (await open()).shortestPath({ ...asked, limit: 1, maxDepth: 3 }, context);
    expect(limited.complete || limited.truncated?.cause === "limit").toBe(true);
  });

  test("is looked for again when an edge has gone, and not without end", async () => {
    let misses = 2;
    const missing = (reader: StoreReader): Partial<StoreReader> => ({
      edge: async (request, signal) => (misses-- > 0 ? undefined : reader.edge(request, signal)),
    });
    const asked = { from: account("a1"), to: account("a3"), edge: "uses" };
    expect(await (await open({}, missing)).shortestPath(asked, context)).toMatchObject({ found: true, length: 2 });
    misses = Infinity;
    const never = (await open({}, missing)).shortestPath(asked, context);
    await expect(never).rejects.toMatchObject({ kind: "unavailable", code: "changed_meanwhile" });
  });
});

describe("common neighbours", () => {
  test("come with all edges to them, the newest first", async () => {
    const questions = await open();
    const answer = await questions.commonNeighbours({ of: accounts("a2", "a1"), edge: "uses" }, context);
    expect(answer).toMatchObject({ complete: true, asOf });
    expect(answer.nodes.map(({ id }) => id)).toEqual(["d2", "d1"]);
    expect(answer.edges.map(({ from, to }) => [from, to])).toEqual([
      ["a2", "d2"],
      ["a1", "d2"],
      ["a2", "d1"],
      ["a1", "d1"],
    ]);
    const one = await questions.commonNeighbours({ of: accounts("a2", "a1"), edge: "uses", limit: 1 }, context);
    expect(one).toMatchObject({ nodes: [{ id: "d2" }], complete: false, truncated: { cause: "limit" } });
    const recent = await questions.commonNeighbours({ of: accounts("a1", "a2"), edge: "*", since: "1d" }, context);
    expect(recent.nodes.map(({ id }) => id)).toEqual(["d2"]);
    const none = await questions.commonNeighbours({ of: accounts("a1", "nobody"), edge: "uses" }, context);
    expect(none).toEqual({ nodes: [], edges: [], complete: true, asOf });
  });

  test("say what ended the search", async () => {
    const asked = { of: accounts("a1", "a2"), edge: "uses" };
    const scanned = await (await open()).commonNeighbours({ ...asked, budget: { scanned: 1 } }, context);
    expect(scanned).toMatchObject({ complete: false, truncated: { cause: "scan" } });
    const large = await open({ limits: { bytesMax: 1 } });
    expect(await large.commonNeighbours(asked, context)).toMatchObject({ nodes: [{ id: "d2" }, { id: "d1" }] });
  });
});

describe("the store", () => {
  const late = async (): Promise<never> => {
    throw lateError("reads of the store");
  };
  // oxlint-disable-next-line require-yield
  const lateStream = async function* (): AsyncGenerator<never> {
    await late();
  };
  const paths = { from: account("a1"), to: account("a3") };

  test("that is late ends a search at what is known", async () => {
    const questions = await open({}, () => ({ adjacency: lateStream, degrees: late }));
    const counted = await questions.count({ from: accounts("a1"), edge: "uses" }, context);
    expect(counted.counts).toMatchObject([{ count: 0, atLeast: true }]);
    const narrowed = await questions.count(
      { from: accounts("a1"), edge: "uses", since: "ever", until: "0ms" },
      context,
    );
    expect(narrowed.counts).toMatchObject([{ count: 0, atLeast: true }]);
    const truncated = { complete: false, truncated: { cause: "deadline" } };
    expect(await questions.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, context)).toMatchObject(
      truncated,
    );
    const noStreams = await open({}, () => ({ adjacency: lateStream }));
    expect(await noStreams.shortestPath(paths, context)).toMatchObject({ found: false, ...truncated });
    const found = await noStreams.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, context);
    expect(found).toMatchObject({ nodes: [], ...truncated });
  });

  test("that is late for what was found is told as the deadline", async () => {
    const questions = await open({}, () => ({ nodes: late, edge: late }));
    for (const asked of [
      questions.nodes({ type: "account", ids: ["a1"] }, context),
      questions.edges({ type: "uses", pairs: [{ from: "a1", to: "d1" }] }, context),
      questions.shortestPath(paths, context),
    ]) {
      await expect(asked).rejects.toMatchObject({ code: "deadline_exceeded" });
    }
    const common = await questions.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, context);
    expect(common).toMatchObject({ nodes: [], truncated: { cause: "deadline" } });
  });

  test("that fails fails the question", async () => {
    const failing = async (): Promise<never> => {
      throw new RdgError("unavailable", "store_down", "The store is down.");
    };
    const questions = await open({}, () => ({ find: failing }));
    await expect(questions.count({ from: accounts("a1"), edge: "uses" }, context)).rejects.toMatchObject({
      code: "store_down",
    });
    const deep = await open({}, () => ({ degrees: failing, edge: failing }));
    await expect(deep.shortestPath(paths, context)).rejects.toMatchObject({ code: "store_down" });
  });

  test("is let go of, whatever happens, and what was scanned is charged", async () => {
    let [opened, closed, charged] = [0, 0, 0];
    const questions = await open({}, (reader) => {
      opened++;
      return {
        close: () => {
          closed++;
          reader.close();
        },
      };
    });
    const charge = (scanned: number): void => void (charged += scanned);
    await questions.nodes({ type: "account", ids: ["a1", "a2"] }, { ...context, charge });
    expect(charged).toBe(2);
    await questions.shortestPath(paths, { ...context, charge });
    expect(charged).toBeGreaterThan(2);
    const gone = new AbortController();
    gone.abort();
    await expect(questions.shortestPath(paths, { signal: gone.signal })).rejects.toMatchObject({
      code: "request_aborted",
    });
    expect(opened).toBe(closed);
  });

  test("is told of the deadline, and whether a cache may answer", async () => {
    const told: unknown[] = [];
    const store = referenceStore({ model, clock: { now: () => nowMs, monotonicMs: () => 7 } });
    const reader = store.reader.bind(store);
    store.reader = (options) => {
      told.push(options);
      return reader(options);
    };
    const questions = await open({ store, clock: { now: () => nowMs, monotonicMs: () => 7 } });
    await questions.count({ from: accounts("a1"), edge: "uses", timeoutMs: 50, cache: false }, context);
    expect(told).toMatchObject([{ deadlineMs: 57, cache: false }]);
  });
});

test("a question waits for positions, and says when they do not come", async () => {
  const asked: unknown[] = [];
  const questions = await open({
    model: {
      ...model,
      events: [{ name: "e", fields: [], key: "", time: "", dedupHorizonMs: 0, partitions: 1, retention: {} }],
    },
    waitFor: async (positions, timeoutMs) => asked.push(positions, timeoutMs) > 2,
  });
  const request = { type: "account", ids: ["a1"], waitFor: ["events.e/0@7"], timeoutMs: 20 };
  await expect(questions.nodes(request, context)).rejects.toMatchObject({ code: "not_applied_yet" });
  expect(asked).toEqual([[{ topic: "events.e", partition: 0, offset: 7 }], 20]);
  expect((await questions.nodes(request, context)).nodes).toHaveLength(1);
});

test("what may not be read is refused by name, and passed by with any", async () => {
  const questions = await open();
  const may = (...types: string[]): QueryContext => ({ ...context, mayRead: (type) => types.includes(type) });
  const some = may("account", "device", "uses");
  const refused = { kind: "unauthorized", code: "type_not_readable" };
  for (const asked of [
    questions.nodes({ type: "title", ids: ["t1"] }, some),
    questions.edges({ type: "watched", pairs: [{ from: "a", to: "b" }] }, some),
    questions.edges({ type: "uses", pairs: [{ from: "a", to: "b" }] }, may("uses", "account")),
    questions.count({ from: accounts("a1"), edge: ["uses", "watched"] }, some),
    questions.shortestPath({ from: account("a1"), to: { type: "title", id: "t1" } }, some),
    questions.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, may("account", "uses")),
  ]) {
    await expect(asked).rejects.toMatchObject(refused);
  }
  const { counts } = await questions.count({ from: accounts("a1"), edge: "*" }, some);
  expect(counts.map(({ edge: type }) => type)).toEqual(["uses"]);
  const path = questions.shortestPath({ from: account("a1"), to: account("a4") }, some);
  expect(await path).toMatchObject({ found: false, complete: true });
});

test.each([
  ["count", { from: { type: "account", ids: ["a"] }, edge: "use" }, "unknown_edge_type", "/edge"],
  ["count", { from: { type: "acount", ids: ["a"] }, edge: "uses" }, "unknown_node_type", "/from/type"],
  ["count", { from: accounts("a") }, "not_a_string", "/edge"],
  ["count", { from: accounts("a"), edge: [] }, "bad_count", "/edge"],
  ["count", { from: accounts("a"), edge: ["uses", "uses"] }, "not_allowed", "/edge/1"],
  ["count", { from: accounts("a"), edge: "uses", direction: "in" }, "impossible_hop", "/edge"],
  ["count", { from: { type: "title", ids: ["t"] }, edge: "*", direction: "out" }, "impossible_hop", "/edge"],
  [
    "count",
    { from: accounts("a"), edge: "*", where: { edge: { colour: 1 } } },
    "unknown_property",
    "/where/edge/colour",
  ],
  ["count", { from: accounts("a"), edge: [{ type: "uses", since: "soon" }] }, "bad_moment", "/edge/0/since"],
  ["count", { from: accounts("a"), edge: "uses", until: "ever" }, "bad_moment", "/until"],
  ["count", { from: accounts("a"), edge: "uses", budget: { edges: 1 } }, "unknown_member", "/budget/edges"],
  ["count", { from: accounts("a"), edge: "uses", cache: "no" }, "not_allowed", "/cache"],
  ["nodes", { type: "account", ids: [] }, "bad_count", "/ids"],
  ["nodes", { type: "account", ids: ["a"], select: ["kind"] }, "unknown_property", "/select/0"],
  ["edges", { type: "uses", pairs: [{ from: "a" }] }, "not_a_string", "/pairs/0/to"],
  ["edges", { type: "uses", pairs: [{ from: "a", to: "" }] }, "bad_id", "/pairs/0/to"],
  ["shortestPath", { from: account("a"), to: { type: "title", id: "t" }, edge: "uses" }, "impossible_path", "/edge"],
  ["shortestPath", { from: account("a"), to: account("b"), maxDepth: 13 }, "out_of_range", "/maxDepth"],
  ["shortestPath", { from: account("a"), to: account("b"), limit: 0 }, "out_of_range", "/limit"],
  ["shortestPath", { from: account("a") }, "not_an_object", "/to"],
  [
    "shortestPath",
    { from: account("a"), to: account("b"), select: { node: ["x"] } },
    "unknown_property",
    "/select/node/0",
  ],
  ["commonNeighbours", { of: accounts("a"), edge: "uses" }, "bad_count", "/of/ids"],
  ["commonNeighbours", { of: accounts("a", "b", "a"), edge: "uses" }, "bad_count", "/of/ids"],
  ["commonNeighbours", { of: accounts("a", "b"), edge: "uses", order: "newest" }, "not_allowed", "/order"],
] as const)("%s refuses %j", async (question, request, code, place) => {
  const questions = await open();
  await expect(questions[question](request, context)).rejects.toMatchObject({ kind: "invalid", code, place });
});
