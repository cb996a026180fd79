// What a process tells about itself, of the parts that it has: readiness, status, metrics.
import type { Slots } from "../../core/slots.ts";
import type { GraphModel } from "../../model/definition.ts";
import { formatPosition } from "../../model/position.ts";
import type { Measures } from "../../observe/metrics.ts";
import type { ProcessStatus } from "../../observe/port.ts";
import type { Readiness } from "../../serve/operation-routes.ts";
import type { HttpServer } from "../../serve/server.ts";
import type { StoreStatistics } from "../../store/port.ts";
import { waitersMax } from "../../store/store-feeder.ts";
import type { OpenedAccess } from "../access.ts";
import type { GrpcListener } from "../grpc.ts";
import { gatewayQueues, httpQueues, jobQueues } from "../measures.ts";
import type { Phase } from "../readiness.ts";
import { topicStatus } from "../topic-status.ts";
import type { ProcessParts } from "./process-parts.ts";
import type { ServedGraph } from "./served-graph.ts";
import type { ClusterSettings } from "./settings.ts";

/** Reads go on while a job fails or a replica falls behind: that is told, and no reason to send readers elsewhere. */
export async function readinessOf(phase: Phase, { jobs, served }: ProcessParts): Promise<Readiness> {
  if (phase === "closing") return { ready: false, reason: "The process is shutting down." };
  if (phase === "catching up") return { ready: false, reason: "The process is catching up with the log." };
  const blocked = served?.blocked();
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
  const { roles, graph, log, gateway, jobs, served, writer } = parts;
  const { phase, grpcAddress, uptimeMs } = context;
  const topics = (await log.topics()).filter(({ form }) => form !== "updates");
  return {
    graph: graph.model.name,
    fingerprint: graph.fingerprint,
    roles: [...roles],
    ...placementOf(graph.model),
    ready: phase === "serving",
    ...(grpcAddress === undefined ? {} : { grpc: grpcAddress }),
    uptimeMs,
    topics: await Promise.all(topics.map(({ name }) => topicStatus(log, name))),
    jobs: (await jobs?.status()) ?? [],
    ...(served === undefined ? {} : { store: await storeStatus(parts, served) }),
    ...(writer === undefined ? {} : { writing: writer.figures() }),
    ...(gateway === undefined ? {} : { gateway: gateway.statistics() }),
  };
}

function placementOf({ nodes, edges }: GraphModel): Pick<ProcessStatus, "placement"> {
  const placed = [
    ...nodes.map(({ name, store }) => [`nodes.${name}`, store] as const),
    ...edges.map(({ name, store }) => [`edges.${name}`, store] as const),
  ].flatMap(([type, store]) => (store === undefined ? [] : [[type, store] as const]));
  return placed.length === 0 ? {} : { placement: Object.fromEntries(placed) };
}

async function storeStatus(parts: ProcessParts, served: ServedGraph) {
  const [figures, applied] = await Promise.all([storeFigures(parts, served), served.store.applied()]);
  const { appliedOffset: _, ...told } = figures;
  return {
    ...told,
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
  const { gateway, served, writer } = parts;
  const jobs = (await parts.jobs?.status()) ?? [];
  const sideInputs = parts.jobs?.sideInputs() ?? [];
  const store = served && (await storeFigures(parts, served));
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
            { queue: "store_waiters", unit: "requests", fill: served.waiters(), max: waitersMax },
            { queue: "traversals", unit: "requests", fill: traversals.taken, max: traversals.max },
          ] as const)
        : []),
    ],
    ...(gateway ? { gateway: gateway.statistics() } : {}),
    jobs,
    sideInputs,
    ...(store ? { store } : {}),
    ...(writer ? { writing: writer.figures() } : {}),
    process: {
      residentBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
      uptimeSeconds: uptimeMs / 1_000,
    },
  };
}

async function storeFigures({ log }: ProcessParts, { store, typeTopic, ...served }: ServedGraph) {
  const [statistics, appliedOffset, [bounds]] = await Promise.all([
    // To count what a store elsewhere holds is to read all of it.
    store.capabilities.local === true ? store.statistics() : (served.statistics?.() ?? noStatistics),
    served.appliedOffset(),
    log.bounds(typeTopic),
  ]);
  return { ...statistics, appliedOffset, lagTransactions: Math.max(0, bounds!.next - 1 - appliedOffset) };
}

const noStatistics: StoreStatistics = { nodes: {}, edges: {}, memoryBytes: 0, memoryMaxBytes: 0 };
