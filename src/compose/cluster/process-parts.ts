// What a process of a cluster has, by its roles: opened over the cluster's log and registry, and closed in the reverse order.
import { join } from "node:path";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { type ControlledGateway, createGateway } from "../../gateway/gateway.ts";
import type { Graph } from "../../index.ts";
import { inspectTopics } from "../../log/kafka/inspect.ts";
import { openKafkaLog } from "../../log/kafka/log.ts";
import type { Log } from "../../log/port.ts";
import { openConfluentRegistry } from "../../schemas/confluent/registry.ts";
import { openEmbeddedRegistry } from "../../schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../schemas/port.ts";
import type { Logger } from "../logger.ts";
import { deploy } from "./deploy.ts";
import type { Cluster } from "./deployment-plan.ts";
import { alignWithDeployment, nothingDeployed, readDeployment } from "./deployment.ts";
import { type JobsRole, openJobsRole } from "./jobs-role.ts";
import { kafkaClustersOf } from "./kafka-clusters.ts";
import { openServedGraph, openStoreWriters, placedTables, placesOf } from "./placed-graph.ts";
import { openProcessFolder } from "./process-folder.ts";
import { parseRoles, type Roles } from "./roles.ts";
import type { ServedGraph } from "./served-graph.ts";
import {
  type ClusterSettings,
  isShared,
  kafkaConnectionOf,
  kafkaLogSettingsOf,
  registryConnectionOf,
} from "./settings.ts";
import type { StoreWriter } from "./store-writer.ts";

export interface ProcessOptions {
  readonly graph: Graph;
  readonly settings: ClusterSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** Called once when the process cannot go on. */
  readonly onFailure: (error: unknown) => void;
}

/** What a process has, by its roles. */
export interface ProcessParts {
  readonly roles: Roles;
  /** In the order of what is deployed. */
  readonly graph: Graph;
  readonly log: Log;
  readonly registry: SchemaRegistry;
  readonly gateway: ControlledGateway | undefined;
  readonly jobs: JobsRole | undefined;
  readonly served: ServedGraph | undefined;
  readonly writer: StoreWriter | undefined;
}

/** Everything that it opens is put on `opened`. */
export async function openParts(options: ProcessOptions, opened: AsyncDisposableStack): Promise<ProcessParts> {
  const { settings, clock, timers } = options;
  const roles = parseRoles(settings.role);
  const named = [settings, ...(settings.stores?.values() ?? [])];
  if (roles.has("store") && !named.some(isShared) && !roles.has("serve")) throw storesNothing();
  const connection = await kafkaConnectionOf(settings);
  const folder = await openProcessFolder(settings.data);
  opened.defer(() => folder.release());
  const own = { ...kafkaLogSettingsOf(settings), instance: folder.name };
  const kafka = { connection, clusters: await kafkaClustersOf(settings), clock, timers, settings: own };
  const log = await openKafkaLog(kafka);
  opened.defer(() => log.close());
  const registry = await openRegistry(roles, options);
  opened.defer(() => registry.close());
  const tables = placedTables(options);
  const cluster = { log, registry, topics: inspectTopics(kafka), tables };
  if (settings["deploy.onStart"]) await deployHere(options, cluster);
  const deployment = await readDeployment(log);
  // A registry comes first: deployments register their schemas there.
  if (deployment === undefined && [...roles].some((role) => role !== "registry")) throw nothingDeployed();
  const graph = deployment === undefined ? options.graph : alignWithDeployment(options.graph, deployment);
  const { model } = graph;
  let writer: StoreWriter | undefined;
  if (roles.has("store")) {
    writer = await openStoreWriters({ ...options, model, log });
    if (writer === undefined && !roles.has("serve")) throw storesNothing();
    opened.defer(async () => await writer?.close());
  }
  let served: ServedGraph | undefined;
  if (roles.has("serve")) {
    const { id, continuationKey } = deployment!;
    if (placesOf(model, settings).some(({ isShared }) => !isShared)) await folder.belongsTo(id);
    served = await openServedGraph({ ...options, model, log, continuationKey });
    opened.defer(() => served!.close());
  }
  let jobs: JobsRole | undefined;
  if (roles.has("jobs")) {
    jobs = await openJobsRole({ ...options, graph, log, registry, instance: folder.name });
    opened.defer(() => jobs!.close());
  }
  let gateway: ControlledGateway | undefined;
  if (roles.has("gateway")) {
    const bounds = { bodyBytesMax: settings["gateway.body"], inFlightBytesMax: settings["gateway.inFlight"] };
    const producerName = `gateway.${folder.name}`;
    gateway = await createGateway({ model, log, registry, clock, producerName, settings: bounds });
    opened.defer(() => gateway!.close());
  }
  return { roles, graph, log, registry, gateway, jobs, served, writer };
}

async function deployHere({ graph, clock }: ProcessOptions, cluster: Cluster & { readonly log: Log }): Promise<void> {
  try {
    await deploy({ graph, cluster, allow: [], by: { operation: "rdg start --deploy-on-start", clock } });
  } finally {
    cluster.topics.close();
  }
}

async function openRegistry(roles: Roles, { settings, clock, timers }: ProcessOptions): Promise<SchemaRegistry> {
  if (roles.has("registry")) return await openEmbeddedRegistry({ folder: join(settings.data, "schemas") });
  return openConfluentRegistry({ connection: registryConnectionOf(settings), clock, timers });
}

function storesNothing(): RdgError {
  return new RdgError("invalid", "bad_setting", "The role store has nothing to write to.", {
    place: "role",
    hint: "Set store.kind to cassandra. With the embedded store every process with the role serve keeps a replica of its own.",
  });
}
