// A cluster as commands see it: its log and its registry, open for as long as the command takes.
import { systemClock, systemTimers } from "../../core/clock.ts";
import { openKafkaLog } from "../../log/kafka/log.ts";
import type { Log } from "../../log/port.ts";
import { openConfluentRegistry } from "../../schemas/confluent/registry.ts";
import type { SchemaRegistry } from "../../schemas/port.ts";
import { type ClusterSettings, kafkaConnectionOf, kafkaLogSettingsOf, registryConnectionOf } from "./settings.ts";

export interface Cluster {
  readonly log: Log;
  readonly registry: SchemaRegistry;
}

/** @throws RdgError invalid, `bad_setting`; unavailable, `kafka_unavailable` */
export async function withCluster<T>(settings: ClusterSettings, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const ports = { clock: systemClock, timers: systemTimers };
  await using opened = new AsyncDisposableStack();
  const registry = openConfluentRegistry({ connection: registryConnectionOf(settings), ...ports });
  opened.defer(() => registry.close());
  const connection = await kafkaConnectionOf(settings);
  const log = await openKafkaLog({ connection, ...ports, settings: kafkaLogSettingsOf(settings) });
  opened.defer(() => log.close());
  return await use({ log, registry });
}
