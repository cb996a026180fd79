// The other questions of the typed client on the real server: nodes and edges, counts, paths, common neighbours.
import { describe, expect, test } from "vitest";
import { rdg, pairs, ids, overEach } from "../../test/client/over-both.ts";
import { at, knows, likes, owns, person, thing } from "../../test/client/people.ts";
import { RdgError } from "../core/errors.ts";
import { rowAs } from "./levels.ts";
import { outward } from "./rules.ts";

overEach(() => {
  describe("the other questions", () => {
    test("nodes and edges by id", async () => {
      const { nodes, asOf } = await rdg.nodes(thing, ["car", "none", "bob"], { select: ["size"] });
      expect(nodes.map(({ id, properties }) => [id, properties])).toEqual([
        ["car", { size: 2n ** 60n }],
        ["bob", { size: 1n }],
      ]);
      expect(asOf).toEqual([]);
      const { edges } = await rdg.edges(
        owns,
        [
          ["bob", "car"],
          ["bob", "none"],
        ],
        { select: ["count"] },
      );
      expect(edges).toEqual([
        {
          type: "owns",
          from: "bob",
          to: "car",
          firstSeen: new Date(at(3)),
          lastSeen: new Date(at(3)),
          properties: { count: 7n },
        },
      ]);
    });

    test("counts", async () => {
      const { counts } = await rdg.count(
        person,
        ["ann", "cid"],
        [owns, outward(likes, { where: (e) => e.stars.gt(3) })],
      );
      expect(counts).toEqual([
        { id: "ann", edge: "owns", direction: "out", count: 5 },
        { id: "ann", edge: "likes", direction: "out", count: 1 },
        { id: "cid", edge: "owns", direction: "out", count: 0 },
        { id: "cid", edge: "likes", direction: "out", count: 1 },
      ]);
      expect((await rdg.count(thing, ["car"], "*", { direction: "in" })).counts.map(({ count }) => count)).toEqual([
        1, 2,
      ]);
    });

    test("shortest paths", async () => {
      const way = await rdg.shortestPath([person, "cid"], [thing, "t1"], { edges: [knows, owns] });
      expect(way).toMatchObject({ found: true, length: 2, complete: true });
      expect(ids(way.nodes)).toEqual(["person cid", "person ann", "thing t1"]);
      expect(pairs(way.edges)).toEqual(["cid knows ann", "ann owns t1"]);
      expect(way.edges[0]!.to).toMatchObject({ id: "ann", properties: { and: 3 } });
      const anyWay = await rdg.shortestPath([person, "cid"], [thing, "car"]);
      expect(anyWay.length).toBe(1);
      expect(rowAs(anyWay.edges[0]!, likes)!.properties.stars).toBe(4);
      const none = await rdg.shortestPath([person, "cid"], [person, "l4"], { maxDepth: 2, edges: knows });
      expect(none).toMatchObject({ found: false, nodes: [], edges: [] });
    });

    test("common neighbours", async () => {
      const shared = await rdg.commonNeighbours(person, ["ann", "cid"], [likes, knows], {
        direction: "both",
        latest: 5,
      });
      expect(ids(shared.nodes)).toEqual(["thing car"]);
      expect(pairs(shared.edges)).toEqual(["ann likes car", "cid likes car"]);
      expect(shared.edges[0]!.properties).toEqual({ stars: 5, count: 2n });
    });

    test("errors say what is wrong, and whether to try again", async () => {
      const wrong = rdg.count(person, [""], owns);
      await expect(wrong).rejects.toMatchObject({
        code: "bad_id",
        retryable: false,
        hint: expect.any(String) as unknown,
      });
      await expect(wrong).rejects.toBeInstanceOf(RdgError);
    });
  });
});
