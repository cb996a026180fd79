// A validated traversal as frozen data: types and properties by their index in the definition, times resolved. What the executor runs.
import type { Filter } from "../model/filter.ts";
import type { Position } from "../model/position.ts";
import type { AdjacencyCursor, Direction } from "../store/port.ts";

export interface TraversalPlan {
  /** What was asked first, to issue continuations from. */
  readonly source: TraversalSource;
  readonly start: StartPlan;
  readonly hops: readonly HopPlan[];
  /** Number of `hops[0]` in the request that was first made; above 0 only when continued. */
  readonly firstHop: number;
  readonly budget: TraversalBudget;
  readonly waitFor: readonly Position[];
}

/** The validated request but for its starts, as JSON; `nowMs` is what its ages count from. */
export interface TraversalSource {
  readonly from: { readonly type: string; readonly select?: unknown };
  readonly hops: readonly unknown[];
  readonly nowMs: number;
}

export interface StartPlan {
  /** Index of the node type. */
  readonly type: number;
  /** Distinct. */
  readonly ids: readonly string[];
  /** With a continued traversal, per id: how far each walk of the first hop has come. */
  readonly walked?: readonly (readonly WalkState[])[];
  readonly select: readonly number[];
}

/** `fresh`: nothing was read yet; `after`: go on behind the cursor; `done`: nothing is left. */
export type WalkState = "fresh" | "done" | { readonly after: AdjacencyCursor };

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
  readonly hopsMax: number;
  readonly limitDefault: number;
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
}

export const defaultTraversalLimits: TraversalLimits = {
  startsMax: 1_000,
  hopsMax: 8,
  limitDefault: 300,
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
};
