// The store of a data folder that no process uses, for commands that read all of it: opened, brought up to the end of the log, closed.
import { systemClock, systemTimers } from "../core/clock.ts";
import type { Graph } from "../index.ts";
import type { EmbeddedStore } from "../store/embedded/store.ts";
import { StoreFeeder } from "../store/store-feeder.ts";
import { openDataStore } from "./embedded-store.ts";
import { createLogger } from "./logger.ts";
import { type Pipeline, type PipelineOptions, openPipeline } from "./pipeline.ts";
import type { EmbeddedSettings } from "./settings.ts";
import { typeTopicsOf } from "./topics.ts";

export interface DataStore {
  readonly store: EmbeddedStore;
  readonly pipeline: Pipeline;
  /** Name of any type topic. */
  readonly typeTopic: string;
  /** Whether it holds all that is in the log: its memory may not suffice. */
  readonly caughtUp: boolean;
  readonly ports: Omit<PipelineOptions, "graph" | "settings">;
}

/** @throws RdgError conflict when a process uses the folder; corrupt */
export async function withDataStore<T>(
  graph: Graph,
  settings: EmbeddedSettings,
  use: (opened: DataStore) => Promise<T>,
): Promise<T> {
  const ports = { clock: systemClock, timers: systemTimers, logger: createLogger(settings["log.level"]) };
  const pipeline = await openPipeline({ graph, settings, ...ports });
  const typeTopic = typeTopicsOf(pipeline.model)[0]!;
  let store: EmbeddedStore | undefined;
  try {
    store = await openDataStore(pipeline, settings, ports);
    const feeder = new StoreFeeder({
      log: pipeline.log,
      store,
      timers: systemTimers,
      typeTopic,
      onApplied: () => undefined,
      onBlocked: () => undefined,
      onFailure: () => undefined,
    });
    await feeder.start();
    await feeder.finish();
    const [bounds] = await pipeline.log.bounds(typeTopic);
    const caughtUp = feeder.appliedOffset >= bounds!.next - 1;
    return await use({ store, pipeline, typeTopic, caughtUp, ports });
  } finally {
    try {
      await store?.close();
    } finally {
      await pipeline.close();
    }
  }
}
