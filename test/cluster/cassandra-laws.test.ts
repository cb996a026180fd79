// The store on Cassandra against the reference store: any updates, in any order, applied again, by writers that are cut off and by two at once, read in every
// way. Runs share one keyspace and differ in their ids.
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { seededRandom } from "../../src/core/random.ts";
import type { UpdateFrame } from "../../src/log/port.ts";
import type { Filter } from "../../src/model/filter.ts";
import type { Update } from "../../src/model/update/element.ts";
import { keyOf, presentLife } from "../../src/model/update/oracle.ts";
import { type CassandraStore, cassandraStore } from "../../src/store/cassandra/store.ts";
import {
  anyUpdate,
  baseMs,
  conformanceGraph,
  frameOf,
  latenessMs,
  listingOf,
  type ListingOptions,
  meantBy,
  remove,
  TestClock,
  ttlMs,
  upsertEdge,
  upsertNode,
} from "../../src/store/conformance-graph.ts";
import type { Direction, Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { testKeyspace, type TestKeyspace } from "./cassandra-keyspace.ts";
import { sharedCassandra, uniqueName } from "./shared.ts";

const signal = new AbortController().signal;
const clock = new TestClock();
const buckets = { knows: { in: 2 }, owns: { out: 3, in: 2 }, uses: { out: 2 } };
/** The first is of the edge type "knows". */
const filters: readonly Filter[] = [
  {
    kind: "or",
    filters: [
      { kind: "present", target: { of: "edge", property: 3 } },
      { kind: "compare", target: { of: "edge", property: 0 }, operator: "gt", value: 0 },
    ],
  },
  {
    kind: "not",
    filter: { kind: "compare", target: { of: "edge", time: "firstSeen" }, operator: "gte", value: baseMs + 6 },
  },
];
const directions: readonly Direction[] = ["out", "in"];
let keyspace: TestKeyspace;
let runs = 0;

beforeAll(async () => {
  keyspace = await testKeyspace(await sharedCassandra(), uniqueName("laws"));
  await (await open()).close();
});
afterAll(() => keyspace?.close());

/** `smallRecordRows: 1` leaves nothing small: every list is read from its index. Records of most lists are cut into several partitions. */
const open = (smallRecordRows?: number): Promise<CassandraStore> =>
  cassandraStore({
    ...keyspace.optionsOf(conformanceGraph, clock),
    settings: { buckets, ...(smallRecordRows !== undefined && { smallRecordRows }) },
  });

test("read in every way it is what the reference store is", async () => {
  const scenario = fc.record({
    updates: fc.array(anyUpdate(true), { minLength: 1, maxLength: 50 }),
    size: fc.integer({ min: 1, max: 12 }),
    limit: fc.integer({ min: 1, max: 4 }),
    scanMax: fc.integer({ min: 1, max: 6 }),
    sinceMs: fc.integer({ min: baseMs - 1, max: baseMs + 12 }),
    spanMs: fc.integer({ min: 1, max: 12 }),
  });
  clock.nowMs = baseMs;
  const [whole, indexed] = await Promise.all([open(), open(1)]);
  try {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ updates, size, limit, scanMax, sinceMs, spanMs }) => {
        const own = renamed(updates, runs++);
        const reference = referenceStore({ model: conformanceGraph, clock });
        for (const frame of framesOf(own, size)) await Promise.all([whole.apply(frame), reference.apply(frame)]);
        const bounds = { sinceMs, untilMs: sinceMs + spanMs };
        for (const [edge, direction, id] of recordsOf(own)) {
          const expected = await listingOf(reference, edge, direction, id);
          expect((await listingOf(whole, edge, direction, id)).edges).toEqual(expected.edges);
          expect((await listingOf(indexed, edge, direction, id)).edges).toEqual(expected.edges);
          const any = await listingOf(indexed, edge, direction, id, { order: "any" });
          expect(new Set(any.edges.map(({ neighbour }) => neighbour))).toEqual(
            new Set(expected.edges.map(({ neighbour }) => neighbour)),
          );
          expect(await paged(indexed, edge, direction, id, { limit })).toEqual(expected.edges);
          expect(await paged(indexed, edge, direction, id, { scanMax })).toEqual(expected.edges);
          const between = await listingOf(reference, edge, direction, id, bounds);
          expect(await paged(indexed, edge, direction, id, { limit, ...bounds })).toEqual(between.edges);
          expect((await listingOf(whole, edge, direction, id, bounds)).edges).toEqual(between.edges);
          for (const where of filters.slice(edge === 0 ? 0 : 1)) {
            const passing = await listingOf(reference, edge, direction, id, { where });
            expect(await paged(indexed, edge, direction, id, { where, limit })).toEqual(passing.edges);
            expect((await listingOf(whole, edge, direction, id, { where })).edges).toEqual(passing.edges);
          }
          const degree = await degreeOf(indexed, edge, direction, id);
          expect(degree).toEqual({ count: expected.edges.length, exact: true });
        }
        await expectSameElements(whole, reference, own);
      }),
      { numRuns: 8 },
    );
  } finally {
    await Promise.all([whole.close(), indexed.close()]);
  }
});

test("writers that are cut off anywhere, and two at once, count exactly", async () => {
  const scenario = fc.record({
    updates: fc.array(anyUpdate(), { minLength: 4, maxLength: 40 }),
    size: fc.integer({ min: 1, max: 8 }),
    /** Which of two writers does its next frame; those that are cut off are closed in the middle of it. */
    turns: fc.array(fc.record({ writer: fc.nat(1), cutMs: fc.option(fc.integer({ min: 0, max: 6 }), { freq: 4 }) }), {
      minLength: 6,
      maxLength: 16,
    }),
  });
  clock.nowMs = baseMs;
  await fc.assert(
    fc.asyncProperty(scenario, async ({ updates, size, turns }) => {
      const own = renamed(updates, runs++);
      const frames = framesOf(own, size);
      const reference = referenceStore({ model: conformanceGraph, clock });
      for (const frame of frames) await reference.apply(frame);
      const writers = [await slowWriter(), await slowWriter()];
      const next = [0, 0];
      try {
        for (const { writer, cutMs } of turns) {
          const frame = frames[next[writer]!];
          if (frame === undefined) continue;
          const store = writers[writer]!;
          if (cutMs === null) {
            await store.apply(frame);
            next[writer]!++;
            continue;
          }
          const applying = store
            .apply(frame)
            .catch((error: unknown) => expect(error).toMatchObject({ kind: "closed" }));
          await new Promise((resolve) => setTimeout(resolve, cutMs));
          await store.close();
          await applying;
          // It goes on where the tables say, as a writer does that takes over.
          writers[writer] = await slowWriter();
          const { sources } = await writers[writer].applied();
          next[writer] = (sources.get(frame.source) ?? -1) + 1;
        }
        for (const frame of frames.slice(Math.min(...next))) await writers[0]!.apply(frame);
        await expectSameElements(writers[1]!, reference, own);
      } finally {
        await Promise.all(writers.map((store) => store.close()));
      }
    }),
    { numRuns: 6 },
  );
});

/** One statement at a time, so that a frame is cut anywhere. */
const slowWriter = (): Promise<CassandraStore> =>
  cassandraStore({
    ...keyspace.optionsOf(conformanceGraph, clock),
    settings: { buckets, batchStatementsMax: 1, batchesInFlightMax: 1 },
  });

test("lives that end and begin again are told apart, in whatever order they arrive", async () => {
  const gap = fc.oneof(
    fc.integer({ min: 0, max: ttlMs }),
    fc.integer({ min: ttlMs + 2 * latenessMs + 1, max: 4 * ttlMs }),
  );
  const contribution = fc.record({ gap, visits: fc.integer({ min: 0, max: 3 }), note: fc.constantFrom("x", "y", "") });
  const scenario = fc
    .array(contribution, { minLength: 1, maxLength: 10 })
    .chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray([...all.keys()], { minLength: all.length }), fc.boolean()),
    );
  const store = await open();
  try {
    await fc.assert(
      fc.asyncProperty(scenario, async ([all, places, twice]) => {
        const id = `life${runs++}`;
        let timeMs = baseMs;
        const updates = all.map(({ gap, visits, note }) => {
          timeMs += gap;
          return upsertNode("session", id, timeMs, { visits, note });
        });
        clock.nowMs = timeMs;
        for (const [offset, place] of places.entries()) {
          const frame = frameOf(offset, [updates[place]!], { source: id });
          await store.apply(frame);
          if (twice) await store.apply(frame);
        }
        const [expected] = meantBy(presentLife(updates, ttlMs, latenessMs), timeMs).values();
        expect(await nodeOf(store, 2, id)).toEqual(expected);
      }),
      { numRuns: 20 },
    );
  } finally {
    clock.nowMs = baseMs;
    await store.close();
  }
});

test("a large list with late, repeated and removed edges is read as the reference store reads it", async () => {
  const random = seededRandom(7);
  const updates: Update[] = [];
  for (let i = 0; i < 3_000; i++) {
    const to = `t${random.below(900)}`;
    const timeMs = baseMs + random.below(500);
    if (random.below(12) === 0) updates.push(remove({ kind: "edge", type: "owns", from: "hub", to }, timeMs));
    else updates.push(upsertEdge("owns", "hub", to, timeMs));
    if (random.below(40) === 0) updates.push(remove({ kind: "node", type: "thing", id: to }, timeMs - 100));
  }
  const own = renamed(updates, runs++);
  const hub = own.find((update) => update.kind === "edge")!.from;
  const reference = referenceStore({ model: conformanceGraph, clock });
  const store = await open();
  try {
    for (const frame of framesOf(own, 400)) await Promise.all([store.apply(frame), reference.apply(frame)]);
    const all = (await listingOf(reference, 1, "out", hub)).edges;
    expect(await paged(store, 1, "out", hub, { limit: 300 })).toEqual(all);
    expect(await degreeOf(store, 1, "out", hub)).toEqual({ count: all.length, exact: true });
    for (let i = 0; i < 25; i++) {
      const last = all[random.below(all.length)]!;
      const sinceMs = baseMs + random.below(400);
      const options: ListingOptions = {
        limit: 1 + random.below(250),
        ...(random.below(2) === 0 && { after: { lastSeenMs: last.lastSeenMs, neighbour: last.neighbour } }),
        ...(random.below(2) === 0 && { sinceMs, untilMs: sinceMs + random.below(200) }),
      };
      const expected = await listingOf(reference, 1, "out", hub, options);
      expect((await listingOf(store, 1, "out", hub, options)).edges, JSON.stringify(options)).toEqual(expected.edges);
    }
  } finally {
    await store.close();
  }
});

test("sweeping takes away what nobody sees, and changes nothing that anybody sees, now or later", async () => {
  const run = runs++;
  const updates: Update[] = [];
  for (let i = 0; i < 60; i++) {
    updates.push(upsertEdge("knows", "hub", `p${i % 9}`, baseMs + i, { note: `${i}`, places: [`${i % 7}`] }));
    updates.push(upsertEdge("uses", "hub", `s${i % 4}`, baseMs + 20 * i, { times: 1 }));
    updates.push(upsertNode("person", `p${i % 3}`, baseMs + i, { tags: [`${i % 12}`], visits: 1 }));
  }
  updates.push(remove({ kind: "edge", type: "knows", from: "hub", to: "p8" }, baseMs + 70));
  const own = renamed(updates, run);
  const laterMs = baseMs + 10 * ttlMs;
  const later = renamed(
    [upsertEdge("uses", "hub", "s0", laterMs, { times: 1 }), upsertEdge("knows", "hub", "p8", laterMs, { note: "z" })],
    run,
  );
  const reference = referenceStore({ model: conformanceGraph, clock });
  const store = await open(1);
  const frames = framesOf(own, 10);
  const behind = frameOf(frames.length, later, { source: frames[0]!.source, timestampMs: laterMs });
  const hub = `${run}|hub`;
  const compare = async (): Promise<void> => {
    await expectSameElements(store, reference, own);
    for (const edge of [0, 2]) {
      const expected = await listingOf(reference, edge, "out", hub);
      expect((await listingOf(store, edge, "out", hub)).edges).toEqual(expected.edges);
    }
  };
  try {
    for (const frame of frames) await Promise.all([store.apply(frame), reference.apply(frame)]);
    const first = await store.sweep({ publishedMs: baseMs });
    expect(first.listed).toBeGreaterThan(80);
    expect(first.sets).toBeGreaterThan(0);
    await compare();
    expect((await listingOf(store, 0, "out", hub)).scanned).toBe(8);
    expect(await store.sweep({ publishedMs: baseMs })).toEqual({ listed: 0, lives: 0, sets: 0 });
    clock.nowMs = laterMs;
    expect((await store.sweep({ publishedMs: laterMs })).lives).toBeGreaterThan(0);
    await compare();
    await Promise.all([store.apply(behind), reference.apply(behind)]);
    await compare();
  } finally {
    clock.nowMs = baseMs;
    await store.close();
  }
});

function renamed(updates: readonly Update[], run: number): Update[] {
  const name = (id: string): string => `${run}|${id}`;
  return updates.map((update) =>
    update.kind === "node"
      ? { ...update, id: name(update.id) }
      : { ...update, from: name(update.from), to: name(update.to) },
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

function typeAt(kind: "nodes" | "edges", name: string): number {
  return conformanceGraph[kind].findIndex((type) => type.name === name);
}

/** Every record that the updates mention: edge type, direction, id. */
function recordsOf(updates: readonly Update[]): readonly (readonly [number, Direction, string])[] {
  const records = new Map<string, readonly [number, Direction, string]>();
  for (const update of updates) {
    if (update.kind === "node") continue;
    for (const direction of directions) {
      const record = [typeAt("edges", update.type), direction, direction === "out" ? update.from : update.to] as const;
      records.set(JSON.stringify(record), record);
    }
  }
  return [...records.values()];
}

/** All pages, one after the other. */
async function paged(store: Store, edge: number, direction: Direction, id: string, options: ListingOptions) {
  const edges = [];
  let page = await listingOf(store, edge, direction, id, options);
  for (
    ;
    page.end !== "complete";
    page = await listingOf(store, edge, direction, id, { ...options, after: page.cursor })
  ) {
    expect(page.cursor).toBeDefined();
    edges.push(...page.edges);
  }
  return [...edges, ...page.edges];
}

async function degreeOf(store: Store, edge: number, direction: Direction, id: string) {
  const { from, to } = conformanceGraph.edges[edge]!;
  const reader = store.reader();
  const references = await reader.find(typeAt("nodes", direction === "out" ? from : to), [id], signal);
  const [degree] = await reader.degrees({ edge, direction, references, scanMax: 1_000_000 }, signal);
  reader.close();
  return degree;
}

async function nodeOf(store: Store, type: number, id: string) {
  const { properties } = conformanceGraph.nodes[type]!;
  const reader = store.reader();
  const references = await reader.find(type, [id], signal);
  const rows = await reader.nodes({ type, references, select: properties.map((_, i) => i) }, signal);
  reader.close();
  if (rows.visible[0] === 0) return undefined;
  const values = properties.flatMap(({ name }, i) => {
    const value = rows.properties[i]![0];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { firstSeenMs: rows.firstSeenMs[0], lastSeenMs: rows.lastSeenMs[0], properties: Object.fromEntries(values) };
}

/** Every element that the updates mention, read by its key. */
async function expectSameElements(store: Store, reference: Store, updates: readonly Update[]): Promise<void> {
  const nodes = new Map<string, readonly [number, string]>();
  const edges = new Map<string, readonly [number, string, string]>();
  for (const update of updates) {
    if (update.kind === "node") nodes.set(`${update.type} ${update.id}`, [typeAt("nodes", update.type), update.id]);
    else edges.set(keyOf(update), [typeAt("edges", update.type), update.from, update.to]);
  }
  for (const [type, id] of nodes.values())
    expect(await nodeOf(store, type, id)).toEqual(await nodeOf(reference, type, id));
  for (const [edge, from, to] of edges.values()) {
    const request = { edge, from, to, select: conformanceGraph.edges[edge]!.properties.map((_, i) => i) };
    const [mine, theirs] = await Promise.all([store, reference].map((each) => each.reader().edge(request, signal)));
    expect(mine).toEqual(theirs);
  }
}
