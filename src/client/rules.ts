// What a hop may say of the edges it follows, and rules for single edge types of a hop with several.
import type { AnyNode, Duration } from "../model/define/declaration.ts";
import type { ExprOf, Predicate, TimeExpr } from "../model/define/expression.ts";
import type { PropertyFields } from "../model/define/field.ts";
import type { EdgeRule, HopConditions, HopDirection, HopSelection, Rule } from "../model/traversal.ts";
import { conditionOfCallback } from "./filter.ts";
import type { EdgeOf, FarEnd, FieldsOf } from "./reach.ts";
import type { AnyBounds, AnyRuleOptions, AnyWalk, SelectingEdge, Walk } from "./walked-edge.ts";

/** Properties, and the times of the edge or node, as expressions. Of several types: the properties that all of them have. */
export type Filter<F extends PropertyFields> = (row: FilterRow<F>) => Predicate;

type FilterRow<F extends PropertyFields> = F extends unknown
  ? { readonly [K in keyof F]: ExprOf<F[K], undefined> } & {
      readonly [K in Exclude<"firstSeen" | "lastSeen", keyof F>]: TimeExpr<Date>;
    }
  : never;

/** How many edges, of which time: what the narrower of two rules leaves open, the wider one says. */
export interface Bounds {
  /** Up to so many edges per node and edge type: the newest, or any. */
  readonly latest?: number;
  readonly any?: number;
  /** On the edge's last seen: a moment, an age, or `ever`; inclusive. */
  readonly since?: Date | Duration | "ever";
  /** Exclusive. */
  readonly until?: Date | Duration;
}

export interface RuleOptions<E, Far, S extends PropertyKey> extends Bounds {
  readonly where?: Filter<FieldsOf<E>>;
  readonly whereNode?: Filter<FieldsOf<Far>>;
  /** Of several types: properties that one of them has. */
  readonly select?: readonly S[];
  readonly selectNode?: readonly KeysOf<Far>[];
}

type KeysOf<D> = FieldsOf<D> extends infer F ? (F extends unknown ? keyof F : never) : never;

/** Along the edges, with a rule of its own: `.out([hasProfile, outward(watched, { latest: 5 })])`. */
export function outward<E extends EdgeOf, S extends keyof FieldsOf<E> = never>(
  edge: E,
  options: RuleOptions<E, FarEnd<E, "out">, S> = {},
): SelectingEdge<E, "out", S> {
  return walked(edge, "out", options);
}

/** Against the edges. */
export function inward<E extends EdgeOf, S extends keyof FieldsOf<E> = never>(
  edge: E,
  options: RuleOptions<E, FarEnd<E, "in">, S> = {},
): SelectingEdge<E, "in", S> {
  return walked(edge, "in", options);
}

/** Both ways. */
export function eitherWay<E extends EdgeOf, S extends keyof FieldsOf<E> = never>(
  edge: E,
  options: RuleOptions<E, FarEnd<E, "both">, S> = {},
): SelectingEdge<E, "both", S> {
  return walked(edge, "both", options);
}

function walked<E extends EdgeOf, D extends HopDirection>(
  edge: E,
  direction: D,
  options: object,
): SelectingEdge<E, D, never> {
  return Object.freeze({ kind: "walkedEdge", edge, direction, options });
}

export function boundsJson({ latest, any, since, until }: AnyBounds): Rule {
  return {
    ...(latest !== undefined && { order: "latest", limit: latest }),
    ...(any !== undefined && { order: "any", limit: any }),
    ...(since !== undefined && { since: momentJson(since) }),
    ...(until !== undefined && { until: momentJson(until) }),
  };
}

function momentJson(moment: Date | string): string {
  return typeof moment === "string" ? moment : moment.toISOString();
}

/** Node types by name. */
export type NodeTypes = ReadonlyMap<string, AnyNode>;

/** Where walks lead to from nodes of these types; from anywhere when they are not known. */
export function farTypes(walks: readonly Walk[], here: NodeTypes | undefined): NodeTypes {
  const far = new Map<string, AnyNode>();
  for (const { edge, direction } of walks) {
    if (direction !== "in" && (direction === "out" || (here?.has(edge.from.name) ?? true)))
      far.set(edge.to.name, edge.to);
    if (direction !== "out" && (direction === "in" || (here?.has(edge.to.name) ?? true)))
      far.set(edge.from.name, edge.from);
  }
  return far;
}

export function conditionsJson(
  { where, whereNode }: AnyRuleOptions,
  walks: readonly Walk[],
  far: NodeTypes,
): { readonly where?: HopConditions } {
  if (!where && !whereNode) return {};
  const edges = walks.map(({ edge }) => edge.model.properties);
  const nodes = [...far.values()].map(({ model }) => model.properties);
  return {
    where: {
      ...(where && { edge: conditionOfCallback(where, edges) }),
      ...(whereNode && { node: conditionOfCallback(whereNode, nodes) }),
    },
  };
}

export function selectionJson({ select, selectNode }: AnyRuleOptions): { readonly select?: HopSelection } {
  if (!select && !selectNode) return {};
  return { select: { ...(select && { edge: select }), ...(selectNode && { node: selectNode }) } };
}

/** An edge type of a list as JSON: its name where it has no rule of its own. */
export function walkJson(walk: AnyWalk): string | EdgeRule {
  if (walk.kind === "edge") return walk.name;
  const { edge, direction, options } = walk;
  return {
    type: edge.name,
    direction,
    ...boundsJson(options),
    ...conditionsJson(options, [walk], farTypes([walk], undefined)),
    ...selectionJson(options),
  };
}
