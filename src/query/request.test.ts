// What a traverse request may say, and how each mistake is told.
import { describe, expect, test } from "vitest";
import { RdgError } from "../core/errors.ts";
import type { GraphModel, PropertyModel } from "../model/definition.ts";
import { parseMoment } from "./moments.ts";
import { planTraversal } from "./request.ts";
import { defaultTraversalLimits } from "./traversal-plan.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const properties: readonly PropertyModel[] = [
  { name: "name", type: { kind: "string" }, merge: "last" },
  { name: "plays", type: { kind: "int64" }, merge: "sum" },
  { name: "kind", type: { kind: "enum", symbols: ["film", "game"] }, merge: "last" },
  { name: "tags", type: { kind: "string" }, merge: "union", unionMax: 5 },
  { name: "raw", type: { kind: "bytes" }, merge: "last" },
  { name: "seen", type: { kind: "timestamp" }, merge: "last" },
  { name: "parts", type: { kind: "array", item: { kind: "string" } }, merge: "last" },
];
const model: GraphModel = {
  format: 1,
  name: "test",
  events: [
    {
      name: "playback",
      fields: [],
      key: "accountId",
      time: "at",
      dedupHorizonMs: 0,
      partitions: 2,
      retention: {},
    },
  ],
  sideInputs: [],
  nodes: [
    { name: "account", properties },
    { name: "title", properties },
  ],
  edges: [
    { name: "watched", from: "account", to: "title", properties },
    { name: "knows", from: "account", to: "account", properties: [] },
  ],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const plan = (request: unknown) => planTraversal(request, model, defaultTraversalLimits, nowMs);
const from = { type: "account", ids: ["a"] };
const branchesOf = (hops: readonly object[]) => plan({ from, hops }).steps.flatMap(({ branches }) => branches);
const hop = (more: object) => ({ from, hops: [{ edge: "watched", ...more }] });
const edgeWhere = (condition: unknown) => hop({ where: { edge: condition } });

describe("a traverse request", () => {
  test("has defaults for all but its start", () => {
    expect(plan({ from: { type: "account", ids: ["a", "b", "a"], select: ["plays", "name"] } })).toMatchObject({
      starts: [{ type: 0, ids: ["a", "b"], select: [0, 1] }],
      steps: [],
      firstHop: 0,
      budget: { edgesMax: 100_000, scannedMax: 1_000_000, timeoutMs: 10_000 },
      waitFor: [],
    });
    expect(branchesOf([{ edge: "watched" }])[0]).toEqual({
      from: 0,
      edge: 0,
      walks: ["out"],
      neighbourType: 1,
      order: "latest",
      limit: 300,
      sinceMs: nowMs - 100 * 86_400_000,
      origins: { limit: "built-in", order: "built-in", since: "built-in" },
      selectEdge: [0, 1, 2, 3, 4, 5, 6],
      selectNode: [0, 1, 2, 3, 4, 5, 6],
    });
  });

  test("walks both ways where the ends are of one type, else away from the frontier", () => {
    const walks = (hops: readonly object[]) => branchesOf(hops).map((each) => each.walks);
    expect(walks([{ edge: "knows", direction: "both" }])).toEqual([["out", "in"]]);
    expect(walks([{ edge: "knows", direction: "in" }])).toEqual([["in"]]);
    const there = { edge: "watched", direction: "both" };
    expect(walks([there, there])).toEqual([["out"], ["in"]]);
  });

  test("resolves times, values and positions", () => {
    const { steps, waitFor, budget } = plan({
      ...hop({
        since: "30d",
        until: "2026-11-21",
        where: {
          edge: {
            plays: { gte: 2, lt: "9223372036854775807" },
            kind: "film",
            tags: { in: ["x"] },
            raw: { equals: "AQI=" },
            seen: { gt: "1h" },
            lastSeen: { lte: "2026-11-21T08:00:00+02:00" },
            parts: { present: false },
            name: { prefix: "T" },
          },
        },
      }),
      waitFor: ["events.playback/0@12"],
      timeoutMs: 5,
      budget: { edges: 10, scanned: 20 },
    });
    const [branch] = steps[0]!.branches;
    expect(branch).toMatchObject({ sinceMs: nowMs - 30 * 86_400_000, untilMs: Date.parse("2026-11-21T00:00:00Z") });
    const at = (property: number) => ({ of: "edge", property });
    expect(branch!.edgeFilter).toEqual({
      kind: "and",
      filters: [
        { kind: "compare", target: at(1), operator: "gte", value: 2 },
        { kind: "compare", target: at(1), operator: "lt", value: 2n ** 63n - 1n },
        { kind: "compare", target: at(2), operator: "equals", value: "film" },
        { kind: "in", target: at(3), values: ["x"] },
        { kind: "compare", target: at(4), operator: "equals", value: new Uint8Array([1, 2]) },
        { kind: "compare", target: at(5), operator: "gt", value: nowMs - 3_600_000 },
        {
          kind: "compare",
          target: { of: "edge", time: "lastSeen" },
          operator: "lte",
          value: Date.parse("2026-11-21T06:00:00Z"),
        },
        { kind: "not", filter: { kind: "present", target: at(6) } },
        { kind: "prefix", target: at(0), value: "T" },
      ],
    });
    expect(waitFor).toEqual([{ topic: "events.playback", partition: 0, offset: 12 }]);
    expect(budget).toMatchObject({ timeoutMs: 5, edgesMax: 10, scannedMax: 20 });
  });

  const refused: readonly (readonly [what: string, request: unknown, place: string, code: string, hint?: string])[] = [
    ["no object", [], "/", "not_an_object"],
    ["null", null, "/", "not_an_object"],
    ["no start", {}, "/from", "not_an_object"],
    ["a misspelt member", { from, hop: [] }, "/hop", "unknown_member", 'Did you mean "hops"?'],
    ["a prototype's member", JSON.parse('{"from":{},"__proto__":{}}'), "/__proto__", "unknown_member"],
    [
      "an unknown node type",
      { from: { type: "acount", ids: ["a"] } },
      "/from/type",
      "unknown_node_type",
      'Did you mean "account"?',
    ],
    ["no ids", { from: { type: "account", ids: [] } }, "/from/ids", "bad_count", "1 to 1000"],
    [
      "too many ids",
      { from: { type: "account", ids: Array.from({ length: 1_001 }, String) } },
      "/from/ids",
      "bad_count",
    ],
    ["an empty id", { from: { type: "account", ids: [""] } }, "/from/ids/0", "bad_id"],
    ["a long id", { from: { type: "account", ids: ["é".repeat(513)] } }, "/from/ids/0", "bad_id"],
    ["a lone surrogate", { from: { type: "account", ids: ["\ud800"] } }, "/from/ids/0", "bad_id"],
    [
      "nine hops",
      { from, hops: Array.from({ length: 9 }, () => ({ edge: "knows" })) },
      "/hops",
      "bad_count",
      "at most 8",
    ],
    [
      "an unknown edge",
      { from, hops: [{ edge: "watches" }] },
      "/hops/0/edge",
      "unknown_edge_type",
      'Did you mean "watched"?',
    ],
    [
      "a hop that leads nowhere",
      { from, hops: [{ edge: "watched" }, { edge: "watched" }] },
      "/hops/1",
      "impossible_hop",
      "watched in",
    ],
    ["a wrong direction", hop({ direction: "OUT" }), "/hops/0/direction", "not_allowed", 'Did you mean "out"?'],
    ["limit 0", hop({ limit: 0 }), "/hops/0/limit", "out_of_range"],
    ["a large limit", hop({ limit: 10_001 }), "/hops/0/limit", "out_of_range"],
    ["a bad age", hop({ since: "30 days" }), "/hops/0/since", "bad_moment", "30d"],
    ["a day that is none", hop({ until: "2026-02-30" }), "/hops/0/until", "bad_moment"],
    [
      "an unknown property",
      edgeWhere({ playz: 1 }),
      "/hops/0/where/edge/playz",
      "unknown_property",
      'Did you mean "plays"?',
    ],
    ["an unknown comparison", edgeWhere({ plays: { gte_: 1 } }), "/hops/0/where/edge/plays/gte_", "unknown_member"],
    ["a value of another type", edgeWhere({ plays: { gte: "two" } }), "/hops/0/where/edge/plays/gte", "bad_value"],
    ["an unsafe integer", edgeWhere({ plays: 2 ** 60 }), "/hops/0/where/edge/plays", "bad_value"],
    ["a null", edgeWhere({ plays: null }), "/hops/0/where/edge/plays", "bad_value", "present"],
    ["no symbol", edgeWhere({ kind: "movie" }), "/hops/0/where/edge/kind", "bad_value", "film, game"],
    ["an ordered set", edgeWhere({ tags: { gt: "a" } }), "/hops/0/where/edge/tags/gt", "not_ordered"],
    ["a compared list", edgeWhere({ parts: "a" }), "/hops/0/where/edge/parts", "not_comparable"],
    [
      "a prefix with a lone surrogate",
      hop({ where: { node: { name: { prefix: "\ud800" } } } }),
      "/hops/0/where/node/name/prefix",
      "bad_value",
    ],
    ["a prefix of a number", edgeWhere({ plays: { prefix: "1" } }), "/hops/0/where/edge/plays/prefix", "not_a_text"],
    ["an empty or", edgeWhere({ or: [] }), "/hops/0/where/edge/or", "bad_count"],
    [
      "an unknown selection",
      hop({ select: { node: ["nam"] } }),
      "/hops/0/select/node/0",
      "unknown_property",
      'Did you mean "name"?',
    ],
    ["no position", { from, waitFor: ["x"] }, "/waitFor/0", "bad_position"],
    ["a position of no topic", { from, waitFor: ["events.play/0@1"] }, "/waitFor/0", "unknown_topic"],
    ["a position of a side input", { from, waitFor: ["inputs.titles/0@1"] }, "/waitFor/0", "unknown_topic", "nodes."],
    ["a position of no partition", { from, waitFor: ["events.playback/2@1"] }, "/waitFor/0", "unknown_partition"],
    ["a type's second partition", { from, waitFor: ["nodes.title/1@1"] }, "/waitFor/0", "unknown_partition"],
    ["no time", { from, timeoutMs: 0 }, "/timeoutMs", "out_of_range"],
    ["too large a budget", { from, budget: { edges: 100_001 } }, "/budget/edges", "out_of_range"],
  ];
  for (const [what, request, place, code, hint] of refused) {
    test(`is refused with ${what}`, () => {
      let error: unknown;
      try {
        plan(request);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toBeInstanceOf(RdgError);
      expect(error).toMatchObject({ kind: "invalid", place, code });
      if (hint !== undefined) expect((error as RdgError).hint).toContain(hint);
    });
  }

  test("waits for partitions of events that it does not know, where topics grow", () => {
    const limits = { ...defaultTraversalLimits, eventsMayGrow: true };
    const waiting = (position: string) => planTraversal({ from, waitFor: [position] }, model, limits, nowMs).waitFor;
    expect(waiting("events.playback/7@1")).toEqual([{ topic: "events.playback", partition: 7, offset: 1 }]);
    expect(() => waiting("nodes.title/1@1")).toThrow(/has partitions 0 to 0/);
    expect(() => waiting("events.play/0@1")).toThrow(/no topic/);
  });

  test("bounds its conditions", () => {
    let deep: object = { plays: 1 };
    for (let i = 0; i < 50_000; i++) deep = { not: deep };
    expect(() => plan(edgeWhere(deep))).toThrow(/nest at most 10/);
    const wide = { or: Array.from({ length: 60 }, () => ({ plays: { gt: 1, lt: 3 } })) };
    expect(() => plan(edgeWhere(wide))).toThrow(/at most 100 tests/);
    expect(() => plan(edgeWhere({ plays: { in: Array.from({ length: 1_001 }, (_, i) => i) } }))).toThrow(/1001 values/);
  });
});

test("moments are ISO 8601 with a zone, dates and ages", () => {
  expect(parseMoment("15m", nowMs)).toBe(nowMs - 900_000);
  expect(parseMoment("0ms", nowMs)).toBe(nowMs);
  expect(parseMoment("2026-01-31T08:00:00.5Z", nowMs)).toBe(Date.parse("2026-01-31T08:00:00.5Z"));
  expect(parseMoment("2026-01-31", nowMs)).toBe(Date.parse("2026-01-31T00:00:00Z"));
  for (const text of ["", "30", "d", "-1d", "1w", "2026-01-31T08:00:00", "2026-1-31", "yesterday", "999999999999d"]) {
    expect(parseMoment(text, nowMs)).toBeUndefined();
  }
});
