// The embedded store as a replica in this process: fed from the log by itself, with positions and checkpoints of its own, rebuilt from both when it was lost.
import { join } from "node:path";
import type { Clock, Timers } from "../../core/clock.ts";
import { type RdgError, describeError } from "../../core/errors.ts";
import type { LogReader } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type { StorePart } from "../../store/placed/placement.ts";
import { keepingPart } from "../../store/placed/project.ts";
import { StoreFeeder } from "../../store/store-feeder.ts";
import { openStore } from "../embedded-store.ts";
import type { Logger } from "../logger.ts";
import { typeTopicsOf } from "../topics.ts";
import type { ServedGraph } from "./served-graph.ts";
import type { ClusterSettings } from "./settings.ts";

export interface ReplicaOptions {
  readonly model: GraphModel;
  /** Where the model is what the replica has of a graph that is on several stores. */
  readonly part?: StorePart;
  readonly log: LogReader;
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly continuationKey: Uint8Array;
  /** Called once when it cannot go on. */
  readonly onFailure: (error: unknown) => void;
}

export async function openReplica(options: ReplicaOptions): Promise<ServedGraph> {
  const { model, part, log, settings, timers, logger } = options;
  const typeTopic = typeTopicsOf(model)[0]!;
  const [bounds] = await log.bounds(typeTopic);
  const store = await openStore(model, settings, join(settings.data, "store"), options, bounds!.first === 0);
  if (part !== undefined) keepingPart(store, part);
  let blocked: RdgError | undefined;
  const feeder = new StoreFeeder({
    log,
    store,
    timers,
    typeTopic,
    onApplied: () => undefined,
    onBlocked(cause) {
      blocked = cause;
      if (cause === undefined) logger.info("the replica goes on");
      else logger.warn(`the replica takes no more, its answers grow stale: ${describeError(cause)}`);
    },
    onFailure: options.onFailure,
  });
  return {
    store,
    waitFor: (positions, timeoutMs, signal) => feeder.waitFor(positions, timeoutMs, signal),
    waiters: () => feeder.waiterCount,
    appliedOffset: async () => feeder.appliedOffset,
    still: (work) => feeder.still(work),
    typeTopic,
    continuationKey: options.continuationKey,
    blocked: () => blocked,
    start: () => feeder.start(),
    // Writes a checkpoint. What it has not applied, it will after its next start.
    async close() {
      try {
        await feeder.close();
      } finally {
        await store.close();
      }
    },
  };
}
