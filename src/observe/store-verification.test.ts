// Comparison of a store with its rebuild: every difference is found and named, whichever element it is in, and expiry is none.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { LogReader } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import type { ScannedElement, Store } from "../store/port.ts";
import { verifyAgainstLog } from "./store-verification.ts";

const nowMs = 1_000_000;
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [{ name: "user", properties: [{ name: "name", type: { kind: "string" }, merge: "last" }] }],
  edges: [{ name: "saw", from: "user", to: "user", properties: [], ttlMs: 100 }],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const node = (id: string, name = "n"): ScannedElement => ({
  kind: "node",
  type: 0,
  id,
  firstSeenMs: 1,
  lastSeenMs: 2,
  properties: [name],
});
const edge = (from: string, lastSeenMs = nowMs): ScannedElement => ({
  kind: "edge",
  type: 0,
  from,
  to: "x",
  firstSeenMs: 1,
  lastSeenMs,
  properties: [],
});

/** As much of a store as is verified. */
function holding(elements: readonly ScannedElement[]): Store {
  const store: Partial<Store> = {
    async *scan() {
      yield* elements;
    },
    async *verify() {},
    applied: async () => ({ sources: new Map(), inputs: [] }),
    close: async () => {},
  };
  return store as Store;
}

async function differences(held: readonly ScannedElement[], rebuilt: readonly ScannedElement[]): Promise<string[]> {
  const log: Partial<LogReader> = { bounds: async () => [{ partition: 0, first: 0, next: 0, sizeBytes: 0 }] };
  const clock = { now: () => nowMs, monotonicMs: () => 0 };
  const parts = { model, log: log as LogReader, clock, typeTopic: "nodes.user" };
  const found = await verifyAgainstLog({ ...parts, store: holding(held), openScratch: async () => holding(rebuilt) });
  expect(found.elements).toBe(held.length);
  return found.differences
    .map(({ type, element, what }) => `${type} ${element} ${what}`)
    .toSorted((a, b) => (a < b ? -1 : 1));
}

test("the same elements in another order are no difference", async () => {
  const elements = Array.from({ length: 10_000 }, (_, i) => (i % 2 === 0 ? node(`u${i}`) : edge(`u${i}`)));
  expect(await differences(elements, elements.toReversed())).toEqual([]);
});

test("what is missing, too much or different is named", async () => {
  const same = Array.from({ length: 100 }, (_, i) => node(`same ${i}`));
  const found = await differences(
    [...same, node("more"), node("other", "a"), edge("more")],
    [...same, node("less"), node("other", "b"), edge("less")],
  );
  expect(found).toEqual([
    "saw less -> x is in the rebuild and not in the store",
    "saw more -> x is in the store and not in the rebuild",
    "user less is in the rebuild and not in the store",
    "user more is in the store and not in the rebuild",
    'user other is [1,2,["a"]], rebuilt [1,2,["b"]]',
  ]);
});

test("what has expired meanwhile may be on one side only", async () => {
  expect(await differences([edge("a", nowMs - 100)], [edge("b", nowMs - 101)])).toEqual([]);
  expect(await differences([edge("a", nowMs - 99)], [])).toHaveLength(1);
});

test("any differences are found, as many as there are", async () => {
  const ids = fc.uniqueArray(
    fc.string({ unit: "binary", minLength: 1, maxLength: 3 }).filter((id) => id.isWellFormed()),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(ids, ids, async (held, rebuilt) => {
      const count =
        held.filter((id) => !rebuilt.includes(id)).length + rebuilt.filter((id) => !held.includes(id)).length;
      expect(
        await differences(
          held.map((id) => node(id)),
          rebuilt.map((id) => node(id)),
        ),
      ).toHaveLength(count);
    }),
    { numRuns: 40 },
  );
});
