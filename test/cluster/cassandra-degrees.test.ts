// Degrees that the store on Cassandra keeps of records with many edges: whatever is applied, in whatever order, again, by whom and while they begin to be kept,
// they are what the reference store counts.
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import type { UpdateFrame } from "../../src/log/port.ts";
import type { Update } from "../../src/model/update/element.ts";
import { bigintCell, earliestCell, timeCell } from "../../src/store/cassandra/cells.ts";
import { layoutOf } from "../../src/store/cassandra/layout.ts";
import { encodeRepair } from "../../src/store/cassandra/repair-queue.ts";
import type { Statement } from "../../src/store/cassandra/session.ts";
import { edgeStatements } from "../../src/store/cassandra/statements.ts";
import { type CassandraStore, cassandraStore } from "../../src/store/cassandra/store.ts";
import {
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  remove,
  TestClock,
  ttlMs,
  typesOf,
  upsertEdge,
} from "../../src/store/conformance-graph.ts";
import type { Degree, Direction, Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { testKeyspace, type TestKeyspace } from "./cassandra-keyspace.ts";
import { sharedCassandra, uniqueName } from "./shared.ts";

const signal = new AbortController().signal;
const { person, session, owns, uses, thing } = typesOf;
const clock = new TestClock();
let keyspace: TestKeyspace;
let runs = 0;

beforeAll(async () => {
  keyspace = await testKeyspace(await sharedCassandra(), uniqueName("degrees"));
  await (await open()).close();
});
afterAll(() => keyspace?.close());

const open = (degreeKeptFrom = 1, slow = false): Promise<CassandraStore> =>
  cassandraStore({
    ...keyspace.optionsOf(conformanceGraph, clock),
    settings: {
      buckets: { uses: { out: 2 } },
      degreeKeptFrom,
      ...(slow && { batchStatementsMax: 1, batchesInFlightMax: 1 }),
    },
  });

const ends = ["a", "b", "ab", "__proto__", "\u{1f600}", "ü"];
const anyEdge = fc
  .record({
    type: fc.constantFrom("owns", "uses"),
    from: fc.constantFrom("x", "y"),
    to: fc.constantFrom(...ends),
    at: fc.integer({ min: 0, max: 20 }),
    isRemoved: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  })
  .map(({ type, from, to, at, isRemoved }): Update => {
    // Within one ttl: where lives end is another law.
    const timeMs = baseMs + at * 40;
    return isRemoved ? remove({ kind: "edge", type, from, to }, timeMs) : upsertEdge(type, from, to, timeMs);
  });

test("two writers at once, one of them cut off, repeated frames, and records that begin to be kept in between", async () => {
  const scenario = fc.record({
    updates: fc.array(anyEdge, { minLength: 6, maxLength: 40 }),
    size: fc.integer({ min: 1, max: 8 }),
    /** Which writers do their next frame at the same time, whether a sweep runs beside them, and whether the first is closed meanwhile. */
    turns: fc.array(
      fc.record({
        who: fc.constantFrom([0], [1], [0, 1]),
        sweeps: fc.boolean(),
        cutMs: fc.option(fc.nat(8), { freq: 3 }),
      }),
      { minLength: 3, maxLength: 6 },
    ),
    laterMs: fc.integer({ min: 0, max: ttlMs + 900 }),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ updates, size, turns, laterMs }) => {
      clock.nowMs = baseMs + 20 * 40;
      const own = renamed(updates, runs++);
      const frames = framesOf(own, size);
      const reference = referenceStore({ model: conformanceGraph, clock });
      for (const frame of frames) await reference.apply(frame);
      const stores = [await open(1, true), await open()];
      const next = [0, 0];
      try {
        for (const { who, sweeps, cutMs } of turns) {
          await Promise.all([
            sweeps && stores[1]!.sweep({ publishedMs: baseMs }),
            ...who.map(async (writer) => {
              const frame = frames[next[writer]!];
              if (frame === undefined) return;
              if (writer === 1 || cutMs === null) {
                await stores[writer]!.apply(frame);
                next[writer]!++;
                return;
              }
              const applying = stores[0]!
                .apply(frame)
                .catch((error: unknown) => expect(error).toMatchObject({ kind: "closed" }));
              await new Promise((resolve) => setTimeout(resolve, cutMs));
              await stores[0]!.close();
              await applying;
              stores[0] = await open(1, true);
            }),
          ]);
        }
        await stores[1]!.sweep({ publishedMs: baseMs });
        for (const frame of frames) await stores[1]!.apply(frame);
        for (const nowMs of [clock.nowMs, clock.nowMs + laterMs]) {
          clock.nowMs = nowMs;
          for (const [edge, direction, id] of recordsOf(own)) {
            const expected = { count: (await degreeOf(reference, edge, direction, id)).count, exact: true };
            expect(
              await degreeOf(stores[0]!, edge, direction, id),
              `${edge} ${direction} ${id} at ${nowMs - baseMs}`,
            ).toEqual(expected);
          }
        }
      } finally {
        await Promise.all(stores.map((store) => store.close()));
      }
    }),
    { numRuns: 5 },
  );
});

test("a degree that is kept is told without looking at the edges, and found to be right by verification", async () => {
  clock.nowMs = baseMs;
  const random = seededRandom(3);
  const hub = `${runs++}|hub`;
  const updates = Array.from({ length: 900 }, (_, i) => {
    const to = `t${random.below(400)}`;
    if (i % 9 === 0) return remove({ kind: "edge", type: "owns", from: hub, to }, baseMs + i);
    return upsertEdge("owns", hub, to, baseMs + random.below(900));
  });
  const reference = referenceStore({ model: conformanceGraph, clock });
  const store = await open(200);
  try {
    const frames = framesOf(updates, 150);
    for (const frame of frames.slice(0, 3)) await Promise.all([store.apply(frame), reference.apply(frame)]);
    const before = await degreeOf(store, owns, "out", hub, 10);
    expect(before.exact).toBe(false);
    await store.sweep({ publishedMs: baseMs });
    expect(await degreeOf(store, owns, "out", hub, 10)).toEqual(await degreeOf(reference, owns, "out", hub));
    for (const frame of frames.slice(3)) await Promise.all([store.apply(frame), reference.apply(frame)]);
    expect(await degreeOf(store, owns, "out", hub, 10)).toEqual(await degreeOf(reference, owns, "out", hub));
    expect((await differencesOf(store)).filter((difference) => difference.includes(hub))).toEqual([]);
  } finally {
    await store.close();
  }
});

test("a write that is made from the repair queue is counted", async () => {
  clock.nowMs = baseMs;
  const hub = `${runs++}|hub`;
  const store = await open();
  try {
    const [frame] = framesOf([upsertEdge("owns", hub, "t0", baseMs), upsertEdge("owns", hub, "t1", baseMs)], 2);
    await store.apply(frame!);
    await store.sweep({ publishedMs: baseMs });
    const layout = layoutOf(conformanceGraph, keyspace.keyspace);
    const { forward, reverse } = edgeStatements(layout, layout.edges[owns]!);
    const late = (query: string, record: string, neighbour: string): Statement => {
      const times = [timeCell(baseMs), earliestCell(baseMs), undefined];
      return { query, params: [...times, Buffer.from(record), Buffer.from(neighbour), bigintCell(0)] };
    };
    const repair = encodeRepair([late(forward, hub, "t2"), late(reverse, "t2", hub), late(forward, hub, "t1")]);
    for (let i = 0; i < 2; i++) await store.repair(repair);
    expect(await degreeOf(store, owns, "out", hub, 1)).toEqual({ count: 3, exact: true });
  } finally {
    await store.close();
  }
});

function renamed(updates: readonly Update[], run: number): Update[] {
  const name = (id: string): string => `${run}|${id}`;
  return updates.flatMap((update) =>
    update.kind === "node" ? [] : [{ ...update, from: name(update.from), to: name(update.to) }],
  );
}

/** Frames of a source of their own. */
function framesOf(updates: readonly Update[], size: number): UpdateFrame[] {
  const source = `journal${runs}`;
  const frames: UpdateFrame[] = [];
  for (let from = 0; from < updates.length; from += size) {
    frames.push(frameOf(frames.length, updates.slice(from, from + size), { source }));
  }
  return frames;
}

/** Every record that the updates mention: edge type, direction, id. */
function recordsOf(updates: readonly Update[]): readonly (readonly [number, Direction, string])[] {
  const records = new Map<string, readonly [number, Direction, string]>();
  for (const update of updates) {
    if (update.kind === "node") continue;
    const edge = update.type === "owns" ? owns : uses;
    for (const record of [[edge, "out", update.from] as const, [edge, "in", update.to] as const])
      records.set(JSON.stringify(record), record);
  }
  return [...records.values()];
}

async function degreeOf(
  store: Store,
  edge: number,
  direction: Direction,
  id: string,
  scanMax = 1_000_000,
): Promise<Degree> {
  const reader = store.reader();
  const type = direction === "out" ? person : edge === owns ? thing : session;
  const references = await reader.find(type, [id], signal);
  const [degree] = await reader.degrees({ edge, direction, references, scanMax }, signal);
  reader.close();
  return degree!;
}
