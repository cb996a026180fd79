// Traversals over plain lists of elements, written to be obviously right: the twin that the executor and the encoder are tested against.
import type { GraphModel, PropertyModel, ValueType } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { EdgeAnswer, JsonValue, LevelAnswer, NodeAnswer } from "../model/traversal.ts";
import type { HopPlan, TraversalPlan } from "../query/traversal-plan.ts";
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

/** The levels of the answer, and per hop how many nodes of the frontier had more edges than the limit. */
export interface PlainAnswer {
  readonly levels: readonly LevelAnswer[];
  readonly cut: readonly number[];
}

export function referenceTraversal(model: GraphModel, graph: PlainGraph, plan: TraversalPlan): PlainAnswer {
  const levels: LevelAnswer[] = [];
  const cut: number[] = [];
  let type = plan.start.type;
  let select = plan.start.select;
  let frontier: readonly string[] = plan.start.ids;
  let edges: readonly EdgeAnswer[] | undefined;
  for (let h = 0; h <= plan.hops.length; h++) {
    const hop = plan.hops[h];
    const lists = frontier.map((id) => (hop ? edgesOf(model, graph, hop, id) : []));
    const listed = h > 0 ? frontier : frontier.filter((id, i) => nodeOf(graph, type, id) || lists[i]!.length > 0);
    const nodes = listed.map((id) => nodeAnswer(model, graph, type, id, select));
    levels.push(edges === undefined ? { nodes } : { nodes, edges });
    if (!hop) break;
    cut.push(lists.filter((list) => list.length > hop.limit).length);
    const walked = frontier.flatMap((id, i) =>
      lists[i]!.slice(0, hop.limit).map((edge) => ({ edge, far: edge.from === id ? edge.to : edge.from })),
    );
    edges = [...new Set(walked.map(({ edge }) => edge))].map((edge) => edgeAnswer(model, edge, hop.selectEdge));
    // An edge that both ends reached is listed where it was reached first; the far ends of the other times come last.
    const first = walked.filter(({ edge }, i) => walked.findIndex((other) => other.edge === edge) === i);
    frontier = [...new Set([...first, ...walked].map(({ far }) => far))];
    type = hop.neighbourType;
    select = hop.selectNode;
  }
  return { levels, cut };
}

/** What a hop finds at one node before its limit: newest first, then by neighbour, outward before inward; a loop once. */
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

function seenOf(element: Omit<PlainNode, "id">, models: readonly PropertyModel[]): Seen {
  const { firstSeenMs, lastSeenMs, properties } = element;
  return { firstSeenMs, lastSeenMs, properties, models };
}

function nodeOf(graph: PlainGraph, type: number, id: string): PlainNode | undefined {
  return graph.nodes.find((node) => node.type === type && node.id === id);
}

function nodeAnswer(
  model: GraphModel,
  graph: PlainGraph,
  type: number,
  id: string,
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

function edgeAnswer(model: GraphModel, edge: PlainEdge, select: readonly number[]): EdgeAnswer {
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
