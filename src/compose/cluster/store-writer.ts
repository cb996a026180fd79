// The role store: applies the jobs' transactions to the store that processes share, and keeps that store in order.
import { describeError } from "../../core/errors.ts";
import { systemRandom } from "../../core/random.ts";
import type { JobAssignment, Log } from "../../log/port.ts";
import type { StoreWriting } from "../../observe/port.ts";
import type { Share } from "../../store/cassandra/share.ts";
import { mainStore, type StorePart } from "../../store/placed/placement.ts";
import { StoreFeeder } from "../../store/store-feeder.ts";
import { typeTopicsOf } from "../topics.ts";
import { ensureRepairTopic, RepairTopic } from "./repair-topic.ts";
import { openSharedStore, type SharedStoreOptions } from "./shared-store.ts";
import { Sweeper } from "./sweeper.ts";

export interface StoreWriter {
  start(): Promise<void>;
  figures(): StoreWriting;
  close(): Promise<void>;
}

const retryMs = 1_000;
/** No job has such a name: it is no name of an event. Every store has its own. */
const namesOf = (part: StorePart | undefined): { readonly job: string; readonly topic: string } =>
  part === undefined || part.name === mainStore
    ? { job: "store.parts", topic: "repairs" }
    : { job: `store.parts.${part.name}`, topic: `repairs.${part.name}` };

/**
 * Processes share the parts of the graph: which are whose goes by the partitions of the repair queue, which the log gives to them. One that was given up and
 * does not know it yet does no harm: what it writes are registers.
 */
export async function openStoreWriter(options: SharedStoreOptions & { readonly log: Log }): Promise<StoreWriter> {
  const { log, model, part, settings, clock, timers, logger } = options;
  const { job, topic } = namesOf(part);
  const store = await openSharedStore(options);
  const waitingMax = settings["store.repairsMax"];
  const repairs = new RepairTopic({ log, topic, store, waitingMax, timers, logger });
  const sweeper = new Sweeper({
    store,
    log,
    topics: model.jobs.map(({ event }) => `events.${event}`),
    everyMs: settings["store.sweep"],
    percent: settings["store.sweepPercent"],
    clock,
    timers,
    random: systemRandom,
    logger,
  });
  const stopped = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let now: { readonly share: Share; readonly feeder: StoreFeeder } | undefined;
  let partsOf = settings["store.parts"];
  let blocked: string | undefined;
  const turn = async (assignment: JobAssignment): Promise<void> => {
    partsOf = await ensureRepairTopic(log, topic, partsOf);
    const share = { parts: assignment.partitions, of: partsOf };
    store.take(share, waitingMax > 0 ? repairs : undefined);
    const over = new AbortController();
    const ending = AbortSignal.any([assignment.ending, stopped.signal, over.signal]);
    const ended = new Promise<void>((resolve) => {
      if (ending.aborted) resolve();
      else ending.addEventListener("abort", () => resolve(), { once: true });
    });
    let fail: (error: unknown) => void = () => undefined;
    const failed = new Promise<never>((_, reject) => {
      fail = reject;
    });
    failed.catch(() => undefined);
    const feeder = new StoreFeeder({
      log,
      store,
      timers,
      typeTopic: typeTopicsOf(model)[0]!,
      onApplied: () => undefined,
      onBlocked(cause) {
        blocked = cause && describeError(cause);
        if (cause) logger.warn(`the store takes no more: ${describeError(cause)}`);
      },
      onFailure: fail,
    });
    now = { share, feeder };
    const beside = [repairs.drain(share.parts, ending), ...(share.parts.includes(0) ? [sweeper.run(ending)] : [])];
    try {
      feeder.start().catch(fail);
      await Promise.race([ended, failed]);
    } finally {
      over.abort();
      await Promise.all([feeder.close(), ...beside]);
      [now, blocked] = [undefined, undefined];
    }
  };
  const run = async (): Promise<void> => {
    partsOf = await ensureRepairTopic(log, topic, partsOf);
    const worker = await log.joinJob(job, topic);
    while (!stopped.signal.aborted) {
      let assignment: JobAssignment | undefined;
      try {
        assignment = await worker.assignment(stopped.signal);
        await turn(assignment);
      } catch (error) {
        if (stopped.signal.aborted) break;
        logger.warn(`the store's writer tries again: ${describeError(error)}`);
        await timers.sleep(retryMs, stopped.signal).catch(() => undefined);
      } finally {
        await assignment?.close();
      }
    }
    await worker.leave();
  };
  return {
    async start() {
      running = run();
      running.catch((error: unknown) => logger.error(describeError(error)));
    },
    figures: () => ({
      state: now === undefined ? "standing by" : "writing",
      parts: now?.share.parts ?? [],
      partsOf,
      ...(now && { appliedOffset: now.feeder.appliedOffset }),
      ...(blocked !== undefined && { blocked }),
      repairs: repairs.figures,
      sweep: sweeper.figures,
    }),
    async close() {
      stopped.abort();
      try {
        await running.catch(() => undefined);
        await repairs.close();
      } finally {
        await store.close();
      }
    },
  };
}
