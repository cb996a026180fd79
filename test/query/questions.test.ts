// Questions against their naive twins: random definitions, graphs (with loops, both directions, removed and expired elements) and requests, on stores that can
// do everything, that can do less, and on the embedded one.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock, Timers } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { ShortestPathAnswer } from "../../src/model/questions.ts";
import type { Update } from "../../src/model/update/element.ts";
import { JsonReader } from "../../src/query/json-reader.ts";
import type { Questions } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import { planCommonNeighbours } from "../../src/query/questions/common-neighbours.ts";
import { planCount } from "../../src/query/questions/count.ts";
import type { Scope } from "../../src/query/questions/request.ts";
import { planShortestPath } from "../../src/query/questions/shortest-path.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceCommon, referenceCounts, referencePath } from "../../src/testing/reference-questions.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { type PlainGraph, edgeAnswer, nodeAnswer } from "../../src/testing/reference-traversal.ts";
import { conditionOf, feed, nowMs, plainGraph, scenarios } from "./random-graph.ts";
import { lesserStore } from "./wrapped-store.ts";

const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const context = { signal: new AbortController().signal };
const ids = ["a", "__proto__", "\u{1f600}", "\uffee", 'q"\\'];
const times = fc.integer({ min: -6, max: 6 }).map((step) => nowMs - 86_400_000 * 3 + step * 1_000);

interface Asked {
  readonly model: GraphModel;
  readonly updates: readonly Update[];
  readonly request: Record<string, unknown>;
}

/** Some types have a ttl that divides the random times; some elements are removed at one of them. */
const graphs = fc
  .record({ scenario: scenarios, ttls: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), removals: fc.nat(6) })
  .chain(({ scenario, ttls, removals }) => {
    const withTtl = <T extends object>(type: T, i: number): T => (ttls[i] ? { ...type, ttlMs: 86_400_000 * 3 } : type);
    const nodes = scenario.model.nodes.map(withTtl);
    const edges = scenario.model.edges.map((edge, i) => withTtl(edge, i + nodes.length));
    const model: GraphModel = { ...scenario.model, nodes, edges };
    const id = fc.constantFrom(...ids);
    const removal = fc.oneof(
      fc
        .record({ type: fc.constantFrom(...nodes.map(({ name }) => name)), id, timeMs: times })
        .map((of): Update => ({ ...of, kind: "node", operation: "remove" })),
      fc
        .record({ type: fc.constantFrom(...edges.map(({ name }) => name)), from: id, to: id, timeMs: times })
        .map((of): Update => ({ ...of, kind: "edge", operation: "remove" })),
    );
    return fc
      .array(removal, { maxLength: removals })
      .map((removed) => ({ model, updates: [...scenario.updates, ...removed] }));
  });

const defined = (object: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

const bounds = {
  since: rarely(
    fc.oneof(
      times.map((ms) => new Date(ms).toISOString()),
      fc.constantFrom("3d", "ever"),
    ),
  ),
  until: rarely(times.map((ms) => new Date(ms).toISOString())),
};
const direction = rarely(fc.constantFrom("out", "in", "both"));

/** What may be asked of edges: everything, one type with conditions that fit it, or several types with rules. */
function edgesAsked(model: GraphModel, anchor?: string): fc.Arbitrary<Record<string, unknown>> {
  const touching = model.edges.filter(({ from, to }) => anchor === undefined || from === anchor || to === anchor);
  const named = touching.length > 0 ? touching : model.edges;
  const rule = fc.constantFrom(...named).chain((edge) => {
    const far = model.nodes.find(({ name }) => name === (edge.from === anchor ? edge.to : edge.from))!;
    const where = fc.record(
      { edge: conditionOf(edge.properties), node: conditionOf(edge.from === edge.to || anchor ? far.properties : []) },
      { requiredKeys: [] },
    );
    const fitting =
      anchor === undefined ? "both" : edge.from === edge.to ? undefined : edge.from === anchor ? "out" : "in";
    return fc
      .record({
        type: fc.constant(edge.name),
        direction: fitting === undefined ? direction : fc.constant(fitting),
        where: rarely(where),
        ...bounds,
      })
      .map(defined);
  });
  const several = fc.uniqueArray(rule, { minLength: 1, maxLength: 3, selector: ({ type }) => type });
  const where = rarely(conditionOf([]).map((edge) => ({ edge })));
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ edge: fc.constant("*"), direction, where, ...bounds }).map(defined) },
    { weight: 3, arbitrary: fc.record({ edge: several, ...bounds }).map(defined) },
    {
      weight: 1,
      arbitrary: rule.map(({ type, ...rest }) => ({ edge: type, ...rest })),
    },
  );
}

const someIds = (minLength: number, maxLength: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...ids, "absent"), { minLength, maxLength });

function asking(requestOf: (model: GraphModel) => fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<Asked> {
  return graphs.chain(({ model, updates }) => requestOf(model).map((request) => ({ model, updates, request })));
}

const fromSome = (model: GraphModel): fc.Arbitrary<string> => fc.constantFrom(...model.nodes.map(({ name }) => name));

const counting = asking((model) =>
  fromSome(model).chain((type) =>
    fc.tuple(someIds(1, 5), edgesAsked(model, type)).map(([some, edges]) => ({ from: { type, ids: some }, ...edges })),
  ),
);

const pathing = asking((model) =>
  fc
    .tuple(
      fc.record({ type: fromSome(model), id: fc.constantFrom(...ids) }),
      fc.record({ type: fromSome(model), id: fc.constantFrom(...ids) }),
      edgesAsked(model),
      rarely(fc.integer({ min: 1, max: 4 })),
    )
    .map(([from, to, edges, maxDepth]) => defined({ from, to, ...edges, maxDepth })),
);

const sharing = asking((model) =>
  fromSome(model).chain((type) =>
    fc
      .tuple(someIds(2, 4), edgesAsked(model, type), rarely(fc.integer({ min: 1, max: 3 })))
      .map(([some, edges, limit]) => defined({ of: { type, ids: some }, ...edges, limit })),
  ),
);

const abilities = fc.record({ edge: fc.boolean(), node: fc.boolean(), exactDegrees: fc.boolean() });

async function open(
  { model, updates, request }: Asked,
  able?: { readonly edge: boolean; readonly node: boolean; readonly exactDegrees: boolean },
): Promise<{ questions: Questions; graph: PlainGraph }> {
  const store = referenceStore({ model, clock });
  await feed(store, { model, updates, request: request as never });
  const asked = able ? lesserStore(store, { edge: able.edge, node: able.node }, able.exactDegrees) : store;
  return { questions: questionsOf(model, asked), graph: await plainGraph(store) };
}

function questionsOf(model: GraphModel, store: Store): Questions {
  return createQueries({ model, store, clock, waitFor: async () => true, continuationKey: new Uint8Array(32) });
}

/** Requests that the schema makes impossible are refused; that is tested elsewhere. */
function planned<Plan>(plan: (json: JsonReader, scope: Scope) => Plan, { model, request }: Asked): Plan {
  const scope: Scope = { model, limits: defaultTraversalLimits, nowMs, mayRead: undefined };
  try {
    return plan(new JsonReader(request).object(), scope);
  } catch (error) {
    if (error instanceof RdgError && error.kind === "invalid") fc.pre(false);
    throw error;
  }
}

const budget = fc.integer({ min: 1, max: 30 });

describe("counts", () => {
  test("are those of the naive twin", async () => {
    await fc.assert(
      fc.asyncProperty(counting, abilities, async (asked, able) => {
        const plan = planned(planCount, asked);
        const { questions, graph } = await open(asked, able);
        const { counts, asOf } = await questions.count(asked.request, context);
        expect(counts).toEqual(referenceCounts(asked.model, graph, plan));
        expect(asOf).toEqual([`events.test/0@${asked.updates.length}`]);
      }),
      { numRuns: 150 },
    );
  });

  test("within a budget are exact, or at least so much", async () => {
    await fc.assert(
      fc.asyncProperty(counting, abilities, budget, async (asked, able, scanned) => {
        const plan = planned(planCount, asked);
        const { questions, graph } = await open(asked, able);
        const { counts } = await questions.count({ ...asked.request, budget: { scanned } }, context);
        for (const [i, expected] of referenceCounts(asked.model, graph, plan).entries()) {
          const { atLeast, ...counted } = counts[i]!;
          if (atLeast) expect(counted).toEqual({ ...expected, count: expect.toSatisfy((n) => n <= expected.count) });
          else expect(counted).toEqual(expected);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("a shortest path", () => {
  test("is that of the naive twin, or there is none", async () => {
    await fc.assert(
      fc.asyncProperty(pathing, abilities, async (asked, able) => {
        const plan = planned(planShortestPath, asked);
        const { questions, graph } = await open(asked, able);
        const answer = await questions.shortestPath(asked.request, context);
        const expected = referencePath(asked.model, graph, plan);
        expect(answer.complete).toBe(true);
        expect(answer.path).toEqual(
          expected && {
            nodes: expected.nodes.map((node) => nodeAnswer(asked.model, graph, node, plan.select.node[node.type]!)),
            edges: expected.edges.map((edge) => edgeAnswer(asked.model, edge, plan.select.edge[edge.type]!)),
          },
        );
        expect(answer).toMatchObject(expected ? { found: true, length: expected.edges.length } : { found: false });
      }),
      { numRuns: 200 },
    );
  });

  test("within limits is a path, and is proven to be a shortest one where it says so", async () => {
    const limits = fc.record({ limit: fc.integer({ min: 1, max: 3 }), scanned: fc.oneof(budget, fc.constant(1_000)) });
    await fc.assert(
      fc.asyncProperty(pathing, abilities, limits, async (asked, able, { limit, scanned }) => {
        const plan = planned(planShortestPath, asked);
        const { questions, graph } = await open(asked, able);
        const request = { ...asked.request, limit, budget: { scanned } };
        const answer = await questions.shortestPath(request, context);
        const expected = referencePath(asked.model, graph, plan);
        if (answer.complete) {
          expect(answer.found).toBe(expected !== undefined);
          expect(answer.length).toBe(expected?.edges.length);
        } else expect(answer.truncated!.reason).not.toBe("");
        if (answer.found) expectPath(answer, plan.from.id, plan.to.id, expected!.edges.length, plan.depthMax);
      }),
      { numRuns: 200 },
    );
  });
});

test("a node that only edges show is not said to be missing before they were looked at", async () => {
  const asked: Asked = {
    model: {
      format: 1,
      name: "shown",
      events: [],
      sideInputs: [],
      nodes: [{ name: "n", properties: [] }],
      edges: [{ name: "e", from: "n", to: "n", properties: [] }],
      jobs: [],
      skewMaxMs: 0,
      latenessMs: 0,
      tombstoneGraceMs: 0,
    },
    updates: [1, 2, 3].map((i): Update => {
      const edge = { kind: "edge", type: "e", from: "0", to: `${i}`, timeMs: nowMs - 10 * i } as const;
      return { ...edge, operation: "upsert", properties: {} };
    }),
    request: { from: { type: "n", id: "0" }, to: { type: "n", id: "0" } },
  };
  const { questions } = await open(asked, { edge: false, node: false, exactDegrees: false });
  // The oldest of its edges.
  const where = { edge: { lastSeen: { lt: new Date(nowMs - 25).toISOString() } } };
  expect(await questions.shortestPath({ ...asked.request, where }, context)).toMatchObject({ found: true, length: 0 });
  expect(await questions.shortestPath({ ...asked.request, where, budget: { scanned: 1 } }, context)).toMatchObject({
    found: false,
    complete: false,
    truncated: { cause: "scan" },
  });
});

/** Long, thin graphs of one type, where a limit hides what matters. */
const thinGraphs = fc
  .record({
    pairs: fc.uniqueArray(fc.tuple(fc.nat(13), fc.nat(13)), { minLength: 8, maxLength: 30, selector: String }),
    maxDepth: fc.integer({ min: 1, max: 8 }),
    limit: fc.integer({ min: 1, max: 2 }),
    direction,
  })
  .map(({ pairs, ...rest }): Asked => {
    const model: GraphModel = {
      format: 1,
      name: "thin",
      events: [],
      sideInputs: [],
      nodes: [{ name: "n", properties: [] }],
      edges: [{ name: "e", from: "n", to: "n", properties: [] }],
      jobs: [],
      skewMaxMs: 0,
      latenessMs: 0,
      tombstoneGraceMs: 0,
    };
    const updates = pairs.map(([from, to], i): Update => {
      const edge = { kind: "edge", type: "e", from: `${from}`, to: `${to}`, timeMs: nowMs - i } as const;
      return { ...edge, operation: "upsert", properties: {} };
    });
    const request = { from: { type: "n", id: "0" }, to: { type: "n", id: "1" }, ...defined(rest) };
    return { model, updates, request };
  });

test("what a limit hides is never taken for proven", async () => {
  await fc.assert(
    fc.asyncProperty(thinGraphs, abilities, async (asked, able) => {
      const plan = planned(planShortestPath, asked);
      const { questions, graph } = await open(asked, able);
      const answer = await questions.shortestPath(asked.request, context);
      const expected = referencePath(asked.model, graph, plan);
      if (answer.complete) expect(answer.length).toBe(expected?.edges.length);
      if (answer.found) expectPath(answer, "0", "1", expected!.edges.length, plan.depthMax);
    }),
    { numRuns: 400 },
  );
});

function expectPath({ path, length }: ShortestPathAnswer, from: string, to: string, min: number, max: number): void {
  const { nodes, edges } = path!;
  expect([nodes[0]!.id, nodes.at(-1)!.id]).toEqual([from, to]);
  expect([edges.length, nodes.length]).toEqual([length, length! + 1]);
  expect(length).toBeGreaterThanOrEqual(min);
  expect(length).toBeLessThanOrEqual(max);
  for (const [i, edge] of edges.entries()) {
    expect([edge.from, edge.to].sort()).toEqual([nodes[i]!.id, nodes[i + 1]!.id].sort());
  }
}

describe("common neighbours", () => {
  test("are those of the naive twin, in its order", async () => {
    await fc.assert(
      fc.asyncProperty(sharing, abilities, async (asked, able) => {
        const plan = planned(planCommonNeighbours, asked);
        const { questions, graph } = await open(asked, able);
        const answer = await questions.commonNeighbours(asked.request, context);
        const all = referenceCommon(asked.model, graph, plan);
        const expected = all.slice(0, plan.limit);
        expect(answer.nodes).toEqual(
          expected.map(({ node }) => nodeAnswer(asked.model, graph, node, plan.select.node[node.type]!)),
        );
        expect(answer.edges).toEqual(
          expected.flatMap(({ edges }) =>
            edges.map((edge) => edgeAnswer(asked.model, edge, plan.select.edge[edge.type]!)),
          ),
        );
        expect(answer.complete).toBe(all.length <= plan.limit);
        expect(answer.truncated?.cause).toBe(all.length <= plan.limit ? undefined : "limit");
      }),
      { numRuns: 200 },
    );
  });

  test("within a budget, or in any order, are among them", async () => {
    const order = fc.constantFrom("latest", "any");
    await fc.assert(
      fc.asyncProperty(sharing, abilities, budget, order, async (asked, able, scanned, ordered) => {
        const plan = planned(planCommonNeighbours, asked);
        const { questions, graph } = await open(asked, able);
        const request = { ...asked.request, budget: { scanned }, order: ordered };
        const { nodes, complete } = await questions.commonNeighbours(request, context);
        const all = referenceCommon(asked.model, graph, plan).map(({ node }) => ({
          type: asked.model.nodes[node.type]!.name,
          id: node.id,
        }));
        const found = nodes.map(({ type, id }) => ({ type, id }));
        if (complete) expect(found).toEqual(all);
        else for (const node of found) expect(all).toContainEqual(node);
      }),
      { numRuns: 100 },
    );
  });
});

const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
/** No timer ever fires. */
const idleTimers: Timers = { after: () => () => {}, sleep: () => new Promise(() => {}) };

test("all are answered alike on the embedded store", async () => {
  const asking = fc.oneof(
    counting.map((asked) => ({ asked, ask: "count" as const })),
    pathing.map((asked) => ({ asked, ask: "shortestPath" as const })),
    sharing.map((asked) => ({ asked, ask: "commonNeighbours" as const })),
  );
  await fc.assert(
    fc.asyncProperty(asking, async ({ asked, ask }) => {
      const folder = await mkdtemp(join(tmpdir(), "rdg-questions-"));
      const store = await openEmbeddedStore({ folder, model: asked.model, clock, timers: idleTimers, settings });
      try {
        await feed(store, { ...asked, request: asked.request as never });
        const { questions } = await open(asked);
        const answered = (of: Questions): Promise<unknown> =>
          of[ask](asked.request, context).catch((error: unknown) => (error as RdgError).code);
        expect(await answered(questionsOf(asked.model, store))).toEqual(await answered(questions));
      } finally {
        await store.close();
        await rm(folder, { recursive: true });
      }
    }),
    { numRuns: 60 },
  );
});
