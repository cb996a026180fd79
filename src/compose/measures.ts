// Everything that `/metrics` tells, taken from all parts at one moment.
import type { Clock } from "../core/clock.ts";
import type { Slots } from "../core/slots.ts";
import type { Measures, QueueFill } from "../observe/metrics.ts";
import type { HttpServer } from "../serve/server.ts";
import type { EmbeddedStore } from "../store/embedded/store.ts";
import { type StoreFeeder, waitersMax } from "../store/store-feeder.ts";
import type { OpenedAccess } from "./access.ts";
import type { GrpcListener } from "./grpc.ts";
import type { PipelineStatus } from "./pipeline-control.ts";
import type { PipelineParts } from "./pipeline.ts";
import type { ServingFigures } from "./serving-figures.ts";
import type { EmbeddedSettings } from "./settings.ts";

export interface MeasuredParts {
  readonly pipeline: PipelineParts;
  readonly store: EmbeddedStore;
  readonly feeder: StoreFeeder;
  readonly server: HttpServer;
  readonly grpc: GrpcListener | undefined;
  readonly traversals: Slots;
  readonly settings: EmbeddedSettings;
  readonly clock: Clock;
  readonly startedMs: number;
  readonly ready: boolean;
  readonly access: OpenedAccess;
  readonly serves: ServingFigures;
  /** Name of any type topic. */
  readonly typeTopic: string;
}

export async function measure(parts: MeasuredParts): Promise<Measures> {
  const { pipeline, store, feeder, server, clock, startedMs, ready, typeTopic } = parts;
  const [status, statistics, [bounds], connections] = await Promise.all([
    pipeline.control.status(),
    store.statistics(),
    pipeline.log.bounds(typeTopic),
    server.connections(),
  ]);
  const { user, system } = process.cpuUsage();
  return {
    ready,
    refusing: status.refusing !== undefined,
    queues: [
      ...httpQueues(server, connections),
      ...(parts.grpc?.queues() ?? []),
      ...pipelineQueues(status, parts.settings),
      ...parts.access.queues(),
      { queue: "store_memory", unit: "bytes", fill: statistics.memoryBytes, max: statistics.memoryMaxBytes },
      { queue: "store_waiters", unit: "requests", fill: feeder.waiterCount, max: waitersMax },
      { queue: "traversals", unit: "requests", fill: parts.traversals.taken, max: parts.traversals.max },
      ...parts.serves.queues,
    ],
    gateway: status.gateway,
    jobs: status.jobs,
    sideInputs: status.sideInputs,
    log: status.log,
    store: {
      ...statistics,
      appliedOffset: feeder.appliedOffset,
      lagTransactions: Math.max(0, bounds!.next - 1 - feeder.appliedOffset),
    },
    process: {
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      uptimeSeconds: (clock.monotonicMs() - startedMs) / 1_000,
    },
  };
}

export function httpQueues({ bounds }: HttpServer, connections: number): QueueFill[] {
  const {
    eventBodies,
    otherBodies,
    answers,
    events,
    eventBytes,
    queries,
    waiters,
    queryStreams,
    streams,
    proofs,
    others,
  } = bounds;
  const bytes = (
    queue: string,
    { bytes: fill, bytesMax: max }: Pick<typeof answers, "bytes" | "bytesMax">,
  ): QueueFill => ({
    queue,
    unit: "bytes",
    fill,
    max,
  });
  const requests = (queue: string, { running: fill, runningMax: max }: typeof events): QueueFill => ({
    queue,
    unit: "requests",
    fill,
    max,
  });
  return [
    { queue: "http_connections", unit: "connections", fill: connections, max: bounds.connectionsMax },
    bytes("http_event_bodies", eventBodies),
    bytes("http_other_bodies", otherBodies),
    bytes("http_answers", answers),
    requests("http_events", events),
    bytes("http_events", eventBytes),
    requests("http_queries", queries),
    requests("http_waiting_queries", waiters),
    requests("http_query_streams", queryStreams),
    { ...requests("http_topic_readers", streams), unit: "readers" },
    requests("http_proofs", proofs),
    requests("http_others", others),
  ];
}

function pipelineQueues(
  { gateway, jobs, sideInputs, log, backlog, lag }: PipelineStatus,
  settings: EmbeddedSettings,
): QueueFill[] {
  return [
    ...gatewayQueues(gateway),
    { queue: "jobs_lag", unit: "bytes", fill: lag.bytes, max: lag.bytesMax },
    { queue: "jobs_backlog", unit: "transactions", fill: backlog.transactions, max: backlog.transactionsMax },
    ...jobQueues(jobs, sideInputs, settings),
    ...logQueues(log),
  ];
}

export function gatewayQueues(gateway: PipelineStatus["gateway"]): QueueFill[] {
  return [
    { queue: "gateway", unit: "requests", fill: gateway.inFlightRequests, max: gateway.inFlightRequestsMax },
    { queue: "gateway", unit: "bytes", fill: gateway.inFlightBytes, max: gateway.inFlightBytesMax },
  ];
}

export function jobQueues(
  jobs: PipelineStatus["jobs"],
  sideInputs: PipelineStatus["sideInputs"],
  settings: EmbeddedSettings,
): QueueFill[] {
  const sideBytes = sideInputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    { queue: "side_inputs", unit: "bytes", fill: sideBytes, max: settings["inputs.memory"] },
    ...jobs.flatMap(({ event: of, window, dedup }): QueueFill[] => [
      { queue: "job_window", of, unit: "elements", fill: window.keys, max: window.keysMax },
      { queue: "job_window", of, unit: "bytes", fill: window.bytes, max: window.bytesMax },
      ...(dedup ? [{ queue: "job_dedup", of, unit: "ids", fill: dedup.count, max: dedup.countMax } as const] : []),
    ]),
  ];
}

function logQueues({ partitions, journal, idempotencyKeys, bounds }: PipelineStatus["log"]): QueueFill[] {
  const { queueBytesMax, tailBytesMax, journalTailBytesMax, idempotencyKeysMax } = bounds;
  const stream = (of: string, fill: { queuedBytes: number; tailBytes: number }, tailMax: number): QueueFill[] => [
    { queue: "log_writes", of, unit: "bytes", fill: fill.queuedBytes, max: queueBytesMax },
    { queue: "log_tail", of, unit: "bytes", fill: fill.tailBytes, max: tailMax },
  ];
  return [
    ...partitions.flatMap((each) => stream(`${each.topic}/${each.partition}`, each, tailBytesMax)),
    ...stream("journal", journal, journalTailBytesMax),
    { queue: "log_idempotency_keys", unit: "ids", fill: idempotencyKeys, max: idempotencyKeysMax },
  ];
}
