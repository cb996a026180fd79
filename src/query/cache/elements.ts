// What a serving cache holds of a store, by id: nodes with the properties that were read of them, and the newest edges of adjacency lists ("heads").
// References of a reader mean nothing here.
import type { Clock } from "../../core/clock.ts";
import { WeighedCache } from "../../core/weighed-cache.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { Direction } from "../../store/port.ts";
import { weigh } from "../spending.ts";

interface Held {
  /** Monotonic time at which the read began: it shows everything that was applied by then. */
  readonly readMs: number;
}

export interface HeldNode extends Held {
  /** false: no update has ever mentioned the id. */
  readonly mentioned: boolean;
  readonly visible: boolean;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** By index of the property; those that were not read are missing. */
  readonly properties: ReadonlyMap<number, PropertyValue>;
  /** When the node itself expires. */
  readonly expiresMs: number;
}

/** The first edges of a list in the order latest, of those that are not older than `sinceMs`. */
export interface HeldHead extends Held {
  readonly neighbours: readonly string[];
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  /** Columns by index of the property. */
  readonly properties: ReadonlyMap<number, readonly PropertyValue[]>;
  readonly sinceMs: number;
  /** Whether these are all of them. */
  readonly complete: boolean;
  readonly generation: number;
}

/** A right to put what is being read: whoever invalidates the key takes it away, so that nothing is put that was read before. */
export interface Lease {
  readonly readMs: number;
  readonly generation: number;
}

export interface CacheFigures {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly entries: number;
  readonly evictions: number;
  /** Entries that an update made void. */
  readonly invalidations: number;
  readonly nodes: { readonly hits: number; readonly misses: number };
  readonly adjacency: { readonly hits: number; readonly misses: number };
}

const entryBytes = 200;
const edgeBytes = 64;
const valueBytes = 24;

export class HeldElements {
  readonly nodeUse = { hits: 0, misses: 0 };
  readonly adjacencyUse = { hits: 0, misses: 0 };
  readonly #clock: Clock;
  /** Older entries are not used. */
  readonly #ageMaxMs: number;
  readonly #entries: WeighedCache<HeldNode | HeldHead>;
  readonly #leases = new Map<string, Lease>();
  /** Raised when any neighbour in heads of an edge type and direction may have been hidden: earlier heads are void. */
  readonly #generations = new Map<string, number>();
  #invalidations = 0;

  constructor(clock: Clock, bytesMax: number, ageMaxMs: number) {
    this.#clock = clock;
    this.#ageMaxMs = ageMaxMs;
    this.#entries = new WeighedCache(bytesMax);
  }

  get figures(): CacheFigures {
    const { weight: bytes, weightMax: bytesMax, count: entries, evicted: evictions } = this.#entries;
    const invalidations = this.#invalidations;
    return { bytes, bytesMax, entries, evictions, invalidations, nodes: this.nodeUse, adjacency: this.adjacencyUse };
  }

  /** Whether there is anything that an update could make void. */
  get isEmpty(): boolean {
    return this.#entries.count === 0 && this.#leases.size === 0;
  }

  node(type: number, id: string): HeldNode | undefined {
    const key = nodeKey(type, id);
    const held = this.#entries.get(key) as HeldNode | undefined;
    if (held === undefined) return undefined;
    if (this.#isFresh(held) && this.#clock.now() < held.expiresMs) return held;
    this.#entries.delete(key);
    return undefined;
  }

  head(edge: number, direction: Direction, id: string): HeldHead | undefined {
    const key = headKey(edge, direction, id);
    const held = this.#entries.get(key) as HeldHead | undefined;
    if (held === undefined) return undefined;
    if (this.#isFresh(held) && held.generation === this.#generationOf(key)) return held;
    this.#entries.delete(key);
    return undefined;
  }

  #isFresh({ readMs }: Held): boolean {
    return this.#clock.monotonicMs() - readMs < this.#ageMaxMs;
  }

  /** Before what is missing is read. Several may read the same at once: the last one puts it. */
  lease(key: string): Lease {
    const lease = { readMs: this.#clock.monotonicMs(), generation: this.#generationOf(key) };
    this.#leases.set(key, lease);
    return lease;
  }

  /** Ends a lease without putting anything. */
  release(key: string, lease: Lease): void {
    if (this.#leases.get(key) === lease) this.#leases.delete(key);
  }

  /** @param readMs earlier than the lease, where it was read by somebody else */
  putNode(key: string, lease: Lease, node: Omit<HeldNode, "readMs">, readMs = lease.readMs): void {
    if (!this.#redeem(key, lease)) return;
    let bytes = entryBytes + key.length;
    for (const value of node.properties.values()) bytes += valueBytes + weigh([value], 0, 1);
    this.#entries.set(key, { ...node, readMs }, bytes);
  }

  putHead(key: string, lease: Lease, head: Omit<HeldHead, "readMs" | "generation">, readMs = lease.readMs): void {
    if (!this.#redeem(key, lease)) return;
    let bytes = entryBytes + key.length;
    for (const id of head.neighbours) bytes += edgeBytes + id.length;
    for (const column of head.properties.values())
      bytes += weigh(column, 0, column.length) + valueBytes * column.length;
    this.#entries.set(key, { ...head, readMs, generation: lease.generation }, bytes);
  }

  #redeem(key: string, lease: Lease): boolean {
    if (this.#leases.get(key) !== lease) return false;
    this.#leases.delete(key);
    return true;
  }

  /** An update of this key was applied. */
  invalidate(key: string): void {
    this.#leases.delete(key);
    if (this.#entries.delete(key)) this.#invalidations++;
  }

  /** An update mentioned the node without changing it. */
  mention(type: number, id: string): void {
    const key = nodeKey(type, id);
    this.#leases.delete(key);
    const held = this.#entries.peek(key) as HeldNode | undefined;
    if (held?.mentioned === false) this.invalidate(key);
  }

  /** All heads of an edge type in a direction are void: a neighbour was removed, and which heads show it is not known. */
  invalidateHeads(edge: number, direction: Direction): void {
    const group = headGroup(edge, direction);
    this.#generations.set(group, (this.#generations.get(group) ?? 0) + 1);
    this.#invalidations++;
  }

  #generationOf(key: string): number {
    return this.#generations.get(key.slice(0, key.indexOf(":"))) ?? 0;
  }
}

export function nodeKey(type: number, id: string): string {
  return `n${type}:${id}`;
}

export function headKey(edge: number, direction: Direction, id: string): string {
  return `${headGroup(edge, direction)}:${id}`;
}

function headGroup(edge: number, direction: Direction): string {
  return `${direction}${edge}`;
}
