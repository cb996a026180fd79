// What a traversal found that was walked in place: rows of a store as they lie in memory (store/in-place/port.ts), for whoever writes an answer of them in the same
// turn of the event loop. Nothing of it may be kept beyond that.
import type { ElementsInPlace, NodesInPlace } from "../../store/in-place/port.ts";

/** Nodes of one type; those with `hidden` 1 are no part of the answer. */
export interface NodesOfLevel {
  readonly type: number;
  readonly of: NodesInPlace;
  readonly references: Int32Array;
  readonly count: number;
  readonly select: readonly number[];
  readonly hidden: Uint8Array | undefined;
}

/** Edges `from` to `to` of the columns: each leads between node `origins[i]` of `near` and node `targets[i]` of `far`. */
export interface EdgesOfLevel {
  readonly edge: number;
  readonly of: ElementsInPlace;
  readonly select: readonly number[];
  readonly near: NodesOfLevel;
  readonly far: NodesOfLevel;
  /** They were walked against their direction. */
  readonly reversed: boolean;
  readonly from: number;
  readonly to: number;
  readonly columns: WalkedEdges;
}

/** The level of the starts has no edges. */
export interface LevelInPlace {
  readonly nodes: NodesOfLevel;
  readonly edges: EdgesOfLevel | undefined;
}

/** The columns that a level's edges are in. */
export interface WalkedEdges {
  /** Rows. */
  readonly edges: Int32Array;
  readonly origins: Int32Array;
  readonly targets: Int32Array;
  readonly lastSeenMs: Float64Array;
}

export interface FoundInPlace {
  /** What time it was. */
  readonly nowMs: number;
  readonly levels: readonly LevelInPlace[];
}
