// Queries as a whole: the form of answers and tokens byte by byte, single nodes and edges, waiting, budgets, deadlines, and refusals.
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import type { TraverseAnswer } from "../model/traversal.ts";
import { batchOfElements } from "../model/update/batch-of-elements.ts";
import type { Update } from "../model/update/element.ts";
import { graphOf } from "../model/update/oracle.ts";
import type { Store } from "../store/port.ts";
import { referenceStore } from "../testing/reference-store.ts";
import type { QueryAnswer, QueryContext } from "./port.ts";
import { createQueries, type ObservedTraversal, type QueriesOptions } from "./queries.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [
    {
      name: "playback",
      fields: [],
      key: "accountId",
      time: "at",
      dedupHorizonMs: 0,
      partitions: 2,
      retention: {},
    },
  ],
  sideInputs: [],
  nodes: [
    { name: "account", properties: [{ name: "countries", type: { kind: "string" }, merge: "union", unionMax: 9 }] },
    { name: "title", properties: [{ name: "name", type: { kind: "string" }, merge: "last" }] },
  ],
  edges: [
    {
      name: "watched",
      from: "account",
      to: "title",
      properties: [
        { name: "positionMs", type: { kind: "int64" }, merge: "last" },
        { name: "at", type: { kind: "timestamp" }, merge: "last" },
      ],
    },
    { name: "knows", from: "account", to: "account", properties: [] },
  ],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const upsert = { operation: "upsert", kind: "edge" } as const;
const updates: Update[] = [
  {
    kind: "node",
    operation: "upsert",
    type: "account",
    id: "a1",
    timeMs: nowMs,
    properties: { countries: ["DE", "FR"] },
  },
  { kind: "node", operation: "upsert", type: "title", id: "t1", timeMs: nowMs - 5, properties: { name: null } },
  {
    ...upsert,
    type: "watched",
    from: "a1",
    to: "t1",
    timeMs: nowMs - 1,
    properties: { positionMs: 2n ** 60n, at: nowMs },
  },
  { ...upsert, type: "watched", from: "a1", to: "t2", timeMs: nowMs - 2, properties: {} },
  { ...upsert, type: "watched", from: "a1", to: "t3", timeMs: nowMs - 3, properties: {} },
  { ...upsert, type: "watched", from: "ghost", to: "t1", timeMs: nowMs - 4, properties: {} },
];

async function open(
  options: Partial<QueriesOptions> = {},
): Promise<ReturnType<typeof createQueries> & { store: Store }> {
  const store = referenceStore({ model, clock });
  const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
  const inputs = [{ topic: "events.playback", partition: 0, offset: 41 }];
  await store.apply({ source: "s", offset: 0, job: "j", timestampMs: 0, inputs, sizeBytes: 0, updates: () => batch });
  const continuationKey = new Uint8Array(32).fill(7);
  const queries = createQueries({ model, store, clock, waitFor: async () => true, continuationKey, ...options });
  return Object.assign(queries, { store });
}

const context: QueryContext = { signal: new AbortController().signal };
const textOf = ({ json }: QueryAnswer): string => Buffer.from(json).toString();
const answerOf = (answer: QueryAnswer): TraverseAnswer => JSON.parse(textOf(answer)) as TraverseAnswer;
const watchedFrom = (...ids: string[]): object => ({ from: { type: "account", ids }, hops: [{ edge: "watched" }] });

const goldenAnswer = new URL("../../test/golden/traversal/answer.v2.json", import.meta.url);

describe("an answer", () => {
  test("has its form, and its tokens have theirs", async () => {
    const from = { type: "account", ids: ["a1", "ghost", "nobody"] };
    const answer = await (await open()).traverse({ from, hops: [{ edge: "watched", limit: 1 }] }, context);
    expect(`${textOf(answer)}\n`).toBe(await readFile(goldenAnswer, "utf8"));
  });

  test("goes on from a token that was issued long ago", async () => {
    const { hops } = JSON.parse(await readFile(goldenAnswer, "utf8")) as { hops: [{ truncated: { next: string } }] };
    const answer = answerOf(await (await open()).traverse({ continue: hops[0].truncated.next }, context));
    expect(answer.levels[1]!.edges!.map(({ to }) => to)).toEqual(["t2"]);
  });

  test("names the nodes and edges that exist, by id alone where they were never upserted", async () => {
    const queries = await open();
    const { levels, complete, asOf } = answerOf(await queries.traverse(watchedFrom("ghost", "nobody"), context));
    expect(levels[0]!.nodes).toEqual([{ type: "account", id: "ghost" }]);
    expect(levels[1]!.edges![0]).toMatchObject({ from: "ghost", to: "t1", properties: {} });
    expect(levels[1]!.nodes[0]!.properties).toEqual({ name: null });
    expect([complete, asOf]).toEqual([true, ["events.playback/0@41"]]);
  });

  test("comes from text as well", async () => {
    const queries = await open();
    const asked = await queries.query({ query: "(account {id: 'a1'})-[:watched {latest: 2}]->(title)" }, context);
    expect(answerOf(asked).levels[1]!.edges).toHaveLength(2);
    const wrong = queries.query({ query: "(account {id: 'a1'})-[:watched {limit: 0}]->(title)" }, context);
    await expect(wrong).rejects.toMatchObject({ code: "out_of_range", place: "the query as JSON: /hops/0/limit" });
  });
});

describe("single elements", () => {
  test("are answered as in traversals, or not found", async () => {
    const queries = await open();
    expect(JSON.parse(textOf(await queries.node("account", "a1", context)))).toMatchObject({
      id: "a1",
      properties: { countries: ["DE", "FR"] },
    });
    const edge: unknown = JSON.parse(textOf(await queries.edge("watched", "a1", "t1", context)));
    expect(edge).toMatchObject({
      from: "a1",
      to: "t1",
      properties: { positionMs: String(2n ** 60n), at: "2026-11-21T12:00:00.000Z" },
    });
    for (const missing of [
      queries.node("account", "ghost", context),
      queries.node("acount", "a1", context),
      queries.edge("watched", "t1", "a1", context),
      queries.edge("knows", "a1", "a1", context),
    ]) {
      await expect(missing).rejects.toMatchObject({ kind: "not_found" });
    }
    await expect(queries.node("account", "\ud800", context)).rejects.toMatchObject({ code: "bad_id" });
  });
});

describe("bounds", () => {
  test("waits for positions, and says when they are not applied in time", async () => {
    const asked: unknown[] = [];
    const queries = await open({
      waitFor: async (positions, timeoutMs) => {
        asked.push([positions, timeoutMs]);
        return positions[0]!.offset < 50;
      },
    });
    const request = { from: { type: "account", ids: ["a1"] }, timeoutMs: 200 };
    await queries.traverse({ ...request, waitFor: ["events.playback/0@49"] }, context);
    const late = queries.traverse({ ...request, waitFor: ["events.playback/0@50"] }, context);
    await expect(late).rejects.toMatchObject({ kind: "unavailable", code: "not_applied_yet" });
    expect(asked[0]).toEqual([[{ topic: "events.playback", partition: 0, offset: 49 }], 200]);
  });

  test("budgets end a hop with their cause and a token", async () => {
    const observed: ObservedTraversal[] = [];
    const queries = await open({ observe: (traversal) => observed.push(traversal) });
    const cut = async (budget: object): Promise<unknown> =>
      answerOf(await queries.traverse({ ...watchedFrom("a1", "ghost"), budget }, context)).hops[0];
    const next = expect.any(String) as unknown;
    expect(await cut({ edges: 2 })).toEqual({ complete: false, truncated: { cause: "budget_edges", nodes: 2, next } });
    expect(await cut({ scanned: 1 })).toEqual({ complete: false, truncated: { cause: "scan", nodes: 2, next } });
    expect(observed.map(({ edges, complete }) => [edges, complete])).toEqual([
      [2, false],
      [1, false],
    ]);
  });

  test("a deadline ends the traversal where it is, and later hops with it", async () => {
    let time = 0;
    const ticking: Clock = { now: () => nowMs, monotonicMs: () => (time += 3) };
    const queries = await open({ clock: ticking });
    const hops = [{ edge: "watched" }, { edge: "watched", direction: "in" }];
    const answer = answerOf(
      await queries.traverse({ from: { type: "account", ids: ["a1"] }, hops, timeoutMs: 10 }, context),
    );
    expect(answer.hops.at(-1)).toMatchObject({ truncated: { cause: "deadline" } });
    expect(answer.levels).toHaveLength(3);
  });

  test("large properties are bounded, too", async () => {
    const queries = await open({ limits: { bytesMax: 1 } });
    const large = queries.traverse(watchedFrom("a1"), context);
    await expect(large).rejects.toMatchObject({ kind: "invalid", code: "answer_too_large" });
  });

  test("a request that is given up ends with one error", async () => {
    const given = new AbortController();
    given.abort();
    const queries = await open();
    const gone = queries.traverse(watchedFrom("a1"), { signal: given.signal });
    await expect(gone).rejects.toMatchObject({ kind: "closed", code: "request_aborted" });
  });
});

describe("a continuation token", () => {
  async function token(): Promise<string> {
    const request = { from: { type: "account", ids: ["a1"] }, hops: [{ edge: "watched", limit: 1, since: "1h" }] };
    const [hop] = answerOf(await (await open()).traverse(request, context)).hops;
    return hop!.complete ? "" : hop!.truncated.next!;
  }

  test("is refused when it is altered, foreign or of another version", async () => {
    const queries = await open();
    const good = await token();
    const [version, body, signature] = good.split(".") as [string, string, string];
    const altered = Buffer.from(Buffer.from(body, "base64url").toString().replace('"a1"', '"a2"')).toString(
      "base64url",
    );
    const code = async (next: unknown): Promise<string> => {
      const error: unknown = await queries.traverse({ continue: next }, context).catch((thrown: unknown) => thrown);
      return error instanceof RdgError ? error.code : "accepted";
    };
    expect(await code(good)).toBe("accepted");
    expect(await code([version, altered, signature].join("."))).toBe("bad_continuation");
    expect(await code([version, body, signature.slice(0, -4)].join("."))).toBe("bad_continuation");
    expect(await code(["1", body, signature].join("."))).toBe("continuation_version");
    expect(await code("")).toBe("bad_continuation");
    expect(await code(7)).toBe("not_a_string");
    const foreign = await open({ continuationKey: new Uint8Array(32).fill(8) });
    await expect(foreign.traverse({ continue: good }, context)).rejects.toMatchObject({ code: "bad_continuation" });
  });

  test("is refused when the definition has lost what it walks", async () => {
    const changed = { ...model, edges: model.edges.slice(1) };
    const queries = await open({ model: changed });
    await expect(queries.traverse({ continue: await token() }, context)).rejects.toMatchObject({
      code: "continuation_stale",
    });
  });

  test("keeps ages counting from the first request", async () => {
    const next = await token();
    const later: Clock = { now: () => nowMs + 86_400_000, monotonicMs: () => 0 };
    const answer = answerOf(await (await open({ clock: later })).traverse({ continue: next }, context));
    expect(answer.levels[1]!.edges).toHaveLength(1);
  });

  test("is not issued for order any, or for too many nodes; the answer says so", async () => {
    const queries = await open({ limits: { startsMax: 2 } });
    const any = { from: { type: "account", ids: ["a1"] }, hops: [{ edge: "watched", order: "any", limit: 1 }] };
    const reason = expect.stringContaining("latest") as unknown;
    expect(answerOf(await queries.traverse(any, context)).hops[0]).toMatchObject({
      truncated: { cause: "limit", reason },
    });
    const hops = [{ edge: "watched" }, { edge: "watched", direction: "in" }];
    const budget = { from: { type: "account", ids: ["a1"] }, hops, budget: { edges: 3 } };
    expect(answerOf(await queries.traverse(budget, context)).hops[1]).toMatchObject({
      truncated: { nodes: 3, reason: expect.stringContaining("too many") as unknown },
    });
  });

  test("needs a key of some length", () => {
    expect(() => createQueries({ continuationKey: new Uint8Array(8) } as QueriesOptions)).toThrow(/shorter than 32/);
  });
});
