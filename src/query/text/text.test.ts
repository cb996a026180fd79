// Query text: what it means, what it prints as, and how it refuses.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RdgError } from "../../core/errors.ts";
import type { EdgeModel, GraphModel, NodeModel } from "../../model/definition.ts";
import { parseQuery } from "./parse.ts";

const node = (name: string, properties: NodeModel["properties"] = []): NodeModel => ({ name, properties });
const edge = (name: string, from: string, to: string, properties: EdgeModel["properties"] = []): EdgeModel => ({
  name,
  from,
  to,
  properties,
});

const model: GraphModel = {
  format: 1,
  name: "streaming",
  events: [],
  sideInputs: [],
  nodes: [node("account"), node("profile"), node("title"), node("device")],
  edges: [
    edge("has_profile", "account", "profile"),
    edge("watched", "profile", "title"),
    edge("uses", "account", "device"),
    edge("knows", "account", "account"),
  ],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

function refusal(text: string): RdgError {
  try {
    parseQuery(text, model);
  } catch (error) {
    if (error instanceof RdgError) return error;
    throw error;
  }
  throw new Error(`"${text}" was accepted.`);
}

describe("query text", () => {
  test("states a path with options", () => {
    const text = "(account {id: 'a1'})-[:has_profile]->()-[:watched {latest: 50, since: '30d'}]->(title)";
    expect(parseQuery(text, model)).toEqual({
      from: { type: "account", ids: ["a1"] },
      hops: [{ edge: "has_profile" }, { edge: "watched", order: "latest", limit: 50, since: "30d" }],
    });
  });

  test("walks edges backwards and both ways", () => {
    const text = "(device {ids: ['d1', \"d2\"]})<-[:uses {any: 3}]-(account)-[:knows {limit: 2}]-()";
    expect(parseQuery(text, model)).toEqual({
      from: { type: "device", ids: ["d1", "d2"] },
      hops: [
        { edge: "uses", direction: "in", order: "any", limit: 3 },
        { edge: "knows", direction: "both", limit: 2 },
      ],
    });
  });

  test("walks several edge types, any of them, and again", () => {
    const hopsOf = (path: string) => parseQuery(`(account {id: 'a'})${path}`, model).hops;
    expect(hopsOf("-[:uses|has_profile]->()")).toEqual([{ edge: ["uses", "has_profile"] }]);
    expect(hopsOf("-[:uses|:has_profile {limit: 3}]-()")).toEqual([
      { edge: ["uses", "has_profile"], direction: "both", limit: 3 },
    ]);
    expect(hopsOf("-[]-()<-[]-()")).toEqual([{ edge: "*" }, { edge: "*", direction: "in" }]);
    expect(hopsOf("-[w]->(x:*) WHERE w.lastSeen > '1d' AND x.firstSeen < '2d'")).toEqual([
      {
        edge: "*",
        direction: "out",
        where: { edge: { lastSeen: { gt: "1d" } }, node: { firstSeen: { lt: "2d" } } },
      },
    ]);
    expect(hopsOf("-[:knows*1..3]-(account)")).toEqual([{ edge: "knows", direction: "both", repeat: { times: 3 } }]);
    expect(hopsOf("-[w*..2 {since: 'ever'}]-()")).toEqual([{ edge: "*", since: "ever", repeat: { times: 2 } }]);
  });

  test("chooses among edge types by the type of the node they lead to", () => {
    const hopsOf = (path: string) => parseQuery(`(account {id: 'a'})${path}`, model).hops;
    expect(hopsOf("-[]-(device)")).toEqual([{ edge: ["uses"], direction: "both" }]);
    expect(hopsOf("-[:uses|knows]->(d:device)")).toEqual([{ edge: ["uses"] }]);
    expect(hopsOf("-[]->()-[:has_profile|watched]-(account)")).toEqual([
      { edge: "*", direction: "out" },
      { edge: [{ type: "has_profile", direction: "in" }], direction: "both" },
    ]);
  });

  test("filters and selects in braces", () => {
    const text =
      "(account {id: 'a'})-[:uses {`latest`: true, n: {gte: 2}, select: ['n']}]->(device {kind: 'tv', tags: ['a'], select: []})";
    expect(parseQuery(text, model).hops).toEqual([
      {
        edge: "uses",
        where: {
          edge: { and: [{ latest: true }, { n: { gte: 2 } }] },
          node: { and: [{ kind: "tv" }, { tags: { in: ["a"] } }] },
        },
        select: { edge: ["n"], node: [] },
      },
    ]);
  });

  test("filters by WHERE, AND before OR, each part at its own node or edge", () => {
    const text =
      "(a:account {id: 'a'})-[w:uses]->(d:device) WHERE w.plays >= 2 AND (d.kind = 'tv' OR NOT d.os IN ['x'] AND d.and <> 1)";
    expect(parseQuery(text, model).hops![0]!.where).toEqual({
      edge: { plays: { gte: 2 } },
      node: {
        or: [{ kind: { equals: "tv" } }, { and: [{ not: { os: { in: ["x"] } } }, { not: { ".and": { equals: 1 } } }] }],
      },
    });
    const where = "(account {id: 'a'})-[w:uses]->() WHERE w.a = 1 AND w.b = 2 OR exists(w.c) AND w.s STARTS WITH 'x'";
    expect(parseQuery(where, model).hops![0]!.where).toEqual({
      edge: {
        or: [
          { and: [{ a: { equals: 1 } }, { b: { equals: 2 } }] },
          { and: [{ c: { present: true } }, { s: { prefix: "x" } }] },
        ],
      },
    });
  });

  test("keeps integers exact and unescapes strings", () => {
    const text = "(account {id: 'it\\'s \\u00e9\\n'})-[:uses {n: 9223372036854775807, m: -0.5}]->()";
    const { from, hops } = parseQuery(text, model);
    expect(from.ids).toEqual(["it's é\n"]);
    expect(hops![0]!.where!.edge).toEqual({ and: [{ n: "9223372036854775807" }, { m: -0.5 }] });
  });

  test.each([
    ["", "1:1", undefined],
    ["(account)", "1:1", "{id: 'a1'}"],
    ["(acount {id: 'a'})", "1:2", "Did you mean"],
    ["(account {id: 'a'})-[:watched]->()", "1:23", "(profile)-[:watched]->(title)"],
    ["(account {id: 'a'})-[:uses]->(title)", "1:31", "(device)"],
    ["(account {id: 'a'})\n-[uses]->()", "2:7", undefined],
    ["(account {id: 'a)", "1:15", "Close it"],
    ["(account {id: 'a'})-[:uses {latest: 1, limit: 2}]->()", "1:40", "Give one of"],
    ["(account {id: 'a'})-[:uses]->() WHERE d.a = 1", "1:39", "Name nodes"],
    ["(account {id: 'a'})-[w:uses]->(d:device) WHERE w.a = 1 OR d.a = 1", "1:59", "AND at the top"],
    ["(account {id: 'a'})-[w:uses]->() WHERE w.a ~ 1", "1:44", undefined],
    ["(account {id: 'a'}) RETURN x", "1:21", undefined],
    ["(account {id: 'a'})-[uses]->()", "1:26", "[:uses]"],
    ["(account {id: 'a'})-[:uses|]->()", "1:28", undefined],
    ["(account {id: 'a'})-[:uses|watched]->()", "1:28", "(profile)-[:watched]->(title)"],
    ["(account {id: 'a'})-[:knows*]->()", "1:28", "*1..3"],
    ["(account {id: 'a'})-[:knows*3]->()", "1:28", "*1..3"],
    ["(account {id: 'a'})-[:knows*2..3]->()", "1:28", "*1..3"],
    ["(account {id: 'a'})-[]->(title)", "1:26", "(profile) or (device) or (account), or ()"],
    ["(account {id: 'a'})-[*1..2]->(title)", "1:31", "Leave the type out"],
    ["(title {id: 'a'})-[]->()", "1:19", "Turn the arrow"],
  ])("refuses %s at %s", (text, place, hint) => {
    const error = refusal(text);
    expect(error.kind).toBe("invalid");
    expect(error.place).toBe(place);
    if (hint !== undefined) expect(error.hint).toContain(hint);
  });

  test("never fails but with an RdgError, whatever the text", () => {
    const words = [
      "(",
      ")",
      "[",
      "]",
      "{",
      "}",
      "-",
      "<",
      ">",
      ":",
      ",",
      ".",
      "'",
      '"',
      "`",
      "\\",
      " ",
      "\n",
      "account",
      "uses",
      "id",
    ];
    const more = [
      "ids",
      "WHERE",
      "NOT",
      "and",
      "or",
      "in",
      "true",
      "exists",
      "=",
      "<>",
      "1",
      "-2.5e3",
      "'a'",
      "w",
      "*",
      "|",
      "..",
      "\ud800",
      "\0",
      "é",
    ];
    const texts = fc.oneof(
      fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
      fc.array(fc.constantFrom(...words, ...more), { maxLength: 60 }).map((list) => list.join("")),
      fc.array(fc.constantFrom(...words, ...more), { maxLength: 60 }).map((list) => list.join(" ")),
    );
    const valid =
      "(a:account {id: 'a'})-[:knows|knows*1..2]-(x:*)-[w:uses {since: '3d', n: [1]}]->(d:device) WHERE NOT (w.a = 1 OR w.b IN ['x']) AND d.k < 2";
    const damaged = fc
      .tuple(fc.nat(valid.length), fc.nat(8), fc.constantFrom(...words, ...more))
      .map(([at, length, word]) => valid.slice(0, at) + word + valid.slice(at + length));
    fc.assert(
      fc.property(fc.oneof(texts, damaged), (text) => {
        try {
          parseQuery(text, model);
        } catch (error) {
          if (!(error instanceof RdgError) || error.kind !== "invalid" || !/^\d+:\d+$/.test(error.place ?? ""))
            throw error;
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("bounds its own depth and length", () => {
    const path = "(account {id: 'a'})-[w:uses]->() WHERE ";
    expect(refusal(path + "(".repeat(50_000)).code).toBe("query_syntax");
    expect(refusal(path + "NOT ".repeat(10_000)).code).toBe("query_syntax");
    expect(refusal(`(account {id: ${"[".repeat(60_000)}`).code).toBe("query_syntax");
    expect(refusal(" ".repeat(70_000)).code).toBe("query_too_long");
  });
});
