// The JSON forms of the questions beside traversals: many nodes, many edges, counts, a shortest path, common neighbours. The names are a public contract.
// Moments, conditions and values are those of traversals (traversal.ts).
import type { EdgeAnswer, HopConditions, HopDirection, HopSelection, NodeAnswer } from "./traversal.ts";

/** What every question may say beside itself. */
export interface QuestionOptions {
  /** Answers only when these positions (of `produce`) are applied, and fails with `not_applied_yet` after `timeoutMs`. */
  readonly waitFor?: readonly string[];
  /** For the whole request: waiting and looking. */
  readonly timeoutMs?: number;
  /** false: neither read from nor written to the serving cache. */
  readonly cache?: boolean;
}

export interface NodesRequest extends QuestionOptions {
  readonly type: string;
  /** At most 1,000; one that is given twice is answered once. */
  readonly ids: readonly string[];
  /** Properties to answer; all when missing. */
  readonly select?: readonly string[];
}

export interface NodesAnswer {
  /** Those that are visible, in the order asked for. */
  readonly nodes: readonly NodeAnswer[];
  /** The answer has seen at least everything up to these positions; fit for `waitFor`. */
  readonly asOf: readonly string[];
}

export interface EdgesRequest extends QuestionOptions {
  readonly type: string;
  /** At most 1,000, in the declared direction; one that is given twice is answered once. */
  readonly pairs: readonly { readonly from: string; readonly to: string }[];
  readonly select?: readonly string[];
}

export interface EdgesAnswer {
  /** Those that are visible, in the order asked for. */
  readonly edges: readonly EdgeAnswer[];
  readonly asOf: readonly string[];
}

/** Edges to count or to follow, and which of them. There is no bound in time unless one is given. */
export interface EdgesAsked {
  /** One edge type; several; or `*`: every edge type that the schema allows here and the caller may read. */
  readonly edge: string | readonly (string | EdgeAsked)[];
  readonly direction?: HopDirection;
  /** On the edge's last seen; `since` inclusive, `until` exclusive. `ever` is no bound. */
  readonly since?: string;
  readonly until?: string;
  readonly where?: HopConditions;
}

/** One edge type of several, and what is different for it. */
export interface EdgeAsked {
  readonly type: string;
  readonly direction?: HopDirection;
  readonly since?: string;
  readonly until?: string;
  /** Instead of the request's. */
  readonly where?: HopConditions;
}

export interface CountRequest extends QuestionOptions, EdgesAsked {
  /** At most 1,000 ids. */
  readonly from: { readonly type: string; readonly ids: readonly string[] };
  /** Edges looked at, over all counts: beyond it they are `atLeast`. */
  readonly budget?: { readonly scanned?: number };
}

export interface CountAnswer {
  /** By id in the order asked for, then by edge type in the order asked for (with `*` in that of the definition). */
  readonly counts: readonly EdgeCount[];
  readonly asOf: readonly string[];
}

export interface EdgeCount {
  readonly id: string;
  readonly edge: string;
  /** `both` only where the edge type's ends are of one type; a loop counts once then. */
  readonly direction: HopDirection;
  readonly count: number;
  /** There may be more: a budget or the deadline ended the count. */
  readonly atLeast?: true;
}

/** `scan` and `deadline`: a budget was used up; `limit`: a limit kept edges from being looked at or answered; `budget_bytes`: values are too large. */
export type QuestionTruncation = {
  readonly cause: "limit" | "scan" | "deadline" | "budget_bytes";
  readonly reason: string;
};

export interface ShortestPathRequest extends QuestionOptions, Partial<EdgesAsked> {
  readonly from: NodeName;
  readonly to: NodeName;
  /** Edges of the path: 6 when missing, at most 12. */
  readonly maxDepth?: number;
  /** Edges looked at per node, edge type and direction, the newest first: 1,000 when missing, at most 10,000. */
  readonly limit?: number;
  readonly budget?: { readonly scanned?: number };
  readonly select?: HopSelection;
}

export interface NodeName {
  readonly type: string;
  readonly id: string;
}

export interface ShortestPathAnswer {
  readonly found: boolean;
  /** Number of edges. */
  readonly length?: number;
  /** `nodes` from one end to the other; `edges[i]` connects `nodes[i]` and `nodes[i + 1]`, whichever way it is directed. */
  readonly path?: { readonly nodes: readonly NodeAnswer[]; readonly edges: readonly EdgeAnswer[] };
  /** With `found`: no path is shorter. Without: there is no path of up to `maxDepth` edges. False where something kept that from being proven. */
  readonly complete: boolean;
  readonly truncated?: QuestionTruncation;
  readonly asOf: readonly string[];
}

export interface CommonNeighboursRequest extends QuestionOptions, EdgesAsked {
  /** 2 to 10 different ids. */
  readonly of: { readonly type: string; readonly ids: readonly string[] };
  /** Common neighbours: 300 when missing, at most 10,000. */
  readonly limit?: number;
  /** `latest` (when missing): those with the newest edges; `any`: whichever are found first. */
  readonly order?: "latest" | "any";
  readonly budget?: { readonly scanned?: number };
  readonly select?: HopSelection;
}

export interface CommonNeighboursAnswer {
  /** Nodes to which each of the given ones has an edge; by the newest of these edges, then by id. */
  readonly nodes: readonly NodeAnswer[];
  /** These edges: by node in the order of `nodes`, then by the given id in the order asked for. */
  readonly edges: readonly EdgeAnswer[];
  readonly complete: boolean;
  readonly truncated?: QuestionTruncation;
  readonly asOf: readonly string[];
}
