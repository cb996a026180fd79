// Small traversals that are walked in place answer, byte for byte, what the general way does: random definitions, graphs and requests, on the embedded store.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Clock, Timers } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { ContinueRequest, TraverseAnswer, TraverseRequest } from "../../src/model/traversal.ts";
import type { Queries } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { GraphInPlace } from "../../src/store/in-place/port.ts";
import type { Store } from "../../src/store/port.ts";
import { feed, nowMs, scenarios } from "./random-graph.ts";
import { wideScenarios } from "./random-traversal.ts";

const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };
/** No timer ever fires. */
const idleTimers: Timers = { after: () => () => {}, sleep: () => new Promise(() => {}) };
const context = { signal: new AbortController().signal };

/** Offers its rows in place, or does not. */
function offering(store: Store, inPlace: (() => GraphInPlace) | undefined): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === "inPlace") return inPlace;
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? (member.bind(target) as unknown) : member;
    },
  });
}

async function openEmbedded(model: GraphModel): Promise<{ store: Store; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-in-place-"));
  const settings = { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
  const store = await openEmbeddedStore({ folder, model, clock, timers: idleTimers, settings });
  const remove = async (): Promise<void> => {
    await store.close();
    await rm(folder, { recursive: true });
  };
  return { store, remove };
}

function queriesOn(model: GraphModel, store: Store): Queries {
  const waitFor = async (): Promise<boolean> => true;
  return createQueries({ model, store, clock, waitFor, continuationKey: new Uint8Array(32) });
}

/** The answer, or what it was refused with. */
async function ask(queries: Queries, request: TraverseRequest | ContinueRequest): Promise<string> {
  try {
    const { json } = await queries.traverse(JSON.parse(JSON.stringify(request)), context);
    return Buffer.from(json).toString();
  } catch (error) {
    return String(error);
  }
}

async function agree(
  updates: Parameters<typeof feed>[1],
  requests: readonly TraverseRequest[],
): Promise<{ asked: number; taken: number }> {
  const { store, remove } = await openEmbedded(updates.model);
  try {
    await feed(store, updates);
    let asked = 0;
    let taken = 0;
    const graph = store.inPlace!();
    const inPlace = queriesOn(
      updates.model,
      offering(store, () => {
        taken++;
        return graph;
      }),
    );
    const general = queriesOn(updates.model, offering(store, undefined));
    const bounded = requests.flatMap((request) =>
      [1, 2, 5].map((most): TraverseRequest => ({ ...request, budget: { edges: most, scanned: most + 1 } })),
    );
    for (const request of [...requests, ...bounded]) {
      let next: TraverseRequest | ContinueRequest = request;
      for (let page = 0; page < 4; page++) {
        const expected = await ask(general, next);
        expect(await ask(inPlace, next)).toBe(expected);
        asked++;
        if (!expected.startsWith("{")) break;
        const token = (JSON.parse(expected) as TraverseAnswer).hops.find((hop) => !hop.complete)?.truncated?.next;
        if (token === undefined) break;
        next = { continue: token };
      }
    }
    return { asked, taken };
  } finally {
    await remove();
  }
}

test("traversals of one path", async () => {
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(scenarios, async (scenario) => {
      taken += (await agree(scenario, [scenario.request])).taken;
    }),
    { numRuns: 300 },
  );
  expect(taken).toBeGreaterThan(100);
});

test("traversals of every form", async () => {
  await fc.assert(
    fc.asyncProperty(wideScenarios, async (wide) => {
      if (wide.length === 0) return;
      await agree(
        wide[0]!,
        wide.map(({ request }) => request),
      );
    }),
    { numRuns: 150 },
  );
});
