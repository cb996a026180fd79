// A store with a serving cache before it. Every read of it answers what the store would have answered at some moment since the entry was read:
//  - a local store's own updates come through here and make void what they change, so answers are those of the store;
//  - elsewhere entries are held for a bounded time, and `applied` tells of the positions that even the oldest entry has seen. There other processes' entries
//    may be used, too: those that have seen as much.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { UpdateFrame } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { NodeColumns, UpdateBatch } from "../../model/update/batch.ts";
import type {
  AppliedPositions,
  Difference,
  ReaderOptions,
  ScannedElement,
  Store,
  StoreCapabilities,
  StoreReader,
  StoreStatistics,
} from "../../store/port.ts";
import { type CacheFigures, HeldElements, headKey, nodeKey } from "./elements.ts";
import { CachedReader } from "./reader.ts";
import { SeenPositions } from "./seen-positions.ts";
import { SharedElements, type SharedElementsOptions, type SharedFigures } from "./shared-reads.ts";

export interface CacheOptions {
  readonly store: Store;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly bytesMax: number;
  /** For how long entries of a store that is not local are used. */
  readonly ttlMs: number;
  /** For a store that is elsewhere: what its serving processes share. */
  readonly tier?: TierUse;
}

export type TierUse = Pick<SharedElementsOptions, "tier" | "prefix" | "valueBytesMax" | "budgetMs">;

export class CachedStore implements Store {
  readonly capabilities: StoreCapabilities;
  readonly #store: Store;
  readonly #model: GraphModel;
  readonly #clock: Clock;
  readonly #held: HeldElements;
  readonly #positions: SeenPositions | undefined;
  readonly #shared: SharedElements | undefined;

  constructor({ store, model, clock, bytesMax, ttlMs, tier }: CacheOptions) {
    this.capabilities = store.capabilities;
    this.#store = store;
    this.#model = model;
    this.#clock = clock;
    const isLocal = store.capabilities.local === true;
    this.#held = new HeldElements(clock, bytesMax, isLocal ? Infinity : ttlMs);
    this.#positions = isLocal ? undefined : new SeenPositions(clock, ttlMs);
    if (tier === undefined) return;
    if (this.#positions === undefined) {
      throw new RdgError("invalid", "tier_of_local_store", "A store in this process's memory needs no second tier.", {
        hint: "Leave the setting cache.url empty.",
      });
    }
    this.#shared = new SharedElements({ ...tier, positions: this.#positions, model, clock });
  }

  get figures(): CacheFigures {
    return this.#held.figures;
  }

  /** Of the second tier. */
  get sharedFigures(): SharedFigures | undefined {
    return this.#shared?.figures;
  }

  async apply(frame: UpdateFrame): Promise<void> {
    let batch: UpdateBatch | undefined;
    const updates = (): UpdateBatch | undefined => (batch ??= frame.updates());
    try {
      const { source, offset, job, timestampMs, inputs, packed, sizeBytes } = frame;
      await this.#store.apply({ source, offset, job, timestampMs, inputs, packed, sizeBytes, updates });
    } finally {
      // Also when it failed: some of it may have been applied. What was read before this is void, what is read from now on has seen it.
      if (!this.#held.isEmpty) {
        const applied = updates();
        if (applied !== undefined) this.#invalidate(applied);
      }
    }
    this.#positions?.applied(frame.source, frame.offset);
  }

  async applied(): Promise<AppliedPositions> {
    const positions = await this.#store.applied();
    return this.#positions?.oldest(positions) ?? positions;
  }

  reader(options: ReaderOptions = {}): StoreReader {
    const reader = this.#store.reader(options);
    const passesBy =
      options.cache === false ||
      (this.#positions !== undefined && (options.current === true || !this.#positions.isKnown));
    if (passesBy) return reader;
    const shared = this.#shared?.request();
    return new CachedReader({ held: this.#held, shared, model: this.#model, clock: this.#clock, reader });
  }

  verify(signal?: AbortSignal): AsyncIterable<Difference> {
    return this.#store.verify(signal);
  }

  scan(signal?: AbortSignal): AsyncIterable<ScannedElement> {
    return this.#store.scan(signal);
  }

  statistics(): Promise<StoreStatistics> {
    return this.#store.statistics();
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #invalidate(batch: UpdateBatch): void {
    const ids = new Map(batch.nodes.map((columns) => [this.#model.nodes[columns.type]!.name, idsOf(columns)]));
    for (const columns of batch.nodes) this.#invalidateNodes(columns, ids.get(this.#model.nodes[columns.type]!.name)!);
    for (const { type, count, from, to } of batch.edges) {
      const model = this.#model.edges[type]!;
      const [origins, targets] = [ids.get(model.from)!, ids.get(model.to)!];
      for (let i = 0; i < count; i++) {
        this.#held.invalidate(headKey(type, "out", origins[from[i]!]!));
        this.#held.invalidate(headKey(type, "in", targets[to[i]!]!));
      }
    }
  }

  #invalidateNodes({ type, count, lastSeenMs, removedAtMs }: NodeColumns, ids: readonly string[]): void {
    let anyRemoved = false;
    for (let i = 0; i < count; i++) {
      const isRemoved = removedAtMs !== undefined && removedAtMs[i]! > -Infinity;
      if (!isRemoved && lastSeenMs[i] === -Infinity) this.#held.mention(type, ids[i]!);
      else this.#held.invalidate(nodeKey(type, ids[i]!));
      if (!isRemoved) continue;
      anyRemoved = true;
      for (const [edge, { from, to }] of this.#model.edges.entries()) {
        if (from === this.#model.nodes[type]!.name) this.#held.invalidate(headKey(edge, "out", ids[i]!));
        if (to === this.#model.nodes[type]!.name) this.#held.invalidate(headKey(edge, "in", ids[i]!));
      }
    }
    if (!anyRemoved) return;
    for (const [edge, { from, to }] of this.#model.edges.entries()) {
      if (to === this.#model.nodes[type]!.name) this.#held.invalidateHeads(edge, "out");
      if (from === this.#model.nodes[type]!.name) this.#held.invalidateHeads(edge, "in");
    }
  }
}

function idsOf({ count, ids: { bytes, starts } }: NodeColumns): string[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: count }, (_, i) => buffer.toString("utf8", starts[i], starts[i + 1]));
}
