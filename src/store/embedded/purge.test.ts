// What is expired or long removed is forgotten without anything else changing, and its memory is used again.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { ElementKey, Update } from "../../model/update/element.ts";
import {
  anyUpdate,
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  latenessMs,
  listingOf,
  meantBy,
  remove,
  shownBy,
  TestClock,
  ttlMs,
  typesOf,
  upsertEdge,
  upsertNode,
} from "../conformance-graph.ts";
import { openEmbeddedStore } from "./open.ts";
import type { EmbeddedStore, EmbeddedStoreSettings } from "./store.ts";

let folder = "";
const clock = new TestClock();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-store-"));
  clock.nowMs = baseMs;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Timers whose time the test lets pass. */
const due: { run: () => void; cancelled: boolean }[] = [];
const timers: Timers = {
  after(_delayMs, run) {
    const timer = { run, cancelled: false };
    due.push(timer);
    return () => {
      timer.cancelled = true;
    };
  },
  sleep: () => Promise.resolve(),
};

function openStore(settings: Partial<EmbeddedStoreSettings> = {}): Promise<EmbeddedStore> {
  return openEmbeddedStore({
    folder,
    model: conformanceGraph,
    clock,
    timers,
    settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER, ...settings },
  });
}

const { tombstoneGraceMs } = conformanceGraph;
const node = (type: string, id: string): ElementKey => ({ kind: "node", type, id });
const signal = new AbortController().signal;

/** Moves the time of the log, and the clock, to this moment. */
async function reach(store: EmbeddedStore, timeMs: number): Promise<void> {
  clock.nowMs = timeMs;
  const { sources } = await store.applied();
  await store.apply(frameOf((sources.get("journal") ?? -1) + 1, [], { timestampMs: timeMs }));
}

test("expired elements are forgotten when twice the lateness has passed too, not before", async () => {
  const store = await openStore();
  await store.apply(
    frameOf(0, [
      upsertNode("session", "s", baseMs, { visits: 1, note: "x".repeat(100) }),
      upsertEdge("uses", "a", "s", baseMs),
    ]),
  );
  const full = store.memoryBytes;
  await reach(store, baseMs + ttlMs + 2 * latenessMs - 1);
  expect(await store.purge()).toEqual({ nodes: 0, edges: 0, removals: 0 });
  await reach(store, baseMs + ttlMs + 2 * latenessMs);
  expect(await store.purge()).toEqual({ nodes: 1, edges: 1, removals: 0 });
  expect((await store.statistics()).nodes).toEqual({ person: 0, thing: 0, session: 0 });
  expect(store.memoryBytes).toBeLessThan(full);
  expect(await differencesOf(store)).toEqual([]);
});

test("purging gets on however long it waits for its turn", async () => {
  const store = await openStore();
  await store.apply(frameOf(0, [upsertNode("session", "s", baseMs), upsertEdge("uses", "a", "s", baseMs)]));
  await reach(store, baseMs + ttlMs + 2 * latenessMs);
  // Whoever looks at the clock has had its time already.
  clock.monotonicMs = () => (clock.monotonic += 100);
  try {
    expect(await store.purge()).toEqual({ nodes: 1, edges: 1, removals: 0 });
  } finally {
    clock.monotonicMs = () => clock.monotonic;
  }
});

test("the clock alone forgets nothing: what the log still holds may go on with it", async () => {
  const store = await openStore();
  await store.apply(frameOf(0, [upsertNode("session", "s", baseMs, { visits: 1 })]));
  clock.nowMs = baseMs + 100 * ttlMs;
  expect((await store.purge()).nodes).toBe(0);
  await store.apply(
    frameOf(1, [upsertNode("session", "s", baseMs + ttlMs, { visits: 1 })], { timestampMs: baseMs + ttlMs }),
  );
  clock.nowMs = baseMs + ttlMs;
  expect([...(await shownBy(store)).values()]).toMatchObject([{ firstSeenMs: baseMs, properties: { visits: 2 } }]);
});

test("tombstones are kept for their grace: until then a late update stays hidden and the element remembers", async () => {
  const store = await openStore();
  await store.apply(
    frameOf(0, [
      upsertNode("person", "a", baseMs, { visits: 1, name: "old" }),
      upsertEdge("knows", "a", "b", baseMs, { times: 1 }),
      upsertEdge("knows", "c", "a", baseMs + 2),
      remove(node("person", "a"), baseMs + 1),
    ]),
  );
  await reach(store, baseMs + tombstoneGraceMs);
  expect(await store.purge()).toEqual({ nodes: 0, edges: 0, removals: 0 });
  await store.apply(frameOf(9, [upsertNode("person", "a", baseMs + 1, { visits: 1 })], { timestampMs: clock.nowMs }));
  expect([...(await shownBy(store)).keys()]).toHaveLength(1);
  await reach(store, baseMs + tombstoneGraceMs + 1);
  expect(await store.purge()).toEqual({ nodes: 1, edges: 1, removals: 1 });
  await store.apply(frameOf(11, [upsertNode("person", "a", clock.nowMs, { visits: 1 })], { timestampMs: clock.nowMs }));
  expect([...(await shownBy(store)).values()]).toMatchObject([{ properties: { visits: 1 } }, {}]);
  expect(await differencesOf(store)).toEqual([]);
});

test("when the removal of a revived element is forgotten, what it hid stays hidden", async () => {
  const store = await openStore();
  const updates = [
    upsertNode("person", "a", baseMs, { name: "old", age: 4 }),
    remove(node("person", "a"), baseMs + 1),
    upsertNode("person", "a", baseMs + 2),
  ];
  await store.apply(frameOf(0, updates));
  await reach(store, baseMs + tombstoneGraceMs + 1);
  expect(await store.purge()).toEqual({ nodes: 0, edges: 0, removals: 1 });
  expect(await shownBy(store)).toEqual(meantBy(updates, clock.nowMs));
});

test("an edge that its own removal hides goes with it, also when an end was removed later", async () => {
  const store = await openStore();
  await store.apply(
    frameOf(0, [
      upsertEdge("knows", "a", "b", baseMs),
      remove({ kind: "edge", type: "knows", from: "a", to: "b" }, baseMs),
    ]),
  );
  await store.apply(frameOf(1, [remove(node("person", "b"), baseMs + 1000)]));
  await reach(store, baseMs + tombstoneGraceMs + 1);
  expect(await store.purge()).toMatchObject({ edges: 1 });
  expect(await differencesOf(store)).toEqual([]);
});

test("a purge at any moment changes nothing that is visible", async () => {
  const steps = fc.array(fc.tuple(fc.array(anyUpdate(true), { maxLength: 15 }), fc.integer({ min: 0, max: 6000 })), {
    maxLength: 8,
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const path = join(folder, String(run++));
      const open = (name: string): Promise<EmbeddedStore> =>
        openEmbeddedStore({
          folder: join(path, name),
          model: conformanceGraph,
          clock,
          timers,
          settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER },
        });
      const [purged, kept] = [await open("purged"), await open("kept")];
      let nowMs = baseMs;
      for (const [offset, [updates, passesMs]] of all.entries()) {
        // Shifted to the present: nothing is later than the lateness allows, so a purge may not show.
        const present = updates.map((update) => ({ ...update, timeMs: update.timeMs - baseMs + nowMs }));
        clock.nowMs = nowMs;
        for (const store of [purged, kept]) await store.apply(frameOf(offset, present, { timestampMs: nowMs }));
        await purged.purge();
        nowMs += passesMs < ttlMs ? 0 : passesMs + 2 * latenessMs;
        clock.nowMs = nowMs;
        await purged.purge();
        const live = (state: Map<string, unknown>) => [...state.keys()].sort((a, b) => (a < b ? -1 : 1));
        expect(live(await shownBy(purged))).toEqual(live(await shownBy(kept)));
        expect(await differencesOf(purged)).toEqual([]);
      }
      if (nowMs < baseMs + tombstoneGraceMs) expect(await shownBy(purged)).toEqual(await shownBy(kept));
    }),
    { numRuns: 40 },
  );
});

test("rows of forgotten nodes are not used again while a reader is open that may know them", async () => {
  const store = await openStore();
  await store.apply(frameOf(0, [upsertNode("session", "old", baseMs)]));
  const reader = store.reader();
  const [reference] = await reader.find(typesOf.session, ["old"], signal);
  await reach(store, baseMs + ttlMs + 2 * latenessMs);
  await store.purge();
  await store.apply(frameOf(5, [upsertNode("session", "new", clock.nowMs)], { timestampMs: clock.nowMs }));
  expect(reader.id(typesOf.session, reference!)).toBe("old");
  expect([...(await reader.find(typesOf.session, ["old", "new"], signal))]).toEqual([-1, 1]);
  expect(await differencesOf(store)).toEqual([]);
  reader.close();
  await store.apply(frameOf(6, [upsertNode("session", "newer", clock.nowMs)], { timestampMs: clock.nowMs }));
  const later = store.reader();
  expect([...(await later.find(typesOf.session, ["newer"], signal))]).toEqual([reference]);
  later.close();
});

test("rows that waited for readers are free after a restart", async () => {
  const store = await openStore();
  await store.apply(frameOf(0, [upsertNode("session", "old", baseMs)]));
  const reader = store.reader();
  await reach(store, baseMs + ttlMs + 2 * latenessMs);
  await store.purge();
  await store.checkpoint();
  reader.close();
  const restarted = await openStore();
  expect((await restarted.statistics()).nodes["session"]).toBe(0);
  expect(await differencesOf(restarted)).toEqual([]);
});

test("memory that was freed is used again: turnover does not grow the store", async () => {
  const store = await openStore();
  const sizes: number[] = [];
  for (let round = 0; round < 12; round++) {
    const nowMs = baseMs + round * (ttlMs + 2 * latenessMs);
    const updates = Array.from({ length: 600 }, (_, i): Update[] => [
      upsertNode("session", `s${round}-${i}`, nowMs, { note: "n".repeat(i % 90) }),
      upsertEdge("uses", `p${i % 3}`, `s${round}-${i}`, nowMs),
    ]).flat();
    clock.nowMs = nowMs;
    await store.apply(frameOf(round, updates, { timestampMs: nowMs }));
    await store.purge();
    sizes.push(store.memoryBytes);
  }
  expect(Math.max(...sizes)).toBeLessThan(sizes[1]! * 1.15);
  expect((await listingOf(store, typesOf.uses, "out", "p0")).edges).toHaveLength(200);
  expect(await differencesOf(store)).toEqual([]);
});

test("at the memory budget nothing is changed and reads go on; forgetting makes room again", async () => {
  const store = await openStore({ memoryMaxBytes: 150_000 });
  const fill = async (): Promise<number> => {
    for (let offset = 0; ; offset++) {
      const updates = Array.from({ length: 50 }, (_, i) =>
        upsertNode("session", `s${offset}-${i}`, baseMs, { note: "n".repeat(60) }),
      );
      try {
        await store.apply(frameOf(offset, updates, { timestampMs: clock.nowMs }));
      } catch (error) {
        expect(error).toMatchObject({ kind: "unavailable", code: "memory_budget" });
        return offset;
      }
    }
  };
  const offset = await fill();
  expect((await store.applied()).sources.get("journal")).toBe(offset - 1);
  expect((await shownBy(store)).size).toBe(offset * 50);
  clock.nowMs = baseMs + ttlMs + 2 * latenessMs;
  const later = frameOf(offset, [upsertNode("session", "later", clock.nowMs)], { timestampMs: clock.nowMs });
  await expect(store.apply(later)).rejects.toThrow(RdgError);
  await store.purge();
  await store.apply(later);
  expect([...(await shownBy(store)).keys()]).toHaveLength(1);
});

test("the purge comes by itself, again and again, and stops when the store is closed", async () => {
  due.length = 0;
  const store = await openStore();
  await store.apply(frameOf(0, [upsertNode("session", "s", baseMs)]));
  await reach(store, baseMs + ttlMs + 2 * latenessMs);
  due[0]!.run();
  await store.purge();
  expect((await store.statistics()).nodes["session"]).toBe(0);
  await Promise.resolve();
  expect(due).toHaveLength(2);
  await store.close();
  expect(due[1]!.cancelled).toBe(true);
});

test("a batch that contradicts the definition is refused as corrupt, before anything is changed", async () => {
  const store = await openStore();
  const good = frameOf(0, [upsertEdge("owns", "a", "t", baseMs), upsertNode("person", "a", baseMs, { name: "A" })]);
  const batch = good.updates()!;
  const bad = [
    { ...batch, nodes: [{ ...batch.nodes[0]!, type: 9 }] },
    { ...batch, edges: [{ ...batch.edges[0]!, type: -1 }] },
    { ...batch, edges: [{ ...batch.edges[0]!, to: new Uint32Array([7]) }] },
    { ...batch, nodes: [batch.nodes[0]!, batch.nodes[0]!] },
    {
      ...batch,
      nodes: [
        { ...batch.nodes[0]!, properties: [{ form: "counter" as const, values: new Float64Array(1) }] },
        batch.nodes[1]!,
      ],
    },
    { ...batch, nodes: [{ ...batch.nodes[0]!, count: 2 }, batch.nodes[1]!] },
    {
      ...batch,
      nodes: [
        { ...batch.nodes[0]!, ids: { bytes: new Uint8Array(1025), starts: new Uint32Array([0, 1025]) } },
        batch.nodes[1]!,
      ],
    },
  ];
  for (const updates of bad) {
    await expect(store.apply({ ...good, updates: () => updates })).rejects.toMatchObject({
      kind: "corrupt",
      code: "batch_contradicts_model",
      place: "journal@0",
    });
  }
  expect((await shownBy(store)).size).toBe(0);
  await store.apply(good);
  expect((await shownBy(store)).size).toBe(2);
});
