// Whole traversals of every form behind a cache, cold and warm, answer what they answer without one.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { systemTimers } from "../../src/core/clock.ts";
import type { TraverseAnswer } from "../../src/model/traversal.ts";
import { createQueries } from "../../src/query/queries.ts";
import { servedStore } from "../../src/query/served-store.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { type Scenario, feed, nowMs, scenarios } from "./random-graph.ts";

const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
const signal = new AbortController().signal;

async function ask(store: Store, { model, request }: Scenario): Promise<TraverseAnswer> {
  const waitFor = async (): Promise<boolean> => true;
  const queries = createQueries({ model, store, clock, waitFor, continuationKey: new Uint8Array(32) });
  const { json } = await queries.traverse(JSON.parse(JSON.stringify(request)), { signal });
  return JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
}

test("answers behind a cache are those without one", async () => {
  let hits = 0;
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      const { model } = scenario;
      const plain = referenceStore({ model, clock });
      const ports = { store: plain, model, clock, timers: systemTimers };
      const { store, figures } = servedStore({ ...ports, cacheBytesMax: 1_000_000, cacheTtlMs: 0 });
      await feed(store, scenario);
      const expected = await ask(plain, scenario);
      for (const _ of ["cold", "warm"]) {
        const answer = await ask(store, scenario);
        expect(answer.levels).toEqual(expected.levels);
        // A hop may say that there may be more when there is not, never the reverse.
        for (const [i, hop] of answer.hops.entries()) if (hop.complete) expect(expected.hops[i]!.complete).toBe(true);
      }
      hits += figures().cache!.adjacency.hits;
    }),
    { numRuns: 150 },
  );
  expect(hits).toBeGreaterThan(100);
});
