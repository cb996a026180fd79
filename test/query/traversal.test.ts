// Traversals against their naive twin: random definitions, graphs and requests, with a store that filters and with one that does not.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Clock, Timers } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { ContinueRequest, TraverseAnswer, TraverseRequest } from "../../src/model/traversal.ts";
import type { Queries } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import { planTraversal } from "../../src/query/request.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { AdjacencyRequest, Store, StoreCapabilities } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { type PlainGraph, referenceTraversal } from "../../src/testing/reference-traversal.ts";
import { type Scenario, feed, nowMs, plainGraph, scenarios } from "./random-graph.ts";

const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const signal = new AbortController().signal;

/** Declares that it filters less, and refuses to be asked for what it did not declare. */
function withFilters(store: Store, filters: StoreCapabilities["filters"]): Store {
  const capabilities = { ...store.capabilities, filters };
  return new Proxy(store, {
    get(target, name) {
      if (name === "capabilities") return capabilities;
      if (name === "inPlace") return undefined;
      if (name !== "reader") return Reflect.get(target, name).bind(target);
      return () => {
        const reader = target.reader();
        return new Proxy(reader, {
          get(inner, method) {
            const member: unknown = Reflect.get(inner, method);
            if (method !== "adjacency") return typeof member === "function" ? member.bind(inner) : member;
            return (request: AdjacencyRequest) => {
              const asked = JSON.stringify(request.where ?? null, (_, value: unknown) =>
                typeof value === "bigint" ? "" : value,
              );
              if (!filters.edge) expect(asked).not.toContain('"of":"edge"');
              if (!filters.node) expect(asked).not.toContain('"of":"node"');
              return inner.adjacency(request, signal);
            };
          },
        });
      };
    },
  });
}

const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
/** No timer ever fires. */
const idleTimers: Timers = { after: () => () => {}, sleep: () => new Promise(() => {}) };

async function openEmbedded(model: GraphModel): Promise<{ store: Store; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-query-"));
  const store = await openEmbeddedStore({ folder, model, clock, timers: idleTimers, settings });
  const remove = async (): Promise<void> => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { store, remove };
}

async function open(
  scenario: Scenario,
  filters: StoreCapabilities["filters"],
): Promise<{ queries: Queries; graph: PlainGraph }> {
  const store = withFilters(referenceStore({ model: scenario.model, clock }), filters);
  await feed(store, scenario);
  return { queries: queriesOf(scenario.model, store), graph: await plainGraph(store) };
}

function queriesOf(model: GraphModel, store: Store): Queries {
  return createQueries({ model, store, clock, waitFor: async () => true, continuationKey: new Uint8Array(32) });
}

async function ask(queries: Queries, request: TraverseRequest | ContinueRequest): Promise<TraverseAnswer> {
  const { json } = await queries.traverse(JSON.parse(JSON.stringify(request)), { signal });
  return JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
}

const filterings = fc.record({ edge: fc.boolean(), node: fc.boolean() });

describe("a traversal", () => {
  test("answers what the naive twin answers, in its order", async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, filterings, async (scenario, filters) => {
        const { queries, graph } = await open(scenario, filters);
        const plan = planTraversal(scenario.request, scenario.model, defaultTraversalLimits, nowMs);
        const expected = referenceTraversal(scenario.model, graph, plan);
        const answer = await ask(queries, scenario.request);
        expect(answer.levels).toEqual(expected.levels);
        expect(answer.asOf).toEqual([`events.test/0@${scenario.updates.length}`]);
        for (const [i, hop] of answer.hops.entries()) {
          // A hop may say that there may be more when there is not, never the reverse.
          if (hop.complete) expect(expected.cut[i]).toBe(0);
          else expect(hop.truncated.nodes).toBeGreaterThanOrEqual(expected.cut[i]!);
        }
        expect(answer.complete).toBe(answer.hops.every(({ complete }) => complete));
      }),
      { numRuns: 200 },
    );
  });

  test("continued to its end finds what it finds without limits", async () => {
    await fc.assert(
      fc.asyncProperty(
        scenarios,
        filterings,
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 30 }),
        async (scenario, filters, edges, scanned) => {
          const { queries, graph } = await open(scenario, filters);
          const unlimited = {
            ...scenario.request,
            hops: scenario.request.hops!.map(({ limit: _limit, ...hop }) => hop),
          };
          const plan = planTraversal(unlimited, scenario.model, defaultTraversalLimits, nowMs);
          const expected = referenceTraversal(scenario.model, graph, plan);
          const found = scenario.request.hops!.map(() => new Set<string>());
          const pending: (TraverseRequest | ContinueRequest)[] = [{ ...scenario.request, budget: { edges, scanned } }];
          for (let asked = 0; pending.length > 0; asked++) {
            expect(asked).toBeLessThan(5_000);
            const answer = await ask(queries, pending.pop()!);
            const fromHop = answer.fromHop ?? 0;
            for (const [i, hop] of answer.hops.entries()) {
              for (const edge of answer.levels[i + 1]!.edges!) found[fromHop + i]!.add(JSON.stringify(edge));
              if (hop.complete) continue;
              expect(hop.truncated.reason).toBeUndefined();
              pending.push({ continue: hop.truncated.next!, budget: { edges: edges + 1, scanned: scanned + 5 } });
            }
          }
          const all = expected.levels.slice(1).map((level) => level.edges!.map((edge) => JSON.stringify(edge)).sort());
          expect(found.map((set) => [...set].sort())).toEqual(all);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("answers the same on the embedded store", async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (scenario) => {
        const { store, remove } = await openEmbedded(scenario.model);
        try {
          await feed(store, scenario);
          const { queries } = await open(scenario, { edge: true, node: true });
          const [expected, answer] = [
            await ask(queries, scenario.request),
            await ask(queriesOf(scenario.model, store), scenario.request),
          ];
          expect(answer.levels).toEqual(expected.levels);
          expect(answer.hops.map(({ complete }) => complete)).toEqual(expected.hops.map(({ complete }) => complete));
        } finally {
          await remove();
        }
      }),
      { numRuns: 50 },
    );
  });
});
