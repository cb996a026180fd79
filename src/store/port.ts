import type { UpdateFrame } from "../log/port.ts";
// The store: the graph as a view of the type topics. It can always be thrown away and rebuilt from them.
//
// Promises:
//  - `apply` is idempotent: a frame at or below the applied offset of its source changes nothing, counters included;
//  - the applied offsets are stored atomically with what they stand for, or the store declares `atomicPositions: false` and keeps
//    exactness by other means (counters carry the position in their own record);
//  - reads see every frame whose `apply` has resolved; they see no part of a removed or expired element (docs/SEMANTICS.md, section 1);
//  - adjacency comes in exact order: LATEST is last seen descending, then neighbour id ascending by its UTF-8 bytes; ANY is whatever is cheapest;
//  - a read never scans more than it was allowed to (`scanMax`) and says so when that stopped it.
// A store evaluates the filters that its capabilities name; the executor evaluates the rest. Nothing here knows about hops or traversals.
// Types and properties are named by their index in the definition. Node references are small integers that are valid within one reader only.
//
// Rejections: `unavailable` (also at the memory budget: `apply` rejects, reads go on), `corrupt`, `closed`.
import type { Filter, PropertyValue } from "../model/filter.ts";
import type { Position } from "../model/position.ts";
import type { GraphInPlace } from "./in-place/port.ts";

export interface Store {
  readonly capabilities: StoreCapabilities;
  apply(frame: UpdateFrame): Promise<void>;
  applied(): Promise<AppliedPositions>;
  /** Opens a reader for one request. Close it: references keep rows from being reused. Options are for what wraps stores; a store itself may ignore them. */
  reader(options?: ReaderOptions): StoreReader;
  /** Rows that lie in this process's memory, for the present turn (in-place/port.ts). Missing: there are none, or whatever wraps the store wants to be asked. */
  inPlace?(): GraphInPlace;
  /** Proves that both directions agree, that no list is out of order and that degrees are right; yields each difference. */
  verify(signal?: AbortSignal): AsyncIterable<Difference>;
  /** Every visible node and edge, for comparison and export; order is free. */
  scan(signal?: AbortSignal): AsyncIterable<ScannedElement>;
  statistics(): Promise<StoreStatistics>;
  close(): Promise<void>;
}

export interface AppliedPositions {
  /** Last applied offset per source of frames. */
  readonly sources: ReadonlyMap<string, number>;
  /** The input positions (events.*) up to which the applied frames account, last per partition. */
  readonly inputs: readonly Position[];
}

export interface ReaderOptions {
  /** false: nothing is taken from a cache, nothing is put into it. */
  readonly cache?: boolean;
  /** true: shows everything that is applied when it is opened, not what a cache that follows by time alone still holds. */
  readonly current?: boolean;
  /** Monotonic time of the request's deadline: what could not begin before it is refused at once, what is under way then is given up. */
  readonly deadlineMs?: number;
}

export interface StoreCapabilities {
  /** Reads are answered from this process's memory, and every `apply` goes through it. Missing: they are calls to elsewhere. */
  readonly local?: boolean;
  readonly atomicPositions: boolean;
  readonly exactDegrees: boolean;
  /** Degrees may be asked for within bounds in time. Missing: without only. */
  readonly timedDegrees?: boolean;
  readonly filters: { readonly edge: boolean; readonly node: boolean };
}

export interface StoreReader {
  /** References of ids, -1 where the id was never mentioned by any update. */
  find(type: number, ids: readonly string[], signal: AbortSignal): Promise<Int32Array>;
  id(type: number, reference: number): string;
  nodes(request: NodesRequest, signal: AbortSignal): Promise<NodeRows>;
  /** Streams each record's neighbours in batches of at most 100, in the order of `records`, until its limit, its scan bound or its end. The last batch of each record has `end` and may be empty. */
  adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch>;
  edge(request: EdgeRequest, signal: AbortSignal): Promise<EdgeRow | undefined>;
  /** Number of visible neighbours: exact where the store keeps degrees, else counted up to `scanMax`. */
  degrees(request: DegreesRequest, signal: AbortSignal): Promise<readonly Degree[]>;
  close(): void;
  /** What a cache in front of the store did for this reader so far: nodes and adjacency heads. Missing where there is none. */
  readonly cached?: CacheUse;
}

export interface CacheUse {
  readonly hits: number;
  readonly misses: number;
}

export interface NodesRequest {
  readonly type: number;
  readonly references: Int32Array;
  /** Property indexes. */
  readonly select: readonly number[];
}

/** Row i answers `references[i]`. A node that is not visible (never upserted, removed, expired) has `visible[i]` 0 and no values. */
export interface NodeRows {
  readonly visible: Uint8Array;
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  /** `properties[s][i]` is the value of the s-th selected property. */
  readonly properties: readonly (readonly PropertyValue[])[];
}

export type Direction = "out" | "in";

export interface AdjacencyRequest {
  /** Index of the edge type. */
  readonly edge: number;
  readonly direction: Direction;
  readonly order: "latest" | "any";
  /** References of the records' nodes; `after` goes on behind a cursor (order latest only). */
  readonly records: readonly { readonly reference: number; readonly after?: AdjacencyCursor }[];
  /** Neighbours per record. */
  readonly limit: number;
  /** Edges looked at per record. */
  readonly scanMax: number;
  /** Bounds on the edge's last seen: since inclusive, until exclusive. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly where?: Filter;
  readonly select: readonly number[];
}

/** Goes on behind the edge with this last seen and neighbour id. */
export interface AdjacencyCursor {
  readonly lastSeenMs: number;
  readonly neighbour: string;
}

export interface AdjacencyBatch {
  /** Index in `records`. */
  readonly record: number;
  readonly count: number;
  readonly neighbours: Int32Array;
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  readonly properties: readonly (readonly PropertyValue[])[];
  /** Edges looked at for this batch. */
  readonly scanned: number;
  /** `limit`: the limit is met and more edges exist or may exist; `scan`: `scanMax` was reached; `complete`: no more. */
  readonly end?: "limit" | "scan" | "complete";
  /** With `limit` and `scan` under order latest: where to go on (the last edge looked at). */
  readonly cursor?: AdjacencyCursor;
}

export interface EdgeRequest {
  readonly edge: number;
  readonly from: string;
  readonly to: string;
  readonly select: readonly number[];
}

export interface EdgeRow {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly properties: readonly PropertyValue[];
}

export interface DegreesRequest {
  readonly edge: number;
  readonly direction: Direction;
  readonly references: Int32Array;
  /** Of edges last seen from `sinceMs` on and before `untilMs`: with the capability `timedDegrees` only. */
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly scanMax: number;
}

export interface Degree {
  readonly count: number;
  readonly exact: boolean;
}

export interface Difference {
  /** Name of the node or edge type. */
  readonly type: string;
  /** The element: a node's id, or an edge's `from -> to`. */
  readonly element: string;
  readonly what: string;
}

export type ScannedElement =
  | {
      readonly kind: "node";
      readonly type: number;
      readonly id: string;
      readonly firstSeenMs: number;
      readonly lastSeenMs: number;
      readonly properties: readonly PropertyValue[];
    }
  | {
      readonly kind: "edge";
      readonly type: number;
      readonly from: string;
      readonly to: string;
      readonly firstSeenMs: number;
      readonly lastSeenMs: number;
      readonly properties: readonly PropertyValue[];
    };

export interface StoreStatistics {
  /** By type name: elements held, visible or not. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly edges: Readonly<Record<string, number>>;
  readonly memoryBytes: number;
  readonly memoryMaxBytes: number;
}
