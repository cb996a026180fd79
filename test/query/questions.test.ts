// Counts and common neighbours against their naive twins: random definitions, graphs (with loops, both directions, removed and expired elements) and requests, on stores that can more or less.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Timers } from "../../src/core/clock.ts";
import type { RdgError } from "../../src/core/errors.ts";
import type { Questions } from "../../src/query/port.ts";
import { planCommonNeighbours } from "../../src/query/questions/common-neighbours.ts";
import { planCount } from "../../src/query/questions/count.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import { referenceCommon, referenceCounts } from "../../src/testing/reference-questions.ts";
import { edgeAnswer, nodeAnswer } from "../../src/testing/reference-traversal.ts";
import { feed } from "./random-graph.ts";
import {
  clock,
  context,
  ids,
  defined,
  rarely,
  edgesAsked,
  asking,
  fromSome,
  pathing,
  abilities,
  open,
  questionsOf,
  planned,
  budget,
} from "./random-questions.ts";

const someIds = (minLength: number, maxLength: number): fc.Arbitrary<string[]> =>
  fc.uniqueArray(fc.constantFrom(...ids, "absent"), { minLength, maxLength });

const counting = asking((model) =>
  fromSome(model).chain((type) =>
    fc.tuple(someIds(1, 5), edgesAsked(model, type)).map(([some, edges]) => ({ from: { type, ids: some }, ...edges })),
  ),
);

const sharing = asking((model) =>
  fromSome(model).chain((type) =>
    fc
      .tuple(someIds(2, 4), edgesAsked(model, type), rarely(fc.integer({ min: 1, max: 3 })))
      .map(([some, edges, limit]) => defined({ of: { type, ids: some }, ...edges, limit })),
  ),
);

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
