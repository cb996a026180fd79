// What one hop may ask for, what the schema makes of it, and how it is refused: several edge types, any of them, rules at every place, repetition, access.
import { describe, expect, test } from "vitest";
import { RdgError } from "../core/errors.ts";
import type { EdgeModel, GraphModel, PropertyModel } from "../model/definition.ts";
import type { HopRequest, TraverseRequest } from "../model/traversal.ts";
import { explain } from "./explain.ts";
import { planTraversal } from "./request.ts";
import { defaultTraversalLimits, type TraversalPlan } from "./traversal-plan.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const dayMs = 86_400_000;
const property = (name: string): PropertyModel => ({ name, type: { kind: "int32" }, merge: "last" });
const edge = (name: string, from: string, to: string, ...names: string[]): EdgeModel => ({
  name,
  from,
  to,
  properties: names.map(property),
});

const model: GraphModel = {
  format: 1,
  name: "test",
  events: [],
  sideInputs: [],
  nodes: [
    { name: "account", properties: [property("age"), property("size")] },
    { name: "device", properties: [property("size"), property("model")] },
    { name: "city", properties: [] },
  ],
  edges: [
    edge("uses", "account", "device", "plays", "since"),
    edge("knows", "account", "account", "since"),
    edge("stands_in", "device", "city"),
  ],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

const from = { type: "account", ids: ["a"] };

function plan(
  hops: readonly HopRequest[],
  more: Partial<TraverseRequest> = {},
  mayRead?: (name: string) => boolean,
  of = model,
): TraversalPlan {
  return planTraversal({ from, hops, ...more }, of, defaultTraversalLimits, nowMs, mayRead);
}

function stepsOf(planned: TraversalPlan): readonly string[] {
  return explain(planned, model, {
    atomicPositions: true,
    exactDegrees: true,
    filters: { edge: true, node: true },
  }).hops.map(
    ({ hop, repetition, branches }) =>
      `${hop}${repetition === undefined ? "" : `.${repetition}`}: ${branches
        .map((branch) => `${branch.from.join()}-${branch.edge} ${branch.direction}-${branch.to.join()}`)
        .join(" | ")}`,
  );
}

function refusal(run: () => unknown): RdgError {
  try {
    run();
  } catch (error) {
    if (error instanceof RdgError) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}

describe("a hop", () => {
  test("takes several edge types, and from mixed nodes those that each type has", () => {
    const hops: HopRequest[] = [
      { edge: ["uses", "knows"] },
      { edge: [{ type: "stands_in" }, "uses", "knows"], direction: "both" },
    ];
    expect(stepsOf(plan(hops))).toEqual([
      "0: account-uses out-device | account-knows out-account",
      "1: device-stands_in out-city | account-uses out-device | device-uses in-account | account-knows both-account",
    ]);
  });

  test("takes any edge type that the schema has from here, both ways unless said", () => {
    expect(stepsOf(plan([{ edge: "*" }, { edge: "*", direction: "out" }]))).toEqual([
      "0: account-uses out-device | account-knows both-account",
      "1: account-uses out-device | account-knows out-account | device-stands_in out-city",
    ]);
  });

  test("prunes what was named and leads nowhere, and says so", () => {
    const [step] = plan([{ edge: ["uses", "stands_in"] }]).steps;
    expect(step!.pruned).toEqual([
      {
        edge: 2,
        direction: "out",
        reason: '"stands_in" leads from "device" to "city"; walked "out" it does not leave a node of type "account".',
      },
    ]);
    const none = refusal(() => plan([{ edge: ["stands_in", { type: "uses", direction: "in" }] }]));
    expect(none).toMatchObject({ code: "impossible_hop", place: "/hops/0" });
    expect(none.hint).toBe('From "account": uses out, knows out, knows in.');
  });

  test("asks any edge type for properties: those that lack one are pruned, and refused when none is left", () => {
    const where = { edge: { plays: 1 } };
    const [step] = plan([{ edge: "*", where }]).steps;
    expect(step!.branches.map((branch) => branch.edge)).toEqual([0]);
    expect(step!.pruned).toEqual([
      { edge: 1, direction: "both", reason: 'edge type "knows" has no property "plays".' },
    ]);
    expect(refusal(() => plan([{ edge: "*", where: { edge: { nothing: 1 } } }])).code).toBe("unknown_property");
    expect(refusal(() => plan([{ edge: ["uses", "knows"], where }]))).toMatchObject({
      code: "unknown_property",
      place: "/hops/0/where/edge/plays",
    });
    const own: HopRequest = { edge: ["uses", { type: "knows", where: { edge: { since: 2 } } }], where };
    expect(plan([own]).steps[0]!.branches.map(({ edgeFilter }) => edgeFilter)).toEqual([
      { kind: "compare", target: { of: "edge", property: 0 }, operator: "equals", value: 1 },
      { kind: "compare", target: { of: "edge", property: 0 }, operator: "equals", value: 2 },
    ]);
  });

  test("selects of every type what it has, and of a node type what any of its branches selects", () => {
    const hop: HopRequest = {
      edge: ["uses", { type: "knows", select: { node: ["age"] } }],
      direction: "both",
      select: { edge: ["since"], node: ["size", "model"] },
    };
    const [first, second] = plan([hop, { ...hop, edge: ["uses", { type: "knows", select: { node: ["age"] } }] }]).steps;
    expect(first!.branches.map(({ selectEdge, selectNode }) => [selectEdge, selectNode])).toEqual([
      [[1], [0, 1]],
      [[0], [0]],
    ]);
    expect(second!.reached).toEqual([
      { type: 1, select: [0, 1] },
      { type: 0, select: [0, 1] },
    ]);
    const unknown = refusal(() => plan([{ edge: ["uses", "knows"], select: { edge: ["since", "sinse"] } }]));
    expect(unknown).toMatchObject({ code: "unknown_property", place: "/hops/0/select/edge/1" });
    expect(unknown.message).toBe('None of "uses", "knows" has a property "sinse".');
  });

  test("is bounded by the narrowest rule", () => {
    const of: GraphModel = { ...model, traversals: { sinceMs: "ever", limit: 7 } };
    const hops: HopRequest[] = [
      { edge: ["uses", { type: "knows", limit: 2, since: "2d" }], until: "1d", order: "any" },
      { edge: "*" },
    ];
    const [first, second] = plan(hops, { defaults: { limit: 5 } }, undefined, of).steps;
    expect(first!.branches[0]).toMatchObject({ limit: 5, order: "any", untilMs: nowMs - dayMs });
    expect(first!.branches[0]).not.toHaveProperty("sinceMs");
    expect(first!.branches[1]).toMatchObject({ limit: 2, order: "any", sinceMs: nowMs - 2 * dayMs });
    expect(first!.branches.map(({ origins }) => origins)).toEqual([
      { limit: "request", order: "hop", since: "definition", until: "hop" },
      { limit: "edge", order: "hop", since: "edge", until: "hop" },
    ]);
    expect(second!.branches[0]!.origins).toEqual({ limit: "request", order: "built-in", since: "definition" });
    expect(plan([{ edge: "knows" }]).steps[0]!.branches[0]).toMatchObject({ limit: 300, sinceMs: nowMs - 100 * dayMs });
  });

  test("is repeated until the schema leads no further", () => {
    expect(stepsOf(plan([{ edge: ["uses", "stands_in"], repeat: { times: 5 } }]))).toEqual([
      "0.1: account-uses out-device",
      "0.2: device-stands_in out-city",
    ]);
    const steps = stepsOf(plan([{ edge: ["uses", "knows"], repeat: { times: 2 } }, { edge: "stands_in" }]));
    expect(steps).toEqual([
      "0.1: account-uses out-device | account-knows out-account",
      "0.2: account-uses out-device | account-knows out-account",
      "1: device-stands_in out-city",
    ]);
  });

  test("ends a repetition at nodes of the types that have what is asked for", () => {
    const untilOf = (until: object) =>
      plan([{ edge: "*", repeat: { times: 1, until: until as never } }]).steps[0]!.reached.map(
        (reached) => reached.until,
      );
    const has = (index: number) => ({ kind: "present", target: { of: "node", property: index } });
    expect(untilOf({ size: { present: true } })).toEqual([has(0), has(1)]);
    expect(untilOf({ model: { present: true } })).toEqual([has(1), "never"]);
    expect(refusal(() => untilOf({ nothing: 1 })).code).toBe("unknown_property");
  });
});

describe("a hop is refused", () => {
  const refused: readonly (readonly [what: string, hops: readonly unknown[], place: string, code: string])[] = [
    ["no edge type", [{}], "/hops/0/edge", "not_a_string"],
    ["no edge types", [{ edge: [] }], "/hops/0/edge", "bad_count"],
    ["too many edge types", [{ edge: Array.from({ length: 101 }, () => "uses") }], "/hops/0/edge", "bad_count"],
    ["an unknown one of several", [{ edge: ["uses", "use"] }], "/hops/0/edge/1", "unknown_edge_type"],
    ["any among several", [{ edge: ["uses", "*"] }], "/hops/0/edge/1", "unknown_edge_type"],
    ["a type twice in one direction", [{ edge: ["knows", { type: "knows" }] }], "/hops/0/edge/1", "not_allowed"],
    [
      "a type both ways and one way",
      [
        {
          edge: [
            { type: "knows", direction: "both" },
            { type: "knows", direction: "in" },
          ],
        },
      ],
      "/hops/0/edge/1",
      "not_allowed",
    ],
    [
      "a member of a rule that there is not",
      [{ edge: [{ type: "uses", limits: 1 }] }],
      "/hops/0/edge/0/limits",
      "unknown_member",
    ],
    ["a rule without a type", [{ edge: [{ limit: 1 }] }], "/hops/0/edge/0/type", "not_a_string"],
    ["a limit of a type", [{ edge: [{ type: "uses", limit: 0 }] }], "/hops/0/edge/0/limit", "out_of_range"],
    ["since of a type", [{ edge: [{ type: "uses", since: "never" }] }], "/hops/0/edge/0/since", "bad_moment"],
    ["until ever", [{ edge: "uses", until: "ever" }], "/hops/0/until", "bad_moment"],
    [
      "a condition of a type",
      [{ edge: [{ type: "uses", where: { edges: {} } }] }],
      "/hops/0/edge/0/where/edges",
      "unknown_member",
    ],
    ["no times", [{ edge: "knows", repeat: {} }], "/hops/0/repeat/times", "out_of_range"],
    ["too many times", [{ edge: "knows", repeat: { times: 9 } }], "/hops/0/repeat/times", "out_of_range"],
    [
      "more levels than there may be",
      [
        { edge: "knows", repeat: { times: 5 } },
        { edge: "knows", repeat: { times: 4 } },
      ],
      "/hops/1/repeat/times",
      "out_of_range",
    ],
    [
      "a bad until",
      [{ edge: "knows", repeat: { times: 2, until: { age: "x" } } }],
      "/hops/0/repeat/until/age",
      "bad_value",
    ],
  ];
  for (const [what, hops, place, code] of refused) {
    test(`with ${what}`, () => {
      expect(refusal(() => plan(hops as readonly HopRequest[]))).toMatchObject({ kind: "invalid", place, code });
    });
  }

  test("with wrong members beside hops", () => {
    const code = (more: object): unknown => {
      const { place, code: of } = refusal(() => plan([], more));
      return [place, of];
    };
    expect(code({ defaults: { where: {} } })).toEqual(["/defaults/where", "unknown_member"]);
    expect(code({ defaults: { limit: 10_001 } })).toEqual(["/defaults/limit", "out_of_range"]);
    expect(code({ budget: { bytes: 0 } })).toEqual(["/budget/bytes", "out_of_range"]);
    expect(code({ cache: "no" })).toEqual(["/cache", "not_allowed"]);
    expect(code({ explain: true })).toEqual(["/explain", "not_allowed"]);
    expect(code({ enrich: "x" })).toEqual(["/enrich", "not_a_list"]);
  });
});

describe("who may not read a type", () => {
  const but = (hidden: string) => (name: string) => name !== hidden;

  test("is refused when it is named: as start, as edge, at an edge's end", () => {
    const asked = (hidden: string) => refusal(() => plan([{ edge: ["knows", "uses"] }], {}, but(hidden)));
    expect(asked("account")).toMatchObject({ kind: "unauthorized", code: "type_not_readable", place: "/from/type" });
    expect(asked("uses")).toMatchObject({ kind: "unauthorized", code: "type_not_readable", place: "/hops/0/edge/1" });
    expect(asked("device")).toMatchObject({ kind: "unauthorized", code: "type_not_readable", place: "/hops/0/edge/1" });
  });

  test("is led past it by any edge type, and hears nothing of it", () => {
    for (const hidden of ["uses", "device"]) {
      const planned = plan([{ edge: "*" }], {}, but(hidden));
      expect(stepsOf(planned)).toEqual(["0: account-knows both-account"]);
      expect(planned.steps[0]!.pruned).toEqual([]);
    }
    const nothing = refusal(() => plan([{ edge: "*" }], {}, (name) => name === "account"));
    expect(nothing).toMatchObject({ code: "impossible_hop", hint: 'No edge type touches "account".' });
    const misspelt = refusal(() => plan([{ edge: "use" }], {}, but("uses")));
    expect(misspelt.hint).not.toContain("uses");
  });
});
