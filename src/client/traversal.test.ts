// Traversals of the typed client on the real server: several edge types at once, any, rules, repetition, pages, explanations; and the other questions.
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type PeopleServer,
  at,
  knows,
  likes,
  owns,
  peopleServer,
  person,
  rating,
  thing,
} from "../../test/client/people.ts";
import { RdgError } from "../core/errors.ts";
import type { EdgeAnswer, NodeAnswer, TraverseAnswer } from "../model/traversal.ts";
import type { Client } from "./client.ts";
import { connect } from "./grpc/index.ts";
import { rowAs } from "./levels.ts";
import { eitherWay, outward } from "./rules.ts";

let server: PeopleServer;
let rdg: Client;
/** Over HTTP. */
const requests: { body: unknown; accept: string | undefined }[] = [];

beforeAll(async () => {
  server = await peopleServer({ produce: nothing, produceMixed: nothing, close: async () => {} });
});
afterAll(() => server.close());

async function nothing(): Promise<never> {
  throw new Error("Nothing is produced here");
}

const pairs = (edges: readonly { type: string; from: { id: string }; to: { id: string } }[]): readonly string[] =>
  edges.map(({ type, from, to }) => `${from.id} ${type} ${to.id}`);
const ids = (nodes: readonly { type: string; id: string }[]): readonly string[] =>
  nodes.map(({ type, id }) => `${type} ${id}`);

describe.each(["http", "grpc"] as const)("over %s", (transport) => {
  beforeAll(() => {
    rdg = connect(server[transport], {
      fetch(address, init) {
        const { accept } = init.headers as Record<string, string>;
        requests.push({ body: JSON.parse(init.body as string), accept });
        return fetch(address, init);
      },
    });
  });
  afterAll(() => rdg.close());

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

  test("whatever is asked, the client's answer is the server's, decoded", async () => {
    const hop = fc.record({
      direction: fc.constantFrom("out", "in", "both"),
      edges: fc.uniqueArray(fc.constantFrom(knows, owns, likes), { minLength: 1, maxLength: 3 }),
      latest: fc.integer({ min: 1, max: 6 }),
      times: fc.constantFrom(1, 1, 1, 2, 3),
    });
    const starts = fc.uniqueArray(fc.constantFrom("ann", "bob", "cid", "l0", "h1", "m3", "none"), { minLength: 1 });
    const asked = fc.record({ starts, hops: fc.array(hop, { maxLength: 3 }) });
    await fc.assert(
      fc.asyncProperty(asked, async ({ starts, hops }) => {
        let steps = rdg.from(person, ...(starts as [string])) as unknown as ReturnType<Loose["out"]>;
        for (const { direction, edges, latest, times } of hops) {
          steps = steps[direction as "out"](edges, { latest, ...(times > 1 && { repeat: { times } }) });
        }
        const response = await fetch(`${server.http}/v1/traverse`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(steps.request()),
        });
        const json = (await response.json()) as TraverseAnswer & { code?: string };
        if (!response.ok) {
          await expect(steps.run()).rejects.toMatchObject({ code: json.code });
          return;
        }
        const answer = await steps.run();
        expect(answer.complete).toBe(json.complete);
        for (const number of hops.keys()) {
          const ofHop = json.levels.filter((_, i) => i > 0 && (json.hops[i - 1]!.hop ?? i - 1) === number);
          const edges = ofHop.flatMap((level) => level.edges ?? []);
          expect(answer.edges(number).map(plainEdge)).toEqual(edges);
          for (const { from, to } of answer.edges(number)) {
            for (const end of [from, to]) expect(known(json, end.type, end.id)).toContainEqual(plainNode(end));
          }
        }
        const first = json.levels[0]!.nodes;
        expect(answer.level(0).map(plainNode)).toEqual(first);
      }),
      { numRuns: 80 },
    );
  });
});

/** Everything that an answer says of an element, from the row or from the JSON, in one form. */
const plain = (value: unknown): unknown => {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(plain);
  return value;
};
const plainProperties = (properties: object): object =>
  Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, plain(value)]));

interface Row {
  readonly type: string;
  readonly id: string;
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly properties: object;
}
interface Loose {
  out(
    edges: unknown,
    options: object,
  ): Loose & {
    request(): object;
    run(): Promise<{
      complete: boolean;
      edges(hop: number): { type: string; from: Row; to: Row; firstSeen: Date; lastSeen: Date; properties: object }[];
      level(level: number): Row[];
    }>;
  };
}

function plainEdge({
  type,
  from,
  to,
  firstSeen,
  lastSeen,
  properties,
}: {
  type: string;
  from: Row;
  to: Row;
  firstSeen: Date;
  lastSeen: Date;
  properties: object;
}): EdgeAnswer {
  const times = { firstSeen: firstSeen.toISOString(), lastSeen: lastSeen.toISOString() };
  return {
    type,
    from: from.id,
    to: to.id,
    ...times,
    properties: plainProperties(properties) as EdgeAnswer["properties"],
  };
}

function plainNode({ type, id, firstSeen, lastSeen, properties }: Row): NodeAnswer {
  if (firstSeen === undefined || lastSeen === undefined) return { type, id };
  const times = { firstSeen: firstSeen.toISOString(), lastSeen: lastSeen.toISOString() };
  return { type, id, ...times, properties: plainProperties(properties) as NonNullable<NodeAnswer["properties"]> };
}

/** What an answer says of a node, on whatever level. */
function known(answer: TraverseAnswer, type: string, id: string): readonly NodeAnswer[] {
  return answer.levels.flatMap(({ nodes }) => nodes.filter((node) => node.type === type && node.id === id));
}
