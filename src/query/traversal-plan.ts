// A validated traversal as frozen data: types and properties by their index in the definition, times resolved, each level behind the starts a step of its own.
// What the executor runs.
import type { Filter } from "../model/filter.ts";
import type { Position } from "../model/position.ts";
import type { HopDirection, RuleOrigin } from "../model/traversal.ts";
import type { AdjacencyCursor, Direction } from "../store/port.ts";

export interface TraversalPlan {
  /** What was asked first, to issue continuations from. */
  readonly source: TraversalSource;
  /** One per node type; several only when continued. */
  readonly starts: readonly StartPlan[];
  readonly steps: readonly StepPlan[];
  /** Number of the hop of `steps[0]` in the request that was first made; above 0 only when continued. */
  readonly firstHop: number;
  /** Whether a hop of the request is repeated: then steps are no hops. */
  readonly repeats: boolean;
  readonly budget: TraversalBudget;
  readonly waitFor: readonly Position[];
  readonly enrich: readonly string[];
  readonly cache: boolean;
  readonly explain?: "plan" | "profile";
}

/** The validated request but for its starts, as JSON; `nowMs` is what its ages count from. */
export interface TraversalSource {
  readonly from: { readonly type: string; readonly select?: unknown };
  readonly hops: readonly unknown[];
  readonly defaults?: unknown;
  readonly enrich?: readonly string[];
  readonly nowMs: number;
}

export interface StartPlan {
  /** Index of the node type. */
  readonly type: number;
  /** Distinct. */
  readonly ids: readonly string[];
  /** With a continued traversal, per branch of the first step: per id, how far each of its walks has come. */
  readonly walked?: ReadonlyMap<BranchPlan, readonly (readonly WalkState[])[]>;
  readonly select: readonly number[];
}

/** `fresh`: nothing was read yet; `after`: go on behind the cursor; `done`: nothing is left. */
export type WalkState = "fresh" | "done" | { readonly after: AdjacencyCursor };

/** What leads from one level to the next: a hop, or one repetition of a hop. */
export interface StepPlan {
  /** Number of the hop in the request that was first made. */
  readonly hop: number;
  /** From 1; only where the hop is repeated. */
  readonly repetition?: number;
  /** Whether the next step, if there is one, is another hop. */
  readonly isLast: boolean;
  /** Branches of one edge type stand together, in the order in which edge types were asked for. */
  readonly branches: readonly BranchPlan[];
  /** Node types that are reached, in the order of the branches. */
  readonly reached: readonly ReachedPlan[];
  readonly pruned: readonly PrunedBranch[];
}

export interface ReachedPlan {
  readonly type: number;
  /** Indexes of properties, ascending. */
  readonly select: readonly number[];
  /** Where the hop is repeated: which nodes it ends at. `never` for a type that lacks what is asked for; undefined where it goes on from every node. */
  readonly until?: Filter | "never";
}

/** One direction of an edge type, or both where its ends are of one type, as one step walks it. */
export interface HopPlan {
  /** Index of the edge type. */
  readonly edge: number;
  /** Two only for `both` on an edge type whose ends are of one type. */
  readonly walks: readonly Direction[];
  /** Index of the node type that is reached. */
  readonly neighbourType: number;
  readonly order: "latest" | "any";
  readonly limit: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly edgeFilter?: Filter;
  readonly nodeFilter?: Filter;
  /** Indexes of properties, ascending. */
  readonly selectEdge: readonly number[];
  readonly selectNode: readonly number[];
}

export interface BranchPlan extends HopPlan {
  /** Index of the node type that it is walked from. */
  readonly from: number;
  readonly origins: RuleOrigins;
}

export interface RuleOrigins {
  readonly limit: RuleOrigin;
  readonly order: RuleOrigin;
  readonly since: RuleOrigin;
  readonly until?: RuleOrigin;
}

export interface PrunedBranch {
  /** Index of the edge type. */
  readonly edge: number;
  readonly direction: HopDirection;
  readonly reason: string;
}

export interface TraversalBudget {
  readonly edgesMax: number;
  readonly scannedMax: number;
  /** Property values of the answer, roughly. */
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** What a server allows. A request may ask for less. */
export interface TraversalLimits {
  readonly startsMax: number;
  /** Levels behind the starts: hops, each repetition counted. */
  readonly hopsMax: number;
  /** Edge types of one hop that are named. */
  readonly edgeTypesMax: number;
  /** Rules where nothing else is said: the built-in ones. */
  readonly limitDefault: number;
  readonly sinceDefaultMs: number;
  readonly limitMax: number;
  readonly edgesMax: number;
  readonly scannedMax: number;
  readonly bytesMax: number;
  readonly timeoutMsDefault: number;
  readonly timeoutMsMax: number;
  /** Bounds of one condition. */
  readonly testsMax: number;
  readonly conditionDepthMax: number;
  readonly inValuesMax: number;
  readonly waitForMax: number;
  /** Topics of events may have more partitions than the definition says: they grew since this process began. */
  readonly eventsMayGrow: boolean;
}

export const defaultTraversalLimits: TraversalLimits = {
  startsMax: 1_000,
  hopsMax: 8,
  edgeTypesMax: 100,
  limitDefault: 300,
  sinceDefaultMs: 100 * 86_400_000,
  limitMax: 10_000,
  edgesMax: 100_000,
  scannedMax: 1_000_000,
  bytesMax: 64 * 1024 * 1024,
  timeoutMsDefault: 10_000,
  timeoutMsMax: 60_000,
  testsMax: 100,
  conditionDepthMax: 10,
  inValuesMax: 1_000,
  waitForMax: 1_000,
  eventsMayGrow: false,
};
