// Queries: questions about the graph in, answers as JSON bytes or columns out. What HTTP and gRPC serve, the console and the command line ask.
//
// Requests are untrusted: everything is validated against the definition. Rejections: `invalid` (with the place in the request as a JSON pointer and what is
// allowed), `unauthorized` (a type is named that the caller may not read), `not_found`, `unavailable` (also `not_applied_yet`: the positions of `waitFor` were
// not applied in time), `overloaded`, `closed`.
import type { PropertyValue } from "../model/filter.ts";
import type {
  CommonNeighboursAnswer,
  CountAnswer,
  EdgesAnswer,
  NodesAnswer,
  ShortestPathAnswer,
} from "../model/questions.ts";
import type { EnrichmentAnswer, Explanation, HopAnswer, JsonValue, TraversalTimings } from "../model/traversal.ts";
import type { RequestSpan } from "../observe/port.ts";
import type { NodeRows } from "../store/port.ts";
import type { FoundInPlace } from "./in-place/port.ts";

/** Who asks, and until when. */
export interface QueryContext {
  /** Aborted when the caller is gone: the work stops, down to the store. */
  readonly signal: AbortSignal;
  /** Whether the caller may read a node or edge type; everything when missing. Naming another is refused (`type_not_readable`); `*` passes it by. */
  readonly mayRead?: (typeName: string) => boolean;
  /** Told how many edges were scanned for the request, also when it failed midway. */
  readonly charge?: (scannedEdges: number) => void;
  /** What the request is called in logs. */
  readonly requestId?: string;
  /** The span of the request, where it is traced. */
  readonly span?: RequestSpan | undefined;
}

export interface Queries extends Questions {
  /** A `TraverseRequest` or `ContinueRequest` of model/traversal.ts, as parsed JSON; the answer is a `TraverseAnswer`. */
  traverse(request: unknown, context: QueryContext): Promise<QueryAnswer>;
  /**
   * The same in parts as they become known: level by level, a level's edges before its nodes, then one end. Nothing is walked ahead of the reader but the
   * current level. Ending the iteration early gives everything back. Where the traversal is small and the store's rows lie in this process's memory, `whole` is
   * asked first: when it takes the answer there are no parts.
   */
  traverseParts(request: unknown, context: QueryContext, whole?: TakesWhole): AsyncIterable<TraversalPart>;
  /** These parts as lines of JSON: `{"level":0,"nodes":[...]}`, `{"level":1,"edges":[...]}` ..., and last `{"end":{...}}`; UTF-8, each with its line end. */
  traverseLines(request: unknown, context: QueryContext): AsyncIterable<Uint8Array>;
  /** Asked as text: `{ query, ...members of a TraverseRequest but from and hops }`. */
  query(request: unknown, context: QueryContext): Promise<QueryAnswer>;
  /** As `traverseParts`. */
  queryParts(request: unknown, context: QueryContext, whole?: TakesWhole): AsyncIterable<TraversalPart>;
  queryLines(request: unknown, context: QueryContext): AsyncIterable<Uint8Array>;
  /** A `NodeAnswer`; rejects with `not_found` when the node is not visible. */
  node(type: string, id: string, context: QueryContext): Promise<QueryAnswer>;
  /** An `EdgeAnswer`; rejects with `not_found` when the edge is not visible. */
  edge(type: string, from: string, to: string, context: QueryContext): Promise<QueryAnswer>;
}

/** Questions beside traversals (model/questions.ts). Answers are plain objects; whoever serves them encodes them. */
export interface Questions {
  /** A `NodesRequest`: many nodes of a type by id. Rejects with `unavailable`, `deadline_exceeded`, when they are not all read in time. */
  nodes(request: unknown, context: QueryContext): Promise<NodesAnswer>;
  /** An `EdgesRequest`: many edges of a type by their ends. Rejects as `nodes` does. */
  edges(request: unknown, context: QueryContext): Promise<EdgesAnswer>;
  /** A `CountRequest`: how many edges nodes have. */
  count(request: unknown, context: QueryContext): Promise<CountAnswer>;
  /** A `ShortestPathRequest`: a shortest path between two nodes. */
  shortestPath(request: unknown, context: QueryContext): Promise<ShortestPathAnswer>;
  /** A `CommonNeighboursRequest`: what 2 to 10 nodes are all connected with. */
  commonNeighbours(request: unknown, context: QueryContext): Promise<CommonNeighboursAnswer>;
}

export interface QueryAnswer {
  /** UTF-8 JSON; the caller owns it. */
  readonly json: Uint8Array;
}

/** Writes an answer in this turn; false: it would rather have parts. What was asked of `end` does not matter then. */
export type TakesWhole = (found: FoundInPlace, end: () => EndPart) => boolean;

export type TraversalPart = NodesPart | EdgesPart | EndPart;

/** At most 1,000 nodes of one type: the rows [from, to) of columns, in the order of the answer. */
export interface NodesPart {
  readonly kind: "nodes";
  readonly level: number;
  /** Index of the node type. */
  readonly type: number;
  readonly from: number;
  readonly to: number;
  readonly ids: readonly string[];
  readonly rows: NodeRows;
  /** Indexes of the answered properties: `rows.properties[s]` holds property `select[s]`. */
  readonly select: readonly number[];
  /** Per enrichment that was asked for: its value for the node of each row. */
  readonly enriched?: readonly NodeEnrichment[];
}

export interface NodeEnrichment {
  readonly name: string;
  readonly values: readonly ({ readonly [name: string]: JsonValue } | null)[];
}

/** At most 1,000 edges of one type: the rows [from, to) of columns, in the order of the answer. */
export interface EdgesPart {
  readonly kind: "edges";
  readonly level: number;
  /** Index of the edge type. */
  readonly edge: number;
  readonly from: number;
  readonly to: number;
  /** In the declared direction, whichever way the edge was walked. */
  readonly fromIds: readonly string[];
  readonly toIds: readonly string[];
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  readonly properties: readonly (readonly PropertyValue[])[];
  /** Indexes of the answered properties: `properties[s]` holds property `select[s]`. */
  readonly select: readonly number[];
}

/** Everything of a `TraverseAnswer` but its levels. */
export interface EndPart {
  readonly kind: "end";
  readonly fromHop?: number;
  readonly hops: readonly HopAnswer[];
  readonly complete: boolean;
  readonly asOf: readonly string[];
  readonly timings: TraversalTimings;
  readonly enrichments?: readonly EnrichmentAnswer[];
  readonly explain?: Explanation;
}
