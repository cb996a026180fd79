// What every store promises (port.ts), as tests: run against each adapter by its own test file.
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../core/clock.ts";
import type { GraphModel } from "../model/definition.ts";
import type { ElementKey, Update } from "../model/update/element.ts";
import { presentLife } from "../model/update/oracle.ts";
import {
  TestClock,
  anyUpdate,
  baseMs,
  conformanceGraph,
  differencesOf,
  frameOf,
  gather,
  latenessMs,
  listingOf,
  meantBy,
  neighbours,
  remove,
  shownBy,
  ttlMs,
  typesOf,
  upsertEdge,
  upsertNode,
} from "./conformance-graph.ts";
import { readConformance } from "./conformance-reads.ts";
import type { Store } from "./port.ts";

/** Makes an empty store of this graph. */
export type MakeStore = (model: GraphModel, clock: Clock) => Promise<Store>;

const signal = new AbortController().signal;
const { person, thing, knows, owns, uses } = typesOf;
const node = (type: string, id: string): ElementKey => ({ kind: "node", type, id });

export interface ConformanceOptions {
  /** Random graphs that are tried; fewer where an empty store takes long to make. */
  readonly runs?: number;
}

export function storeConformance(name: string, make: MakeStore, { runs = 40 }: ConformanceOptions = {}): void {
  describe(`store contract: ${name}`, () => {
    const open: Store[] = [];
    const clock = new TestClock();
    afterEach(async () => {
      for (const store of open.splice(0)) await store.close();
    });

    async function empty(): Promise<Store> {
      clock.nowMs = baseMs;
      const store = await make(conformanceGraph, clock);
      open.push(store);
      return store;
    }

    async function holding(...updates: Update[]): Promise<Store> {
      const store = await empty();
      await store.apply(frameOf(0, updates));
      return store;
    }

    describe("frames", () => {
      test("a frame at or below the applied offset of its source changes nothing, counters included", async () => {
        const store = await empty();
        const visit = upsertNode("person", "a", baseMs, { visits: 2 });
        await store.apply(frameOf(3, [visit]));
        await store.apply(frameOf(3, [visit]));
        await store.apply(frameOf(2, [visit]));
        await store.apply(frameOf(3, [visit], { source: "other" }));
        expect((await shownBy(store)).values().next().value?.properties).toEqual({ visits: 4 });
      });

      test("applied offsets and input positions are those of the frames, last per source and partition", async () => {
        const store = await empty();
        const input = (partition: number, offset: number) => ({ topic: "events.hit", partition, offset });
        expect(await store.applied()).toEqual({ sources: new Map(), inputs: [] });
        await store.apply(frameOf(0, [], { inputs: [input(0, 10), input(1, 5)] }));
        await store.apply(frameOf(7, [], { inputs: [input(0, 12)] }));
        await store.apply(frameOf(1, [], { source: "other" }));
        const { sources, inputs } = await store.applied();
        expect(sources).toEqual(
          new Map([
            ["journal", 7],
            ["other", 1],
          ]),
        );
        expect([...inputs].sort((a, b) => a.partition - b.partition)).toEqual([input(0, 12), input(1, 5)]);
      });

      test("a frame without updates moves the offset on", async () => {
        const store = await empty();
        await store.apply({ ...frameOf(4, []), updates: () => undefined });
        expect((await store.applied()).sources.get("journal")).toBe(4);
      });

      test("the graph is what the updates mean, however they are ordered, cut into frames and repeated", async () => {
        const order = fc
          .array(anyUpdate(), { maxLength: 40 })
          .chain((updates) =>
            fc.tuple(
              fc.constant(updates),
              fc.shuffledSubarray([...updates.keys()], { minLength: updates.length }),
              fc.integer({ min: 1, max: 15 }),
            ),
          );
        await fc.assert(
          fc.asyncProperty(order, async ([updates, places, size]) => {
            const store = await empty();
            const shuffled = places.map((place) => updates[place]!);
            for (let offset = 0; offset * size < shuffled.length; offset++) {
              const frame = frameOf(offset, shuffled.slice(offset * size, (offset + 1) * size));
              await store.apply(frame);
              if (offset % 2 === 0) await store.apply(frame);
            }
            expect(await shownBy(store)).toEqual(meantBy(updates, baseMs));
            expect(await differencesOf(store)).toEqual([]);
            await open.pop()!.close();
          }),
          { numRuns: runs },
        );
      });

      test("applying to a closed store rejects with `closed`", async () => {
        const store = await empty();
        await store.close();
        await expect(store.apply(frameOf(0, []))).rejects.toThrow(expect.objectContaining({ kind: "closed" }));
      });
    });

    describe("visibility", () => {
      test("a removed node disappears with all its edges, in both directions", async () => {
        const store = await holding(
          upsertNode("person", "a", baseMs),
          upsertEdge("owns", "a", "t", baseMs),
          upsertEdge("knows", "b", "a", baseMs),
          upsertEdge("knows", "b", "c", baseMs),
          remove(node("person", "a"), baseMs),
        );
        expect([...(await shownBy(store)).keys()]).toEqual([
          ...meantBy([upsertEdge("knows", "b", "c", baseMs)], baseMs).keys(),
        ]);
        expect(await neighbours(store, owns, "out", "a")).toEqual([]);
        expect(await neighbours(store, owns, "in", "t")).toEqual([]);
        expect(await neighbours(store, knows, "out", "b")).toEqual(["c"]);
        await store.apply(frameOf(1, [upsertEdge("owns", "a", "t", baseMs + 1)]));
        expect(await neighbours(store, owns, "out", "a")).toEqual(["t"]);
        expect(await differencesOf(store)).toEqual([]);
      });

      test("after a revival, a `last` value older than the removal stays absent, aggregates stay", async () => {
        const store = await holding(
          upsertNode("person", "a", baseMs, { name: "old", age: 40, visits: 1, tags: ["x"], country: "DE" }),
          remove(node("person", "a"), baseMs + 1),
          upsertNode("person", "a", baseMs + 2, { visits: 1 }),
        );
        const [shown] = [...(await shownBy(store)).values()];
        expect(shown).toEqual({
          firstSeenMs: baseMs,
          lastSeenMs: baseMs + 2,
          properties: { age: 40, visits: 2, tags: ["x"], country: "DE" },
        });
      });

      test("an expired element is invisible from the moment its ttl ends", async () => {
        const store = await holding(upsertNode("session", "s", baseMs), upsertEdge("uses", "a", "s", baseMs));
        clock.nowMs = baseMs + ttlMs - 1;
        expect((await shownBy(store)).size).toBe(2);
        expect(await neighbours(store, uses, "out", "a")).toEqual(["s"]);
        clock.nowMs = baseMs + ttlMs;
        expect((await shownBy(store)).size).toBe(0);
        expect(await listingOf(store, uses, "out", "a")).toMatchObject({ edges: [], end: "complete" });
        expect(await store.reader().edge({ edge: uses, from: "a", to: "s", select: [] }, signal)).toBeUndefined();
      });

      test("an element goes on when it is seen within its ttl, and starts afresh after ttl and twice the lateness", async () => {
        const goesOn = [
          upsertNode("session", "s", baseMs, { visits: 1, note: "x" }),
          upsertNode("session", "s", baseMs + ttlMs, { visits: 1 }),
        ];
        const laterMs = baseMs + 2 * ttlMs + 2 * latenessMs + 1;
        const afresh = upsertNode("session", "s", laterMs, { visits: 1 });
        const store = await empty();
        for (const [offset, update] of goesOn.entries())
          await store.apply(frameOf(offset, [update], { timestampMs: update.timeMs }));
        clock.nowMs = baseMs + ttlMs;
        expect(await shownBy(store)).toEqual(meantBy(goesOn, clock.nowMs));
        await store.apply(frameOf(2, [afresh], { timestampMs: laterMs }));
        clock.nowMs = laterMs;
        expect(await shownBy(store)).toEqual(meantBy(presentLife([...goesOn, afresh], ttlMs, latenessMs), laterMs));
      });

      test("an end that was never upserted is answered by id, without being visible", async () => {
        const store = await holding(upsertEdge("owns", "a", "t", baseMs));
        expect(await neighbours(store, owns, "out", "a")).toEqual(["t"]);
        const reader = store.reader();
        const references = await reader.find(thing, ["t", "never", "\ud800"], signal);
        expect([...references.subarray(1)]).toEqual([-1, -1]);
        expect(reader.id(thing, references[0]!)).toBe("t");
        const rows = await reader.nodes({ type: thing, references: references.subarray(0, 1), select: [] }, signal);
        expect([...rows.visible]).toEqual([0]);
        reader.close();
      });

      test("nodes are answered in the order asked, with the selected properties in the order selected", async () => {
        const store = await holding(
          upsertNode("person", "a", baseMs, {
            name: "A",
            age: 3,
            balance: 2n ** 60n,
            kind: "game",
            active: true,
            photo: new Uint8Array([0, 255]),
          }),
          upsertNode("person", "__proto__", baseMs + 5, { name: null, numbers: [5, null, -(2n ** 63n)] }),
          remove(node("person", "gone"), baseMs),
        );
        const reader = store.reader();
        const references = await reader.find(person, ["__proto__", "gone", "a", "a"], signal);
        const select = ["name", "numbers", "balance", "kind", "active", "photo", "age"].map((wanted) =>
          conformanceGraph.nodes[person]!.properties.findIndex((property) => property.name === wanted),
        );
        const rows = await reader.nodes({ type: person, references, select }, signal);
        expect([...rows.visible]).toEqual([1, 0, 1, 1]);
        expect([rows.firstSeenMs[0], rows.lastSeenMs[2]]).toEqual([baseMs + 5, baseMs]);
        const row = (i: number) => rows.properties.map((values) => values[i]);
        expect(row(0)).toEqual([null, [null, -(2n ** 63n), 5], ...Array.from({ length: 5 }, () => undefined)]);
        expect(row(1).every((value) => value === undefined)).toBe(true);
        expect(row(2)).toEqual(["A", undefined, 2n ** 60n, "game", true, new Uint8Array([0, 255]), 3]);
        reader.close();
      });
    });

    readConformance(holding);

    test("statistics name every type and count what is held", async () => {
      const store = await holding(upsertEdge("owns", "a", "t", baseMs), upsertNode("session", "s", baseMs));
      const { nodes, edges } = await store.statistics();
      expect(Object.keys(nodes)).toEqual(conformanceGraph.nodes.map(({ name }) => name));
      expect(edges).toEqual({ knows: 0, owns: 1, uses: 0 });
      expect(nodes["session"]).toBe(1);
      expect(await gather(store.scan())).toHaveLength(2);
    });
  });
}
