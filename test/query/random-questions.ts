// Random graphs and questions about them, on stores that can more or less, for property tests.
import * as fc from "fast-check";
import type { Clock } from "../../src/core/clock.ts";
import { RdgError } from "../../src/core/errors.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { Update } from "../../src/model/update/element.ts";
import { JsonReader } from "../../src/query/json-reader.ts";
import type { Questions } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import type { Scope } from "../../src/query/questions/request.ts";
import { defaultTraversalLimits } from "../../src/query/traversal-plan.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import type { PlainGraph } from "../../src/testing/reference-traversal.ts";
import { conditionOf, feed, nowMs, plainGraph, scenarios } from "./random-graph.ts";
import { lesserStore } from "./wrapped-store.ts";

export const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };

export const context = { signal: new AbortController().signal };

export const ids = ["a", "__proto__", "\u{1f600}", "\uffee", 'q"\\'];

export const times = fc.integer({ min: -6, max: 6 }).map((step) => nowMs - 86_400_000 * 3 + step * 1_000);

export interface Asked {
  readonly model: GraphModel;
  readonly updates: readonly Update[];
  readonly request: Record<string, unknown>;
}

/** Some types have a ttl that divides the random times; some elements are removed at one of them. */
export const graphs = fc
  .record({ scenario: scenarios, ttls: fc.array(fc.boolean(), { minLength: 8, maxLength: 8 }), removals: fc.nat(6) })
  .chain(({ scenario, ttls, removals }) => {
    const withTtl = <T extends object>(type: T, i: number): T => (ttls[i] ? { ...type, ttlMs: 86_400_000 * 3 } : type);
    const nodes = scenario.model.nodes.map(withTtl);
    const edges = scenario.model.edges.map((edge, i) => withTtl(edge, i + nodes.length));
    const model: GraphModel = { ...scenario.model, nodes, edges };
    const id = fc.constantFrom(...ids);
    const removal = fc.oneof(
      fc
        .record({ type: fc.constantFrom(...nodes.map(({ name }) => name)), id, timeMs: times })
        .map((of): Update => ({ ...of, kind: "node", operation: "remove" })),
      fc
        .record({ type: fc.constantFrom(...edges.map(({ name }) => name)), from: id, to: id, timeMs: times })
        .map((of): Update => ({ ...of, kind: "edge", operation: "remove" })),
    );
    return fc
      .array(removal, { maxLength: removals })
      .map((removed) => ({ model, updates: [...scenario.updates, ...removed] }));
  });

export const defined = (object: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

export function rarely<T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

export const bounds = {
  since: rarely(
    fc.oneof(
      times.map((ms) => new Date(ms).toISOString()),
      fc.constantFrom("3d", "ever"),
    ),
  ),
  until: rarely(times.map((ms) => new Date(ms).toISOString())),
};

export const direction = rarely(fc.constantFrom("out", "in", "both"));

/** What may be asked of edges: everything, one type with conditions that fit it, or several types with rules. */
export function edgesAsked(model: GraphModel, anchor?: string): fc.Arbitrary<Record<string, unknown>> {
  const touching = model.edges.filter(({ from, to }) => anchor === undefined || from === anchor || to === anchor);
  const named = touching.length > 0 ? touching : model.edges;
  const rule = fc.constantFrom(...named).chain((edge) => {
    const far = model.nodes.find(({ name }) => name === (edge.from === anchor ? edge.to : edge.from))!;
    const where = fc.record(
      { edge: conditionOf(edge.properties), node: conditionOf(edge.from === edge.to || anchor ? far.properties : []) },
      { requiredKeys: [] },
    );
    const fitting =
      anchor === undefined ? "both" : edge.from === edge.to ? undefined : edge.from === anchor ? "out" : "in";
    return fc
      .record({
        type: fc.constant(edge.name),
        direction: fitting === undefined ? direction : fc.constant(fitting),
        where: rarely(where),
        ...bounds,
      })
      .map(defined);
  });
  const several = fc.uniqueArray(rule, { minLength: 1, maxLength: 3, selector: ({ type }) => type });
  const where = rarely(conditionOf([]).map((edge) => ({ edge })));
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ edge: fc.constant("*"), direction, where, ...bounds }).map(defined) },
    { weight: 3, arbitrary: fc.record({ edge: several, ...bounds }).map(defined) },
    {
      weight: 1,
      arbitrary: rule.map(({ type, ...rest }) => ({ edge: type, ...rest })),
    },
  );
}

export function asking(requestOf: (model: GraphModel) => fc.Arbitrary<Record<string, unknown>>): fc.Arbitrary<Asked> {
  return graphs.chain(({ model, updates }) => requestOf(model).map((request) => ({ model, updates, request })));
}

export const fromSome = (model: GraphModel): fc.Arbitrary<string> =>
  fc.constantFrom(...model.nodes.map(({ name }) => name));

export const pathing = asking((model) =>
  fc
    .tuple(
      fc.record({ type: fromSome(model), id: fc.constantFrom(...ids) }),
      fc.record({ type: fromSome(model), id: fc.constantFrom(...ids) }),
      edgesAsked(model),
      rarely(fc.integer({ min: 1, max: 4 })),
    )
    .map(([from, to, edges, maxDepth]) => defined({ from, to, ...edges, maxDepth })),
);

export const abilities = fc.record({ edge: fc.boolean(), node: fc.boolean(), exactDegrees: fc.boolean() });

export async function open(
  { model, updates, request }: Asked,
  able?: { readonly edge: boolean; readonly node: boolean; readonly exactDegrees: boolean },
): Promise<{ questions: Questions; graph: PlainGraph }> {
  const store = referenceStore({ model, clock });
  await feed(store, { model, updates, request: request as never });
  const asked = able ? lesserStore(store, { edge: able.edge, node: able.node }, able.exactDegrees) : store;
  return { questions: questionsOf(model, asked), graph: await plainGraph(store) };
}

export function questionsOf(model: GraphModel, store: Store): Questions {
  return createQueries({ model, store, clock, waitFor: async () => true, continuationKey: new Uint8Array(32) });
}

/** Requests that the schema makes impossible are refused; that is tested elsewhere. */
export function planned<Plan>(plan: (json: JsonReader, scope: Scope) => Plan, { model, request }: Asked): Plan {
  const scope: Scope = { model, limits: defaultTraversalLimits, nowMs, mayRead: undefined };
  try {
    return plan(new JsonReader(request).object(), scope);
  } catch (error) {
    if (error instanceof RdgError && error.kind === "invalid") fc.pre(false);
    throw error;
  }
}

export const budget = fc.integer({ min: 1, max: 30 });
