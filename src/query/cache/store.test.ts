// A store with a cache before it is the store: its contract holds, and whatever is applied, expires and is read in whatever order, answers are the store's own.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ask,
  asked,
  expectSame,
  remote,
  seeding,
  stories,
  ttlMs,
  update,
  wrapped,
} from "../../../test/query/cache-stories.ts";
import {
  TestClock,
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
import type { NodesRequest, Store } from "../../store/port.ts";
import { referenceStore } from "../../testing/reference-store.ts";
import { CachedStore } from "./store.ts";

const bytesMax = 1_000_000;
const signal = new AbortController().signal;

storeConformance("a cache before the reference store", async (graph, clock) => {
  const store = referenceStore({ model: graph, clock });
  return new CachedStore({ store, model: graph, clock, bytesMax, ttlMs });
});

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
