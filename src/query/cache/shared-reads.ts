// The second tier as reads see it: elements by key, of those that have seen enough. An entry names the positions that it has seen by a mark; what the mark
// stands for is an entry of its own, put before, so that neither clocks of different machines nor the time on the way decide what an entry may be used for.
import type { Clock } from "../../core/clock.ts";
import type { GraphModel } from "../../model/definition.ts";
import { fingerprintOf } from "../../model/fingerprint.ts";
import type { AppliedPositions } from "../../store/port.ts";
import {
  type SharedHead,
  type SharedNode,
  decodeHead,
  decodeNode,
  encodeHead,
  encodeNode,
  entryFormat,
  markIn,
} from "./entry-codec.ts";
import { type Sample, type SeenPositions, markOf, readPositions, writePositions } from "./seen-positions.ts";
import type { Tier, TierFigures } from "./tier-calls.ts";
import type { CacheEntry } from "./tier.ts";

export interface SharedElementsOptions {
  readonly tier: Tier;
  readonly positions: SeenPositions;
  readonly model: GraphModel;
  readonly clock: Clock;
  /** Tells apart what shares a server: graphs, environments, logs. */
  readonly prefix: string;
  /** Larger entries are not put. */
  readonly valueBytesMax: number;
  /** How long one request may wait for the tier in all. */
  readonly budgetMs: number;
}

export interface SharedFigures extends TierFigures {
  readonly nodes: { readonly hits: number; readonly misses: number };
  readonly adjacency: { readonly hits: number; readonly misses: number };
  /** Found, but what they have seen is too long ago or not known. */
  readonly outdated: number;
  /** Found, but not what an entry looks like. */
  readonly unreadable: number;
  /** Not put: too large. */
  readonly oversize: number;
}

/** Marks whose positions are remembered: processes make a few in the time that entries live. */
const marksMax = 1_024;
const keysPerCallMax = 1_000;

export class SharedElements {
  readonly nodeUse = { hits: 0, misses: 0 };
  readonly adjacencyUse = { hits: 0, misses: 0 };
  readonly odd = { outdated: 0, unreadable: 0, oversize: 0 };
  readonly #options: SharedElementsOptions;
  readonly #prefix: string;
  /** Positions by mark, the oldest first. */
  readonly #marks = new Map<string, AppliedPositions>();
  /** Of own samples, and when they were put over which connection. */
  readonly #written = new WeakMap<Sample, { readonly mark: Buffer; readonly bytes: Uint8Array; readonly put: Put }>();

  constructor(options: SharedElementsOptions) {
    this.#options = options;
    this.#prefix = `${options.prefix}rdg${entryFormat}:${fingerprintOf(options.model).slice(0, 24)}:`;
  }

  get figures(): SharedFigures {
    return { ...this.#options.tier.figures, nodes: this.nodeUse, adjacency: this.adjacencyUse, ...this.odd };
  }

  /** For the reads of one request. */
  request(): SharedReads {
    return new SharedReads(this, this.#options.budgetMs);
  }

  /** Asks the tier and takes what it waited from `budget`; entries that have seen enough, with the moment that they have seen for certain. */
  async get(
    keys: readonly string[],
    budget: { leftMs: number },
  ): Promise<readonly ({ readonly entry: Uint8Array; readonly readMs: number } | undefined)[]> {
    const entries: (Uint8Array | undefined)[] = [];
    for (let at = 0; at < keys.length; at += keysPerCallMax) {
      const values = await this.#ask(keys.slice(at, at + keysPerCallMax), budget);
      if (values === undefined) break;
      for (const value of values) entries.push(value);
    }
    await this.#learn(entries, budget);
    const moments = new Map<string, number | undefined>();
    return keys.map((_, i) => {
      const entry = entries[i];
      if (entry === undefined) return undefined;
      const mark = markIn(entry)?.toString("base64url") ?? "";
      if (!moments.has(mark)) {
        const seen = this.#marks.get(mark);
        moments.set(mark, seen && this.#options.positions.momentOf(seen));
      }
      const readMs = moments.get(mark);
      if (readMs === undefined) this.odd.outdated++;
      return readMs === undefined ? undefined : { entry, readMs };
    });
  }

  async #ask(
    keys: readonly string[],
    budget: { leftMs: number },
  ): Promise<readonly (Uint8Array | undefined)[] | undefined> {
    if (budget.leftMs <= 0) return undefined;
    const { tier, clock } = this.#options;
    const begunMs = clock.monotonicMs();
    const values = await tier.get(
      keys.map((key) => this.#prefix + key),
      budget.leftMs,
    );
    // Who did not answer once is not waited for again by the same request.
    budget.leftMs = values === undefined ? 0 : budget.leftMs - (clock.monotonicMs() - begunMs);
    return values;
  }

  /** Which positions the entries' marks stand for. */
  async #learn(entries: readonly (Uint8Array | undefined)[], budget: { leftMs: number }): Promise<void> {
    const marks = new Set(entries.map((entry) => (entry && markIn(entry))?.toString("base64url")));
    const unknown = [...marks].filter((mark) => mark !== undefined && !this.#marks.has(mark)) as string[];
    if (unknown.length === 0) return;
    const values = await this.#ask(unknown.slice(0, keysPerCallMax).map(markKey), budget);
    for (const [i, value] of (values ?? []).entries()) {
      if (value === undefined || markOf(value).toString("base64url") !== unknown[i]) continue;
      const positions = readPositions(value);
      if (positions !== undefined) this.#remember(unknown[i], positions);
    }
  }

  #remember(mark: string, positions: AppliedPositions): void {
    this.#marks.set(mark, positions);
    if (this.#marks.size > marksMax) this.#marks.delete(this.#marks.keys().next().value!);
  }

  /** @param ttlMs of entries whose element expires; what is over already is not put */
  put(
    entries: readonly {
      readonly key: string;
      readonly readMs: number;
      readonly ttlMs: number;
      readonly encode: (mark: Buffer) => Uint8Array;
    }[],
  ): void {
    const { tier, positions, valueBytesMax } = this.#options;
    const put: CacheEntry[] = [];
    for (const { key, readMs, ttlMs, encode } of entries) {
      const sample = positions.sampleBefore(readMs);
      const livesMs = Math.floor(Math.min(ttlMs, positions.ttlMs));
      if (sample === undefined || livesMs < 1) continue;
      const value = encode(this.#markOf(sample, put));
      if (value.length <= valueBytesMax) put.push({ key: this.#prefix + key, value, ttlMs: livesMs });
      else this.odd.oversize++;
    }
    if (put.length > 0) tier.put(put);
  }

  /** The mark of a sample; what it stands for is put before what names it, over each connection and again before it is forgotten. */
  #markOf(sample: Sample, put: CacheEntry[]): Buffer {
    const { tier, positions, clock } = this.#options;
    let written = this.#written.get(sample);
    if (written === undefined) {
      const bytes = writePositions(sample.positions);
      written = { bytes, mark: markOf(bytes), put: { connection: 0, atMs: -Infinity } };
      this.#written.set(sample, written);
      this.#remember(written.mark.toString("base64url"), sample.positions);
    }
    const { mark, bytes, put: last } = written;
    const nowMs = clock.monotonicMs();
    if (last.connection !== tier.connection || nowMs - last.atMs >= positions.ttlMs) {
      const key = this.#prefix + markKey(mark.toString("base64url"));
      put.push({ key, value: bytes, ttlMs: Math.ceil(2 * positions.ttlMs) });
      last.connection = tier.connection;
      last.atMs = nowMs;
    }
    return mark;
  }

  putNodes(
    type: number,
    nodes: readonly { readonly key: string; readonly readMs: number; readonly node: SharedNode }[],
  ): void {
    const ttlMs = this.#options.model.nodes[type]!.ttlMs ?? Infinity;
    const nowMs = this.#options.clock.now();
    this.put(
      nodes.map(({ key, readMs, node }) => ({
        key,
        readMs,
        ttlMs: node.visible ? node.lastSeenMs + ttlMs - nowMs : Infinity,
        encode: (mark) => encodeNode(node, mark),
      })),
    );
  }

  putHead(edge: number, key: string, readMs: number, head: SharedHead): void {
    const { model, clock } = this.#options;
    // Once the newest edge has expired, nothing of it is left.
    const ttlMs = (head.lastSeenMs[0] ?? Infinity) + (model.edges[edge]!.ttlMs ?? Infinity) - clock.now();
    this.put([{ key, readMs, ttlMs, encode: (mark) => encodeHead(head, mark) }]);
  }
}

interface Put {
  connection: number;
  atMs: number;
}

const markKey = (mark: string): string => `mark:${mark}`;

/** What one request asks of the tier: every key once, and within its budget. */
export class SharedReads {
  readonly #shared: SharedElements;
  readonly #budget: { leftMs: number };
  readonly #asked = new Set<string>();

  constructor(shared: SharedElements, budgetMs: number) {
    this.#shared = shared;
    this.#budget = { leftMs: budgetMs };
  }

  nodes(keys: readonly string[]): Promise<readonly ((SharedNode & { readonly readMs: number }) | undefined)[]> {
    return this.#read(keys, this.#shared.nodeUse, decodeNode);
  }

  heads(keys: readonly string[]): Promise<readonly ((SharedHead & { readonly readMs: number }) | undefined)[]> {
    return this.#read(keys, this.#shared.adjacencyUse, decodeHead);
  }

  async #read<T extends object>(
    keys: readonly string[],
    use: { hits: number; misses: number },
    decode: (entry: Uint8Array) => T | undefined,
  ): Promise<readonly ((T & { readonly readMs: number }) | undefined)[]> {
    const fresh = [...new Set(keys)].filter((key) => !this.#asked.has(key));
    if (fresh.length === 0 || this.#budget.leftMs <= 0) return keys.map(() => undefined);
    for (const key of fresh) this.#asked.add(key);
    const found = await this.#shared.get(fresh, this.#budget);
    const byKey = new Map<string, T & { readonly readMs: number }>();
    for (const [i, key] of fresh.entries()) {
      if (found[i] === undefined) continue;
      const element = decode(found[i].entry);
      if (element === undefined) this.#shared.odd.unreadable++;
      else byKey.set(key, { ...element, readMs: found[i].readMs });
    }
    use.hits += byKey.size;
    use.misses += fresh.length - byKey.size;
    return keys.map((key) => byKey.get(key));
  }

  putNodes(...args: Parameters<SharedElements["putNodes"]>): void {
    this.#shared.putNodes(...args);
  }

  putHead(...args: Parameters<SharedElements["putHead"]>): void {
    this.#shared.putHead(...args);
  }
}
