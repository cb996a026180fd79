// Counts, shortest paths and common neighbours over plain lists of elements, written to be obviously right: the twins that the questions are tested against.
import type { GraphModel } from "../model/definition.ts";
import type { EdgeCount } from "../model/questions.ts";
import type { Branch } from "../query/questions/branches.ts";
import type { CommonPlan } from "../query/questions/common-neighbours.ts";
import type { CountPlan } from "../query/questions/count.ts";
import type { PathPlan } from "../query/questions/shortest-path.ts";
import { referenceFilter } from "./reference-filter.ts";
import { type PlainEdge, type PlainGraph, nodeOf, seenOf } from "./reference-traversal.ts";

export interface PlainName {
  readonly type: number;
  readonly id: string;
}

/** An edge as it is walked from a node. */
interface PlainStep {
  readonly edge: PlainEdge;
  readonly far: PlainName;
}

export function referenceCounts(model: GraphModel, graph: PlainGraph, plan: CountPlan): EdgeCount[] {
  return plan.ids.flatMap((id) =>
    plan.asked.map(({ edge, direction, branches }) => {
      const edges = branches.flatMap((branch) => stepsFrom(model, graph, branch, { type: plan.type, id }));
      const count = new Set(edges.map((step) => step.edge)).size;
      return { id, edge: model.edges[edge]!.name, direction, count };
    }),
  );
}

/** The nodes of the path that comes first among the shortest ones, and its edges; undefined when there is none. */
export function referencePath(
  model: GraphModel,
  graph: PlainGraph,
  plan: PathPlan,
): { readonly nodes: readonly PlainName[]; readonly edges: readonly PlainEdge[] } | undefined {
  const stepsOf = (node: PlainName): PlainStep[] =>
    plan.branches.flatMap((branch) => stepsFrom(model, graph, branch, node, plan.to));
  if (isSame(plan.from, plan.to)) {
    const exists =
      nodeOf(graph, plan.from.type, plan.from.id) !== undefined ||
      plan.branches.some((branch) => stepsFrom(model, graph, branch, plan.from).length > 0);
    return exists ? { nodes: [plan.from], edges: [] } : undefined;
  }
  const nodes = [plan.from];
  const edges: PlainEdge[] = [];
  for (let left = leastDepth(stepsOf, plan.from, plan.to, plan.depthMax) ?? 0; left > 0; left--) {
    const onward = stepsOf(nodes.at(-1)!).filter(({ far }) => leastDepth(stepsOf, far, plan.to, left - 1) === left - 1);
    // Stable: of several edges to one node the first stays first.
    onward.sort((a, b) => a.far.type - b.far.type || Buffer.compare(Buffer.from(a.far.id), Buffer.from(b.far.id)));
    nodes.push(onward[0]!.far);
    edges.push(onward[0]!.edge);
  }
  return edges.length === 0 ? undefined : { nodes, edges };
}

/** Breadth first, a set of names per depth. */
function leastDepth(
  stepsOf: (node: PlainName) => readonly PlainStep[],
  from: PlainName,
  to: PlainName,
  depthMax: number,
): number | undefined {
  let here = [from];
  const seen = new Set<string>();
  for (let depth = 0; depth <= depthMax; depth++) {
    if (here.some((node) => isSame(node, to))) return depth;
    const next = new Map<string, PlainName>();
    for (const node of here) {
      for (const { far } of stepsOf(node)) if (!seen.has(JSON.stringify(far))) next.set(JSON.stringify(far), far);
    }
    for (const name of next.keys()) seen.add(name);
    here = [...next.values()];
  }
  return undefined;
}

/** Names of the common neighbours in order, all of them, and the edges to each. */
export function referenceCommon(
  model: GraphModel,
  graph: PlainGraph,
  plan: CommonPlan,
): { readonly node: PlainName; readonly edges: readonly PlainEdge[] }[] {
  const found = plan.ids.map((id) =>
    plan.branches.flatMap((branch) => stepsFrom(model, graph, branch, { type: plan.type, id })),
  );
  const names = new Map(found[0]!.map(({ far }) => [JSON.stringify(far), far]));
  return [...names.values()]
    .filter((name) => found.every((steps) => steps.some(({ far }) => isSame(far, name))))
    .map((node) => {
      const steps = found.flatMap((each) => each.filter(({ far }) => isSame(far, node)));
      const edges = [...new Set(steps.map(({ edge }) => edge))];
      return { node, edges, newest: Math.max(...edges.map(({ lastSeenMs }) => lastSeenMs)) };
    })
    .sort(
      (a, b) =>
        b.newest - a.newest ||
        a.node.type - b.node.type ||
        Buffer.compare(Buffer.from(a.node.id), Buffer.from(b.node.id)),
    );
}

/** Edges of a branch at a node that meet its conditions; the end of a path need not meet that on nodes. */
function stepsFrom(
  model: GraphModel,
  graph: PlainGraph,
  branch: Branch,
  node: PlainName,
  end?: PlainName,
): PlainStep[] {
  if (branch.near !== node.type) return [];
  const { sinceMs = -Infinity, untilMs = Infinity } = branch;
  return graph.edges.flatMap((edge): PlainStep[] => {
    const [near, farId] = branch.direction === "out" ? [edge.from, edge.to] : [edge.to, edge.from];
    if (edge.type !== branch.edge || near !== node.id) return [];
    if (edge.lastSeenMs < sinceMs || edge.lastSeenMs >= untilMs) return [];
    const far = { type: branch.far, id: farId };
    const neighbour = nodeOf(graph, far.type, far.id);
    const seen = neighbour && seenOf(neighbour, model.nodes[far.type]!.properties);
    const seenEdge = seenOf(edge, model.edges[edge.type]!.properties);
    const filters = [branch.edgeFilter, end && isSame(far, end) ? undefined : branch.nodeFilter];
    return filters.every((filter) => !filter || referenceFilter(filter)(seenEdge, seen)) ? [{ edge, far }] : [];
  });
}

function isSame(a: PlainName, b: PlainName): boolean {
  return a.type === b.type && a.id === b.id;
}
