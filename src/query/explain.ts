// Explains a traversal: the rules in effect and where they came from, what the schema pruned, and with figures what each level cost.
import type { GraphModel } from "../model/definition.ts";
import type { BranchExplanation, Explanation, LevelProfile } from "../model/traversal.ts";
import type { StoreCapabilities } from "../store/port.ts";
import type { StepFigures } from "./level.ts";
import type { BranchPlan, TraversalPlan } from "./traversal-plan.ts";

export interface Profile {
  readonly steps: readonly StepFigures[];
  readonly waitMs: number;
  readonly planMs: number;
  readonly walkMs: number;
  readonly encodeMs: number;
}

export function explain(
  plan: TraversalPlan,
  model: GraphModel,
  { filters }: StoreCapabilities,
  profile?: Profile,
): Explanation {
  const { edgesMax, scannedMax, bytesMax, timeoutMs } = plan.budget;
  return {
    hops: plan.steps.map(({ hop, repetition, branches, pruned }) => ({
      hop,
      ...(repetition === undefined ? {} : { repetition }),
      branches: branches.map((branch) => branchOf(branch, model, filters)),
      pruned: pruned.map(({ edge, ...rest }) => ({ edge: model.edges[edge]!.name, ...rest })),
    })),
    budget: { edges: edgesMax, scanned: scannedMax, bytes: bytesMax, timeoutMs },
    ...(profile && {
      levels: profile.steps.map(levelOf),
      totals: {
        waitUs: microseconds(profile.waitMs),
        planUs: microseconds(profile.planMs),
        walkUs: microseconds(profile.walkMs),
        encodeUs: microseconds(profile.encodeMs),
      },
    }),
  };
}

function branchOf(branch: BranchPlan, model: GraphModel, filters: StoreCapabilities["filters"]): BranchExplanation {
  const { edge, walks, from, neighbourType, limit, order, sinceMs, untilMs, edgeFilter, nodeFilter, origins } = branch;
  return {
    edge: model.edges[edge]!.name,
    direction: walks.length > 1 ? "both" : walks[0]!,
    from: [model.nodes[from]!.name],
    to: [model.nodes[neighbourType]!.name],
    rule: {
      limit,
      order,
      ...(sinceMs === undefined ? {} : { since: isoTime(sinceMs) }),
      ...(untilMs === undefined ? {} : { until: isoTime(untilMs) }),
    },
    origins,
    filtersInStore: (edgeFilter === undefined || filters.edge) && (nodeFilter === undefined || filters.node),
  };
}

/** Moments beyond the years of ISO 8601 bound nothing that is there. */
function isoTime(ms: number): string {
  const furthest = 8.64e15;
  return new Date(Math.max(-furthest, Math.min(furthest, ms))).toISOString();
}

function levelOf(figures: StepFigures): LevelProfile {
  const { frontier, scanned, returned, cacheHits, cacheMisses, edgesMs, nodesMs, enrichMs } = figures;
  return {
    frontier,
    scanned,
    filtered: Math.max(0, scanned - returned),
    returned,
    cacheHits,
    cacheMisses,
    adjacencyUs: microseconds(edgesMs),
    nodesUs: microseconds(nodesMs),
    enrichUs: microseconds(enrichMs),
  };
}

function microseconds(ms: number): number {
  return Math.round(ms * 1_000);
}
