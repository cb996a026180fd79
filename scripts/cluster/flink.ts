// Apache Flink on loopback for development and tests: a session cluster of one JobManager and one TaskManager, and the SQL Gateway before it.
//
// The distribution's scripts work out the processes' memory; without them every part of it has to be named, and a TaskManager that misses one does not start.
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { jarsOf, type Tell } from "./jars.ts";
import { findJava } from "./java.ts";
import { loopback } from "./ports.ts";
import type { Program } from "./server-process.ts";

export type FlinkPart = "jobmanager" | "taskmanager" | "sqlgateway";

export interface FlinkPorts {
  /** Between JobManager and TaskManager. */
  readonly rpc: number;
  /** The JobManager's REST API and web page. */
  readonly flink: number;
  /** The SQL Gateway's REST API. */
  readonly gateway: number;
}

export interface FlinkFolders {
  /** Of the process. */
  readonly folder: string;
  /** Checkpoints and savepoints: JobManager and TaskManager both reach it. */
  readonly state: string;
}

export async function flinkProgram(
  part: FlinkPart,
  { folder, state }: FlinkFolders,
  ports: FlinkPorts,
  tell: Tell,
): Promise<Program> {
  const java = await findJava();
  const jars = [...(await jarsOf("flink-lib", tell)), ...(await jarsOf("flink", tell))];
  const temporary = join(folder, "tmp");
  const logging = join(folder, "log4j2.xml");
  await mkdir(temporary, { recursive: true });
  await mkdir(state, { recursive: true });
  await writeFile(join(folder, "config.yaml"), settingsOf(ports, { folder, state }));
  await writeFile(logging, log4j);
  const { memory, main, args, ready, name } = parts[part];
  return {
    name,
    folder,
    command: java,
    args: [
      ...memory,
      ...machine,
      `-Dlog4j.configurationFile=${logging}`,
      `-Dlog4j2.configurationFile=${logging}`,
      `-Djava.io.tmpdir=${temporary}`,
      "-cp",
      jars.filter((jar) => part === "sqlgateway" || !jar.includes("flink-sql-gateway")).join(delimiter),
      main,
      ...args(folder),
    ],
    environment: { FLINK_CONF_DIR: folder },
    ready,
    readyWithinMs: 180_000,
    stopsWithinMs: 30_000,
  };
}

interface Part {
  readonly name: string;
  readonly memory: readonly string[];
  readonly main: string;
  readonly args: (folder: string) => readonly string[];
  readonly ready: RegExp;
}

const parts: Readonly<Record<FlinkPart, Part>> = {
  jobmanager: {
    name: "Flink's JobManager",
    memory: ["-Xms256m", "-Xmx512m", "-XX:MaxMetaspaceSize=320m", "-XX:MaxDirectMemorySize=128m"],
    main: "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
    args: (folder) => ["--configDir", folder],
    ready: /Web frontend listening at/,
  },
  taskmanager: {
    name: "Flink's TaskManager",
    // The heap is the framework's and the tasks' together, direct memory what is off the heap and the network's: see the settings below.
    memory: ["-Xms768m", "-Xmx768m", "-XX:MaxDirectMemorySize=352m", "-XX:MaxMetaspaceSize=384m"],
    main: "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
    args: (folder) => ["--configDir", folder],
    ready: /Successful registration at resource manager/,
  },
  sqlgateway: {
    name: "Flink's SQL Gateway",
    memory: ["-Xms128m", "-Xmx512m", "-XX:MaxMetaspaceSize=448m"],
    main: "org.apache.flink.table.gateway.SqlGateway",
    args: () => [],
    ready: /Rest endpoint listening at/,
  },
};

/** What Flink's own scripts give Java 17, and a locale that upper and lower case do not depend on. */
const machine: readonly string[] = [
  "-XX:+UseG1GC",
  "-XX:+ExitOnOutOfMemoryError",
  "-Duser.language=en",
  "-Duser.country=US",
  "--add-exports=java.rmi/sun.rmi.registry=ALL-UNNAMED",
  "--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED",
  ...["api", "file", "parser", "tree", "util"].map(
    (part) => `--add-exports=jdk.compiler/com.sun.tools.javac.${part}=ALL-UNNAMED`,
  ),
  ...[
    "java.lang",
    "java.net",
    "java.io",
    "java.nio",
    "sun.nio.ch",
    "java.lang.reflect",
    "java.text",
    "java.time",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
  ].map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
];

/** `rest.bind-port` is left out: the gateway reads the same settings and would bind it. */
function settingsOf({ rpc, flink, gateway }: FlinkPorts, { folder, state }: FlinkFolders): string {
  const stateOf = (kind: string): string => pathToFileURL(join(state, kind)).href;
  return `jobmanager.rpc.address: ${loopback}
jobmanager.rpc.port: ${rpc}
jobmanager.bind-host: ${loopback}
taskmanager.host: ${loopback}
taskmanager.bind-host: ${loopback}
rest.address: ${loopback}
rest.bind-address: ${loopback}
rest.port: ${flink}
sql-gateway.endpoint.rest.address: ${loopback}
sql-gateway.endpoint.rest.bind-address: ${loopback}
sql-gateway.endpoint.rest.port: ${gateway}
sql-gateway.endpoint.rest.bind-port: "${gateway}"

taskmanager.numberOfTaskSlots: 16
taskmanager.cpu.cores: 2.0
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.task.heap.size: 640m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.off-heap.size: 128m
taskmanager.memory.network.min: 96m
taskmanager.memory.network.max: 96m
taskmanager.memory.managed.size: 512m
taskmanager.memory.jvm-metaspace.size: 384m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
parallelism.default: 1

state.backend.type: hashmap
execution.checkpointing.mode: EXACTLY_ONCE
execution.checkpointing.externalized-checkpoint-retention: RETAIN_ON_CANCELLATION
execution.checkpointing.dir: ${stateOf("checkpoints")}
execution.checkpointing.savepoint-dir: ${stateOf("savepoints")}
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 1 s
restart-strategy.exponential-delay.max-backoff: 30 s

io.tmp.dirs: ${join(folder, "tmp")}
table.local-time-zone: UTC
classloader.check-leaked-classloader: false
web.submit.enable: false
`;
}

const log4j = `<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %m (%c)%n"/></Console></Appenders>
  <Loggers>
    <Logger name="org.apache.kafka" level="WARN"/>
    <Logger name="org.apache.pekko" level="WARN"/>
    <Root level="INFO"><AppenderRef ref="out"/></Root>
  </Loggers>
</Configuration>
`;
