// What a traversal found, level by level, in columns. What of it becomes text, parts or messages is up to encoders.
import type { PropertyValue } from "../model/filter.ts";
import type { TruncationCause } from "../model/traversal.ts";
import type { NodeRows } from "../store/port.ts";
import type { NodeEnrichment } from "./port.ts";
import type { BranchPlan, WalkState } from "./traversal-plan.ts";

export interface Level {
  /** By type, in the order in which the plan reaches types; types of which nothing was reached are left out. */
  readonly nodes: readonly LevelNodes[];
  /** By branch; missing at level 0. */
  readonly edges?: readonly LevelEdges[];
}

export interface LevelNodes {
  /** Index of the node type. */
  readonly type: number;
  readonly ids: readonly string[];
  readonly select: readonly number[];
  /** Its first columns are the selected properties; more may follow. */
  readonly rows: NodeRows;
  readonly enriched?: readonly NodeEnrichment[];
}

/** Edge i leads between node `near[origins[i]]`, which was walked from, and `far[targets[i]]`; `reversed[i]` is 1 where it was walked against its direction. */
export interface LevelEdges {
  readonly branch: BranchPlan;
  readonly near: readonly string[];
  readonly far: readonly string[];
  readonly count: number;
  readonly origins: Int32Array;
  readonly targets: Int32Array;
  readonly reversed: Uint8Array;
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  readonly properties: readonly (readonly PropertyValue[])[];
}

/** How a step went; `cut` is empty when it is complete. */
export interface StepOutcome {
  readonly cause: TruncationCause | undefined;
  readonly cut: readonly CutNode[];
}

/** A node whose edges are not all there: how far its walks have come, those of all branches from its type in the order of the step. Without: it cannot be continued. */
export interface CutNode {
  readonly type: number;
  readonly id: string;
  readonly walks?: readonly WalkState[];
}

/** What one step cost. */
export interface StepFigures {
  /** Nodes walked from. */
  readonly frontier: number;
  /** Edges that the store looked at, and that are in the answer. */
  readonly scanned: number;
  readonly returned: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly edgesMs: number;
  readonly nodesMs: number;
  readonly enrichMs: number;
}
