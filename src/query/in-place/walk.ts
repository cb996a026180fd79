// Hot path of queries: small traversals of a store in this process's memory, walked in one turn of the event loop on the rows as they lie there. What it does not
// take - several branches, both directions, repetitions, enrichments, profiles, anything near a budget or a deadline - goes the general way (execute.ts), whose
// answers these are.
import type { Clock } from "../../core/clock.ts";
import type { EdgeColumns, GraphInPlace, ListsInPlace, ListsRequest } from "../../store/in-place/port.ts";
import type { StoreCapabilities } from "../../store/port.ts";
import { Frontier } from "../edge-rows.ts";
import type { CutNode, StepFigures, StepOutcome } from "../level.ts";
import type { BranchPlan, TraversalPlan } from "../traversal-plan.ts";
import type { EdgesOfLevel, FoundInPlace, LevelInPlace, NodesOfLevel, WalkedEdges } from "./port.ts";

/** Edges of all levels together: more than a plan may have is not begun. About a millisecond of work, after which others have their turn. */
const edgesMax = 4_096;
/** Edges looked at: where filters look at more, what was done is done again in the general way, which takes several times as long then. */
const scannedMax = 6_144;
/** Less than this to the deadline, or of bytes, and it might have to be cut short. */
export const leftMsMin = 50;
const bytesMaxMin = 8 * 1024 * 1024;

/** What was found, and how each step went. */
export interface WalkedInPlace extends FoundInPlace {
  readonly steps: readonly { readonly outcome: StepOutcome; readonly figures: StepFigures }[];
  readonly scanned: number;
}

/** The columns of all edges of one traversal: made once, used by one after the other. */
class EdgeScratch implements EdgeColumns, WalkedEdges {
  count = 0;
  readonly edges = new Int32Array(edgesMax);
  readonly neighbours = new Int32Array(edgesMax);
  readonly lastSeenMs = new Float64Array(edgesMax);
  readonly origins = new Int32Array(edgesMax);
  readonly targets = new Int32Array(edgesMax);
}

/** Whether a plan is one of those that are walked here, if the store can. */
export function isForPlace(plan: TraversalPlan, { filters }: StoreCapabilities): boolean {
  const { starts, steps, enrich, explain, budget } = plan;
  if (explain !== undefined || enrich.length > 0 || starts.length !== 1 || budget.bytesMax < bytesMaxMin) return false;
  let nodes = starts[0]!.ids.length;
  let edges = 0;
  for (const { branches, repetition } of steps) {
    const [{ walks, limit, edgeFilter, nodeFilter }] = branches as [BranchPlan];
    edges += nodes *= limit;
    if (branches.length > 1 || walks.length > 1 || repetition !== undefined || edges > edgesMax) return false;
    if ((edgeFilter !== undefined && !filters.edge) || (nodeFilter !== undefined && !filters.node)) return false;
  }
  return true;
}

export class InPlaceWalk {
  readonly #clock: Clock;
  readonly #columns = new EdgeScratch();
  /** Of the starts, and by step. */
  readonly #frontiers: Frontier[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined where it turns out to be more than is done here. The result is valid in this turn only, until the next call. */
  walk(plan: TraversalPlan, graph: GraphInPlace): WalkedInPlace | undefined {
    this.#columns.count = 0;
    const nowMs = this.#clock.now();
    let near = this.#starts(plan, graph);
    const levels: LevelInPlace[] = [{ nodes: near, edges: undefined }];
    const steps: WalkedInPlace["steps"][number][] = [];
    let scanned = 0;
    for (let number = 0; number < plan.steps.length; number++) {
      const walked = this.#step(plan, number, near, scanned, graph, nowMs);
      if (walked === undefined) return undefined;
      levels.push(walked.level);
      steps.push(walked);
      scanned += walked.figures.scanned;
      near = walked.level.nodes;
    }
    const [{ nodes }, next] = levels as [LevelInPlace, LevelInPlace | undefined];
    levels[0] = { nodes: onlyKnown(nodes, next?.edges, nowMs), edges: undefined };
    return { nowMs, levels, steps, scanned };
  }

  /** Those that were ever mentioned. */
  #starts({ starts }: TraversalPlan, { nodes }: GraphInPlace): NodesOfLevel {
    const { type, ids, select } = starts[0]!;
    const of = nodes[type]!;
    const frontier = this.#frontier(0, ids.length);
    for (const id of ids) {
      const reference = of.find(id);
      if (reference >= 0) frontier.add(reference);
    }
    return { type, of, references: frontier.references, count: frontier.count, select, hidden: undefined };
  }

  #step(
    { starts, steps, budget }: TraversalPlan,
    number: number,
    near: NodesOfLevel,
    scannedBefore: number,
    graph: GraphInPlace,
    nowMs: number,
  ): { readonly level: LevelInPlace; readonly outcome: StepOutcome; readonly figures: StepFigures } | undefined {
    const fromMs = this.#clock.monotonicMs();
    const columns = this.#columns;
    const { branches, reached } = steps[number]!;
    const branch = branches[0]!;
    const states = number === 0 ? starts[0]!.walked?.get(branch) : undefined;
    // Some of the starts are nobody's: then states and nodes do not go together.
    if (states !== undefined && states.length !== near.count) return undefined;
    const lists = graph.lists(listsOf(branch, nowMs));
    const scannedLeft = Math.min(scannedMax, budget.scannedMax) - scannedBefore;
    const cut: CutNode[] = [];
    const from = columns.count;
    for (let node = 0; node < near.count; node++) {
      const state = states?.[node]?.[0] ?? "fresh";
      if (state === "done") continue;
      const before = columns.count;
      const after = state === "fresh" ? undefined : state.after;
      const end = lists.read(near.references[node]!, after, scannedLeft - lists.scanned, columns);
      if (end === "scan" || end === "room" || columns.count >= budget.edgesMax) return undefined;
      if (lists.scanned >= scannedLeft) return undefined;
      for (let i = before; i < columns.count; i++) columns.origins[i] = node;
      if (end === "limit") cut.push(cutAt(near, node, branch, lists));
    }
    const to = columns.count;
    const frontier = this.#frontier(number + 1, to - from);
    for (let i = from; i < to; i++) columns.targets[i] = frontier.add(columns.neighbours[i]!);
    const { type, select } = reached[0]!;
    const { references, count } = frontier;
    const far: NodesOfLevel = { type, of: graph.nodes[type]!, references, count, select, hidden: undefined };
    const { edge, walks, selectEdge } = branch;
    const reversed = walks[0] === "in";
    const of = graph.edges[edge]!;
    const edges: EdgesOfLevel = { edge, of, select: selectEdge, near, far, reversed, from, to, columns };
    return {
      level: { nodes: far, edges },
      outcome: { cause: cut.length > 0 ? "limit" : undefined, cut },
      figures: {
        frontier: near.count,
        scanned: lists.scanned,
        returned: to - from,
        cacheHits: 0,
        cacheMisses: 0,
        edgesMs: this.#clock.monotonicMs() - fromMs,
        nodesMs: 0,
        enrichMs: 0,
      },
    };
  }

  #frontier(number: number, countExpected: number): Frontier {
    const frontier = (this.#frontiers[number] ??= new Frontier(countExpected));
    frontier.clear();
    return frontier;
  }
}

function listsOf(branch: BranchPlan, nowMs: number): ListsRequest {
  const { edge, walks, limit, sinceMs, untilMs, edgeFilter, nodeFilter } = branch;
  const filters = [edgeFilter, nodeFilter].filter((filter) => filter !== undefined);
  const where = filters.length > 1 ? { kind: "and" as const, filters } : filters[0];
  return {
    edge,
    direction: walks[0]!,
    limit,
    nowMs,
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(where === undefined ? {} : { where }),
  };
}

/** As in hop.ts: order "any" has no place to go on from. */
function cutAt(
  { type, of, references }: NodesOfLevel,
  node: number,
  { order }: BranchPlan,
  lists: ListsInPlace,
): CutNode {
  const { ids } = of;
  ids.place(references[node]!);
  const id = ids.bytes.toString("utf8", ids.start, ids.end);
  const { cursor } = lists;
  return order === "latest" && cursor !== undefined ? { type, id, walks: [{ after: cursor }] } : { type, id };
}

/** A start that is not visible is in the answer only where an edge was found. */
function onlyKnown(starts: NodesOfLevel, edges: EdgesOfLevel | undefined, nowMs: number): NodesOfLevel {
  let hidden: Uint8Array | undefined;
  for (let i = 0; i < starts.count; i++) {
    if (starts.of.isVisible(starts.references[i]!, nowMs) || hasEdge(i, edges)) continue;
    hidden ??= new Uint8Array(starts.count);
    hidden[i] = 1;
  }
  return hidden === undefined ? starts : { ...starts, hidden };
}

function hasEdge(node: number, edges: EdgesOfLevel | undefined): boolean {
  if (edges === undefined) return false;
  for (let i = edges.from; i < edges.to; i++) if (edges.columns.origins[i] === node) return true;
  return false;
}
