// The role store: applies the jobs' transactions to the store that processes share, and keeps that store in order.
import { describeError } from "../../core/errors.ts";
import { systemRandom } from "../../core/random.ts";
import type { Log } from "../../log/port.ts";
import type { StoreWriting } from "../../observe/port.ts";
import { mainStore, type StorePart } from "../../store/placed/placement.ts";
import { StoreFeeder } from "../../store/store-feeder.ts";
import { typeTopicsOf } from "../topics.ts";
import { deploymentTopic } from "./deployment.ts";
import { openSharedStore, type SharedStoreOptions } from "./shared-store.ts";
import { Sweeper } from "./sweeper.ts";

export interface StoreWriter {
  start(): Promise<void>;
  figures(): StoreWriting;
  close(): Promise<void>;
}

const retryMs = 1_000;
/** No job has this name: it is no name of an event. Every store has its own. */
const writerNameOf = (part: StorePart | undefined): string =>
  part === undefined || part.name === mainStore ? "store.writer" : `store.writer.${part.name}`;

/**
 * Of several processes one writes, the others stand by: whose turn it is goes by the one partition of the deployment's topic, which the log gives to one of
 * them. One that was given up and does not know it yet does no harm: what it writes are registers.
 */
export async function openStoreWriter(options: SharedStoreOptions & { readonly log: Log }): Promise<StoreWriter> {
  const { log, model, part, settings, clock, timers, logger } = options;
  const store = await openSharedStore(options);
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
  let feeding: StoreFeeder | undefined;
  const turn = async (worker: Awaited<ReturnType<Log["joinJob"]>>): Promise<void> => {
    const assignment = await worker.assignment(stopped.signal);
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
      onBlocked: (cause) => cause && logger.warn(`the store takes no more: ${describeError(cause)}`),
      onFailure: fail,
    });
    feeding = feeder;
    const sweeping = sweeper.run(ending);
    try {
      feeder.start().catch(fail);
      await Promise.race([ended, failed]);
    } finally {
      over.abort();
      await Promise.all([feeder.close(), sweeping]);
      feeding = undefined;
      await assignment.close();
    }
  };
  const run = async (): Promise<void> => {
    const worker = await log.joinJob(writerNameOf(part), deploymentTopic.name);
    while (!stopped.signal.aborted) {
      try {
        await turn(worker);
      } catch (error) {
        if (stopped.signal.aborted) break;
        logger.warn(`the store's writer tries again: ${describeError(error)}`);
        await timers.sleep(retryMs, stopped.signal).catch(() => undefined);
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
      state: feeding === undefined ? "standing by" : "writing",
      ...(feeding && { appliedOffset: feeding.appliedOffset }),
      sweep: sweeper.figures,
    }),
    async close() {
      stopped.abort();
      try {
        await running.catch(() => undefined);
      } finally {
        await store.close();
      }
    },
  };
}
