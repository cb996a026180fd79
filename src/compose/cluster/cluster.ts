// A cluster as commands see it: its log, its registry and its topics, open for as long as the command takes.
import { systemClock, systemTimers } from "../../core/clock.ts";
import { inspectTopics } from "../../log/kafka/inspect.ts";
import { openKafkaLog } from "../../log/kafka/log.ts";
import type { Log } from "../../log/port.ts";
import { openConfluentRegistry } from "../../schemas/confluent/registry.ts";
import { createLogger } from "../logger.ts";
import type { Cluster } from "./deployment-plan.ts";
import { kafkaClustersOf } from "./kafka-clusters.ts";
import { placedTables } from "./placed-graph.ts";
import { type ClusterSettings, kafkaConnectionOf, kafkaLogSettingsOf, registryConnectionOf } from "./settings.ts";

/** @throws RdgError invalid, `bad_setting`; unavailable, `kafka_unavailable` */
export async function withCluster<T>(
  settings: ClusterSettings,
  use: (cluster: Cluster & { readonly log: Log }) => Promise<T>,
): Promise<T> {
  const ports = { clock: systemClock, timers: systemTimers };
  const connection = await kafkaConnectionOf(settings);
  await using opened = new AsyncDisposableStack();
  const registry = openConfluentRegistry({ connection: registryConnectionOf(settings), ...ports });
  opened.defer(() => registry.close());
  const kafka = {
    connection,
    clusters: await kafkaClustersOf(settings),
    ...ports,
    settings: kafkaLogSettingsOf(settings),
  };
  const log = await openKafkaLog(kafka);
  opened.defer(() => log.close());
  const topics = inspectTopics(kafka);
  opened.defer(() => topics.close());
  const tables = placedTables({ settings, ...ports, logger: createLogger(settings["log.level"]) });
  return await use({ log, registry, topics, tables });
}
