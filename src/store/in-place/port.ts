// The optional part of the store port for a store whose rows lie in this process's memory: they are read where they are, in one turn of the event loop,
// without promises, columns, or strings made of bytes. Whoever asks this way writes its answer while it reads.
//
// Promises, beside those of the port: everything is seen as it is in that turn, and nothing that is returned here may be kept beyond it. What is read is what a
// reader would have answered. Rows are references of port.ts.
import type { Filter, PropertyValue } from "../../model/filter.ts";
import type { Position } from "../../model/position.ts";

export interface GraphInPlace {
  /** The positions that the applied frames account for; the same object as long as they do not change. */
  readonly inputs: readonly Position[];
  /** By index in the definition. */
  readonly nodes: readonly NodesInPlace[];
  readonly edges: readonly ElementsInPlace[];
  /** Lists of edges that are read under one rule. */
  lists(request: ListsRequest): ListsInPlace;
}

/** All rows of a type. */
export interface ElementsInPlace {
  readonly properties: readonly PropertyInPlace[];
  /** Whether times of removal have to be looked at. */
  readonly hasRemovals: boolean;
  removedAtMs(row: number): number;
  firstSeenMs(row: number): number;
  lastSeenMs(row: number): number;
  /** Brings rows near, and what they refer to of these properties: the processor waits for all of them at once then. */
  warm(rows: Int32Array, count: number, select: readonly number[]): void;
}

export interface NodesInPlace extends ElementsInPlace {
  /** -1 where the id was never mentioned by any update. */
  find(id: string): number;
  isVisible(row: number, nowMs: number): boolean;
  readonly ids: PlacedBytes;
}

/** Bytes of one row at a time: `bytes[start, end)` after `place`. */
export interface PlacedBytes {
  place(row: number): void;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** What a row has of a property, as the states of model/update/batch.ts. A `last` value that is not newer than the row's removal is absent. */
interface Stated {
  stateOf(row: number, removedAtMs: number): number;
}

/** How values lie there; those of `number` are an enum's indexes, 0 and 1 for a boolean. Those of `text` are UTF-8, but nobody has proved it. */
export type PropertyInPlace =
  | { readonly form: "number"; readonly of: Stated & { number(row: number): number } }
  | { readonly form: "int64"; readonly of: Stated & { int64(row: number): number | bigint } }
  | { readonly form: "text"; readonly of: Stated & PlacedBytes }
  | { readonly form: "value"; readonly of: Stated & { read(row: number, removedAtMs: number): PropertyValue } };

export interface ListsRequest {
  /** Index of the edge type. */
  readonly edge: number;
  readonly direction: "out" | "in";
  /** Edges per list. */
  readonly limit: number;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly where?: Filter;
  /** What time it is for whoever asks. */
  readonly nowMs: number;
}

/** Goes on behind the edge with this last seen and neighbour id: port.ts's cursor. */
export interface EdgeCursor {
  readonly lastSeenMs: number;
  readonly neighbour: string;
}

/** Where edges are put. */
export interface EdgeColumns {
  count: number;
  /** Rows of the edges, and of the nodes that they lead to. */
  readonly edges: Int32Array;
  readonly neighbours: Int32Array;
  readonly lastSeenMs: Float64Array;
}

export interface ListsInPlace {
  /**
   * Appends one node's edges, newest first, until its end, its limit, `scanMax` edges looked at, or the end of the columns: what stopped it, as `end` of an
   * AdjacencyBatch says; `room` is the end of the columns.
   */
  read(reference: number, after: EdgeCursor | undefined, scanMax: number, into: EdgeColumns): ListEnd;
  /** Edges looked at by all reads. */
  readonly scanned: number;
  /** Where the last read stopped; undefined where it looked at nothing. */
  readonly cursor: EdgeCursor | undefined;
}

export type ListEnd = "complete" | "limit" | "scan" | "room";
