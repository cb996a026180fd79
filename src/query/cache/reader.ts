// Reads for one request through a cache: what is held is answered from there, the rest by the store, in one call for all that is missing.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  Degree,
  DegreesRequest,
  Direction,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  StoreReader,
} from "../../store/port.ts";
import { type HeldElements, type HeldNode, type Lease, headKey, nodeKey } from "./elements.ts";
import type { SharedHead, SharedNode } from "./entry-codec.ts";
import { type HeadAnswer, answerOf, batchesOf, readsHead } from "./heads.ts";
import { Misses } from "./misses.ts";
import { References } from "./references.ts";
import type { SharedReads } from "./shared-reads.ts";

/** An id that no update has ever mentioned. */
const unmentioned: SharedNode = {
  mentioned: false,
  visible: false,
  firstSeenMs: 0,
  lastSeenMs: 0,
  properties: new Map(),
};

export interface CachedReaderOptions {
  readonly held: HeldElements;
  /** What the second tier answers to this request. */
  readonly shared: SharedReads | undefined;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly reader: StoreReader;
}

export class CachedReader implements StoreReader {
  readonly cached = { hits: 0, misses: 0 };
  readonly #held: HeldElements;
  readonly #shared: SharedReads | undefined;
  readonly #model: GraphModel;
  readonly #clock: Clock;
  readonly #reader: StoreReader;
  readonly #references: readonly References[];
  #open = true;

  constructor({ held, shared, model, clock, reader }: CachedReaderOptions) {
    this.#held = held;
    this.#shared = shared;
    this.#model = model;
    this.#clock = clock;
    this.#reader = reader;
    this.#references = model.nodes.map((_, type) => new References(type, reader));
  }

  async find(type: number, ids: readonly string[], signal: AbortSignal): Promise<Int32Array> {
    this.#assertOpen();
    const references = this.#references[type]!;
    const found = new Int32Array(ids.length).fill(-1);
    const tell = (node: SharedNode | undefined, i: number): boolean => {
      if (node?.mentioned === true) found[i] = references.ofId(ids[i]!);
      return node !== undefined;
    };
    let missing = [...ids.keys()].filter((i) => !tell(this.#held.node(type, ids[i]!), i));
    const shared = await this.#sharedNodes(
      type,
      missing.map((i) => ids[i]!),
    );
    missing = missing.filter((i, m) => !tell(shared[m], i));
    if (missing.length === 0) return found;
    const leases = missing.map((i) => this.#lease(nodeKey(type, ids[i]!)));
    try {
      const own = missing.map((i) => references.ofId(ids[i]!));
      const inner = await references.inner(own, signal);
      const put: (readonly [string, Lease, SharedNode])[] = [];
      for (const [m, i] of missing.entries()) {
        if (inner[m]! >= 0) found[i] = own[m]!;
        else put.push([...leases[m]!, unmentioned]);
      }
      this.#put(type, put);
    } finally {
      for (const [key, lease] of leases) this.#held.release(key, lease);
    }
    return found;
  }

  #lease(key: string): readonly [string, Lease] {
    return [key, this.#held.lease(key)];
  }

  /** What was read of the store: for this process and for all others. */
  #put(type: number, nodes: readonly (readonly [string, Lease, SharedNode])[]): void {
    for (const [key, lease, node] of nodes) {
      this.#held.putNode(key, lease, { ...node, expiresMs: this.#expiryOf(type, node) });
    }
    this.#shared?.putNodes(
      type,
      nodes.map(([key, { readMs }, node]) => ({ key, readMs, node })),
    );
  }

  #expiryOf(type: number, { visible, lastSeenMs }: SharedNode): number {
    return visible ? lastSeenMs + (this.#model.nodes[type]!.ttlMs ?? Infinity) : Infinity;
  }

  /** What the second tier has of them, held here from now on. */
  async #sharedNodes(type: number, ids: readonly string[]): Promise<readonly (HeldNode | undefined)[]> {
    if (this.#shared === undefined || ids.length === 0) return [];
    const leases = ids.map((id) => this.#lease(nodeKey(type, id)));
    try {
      const found = await this.#shared.nodes(leases.map(([key]) => key));
      return found.map((shared, i) => {
        if (shared === undefined) return undefined;
        const node = { ...shared, expiresMs: this.#expiryOf(type, shared) };
        if (this.#clock.now() >= node.expiresMs) return undefined;
        this.#held.putNode(...leases[i]!, node, shared.readMs);
        return node;
      });
    } finally {
      for (const [key, lease] of leases) this.#held.release(key, lease);
    }
  }

  async #sharedHeads(
    edge: number,
    direction: Direction,
    ids: readonly string[],
  ): Promise<readonly (SharedHead | undefined)[]> {
    if (this.#shared === undefined || ids.length === 0) return [];
    const leases = ids.map((id) => this.#lease(headKey(edge, direction, id)));
    try {
      const found = await this.#shared.heads(leases.map(([key]) => key));
      for (const [i, head] of found.entries()) {
        if (head !== undefined) this.#held.putHead(...leases[i]!, head, head.readMs);
      }
      return found;
    } finally {
      for (const [key, lease] of leases) this.#held.release(key, lease);
    }
  }

  id(type: number, reference: number): string {
    return this.#references[type]!.id(reference);
  }

  async nodes({ type, references, select }: NodesRequest, signal: AbortSignal): Promise<NodeRows> {
    this.#assertOpen();
    const { length } = references;
    const rows = {
      visible: new Uint8Array(length),
      firstSeenMs: new Float64Array(length),
      lastSeenMs: new Float64Array(length),
      properties: select.map(() => new Array<PropertyValue>(length).fill(undefined)),
    };
    const wanted = new Set(select);
    const tell = (node: SharedNode | undefined, i: number): boolean => {
      if (node !== undefined && (!node.visible || select.every((property) => node.properties.has(property)))) {
        putRow(rows, i, node, select);
        return true;
      }
      // What is held and what is missing are read together: a node of two moments would be none that ever was.
      for (const property of node?.properties.keys() ?? []) wanted.add(property);
      return false;
    };
    const asked = [...references.keys()].filter((i) => references[i]! >= 0);
    let missing = asked.filter((i) => !tell(this.#held.node(type, this.id(type, references[i]!)), i));
    count(this.#held.nodeUse, asked.length, missing.length);
    const shared = await this.#sharedNodes(
      type,
      missing.map((i) => this.id(type, references[i]!)),
    );
    missing = missing.filter((i, m) => !tell(shared[m], i));
    count(this.cached, asked.length, missing.length);
    if (missing.length > 0) await this.#readNodes(type, references, missing, [...wanted], rows, select, signal);
    return rows;
  }

  async #readNodes(
    type: number,
    references: Int32Array,
    missing: readonly number[],
    wanted: readonly number[],
    rows: MutableRows,
    select: readonly number[],
    signal: AbortSignal,
  ): Promise<void> {
    const leases = missing.map((i) => this.#lease(nodeKey(type, this.id(type, references[i]!))));
    try {
      const own = missing.map((i) => references[i]!);
      const inner = await this.#references[type]!.inner(own, signal);
      const read = await this.#reader.nodes({ type, references: inner, select: wanted }, signal);
      const put = missing.map((i, m): readonly [string, Lease, SharedNode] => {
        const visible = read.visible[m] === 1;
        const node = {
          mentioned: inner[m]! >= 0,
          visible,
          firstSeenMs: read.firstSeenMs[m]!,
          lastSeenMs: read.lastSeenMs[m]!,
          properties: new Map(visible ? wanted.map((property, column) => [property, read.properties[column]![m]]) : []),
        };
        putRow(rows, i, node, select);
        return [...leases[m]!, node];
      });
      this.#put(type, put);
    } finally {
      for (const [key, lease] of leases) this.#held.release(key, lease);
    }
  }

  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    this.#assertOpen();
    const { edge, direction, records, select } = request;
    const { from, to, ttlMs = Infinity } = this.#model.edges[edge]!;
    const [here, there] = (direction === "out" ? [from, to] : [to, from]).map((name) =>
      this.#model.nodes.findIndex((node) => node.name === name),
    ) as [number, number];
    const neighbours = this.#references[there]!;
    const sinceMs = Math.max(request.sinceMs ?? -Infinity, this.#clock.now() - ttlMs + 1);
    const cacheable = readsHead(request);
    const found = new Map<number, { readonly head: SharedHead; readonly answer: HeadAnswer }>();
    const wanted = new Set(select);
    const take = (head: SharedHead | undefined, record: number): boolean => {
      const answer = head && answerOf(head, request, sinceMs);
      if (answer !== undefined) found.set(record, { head: head!, answer });
      else for (const property of head?.properties.keys() ?? []) wanted.add(property);
      return answer !== undefined;
    };
    let missing = [...records.keys()];
    if (cacheable) {
      const idOf = (record: number): string => this.id(here, records[record]!.reference);
      missing = missing.filter((record) => !take(this.#held.head(edge, direction, idOf(record)), record));
      count(this.#held.adjacencyUse, records.length, missing.length);
      const shared = await this.#sharedHeads(edge, direction, missing.map(idOf));
      missing = missing.filter((record, m) => !take(shared[m], record));
      count(this.cached, records.length, missing.length);
    }
    const misses = new Misses({
      request: { ...request, select: [...wanted] },
      missing,
      here: this.#references[here]!,
      reader: this.#reader,
      held: this.#held,
      shared: this.#shared,
      fills: cacheable && request.untilMs === undefined,
      sinceMs,
      signal,
    });
    try {
      for (const record of records.keys()) {
        signal.throwIfAborted();
        const held = found.get(record);
        if (held !== undefined) {
          yield* batchesOf(held.head, held.answer, record, select, (id) => neighbours.ofId(id));
          continue;
        }
        for (;;) {
          const batch = await misses.next(neighbours);
          this.#assertOpen();
          yield { ...batch, record, properties: batch.properties.slice(0, select.length) };
          if (batch.end !== undefined) break;
        }
      }
    } finally {
      await misses.close();
    }
  }

  async edge(request: EdgeRequest, signal: AbortSignal): Promise<EdgeRow | undefined> {
    this.#assertOpen();
    return this.#reader.edge(request, signal);
  }

  async degrees(request: DegreesRequest, signal: AbortSignal): Promise<readonly Degree[]> {
    this.#assertOpen();
    const { from, to } = this.#model.edges[request.edge]!;
    const here = this.#model.nodes.findIndex(({ name }) => name === (request.direction === "out" ? from : to));
    const references = await this.#references[here]!.inner([...request.references], signal);
    return this.#reader.degrees({ ...request, references }, signal);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reader.close();
  }

  #assertOpen(): void {
    if (this.#open) return;
    throw new RdgError("closed", "reader_closed", "The reader is closed.", { hint: "Open a reader per request." });
  }
}

interface MutableRows {
  readonly visible: Uint8Array;
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  readonly properties: PropertyValue[][];
}

function count(use: { hits: number; misses: number }, asked: number, missing: number): void {
  use.hits += asked - missing;
  use.misses += missing;
}

function putRow(rows: MutableRows, row: number, node: SharedNode, select: readonly number[]): void {
  if (!node.visible) return;
  rows.visible[row] = 1;
  rows.firstSeenMs[row] = node.firstSeenMs;
  rows.lastSeenMs[row] = node.lastSeenMs;
  for (const [column, property] of select.entries()) rows.properties[column]![row] = node.properties.get(property);
}
