// Kafka on loopback for development and tests: one process that is broker and KRaft controller, every internal topic with one replica.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { jarsOf, type Tell } from "./jars.ts";
import { findJava } from "./java.ts";
import { loopback } from "./ports.ts";
import type { Program } from "./server-process.ts";

export interface KafkaPorts {
  readonly kafka: number;
  readonly controller: number;
}

/** Its settings are written and its storage is formatted; what is in the folder already stays. */
export async function kafkaProgram(folder: string, ports: KafkaPorts, tell: Tell): Promise<Program> {
  const java = await findJava();
  const classPath = (await jarsOf("kafka", tell)).join(delimiter);
  const data = join(folder, "data");
  const properties = join(folder, "kafka.properties");
  const logging = join(folder, "log4j2.xml");
  await mkdir(data, { recursive: true });
  await writeFile(properties, propertiesOf(data, ports));
  await writeFile(logging, log4j);
  const args = [`-Dlog4j2.configurationFile=${logging}`, "-Djava.awt.headless=true", "-cp", classPath];
  if (!(await isFormatted(data))) {
    const format = ["kafka.tools.StorageTool", "format", "--standalone", "-t", clusterId(), "-c", properties];
    await promisify(execFile)(java, ["-Xmx128m", "-XX:TieredStopAtLevel=1", ...args, ...format]);
  }
  const memory = ["-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError"];
  return {
    name: "Kafka",
    folder,
    command: java,
    args: [...memory, ...args, "kafka.Kafka", properties],
    ready: /Kafka Server started/,
    readyWithinMs: 120_000,
    stopsWithinMs: 40_000,
  };
}

const isFormatted = (data: string): Promise<boolean> =>
  stat(join(data, "meta.properties")).then(
    () => true,
    () => false,
  );

/** 16 random bytes in base64url. One that began with "-" would be taken for an option. */
const clusterId = (): string => `r${randomBytes(16).toString("base64url").slice(1)}`;

const propertiesOf = (data: string, { kafka, controller }: KafkaPorts): string => `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=${loopback}:${controller}
listeners=PLAINTEXT://${loopback}:${kafka},CONTROLLER://${loopback}:${controller}
advertised.listeners=PLAINTEXT://${loopback}:${kafka},CONTROLLER://${loopback}:${controller}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=${data}

default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=2
group.initial.rebalance.delay.ms=0
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=100
group.consumer.heartbeat.interval.ms=1000

num.partitions=2
auto.create.topics.enable=false
log.retention.check.interval.ms=30000
log.segment.bytes=134217728

num.network.threads=2
num.io.threads=4
num.replica.fetchers=1
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=33554432
`;

const log4j = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`;
