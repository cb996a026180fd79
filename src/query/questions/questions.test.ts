// The questions beside traversals, by example: nodes and edges, counts, common neighbours; positions, rights, and requests that are wrong.
import { describe, expect, test } from "vitest";
import { model, nowMs, open, openSlow, context, account, accounts, asOf } from "../../../test/query/small-graph.ts";
import type { QueryContext } from "../port.ts";

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
    const where = { edge: { lastSeen: { lte: new Date(nowMs).toISOString() } } };
    const asked = { from: accounts("a1", "a2"), edge: "uses", where };
    const { counts } = await late.count({ ...asked, timeoutMs: 15 }, context);
    expect(counts.at(-1)).toMatchObject({ atLeast: true });
    const scanned = await (await open()).count({ ...asked, budget: { scanned: 1 } }, context);
    expect(scanned.counts.map(({ count, atLeast }) => [count, atLeast])).toEqual([
      [1, true],
      [0, true],
    ]);
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
