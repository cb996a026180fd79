// Shortest paths against their naive twin: random definitions, graphs and requests, on stores that can more or less; and what a limit may hide.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GraphModel } from "../../src/model/definition.ts";
import type { ShortestPathAnswer } from "../../src/model/questions.ts";
import type { Update } from "../../src/model/update/element.ts";
import { planShortestPath } from "../../src/query/questions/shortest-path.ts";
import { referencePath } from "../../src/testing/reference-questions.ts";
import { edgeAnswer, nodeAnswer } from "../../src/testing/reference-traversal.ts";
import { nowMs } from "./random-graph.ts";
import {
  context,
  type Asked,
  defined,
  direction,
  pathing,
  abilities,
  open,
  planned,
  budget,
} from "./random-questions.ts";

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
