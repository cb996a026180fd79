// The typed client against the real server, queries and a naive store: what it sends, and what rows it makes of answers.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type PeopleServer,
  at,
  bought,
  knows,
  owns,
  peopleServer,
  person,
  prices,
  rating,
  thing,
} from "../../test/client/people.ts";
import { RdgError } from "../core/errors.ts";
import { BadRecords, type Gateway, type ProduceRequest } from "../gateway/port.ts";
import type { Client } from "./client.ts";
import { eventJson } from "./event-json.ts";
import { connect } from "./grpc/index.ts";
import { rowAs } from "./levels.ts";

let server: PeopleServer;
let rdg: Client;
const produced: ProduceRequest[] = [];
/** Of the next requests. */
const failures: RdgError[] = [];
const gateway: Gateway = {
  async produce(request) {
    produced.push(request);
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return { accepted: 1, positions: ["events.bought/0@0"], duplicate: false, rejected: [], rejectedCount: 0 };
  },
  produceMixed: async () => {
    throw new Error("The client does not ask for it");
  },
  close: async () => {},
};

beforeAll(async () => {
  server = await peopleServer(gateway);
});
afterAll(() => server.close());

describe.each(["http", "grpc"] as const)("the client over %s", (transport) => {
  beforeAll(() => {
    produced.length = 0;
    rdg = connect(server[transport]);
  });
  afterAll(() => rdg.close());

  test("answers rows of the declared types, with the nodes at both ends", async () => {
    const answer = await rdg.from(person, "ann").out(knows).out(owns).run();
    expect(answer.complete).toBe(true);
    expect(answer.edges(0)).toEqual([
      {
        type: "knows",
        from: {
          type: "person",
          id: "ann",
          firstSeen: new Date(at(0)),
          lastSeen: new Date(at(0)),
          properties: { name: "Ann", born: new Date(at(0)), tags: ["x", "y"], and: 3 },
        },
        to: expect.objectContaining({ id: "bob" }) as unknown,
        firstSeen: new Date(at(1)),
        lastSeen: new Date(at(1)),
        properties: { since: 2001, firstSeen: true },
      },
    ]);
    expect(answer.edges(1)[0]!.properties).toEqual({ count: 7n, since: 5n });
    expect(answer.nodes.map(({ id, properties }) => [id, properties])).toEqual([
      ["car", { size: 2n ** 60n, raw: new Uint8Array([1, 2]), name: "Car" }],
    ]);
  });

  test("walks against edges and both ways; ends follow the declared direction", async () => {
    const inward = await rdg.from(thing, "car").in(owns).run();
    expect(inward.edges(0).map(({ from, to }) => [from.id, to.id])).toEqual([["bob", "car"]]);
    const both = await rdg.from(person, "ann").both(knows).run();
    expect(both.edges(0).map(({ from, to }) => [from.id, to.id])).toEqual([
      ["cid", "ann"],
      ["ann", "bob"],
    ]);
    expect(both.nodes[0]).toEqual({ type: "person", id: "cid", properties: {} });
  });

  test("goes on where limits cut an answer off", async () => {
    let answer = await rdg.from(person, "ann").out(owns, { latest: 2 }).run();
    const ids: string[] = [];
    for (let asked = 0; asked < 10; asked++) {
      ids.push(...answer.edges(0).map(({ to }) => to.id));
      if (answer.complete) break;
      answer = await answer.more();
    }
    expect(ids).toEqual(["t5", "t4", "t3", "t2", "t1"]);
    const any = await rdg.from(person, "ann").out(owns, { any: 2 }).run();
    await expect(any.more()).rejects.toMatchObject({ kind: "invalid", code: "not_continuable" });
  });

  test("states filters, times and selections as JSON", () => {
    const steps = rdg
      .from(person, "ann")
      .both(knows, {
        latest: 5,
        since: new Date(at(0)),
        until: "1h",
        where: (e) => e.since.gte(2000).and(e.firstSeen.equals(true).not(), e.lastSeen.lt(new Date(at(9)))),
        whereNode: (n) => n.tags.in("x", "z").or(n.and.in(1, 2)).or(n.name.startsWith("A")).and(n.born.isAbsent()),
        select: ["since"],
        selectNode: [],
      })
      .out(owns, { where: (e) => e.count.gt(2n ** 60n) });
    expect(steps.request()).toEqual({
      from: { type: "person", ids: ["ann"] },
      hops: [
        {
          edge: "knows",
          direction: "both",
          order: "latest",
          limit: 5,
          since: new Date(at(0)).toISOString(),
          until: "1h",
          where: {
            edge: {
              and: [
                { since: { gte: 2000 } },
                { not: { ".firstSeen": { equals: true } } },
                { lastSeen: { lt: new Date(at(9)).toISOString() } },
              ],
            },
            node: {
              and: [
                { or: [{ tags: { in: ["x", "z"] } }, { ".and": { in: [1, 2] } }, { name: { prefix: "A" } }] },
                { not: { born: { present: true } } },
              ],
            },
          },
          select: { edge: ["since"], node: [] },
        },
        { edge: "owns", where: { edge: { count: { gt: String(2n ** 60n) } } } },
      ],
    });
    expect(() => rdg.from(person, "ann").both(knows, { where: (e) => e.since.add(1).gt(2000) })).toThrow(RdgError);
  });

  test("asks in text; what declarations would say is not known, and is made of rows by hand", async () => {
    let answer = await rdg.query("(person {id: 'ann'})-[:knows]-()-[w:owns {latest: 2}]->(thing)", {
      defaults: { since: "ever" },
      budget: { scanned: 1_000 },
    });
    expect(answer.level(0).map(({ type, id }) => [type, id])).toEqual([["person", "ann"]]);
    expect(answer.edges(0).map(({ type, from, to }) => [type, from.id, to.id])).toContainEqual(["knows", "ann", "bob"]);
    expect(answer.edges(1).map((row) => rowAs(row, owns)?.properties.count)).toEqual([7n]);
    expect(answer.nodes.map((node) => rowAs(node, thing)?.properties.name)).toEqual(["Car"]);
    answer = await rdg.query("(person {id: 'ann'})-[:owns {latest: 2}]->()");
    const pages: string[][] = [];
    for (;;) {
      pages.push(answer.edges(0).map(({ to }) => to.id));
      if (answer.complete) break;
      answer = await answer.more();
    }
    expect(pages).toEqual([["t5", "t4"], ["t3", "t2"], ["t1"]]);
    const enriched = await rdg.query("(person {id: 'bob'})-[:owns]->(thing)", { enrich: [rating] });
    expect(enriched.nodes).toMatchObject([{ id: "car", enriched: { rating: { stars: 5n } } }]);
    for (const wrong of ["(person {id: 'ann'})-[:onws]->()", "(person"]) {
      const place: unknown = expect.stringMatching(/^1:\d+$/);
      await expect(rdg.query(wrong)).rejects.toMatchObject({ kind: "invalid", code: "query_syntax", place });
    }
  });

  test("finds what its filters ask for", async () => {
    const some = await rdg
      .from(person, "ann")
      .out(owns, { where: (e) => e.count.gte(3) })
      .run();
    expect(some.edges(0).map(({ to }) => to.id)).toEqual(["t5", "t4"]);
    const none = await rdg
      .from(person, "ann")
      .both(knows, { whereNode: (n) => n.tags.equals("x") })
      .run();
    expect(none.nodes).toEqual([]);
  });

  test("produces events in their JSON form", async () => {
    const one = { who: "ann", at: new Date(at(0)), price: 2n ** 60n, raw: new Uint8Array([255]) };
    expect(await rdg.produce(bought, one, { ...one, who: "bob" })).toEqual({
      accepted: 1,
      positions: ["events.bought/0@0"],
    });
    const { target, format, body } = produced[0]!;
    expect([target, format]).toEqual([{ kind: "event", name: "bought" }, "ndjson"]);
    const lines = Buffer.from(body)
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    const sent = { who: "ann", at: new Date(at(0)).toISOString(), price: "1152921504606846976", raw: "/w==" };
    expect(lines).toEqual([sent, { ...sent, who: "bob" }]);
  });

  test("produces rows of side inputs, and deletes them", async () => {
    await rdg.produce(prices, { what: "car", cents: 2n ** 60n });
    await rdg.deleteRows(prices, ["car", "bike"], { idempotencyKey: "own" });
    await using producer = rdg.producer(prices, { lingerMs: 1 });
    await producer.send({ what: "bike", cents: 1 });
    const sent = produced.slice(-3).map(({ target, body, idempotencyKey: key }) => {
      expect(target).toEqual({ kind: "input", name: "prices" });
      return [Buffer.from(body).toString(), key === "own"];
    });
    expect(sent).toEqual([
      ['{"what":"car","cents":"1152921504606846976"}\n', false],
      ['{"$delete":"car"}\n{"$delete":"bike"}\n', true],
      ['{"what":"bike","cents":1}\n', false],
    ]);
  });

  test("selects properties of the starts", async () => {
    const answer = await rdg.from(person, ["bob", "ann"], { select: ["and"] }).run();
    expect(answer.nodes.map(({ id, properties }) => [id, properties])).toEqual([
      ["bob", { and: 4 }],
      ["ann", { and: 3 }],
    ]);
  });

  test("refuses single events of a batch, and tells when to try again", async () => {
    const one = { who: "ann", at: new Date(at(0)), price: 1, raw: new Uint8Array() };
    const problem = { index: 1, field: "at", code: "time_in_future", reason: "it is to come" };
    failures.push(
      new BadRecords([problem], 1, 3),
      new RdgError("overloaded", "jobs_behind", "Later.", { retryAfterMs: 1 }),
    );
    await using producer = rdg.producer(bought, { lingerMs: 1 });
    const sent = await Promise.allSettled([1, 2, 3].map((price) => producer.send({ ...one, price })));
    expect(sent.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(sent[1]).toMatchObject({ reason: { code: "bad_records", place: "record, at" } });
    const last = produced.slice(-2).map(({ body, idempotencyKey }) => [Buffer.from(body).toString(), idempotencyKey]);
    expect(last[0]![0]).toBe(`${eventJson({ ...one, price: 1 })}\n${eventJson({ ...one, price: 3 })}\n`);
    expect(last[1]).toEqual(last[0]);
    failures.push(new RdgError("overloaded", "jobs_behind", "Later.", { hint: "Wait.", retryAfterMs: 2_000 }));
    const busy = connect(server[transport], { retries: 0 });
    const refused = busy.produce(bought, one);
    await expect(refused).rejects.toMatchObject({ kind: "overloaded", code: "jobs_behind", message: "Later." });
    await expect(refused).rejects.toMatchObject({ hint: "Wait.", retryAfterMs: 2_000, retryable: true });
    await busy.close();
  });

  test("raises the server's errors, and says when nobody answers", async () => {
    const wrong = rdg.from(person, "").run();
    await expect(wrong).rejects.toMatchObject({
      kind: "invalid",
      code: "bad_id",
      place: "/from/ids/0",
    });
    const nobody = connect(`${transport}://127.0.0.1:1`, { retries: 0 }).from(person, "ann").run();
    await expect(nobody).rejects.toMatchObject({ kind: "unavailable", code: "no_answer" });
  });
});
