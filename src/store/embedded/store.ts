// The embedded store: the graph in memory, what of the log it stands for, and the work on it, one thing at a time.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Turns } from "../../core/turns.ts";
import type { UpdateFrame } from "../../log/port.ts";
import type { AppliedPositions, Difference, ScannedElement, Store, StoreReader, StoreStatistics } from "../port.ts";
import type { Applied } from "./applied.ts";
import { applyBatch } from "./apply.ts";
import { assertFits } from "./assert-fits.ts";
import type { Graph } from "./graph.ts";
import { Pacer } from "./pacer.ts";
import { EmbeddedReader } from "./reader.ts";
import { scanGraph } from "./scan.ts";
import { verifyGraph } from "./verify.ts";

export interface EmbeddedStoreParts {
  readonly graph: Graph;
  readonly applied: Applied;
  readonly clock: Clock;
  readonly turns: Turns;
  readonly memoryMaxBytes: number;
}

export class EmbeddedStore implements Store {
  readonly capabilities = { atomicPositions: true, exactDegrees: false, filters: { edge: true, node: true } };
  readonly #graph: Graph;
  readonly #applied: Applied;
  readonly #clock: Clock;
  readonly #turns: Turns;
  readonly #memoryMaxBytes: number;
  #closed = false;
  /** The end of the work that was asked for: what changes the graph waits for it. */
  #work: Promise<unknown> = Promise.resolve();

  constructor(parts: EmbeddedStoreParts) {
    this.#graph = parts.graph;
    this.#applied = parts.applied;
    this.#clock = parts.clock;
    this.#turns = parts.turns;
    this.#memoryMaxBytes = parts.memoryMaxBytes;
  }

  get memoryBytes(): number {
    return this.#graph.usedBytes;
  }

  apply(frame: UpdateFrame): Promise<void> {
    return this.#alone(() => this.#apply(frame));
  }

  async applied(): Promise<AppliedPositions> {
    return { sources: new Map(this.#applied.sources), inputs: this.#applied.inputs };
  }

  reader(): StoreReader {
    this.#assertOpen();
    return new EmbeddedReader(this.#graph, this.#clock, this.#turns, () => {});
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
      memoryMaxBytes: this.#memoryMaxBytes,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#work;
  }

  async #apply(frame: UpdateFrame): Promise<void> {
    this.#assertOpen();
    if (this.#applied.has(frame)) return;
    if (this.memoryBytes >= this.#memoryMaxBytes) throw memoryBudget(this.memoryBytes, this.#memoryMaxBytes);
    const batch = frame.updates();
    if (batch !== undefined) {
      assertFits(this.#graph.model, batch, `${frame.source}@${frame.offset}`);
      await applyBatch(this.#graph, batch, new Pacer(this.#clock, this.#turns));
    }
    this.#applied.add(frame);
  }

  /** Runs work that changes the graph when all earlier work is done. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#work.then(work);
    this.#work = result.catch(() => {});
    return result;
  }

  #assertOpen(): void {
    if (!this.#closed) return;
    throw new RdgError("closed", "store_closed", "The store is closed.", { hint: "Open it again." });
  }
}

function memoryBudget(memoryBytes: number, memoryMaxBytes: number): RdgError {
  return new RdgError(
    "unavailable",
    "memory_budget",
    `The graph takes ${memoryBytes} bytes of memory; its budget is ${memoryMaxBytes}. Reads go on, updates wait in the log.`,
    { hint: "Raise store.memory, shorten the ttl of types, or place large types on another store." },
  );
}
