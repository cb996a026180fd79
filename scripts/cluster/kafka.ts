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
  /** Address that it listens on; missing: loopback's. */
  readonly host?: string;
  readonly kafka: number;
  readonly controller: number;
}

/** A broker that is also reached over TLS, and knows who asks. Whoever comes to the plain port may do everything. */
export interface KafkaSecurity {
  /** TLS and a login: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
  readonly login: number;
  /** TLS and a client certificate. */
  readonly certificate: number;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  readonly users: readonly { readonly name: string; readonly password: string }[];
  /** Kafka's principals, such as `User:rdg` or `User:CN=rdg`, that may do everything. All others may do nothing. */
  readonly allowed: readonly string[];
}

const keysAddress = "sasl.oauthbearer.jwks.endpoint.url";

/** Properties of the broker instead of those that are given here. */
export type KafkaSettings = Readonly<Record<string, string | number>>;

/** As brokers have them that nobody has told anything: no group may give a silent member up sooner. */
export const usualSessions: KafkaSettings = {
  "group.consumer.min.session.timeout.ms": 45_000,
  "group.consumer.session.timeout.ms": 45_000,
  "group.consumer.min.heartbeat.interval.ms": 5_000,
  "group.consumer.heartbeat.interval.ms": 5_000,
};

/** Its settings are written and its storage is formatted; what is in the folder already stays. */
export async function kafkaProgram(
  folder: string,
  ports: KafkaPorts,
  tell: Tell,
  security?: KafkaSecurity,
  settings: KafkaSettings = {},
): Promise<Program> {
  const java = await findJava();
  const classPath = (await jarsOf("kafka", tell)).join(delimiter);
  const data = join(folder, "data");
  const properties = join(folder, "kafka.properties");
  const logging = join(folder, "log4j2.xml");
  await mkdir(data, { recursive: true });
  await writeFile(properties, propertiesOf(data, ports, security, settings));
  await writeFile(logging, log4j);
  const args = [`-Dlog4j2.configurationFile=${logging}`, "-Djava.awt.headless=true", "-cp", classPath];
  if (!(await isFormatted(data))) {
    const format = ["kafka.tools.StorageTool", "format", "--standalone", "-t", clusterId(), "-c", properties];
    for (const { name, password } of security?.users ?? []) {
      for (const mechanism of scram) format.push("--add-scram", `${mechanism}=[name=${name},password=${password}]`);
    }
    await promisify(execFile)(java, ["-Xmx128m", "-XX:TieredStopAtLevel=1", ...args, ...format]);
  }
  // Brokers fetch keys from addresses that they are started with alone.
  const keys = settings[keysAddress];
  if (keys !== undefined) args.push(`-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=${keys}`);
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

const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

function propertiesOf(
  data: string,
  ports: KafkaPorts,
  security: KafkaSecurity | undefined,
  settings: KafkaSettings,
): string {
  const { host = loopback, kafka, controller } = ports;
  const secure = security && [`LOGIN://${host}:${security.login}`, `CERT://${host}:${security.certificate}`];
  const listeners = [`PLAINTEXT://${host}:${kafka}`, `CONTROLLER://${host}:${controller}`, ...(secure ?? [])];
  return `process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=${host}:${controller}
listeners=${listeners.join(",")}
advertised.listeners=${listeners.join(",")}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,LOGIN:SASL_SSL,CERT:SSL
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
${security === undefined ? "" : securityOf(security)}
${Object.entries(settings)
  .map(([name, value]) => `${name}=${value}`)
  .join("\n")}
`;
}

function securityOf({ cert, key, clientCa, users, allowed }: KafkaSecurity): string {
  const pem = (text: string): string => text.trim().replaceAll("\n", "\\n");
  const modules = "org.apache.kafka.common.security";
  const plainUsers = users.map(({ name, password }) => `user_${name}="${password}"`).join(" ");
  return [
    "ssl.keystore.type=PEM",
    `ssl.keystore.certificate.chain=${pem(cert)}`,
    `ssl.keystore.key=${pem(key)}`,
    "ssl.truststore.type=PEM",
    `ssl.truststore.certificates=${pem(clientCa)}`,
    "listener.name.cert.ssl.client.auth=required",
    `listener.name.login.sasl.enabled.mechanisms=${["PLAIN", ...scram].join(",")}`,
    `listener.name.login.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required ${plainUsers};`,
    ...scram.map((mechanism) => {
      return `listener.name.login.${mechanism.toLowerCase()}.sasl.jaas.config=${modules}.scram.ScramLoginModule required;`;
    }),
    "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    `super.users=${["User:ANONYMOUS", ...allowed].join(";")}`,
    "",
  ].join("\n");
}

const log4j = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
`;
