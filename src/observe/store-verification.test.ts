// What a verification takes for a difference and what not.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { LogReader, UpdateFrame } from "../log/port.ts";
import {
  baseMs,
  conformanceGraph,
  frameOf,
  latenessMs,
  TestClock,
  ttlMs,
  upsertEdge,
  upsertNode,
} from "../store/conformance-graph.ts";
import { openEmbeddedStore } from "../store/embedded/open.ts";
import type { EmbeddedStore } from "../store/embedded/store.ts";
import type { Verification } from "./port.ts";
import { verifyAgainstLog } from "./store-verification.ts";

let folder = "";
const clock = new TestClock();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-verification-"));
  clock.nowMs = baseMs;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function openStore(name: string): Promise<EmbeddedStore> {
  return openEmbeddedStore({
    folder: join(folder, name),
    model: conformanceGraph,
    clock,
    timers: { after: () => () => undefined, sleep: () => Promise.resolve() },
    settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER },
  });
}

function logOf(frames: readonly UpdateFrame[]): LogReader {
  return {
    topics: async () => [],
    bounds: async () => [{ partition: 0, first: 0, next: frames.length, sizeBytes: 0 }],
    settled: async () => ({ timestampMs: clock.nowMs, next: [frames.length] }),
    async *read() {},
    async *readUpdates({ until = Infinity }) {
      yield* frames.filter(({ offset }) => offset <= until);
    },
  };
}

async function verify(store: EmbeddedStore, frames: readonly UpdateFrame[]): Promise<Verification> {
  const openScratch = (): Promise<EmbeddedStore> => openStore("scratch");
  return verifyAgainstLog({ model: conformanceGraph, log: logOf(frames), clock, store, typeTopic: "", openScratch });
}

const passing = frameOf(0, [
  upsertNode("person", "p", baseMs),
  upsertNode("session", "s", baseMs),
  upsertEdge("uses", "p", "s", baseMs),
]);

test("names every element that is missing, too many or different", async () => {
  const store = await openStore("store");
  const known = frameOf(0, [upsertNode("person", "same", baseMs), upsertNode("person", "other", baseMs)]);
  await store.apply(known);
  const logged = [frameOf(0, [upsertNode("person", "same", baseMs + 1), upsertNode("person", "lost", baseMs)])];
  const { differences, rebuilt } = await verify(store, logged);
  expect(rebuilt).toBe(true);
  expect(differences.map(({ element }) => element).sort()).toEqual(["lost", "other", "same"]);
});

test("what the store has forgotten as expired is no difference when the clock was set back", async () => {
  const store = await openStore("store");
  const later = frameOf(1, [], { timestampMs: baseMs + ttlMs + 2 * latenessMs });
  await store.apply(passing);
  clock.nowMs = later.timestampMs;
  await store.apply(later);
  expect(await store.purge()).toMatchObject({ nodes: 1, edges: 1 });
  clock.nowMs = baseMs;
  expect(await verify(store, [passing, later])).toMatchObject({ differences: [], elements: 1 });
});

test("elements that expire while they are compared are no difference", async () => {
  const store = await openStore("store");
  await store.apply(passing);
  const scan = store.scan.bind(store);
  store.scan = (signal) => {
    clock.nowMs = baseMs + ttlMs;
    return scan(signal);
  };
  expect(await verify(store, [passing])).toMatchObject({ differences: [], elements: 1 });
});
