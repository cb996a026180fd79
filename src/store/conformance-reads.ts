// What every store promises of reads of edges (port.ts), as tests: the part of conformance.ts about adjacency, degrees and filters.
import { describe, expect, test } from "vitest";
import { RdgError } from "../core/errors.ts";
import type { Filter } from "../model/filter.ts";
import type { ElementKey, Update } from "../model/update/element.ts";
import {
  baseMs,
  differencesOf,
  frameOf,
  conformanceGraph,
  gather,
  listingOf,
  neighbours,
  remove,
  typesOf,
  upsertEdge,
  upsertNode,
} from "./conformance-graph.ts";
import type { AdjacencyBatch, DegreesRequest, Store } from "./port.ts";

const signal = new AbortController().signal;
const { person, knows, owns } = typesOf;
const node = (type: string, id: string): ElementKey => ({ kind: "node", type, id });
const edge = (type: string, from: string, to: string): ElementKey => ({ kind: "edge", type, from, to });

/** @param holding makes an empty store and applies these updates; it is closed behind the test */
export function readConformance(holding: (...updates: Update[]) => Promise<Store>): void {
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
}
