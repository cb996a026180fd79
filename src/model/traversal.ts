// The JSON forms of a traversal's request and answer: what goes over HTTP between clients, console and server. The names are a public contract.
// Times are ISO 8601, or, in requests, an age such as `30d`; int64 is a decimal string (requests may send a safe integer); bytes are base64.

export interface TraverseRequest {
  readonly from: StartRequest;
  readonly hops?: readonly HopRequest[];
  /** For all hops of this request: over the definition's defaults, under what a hop says itself. */
  readonly defaults?: Rule;
  /** Narrower bounds than the server's. */
  readonly budget?: BudgetRequest;
  /** Names of enrichments of the definition that the nodes of the answer get. */
  readonly enrich?: readonly string[];
  /** false: neither read from nor written to the serving cache. */
  readonly cache?: boolean;
  /** `plan`: validates, prunes, and answers the effective rules without any read; `profile`: runs, and explains with figures. */
  readonly explain?: "plan" | "profile";
  /** Answers only when these positions (of `produce`) are applied, and fails with `not_applied_yet` after `timeoutMs`. */
  readonly waitFor?: readonly string[];
  /** For the whole request: waiting and walking. */
  readonly timeoutMs?: number;
}

/** Edges answered; edges looked at, over all hops; bytes of property values answered, roughly. */
export interface BudgetRequest {
  readonly edges?: number;
  readonly scanned?: number;
  readonly bytes?: number;
}

/** Goes on where a hop of an earlier answer was cut short (`hops[i].truncated.next`). */
export interface ContinueRequest {
  readonly continue: string;
  readonly budget?: BudgetRequest;
  readonly cache?: boolean;
  readonly explain?: "plan" | "profile";
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

/**
 * What bounds a hop; the narrower rule wins, member by member: built-in (since 100d, limit 300) < definition < `defaults` of the request < hop <
 * edge type in that hop. `limit` is edges per node of the frontier and edge type; `since` (inclusive; a moment, an age, or `ever`) and `until` (exclusive) are
 * on the edge's last seen.
 */
export interface Rule {
  readonly limit?: number;
  readonly order?: "latest" | "any";
  readonly since?: string;
  readonly until?: string;
}

export interface HopRequest extends Rule {
  /** One edge type; several; or `*`: every edge type and direction that the schema allows from here and the caller may read. */
  readonly edge: string | readonly (string | EdgeRule)[];
  /** `out` unless said; with `*`, `both`. */
  readonly direction?: HopDirection;
  readonly where?: HopConditions;
  readonly select?: HopSelection;
  readonly repeat?: RepeatRequest;
}

export interface HopConditions {
  readonly edge?: Condition;
  readonly node?: Condition;
}

export interface HopSelection {
  readonly edge?: readonly string[];
  readonly node?: readonly string[];
}

/** One edge type of a hop with several, and what is different for it. */
export interface EdgeRule extends Rule {
  readonly type: string;
  readonly direction?: HopDirection;
  readonly where?: HopConditions;
  readonly select?: HopSelection;
}

/**
 * Walks the hop again from what it reached, up to `times` in all. No node is walked from twice, starts included; each repetition is a level of its own. Nodes
 * that meet `until` are not walked from again, and then only they are what the next hop starts from; without it, everything reached is.
 */
export interface RepeatRequest {
  readonly times: number;
  readonly until?: Condition;
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
  /** Level 0 holds the starts that exist; level i + 1 what hop i, or one repetition of a hop, reached. */
  readonly levels: readonly LevelAnswer[];
  /** With a continued answer: the number of the hop, in the first request, that `hops[0]` goes on with. */
  readonly fromHop?: number;
  /** `hops[i]` tells of `levels[i + 1]`. */
  readonly hops: readonly HopAnswer[];
  readonly complete: boolean;
  /** The answer has seen at least everything up to these positions; fit for `waitFor`. */
  readonly asOf: readonly string[];
  readonly timings: TraversalTimings;
  /** How each enrichment that was asked for went. */
  readonly enrichments?: readonly EnrichmentAnswer[];
  readonly explain?: Explanation;
}

/** An enrichment: nodes that were asked about, how many of them failed, and why. */
export interface EnrichmentAnswer {
  readonly name: string;
  readonly nodes: number;
  readonly failed: number;
  readonly cause?: string;
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
  /** By name of the enrichment; null where it has nothing for the node, or failed. */
  readonly enriched?: { readonly [name: string]: { readonly [name: string]: JsonValue } | null };
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

/** `hop` (its number in the first request) and `repetition` (from 1) stand only where the request repeats a hop. */
export type HopAnswer = { readonly hop?: number; readonly repetition?: number } & (
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
    }
);

/** Milliseconds per stage. */
export interface TraversalTimings {
  readonly waitMs: number;
  readonly hopsMs: readonly number[];
  readonly nodesMs: number;
  readonly encodeMs: number;
}

/** Where a member of a rule came from. */
export type RuleOrigin = "built-in" | "definition" | "request" | "hop" | "edge";

/** The rules that were in effect, and with `profile` what they cost. */
export interface Explanation {
  /** Per level behind the starts. */
  readonly hops: readonly HopExplanation[];
  readonly budget: {
    readonly edges: number;
    readonly scanned: number;
    readonly bytes: number;
    readonly timeoutMs: number;
  };
  /** Per level behind the starts, with `profile`. */
  readonly levels?: readonly LevelProfile[];
  readonly totals?: {
    readonly waitUs: number;
    readonly planUs: number;
    readonly walkUs: number;
    readonly encodeUs: number;
  };
}

export interface HopExplanation {
  readonly hop: number;
  /** Where the request repeats the hop: from 1. */
  readonly repetition?: number;
  readonly branches: readonly BranchExplanation[];
  /** Edge types and directions that were asked for and are not walked, and why. */
  readonly pruned: readonly { readonly edge: string; readonly direction: HopDirection; readonly reason: string }[];
}

/** One edge type, walked one way (or both, where its ends are of one type). */
export interface BranchExplanation {
  readonly edge: string;
  readonly direction: HopDirection;
  /** Node types that it is walked from and leads to. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  /** Moments are ISO 8601; without a bound they are missing. */
  readonly rule: {
    readonly limit: number;
    readonly order: "latest" | "any";
    readonly since?: string;
    readonly until?: string;
  };
  readonly origins: {
    readonly limit: RuleOrigin;
    readonly order: RuleOrigin;
    readonly since: RuleOrigin;
    readonly until?: RuleOrigin;
  };
  /** Whether the store evaluates all conditions near its data. */
  readonly filtersInStore: boolean;
}

export interface LevelProfile {
  /** Nodes walked from. */
  readonly frontier: number;
  /** Edges the store looked at, those of them that a condition or a bound refused, and those answered. */
  readonly scanned: number;
  readonly filtered: number;
  readonly returned: number;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  /** Microseconds. */
  readonly adjacencyUs: number;
  readonly nodesUs: number;
  readonly enrichUs: number;
}
