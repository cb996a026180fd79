// Hot path: the embedded store's rows as they lie in memory (store/in-place/port.ts), for answers that are written while they are read.
import type { Position } from "../../model/position.ts";
import type {
  EdgeColumns,
  ElementsInPlace,
  GraphInPlace,
  ListEnd,
  ListsInPlace,
  ListsRequest,
  NodesInPlace,
  PlacedBytes,
  PropertyInPlace,
} from "../in-place/port.ts";
import type { AdjacencyCursor } from "../port.ts";
import type { AdjacencyLists } from "./adjacency.ts";
import type { Applied } from "./applied.ts";
import { Counter } from "./counter.ts";
import type { EdgeType } from "./edge-type.ts";
import type { ElementType } from "./element-type.ts";
import { compileFilter, type EdgeTest } from "./filter.ts";
import type { Graph } from "./graph.ts";
import type { NodeType } from "./node-type.ts";
import type { Property } from "./property.ts";
import { entriesLeft, rowOfId } from "./reader.ts";
import { BytesRegister, Int64Register, NumberRegister } from "./registers.ts";

/** Rows of edges that are brought near before a filter looks at them, one after the other. */
const aheadMax = 32;
const ahead = new Uint32Array(aheadMax);
const aheadMs = new Float64Array(aheadMax);

export class EmbeddedInPlace implements GraphInPlace {
  readonly nodes: readonly NodesInPlace[];
  readonly edges: readonly ElementsInPlace[];
  readonly #graph: Graph;
  readonly #applied: Applied;

  constructor(graph: Graph, applied: Applied) {
    this.#graph = graph;
    this.#applied = applied;
    this.nodes = graph.nodes.map((type) => new Nodes(type));
    this.edges = graph.edges.map((type) => new Elements(type));
  }

  get inputs(): readonly Position[] {
    return this.#applied.inputs;
  }

  lists(request: ListsRequest): ListsInPlace {
    return new Lists(request, this.#graph.edges[request.edge]!);
  }
}

class Elements implements ElementsInPlace {
  readonly properties: readonly PropertyInPlace[];
  readonly #type: ElementType;

  constructor(type: ElementType) {
    this.#type = type;
    this.properties = type.properties.map((property, i) => inPlace(property, type, i));
  }

  get hasRemovals(): boolean {
    return this.#type.rows.removedCount > 0;
  }

  removedAtMs(row: number): number {
    return this.#type.rows.removedAtMs(row);
  }

  firstSeenMs(row: number): number {
    return this.#type.rows.firstSeenMs(row);
  }

  lastSeenMs(row: number): number {
    return this.#type.rows.lastSeenMs(row);
  }

  warm(rows: Int32Array, count: number, select: readonly number[]): void {
    this.#type.rows.approach(rows, count);
    for (const property of select) this.#type.properties[property]!.warm?.(rows, count);
  }
}

class Nodes extends Elements implements NodesInPlace {
  readonly ids: PlacedBytes;
  readonly #type: NodeType;

  constructor(type: NodeType) {
    super(type);
    this.#type = type;
    this.ids = new Ids(type);
  }

  find(id: string): number {
    return rowOfId(this.#type, id);
  }

  isVisible(row: number, nowMs: number): boolean {
    return this.#type.isVisible(row, nowMs);
  }

  override warm(rows: Int32Array, count: number, select: readonly number[]): void {
    super.warm(rows, count, select);
    this.#type.warmAll(rows, count);
  }
}

class Ids implements PlacedBytes {
  bytes: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  readonly #type: NodeType;

  constructor(type: NodeType) {
    this.#type = type;
  }

  place(row: number): void {
    this.#type.placeId(row, this);
  }
}

function inPlace(property: Property, { model }: ElementType, index: number): PropertyInPlace {
  if (property instanceof NumberRegister) return { form: "number", of: property };
  if (property instanceof Int64Register || property instanceof Counter) return { form: "int64", of: property };
  const isText = property instanceof BytesRegister && model.properties[index]!.type.kind === "string";
  return isText ? { form: "text", of: property } : { form: "value", of: property };
}

/** The lists of one edge type in one direction, under one rule. What it does for one list is what `Scan` of reader.ts does. */
class Lists implements ListsInPlace {
  scanned = 0;
  readonly #request: ListsRequest;
  readonly #edges: EdgeType;
  readonly #lists: AdjacencyLists;
  readonly #test: EdgeTest | undefined;
  readonly #unexpiredMs: number;
  #lookedMs = Number.NaN;
  #looked = 0;

  constructor(request: ListsRequest, edges: EdgeType) {
    const { direction, where, nowMs, sinceMs = -Infinity } = request;
    this.#request = request;
    this.#edges = edges;
    this.#lists = direction === "out" ? edges.out : edges.in;
    this.#test = where === undefined ? undefined : compileFilter(where, edges, this.#lists.neighbours, nowMs);
    this.#unexpiredMs = Math.max(sinceMs, nowMs - edges.ttlMs + 1);
  }

  get cursor(): AdjacencyCursor | undefined {
    if (Number.isNaN(this.#lookedMs)) return undefined;
    return { lastSeenMs: this.#lookedMs, neighbour: this.#lists.neighbours.id(this.#looked) };
  }

  read(reference: number, after: AdjacencyCursor | undefined, scanMax: number, into: EdgeColumns): ListEnd {
    const { limit, untilMs = Infinity } = this.#request;
    const test = this.#test;
    const { nodes, neighbours } = this.#lists;
    const { edges: edgeRows, neighbours: neighbourRows, lastSeenMs } = into;
    const { rows: neighbourRemovals } = neighbours;
    const hasRemovals = neighbourRemovals.removedCount > 0;
    const sinceMs = Math.max(this.#unexpiredMs, nodes.rows.removedAtMs(reference) + 1);
    const walk = this.#lists.walk(reference, entriesLeft(this.#lists, reference, untilMs, after));
    const room = edgeRows.length - into.count;
    const most = Math.min(limit, room);
    let { count } = into;
    let answered = 0;
    let scanned = 0;
    let near = 0;
    this.#lookedMs = Number.NaN;
    let more = walk.next() && walk.timeMs >= sinceMs;
    while (more && answered < most && scanned < scanMax) {
      if (test !== undefined && near-- === 0) {
        near = walk.ahead(ahead);
        this.#edges.rows.readFirstSeen(ahead, near, aheadMs);
      }
      const { timeMs, neighbour, edge } = walk;
      scanned++;
      if (!(hasRemovals && neighbourRemovals.removedAtMs(neighbour) >= timeMs) && (test?.(edge, neighbour) ?? true)) {
        edgeRows[count] = edge;
        neighbourRows[count] = neighbour;
        lastSeenMs[count++] = timeMs;
        answered++;
      }
      this.#lookedMs = timeMs;
      this.#looked = neighbour;
      more = walk.next() && walk.timeMs >= sinceMs;
    }
    into.count = count;
    this.scanned += scanned;
    if (!more) return "complete";
    if (answered >= limit) return "limit";
    return scanned >= scanMax ? "scan" : "room";
  }
}
