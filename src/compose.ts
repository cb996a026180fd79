// The composition root: puts the embedded product together from its parts, and takes it apart again in the right order.
import { withDataStore } from "./compose/data-store.ts";
import { openScratch } from "./compose/embedded-store.ts";
import { createLogger } from "./compose/logger.ts";
import { openPipeline, type PipelineParts } from "./compose/pipeline.ts";
import { openRemotePipeline } from "./compose/remote-pipeline.ts";
import { openServing, type Serving } from "./compose/serving.ts";
import type { EmbeddedSettings } from "./compose/settings.ts";
import { systemClock, systemTimers } from "./core/clock.ts";
import { RdgError } from "./core/errors.ts";
import { scanExport } from "./export/scan-export.ts";
import type { Graph } from "./index.ts";
import type { GraphModel } from "./model/definition.ts";
import type { Verification } from "./observe/port.ts";
import { verifyAgainstLog } from "./observe/store-verification.ts";

export { embeddedSettings, type EmbeddedSettings } from "./compose/settings.ts";

export interface RunningRdg {
  readonly url: string;
  /** Host and port of the gRPC server, unless it is off. */
  readonly grpc?: string;
  /** Resolves once the graph has caught up with the log. Until then traversals are answered as of what was applied. */
  readonly ready: Promise<void>;
  /** Resolves with the cause when RDG cannot go on by itself; `close` it then. */
  readonly failed: Promise<unknown>;
  /** Reads keys and certificates anew, now, and not only when it looks at them by itself. */
  reload(): Promise<void>;
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
    const opened = serving;
    return { ...addresses, ready, failed, reload: () => opened.reload(), close };
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
  return await withDataStore(graph, settings, ({ store, pipeline: { model, log }, typeTopic, ports }) =>
    verifyAgainstLog({
      model,
      log,
      clock: ports.clock,
      store,
      typeTopic,
      openScratch: () => openScratch(model, settings, ports),
    }),
  );
}

/** Hands out the graph of a data folder that no process uses, as `GET /v1/export` does. @throws RdgError conflict when a process uses it; corrupt; unavailable when its memory does not suffice */
export async function exportStore<T>(
  graph: Graph,
  settings: EmbeddedSettings,
  take: (model: GraphModel, pieces: AsyncIterable<Uint8Array>) => Promise<T>,
): Promise<T> {
  return await withDataStore(graph, settings, ({ store, pipeline: { model }, caughtUp, ports: { clock } }) => {
    if (!caughtUp) {
      throw new RdgError("unavailable", "not_caught_up", "The store does not take all that is in the log.", {
        place: settings.data,
        hint: "Give it more memory (--store-memory).",
      });
    }
    return take(model, scanExport({ model, fingerprint: graph.fingerprint, store, clock }));
  });
}
