// The embedded store: the graph in memory, what of the log it stands for, and the work on it, one thing at a time.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { Slab } from "../../core/slab.ts";
import type { Turns } from "../../core/turns.ts";
import type { UpdateFrame } from "../../log/port.ts";
import type { GraphInPlace } from "../in-place/port.ts";
import type { AppliedPositions, Difference, ScannedElement, Store, StoreReader, StoreStatistics } from "../port.ts";
import type { Applied } from "./applied.ts";
import { applyBatch } from "./apply.ts";
import { assertFits } from "./assert-fits.ts";
import type { Restored } from "./checkpoint-read.ts";
import { Checkpointer } from "./checkpointer.ts";
import type { Graph } from "./graph.ts";
import { EmbeddedInPlace } from "./in-place.ts";
import { Pacer } from "./pacer.ts";
import type { Purged } from "./purge.ts";
import { Purger } from "./purger.ts";
import { EmbeddedReader } from "./reader.ts";
import { RetiredNodes } from "./retired-nodes.ts";
import { scanGraph } from "./scan.ts";
import { verifyGraph } from "./verify.ts";

export interface EmbeddedStoreSettings {
  /** At so many bytes in use `apply` rejects with `memory_budget`. */
  readonly memoryMaxBytes: number;
  /**
   * A checkpoint is written when so many bytes of frames were applied since the last one: bounds the replay of a restart. With
   * `Number.MAX_SAFE_INTEGER` none is, not even by `close`.
   */
  readonly checkpointDebtMaxBytes: number;
  /** Memory beyond that for copies of pages that a checkpoint has not written yet; applying waits at it. Default: an eighth of what the graph takes, at least 16 MB. */
  readonly checkpointCopiesMaxBytes?: number;
  /** How often expired and long removed elements are looked for. Default: every minute. */
  readonly purgeIntervalMs?: number;
}

export interface EmbeddedStoreParts {
  readonly folder: string;
  readonly restored: Restored;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns: Turns;
  readonly settings: EmbeddedStoreSettings;
  readonly notice: (error: RdgError) => void;
}

const purgeIntervalMs = 60_000;
/** Under memory pressure the next purge does not wait for its time, but for this. */
const pressedPurgeMs = 5_000;

export class EmbeddedStore implements Store {
  readonly capabilities = {
    local: true,
    atomicPositions: true,
    exactDegrees: false,
    timedDegrees: true,
    filters: { edge: true, node: true },
  };
  readonly #graph: Graph;
  readonly #applied: Applied;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #settings: EmbeddedStoreSettings;
  readonly #retired = new RetiredNodes();
  readonly #slab = new Slab();
  readonly #inPlace: GraphInPlace;
  readonly #checkpointer: Checkpointer;
  readonly #purger: Purger;
  #closed: Promise<void> | undefined;
  /** Why the graph may be half changed: nothing is applied or written any more. */
  #failure: unknown;
  #pressedMs = -Infinity;
  /** The end of the work that was asked for: what changes the graph waits for it. */
  #work: Promise<unknown> = Promise.resolve();

  constructor({ folder, restored, clock, timers, turns, settings, notice }: EmbeddedStoreParts) {
    const { graph, applied, newest, used } = restored;
    this.#graph = graph;
    this.#applied = applied;
    this.#clock = clock;
    this.#turns = turns;
    this.#settings = settings;
    this.#inPlace = new EmbeddedInPlace(graph, applied);
    const alone = <T>(work: () => Promise<T>): Promise<T> => this.#alone(work);
    const retired = this.#retired;
    this.#checkpointer = new Checkpointer({
      folder,
      graph,
      applied,
      retired,
      turns,
      newest,
      notice,
      alone,
      debtMaxBytes: settings.checkpointDebtMaxBytes,
      copiedMaxBytes: settings.checkpointCopiesMaxBytes,
      used,
      usedApplied: used > 0 ? applied.state() : undefined,
    });
    const intervalMs = settings.purgeIntervalMs ?? purgeIntervalMs;
    this.#purger = new Purger({ graph, applied, retired, clock, timers, turns, intervalMs, alone });
  }

  /** Bytes that rows, ids, values, lists and tables take. */
  get memoryBytes(): number {
    return this.#graph.usedBytes;
  }

  /** Last applied offset per source that the log must keep everything behind of, so that a restart can continue even from the older checkpoint. */
  get neededAfter(): ReadonlyMap<string, number> {
    return this.#checkpointer.neededAfter;
  }

  apply(frame: UpdateFrame): Promise<void> {
    return this.#alone(() => this.#apply(frame));
  }

  async applied(): Promise<AppliedPositions> {
    return { sources: this.#applied.offsets, inputs: this.#applied.inputs };
  }

  reader(): StoreReader {
    this.#assertOpen();
    const number = this.#retired.open();
    return new EmbeddedReader(this.#graph, this.#clock, this.#turns, this.#slab, () => this.#retired.close(number));
  }

  inPlace(): GraphInPlace {
    this.#assertOpen();
    return this.#inPlace;
  }

  verify(signal?: AbortSignal): AsyncIterable<Difference> {
    return verifyGraph(this.#graph, this.#clock, this.#turns, signal);
  }

  scan(signal?: AbortSignal): AsyncIterable<ScannedElement> {
    return scanGraph(this.#graph, this.#clock, this.#turns, signal);
  }

  async statistics(): Promise<StoreStatistics> {
    const counts = (types: Graph["nodes"] | Graph["edges"]): Record<string, number> =>
      Object.fromEntries(types.map(({ model, rows }) => [model.name, rows.count - rows.freeCount]));
    return {
      nodes: counts(this.#graph.nodes),
      edges: counts(this.#graph.edges),
      memoryBytes: this.memoryBytes,
      memoryMaxBytes: this.#settings.memoryMaxBytes,
    };
  }

  /** Writes a checkpoint now; resolves when it is durable. */
  async checkpoint(): Promise<void> {
    this.#assertOpen();
    this.#assertWhole();
    await this.#checkpointer.write();
  }

  /** Looks for expired and long removed elements now, and forgets them. */
  async purge(): Promise<Purged> {
    this.#assertOpen();
    this.#assertWhole();
    return this.#purger.purge();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#purger.stop();
    await this.#work;
    if (this.#failure === undefined) await this.#checkpointer.finish();
  }

  async #apply(frame: UpdateFrame): Promise<void> {
    this.#assertOpen();
    this.#assertWhole();
    if (this.#applied.has(frame)) return;
    this.#assertRoom(frame);
    const batch = frame.updates();
    if (batch !== undefined) {
      assertFits(this.#graph.model, batch, `${frame.source}@${frame.offset}`);
      const pacer = new Pacer(this.#clock, this.#turns);
      try {
        await applyBatch(
          this.#graph,
          batch,
          () => this.#checkpointer.room() ?? (pacer.isDue ? pacer.pause() : undefined),
        );
      } catch (error) {
        this.#failure = error;
        throw error;
      }
    }
    this.#applied.add(frame);
    this.#checkpointer.owe(frame.sizeBytes);
  }

  /** Runs work that changes the graph when all earlier work is done. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => undefined);
    return result;
  }

  #assertOpen(): void {
    if (this.#closed === undefined) return;
    throw new RdgError("closed", "store_closed", "The store is closed.", { hint: "Open it again." });
  }

  #assertWhole(): void {
    if (this.#failure === undefined) return;
    throw new RdgError("internal", "half_applied", "An earlier frame was applied in part only.", {
      hint: "Restart: the store goes on from its last checkpoint. Please report the cause.",
      cause: this.#failure,
    });
  }

  /** At the memory budget: rejects, and looks at once for what can be forgotten by the time of the frame. */
  #assertRoom(frame: UpdateFrame): void {
    const { memoryMaxBytes } = this.#settings;
    const { memoryBytes } = this;
    if (memoryBytes < memoryMaxBytes) return;
    this.#applied.reach(frame);
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#pressedMs >= pressedPurgeMs) {
      this.#pressedMs = nowMs;
      this.#purger.purge().catch(() => undefined);
    }
    throw new RdgError(
      "unavailable",
      "memory_budget",
      `The graph takes ${memoryBytes} bytes of memory; its budget is ${memoryMaxBytes}. Reads go on, updates wait in the log.`,
      {
        hint: "Raise store.memory, shorten the ttl of types, or place large types on another store.",
        retryAfterMs: 1000,
      },
    );
  }
}
