// What every store promises (port.ts), as tests: run against each adapter by its own test file.
import * as fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Filter } from "../model/filter.ts";
import type { ElementKey, Update } from "../model/update/element.ts";
import { presentLife } from "../model/update/oracle.ts";
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
} from "./conformance-graph.ts";
import type { AdjacencyBatch, DegreesRequest, Direction, Store } from "./port.ts";

/** Makes an empty store of this graph. */
export type MakeStore = (model: GraphModel, clock: Clock) => Promise<Store>;

const signal = new AbortController().signal;
const { person, thing, knows, owns, uses } = typesOf;
const node = (type: string, id: string): ElementKey => ({ kind: "node", type, id });
const edge = (type: string, from: string, to: string): ElementKey => ({ kind: "edge", type, from, to });

async function gather<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

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

    const neighbours = async (store: Store, type: number, direction: Direction, id: string): Promise<string[]> =>
      (await listingOf(store, type, direction, id)).edges.map(({ neighbour }) => neighbour);

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

    describe("adjacency", () => {
      test("the order latest is last seen descending, then neighbour id ascending by its UTF-8 bytes", async () => {
        const tied = ["b", "a", "aa", "\u{1f600}", "\u{ffee}", "ü", "Z", "__proto__"];
        const store = await holding(
          ...tied.map((to) => upsertEdge("owns", "hub", to, baseMs)),
          upsertEdge("owns", "hub", "newer", baseMs + 1),
          upsertEdge("owns", "hub", "older", baseMs - 1),
        );
        const sorted = [...tied].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(await neighbours(store, owns, "out", "hub")).toEqual(["newer", ...sorted, "older"]);
        await store.apply(
          frameOf(1, [upsertEdge("owns", "hub", "b", baseMs + 1), upsertEdge("owns", "hub", "older", baseMs)]),
        );
        const rest = [...sorted.filter((id) => id !== "b"), "older"].sort((a, b) =>
          Buffer.compare(Buffer.from(a), Buffer.from(b)),
        );
        expect(await neighbours(store, owns, "out", "hub")).toEqual(["b", "newer", ...rest]);
        expect(await differencesOf(store)).toEqual([]);
      });

      test("each record's batches have at most 100 edges and come in the order of the records, the last with its end", async () => {
        const store = await holding(
          ...Array.from({ length: 250 }, (_, i) => upsertEdge("owns", "many", `t${i}`, baseMs + i)),
          upsertEdge("owns", "one", "t0", baseMs),
          upsertNode("person", "none", baseMs),
        );
        const reader = store.reader();
        const references = await reader.find(person, ["one", "none", "many"], signal);
        const records = [...references].map((reference) => ({ reference }));
        const request = {
          edge: owns,
          direction: "out",
          order: "any",
          limit: 1000,
          scanMax: 1000,
          select: [],
          records,
        } as const;
        const batches: AdjacencyBatch[] = [];
        for await (const batch of reader.adjacency(request, signal)) batches.push(batch);
        reader.close();
        expect(batches.every(({ count }) => count <= 100)).toBe(true);
        expect(batches.map(({ record }) => record)).toEqual(batches.map(({ record }) => record).sort((a, b) => a - b));
        for (const [record, edges] of [1, 0, 250].entries()) {
          const own = batches.filter((batch) => batch.record === record);
          expect(own.map(({ end }) => end)).toEqual([...own.slice(1).map(() => undefined), "complete"]);
          expect(own.reduce((sum, { count }) => sum + count, 0)).toBe(edges);
        }
      });

      test("limits cut with a cursor, and pages behind cursors show every edge once", async () => {
        const store = await holding(
          ...Array.from({ length: 30 }, (_, i) => upsertEdge("owns", "hub", `t${i}`, baseMs + Math.floor(i / 4))),
        );
        const whole = await neighbours(store, owns, "out", "hub");
        expect(whole).toHaveLength(30);
        const paged: string[] = [];
        let page = await listingOf(store, owns, "out", "hub", { limit: 7 });
        for (
          ;
          page.end === "limit";
          page = await listingOf(store, owns, "out", "hub", { limit: 7, after: page.cursor })
        ) {
          expect(page.edges).toHaveLength(7);
          paged.push(...page.edges.map(({ neighbour }) => neighbour));
        }
        expect([...paged, ...page.edges.map(({ neighbour }) => neighbour)]).toEqual(whole);
      });

      test("since is inclusive, until exclusive, on last seen", async () => {
        const store = await holding(...[0, 1, 2, 3, 4].map((i) => upsertEdge("owns", "hub", `t${i}`, baseMs + i)));
        const bounded = await listingOf(store, owns, "out", "hub", { sinceMs: baseMs + 1, untilMs: baseMs + 3 });
        expect(bounded.edges.map(({ neighbour }) => neighbour)).toEqual(["t2", "t1"]);
        expect(bounded.end).toBe("complete");
      });

      test("a read looks at no more edges than allowed, says so, and can go on", async () => {
        const store = await holding(
          ...Array.from({ length: 20 }, (_, i) => upsertEdge("knows", "hub", `p${i}`, baseMs + i, { weight: i })),
        );
        const where: Filter = { kind: "compare", target: { of: "edge", property: 0 }, operator: "lt", value: 3 };
        const first = await listingOf(store, knows, "out", "hub", {
          scanMax: 10,
          ...(store.capabilities.filters.edge && { where }),
        });
        expect(first.scanned).toBeLessThanOrEqual(10);
        expect(first.end).toBe("scan");
        const rest = await listingOf(store, knows, "out", "hub", { scanMax: 10, after: first.cursor });
        expect(rest.edges.at(-1)?.neighbour).toBe("p0");
        expect(rest.end).toBe("complete");
      });

      test("both directions show the same edges with the same properties", async () => {
        const store = await holding(
          upsertEdge("knows", "a", "b", baseMs, { weight: 1.5, times: 3, note: "n", places: ["y", "x"] }),
        );
        const out = (await listingOf(store, knows, "out", "a")).edges;
        const back = (await listingOf(store, knows, "in", "b")).edges;
        expect(out.map(({ properties }) => properties)).toEqual([[1.5, undefined, 3, "n", ["x", "y"]]]);
        expect(back).toEqual(out.map((listed) => ({ ...listed, neighbour: "a" })));
        const found = await store.reader().edge({ edge: knows, from: "a", to: "b", select: [3, 0] }, signal);
        expect(found).toEqual({ firstSeenMs: baseMs, lastSeenMs: baseMs, properties: ["n", 1.5] });
      });

      test("an aborted signal ends the stream", async () => {
        const store = await holding(upsertEdge("owns", "a", "t", baseMs));
        const reader = store.reader();
        const references = await reader.find(person, ["a"], signal);
        const request = {
          edge: owns,
          direction: "out",
          order: "any",
          limit: 1,
          scanMax: 1,
          select: [],
          records: [{ reference: references[0]! }],
        } as const;
        const aborted = AbortSignal.abort(new RdgError("unavailable", "gone", "The caller went away."));
        await expect(gather(reader.adjacency(request, aborted))).rejects.toThrow("The caller went away.");
        reader.close();
      });

      test("degrees count visible neighbours", async () => {
        const store = await holding(
          ...[0, 1, 2, 3].map((i) => upsertEdge("knows", "hub", `p${i}`, baseMs + i)),
          remove(edge("knows", "hub", "p0"), baseMs + 9),
          remove(node("person", "p1"), baseMs + 9),
        );
        const reader = store.reader();
        const references = await reader.find(person, ["hub", "p2", "p1"], signal);
        const request = { edge: knows, references };
        expect(await reader.degrees({ ...request, direction: "out", scanMax: 100 }, signal)).toEqual([
          { count: 2, exact: true },
          { count: 0, exact: true },
          { count: 0, exact: true },
        ]);
        const [bounded] = await reader.degrees({ ...request, direction: "out", scanMax: 1 }, signal);
        expect(bounded!.exact ? bounded!.count === 2 : !store.capabilities.exactDegrees && bounded!.count <= 1).toBe(
          true,
        );
        expect(
          (await reader.degrees({ ...request, direction: "in", scanMax: 100 }, signal)).map(({ count }) => count),
        ).toEqual([0, 1, 0]);
        reader.close();
      });

      test("degrees within bounds in time count what adjacency lists, where they may be asked for", async () => {
        const store = await holding(
          ...[0, 1, 2, 3, 4].map((i) => upsertEdge("knows", "hub", `p${i}`, baseMs + i)),
          remove(node("person", "p1"), baseMs + 9),
        );
        const reader = store.reader();
        const references = await reader.find(person, ["hub"], signal);
        const hub = { edge: knows, direction: "out" as const, scanMax: 100 };
        const counted = async (bounds: Pick<DegreesRequest, "sinceMs" | "untilMs">): Promise<number> => {
          if (store.capabilities.timedDegrees === true) {
            const [degree] = await reader.degrees({ ...hub, ...bounds, references }, signal);
            expect(degree!.exact).toBe(true);
            return degree!.count;
          }
          const records = [{ reference: references[0]! }];
          const request = { ...hub, ...bounds, order: "latest" as const, limit: 100, select: [], records };
          return (await gather(reader.adjacency(request, signal))).reduce((sum, { count }) => sum + count, 0);
        };
        const at = (ms: number): number => baseMs + ms;
        expect(await counted({ sinceMs: at(1) })).toBe(3);
        expect(await counted({ untilMs: at(3) })).toBe(2);
        expect(await counted({ sinceMs: at(2), untilMs: at(4) })).toBe(2);
        expect(await counted({ sinceMs: at(4), untilMs: at(2) })).toBe(0);
        expect(await counted({ sinceMs: at(5) })).toBe(0);
        reader.close();
      });
    });

    describe("filters that the store evaluates", () => {
      const target = (of: "edge" | "node", property: string) =>
        ({
          of,
          property: (of === "edge"
            ? conformanceGraph.edges[knows]!
            : conformanceGraph.nodes[person]!
          ).properties.findIndex(({ name }) => name === property),
        }) as const;

      test("edges and neighbours pass as the filter says; what is absent, null or not visible does not compare", async () => {
        const store = await holding(
          upsertNode("person", "p0", baseMs, { age: 3, name: "abc", tags: ["x", "y"], balance: 2n ** 62n }),
          upsertNode("person", "p1", baseMs + 1, { age: null, name: "abd" }),
          upsertEdge("knows", "hub", "p0", baseMs, { weight: 1, note: "n" }),
          upsertEdge("knows", "hub", "p1", baseMs + 1, { weight: 2, times: 5 }),
          upsertEdge("knows", "hub", "p2", baseMs + 2, { weight: null }),
        );
        const cases: [Filter, "edge" | "node", string[]][] = [
          [{ kind: "compare", target: target("edge", "weight"), operator: "gte", value: 1 }, "edge", ["p1", "p0"]],
          [{ kind: "compare", target: target("edge", "weight"), operator: "lt", value: 2 }, "edge", ["p0"]],
          [{ kind: "compare", target: target("edge", "times"), operator: "equals", value: 5 }, "edge", ["p1"]],
          [{ kind: "present", target: target("edge", "weight") }, "edge", ["p2", "p1", "p0"]],
          [{ kind: "not", filter: { kind: "present", target: target("edge", "note") } }, "edge", ["p2", "p1"]],
          [
            { kind: "compare", target: { of: "edge", time: "lastSeen" }, operator: "gt", value: baseMs },
            "edge",
            ["p2", "p1"],
          ],
          [{ kind: "compare", target: target("node", "age"), operator: "lte", value: 3 }, "node", ["p0"]],
          [{ kind: "prefix", target: target("node", "name"), value: "ab" }, "node", ["p1", "p0"]],
          [{ kind: "in", target: target("node", "tags"), values: ["q", "y"] }, "node", ["p0"]],
          [{ kind: "compare", target: target("node", "balance"), operator: "gt", value: 2n ** 61n }, "node", ["p0"]],
          [
            { kind: "compare", target: { of: "node", time: "firstSeen" }, operator: "lte", value: baseMs + 9 },
            "node",
            ["p1", "p0"],
          ],
          [
            {
              kind: "and",
              filters: [
                { kind: "present", target: target("node", "name") },
                { kind: "compare", target: target("edge", "weight"), operator: "equals", value: 2 },
              ],
            },
            "node",
            ["p1"],
          ],
          [
            {
              kind: "or",
              filters: [
                { kind: "compare", target: target("node", "name"), operator: "equals", value: "abc" },
                { kind: "present", target: target("edge", "times") },
              ],
            },
            "node",
            ["p1", "p0"],
          ],
        ];
        const { filters } = store.capabilities;
        for (const [where, needs, expected] of cases) {
          if (!filters.edge || (needs === "node" && !filters.node)) continue;
          const { edges } = await listingOf(store, knows, "out", "hub", { where });
          expect(
            edges.map(({ neighbour }) => neighbour),
            JSON.stringify(where, (_, value) => (typeof value === "bigint" ? String(value) : value)),
          ).toEqual(expected);
        }
      });
    });

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
