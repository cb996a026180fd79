// A store with a cache before it is the store: its contract holds, and whatever is applied, expires and is read in whatever order, answers are the store's own.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GraphModel } from "../../model/definition.ts";
import type { Update } from "../../model/update/element.ts";
import {
  TestClock,
  anyUpdate,
  baseMs,
  conformanceGraph as model,
  frameOf,
  remove,
  ttlMs as elementTtlMs,
  typesOf,
  upsertEdge,
  upsertNode,
} from "../../store/conformance-graph.ts";
import { storeConformance } from "../../store/conformance.ts";
import type { AdjacencyRequest, NodesRequest, Store, StoreReader } from "../../store/port.ts";
import { referenceStore } from "../../testing/reference-store.ts";
import { CachedStore } from "./store.ts";

const ttlMs = 400;
const bytesMax = 1_000_000;
const signal = new AbortController().signal;

storeConformance("a cache before the reference store", async (graph, clock) => {
  const store = referenceStore({ model: graph, clock });
  return new CachedStore({ store, model: graph, clock, bytesMax, ttlMs });
});

/** The same store as one that is elsewhere. */
function remote(store: Store): Store {
  const { local: _, ...capabilities } = store.capabilities;
  return wrapped(store, { capabilities });
}

function wrapped<T extends object>(of: T, replaced: Partial<T>): T {
  return new Proxy(of, {
    get(target, name) {
      if (name in replaced) return Reflect.get(replaced, name) as unknown;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

interface Asked {
  readonly type: number;
  readonly ids: readonly string[];
  readonly select: readonly number[];
  readonly adjacency: Omit<AdjacencyRequest, "records">;
}

const ids = ["a", "b", "ab", "never"];
const nodesOf = ({ from, to }: GraphModel["edges"][number], direction: "in" | "out"): number =>
  model.nodes.findIndex(({ name }) => name === (direction === "out" ? from : to));

const asked: fc.Arbitrary<Asked> = fc
  .record({ edge: fc.nat(model.edges.length - 1), direction: fc.constantFrom("out" as const, "in" as const) })
  .chain(({ edge, direction }) => {
    const type = nodesOf(model.edges[edge]!, direction);
    const moment = fc.option(
      fc.integer({ min: -1, max: 13 }).map((offset) => baseMs + offset),
      { nil: undefined },
    );
    return fc.record({
      type: fc.constant(type),
      ids: fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 3 }),
      select: fc.subarray(model.nodes[type]!.properties.map((_, i) => i)),
      adjacency: fc
        .record({
          edge: fc.constant(edge),
          direction: fc.constant(direction),
          order: fc.constantFrom("latest" as const, "latest" as const, "any" as const),
          limit: fc.integer({ min: 1, max: 5 }),
          scanMax: fc.constantFrom(1_000, 1_000, 2),
          sinceMs: moment,
          untilMs: fc.oneof(fc.constant(undefined), fc.constant(undefined), moment),
          select: fc.subarray(model.edges[edge]!.properties.map((_, i) => i)),
        })
        .map(({ sinceMs, untilMs, ...rest }) => ({
          ...rest,
          ...(sinceMs !== undefined && { sinceMs }),
          ...(untilMs !== undefined && { untilMs }),
        })),
    });
  });

/** Everything that a request can be told, without references. */
async function answersOf(reader: StoreReader, { type, ids, select, adjacency }: Asked): Promise<unknown> {
  const found = await reader.find(type, ids, signal);
  const references = found.filter((reference) => reference >= 0);
  const { visible, firstSeenMs, lastSeenMs, properties } = await reader.nodes({ type, references, select }, signal);
  const nodes = Array.from(references, (reference, i) =>
    visible[i] === 1
      ? [reader.id(type, reference), firstSeenMs[i], lastSeenMs[i], properties.map((column) => column[i])]
      : [reader.id(type, reference)],
  );
  const there = nodesOf(model.edges[adjacency.edge]!, adjacency.direction === "out" ? "in" : "out");
  const lists = Array.from(references, () => ({ edges: [] as unknown[], end: "", cursor: undefined as unknown }));
  const records = Array.from(references, (reference) => ({ reference }));
  for await (const batch of reader.adjacency({ ...adjacency, records }, signal)) {
    const list = lists[batch.record]!;
    for (let i = 0; i < batch.count; i++) {
      const row = [batch.firstSeenMs[i], batch.lastSeenMs[i], batch.properties.map((column) => column[i])];
      list.edges.push([reader.id(there, batch.neighbours[i]!), ...row]);
    }
    if (batch.end !== undefined) Object.assign(list, { end: batch.end, cursor: batch.cursor });
  }
  return { found: nodes, lists: lists.map((list) => (list.end === "complete" ? { ...list, cursor: 0 } : list)) };
}

async function ask(store: Store, question: Asked, options = {}): Promise<unknown> {
  const reader = store.reader(options);
  try {
    return await answersOf(reader, question);
  } finally {
    reader.close();
  }
}

/** A cache may say that there may be more where a list ends exactly at the limit. */
function expectSame(cached: unknown, plain: unknown, { adjacency: { limit } }: Asked): void {
  type Lists = { lists: { edges: unknown[]; end: string; cursor: unknown }[] };
  for (const [i, list] of (plain as Lists).lists.entries()) {
    const other = (cached as Lists).lists[i];
    if (list.end !== "complete" || list.edges.length !== limit || other?.end !== "limit") continue;
    Object.assign(other, { end: list.end, cursor: list.cursor });
  }
  expect(cached).toEqual(plain);
}

const few = ["a", "b", "ab"];

/** Updates of few elements, so that they meet in what was read. */
const update: fc.Arbitrary<Update> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(anyUpdate(true), fc.constantFrom(...few), fc.constantFrom(...few))
      .map(([any, id, to]): Update => (any.kind === "node" ? { ...any, id } : { ...any, from: id, to })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("person", "thing"), fc.constantFrom(...few), fc.integer({ min: 0, max: 12 }))
      .map(([type, id, offset]) => remove({ kind: "node", type, id }, baseMs + offset)),
  },
);
/** A graph to begin with: all edges of the few, at any time. */
const seeding: fc.Arbitrary<readonly Update[]> = fc
  .array(fc.integer({ min: 0, max: 12 }), { minLength: 27, maxLength: 27 })
  .map((offsets) =>
    offsets.map((offset, i) =>
      upsertEdge(
        ["knows", "owns", "uses"][i % 3]!,
        few[Math.floor(i / 3) % 3]!,
        few[Math.floor(i / 9)]!,
        baseMs + offset,
      ),
    ),
  );

type Step =
  | { readonly kind: "ask"; readonly question: Asked }
  | { readonly kind: "apply"; readonly updates: readonly Update[] }
  | { readonly kind: "pass"; readonly ms: number };

/** Few questions, so that they are asked again. */
const stories: fc.Arbitrary<readonly Step[]> = fc.array(asked, { minLength: 1, maxLength: 4 }).chain((questions) =>
  fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...questions).map((question): Step => ({ kind: "ask", question })) },
      {
        weight: 3,
        arbitrary: fc
          .oneof(seeding, fc.array(update, { minLength: 1, maxLength: 3 }))
          .map((updates): Step => ({ kind: "apply", updates })),
      },
      {
        weight: 2,
        arbitrary: fc
          .constantFrom(1, ttlMs / 8, ttlMs - 1, ttlMs, elementTtlMs)
          .map((ms): Step => ({ kind: "pass", ms })),
      },
    ),
    { minLength: 4, maxLength: 40, size: "max" },
  ),
);

describe("answers with and without a cache agree", () => {
  test("at any moment, where updates are applied through it", async () => {
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(stories, fc.constantFrom(bytesMax, 4_000), async (steps, bytes) => {
        const clock = new TestClock();
        const plain = referenceStore({ model, clock });
        const store = new CachedStore({ store: plain, model, clock, bytesMax: bytes, ttlMs });
        for (const [offset, step] of steps.entries()) {
          if (step.kind === "apply") await store.apply(frameOf(offset, step.updates));
          else if (step.kind === "pass") clock.nowMs += step.ms;
          else expectSame(await ask(store, step.question), await ask(plain, step.question), step.question);
          expect(store.figures.bytes).toBeLessThanOrEqual(bytes);
        }
        hits += store.figures.nodes.hits + store.figures.adjacency.hits;
      }),
      { numRuns: 300 },
    );
    expect(hits).toBeGreaterThan(1_000);
  });

  test("once positions are equal, where the store is elsewhere", async () => {
    let [hits, compared] = [0, 0];
    await fc.assert(
      fc.asyncProperty(stories, async (steps) => {
        const clock = new TestClock();
        const plain = referenceStore({ model, clock });
        const store = new CachedStore({ store: remote(plain), model, clock, bytesMax, ttlMs });
        for (const [offset, step] of steps.entries()) {
          if (step.kind === "apply") {
            const inputs = [{ topic: "events.hit", partition: 0, offset }];
            await plain.apply(frameOf(offset, step.updates, { inputs }));
          } else if (step.kind === "pass") {
            clock.nowMs += step.ms;
            clock.monotonic += step.ms;
          } else {
            const { question } = step;
            const [seen, applied] = [await store.applied(), await plain.applied()];
            const expected = await ask(plain, question);
            expect(await ask(store, question, { current: true })).toEqual(expected);
            const answer = await ask(store, question);
            if (seen.sources.get("journal") !== applied.sources.get("journal")) continue;
            expectSame(answer, expected, question);
            compared++;
          }
        }
        hits += store.figures.nodes.hits + store.figures.adjacency.hits;
      }),
      { numRuns: 200 },
    );
    expect(hits).toBeGreaterThan(500);
    expect(compared).toBeGreaterThan(200);
  });

  test("when reads and updates overlap in any way", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(asked, { minLength: 2, maxLength: 4 }),
        seeding,
        fc.array(fc.array(update, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        async (scheduler, questions, seeds, frames) => {
          const clock = new TestClock();
          const plain = referenceStore({ model, clock });
          await plain.apply(frameOf(0, seeds));
          const store = new CachedStore({ store: lagging(plain, scheduler), model, clock, bytesMax, ttlMs });
          const reads = questions.flatMap((question) => [question, question]);
          const work = [
            (async () => {
              for (const [i, updates] of frames.entries()) await store.apply(frameOf(i + 1, updates));
            })(),
            ...reads.map((question) => ask(store, question)),
          ];
          await scheduler.waitFor(Promise.all(work));
          for (const question of questions) {
            const answer = await scheduler.waitFor(ask(store, question));
            expectSame(answer, await ask(plain, question), question);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Every call of the store is begun and answered when the scheduler says. */
function lagging(store: Store, scheduler: fc.Scheduler): Store {
  const soon = (): Promise<void> => scheduler.schedule(Promise.resolve());
  const delayed = async <T>(run: () => Promise<T>): Promise<T> => {
    await soon();
    const answer = await run();
    await soon();
    return answer;
  };
  return wrapped(store, {
    apply: (frame) => delayed(() => store.apply(frame)),
    reader() {
      const reader = store.reader();
      return wrapped(reader, {
        find: (...args) => delayed(() => reader.find(...args)),
        nodes: (...args) => delayed(() => reader.nodes(...args)),
        async *adjacency(...args) {
          await soon();
          for await (const batch of reader.adjacency(...args)) {
            await soon();
            yield batch;
          }
        },
      });
    },
  });
}

describe("the cache", () => {
  const question: NodesRequest = { type: typesOf.person, references: new Int32Array(), select: [0] };

  async function nameOf(store: Store, id: string, options = {}): Promise<unknown> {
    const reader = store.reader(options);
    const references = await reader.find(question.type, [id], signal);
    const { properties } = await reader.nodes({ ...question, references }, signal);
    const { cached } = reader;
    reader.close();
    return [properties[0]![0], cached];
  }

  test("tells each reader what it did for it, and is passed by when a request wants it so", async () => {
    const clock = new TestClock();
    const store = new CachedStore({ store: referenceStore({ model, clock }), model, clock, bytesMax, ttlMs });
    await store.apply(frameOf(0, [upsertNode("person", "a", baseMs, { name: "A" })]));
    expect(await nameOf(store, "a", { cache: false })).toEqual(["A", undefined]);
    expect(store.figures.entries).toBe(0);
    expect(await nameOf(store, "a")).toEqual(["A", { hits: 0, misses: 1 }]);
    expect(await nameOf(store, "a")).toEqual(["A", { hits: 1, misses: 0 }]);
    expect(store.figures).toMatchObject({ entries: 1, nodes: { hits: 1, misses: 1 }, invalidations: 0 });
  });

  test("an update makes void what it changes, and leaves nodes that it only mentions", async () => {
    const clock = new TestClock();
    const store = new CachedStore({ store: referenceStore({ model, clock }), model, clock, bytesMax, ttlMs });
    await store.apply(frameOf(0, [upsertNode("person", "a", baseMs, { name: "A" })]));
    await nameOf(store, "a");
    await store.apply(frameOf(1, [upsertEdge("owns", "a", "t", baseMs)]));
    expect(await nameOf(store, "a")).toEqual(["A", { hits: 1, misses: 0 }]);
    await store.apply(frameOf(2, [upsertNode("person", "a", baseMs + 1, { name: "B" })]));
    expect(await nameOf(store, "a")).toEqual(["B", { hits: 0, misses: 1 }]);
    await store.apply(frameOf(3, [remove({ kind: "node", type: "person", id: "a" }, baseMs + 1)]));
    expect(await nameOf(store, "a")).toEqual([undefined, { hits: 0, misses: 1 }]);
    expect(store.figures.invalidations).toBeGreaterThan(1);
  });

  test("elsewhere, `applied` tells of no position that an entry in use may not have seen", async () => {
    const clock = new TestClock();
    const plain = referenceStore({ model, clock });
    const store = new CachedStore({ store: remote(plain), model, clock, bytesMax, ttlMs });
    const offset = async (): Promise<number | undefined> => (await store.applied()).sources.get("journal");
    await plain.apply(frameOf(0, [upsertNode("person", "a", baseMs, { name: "A" })]));
    expect(await nameOf(store, "a")).toEqual(["A", undefined]);
    expect(await offset()).toBe(0);
    await nameOf(store, "a");
    await plain.apply(frameOf(1, [upsertNode("person", "a", baseMs + 1, { name: "B" })]));
    clock.monotonic += ttlMs - 1;
    expect([await offset(), await nameOf(store, "a")]).toEqual([0, ["A", { hits: 1, misses: 0 }]]);
    expect(await nameOf(store, "a", { current: true })).toEqual(["B", undefined]);
    clock.monotonic += ttlMs;
    expect([await offset(), await nameOf(store, "a")]).toEqual([1, ["B", { hits: 0, misses: 1 }]]);
  });

  test("an element near its expiry is not kept beyond it", async () => {
    const clock = new TestClock();
    const store = new CachedStore({ store: referenceStore({ model, clock }), model, clock, bytesMax, ttlMs });
    await store.apply(frameOf(0, [upsertNode("session", "s", baseMs, { note: "x" })]));
    const visible = async (): Promise<number | undefined> => {
      const reader = store.reader();
      const references = await reader.find(typesOf.session, ["s"], signal);
      const rows = await reader.nodes({ type: typesOf.session, references, select: [] }, signal);
      reader.close();
      return rows.visible[0];
    };
    expect(await visible()).toBe(1);
    clock.nowMs = baseMs + elementTtlMs - 1;
    expect(await visible()).toBe(1);
    expect(store.figures.nodes.hits).toBe(1);
    clock.nowMs = baseMs + elementTtlMs;
    expect(await visible()).toBe(0);
    expect(store.figures.nodes.hits).toBe(1);
  });
});
