// The JSON forms of a traversal's request and answer: what goes over HTTP between clients, console and server. The names are a public contract.
// Times are ISO 8601, or, in requests, an age such as `30d`; int64 is a decimal string (requests may send a safe integer); bytes are base64.

export interface TraverseRequest {
  readonly from: StartRequest;
  readonly hops?: readonly HopRequest[];
  /** Narrower bounds than the server's. */
  readonly budget?: { readonly edges?: number; readonly scanned?: number };
  /** Answers only when these positions (of `produce`) are applied, and fails with `not_applied_yet` after `timeoutMs`. */
  readonly waitFor?: readonly string[];
  /** For the whole request: waiting and walking. */
  readonly timeoutMs?: number;
}

/** Goes on where a hop of an earlier answer was cut short (`hops[i].truncated.next`). */
export interface ContinueRequest {
  readonly continue: string;
  readonly budget?: { readonly edges?: number; readonly scanned?: number };
  readonly waitFor?: readonly string[];
  readonly timeoutMs?: number;
}

export interface StartRequest {
  readonly type: string;
  readonly ids: readonly string[];
  /** Properties to answer; all when missing. */
  readonly select?: readonly string[];
}

export type HopDirection = "out" | "in" | "both";

export interface HopRequest {
  readonly edge: string;
  readonly direction?: HopDirection;
  /** Edges per node of the frontier. */
  readonly limit?: number;
  readonly order?: "latest" | "any";
  /** On the edge's last seen; `since` inclusive, `until` exclusive. */
  readonly since?: string;
  readonly until?: string;
  readonly where?: { readonly edge?: Condition; readonly node?: Condition };
  readonly select?: { readonly edge?: readonly string[]; readonly node?: readonly string[] };
}

export type JsonScalar = string | number | boolean;

/**
 * All of it must hold. A key is a property, `firstSeen` or `lastSeen`; `and`, `or` (lists of conditions) and `not` (a condition) combine.
 * A property that is called like one of these five words is reached with a leading dot: `{ ".and": 1 }`.
 */
export interface Condition {
  readonly [name: string]: Test | readonly Condition[] | Condition;
}

/** A value by itself means `equals`. */
export type Test = JsonScalar | Comparisons;

export interface Comparisons {
  readonly equals?: JsonScalar;
  readonly gt?: JsonScalar;
  readonly gte?: JsonScalar;
  readonly lt?: JsonScalar;
  readonly lte?: JsonScalar;
  readonly in?: readonly JsonScalar[];
  /** Whether the property is there at all; an explicit null is. */
  readonly present?: boolean;
  /** Strings only. */
  readonly prefix?: string;
}

export interface TraverseAnswer {
  /** Level 0 holds the starts that exist; level i + 1 what hop i reached. */
  readonly levels: readonly LevelAnswer[];
  /** With a continued answer: the number of the hop, in the first request, that `hops[0]` goes on with. */
  readonly fromHop?: number;
  readonly hops: readonly HopAnswer[];
  readonly complete: boolean;
  /** The answer has seen at least everything up to these positions; fit for `waitFor`. */
  readonly asOf: readonly string[];
  readonly timings: TraversalTimings;
}

export interface LevelAnswer {
  readonly nodes: readonly NodeAnswer[];
  /** Missing at level 0. */
  readonly edges?: readonly EdgeAnswer[];
}

/** A node that was never upserted, or is not visible any more, has neither times nor properties. */
export interface NodeAnswer {
  readonly type: string;
  readonly id: string;
  readonly firstSeen?: string;
  readonly lastSeen?: string;
  readonly properties?: { readonly [name: string]: JsonValue };
}

/** `from` and `to` follow the declared direction, whichever way the edge was walked. */
export interface EdgeAnswer {
  readonly type: string;
  readonly from: string;
  readonly to: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly properties: { readonly [name: string]: JsonValue };
}

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/**
 * - `limit`: the hop's limit per node; `scan`: the budget of edges looked at; `budget_edges`, `budget_bytes`: the budgets of the answer;
 * - `deadline`: `timeoutMs`.
 */
export type TruncationCause = "limit" | "scan" | "budget_edges" | "budget_bytes" | "deadline";

export type HopAnswer =
  | { readonly complete: true }
  | {
      readonly complete: false;
      readonly truncated: {
        readonly cause: TruncationCause;
        /** Nodes of the frontier whose edges are not all there. */
        readonly nodes: number;
        /** Send as `{ "continue": next }`; missing where this hop cannot be continued, and then `reason` says why. */
        readonly next?: string;
        readonly reason?: string;
      };
    };

/** Milliseconds per stage. */
export interface TraversalTimings {
  readonly waitMs: number;
  readonly hopsMs: readonly number[];
  readonly nodesMs: number;
  readonly encodeMs: number;
}
