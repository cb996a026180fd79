// Applies frames: counters first, then every write in batches, then the position. A frame that fails in between is applied again whole, with the same outcome.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { UpdateFrame } from "../../log/port.ts";
import type { UpdateBatch } from "../../model/update/batch.ts";
import type { AppliedPositions } from "../port.ts";
import { idsOfBatch } from "./batch-ids.ts";
import { Counters } from "./counters.ts";
import type { DegreeUpkeep } from "./degree-upkeep.ts";
import { FrameWriter, type WriteStatement } from "./frame-writes.ts";
import type { GraphLayout } from "./layout.ts";
import { Positions } from "./positions.ts";
import type { Removals } from "./removals.ts";
import { encodeRepair, type RepairQueue } from "./repair-queue.ts";
import type { Session, Statement } from "./session.ts";
import type { CassandraBounds } from "./settings.ts";
import { batchesOf, inBatches, statementsOf } from "./write-batches.ts";

export interface WriterOptions {
  readonly session: Session;
  readonly layout: GraphLayout;
  readonly bounds: CassandraBounds;
  readonly clock: Clock;
  readonly removals: Removals;
  readonly degrees: DegreeUpkeep;
  readonly repairs: RepairQueue | undefined;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #frames: FrameWriter;
  readonly #counters: Counters;
  readonly #positions: Positions;
  #applied: ReadonlyMap<string, number> = new Map();

  constructor(options: WriterOptions) {
    const { session, layout, bounds } = options;
    this.#options = options;
    this.#frames = new FrameWriter(layout);
    this.#counters = new Counters(session, layout, bounds.counterCacheBytesMax);
    this.#positions = new Positions(session, layout);
  }

  get counterCacheBytes(): number {
    return this.#counters.sizeBytes;
  }

  /** As stored. Another writer may have been at work since the last frame, so counters are read again. */
  async applied(): Promise<AppliedPositions> {
    const positions = await this.#positions.read();
    this.#applied = positions.sources;
    this.#counters.forget();
    return positions;
  }

  async positions(): Promise<AppliedPositions> {
    return await this.#positions.read();
  }

  async apply(frame: UpdateFrame): Promise<void> {
    const { source, offset } = frame;
    if (offset <= (this.#applied.get(source) ?? -1)) return;
    const batch = frame.updates();
    try {
      if (batch !== undefined) await this.#write(frame, batch);
    } catch (error) {
      // What was written in part may be ahead of what is remembered.
      this.#counters.forget();
      throw error;
    }
    for (const statements of inBatches(this.#positions.writesOf(frame), this.#bounds)) {
      await this.#options.session.write(statements);
    }
    this.#applied = new Map(this.#applied).set(source, offset);
  }

  /** Makes writes that were kept in the repair queue. */
  async repair(statements: readonly Statement[]): Promise<void> {
    for (const chunk of inBatches(statements, this.#bounds)) await this.#options.session.write(chunk);
    await this.#options.degrees.settle(statements);
  }

  get #bounds(): { readonly statementsMax: number; readonly bytesMax: number } {
    const { batchStatementsMax: statementsMax, batchBytesMax: bytesMax } = this.#options.bounds;
    return { statementsMax, bytesMax };
  }

  async #write(frame: UpdateFrame, batch: UpdateBatch): Promise<void> {
    const { session, layout, bounds, clock, removals, degrees } = this.#options;
    // Before the removal itself: nobody may see a removed node and be told that there is none.
    const removing = batch.nodes.filter(({ removedAtMs }) => removedAtMs?.some((timeMs) => timeMs > -Infinity));
    await removals.declare(removing.map(({ type }) => type));
    const ids = idsOfBatch(batch, layout.nodes.length);
    const counters = await this.#counters.count(frame, batch, ids);
    const options = { nowMs: clock.now(), source: frame.source, indexSlackMs: bounds.indexSlackMs };
    const partitions = this.#frames.writesOf(batch, ids, counters.cells, options);
    const replicasOf = session.hasSeveralNodes ? (key: Buffer) => session.replicasOf(key) : undefined;
    const batches = batchesOf(partitions, this.#bounds, replicasOf);
    await this.#writeAll(batches, bounds.batchesInFlightMax);
    await degrees.settle(statementsOf(partitions));
    counters.remember();
  }

  /** Ends with the first failure, when nothing of the frame is under way any more. */
  async #writeAll(batches: Iterator<readonly WriteStatement[]>, inFlightMax: number): Promise<void> {
    let failed: { readonly error: unknown } | undefined;
    const lane = async (): Promise<void> => {
      for (let next = batches.next(); next.done !== true && failed === undefined; next = batches.next()) {
        try {
          await this.#writeOrKeep(next.value);
        } catch (error) {
          failed ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: inFlightMax }, lane));
    if (failed !== undefined) throw failed.error;
  }

  /** A batch that the cluster does not take goes to the repair queue, unless it holds counters: the next count builds on them. */
  async #writeOrKeep(batch: readonly WriteStatement[]): Promise<void> {
    const { session, repairs } = this.#options;
    try {
      await session.write(batch);
    } catch (error) {
      const isAway = error instanceof RdgError && error.kind === "unavailable";
      if (repairs === undefined || !isAway || batch.some(({ counts }) => counts)) throw error;
      await repairs.put(encodeRepair(batch));
    }
  }
}
