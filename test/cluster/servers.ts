// Real servers of a test's own, for tests that stop, kill or pause them; all others take those of shared.ts.
//
// A server that does not start fails the test. Whatever happens to the process that started them, servers do not outlive it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apicurioProgram, apicurioUrl } from "../../scripts/cluster/apicurio.ts";
import {
  cassandraProgram,
  localDataCenter,
  nodetool,
  type CassandraPorts,
  type CassandraWishes,
  type CommitLogSync,
} from "../../scripts/cluster/cassandra.ts";
import { kafkaProgram, type KafkaPorts, type KafkaSecurity, type KafkaSettings } from "../../scripts/cluster/kafka.ts";
import { freePorts, loopback } from "../../scripts/cluster/ports.ts";
import { redisProgram, type RedisOptions } from "../../scripts/cluster/redis.ts";
import { serveRegistry } from "../../scripts/cluster/registry.ts";
import {
  guard,
  killProcess,
  pauseProcess,
  signalProcess,
  startProcess,
  stopProcess,
  type Program,
} from "../../scripts/cluster/server-process.ts";
import { at, here, type Place } from "./place.ts";

export interface KafkaAddress {
  /** host:port */
  readonly bootstrap: string;
}

export interface CassandraAddress {
  readonly contactPoint: string;
  readonly port: number;
  readonly localDataCenter: string;
}

export interface RegistryAddress {
  /** Of its Confluent REST API. */
  readonly url: string;
}

export interface OwnServer {
  /** Ends it in order and removes its data. */
  stop(): Promise<void>;
  /** SIGKILL; its data stay. */
  kill(): Promise<void>;
  /** SIGSTOP: it answers nobody until it is resumed. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** After `kill`: on the same ports and data; resolves when it is ready again. */
  restart(): Promise<void>;
}

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

export type KafkaServer = KafkaAddress & OwnServer;
export interface CassandraServer extends CassandraAddress, OwnServer {
  /** `nodetool("flush")`, `nodetool("compact", keyspace)`: what it says. */
  nodetool(...args: readonly string[]): Promise<string>;
}
export type RedisServer = RedisAddress & OwnServer;
export type ApicurioServer = RegistryAddress & OwnServer;
export type RegistryServer = RegistryAddress & Pick<OwnServer, "stop">;

export async function startKafka(place: Place = here): Promise<KafkaServer> {
  const { ports, server } = await startOwn("kafka", async (folder) => {
    const [kafka, controller] = (await freePorts(2)) as [number, number];
    const ports: KafkaPorts = { host: place.address, kafka, controller };
    return { ports, program: placed(place, await kafkaProgram(folder, ports, tell)) };
  });
  return { bootstrap: `${place.address}:${ports.kafka}`, ...server };
}

/** One that asks who comes, on two ports besides. */
export async function startSecureKafka(
  wishes: Omit<KafkaSecurity, "login" | "certificate">,
  settings?: KafkaSettings,
): Promise<KafkaServer & { readonly login: string; readonly certificate: string }> {
  const { ports, server } = await startOwn("kafka", async (folder) => {
    const [kafka, controller, login, certificate] = (await freePorts(4)) as [number, number, number, number];
    const security = { ...wishes, login, certificate };
    const program = await kafkaProgram(folder, { kafka, controller }, tell, security, settings);
    return { ports: { kafka, login, certificate }, program };
  });
  const at = (port: number): string => `${loopback}:${port}`;
  return { bootstrap: at(ports.kafka), login: at(ports.login), certificate: at(ports.certificate), ...server };
}

/** @param sync `batch` where it is killed and nothing may be lost */
export async function startCassandra(
  sync: CommitLogSync = "periodic",
  place: Place = here,
  security?: CassandraWishes["security"],
): Promise<CassandraServer> {
  const wishes: CassandraWishes = { sync, ...(security && { security }) };
  const { folder, ports, server } = await startOwn("cassandra", async (folder) => {
    const [cql, storage, jmx] = (await freePorts(3)) as [number, number, number];
    const ports: CassandraPorts = { host: place.address, cql, storage, jmx };
    return { ports, program: placed(place, await cassandraProgram(folder, ports, tell, wishes)) };
  });
  return {
    contactPoint: place.address,
    port: ports.cql,
    localDataCenter,
    nodetool: (...args) => nodetool(folder, ports, args),
    ...server,
  };
}

/** One that asks who comes, over TLS. Its user `cassandra` has the password `cassandra`. */
export async function startSecureCassandra(
  security: NonNullable<CassandraWishes["security"]>,
): Promise<CassandraServer> {
  return await startCassandra("periodic", here, security);
}

/** A registry that is not ours; it forgets everything when it is killed. */
export async function startApicurio(): Promise<ApicurioServer> {
  const { ports, server } = await startOwn("apicurio", async (folder) => {
    const [port] = (await freePorts(1)) as [number];
    return { ports: port, program: await apicurioProgram(folder, port, tell) };
  });
  return { url: apicurioUrl(ports), ...server };
}

/** Valkey or Redis, whichever is installed; it forgets everything when it is killed. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { ports: port, server } = await startOwn("redis", async (folder) => {
    const [port] = (await freePorts(1)) as [number];
    return { ports: port, program: redisProgram(folder, port, options) };
  });
  return { host: loopback, port, ...server };
}

/** RDG's own registry, empty, in this process: within milliseconds. */
export async function startRegistry(): Promise<RegistryServer> {
  const folder = await newFolder("registry");
  const registry = await serveRegistry(folder, 0);
  return {
    url: registry.url,
    async stop() {
      await registry.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Whoever starts servers at the same moment may be given the same ports: then the second takes others. */
const attempts = 3;

async function startOwn<Ports>(
  name: string,
  prepare: (folder: string) => Promise<{ readonly ports: Ports; readonly program: Program }>,
): Promise<{ readonly folder: string; readonly ports: Ports; readonly server: OwnServer }> {
  for (let attempt = 1; ; attempt++) {
    const folder = await newFolder(name);
    const release = guard(folder);
    try {
      const { ports, program } = await prepare(folder);
      await startProcess(program);
      return { folder, ports, server: ownServer(program, release) };
    } catch (error) {
      release();
      await rm(folder, { recursive: true, force: true });
      const taken = error instanceof Error && /address already in use|BindException/i.test(error.message);
      if (!taken || attempt === attempts) throw error;
    }
  }
}

function ownServer(program: Program, release: () => void): OwnServer {
  const { folder } = program;
  return {
    async stop() {
      await stopProcess(program);
      release();
      await rm(folder, { recursive: true, force: true });
    },
    kill: () => killProcess(folder),
    pause: () => pauseProcess(folder),
    resume: () => signalProcess(folder, "SIGCONT"),
    restart: () => startProcess(program),
  };
}

const placed = (place: Place, program: Program): Program => ({
  ...program,
  ...at(place, program.command, program.args),
});

const newFolder = (name: string): Promise<string> => mkdtemp(join(tmpdir(), `rdg-cluster-${name}-`));

function tell(line: string): void {
  console.error(line);
}
