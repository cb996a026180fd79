// Traversals over plain lists of elements, written to be obviously right: the twin that the executor and the encoder are tested against.
import type { GraphModel, PropertyModel, ValueType } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { EdgeAnswer, JsonValue, LevelAnswer, NodeAnswer } from "../model/traversal.ts";
import type { HopPlan, StepPlan, TraversalPlan } from "../query/traversal-plan.ts";
import { referenceFilter, type Seen } from "./reference-filter.ts";

/** A visible node or edge; properties as declared. */
export interface PlainNode {
  readonly type: number;
  readonly id: string;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly properties: readonly PropertyValue[];
}
export interface PlainEdge extends Omit<PlainNode, "id"> {
  readonly from: string;
  readonly to: string;
}
export interface PlainGraph {
  readonly nodes: readonly PlainNode[];
  readonly edges: readonly PlainEdge[];
}

/** The levels of the answer, and per level behind the starts how many nodes of the frontier had more edges than a limit. */
export interface PlainAnswer {
  readonly levels: readonly LevelAnswer[];
  readonly cut: readonly number[];
}

interface Place {
  readonly type: number;
  readonly id: string;
}

export function referenceTraversal(model: GraphModel, graph: PlainGraph, plan: TraversalPlan): PlainAnswer {
  const levels: LevelAnswer[] = [];
  const cut: number[] = [];
  const starts = plan.starts.flatMap(({ type, ids }) => ids.map((id): Place => ({ type, id })));
  const startSelect = (type: number): readonly number[] => plan.starts.find((start) => start.type === type)!.select;
  let frontier: readonly Place[] = starts;
  let walkedFrom: Place[] = [];
  let gathered: Place[] = [];
  for (const [i, step] of plan.steps.entries()) {
    if (i === 0 || plan.steps[i - 1]!.isLast) [walkedFrom, gathered] = [[...frontier], []];
    const lists = step.branches.flatMap((branch) =>
      frontier
        .filter(({ type }) => type === branch.from)
        .map((at) => ({ branch, at, list: edgesOf(model, graph, branch, at.id) })),
    );
    if (i === 0) {
      const exists = (start: Place): boolean =>
        nodeOf(graph, start.type, start.id) !== undefined ||
        lists.some(({ at, list }) => isSame(at, start) && list.length > 0);
      const nodes = starts.filter(exists).map((at) => nodeAnswer(model, graph, at, startSelect(at.type)));
      levels.push({ nodes });
    }
    const short = lists.filter(({ branch, list }) => list.length > branch.limit).map(({ at }) => at);
    cut.push(distinct(short).length);
    const walked = lists.flatMap(({ branch, at, list }) =>
      list.slice(0, branch.limit).map((edge) => ({
        branch,
        edge,
        far: { type: branch.neighbourType, id: edge.from === at.id ? edge.to : edge.from },
      })),
    );
    // An edge that both ends reached is listed where it was reached first; the far ends of the other times come last.
    const first = walked.filter(({ edge }, n) => walked.findIndex((other) => other.edge === edge) === n);
    const edges = first.map(({ edge, branch }) => edgeAnswer(model, edge, branch.selectEdge));
    const far = distinct([...first, ...walked].map((one) => one.far));
    const reached = step.reached.flatMap(({ type }) => far.filter((at) => at.type === type));
    const selectOf = (type: number): readonly number[] => step.reached.find((plan) => plan.type === type)!.select;
    levels.push({ nodes: reached.map((at) => nodeAnswer(model, graph, at, selectOf(at.type))), edges });
    if (step.repetition === undefined) {
      frontier = reached;
      continue;
    }
    const ends = reached.filter((at) => meetsUntil(model, graph, step, at));
    const hasUntil = step.reached.some(({ until }) => until !== undefined);
    gathered = distinct([...gathered, ...(hasUntil ? ends : reached)]);
    const onwards = reached.filter((at) => !ends.includes(at) && !walkedFrom.some((other) => isSame(other, at)));
    walkedFrom.push(...onwards);
    frontier = step.isLast ? gathered : onwards;
  }
  if (plan.steps.length === 0) {
    const visible = starts.filter(({ type, id }) => nodeOf(graph, type, id));
    levels.push({ nodes: visible.map((at) => nodeAnswer(model, graph, at, startSelect(at.type))) });
  }
  return { levels, cut };
}

function isSame(left: Place, right: Place): boolean {
  return left.type === right.type && left.id === right.id;
}

function distinct(places: readonly Place[]): Place[] {
  return places.filter((at, i) => places.findIndex((other) => isSame(other, at)) === i);
}

function meetsUntil(model: GraphModel, graph: PlainGraph, { reached }: StepPlan, { type, id }: Place): boolean {
  const { until } = reached.find((plan) => plan.type === type)!;
  if (until === undefined || until === "never") return false;
  const node = nodeOf(graph, type, id);
  const noEdge: Seen = { firstSeenMs: 0, lastSeenMs: 0, properties: [], models: [] };
  return referenceFilter(until)(noEdge, node && seenOf(node, model.nodes[type]!.properties));
}

/** What a branch finds at one node before its limit: newest first, then by neighbour, outward before inward; a loop once. */
function edgesOf(model: GraphModel, graph: PlainGraph, hop: HopPlan, id: string): PlainEdge[] {
  const passes = [hop.edgeFilter, hop.nodeFilter].flatMap((filter) => (filter ? [referenceFilter(filter)] : []));
  const found: { edge: PlainEdge; far: string; inward: number }[] = [];
  for (const edge of graph.edges) {
    if (edge.type !== hop.edge) continue;
    const outward = hop.walks.includes("out") && edge.from === id;
    if (!outward && !(hop.walks.includes("in") && edge.to === id)) continue;
    const far = outward ? edge.to : edge.from;
    if (edge.lastSeenMs < (hop.sinceMs ?? -Infinity) || edge.lastSeenMs >= (hop.untilMs ?? Infinity)) continue;
    const neighbour = nodeOf(graph, hop.neighbourType, far);
    const seen = neighbour && seenOf(neighbour, model.nodes[hop.neighbourType]!.properties);
    if (!passes.every((pass) => pass(seenOf(edge, model.edges[hop.edge]!.properties), seen))) continue;
    found.push({ edge, far, inward: outward ? 0 : 1 });
  }
  found.sort((a, b) => {
    const byTime = b.edge.lastSeenMs - a.edge.lastSeenMs;
    return byTime || Buffer.compare(Buffer.from(a.far), Buffer.from(b.far)) || a.inward - b.inward;
  });
  return found.map(({ edge }) => edge);
}

export function seenOf(element: Omit<PlainNode, "id">, models: readonly PropertyModel[]): Seen {
  const { firstSeenMs, lastSeenMs, properties } = element;
  return { firstSeenMs, lastSeenMs, properties, models };
}

export function nodeOf(graph: PlainGraph, type: number, id: string): PlainNode | undefined {
  return graph.nodes.find((node) => node.type === type && node.id === id);
}

export function nodeAnswer(
  model: GraphModel,
  graph: PlainGraph,
  { type, id }: Place,
  select: readonly number[],
): NodeAnswer {
  const { name, properties } = model.nodes[type]!;
  const node = nodeOf(graph, type, id);
  return {
    type: name,
    id,
    ...(node && { ...timesOf(node), properties: propertiesOf(properties, node.properties, select) }),
  };
}

export function edgeAnswer(model: GraphModel, edge: PlainEdge, select: readonly number[]): EdgeAnswer {
  const { name, properties } = model.edges[edge.type]!;
  const { from, to } = edge;
  return { type: name, from, to, ...timesOf(edge), properties: propertiesOf(properties, edge.properties, select) };
}

function timesOf(element: Omit<PlainNode, "id">): { firstSeen: string; lastSeen: string } {
  return {
    firstSeen: new Date(element.firstSeenMs).toISOString(),
    lastSeen: new Date(element.lastSeenMs).toISOString(),
  };
}

function propertiesOf(
  models: readonly PropertyModel[],
  values: readonly PropertyValue[],
  select: readonly number[],
): { [name: string]: JsonValue } {
  const entries = select.flatMap((index): [string, JsonValue][] => {
    const { name, type, merge } = models[index]!;
    const value = values[index];
    if (value === undefined) return [];
    return [[name, merge === "union" ? jsonOf({ kind: "array", item: type }, value) : jsonOf(type, value)]];
  });
  return Object.fromEntries(entries);
}

function jsonOf(type: ValueType, value: PropertyValue): JsonValue {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case "int64":
      return (value as number | bigint).toString();
    case "timestamp":
      return new Date(value as number).toISOString();
    case "bytes":
      return Buffer.from(value as Uint8Array).toString("base64");
    case "array":
      return (value as readonly PropertyValue[]).map((item) => jsonOf(type.item, item));
    case "map":
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, jsonOf(type.value, item as PropertyValue)]),
      );
    case "record":
      return Object.fromEntries(
        type.fields.flatMap(({ name, type: of }) => {
          const item = (value as { readonly [name: string]: PropertyValue })[name];
          return item === undefined ? [] : [[name, jsonOf(of, item)]];
        }),
      );
    default:
      return value as JsonValue;
  }
}
