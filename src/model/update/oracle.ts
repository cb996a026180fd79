// The meaning of a set of updates, stated directly over the whole set: the naive twin that windows, batches, stores and whole lines are tested against.
// Pure, slow and meant to be obviously right. Nothing that runs in production imports it.
//
// What is visible, where docs/SEMANTICS.md section 1 leaves a choice:
//  - a `last` property whose own time is at or before the element's own `removedAt` is absent, not null;
//  - the removal of an end node hides an edge until the edge is seen again after it; it does not reach the edge's properties, which ask their edge's own `removedAt` only;
//  - an end node that was never upserted, is hidden or has expired does not hide an edge: only a removal does;
//  - equal times: the removal wins (visible means seen strictly later).
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { type Element, type ElementKey, mergeElements, type PropertyState, setOf, type Update } from "./element.ts";
import { compareBytes, encodeValue } from "./encoded-value.ts";
import { canonicalInt64 } from "./int64.ts";

/** The state of one element: all updates given are of this element, in any order, duplicates included (which only counters notice). */
export function elementOf(properties: readonly PropertyModel[], updates: readonly Update[]): Element {
  const upserts = updates.filter((update) => update.operation === "upsert");
  const removals = updates.filter((update) => update.operation === "remove");
  const states: Record<string, PropertyState> = Object.create(null);
  for (const property of properties) {
    const contributions = upserts.flatMap(({ timeMs, properties: given }) => {
      const value = Object.hasOwn(given, property.name) ? given[property.name] : undefined;
      return value === undefined ? [] : [{ timeMs, value }];
    });
    const state = stateOf(property, contributions);
    if (state !== undefined) states[property.name] = state;
  }
  return {
    ...(upserts.length > 0 && { firstSeenMs: Math.min(...upserts.map((update) => update.timeMs)) }),
    ...(upserts.length > 0 && { lastSeenMs: Math.max(...upserts.map((update) => update.timeMs)) }),
    ...(removals.length > 0 && { removedAtMs: Math.max(...removals.map((update) => update.timeMs)) }),
    properties: states,
  };
}

interface Given {
  readonly timeMs: number;
  readonly value: PropertyValue;
}

function stateOf(property: PropertyModel, contributions: readonly Given[]): PropertyState | undefined {
  if (contributions.length === 0) return undefined;
  if (property.merge === "sum") {
    return {
      value: canonicalInt64(contributions.reduce((sum, { value }) => sum + BigInt(value as number | bigint), 0n)),
    };
  }
  if (property.merge === "union") {
    const items = contributions.flatMap(({ value }) => value as readonly PropertyValue[]);
    return items.length === 0 ? undefined : setOf(property, items);
  }
  const byValue = (a: Given, b: Given): number =>
    compareBytes(encodeValue(property.type, a.value), encodeValue(property.type, b.value));
  const byTime = (a: Given, b: Given): number => a.timeMs - b.timeMs || byValue(a, b);
  const timed = property.merge === "last" || property.merge === "first";
  const ordered = [...contributions].sort(timed ? byTime : byValue);
  const winner = ordered.at(property.merge === "last" || property.merge === "max" ? -1 : 0)!;
  return timed ? { value: winner.value, timeMs: winner.timeMs } : { value: winner.value };
}

/** What else decides whether an element is seen. */
export interface View {
  readonly nowMs: number;
  readonly ttlMs?: number | undefined;
  /** For an edge: `removedAtMs` of its end nodes. */
  readonly endsRemovedAtMs?: readonly (number | undefined)[];
}

export interface VisibleElement {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** By property name; without prototype. A set is a list in encoded order. */
  readonly properties: Readonly<Record<string, PropertyValue>>;
  /** Names of sets that were cut. */
  readonly cut: readonly string[];
}

/** What a reader sees of the element, or undefined when it sees nothing. */
export function visibleElement(
  properties: readonly PropertyModel[],
  element: Element,
  view: View,
): VisibleElement | undefined {
  const { firstSeenMs, lastSeenMs, removedAtMs = -Infinity } = element;
  if (firstSeenMs === undefined || lastSeenMs === undefined) return undefined;
  const hiddenUntilMs = Math.max(removedAtMs, ...(view.endsRemovedAtMs ?? []).map((timeMs) => timeMs ?? -Infinity));
  if (lastSeenMs <= hiddenUntilMs) return undefined;
  if (view.ttlMs !== undefined && lastSeenMs + view.ttlMs <= view.nowMs) return undefined;
  const values: Record<string, PropertyValue> = Object.create(null);
  const cut: string[] = [];
  for (const { name, merge } of properties) {
    const state = element.properties[name];
    if (state === undefined || (merge === "last" && state.timeMs! <= removedAtMs)) continue;
    values[name] = state.value;
    if (state.cut === true) cut.push(name);
  }
  return { firstSeenMs, lastSeenMs, properties: values, cut };
}

/** The states of all elements by `keyOf`. */
export type ElementGraph = ReadonlyMap<string, ElementKey & Element>;

/** One string per element, different for different elements whatever their ids contain. */
export function keyOf(key: ElementKey): string {
  return JSON.stringify(key.kind === "node" ? [key.type, key.id] : [key.type, key.from, key.to, "edge"]);
}

/** The graph that the updates mean, in any order. */
export function graphOf(model: GraphModel, updates: Iterable<Update>): ElementGraph {
  const groups = new Map<string, Update[]>();
  for (const update of updates) {
    const group = groups.get(keyOf(update));
    if (group === undefined) groups.set(keyOf(update), [update]);
    else group.push(update);
  }
  const graph = new Map<string, ElementKey & Element>();
  for (const [key, group] of groups) {
    graph.set(key, { ...identityOf(group[0]!), ...elementOf(typeOf(model, group[0]!).properties, group) });
  }
  return graph;
}

/** The graph that merged states mean: rows of batches, each of any part of the updates. */
export function graphOfElements(model: GraphModel, elements: Iterable<ElementKey & Element>): ElementGraph {
  const graph = new Map<string, ElementKey & Element>();
  for (const element of elements) {
    const key = keyOf(element);
    const known = graph.get(key);
    const { properties } = typeOf(model, element);
    graph.set(
      key,
      known === undefined ? element : { ...identityOf(element), ...mergeElements(properties, known, element) },
    );
  }
  return graph;
}

/** Every visible element at a moment, by `keyOf`. */
export function visibleGraph(
  model: GraphModel,
  graph: ElementGraph,
  nowMs: number,
): ReadonlyMap<string, ElementKey & VisibleElement> {
  const visible = new Map<string, ElementKey & VisibleElement>();
  for (const [key, element] of graph) {
    const { properties, ttlMs } = typeOf(model, element);
    const seen = visibleElement(properties, element, {
      nowMs,
      ttlMs,
      endsRemovedAtMs: endsRemovedAt(model, graph, element),
    });
    if (seen !== undefined) visible.set(key, { ...identityOf(element), ...seen });
  }
  return visible;
}

function endsRemovedAt(model: GraphModel, graph: ElementGraph, key: ElementKey): readonly (number | undefined)[] {
  if (key.kind === "node") return [];
  const edge = model.edges.find(({ name }) => name === key.type)!;
  return [
    graph.get(keyOf({ kind: "node", type: edge.from, id: key.from }))?.removedAtMs,
    graph.get(keyOf({ kind: "node", type: edge.to, id: key.to }))?.removedAtMs,
  ];
}

function typeOf(model: GraphModel, key: ElementKey): NodeModel | EdgeModel {
  return (key.kind === "node" ? model.nodes : model.edges).find(({ name }) => name === key.type)!;
}

function identityOf(key: ElementKey): ElementKey {
  return key.kind === "node"
    ? { kind: "node", type: key.type, id: key.id }
    : { kind: "edge", type: key.type, from: key.from, to: key.to };
}

/**
 * The updates of an element's present life, where its type has a ttl: after a gap longer than the ttl plus twice the allowed lateness it started afresh.
 * Only for sets without a gap in the band between the ttl and that: there an engine may do either.
 */
export function presentLife(updates: readonly Update[], ttlMs: number, latenessMs: number): readonly Update[] {
  const ordered = [...updates].sort((a, b) => a.timeMs - b.timeMs);
  const start = ordered.findLastIndex(
    (update, i) => i > 0 && update.timeMs - ordered[i - 1]!.timeMs > ttlMs + 2 * latenessMs,
  );
  return start < 0 ? ordered : ordered.slice(start);
}
