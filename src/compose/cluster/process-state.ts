// What a process tells about itself, of the parts that it has: readiness, status, metrics.
import type { Slots } from "../../core/slots.ts";
import { formatPosition } from "../../model/position.ts";
import type { Measures } from "../../observe/metrics.ts";
import type { ProcessStatus } from "../../observe/port.ts";
import type { Readiness } from "../../serve/operation-routes.ts";
import type { HttpServer } from "../../serve/server.ts";
import { waitersMax } from "../../store/store-feeder.ts";
import type { OpenedAccess } from "../access.ts";
import type { GrpcListener } from "../grpc.ts";
import { gatewayQueues, httpQueues, jobQueues } from "../measures.ts";
import type { Phase } from "../readiness.ts";
import { topicStatus } from "../topic-status.ts";
import type { ProcessParts } from "./process-parts.ts";
import type { Replica } from "./replica.ts";
import type { ClusterSettings } from "./settings.ts";

/** Reads go on while a job fails or a replica falls behind: that is told, and no reason to send readers elsewhere. */
export async function readinessOf(phase: Phase, { jobs, replica }: ProcessParts): Promise<Readiness> {
  if (phase === "closing") return { ready: false, reason: "The process is shutting down." };
  if (phase === "catching up") return { ready: false, reason: "The process is catching up with the log." };
  const blocked = replica?.blocked();
  const failing = (await jobs?.status().catch(() => [])) ?? [];
  const warnings = [
    ...(blocked === undefined ? [] : [`The replica takes no more: ${blocked.message}`]),
    ...failing
      .filter(({ state }) => state === "retrying" || state === "stopped")
      .map(({ event, state, cause }) => `The job of ${event} is ${state}${cause === undefined ? "." : `: ${cause}`}`),
  ];
  return { ready: true, ...(warnings.length > 0 ? { warnings } : {}) };
}

export interface StatusContext {
  readonly phase: Phase;
  readonly grpcAddress: string | undefined;
  readonly uptimeMs: number;
}

export async function statusOf(parts: ProcessParts, context: StatusContext): Promise<ProcessStatus> {
  const { roles, graph, log, gateway, jobs, replica } = parts;
  const { phase, grpcAddress, uptimeMs } = context;
  const topics = (await log.topics()).filter(({ form }) => form !== "updates");
  return {
    graph: graph.model.name,
    fingerprint: graph.fingerprint,
    roles: [...roles],
    ready: phase === "serving",
    ...(grpcAddress === undefined ? {} : { grpc: grpcAddress }),
    uptimeMs,
    topics: await Promise.all(topics.map(({ name }) => topicStatus(log, name))),
    jobs: (await jobs?.status()) ?? [],
    ...(replica === undefined ? {} : { store: await storeStatus(parts, replica) }),
    ...(gateway === undefined ? {} : { gateway: gateway.statistics() }),
  };
}

async function storeStatus({ log }: ProcessParts, { store, feeder, typeTopic }: Replica) {
  const [statistics, applied, [bounds]] = await Promise.all([
    store.statistics(),
    store.applied(),
    log.bounds(typeTopic),
  ]);
  return {
    ...statistics,
    lagTransactions: Math.max(0, bounds!.next - 1 - feeder.appliedOffset),
    applied: [...applied.sources].map(([source, offset]) => `${source}@${offset}`),
    inputs: applied.inputs.map(formatPosition),
  };
}

export interface MeasuredProcess {
  readonly parts: ProcessParts;
  readonly server: HttpServer;
  readonly grpc: GrpcListener | undefined;
  readonly access: OpenedAccess;
  readonly traversals: Slots;
  readonly settings: ClusterSettings;
  readonly phase: Phase;
  readonly uptimeMs: number;
}

export async function measureProcess(measured: MeasuredProcess): Promise<Measures> {
  const { parts, server, settings, traversals, phase, uptimeMs } = measured;
  const { gateway, replica } = parts;
  const jobs = (await parts.jobs?.status()) ?? [];
  const sideInputs = parts.jobs?.sideInputs() ?? [];
  const store = replica && (await measureReplica(parts, replica));
  const { user, system } = process.cpuUsage();
  return {
    ready: phase === "serving",
    refusing: false,
    queues: [
      ...httpQueues(server, await server.connections()),
      ...(measured.grpc?.queues() ?? []),
      ...(gateway ? gatewayQueues(gateway.statistics()) : []),
      ...(parts.jobs ? jobQueues(jobs, sideInputs, settings) : []),
      ...measured.access.queues(),
      ...(store
        ? ([
            { queue: "store_memory", unit: "bytes", fill: store.memoryBytes, max: store.memoryMaxBytes },
            { queue: "store_waiters", unit: "requests", fill: replica.feeder.waiterCount, max: waitersMax },
            { queue: "traversals", unit: "requests", fill: traversals.taken, max: traversals.max },
          ] as const)
        : []),
    ],
    ...(gateway ? { gateway: gateway.statistics() } : {}),
    jobs,
    sideInputs,
    ...(store ? { store } : {}),
    process: {
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      uptimeSeconds: uptimeMs / 1_000,
    },
  };
}

async function measureReplica({ log }: ProcessParts, { store, feeder, typeTopic }: Replica) {
  const [statistics, [bounds]] = await Promise.all([store.statistics(), log.bounds(typeTopic)]);
  const lagTransactions = Math.max(0, bounds!.next - 1 - feeder.appliedOffset);
  return { ...statistics, appliedOffset: feeder.appliedOffset, lagTransactions };
}
