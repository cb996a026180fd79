// Random requests with everything that traversals can be asked: several edge types, any of them, rules at every place, repetition. Some are refused: `planOf` says so.
import * as fc from "fast-check";
import { RdgError } from "../../src/core/errors.ts";
import type { GraphModel, TraversalDefaults } from "../../src/model/definition.ts";
import type { Condition, EdgeRule, HopRequest, Rule, TraverseRequest } from "../../src/model/traversal.ts";
import { planTraversal } from "../../src/query/request.ts";
import { type TraversalPlan, defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import { type Scenario, conditionOf, models, nowMs, requestsOf, updatesOf } from "./random-graph.ts";

const dayMs = 86_400_000;
const directions = fc.constantFrom("out" as const, "in" as const, "both" as const, "both" as const);

const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const moments = fc.oneof(
  fc.integer({ min: -6, max: 6 }).map((step) => new Date(nowMs - 3 * dayMs + step * 1_000).toISOString()),
  fc.constantFrom("3d", "259201s", "300d"),
);

const rules: fc.Arbitrary<Rule> = fc
  .record({
    limit: sometimes(fc.integer({ min: 1, max: 4 })),
    order: sometimes(fc.constant("latest" as const)),
    since: sometimes(fc.oneof(moments, fc.constant("ever"))),
    until: sometimes(fc.oneof(moments, fc.constant("0s"))),
  })
  .map(present);

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function present<T extends object>(value: T): Present<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Present<T>;
}

export const traversalDefaults: fc.Arbitrary<TraversalDefaults | undefined> = fc.option(
  fc
    .record({
      sinceMs: sometimes(fc.oneof(fc.constantFrom(3 * dayMs, 300 * dayMs), fc.constant("ever" as const))),
      limit: sometimes(fc.integer({ min: 1, max: 4 })),
    })
    .map(present),
  { nil: undefined },
);

/** About the elements' times, which every type has. */
const timeConditions: fc.Arbitrary<Condition> = fc
  .tuple(fc.constantFrom("firstSeen", "lastSeen"), fc.constantFrom("gt", "lte"), moments)
  .map(([key, operator, moment]) => ({ [key]: { [operator]: moment } }));

function conditionsOf(types: GraphModel["nodes"] | GraphModel["edges"]): fc.Arbitrary<Condition> {
  return fc.oneof(timeConditions, ...types.slice(0, 3).map(({ properties }) => conditionOf(properties)));
}

function selectionsOf(types: GraphModel["nodes"] | GraphModel["edges"]): fc.Arbitrary<string[]> {
  return fc.subarray([...new Set(types.flatMap(({ properties }) => properties.map(({ name }) => name)))]);
}

function partsOf(model: GraphModel): fc.Arbitrary<Pick<EdgeRule, "where" | "select">> {
  const where = fc.record({ edge: conditionsOf(model.edges), node: conditionsOf(model.nodes) }, { requiredKeys: [] });
  const select = fc.record({ edge: selectionsOf(model.edges), node: selectionsOf(model.nodes) }, { requiredKeys: [] });
  return fc.record({ where: sometimes(where), select: sometimes(select) }).map(present);
}

function edgesOf(model: GraphModel): fc.Arbitrary<HopRequest["edge"]> {
  const name = fc.constantFrom(...model.edges.map((edge) => edge.name));
  const rule = fc
    .tuple(name, sometimes(directions), rules, partsOf(model))
    .map(([type, direction, own, parts]): EdgeRule => present({ type, direction, ...own, ...parts }));
  return fc.oneof(
    name,
    { weight: 2, arbitrary: fc.constant("*") },
    { weight: 4, arbitrary: fc.array(fc.oneof(name, rule), { minLength: 1, maxLength: 4 }) },
  );
}

function hopsOf(model: GraphModel): fc.Arbitrary<HopRequest> {
  const repeat = fc
    .record({ times: fc.integer({ min: 1, max: 3 }), until: sometimes(conditionsOf(model.nodes)) })
    .map(present);
  return fc
    .tuple(edgesOf(model), sometimes(directions), rules, partsOf(model), sometimes(repeat))
    .map(([edge, direction, rule, parts, repeated]) =>
      present({ edge, direction, ...rule, ...parts, repeat: repeated }),
    );
}

/** Any request of the definition's names; many of them are refused. */
export function wideRequestsOf(model: GraphModel): fc.Arbitrary<TraverseRequest> {
  return fc
    .tuple(requestsOf(model), fc.array(hopsOf(model), { maxLength: 3 }), sometimes(rules))
    .map(([{ from }, hops, defaults]): TraverseRequest => present({ from, hops, defaults }));
}

/** The plan, or undefined where the request is refused for what the definition does not have. */
export function planOf({ request, model }: Pick<Scenario, "request" | "model">): TraversalPlan | undefined {
  try {
    return planTraversal(JSON.parse(JSON.stringify(request)), model, defaultTraversalLimits, nowMs);
  } catch (error) {
    const refusals = ["impossible_hop", "unknown_property", "bad_value", "not_allowed", "out_of_range"];
    const further = ["not_ordered", "not_a_text", "not_comparable"];
    if (error instanceof RdgError && [...refusals, ...further].includes(error.code)) return undefined;
    throw error;
  }
}

/** A definition and a graph with several requests, each as a scenario of its own; those that are refused are left out. */
export const wideScenarios: fc.Arbitrary<readonly PlannedScenario[]> = fc
  .tuple(models, traversalDefaults)
  .map(([model, traversals]): GraphModel => (traversals === undefined ? model : { ...model, traversals }))
  .chain((model) =>
    fc.record({
      model: fc.constant(model),
      updates: updatesOf(model),
      requests: fc.array(wideRequestsOf(model), { minLength: 1, maxLength: 10, size: "max" }),
    }),
  )
  .map(({ model, updates, requests }) =>
    requests.flatMap((request): PlannedScenario[] => {
      const plan = planOf({ model, request });
      return plan === undefined ? [] : [{ model, updates, request, plan }];
    }),
  );

export interface PlannedScenario extends Scenario {
  readonly plan: TraversalPlan;
}
