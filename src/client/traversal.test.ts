// Traversals of the typed client on the real server: several edge types at once, any, rules, repetition, pages, explanations.
import { describe, expect, test } from "vitest";
import { rdg, requests, pairs, ids, overEach } from "../../test/client/over-both.ts";
import { at, knows, likes, owns, person, rating, thing } from "../../test/client/people.ts";
import { rowAs } from "./levels.ts";
import { eitherWay, outward } from "./rules.ts";

overEach((transport) => {
  describe("hops over several edge types", () => {
    test("answer rows of all of them, each with its own properties and ends", async () => {
      const answer = await rdg.from(person, "ann").out([owns, likes], { latest: 2 }).run();
      expect(pairs(answer.edges(0))).toEqual(["ann owns t5", "ann owns t4", "ann likes bob", "ann likes car"]);
      const [, , , car] = answer.edges(0);
      expect(car).toEqual({
        type: "likes",
        from: expect.objectContaining({ type: "person", id: "ann" }) as unknown,
        to: expect.objectContaining({
          type: "thing",
          properties: expect.objectContaining({ size: 2n ** 60n }) as unknown,
        }) as unknown,
        firstSeen: new Date(at(4)),
        lastSeen: new Date(at(4)),
        properties: { stars: 5, count: 2n },
      });
      // A thing of that name, not the person.
      expect(answer.edges(0)[2]!.to).toMatchObject({ type: "thing", id: "bob", properties: { size: 1n } });
    });

    test("state rules of single types", async () => {
      const steps = rdg
        .from(person, "ann")
        .both(
          [
            outward(owns, { latest: 1, where: (e) => e.count.lt(3), select: ["count"] }),
            eitherWay(knows, { any: 5, until: new Date(at(9)) }),
            outward(likes, { since: "ever", whereNode: (n) => n.name.equals("Car"), selectNode: [] }),
          ],
          { latest: 7, select: ["since"] },
        );
      expect(steps.request().hops).toEqual([
        {
          edge: [
            {
              type: "owns",
              direction: "out",
              order: "latest",
              limit: 1,
              where: { edge: { count: { lt: "3" } } },
              select: { edge: ["count"] },
            },
            { type: "knows", direction: "both", order: "any", limit: 5, until: new Date(at(9)).toISOString() },
            {
              type: "likes",
              direction: "out",
              since: "ever",
              where: { node: { name: { equals: "Car" } } },
              select: { node: [] },
            },
          ],
          direction: "both",
          order: "latest",
          limit: 7,
          select: { edge: ["since"] },
        },
      ]);
      const answer = await steps.run();
      expect(pairs(answer.edges(0)).toSorted()).toEqual([
        "ann knows bob",
        "ann likes car",
        "ann owns t3",
        "cid knows ann",
      ]);
      expect(ids(answer.nodes).toSorted()).toEqual(["person bob", "person cid", "thing car", "thing t3"]);
    });

    test("go on from all that they reached", async () => {
      const answer = await rdg.from(thing, "car").in([owns, likes]).both([knows, owns]).run();
      expect(ids(answer.level(1)).toSorted()).toEqual(["person ann", "person bob", "person cid"]);
      expect(answer.edges(1).map(({ to }) => to.type)).toContain("person");
      expect(answer.edges(1).map(({ to }) => to.type)).toContain("thing");
      expect(ids(answer.level(0))).toEqual(["thing car"]);
    });

    test("ask for what all types have, or say that it differs", () => {
      const both = rdg.from(person, "ann").out([owns, likes], { where: (e) => e.count.gt(1) });
      expect(both.request().hops![0]!.where).toEqual({ edge: { count: { gt: "1" } } });
      const differing = (): unknown =>
        rdg.from(person, "ann").both([knows, owns], { where: (e) => e.since.isPresent() });
      expect(differing).toThrow(expect.objectContaining({ code: "ambiguous_property" }) as Error);
    });
  });

  describe("hops over any edge", () => {
    test("answer rows as JSON, and as a declaration's where it fits", async () => {
      const answer = await rdg.from(person, "bob").any({ direction: "out" }).run();
      expect(pairs(answer.edges(0))).toEqual(["bob owns car"]);
      const [row] = answer.edges(0);
      expect(row!.properties).toMatchObject({ since: expect.anything() as unknown });
      expect(rowAs(row!, likes)).toBeUndefined();
      expect(rowAs(row!, owns)).toMatchObject({
        properties: { count: 7n, since: 5n },
        from: { type: "person", properties: { name: "Bob" } },
        to: { type: "thing", properties: { size: 2n ** 60n } },
      });
      const [car] = answer.nodes;
      expect(rowAs(car!, person)).toBeUndefined();
      expect(rowAs(car!, thing)!.properties.raw).toEqual(new Uint8Array([1, 2]));
    });

    test("go on with declared edges, whose ends are of their types", async () => {
      const answer = await rdg.from(thing, "car").any({ latest: 5 }).out(knows).run();
      expect(pairs(answer.edges(1)).toSorted()).toEqual(["ann knows bob", "cid knows ann"]);
      expect(answer.edges(1).find(({ to }) => to.id === "bob")!.to.properties.name).toBe("Bob");
      const filtered = await rdg
        .from(person, "ann")
        .any({ where: { edge: { stars: { gt: 3 } } } })
        .run();
      expect(pairs(filtered.edges(0))).toEqual(["ann likes car"]);
    });
  });

  describe("repeated hops", () => {
    test("answer a level per repetition, and go on from all", async () => {
      const answer = await rdg
        .from(person, "l0")
        .out(knows, { repeat: { times: 3 } })
        .run();
      expect(pairs(answer.edges(0))).toEqual(["l0 knows l1", "l1 knows l2", "l2 knows l3"]);
      expect(pairs(answer.edges(0, 2))).toEqual(["l1 knows l2"]);
      expect(ids(answer.level(1, 3))).toEqual(["person l3"]);
      expect(ids(answer.nodes)).toEqual(["person l1", "person l2", "person l3"]);
      expect(answer.edges(0)[2]!.to.properties.name).toBe("Lee");
      const behind = await rdg
        .from(person, "l0")
        .out(knows, { repeat: { times: 2 } })
        .out(knows)
        .run();
      expect(pairs(behind.edges(1)).toSorted()).toEqual(["l1 knows l2", "l2 knows l3"]);
    });

    test("stop where `until` holds, and go on from there only", async () => {
      const steps = rdg
        .from(person, "l0")
        .out(knows, { repeat: { times: 4, until: (n) => n.name.equals("Lee") } })
        .out(knows);
      expect(pairs((await steps.run()).edges(1))).toEqual(["l3 knows l4"]);
    });
  });

  describe("enriched answers", () => {
    test("tell what the enrichment knows of each node, typed", async () => {
      const answer = await rdg.from(person, "ann").out([knows, likes]).enrich(rating).run();
      expect(answer.enrichments).toEqual([{ name: "rating", nodes: 2, failed: 0 }]);
      const [friend, bike, car] = answer.nodes;
      expect([friend, bike, car].map((node) => [node?.id, node?.enriched])).toEqual([
        ["bob", {}],
        ["bob", { rating: null }],
        ["car", { rating: { stars: 5n, at: new Date(0) } }],
      ]);
      expect(answer.edges(0).find(({ to }) => to.id === "car")!.to).toEqual(car);
      expect((await rdg.from(person, "ann").out(likes).run()).nodes[0]).not.toHaveProperty("enriched");
    });
  });

  describe("answers", () => {
    test("tell what was cut, and go on with it elsewhere", async () => {
      const steps = rdg.from(person, "ann").out(owns, { latest: 2 });
      const answer = await steps.run();
      const [cut] = answer.truncated;
      expect(cut).toMatchObject({ hop: 0, cause: "limit", nodes: 1 });
      const more = await rdg.from(person, "ann").out(owns, { latest: 2 }).resume(cut!.next!);
      expect(pairs(more.edges(0))).toEqual(["ann owns t3", "ann owns t2"]);
      const last = await more.more();
      expect([last.complete, pairs(last.edges(0))]).toEqual([true, ["ann owns t1"]]);
      expect((await last.more()).edges(0)).toEqual([]);
    });

    test("explain the rules in effect, and with a profile what they cost", async () => {
      const steps = rdg.from(person, "ann").out([owns, likes], { latest: 2 });
      const { hops, levels } = await steps.explain({ defaults: { since: "ever" } });
      expect(
        hops[0]!.branches.map(({ edge, rule, origins }) => [edge, rule.limit, origins.limit, origins.since]),
      ).toEqual([
        ["owns", 2, "hop", "request"],
        ["likes", 2, "hop", "request"],
      ]);
      expect(levels).toBeUndefined();
      const answer = await steps.run({ profile: true, cache: false, budget: { scanned: 1_000 } });
      expect(answer.explanation!.levels![0]).toMatchObject({ frontier: 1, returned: 4 });
      expect(answer.explanation!.budget.scanned).toBe(1_000);
      expect((await steps.run()).explanation).toBeUndefined();
    });
  });

  describe("rows", () => {
    async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
      const all: T[] = [];
      for await (const row of rows) all.push(row);
      return all;
    }

    test.each([false, true])("go through all pages, each edge once (streamed: %s)", async (stream) => {
      const steps = rdg.from(person, "h1", "h2").out(knows, { latest: 3 }).out(owns, { latest: 2 });
      const last = pairs(await collect(steps.rows(1, { stream })));
      const wanted = Array.from({ length: 7 }, (_, i) =>
        Array.from({ length: 5 }, (_, j) => `m${i} owns w${j}`),
      ).flat();
      expect(last.toSorted()).toEqual(wanted.toSorted());
      const first = pairs(await collect(steps.rows(0, { stream })));
      expect(first).toHaveLength(14);
      expect(new Set(first).size).toBe(14);
    });

    test.each([false, true])("of a repeated hop, too (streamed: %s)", async (stream) => {
      const rows = await collect(
        rdg
          .from(person, "l0")
          .out(knows, { latest: 1, repeat: { times: 4 } })
          .rows(0, { stream }),
      );
      expect(pairs(rows).toSorted()).toEqual(["l0 knows l1", "l1 knows l2", "l2 knows l3", "l3 knows l4"]);
    });

    test("read no further than is asked for, and leave out hops behind", async () => {
      requests.length = 0;
      const seen: string[] = [];
      for await (const row of rdg.from(person, "h1").out(knows, { latest: 2 }).out(owns).rows(0, { stream: true })) {
        seen.push(row.to.id);
        if (seen.length === 3) break;
      }
      expect(seen).toEqual(["m6", "m5", "m4"]);
      if (transport === "grpc") return;
      expect(requests).toHaveLength(2);
      expect(requests[0]).toMatchObject({
        body: { hops: [{ edge: "knows" }] },
        accept: expect.stringContaining("ndjson") as unknown,
      });
    });

    test("say where there is no way on, behind what there is", async () => {
      const seen: string[] = [];
      const cut = async (): Promise<void> => {
        for await (const { to } of rdg.from(person, "ann").out(owns, { any: 2 }).rows()) seen.push(to.id);
      };
      await expect(cut()).rejects.toMatchObject({ code: "not_continuable" });
      expect(seen).toHaveLength(2);
    });

    test("end with the signal", async () => {
      const stop = new AbortController();
      const rows = rdg.from(person, "h1").out(knows, { latest: 1 }).rows(0, { signal: stop.signal });
      const reason = new Error("enough");
      const read = async (): Promise<void> => {
        for await (const _ of rows) stop.abort(reason);
      };
      await expect(read()).rejects.toBe(reason);
    });
  });
});
