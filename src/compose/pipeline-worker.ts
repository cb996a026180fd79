// The pipeline on a thread of its own: loads the definition there (its functions cannot cross threads) and serves the pipeline's parts to the main thread.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock, systemTimers } from "../core/clock.ts";
import { serveThread } from "../core/thread-bridge.ts";
import type { ReadUpdatesOptions, UpdateFrame } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import { loadGraph } from "./graph-file.ts";
import { createLogger } from "./logger.ts";
import { openPipeline, type Pipeline } from "./pipeline.ts";
import type { EmbeddedSettings } from "./settings.ts";

export interface PipelineWorkerData {
  readonly graphFile: string;
  readonly settings: EmbeddedSettings;
}

/** An `UpdateFrame` without its function, as it crosses threads. */
export type PackedFrame = Omit<UpdateFrame, "updates">;

const { graphFile, settings } = workerData as PipelineWorkerData;

/** Serves the parts once they are open, so that a failure to open is an answer and not the thread's end. */
const worker = {
  pipeline: undefined as Pipeline | undefined,
  /** Answers the aligned definition. */
  async open(): Promise<GraphModel> {
    const graph = await loadGraph(graphFile);
    const logger = createLogger(settings["log.level"]);
    const pipeline = await openPipeline({ graph, settings, clock: systemClock, timers: systemTimers, logger });
    this.pipeline = pipeline;
    const frames = {
      async *readUpdates(options: ReadUpdatesOptions): AsyncGenerator<PackedFrame> {
        for await (const frame of pipeline.log.readUpdates(options)) {
          const { source, offset, job, timestampMs, inputs, packed, sizeBytes } = frame;
          yield { source, offset, job, timestampMs, inputs, packed, sizeBytes };
        }
      },
    };
    Object.assign(targets, {
      log: pipeline.log,
      registry: pipeline.registry,
      gateway: pipeline.gateway,
      control: pipeline.control,
      frames,
    });
    return pipeline.model;
  },
  finish(): Promise<void> {
    return this.pipeline?.finish() ?? Promise.resolve();
  },
  close(): Promise<void> {
    return this.pipeline?.close() ?? Promise.resolve();
  },
};

const targets: Record<string, object> = { worker };
serveThread(parentPort!, targets);
