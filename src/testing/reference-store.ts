// A store made of objects and maps, written to be obviously right: the twin that real stores and traversals are tested against.
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { UpdateFrame } from "../log/port.ts";
import type { EdgeModel, GraphModel, NodeModel } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { Position } from "../model/position.ts";
import { type Element, mergeElements } from "../model/update/element.ts";
import { compareBytes } from "../model/update/encoded-value.ts";
import { isOpaque, valueOfAvro } from "../model/update/opaque-value.ts";
import { visibleElement } from "../model/update/oracle.ts";
import { type UpdateRow, updateRows } from "../model/update/rows.ts";
import type {
  AdjacencyBatch,
  AdjacencyCursor,
  AdjacencyRequest,
  AppliedPositions,
  Degree,
  DegreesRequest,
  Direction,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  ScannedElement,
  Store,
  StoreReader,
  StoreStatistics,
} from "../store/port.ts";
import { referenceFilter, type Seen } from "./reference-filter.ts";

const batchMax = 100;
/** Without prototype: a property may be called `constructor`. */
const noProperties: Element["properties"] = Object.create(null) as Element["properties"];

export interface ReferenceStoreOptions {
  readonly model: GraphModel;
  readonly clock: Clock;
}

export function referenceStore({ model, clock }: ReferenceStoreOptions): Store {
  return new ReferenceStore(model, clock);
}

interface Neighbour {
  readonly id: string;
  readonly edge: Seen;
  readonly node: Seen | undefined;
}

class ReferenceStore implements Store {
  readonly capabilities = {
    local: true,
    atomicPositions: true,
    exactDegrees: true,
    timedDegrees: true,
    filters: { edge: true, node: true },
  };
  readonly #model: GraphModel;
  readonly #clock: Clock;
  /** Per node type: element by id. Per edge type: element by from and to. */
  readonly #nodes: readonly Map<string, Element>[];
  readonly #edges: readonly Map<string, Map<string, Element>>[];
  /** Per node type: references of ids that were ever mentioned. */
  readonly #ids: readonly string[][];
  readonly #sources = new Map<string, number>();
  readonly #inputs = new Map<string, Position>();
  #closed = false;

  constructor(model: GraphModel, clock: Clock) {
    this.#model = model;
    this.#clock = clock;
    this.#nodes = model.nodes.map(() => new Map());
    this.#edges = model.edges.map(() => new Map());
    this.#ids = model.nodes.map(() => []);
  }

  async apply(frame: UpdateFrame): Promise<void> {
    this.#assertOpen();
    if (frame.offset <= (this.#sources.get(frame.source) ?? -1)) return;
    const batch = frame.updates();
    if (batch !== undefined) for (const element of updateRows(this.#model, batch)) this.#merge(element);
    this.#sources.set(frame.source, frame.offset);
    for (const input of frame.inputs) this.#inputs.set(JSON.stringify([input.topic, input.partition]), input);
  }

  async applied(): Promise<AppliedPositions> {
    return { sources: new Map(this.#sources), inputs: [...this.#inputs.values()] };
  }

  reader(): StoreReader {
    this.#assertOpen();
    return new ReferenceReader(this);
  }

  async *verify(): AsyncIterable<never> {}

  async *scan(): AsyncIterable<ScannedElement> {
    for (const [type, { properties }] of this.#model.nodes.entries()) {
      for (const id of this.#ids[type]!) {
        const seen = this.node(type, id);
        if (seen !== undefined) yield { kind: "node", type, id, ...rowOf(seen, properties.keys()) };
      }
    }
    for (const [type, { properties }] of this.#model.edges.entries()) {
      for (const [from, tos] of this.#edges[type]!) {
        for (const to of tos.keys()) {
          const seen = this.edge(type, from, to);
          if (seen !== undefined) yield { kind: "edge", type, from, to, ...rowOf(seen, properties.keys()) };
        }
      }
    }
  }

  async statistics(): Promise<StoreStatistics> {
    const sizeOf = (tos: Map<string, Map<string, Element>>): number =>
      [...tos.values()].reduce((sum, { size }) => sum + size, 0);
    return {
      nodes: Object.fromEntries(this.#model.nodes.map(({ name }, type) => [name, this.#nodes[type]!.size])),
      edges: Object.fromEntries(this.#model.edges.map(({ name }, type) => [name, sizeOf(this.#edges[type]!)])),
      memoryBytes: 0,
      memoryMaxBytes: 0,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  idsOf(type: number): string[] {
    return this.#ids[type]!;
  }

  typeOf(name: string): number {
    return this.#model.nodes.findIndex((node) => node.name === name);
  }

  edgeModel(edge: number): EdgeModel {
    return this.#model.edges[edge]!;
  }

  node(type: number, id: string): Seen | undefined {
    const model = this.#model.nodes[type]!;
    return this.#see(model, this.#nodes[type]!.get(id), []);
  }

  edge(type: number, from: string, to: string): Seen | undefined {
    const model = this.#model.edges[type]!;
    const ends = [this.#nodes[this.typeOf(model.from)]!.get(from), this.#nodes[this.typeOf(model.to)]!.get(to)];
    return this.#see(model, this.#edges[type]!.get(from)?.get(to), ends);
  }

  /** Visible neighbours, newest first, then by id. */
  neighbours(edge: number, direction: Direction, id: string): Neighbour[] {
    const model = this.#model.edges[edge]!;
    const pairs =
      direction === "out"
        ? [...(this.#edges[edge]!.get(id)?.keys() ?? [])].map((to) => [id, to] as const)
        : [...this.#edges[edge]!].filter(([, tos]) => tos.has(id)).map(([from]) => [from, id] as const);
    return pairs
      .flatMap(([from, to]): Neighbour[] => {
        const seen = this.edge(edge, from, to);
        const [neighbour, type] = direction === "out" ? [to, model.to] : [from, model.from];
        return seen === undefined ? [] : [{ id: neighbour, edge: seen, node: this.node(this.typeOf(type), neighbour) }];
      })
      .sort((a, b) => behind(a.edge.lastSeenMs, a.id, { lastSeenMs: b.edge.lastSeenMs, neighbour: b.id }));
  }

  #see(
    model: NodeModel | EdgeModel,
    element: Element | undefined,
    ends: readonly (Element | undefined)[],
  ): Seen | undefined {
    if (element === undefined) return undefined;
    const view = { nowMs: this.#clock.now(), ttlMs: model.ttlMs, endsRemovedAtMs: ends.map((end) => end?.removedAtMs) };
    const visible = visibleElement(model.properties, element, view);
    if (visible === undefined) return undefined;
    const values = model.properties.map(({ name, type }): PropertyValue => {
      const value = visible.properties[name];
      return isOpaque(type) && value instanceof Uint8Array ? valueOfAvro(type, value) : value;
    });
    return {
      firstSeenMs: visible.firstSeenMs,
      lastSeenMs: visible.lastSeenMs,
      properties: values,
      models: model.properties,
    };
  }

  #merge(element: UpdateRow): void {
    const models = element.kind === "node" ? this.#model.nodes : this.#model.edges;
    const type = models.findIndex(({ name }) => name === element.type);
    const { properties, ttlMs } = models[type]!;
    const key = element.kind === "node" ? element.id : element.to;
    const home = element.kind === "node" ? this.#nodes[type]! : this.#tosOf(type, element.from);
    const known = home.get(key) ?? { properties: noProperties };
    const overMs = ttlMs === undefined ? Infinity : (known.lastSeenMs ?? Infinity) + ttlMs + 2 * this.#model.latenessMs;
    const kept = (element.firstSeenMs ?? -Infinity) > overMs ? onlyRemoval(known) : known;
    home.set(key, mergeElements(properties, kept, element));
    if (element.kind === "node") this.#mention(type, element.id);
    else {
      this.#mention(this.typeOf(this.#model.edges[type]!.from), element.from);
      this.#mention(this.typeOf(this.#model.edges[type]!.to), element.to);
    }
  }

  #tosOf(type: number, from: string): Map<string, Element> {
    const tos = this.#edges[type]!.get(from) ?? new Map<string, Element>();
    this.#edges[type]!.set(from, tos);
    return tos;
  }

  #mention(type: number, id: string): void {
    if (!this.#ids[type]!.includes(id)) this.#ids[type]!.push(id);
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    throw new RdgError("closed", "store_closed", "The store is closed.", { hint: "Open it again." });
  }
}

/** An element that starts afresh keeps nothing but when it was last removed. */
function onlyRemoval({ removedAtMs }: Element): Element {
  return removedAtMs === undefined ? { properties: noProperties } : { removedAtMs, properties: noProperties };
}

function rowOf(seen: Seen, select: Iterable<number>): EdgeRow {
  return {
    firstSeenMs: seen.firstSeenMs,
    lastSeenMs: seen.lastSeenMs,
    properties: [...select].map((property) => seen.properties[property]),
  };
}

/** Positive when (lastSeenMs, id) comes behind the cursor in the order latest. */
function behind(lastSeenMs: number, id: string, cursor: AdjacencyCursor): number {
  return cursor.lastSeenMs - lastSeenMs || compareBytes(Buffer.from(id), Buffer.from(cursor.neighbour));
}

class ReferenceReader implements StoreReader {
  readonly #store: ReferenceStore;

  constructor(store: ReferenceStore) {
    this.#store = store;
  }

  async find(type: number, ids: readonly string[]): Promise<Int32Array> {
    return Int32Array.from(ids, (id) => this.#store.idsOf(type).indexOf(id));
  }

  id(type: number, reference: number): string {
    return this.#store.idsOf(type)[reference]!;
  }

  async nodes({ type, references, select }: NodesRequest): Promise<NodeRows> {
    const rows = Array.from(references, (reference) => this.#store.node(type, this.id(type, reference)));
    return {
      visible: Uint8Array.from(rows, (row) => (row === undefined ? 0 : 1)),
      firstSeenMs: Float64Array.from(rows, (row) => row?.firstSeenMs ?? 0),
      lastSeenMs: Float64Array.from(rows, (row) => row?.lastSeenMs ?? 0),
      properties: select.map((property) => rows.map((row) => row?.properties[property])),
    };
  }

  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    const { edge, direction, limit, scanMax, sinceMs = -Infinity, untilMs = Infinity, where, records } = request;
    const model = this.#store.edgeModel(edge);
    const [here, there] = (direction === "out" ? [model.from, model.to] : [model.to, model.from]).map((name) =>
      this.#store.typeOf(name),
    ) as [number, number];
    const matches = where === undefined ? () => true : referenceFilter(where);
    for (const [record, { reference, after }] of records.entries()) {
      signal.throwIfAborted();
      const all = this.#store
        .neighbours(edge, direction, this.id(here, reference))
        .filter(
          ({ id, edge: { lastSeenMs } }) =>
            lastSeenMs >= sinceMs && lastSeenMs < untilMs && (after === undefined || behind(lastSeenMs, id, after) > 0),
        );
      let found: Neighbour[] = [];
      let scanned = 0;
      let answered = 0;
      let taken = 0;
      while (scanned < all.length && scanned < scanMax && taken < limit) {
        const next = all[scanned++]!;
        if (!matches(next.edge, next.node)) continue;
        found.push(next);
        taken++;
        if (found.length === batchMax) {
          yield this.#batch(record, found, there, request.select, scanned - answered);
          answered = scanned;
          found = [];
        }
      }
      const last = all[scanned - 1];
      const cursor = last !== undefined && { cursor: { lastSeenMs: last.edge.lastSeenMs, neighbour: last.id } };
      const end = scanned === all.length ? "complete" : taken === limit ? "limit" : "scan";
      yield {
        ...this.#batch(record, found, there, request.select, scanned - answered),
        end,
        ...(end !== "complete" && cursor),
      };
    }
  }

  async edge({ edge, from, to, select }: EdgeRequest): Promise<EdgeRow | undefined> {
    const seen = this.#store.edge(edge, from, to);
    return seen === undefined ? undefined : rowOf(seen, select);
  }

  async degrees(request: DegreesRequest): Promise<readonly Degree[]> {
    const { edge, direction, references, sinceMs = -Infinity, untilMs = Infinity } = request;
    const model = this.#store.edgeModel(edge);
    const here = this.#store.typeOf(direction === "out" ? model.from : model.to);
    return Array.from(references, (reference) => ({
      count: this.#store
        .neighbours(edge, direction, this.id(here, reference))
        .filter(({ edge: { lastSeenMs } }) => lastSeenMs >= sinceMs && lastSeenMs < untilMs).length,
      exact: true,
    }));
  }

  close(): void {}

  #batch(
    record: number,
    found: readonly Neighbour[],
    there: number,
    select: readonly number[],
    scanned: number,
  ): AdjacencyBatch {
    const ids = this.#store.idsOf(there);
    return {
      record,
      count: found.length,
      neighbours: Int32Array.from(found, ({ id }) => ids.indexOf(id)),
      firstSeenMs: Float64Array.from(found, ({ edge }) => edge.firstSeenMs),
      lastSeenMs: Float64Array.from(found, ({ edge }) => edge.lastSeenMs),
      properties: select.map((property) => found.map(({ edge }) => edge.properties[property])),
      scanned,
    };
  }
}
