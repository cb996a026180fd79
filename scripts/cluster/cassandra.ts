// Cassandra on loopback for development and tests: one node that owns the whole ring, with little memory.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, delimiter, join } from "node:path";
import { promisify } from "node:util";
import { jarsOf, type Tell } from "./jars.ts";
import { findJava } from "./java.ts";
import { loopback } from "./ports.ts";
import type { Program } from "./server-process.ts";

export interface CassandraPorts {
  /** Address that it listens on; missing: loopback's. */
  readonly host?: string;
  readonly cql: number;
  readonly storage: number;
  readonly jmx: number;
}

/**
 * `periodic`, what Cassandra itself does: a write is acknowledged at once, and a node that is killed may have lost those of the last second. `batch`: a write
 * is acknowledged when it is on disk.
 */
export type CommitLogSync = "periodic" | "batch";

export interface CassandraWishes {
  readonly sync?: CommitLogSync;
  /** It asks who comes, over TLS: `cassandra` with the password `cassandra` may do everything, until it is told otherwise. As PEM. */
  readonly security?: { readonly cert: string; readonly key: string };
}

/** What a node without other settings calls itself. */
export const localDataCenter = "datacenter1";

/** Its settings are written; what is in the folder already stays. */
export async function cassandraProgram(
  folder: string,
  ports: CassandraPorts,
  tell: Tell,
  wishes: CassandraWishes = {},
): Promise<Program> {
  const java = await findJava();
  const jars = await jarsOf("cassandra", tell);
  const settings = join(folder, "settings");
  const data = join(folder, "data");
  const temporary = join(folder, "temporary");
  for (const each of [join(settings, "triggers"), data, temporary]) await mkdir(each, { recursive: true });
  await writeFile(join(settings, "cassandra.yaml"), yamlOf(ports, wishes));
  await writeFile(join(settings, "logback.xml"), logback);
  const agent = jars.find((jar) => basename(jar).startsWith("jamm-"));
  return {
    name: "Cassandra",
    folder,
    command: java,
    args: [
      ...machine,
      "-Xms640m",
      "-Xmx640m",
      "-XX:MaxDirectMemorySize=384m",
      ...(agent === undefined ? [] : [`-javaagent:${agent}`]),
      `-XX:HeapDumpPath=${folder}`,
      `-Dcassandra.storagedir=${data}`,
      `-Dcassandra.logdir=${folder}`,
      `-Dcassandra.triggers_dir=${join(settings, "triggers")}`,
      `-Djava.io.tmpdir=${temporary}`,
      `-Djna.tmpdir=${temporary}`,
      `-Dcassandra.jmx.local.port=${ports.jmx}`,
      "-Dlogback.configurationFile=logback.xml",
      "-Dcassandra-foreground=yes",
      // There is nobody to wait for.
      "-Dcassandra.skip_wait_for_gossip_to_settle=0",
      "-Dcassandra.ring_delay_ms=1000",
      "-Dcassandra.superuser_setup_delay_ms=0",
      "-cp",
      [settings, ...jars].join(delimiter),
      "org.apache.cassandra.service.CassandraDaemon",
    ],
    // glibc would keep an arena per thread.
    environment: { MALLOC_ARENA_MAX: "4" },
    ready: /Startup complete/,
    readyWithinMs: 240_000,
    stopsWithinMs: 60_000,
  };
}

/** What `nodetool` says, of the node of this folder. It takes two seconds. */
export async function nodetool(folder: string, { jmx }: CassandraPorts, args: readonly string[]): Promise<string> {
  const jars = await jarsOf("cassandra", () => undefined);
  const classPath = [join(folder, "settings"), ...jars].join(delimiter);
  const own = ["-Xmx128m", "-XX:TieredStopAtLevel=1", `-Dcassandra.storagedir=${join(folder, "data")}`];
  const tool = ["org.apache.cassandra.tools.NodeTool", "-h", loopback, "-p", String(jmx)];
  const { stdout } = await promisify(execFile)(await findJava(), [
    ...machine,
    ...own,
    "-cp",
    classPath,
    ...tool,
    ...args,
  ]);
  return stdout;
}

/** The flags of Cassandra's own jvm17-server.options that it does not start without, and a small collector. */
const machine: readonly string[] = [
  "-Xss256k",
  "-XX:+UseG1GC",
  "-XX:+ParallelRefProcEnabled",
  "-XX:MaxGCPauseMillis=300",
  "-XX:+ExitOnOutOfMemoryError",
  "-XX:+PerfDisableSharedMem",
  "-Djava.net.preferIPv4Stack=true",
  "-Dchronicle.analytics.disable=true",
  "-Djdk.attach.allowAttachSelf=true",
  "-Dio.netty.tryReflectionSetAccessible=true",
  "-Dio.netty.allocator.useCacheForAllThreads=true",
  "-Dio.netty.allocator.maxOrder=11",
  ...[
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.management/com.sun.jmx.remote.security",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "jdk.unsupported/sun.misc",
  ].map((each) => `--add-exports=${each}=ALL-UNNAMED`),
  ...[
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang.reflect",
    "java.base/java.lang",
    "java.base/java.util",
    "java.base/java.nio",
  ].map((each) => `--add-opens=${each}=ALL-UNNAMED`),
];

const yamlOf = (
  { host = loopback, cql, storage }: CassandraPorts,
  { sync = "periodic", security }: CassandraWishes,
): string => `cluster_name: rdg
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
num_tokens: 1
initial_token: "0"
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters:
      - seeds: "${host}:${storage}"
listen_address: ${host}
rpc_address: ${host}
storage_port: ${storage}
start_native_transport: true
native_transport_port: ${cql}
endpoint_snitch: SimpleSnitch
authenticator: ${security === undefined ? "AllowAllAuthenticator" : "PasswordAuthenticator"}
authorizer: ${security === undefined ? "AllowAllAuthorizer" : "CassandraAuthorizer"}
${security === undefined ? "" : encryptionOf(security)}storage_compatibility_mode: NONE
# Rows in the middle of large partitions are found faster than in the older format.
sstable:
  selected_format: bti

commitlog_sync: ${sync}
${sync === "periodic" ? "commitlog_sync_period: 1000ms" : ""}
commitlog_segment_size: 16MiB
commitlog_total_space: 256MiB
disk_failure_policy: stop
commit_failure_policy: stop

concurrent_reads: 8
concurrent_writes: 8
concurrent_counter_writes: 4
concurrent_compactors: 1
memtable_heap_space: 128MiB
memtable_offheap_space: 128MiB
memtable_allocation_type: heap_buffers
memtable_flush_writers: 1
file_cache_size: 64MiB
networking_cache_size: 32MiB
key_cache_size: 16MiB
counter_cache_size: 4MiB
row_cache_size: 0MiB
hinted_handoff_enabled: false
auto_snapshot: false
cdc_enabled: false
write_request_timeout: 5000ms
batch_size_warn_threshold: 64KiB
batch_size_fail_threshold: 1024KiB
`;

const encryptionOf = ({ cert, key }: NonNullable<CassandraWishes["security"]>): string => `client_encryption_options:
  enabled: true
  optional: false
  require_client_auth: false
  ssl_context_factory:
    class_name: org.apache.cassandra.security.PEMBasedSslContextFactory
    parameters:
      private_key: ${JSON.stringify(`${key.trim()}\n${cert.trim()}\n`)}
      trusted_certificates: ${JSON.stringify(`${cert.trim()}\n`)}
`;

const logback = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level [%thread] %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
`;
