// A store that processes share: some write to it (the role store), others answer from it (the role serve).
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { LogReader } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import { type CassandraStore, cassandraStore, cassandraTableChanges } from "../../store/cassandra/store.ts";
import type { StorePart } from "../../store/placed/placement.ts";
import { keepingPart } from "../../store/placed/project.ts";
import type { AppliedPositions } from "../../store/port.ts";
import { waitersMax } from "../../store/store-feeder.ts";
import type { Logger } from "../logger.ts";
import { typeTopicsOf } from "../topics.ts";
import type { SharedTables } from "./deployment-plan.ts";
import type { ServedGraph } from "./served-graph.ts";
import { cassandraBoundsOf, cassandraConnectionOf, type ClusterSettings, isShared } from "./settings.ts";

export interface SharedStoreOptions {
  readonly model: GraphModel;
  /** Where the model is what this store has of a graph that is on several. */
  readonly part?: StorePart;
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** @param tables `make` by deployments only */
export async function openSharedStore(
  { model, part, settings, clock, timers }: SharedStoreOptions,
  tables: "make" | "expect" = "expect",
): Promise<CassandraStore> {
  const connection = await cassandraConnectionOf(settings);
  const bounds = cassandraBoundsOf(settings);
  const store = await cassandraStore({ model, connection, settings: bounds, clock, timers, tables });
  return part === undefined ? store : keepingPart(store, part);
}

/** The tables of the shared store, for deployments. Undefined where none is shared. */
export function sharedTables(options: Omit<SharedStoreOptions, "model">): SharedTables | undefined {
  const { settings, clock, timers } = options;
  if (!isShared(settings)) return undefined;
  return {
    async missing(model) {
      const connection = await cassandraConnectionOf(settings);
      const bounds = cassandraBoundsOf(settings);
      const changes = await cassandraTableChanges({ model, connection, settings: bounds, clock, timers });
      return changes.map(({ what }) => what);
    },
    async make(model) {
      await (await openSharedStore({ ...options, model }, "make")).close();
    },
    async applied(model) {
      // Positions are there before the tables of any type.
      const ofNone = { ...model, nodes: [], edges: [] };
      if ((await this.missing(ofNone).catch(noneOfUnknown)).length > 0) return -1;
      const store = await openSharedStore({ ...options, model: ofNone });
      try {
        return Math.max(-1, ...(await store.applied()).sources.values());
      } finally {
        await store.close();
      }
    },
  };
}

/** A keyspace that is not there has nothing. */
function noneOfUnknown(error: unknown): readonly string[] {
  if (error instanceof RdgError && error.kind === "not_found") return [error.message];
  throw error;
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
