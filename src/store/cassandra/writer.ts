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
import { Positions, type Reached } from "./positions.ts";
import type { Removals } from "./removals.ts";
import { encodeRepair, type RepairQueue } from "./repair-queue.ts";
import type { Session, Statement } from "./session.ts";
import type { CassandraBounds } from "./settings.ts";
import { everything, ownRows, type Share } from "./share.ts";
import { batchesOf, inBatches, statementsOf } from "./write-batches.ts";

export interface WriterOptions {
  readonly session: Session;
  readonly layout: GraphLayout;
  readonly bounds: CassandraBounds;
  readonly clock: Clock;
  readonly removals: Removals;
  readonly degrees: DegreeUpkeep;
  /** What it writes; missing: the whole graph. */
  readonly share?: Share;
  readonly repairs: RepairQueue | undefined;
}

export class Writer {
  readonly #options: WriterOptions;
  readonly #share: Share;
  readonly #frames: FrameWriter;
  readonly #counters: Counters;
  readonly #positions: Positions;
  /** By source and part: what is written or waits in the repair queue. */
  #taken = new Map<string, Map<number, Map<string, number>>>();
  /** Readers are told of nothing more until the repair queue was seen empty: something of what is taken up may wait there. */
  #isHeldBack: boolean;
  /** The queue was seen empty since another writer may have put something there. */
  #knowsAll = false;
  /** Batches that this writer put into the queue since it was empty: then a failing batch is not repeated for long. */
  #queued = 0;
  #working: Promise<unknown> = Promise.resolve();

  constructor(options: WriterOptions) {
    const { session, layout, bounds, share = everything, repairs } = options;
    this.#options = options;
    this.#share = share;
    this.#frames = new FrameWriter(layout);
    this.#counters = new Counters(session, layout, bounds.counterCacheBytesMax);
    this.#positions = new Positions(session, layout);
    this.#isHeldBack = repairs !== undefined;
  }

  get counterCacheBytes(): number {
    return this.#counters.sizeBytes;
  }

  /** As stored. Another writer may have been at work since the last frame, so counters are read again. */
  async applied(): Promise<AppliedPositions> {
    return await this.#alone(async () => {
      const rows = await this.#positions.rows();
      const seen = await this.#positions.read(rows);
      const taken = this.#positions.taken(rows, this.#share, this.#options.repairs !== undefined);
      this.#counters.forget();
      this.#taken = new Map(
        [...taken].map(([source, parts]) => [
          source,
          new Map([...parts].map(([part, reached]) => [part, new Map(reached)])),
        ]),
      );
      this.#isHeldBack = this.#options.repairs !== undefined;
      this.#knowsAll = false;
      const { parts } = this.#share;
      const least = (source: string): number => Math.min(...parts.map((part) => this.#reached(source, part)));
      return { ...seen, sources: new Map([...taken.keys()].map((source) => [source, least(source)])) };
    });
  }

  async positions(): Promise<AppliedPositions> {
    return await this.#positions.read();
  }

  async apply(frame: UpdateFrame): Promise<void> {
    const { source, offset } = frame;
    await this.#alone(async () => {
      const { of, parts } = this.#share;
      const due = parts.filter((part) => this.#reached(source, part) < offset);
      if (due.length === 0) return;
      if (this.#isHeldBack) await this.#settle();
      const share = { parts: due, of };
      const batch = frame.updates();
      try {
        if (batch !== undefined) await this.#write(frame, ownRows(batch, share, this.#options.layout));
      } catch (error) {
        // What was written in part may be ahead of what is remembered. Counted again it comes to the same; with a queue nothing is asked of nodes that are away.
        if (this.#options.repairs === undefined) this.#counters.forget();
        throw error;
      }
      const reached = reachedBy(frame);
      await this.#tell(source, share, reached, this.#isHeldBack);
      this.#note(source, due, reached);
    });
  }

  /** Tells readers what they were not told of while something waited in the repair queue, if nothing waits any more. False: it does. */
  async settle(): Promise<boolean> {
    return await this.#alone(() => this.#settle());
  }

  async #settle(): Promise<boolean> {
    const { repairs } = this.#options;
    if (repairs === undefined || !this.#isHeldBack) return true;
    if (!(await repairs.isEmpty())) return false;
    for (const [source, parts] of this.#taken) {
      const offsets = new Set(this.#share.parts.map((part) => this.#reached(source, part)));
      const together = offsets.size === 1 ? [this.#share.parts] : this.#share.parts.map((part) => [part]);
      for (const each of together) {
        const reached = latestOf(each.map((part) => parts.get(part)));
        await this.#tell(source, { parts: each, of: this.#share.of }, reached, false);
      }
    }
    this.#isHeldBack = false;
    this.#knowsAll = true;
    this.#queued = 0;
    this.#counters.settled();
    return true;
  }

  /** Makes writes that were kept in the repair queue. */
  async repair(statements: readonly Statement[]): Promise<void> {
    await this.#send(statements);
    await this.#options.degrees.settle(statements);
  }

  async repaired(): Promise<ReadonlyMap<number, number>> {
    return await this.#positions.repaired();
  }

  async noteRepaired(partition: number, offset: number): Promise<void> {
    await this.#send(this.#positions.writesOfRepaired(partition, offset));
  }

  #reached(source: string, part: number): number {
    return this.#taken.get(source)?.get(part)?.get("") ?? -1;
  }

  #note(source: string, parts: readonly number[], reached: Reached): void {
    const byPart = this.#taken.get(source) ?? new Map<number, Map<string, number>>();
    this.#taken.set(source, byPart);
    for (const part of parts) byPart.set(part, latestOf([byPart.get(part), reached]));
  }

  /** One after the other: positions say what all before them have done. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#working.then(work, work);
    this.#working = done;
    return done;
  }

  async #tell(source: string, share: Share, reached: Reached, waits: boolean): Promise<void> {
    await this.#send(this.#positions.writesOf(source, share, reached, waits));
    this.#positions.made(source, share, waits);
  }

  async #send(statements: readonly Statement[]): Promise<void> {
    for (const chunk of inBatches(statements, this.#bounds)) await this.#options.session.write(chunk);
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
    // What waits in the queue is not read: counting goes on from what this writer remembers, or when nothing waits.
    if (this.#options.repairs !== undefined && !this.#knowsAll && this.#counters.areIn(batch)) throw queueWaits();
    const counters = await this.#counters.count(frame, batch, ids);
    const options = { nowMs: clock.now(), source: frame.source, indexSlackMs: bounds.indexSlackMs };
    const partitions = this.#frames.writesOf(batch, ids, counters.cells, options);
    const replicasOf = session.hasSeveralNodes ? (key: Buffer) => session.replicasOf(key) : undefined;
    const batches = batchesOf(partitions, this.#bounds, replicasOf);
    const isQueued = await this.#writeAll(batches, bounds.batchesInFlightMax);
    await degrees.settle(statementsOf(partitions));
    counters.remember(isQueued);
  }

  /** Ends with the first failure, when nothing of the frame is under way any more. True: a part of it is in the repair queue. */
  async #writeAll(batches: Iterator<readonly WriteStatement[]>, inFlightMax: number): Promise<boolean> {
    const before = this.#queued;
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
    return this.#queued > before;
  }

  /** A batch that the cluster does not take goes to the repair queue, unless the cluster takes nothing at all: then the frame waits. */
  async #writeOrKeep(batch: readonly WriteStatement[]): Promise<void> {
    const { session, repairs } = this.#options;
    try {
      await session.write(batch, this.#queued === 0);
    } catch (error) {
      const isAway = error instanceof RdgError && error.kind === "unavailable";
      if (repairs === undefined || !isAway || this.#counters.isFull) throw error;
      await session.write(this.#positions.writesOfNothing());
      // Said before it is so: whatever comes of it, readers are not told of this frame before the queue was seen empty.
      this.#isHeldBack = true;
      this.#queued++;
      await repairs.put(encodeRepair(batch));
    }
  }
}

function reachedBy({ offset, inputs }: UpdateFrame): Reached {
  return latestOf([
    new Map([["", offset]]),
    ...inputs.map((input) => new Map([[`${input.topic}/${input.partition}`, input.offset]])),
  ]);
}

function latestOf(all: readonly (Reached | undefined)[]): Map<string, number> {
  const latest = new Map<string, number>();
  for (const each of all) {
    for (const [input, offset] of each ?? []) latest.set(input, Math.max(offset, latest.get(input) ?? -1));
  }
  return latest;
}

function queueWaits(): RdgError {
  const message = "Counters wait until what an earlier writer left in the repair queue is made up.";
  return new RdgError("unavailable", "repairs_waiting", message, { retryAfterMs: 1_000 });
}
