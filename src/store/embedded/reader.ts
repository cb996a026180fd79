// Reads for one request. References are rows of nodes: the store reuses none of them while a reader is open that may hold it.
//
// Lists are walked in place. Between batches a frame may change them: the walk goes on behind the last edge it looked at, by time and id, so no edge is answered
// twice; one that became newer meanwhile may be missed. The order `any` is the order latest: the lists are in that order, nothing is cheaper.
import type { Clock } from "../../core/clock.ts";
import { assert, RdgError } from "../../core/errors.ts";
import type { Slab } from "../../core/slab.ts";
import type { Turns } from "../../core/turns.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type {
  AdjacencyBatch,
  AdjacencyCursor,
  AdjacencyRequest,
  Degree,
  DegreesRequest,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  StoreReader,
} from "../port.ts";
import type { AdjacencyLists, ListWalk } from "./adjacency.ts";
import type { EdgeType } from "./edge-type.ts";
import type { ElementType } from "./element-type.ts";
import { compileFilter, type EdgeTest } from "./filter.ts";
import type { Graph } from "./graph.ts";
import type { NodeType } from "./node-type.ts";

const batchMax = 100;
/** Rows of edges that are brought near before a filter looks at them, one after the other. */
const aheadMax = 32;
const ahead = new Uint32Array(aheadMax);
const aheadMs = new Float64Array(aheadMax);
/** After so many edges looked at without an answer the event loop has its turn. */
const turnScans = 4096;

export class EmbeddedReader implements StoreReader {
  readonly #graph: Graph;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #slab: Slab;
  readonly #onClose: () => void;
  #open = true;

  constructor(graph: Graph, clock: Clock, turns: Turns, slab: Slab, onClose: () => void) {
    this.#graph = graph;
    this.#clock = clock;
    this.#turns = turns;
    this.#slab = slab;
    this.#onClose = onClose;
  }

  async find(type: number, ids: readonly string[]): Promise<Int32Array> {
    this.#assertOpen();
    const nodes = this.#graph.nodes[type]!;
    return Int32Array.from(ids, (id) => rowOfId(nodes, id));
  }

  id(type: number, reference: number): string {
    return this.#graph.nodes[type]!.id(reference);
  }

  async nodes({ type, references, select }: NodesRequest): Promise<NodeRows> {
    this.#assertOpen();
    const nodes = this.#graph.nodes[type]!;
    const nowMs = this.#clock.now();
    const { length } = references;
    const visible = this.#slab.bytes(length);
    const firstSeenMs = this.#slab.doubles(length);
    const lastSeenMs = this.#slab.doubles(length);
    for (let i = 0; i < length; i++) {
      const row = references[i]!;
      if (row < 0 || !nodes.isVisible(row, nowMs)) continue;
      visible[i] = 1;
      firstSeenMs[i] = nodes.rows.firstSeenMs(row);
      lastSeenMs[i] = nodes.rows.lastSeenMs(row);
    }
    const properties = select.map((property) => columnOf(nodes, property, references, length, visible));
    return { visible, firstSeenMs, lastSeenMs, properties };
  }

  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    this.#assertOpen();
    const edges = this.#graph.edges[request.edge]!;
    const scan = new Scan(request, edges, this.#clock.now(), this.#slab);
    for (let record = 0; record < request.records.length; record++) {
      scan.begin(record);
      while (!scan.isDone) {
        signal.throwIfAborted();
        const batch = scan.next();
        if (batch !== undefined) yield batch;
        else await this.#turns.next();
        this.#assertOpen();
      }
    }
  }

  async edge({ edge, from, to, select }: EdgeRequest): Promise<EdgeRow | undefined> {
    this.#assertOpen();
    const edges = this.#graph.edges[edge]!;
    const fromRow = rowOfId(edges.from, from);
    const toRow = rowOfId(edges.to, to);
    const row = fromRow < 0 || toRow < 0 ? -1 : edges.find(fromRow, toRow);
    if (row < 0 || !edges.isSeen(row, this.#clock.now())) return undefined;
    return elementRow(edges, row, select);
  }

  async degrees(request: DegreesRequest): Promise<readonly Degree[]> {
    this.#assertOpen();
    const { edge, direction, references } = request;
    const edges = this.#graph.edges[edge]!;
    const lists = direction === "out" ? edges.out : edges.in;
    const nowMs = this.#clock.now();
    return Array.from(references, (node) =>
      node < 0 ? { count: 0, exact: true } : degreeOf(lists, edges, node, nowMs, request),
    );
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#onClose();
  }

  #assertOpen(): void {
    if (this.#open) return;
    throw new RdgError("closed", "reader_closed", "The reader is closed.", { hint: "Open a reader per request." });
  }
}

/** The walk over the records of one adjacency request. */
class Scan {
  isDone = false;
  readonly #request: AdjacencyRequest;
  readonly #edges: EdgeType;
  readonly #lists: AdjacencyLists;
  readonly #test: EdgeTest | undefined;
  readonly #unexpiredMs: number;
  /** Rows of the batch that is being gathered. */
  readonly #rows: Uint32Array;
  readonly #times: Float64Array;
  readonly #neighbours: Int32Array;
  readonly #slab: Slab;
  #record = 0;
  #node = 0;
  #sinceMs = 0;
  #after: AdjacencyCursor | undefined;
  #scanned = 0;
  #answered = 0;
  #count = 0;
  /** Edges looked at since the last batch. */
  #fresh = 0;

  constructor(request: AdjacencyRequest, edges: EdgeType, nowMs: number, slab: Slab) {
    const { direction, where, sinceMs = -Infinity } = request;
    this.#request = request;
    this.#edges = edges;
    this.#slab = slab;
    this.#rows = slab.words(batchMax);
    this.#times = slab.doubles(batchMax);
    this.#neighbours = slab.integers(batchMax);
    this.#lists = direction === "out" ? edges.out : edges.in;
    this.#test = where === undefined ? undefined : compileFilter(where, edges, this.#lists.neighbours, nowMs);
    this.#unexpiredMs = Math.max(sinceMs, nowMs - edges.ttlMs + 1);
  }

  begin(record: number): void {
    const { reference, after } = this.#request.records[record]!;
    this.#record = record;
    this.#node = reference;
    this.#after = after;
    this.#scanned = 0;
    this.#answered = 0;
    this.#fresh = 0;
    this.isDone = false;
  }

  /** The next batch; undefined when the walk should give way before it goes on. */
  next(): AdjacencyBatch | undefined {
    const { limit, scanMax } = this.#request;
    if (this.#node < 0) return this.#batch("complete");
    this.#sinceMs = Math.max(this.#unexpiredMs, this.#lists.nodes.rows.removedAtMs(this.#node) + 1);
    const { untilMs = Infinity } = this.#request;
    const walk = this.#lists.walk(this.#node, entriesLeft(this.#lists, this.#node, untilMs, this.#after));
    const turnEnd = this.#scanned + turnScans;
    let more = walk.next() && walk.timeMs >= this.#sinceMs;
    let lookedMs = Number.NaN;
    let looked = 0;
    let near = 0;
    while (more && this.#count < batchMax && this.#answered < limit && this.#scanned < Math.min(scanMax, turnEnd)) {
      if (this.#test !== undefined && near-- === 0) {
        near = walk.ahead(ahead);
        this.#edges.rows.readFirstSeen(ahead, near, aheadMs);
      }
      this.#look(walk);
      lookedMs = walk.timeMs;
      looked = walk.neighbour;
      more = walk.next() && walk.timeMs >= this.#sinceMs;
    }
    if (!more) return this.#batch("complete");
    if (!Number.isNaN(lookedMs)) this.#after = { lastSeenMs: lookedMs, neighbour: this.#lists.neighbours.id(looked) };
    if (this.#answered >= limit) return this.#batch("limit");
    if (this.#scanned >= scanMax) return this.#batch("scan");
    return this.#count > 0 ? this.#batch() : undefined;
  }

  #look(walk: ListWalk): void {
    this.#scanned++;
    this.#fresh++;
    if (this.#lists.neighbours.rows.removedAtMs(walk.neighbour) >= walk.timeMs) return;
    if (this.#test !== undefined && !this.#test(walk.edge, walk.neighbour)) return;
    this.#rows[this.#count] = walk.edge;
    this.#times[this.#count] = walk.timeMs;
    this.#neighbours[this.#count++] = walk.neighbour;
    this.#answered++;
  }

  #batch(end?: "limit" | "scan" | "complete"): AdjacencyBatch {
    const count = this.#count;
    const firstSeenMs = this.#slab.doubles(count);
    const lastSeenMs = this.#slab.doubles(count);
    const neighbours = this.#slab.integers(count);
    this.#edges.rows.readFirstSeen(this.#rows, count, firstSeenMs);
    this.#lists.neighbours.warm(this.#neighbours, count);
    for (let i = 0; i < count; i++) {
      lastSeenMs[i] = this.#times[i]!;
      neighbours[i] = this.#neighbours[i]!;
    }
    const properties = this.#request.select.map((property) => columnOf(this.#edges, property, this.#rows, count));
    const scanned = this.#fresh;
    this.#count = 0;
    this.#fresh = 0;
    this.isDone = end !== undefined;
    const batch = { record: this.#record, count, neighbours, firstSeenMs, lastSeenMs, properties, scanned };
    if (end === undefined) return batch;
    return end === "complete" || this.#after === undefined ? { ...batch, end } : { ...batch, end, cursor: this.#after };
  }
}

/** Entries of the list that are neither behind the upper bound nor looked at yet. */
export function entriesLeft(
  lists: AdjacencyLists,
  node: number,
  untilMs: number,
  after: AdjacencyCursor | undefined,
): number {
  if (after !== undefined && after.lastSeenMs < untilMs) {
    return lists.countBefore(node, after.lastSeenMs, Buffer.from(after.neighbour));
  }
  return untilMs === Infinity ? lists.size(node) : lists.countBefore(node, untilMs);
}

/** The row of the id, or -1. An id with a lone surrogate is nobody's, though its bytes would read as another's. */
export function rowOfId(nodes: NodeType, id: string): number {
  if (!id.isWellFormed()) return -1;
  const bytes = Buffer.from(id);
  return nodes.find(bytes, 0, bytes.length);
}

/** One property of these rows; rows that are not visible have none. Column by column, so that the processor waits for many rows at once. */
function columnOf(
  type: ElementType,
  property: number,
  rows: Uint32Array | Int32Array,
  count: number,
  visible?: Uint8Array,
): PropertyValue[] {
  const held = type.properties[property];
  assert(held !== undefined, `Type "${type.model.name}" has no property ${property}.`);
  held.warm?.(rows, count);
  const values: PropertyValue[] = [];
  const hasRemovals = type.rows.removedCount > 0;
  for (let i = 0; i < count; i++) {
    const row = rows[i]!;
    if (visible !== undefined && visible[i] === 0) values.push(undefined);
    else values.push(held.read(row, hasRemovals ? type.rows.removedAtMs(row) : -Infinity));
  }
  return values;
}

/** The times and selected properties of one visible element. */
export function elementRow(type: ElementType, row: number, select: readonly number[]): EdgeRow {
  const removedAtMs = type.rows.removedAtMs(row);
  return {
    firstSeenMs: type.rows.firstSeenMs(row),
    lastSeenMs: type.rows.lastSeenMs(row),
    properties: select.map((property) => type.properties[property]!.read(row, removedAtMs)),
  };
}

/**
 * Edges that neither are expired nor were hidden by their own node's removal are the newest of its list, and those within bounds in time lie together; only a
 * neighbour's removal needs a look at each.
 */
function degreeOf(
  lists: AdjacencyLists,
  edges: EdgeType,
  node: number,
  nowMs: number,
  { sinceMs: askedMs = -Infinity, untilMs = Infinity, scanMax }: DegreesRequest,
): Degree {
  const sinceMs = Math.max(askedMs, Math.max(nowMs - edges.ttlMs, lists.nodes.rows.removedAtMs(node)) + 1);
  const size = untilMs === Infinity ? lists.size(node) : lists.countBefore(node, untilMs);
  const count = sinceMs === -Infinity ? size : Math.max(0, size - lists.countBefore(node, sinceMs));
  if (lists.neighbours.rows.removedCount === 0) return { count, exact: true };
  const walk = lists.walk(node, size);
  let seen = 0;
  for (let i = 0; i < Math.min(count, scanMax); i++) {
    walk.next();
    if (lists.neighbours.rows.removedAtMs(walk.neighbour) < walk.timeMs) seen++;
  }
  return { count: seen, exact: count <= scanMax };
}
