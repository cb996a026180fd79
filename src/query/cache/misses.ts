// What a read of adjacency does not find held: streamed by the store in one call, handed on batch by batch, and held from then on.
import { RdgError } from "../../core/errors.ts";
import type { AdjacencyBatch, AdjacencyRequest, StoreReader } from "../../store/port.ts";
import { type HeldElements, type Lease, headKey } from "./elements.ts";
import { HeadGathering } from "./heads.ts";
import type { References } from "./references.ts";
import type { SharedReads } from "./shared-reads.ts";

export interface MissesOptions {
  /** Its selection begins with what was asked for. */
  readonly request: AdjacencyRequest;
  /** Numbers of the records that are not held. */
  readonly missing: readonly number[];
  readonly here: References;
  readonly reader: StoreReader;
  readonly held: HeldElements;
  /** Where what is read is put, too. */
  readonly shared: SharedReads | undefined;
  /** Whether what is read may be held. */
  readonly fills: boolean;
  readonly sinceMs: number;
  readonly signal: AbortSignal;
}

/** Nothing is read before it is asked for. */
export class Misses {
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
    const { request, held, shared, sinceMs } = this.#options;
    this.#gathering ??= new HeadGathering(request.select);
    this.#gathering.add(batch, idOf);
    if (batch.end === undefined) return;
    const [key, lease] = this.#leases.get(batch.record)!;
    this.#leases.delete(batch.record);
    const head = this.#gathering.finish(batch.end, sinceMs);
    held.putHead(key, lease, head);
    shared?.putHead(request.edge, key, lease.readMs, head);
    this.#gathering = undefined;
  }

  async close(): Promise<void> {
    for (const [key, lease] of this.#leases.values()) this.#options.held.release(key, lease);
    await this.#stream?.return?.();
  }
}
