// The half of RDG that takes events in and turns them into updates: log, registry, gateway and jobs, wired together.
import { join } from "node:path";
import type { Clock, Timers } from "../core/clock.ts";
import { createGateway } from "../gateway/gateway.ts";
import type { Gateway } from "../gateway/port.ts";
import type { Graph } from "../index.ts";
import { Backlog } from "../jobs/runner/backlog.ts";
import { inFlightMax } from "../jobs/runner/job-attempt.ts";
import { openEmbeddedLog, type EmbeddedLog } from "../log/embedded/log.ts";
import type { LogReader } from "../log/port.ts";
import type { GraphModel } from "../model/definition.ts";
import { openEmbeddedRegistry } from "../schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../schemas/port.ts";
import { makeDataFolder } from "./data-folder.ts";
import { alignWithFolder } from "./definition-file.ts";
import { openJobRunners } from "./job-runners.ts";
import type { Logger } from "./logger.ts";
import { PipelineControl } from "./pipeline-control.ts";
import type { EmbeddedSettings } from "./settings.ts";
import { withoutSources } from "./sources.ts";
import { topicsOf } from "./topics.ts";

/** Published transactions that may wait for the store before jobs slow down. */
const backlogMax = 8;

export interface PipelineOptions {
  readonly graph: Graph;
  readonly settings: EmbeddedSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** The pipeline as the other half of RDG sees it; on another thread every call is a message. */
export interface PipelineParts {
  /** The definition, aligned with the data in the folder. */
  readonly model: GraphModel;
  readonly log: LogReader;
  readonly registry: SchemaRegistry;
  readonly gateway: Gateway;
  readonly control: PipelineControl;
  /** Takes no more events and publishes what was accepted; readers still read. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

export interface Pipeline extends PipelineParts {
  readonly log: EmbeddedLog;
}

/** Opens the data folder and starts nothing yet: `control.start()` does. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { settings, clock, timers } = options;
  await makeDataFolder(settings.data);
  const log = await openEmbeddedLog({
    folder: join(settings.data, "log"),
    clock,
    timers,
    settings: { segmentBytes: settings["log.segment"] },
  });
  for (const { path, position, bytes, savedAs } of log.statistics().cuts) {
    options.logger.warn(
      { path, position, bytes, savedAs },
      "a crash had torn the last write to the log: it was cut off and kept aside",
    );
  }
  try {
    // The log's lock stands for the whole data folder: nothing else in it is touched before.
    const graph = await alignWithFolder(withoutSources(options.graph), settings.data);
    await log.ensureTopics(topicsOf(graph.model));
    const registry = await openEmbeddedRegistry({ folder: join(settings.data, "schemas") });
    return await assemblePipeline({ ...options, graph }, log, registry);
  } catch (error) {
    await log.close();
    throw error;
  }
}

/** Wires the pipeline over a log that has the definition's topics, whose it then is, as the registry: `close` closes both. */
export async function assemblePipeline(
  options: PipelineOptions,
  log: EmbeddedLog,
  registry: SchemaRegistry,
): Promise<Pipeline> {
  const { graph, settings, clock, timers } = options;
  const { model } = graph;
  const gateway = await createGateway({
    model,
    log,
    registry,
    clock,
    settings: { bodyBytesMax: settings["gateway.body"], inFlightBytesMax: settings["gateway.inFlight"] },
  });
  const backlog = new Backlog(backlogMax, model.jobs.length * inFlightMax);
  const { runners, sideInputs } = await openJobRunners({ ...options, log, registry, downstream: backlog });
  const control = new PipelineControl({ log, gateway, runners, sideInputs, backlog, settings, timers });
  return {
    model,
    log,
    registry,
    gateway,
    control,
    async finish() {
      await gateway.close();
      await control.stop("drain");
    },
    async close() {
      await gateway.close();
      await control.stop("now");
      await registry.close();
      await log.close();
    },
  };
}
