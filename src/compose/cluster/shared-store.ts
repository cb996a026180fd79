// A store that processes share: some write to it (the role store), others answer from it (the role serve).
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError, describeError } from "../../core/errors.ts";
import type { Log, LogReader } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import { cassandraStore, cassandraTableChanges } from "../../store/cassandra/store.ts";
import type { AppliedPositions, Store } from "../../store/port.ts";
import { StoreFeeder, waitersMax } from "../../store/store-feeder.ts";
import type { Logger } from "../logger.ts";
import { typeTopicsOf } from "../topics.ts";
import type { SharedTables } from "./deployment-plan.ts";
import { deploymentTopic } from "./deployment.ts";
import type { ServedGraph } from "./served-graph.ts";
import { cassandraBoundsOf, cassandraConnectionOf, type ClusterSettings, isShared } from "./settings.ts";

export interface SharedStoreOptions {
  readonly model: GraphModel;
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** @param tables `make` by deployments only */
async function openSharedStore(
  { model, settings, clock, timers }: SharedStoreOptions,
  tables: "make" | "expect" = "expect",
): Promise<Store> {
  const connection = cassandraConnectionOf(settings);
  return await cassandraStore({ model, connection, settings: cassandraBoundsOf(settings), clock, timers, tables });
}

/** The tables of the shared store, for deployments. Undefined where none is shared. */
export function sharedTables(options: Omit<SharedStoreOptions, "model">): SharedTables | undefined {
  const { settings, clock, timers } = options;
  if (!isShared(settings)) return undefined;
  return {
    async missing(model) {
      const connection = cassandraConnectionOf(settings);
      const changes = await cassandraTableChanges({ model, connection, clock, timers });
      return changes.map(({ what }) => what);
    },
    async make(model) {
      await (await openSharedStore({ ...options, model }, "make")).close();
    },
  };
}

export interface StoreWriter {
  start(): Promise<void>;
  close(): Promise<void>;
}

const retryMs = 1_000;
/** No job has this name: it is no name of an event. */
const writerName = "store.writer";

/**
 * Applies the jobs' transactions to the shared store. Of several processes one does, the others stand by: whose turn it is goes by the one partition of the
 * deployment's topic, which the log gives to one of them. One that was given up and does not know it yet does no harm: what it writes are registers.
 */
export async function openStoreWriter(options: SharedStoreOptions & { readonly log: Log }): Promise<StoreWriter> {
  const { log, model, timers, logger } = options;
  const store = await openSharedStore(options);
  const stopped = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const turn = async (worker: Awaited<ReturnType<Log["joinJob"]>>): Promise<void> => {
    const assignment = await worker.assignment(stopped.signal);
    const ended = new Promise<void>((resolve) => {
      for (const signal of [assignment.ending, stopped.signal]) {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      }
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
    try {
      feeder.start().catch(fail);
      await Promise.race([ended, failed]);
    } finally {
      await feeder.close();
      await assignment.close();
    }
  };
  const run = async (): Promise<void> => {
    const worker = await log.joinJob(writerName, deploymentTopic.name);
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

/** How often a store that others write to is asked how far it is, while somebody waits. */
const pollMs = 20;

/** The shared store as serving processes ask it. */
export async function openSharedGraph(
  options: SharedStoreOptions & { readonly log: LogReader; readonly continuationKey: Uint8Array },
): Promise<ServedGraph> {
  const { model, timers, clock, continuationKey } = options;
  const store = await openSharedStore(options);
  let waiting = 0;
  let asking: Promise<AppliedPositions> | undefined;
  /** One answer is for all that wait. */
  const applied = (): Promise<AppliedPositions> => {
    asking ??= store.applied().finally(() => {
      asking = undefined;
    });
    return asking;
  };
  const accountsFor = async (positions: readonly Position[]): Promise<boolean> => {
    const { sources, inputs } = await applied();
    const reached = new Map(inputs.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
    const last = Math.max(-1, ...sources.values());
    return positions.every(({ topic, partition, offset }) =>
      topic.startsWith("events.") ? (reached.get(`${topic}/${partition}`) ?? -1) >= offset : last >= offset,
    );
  };
  return {
    store,
    typeTopic: typeTopicsOf(model)[0]!,
    continuationKey,
    async waitFor(positions, timeoutMs, signal) {
      if (waiting >= waitersMax) {
        const message = "Too many requests wait for positions.";
        throw new RdgError("overloaded", "too_many_waiters", message, { retryAfterMs: 1_000 });
      }
      const untilMs = clock.monotonicMs() + timeoutMs;
      waiting++;
      try {
        for (;;) {
          if (await accountsFor(positions)) return true;
          if (signal.aborted || clock.monotonicMs() >= untilMs) return false;
          await timers.sleep(pollMs, signal).catch(() => undefined);
        }
      } finally {
        waiting--;
      }
    },
    waiters: () => waiting,
    appliedOffset: async () => Math.max(-1, ...(await applied()).sources.values()),
    blocked: () => undefined,
    start: async () => undefined,
    close: () => store.close(),
  };
}
