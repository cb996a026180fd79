// The composition root: puts the embedded product together from its parts, and takes it apart again in the right order.
import { createLogger } from "./compose/logger.ts";
import { openPipeline, type PipelineParts } from "./compose/pipeline.ts";
import { openRemotePipeline } from "./compose/remote-pipeline.ts";
import { openDataStore, openScratch, openServing, type Serving } from "./compose/serving.ts";
import type { EmbeddedSettings } from "./compose/settings.ts";
import { typeTopicsOf } from "./compose/topics.ts";
import { systemClock, systemTimers } from "./core/clock.ts";
import type { Graph } from "./index.ts";
import type { Verification } from "./observe/port.ts";
import { verifyAgainstLog } from "./observe/store-verification.ts";
import type { EmbeddedStore } from "./store/embedded/store.ts";
import { StoreFeeder } from "./store/store-feeder.ts";

export { embeddedSettings, type EmbeddedSettings } from "./compose/settings.ts";

export interface RunningRdg {
  readonly url: string;
  /** Host and port of the gRPC server, unless it is off. */
  readonly grpc?: string;
  /** Resolves once the graph has caught up with the log. Until then traversals are answered as of what was applied. */
  readonly ready: Promise<void>;
  /** Resolves with the cause when RDG cannot go on by itself; `close` it then. */
  readonly failed: Promise<unknown>;
  /** Stops accepting, finishes what was accepted, writes a checkpoint. */
  close(): Promise<void>;
}

/**
 * Runs everything in this process. With `graphFile`, the module that the graph came from, log and jobs run on a thread of their own.
 * @throws RdgError conflict when the data folder or the port is taken; corrupt when stored data is damaged
 */
export async function startEmbedded(graph: Graph, settings: EmbeddedSettings, graphFile?: string): Promise<RunningRdg> {
  const ports = { clock: systemClock, timers: systemTimers, logger: createLogger(settings["log.level"]) };
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<unknown>((resolve) => {
    fail = resolve;
  });
  const pipeline: PipelineParts =
    graphFile === undefined
      ? await openPipeline({ graph, settings, ...ports })
      : await openRemotePipeline({ graphFile, settings }, fail);
  let serving: Serving | undefined;
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= allOf([
      () => serving?.closeServer(),
      () => pipeline.finish(),
      () => serving?.closeStore(),
      () => pipeline.close(),
    ]));
  try {
    serving = await openServing({ graph, settings, pipeline, ...ports, onFailure: fail });
    const addresses = await serving.listen();
    const ready = serving.start();
    ready.catch(fail);
    return { ...addresses, ready, failed, close };
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
}

/** Takes every step, also after one has failed: locks and threads must end. @throws what the first failing one threw */
async function allOf(steps: readonly (() => Promise<void> | undefined)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Proves the store of a data folder that no process uses. */
export async function verifyStore(graph: Graph, settings: EmbeddedSettings): Promise<Verification> {
  const ports = { clock: systemClock, timers: systemTimers, logger: createLogger(settings["log.level"]) };
  const pipeline = await openPipeline({ graph, settings, ...ports });
  const { model } = pipeline;
  const [typeTopic] = typeTopicsOf(model);
  let store: EmbeddedStore | undefined;
  try {
    store = await openDataStore(pipeline, settings, ports);
    const feeder = new StoreFeeder({
      log: pipeline.log,
      store,
      timers: systemTimers,
      typeTopic: typeTopic!,
      onApplied: () => undefined,
      onBlocked: () => undefined,
      onFailure: () => undefined,
    });
    await feeder.start();
    await feeder.finish();
    return await verifyAgainstLog({
      model,
      log: pipeline.log,
      clock: ports.clock,
      store,
      typeTopic: typeTopic!,
      openScratch: () => openScratch(model, settings, ports),
    });
  } finally {
    await allOf([() => store?.close(), () => pipeline.close()]);
  }
}
