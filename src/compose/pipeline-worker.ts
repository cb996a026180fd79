// The pipeline on a thread of its own: loads the definition there (its functions cannot cross threads) and serves the pipeline's parts to the main thread.
import { parentPort, workerData } from "node:worker_threads";
import { systemClock, systemTimers } from "../core/clock.ts";
import { giveBack } from "../core/give-back.ts";
import { HandedOver, serveThread } from "../core/thread-bridge.ts";
import type { MixedRequest, ProduceRequest } from "../gateway/port.ts";
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
export type PackedFrame = Omit<UpdateFrame, "updates" | "release">;

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
      async *readUpdates(options: ReadUpdatesOptions): AsyncGenerator<HandedOver> {
        for await (const frame of pipeline.log.readUpdates(options)) {
          const { source, offset, job, timestampMs, inputs, sizeBytes } = frame;
          // The log keeps its own.
          const packed = frame.packed?.slice();
          const packedFrame: PackedFrame = { source, offset, job, timestampMs, inputs, packed, sizeBytes };
          yield new HandedOver(packedFrame, packed === undefined ? [] : [packed.buffer]);
        }
      },
    };
    Object.assign(targets, {
      log: pipeline.log,
      registry: pipeline.registry,
      gateway: {
        produce: (request: ProduceRequest) => pipeline.gateway.produce(request).finally(() => giveBack(request.body)),
        produceMixed: (request: MixedRequest) =>
          pipeline.gateway.produceMixed(request).finally(() => {
            for (const { body } of request.parts) giveBack(body);
          }),
      },
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
