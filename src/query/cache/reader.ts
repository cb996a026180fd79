// Reads for one request through a cache: what is held is answered from there, the rest by the store, in one call for all that is missing.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  CacheUse,
  Degree,
  DegreesRequest,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  StoreReader,
} from "../../store/port.ts";
import { type HeldElements, type HeldHead, type HeldNode, type Lease, headKey, nodeKey } from "./elements.ts";
import { type HeadAnswer, HeadGathering, answerOf, batchesOf, readsHead } from "./heads.ts";
import { References } from "./references.ts";

export class CachedReader implements StoreReader {
  readonly cached: CacheUse = { hits: 0, misses: 0 };
  readonly #held: HeldElements;
  readonly #model: GraphModel;
  readonly #clock: Clock;
  readonly #reader: StoreReader;
  readonly #references: readonly References[];
  #open = true;

  constructor(held: HeldElements, model: GraphModel, clock: Clock, reader: StoreReader) {
    this.#held = held;
    this.#model = model;
    this.#clock = clock;
    this.#reader = reader;
    this.#references = model.nodes.map((_, type) => new References(type, reader));
  }

  async find(type: number, ids: readonly string[], signal: AbortSignal): Promise<Int32Array> {
    this.#assertOpen();
    const references = this.#references[type]!;
    const found = new Int32Array(ids.length).fill(-1);
    const missing: number[] = [];
    for (const [i, id] of ids.entries()) {
      const node = this.#held.node(type, id);
      if (node === undefined) missing.push(i);
      else if (node.mentioned) found[i] = references.ofId(id);
    }
    if (missing.length === 0) return found;
    const inner = await references.inner(
      missing.map((i) => references.ofId(ids[i]!)),
      signal,
    );
    for (const [m, i] of missing.entries()) if (inner[m]! >= 0) found[i] = references.ofId(ids[i]!);
    return found;
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
    const missing: number[] = [];
    const wanted = new Set(select);
    let hits = 0;
    for (let i = 0; i < length; i++) {
      if (references[i]! < 0) continue;
      const node = this.#held.node(type, this.id(type, references[i]!));
      if (node !== undefined && (!node.visible || select.every((property) => node.properties.has(property)))) {
        putRow(rows, i, node, select);
        hits++;
        continue;
      }
      missing.push(i);
      // What is held and what is missing are read together: a node of two moments would be none that ever was.
      for (const property of node?.properties.keys() ?? []) wanted.add(property);
    }
    this.#count(this.#held.nodeUse, hits, missing.length);
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
    const leases = missing.map((i): readonly [string, Lease] => {
      const key = nodeKey(type, this.id(type, references[i]!));
      return [key, this.#held.lease(key)];
    });
    try {
      const own = missing.map((i) => references[i]!);
      const inner = await this.#references[type]!.inner(own, signal);
      const read = await this.#reader.nodes({ type, references: inner, select: wanted }, signal);
      const { ttlMs = Infinity } = this.#model.nodes[type]!;
      for (const [m, i] of missing.entries()) {
        const visible = read.visible[m] === 1;
        const node = {
          mentioned: inner[m]! >= 0,
          visible,
          firstSeenMs: read.firstSeenMs[m]!,
          lastSeenMs: read.lastSeenMs[m]!,
          properties: new Map(visible ? wanted.map((property, column) => [property, read.properties[column]![m]]) : []),
          expiresMs: visible ? read.lastSeenMs[m]! + ttlMs : Infinity,
        };
        putRow(rows, i, node, select);
        this.#held.putNode(...leases[m]!, node);
      }
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
    const found: ({ readonly head: HeldHead; readonly answer: HeadAnswer } | undefined)[] = [];
    const missing: number[] = [];
    const wanted = new Set(select);
    for (const [record, { reference }] of records.entries()) {
      const head = cacheable ? this.#held.head(edge, direction, this.id(here, reference)) : undefined;
      const answer = head && answerOf(head, request, sinceMs);
      found.push(head && answer && { head, answer });
      if (answer !== undefined) continue;
      missing.push(record);
      for (const property of head?.properties.keys() ?? []) wanted.add(property);
    }
    if (cacheable) this.#count(this.#held.adjacencyUse, records.length - missing.length, missing.length);
    const misses = new Misses({
      request: { ...request, select: [...wanted] },
      missing,
      here: this.#references[here]!,
      reader: this.#reader,
      held: this.#held,
      fills: cacheable && request.untilMs === undefined,
      sinceMs,
      signal,
    });
    try {
      for (const [record, held] of found.entries()) {
        signal.throwIfAborted();
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

  #count(use: { hits: number; misses: number }, hits: number, misses: number): void {
    const own = this.cached as { hits: number; misses: number };
    own.hits += hits;
    own.misses += misses;
    use.hits += hits;
    use.misses += misses;
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

function putRow(rows: MutableRows, row: number, node: Omit<HeldNode, "readMs">, select: readonly number[]): void {
  if (!node.visible) return;
  rows.visible[row] = 1;
  rows.firstSeenMs[row] = node.firstSeenMs;
  rows.lastSeenMs[row] = node.lastSeenMs;
  for (const [column, property] of select.entries()) rows.properties[column]![row] = node.properties.get(property);
}

interface MissesOptions {
  /** Its selection begins with what was asked for. */
  readonly request: AdjacencyRequest;
  /** Numbers of the records that are not held. */
  readonly missing: readonly number[];
  readonly here: References;
  readonly reader: StoreReader;
  readonly held: HeldElements;
  /** Whether what is read may be held. */
  readonly fills: boolean;
  readonly sinceMs: number;
  readonly signal: AbortSignal;
}

/** What is not held, streamed by the store in one call, and held from then on. Nothing is read before it is asked for. */
class Misses {
  readonly #options: MissesOptions;
  #stream: AsyncIterator<AdjacencyBatch> | undefined;
  /** Of the records that are not finished, by key. */
  readonly #leases = new Map<number, readonly [string, Lease]>();
  #gathering: HeadGathering | undefined;

  constructor(options: MissesOptions) {
    this.#options = options;
  }

  /** The next batch, its neighbours by the references of `neighbours`. */
  async next(neighbours: References): Promise<AdjacencyBatch> {
    this.#stream ??= await this.#begin();
    const { value, done } = await this.#stream.next();
    if (done === true) {
      throw new RdgError("internal", "records_missing", "The store ended a stream before all records had their end.", {
        hint: "The store does not keep its contract. Please report this.",
      });
    }
    const references = new Int32Array(value.count);
    for (let i = 0; i < value.count; i++) references[i] = neighbours.ofInner(value.neighbours[i]!);
    if (this.#options.fills) this.#gather(value, (row) => neighbours.id(references[row]!));
    return { ...value, neighbours: references };
  }

  async #begin(): Promise<AsyncIterator<AdjacencyBatch>> {
    const { request, missing, here, reader, held, fills, signal } = this.#options;
    const records = missing.map((record) => request.records[record]!);
    if (fills) {
      for (const [m, { reference }] of records.entries()) {
        const key = headKey(request.edge, request.direction, here.id(reference));
        this.#leases.set(m, [key, held.lease(key)]);
      }
    }
    const inner = await here.inner(
      records.map(({ reference }) => reference),
      signal,
    );
    const asked = records.map((record, m) => ({ ...record, reference: inner[m]! }));
    return reader.adjacency({ ...request, records: asked }, signal)[Symbol.asyncIterator]();
  }

  #gather(batch: AdjacencyBatch, idOf: (row: number) => string): void {
    const { request, held, sinceMs } = this.#options;
    this.#gathering ??= new HeadGathering(request.select);
    this.#gathering.add(batch, idOf);
    if (batch.end === undefined) return;
    const lease = this.#leases.get(batch.record)!;
    this.#leases.delete(batch.record);
    held.putHead(...lease, this.#gathering.finish(batch.end, sinceMs));
    this.#gathering = undefined;
  }

  async close(): Promise<void> {
    for (const [key, lease] of this.#leases.values()) this.#options.held.release(key, lease);
    await this.#stream?.return?.();
  }
}
