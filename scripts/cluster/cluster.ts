// The cluster of `npm run cluster`: Kafka, a schema registry, Cassandra and Flink of one folder, on ports that stay the same from start to start.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RdgError } from "../../src/core/errors.ts";
import { cassandraProgram, localDataCenter, type CassandraPorts } from "./cassandra.ts";
import { flinkProgram, type FlinkPart, type FlinkPorts } from "./flink.ts";
import type { Tell } from "./jars.ts";
import { kafkaProgram, type KafkaPorts } from "./kafka.ts";
import { withLock } from "./lock.ts";
import { freePorts, isListening, loopback } from "./ports.ts";
import { logOf, pidOf, startProcess, stopProcess, type Program } from "./server-process.ts";

/** Those that are started without being asked for. */
export const usualServers = ["kafka", "registry", "cassandra"] as const;
const flinkServers = ["flink-jobmanager", "flink-taskmanager", "flink-sqlgateway"] as const;
export const serverNames = [...usualServers, ...flinkServers] as const;
export type ServerName = (typeof serverNames)[number];

/** Servers that users ask for under one name. */
export const extras: Readonly<Record<string, readonly ServerName[]>> = { flink: flinkServers };

export interface ServerState {
  readonly name: ServerName;
  readonly running: boolean;
  readonly pid?: number;
  /** Resident memory, where the system tells it. */
  readonly memoryBytes?: number;
  /** What clients are given. */
  readonly address: string;
  readonly log: string;
}

/** Those that users name, and those that only the servers use. */
type Ports = KafkaPorts & CassandraPorts & FlinkPorts & { readonly registry: number };
export type WantedPorts = Readonly<Partial<Pick<Ports, "kafka" | "registry" | "cql" | "flink" | "gateway">>>;

const usualPorts = { kafka: 9092, registry: 8081, cql: 9042, flink: 8082, gateway: 8083 };
const registryScript = fileURLToPath(new URL("../cluster-registry.ts", import.meta.url));
const stopsWithinMs = 60_000;

export class Cluster {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts those that do not run. Those that were started stay up when another fails. */
  async up(names: readonly ServerName[], wanted: WantedPorts, tell: Tell): Promise<readonly ServerState[]> {
    await mkdir(this.#folder, { recursive: true });
    await this.#alone(async () => {
      const ports = await this.#ports(wanted);
      const down: ServerName[] = [];
      for (const name of names) if ((await pidOf(this.folderOf(name))) === undefined) down.push(name);
      for (const name of down) await refuseTaken(name, ports);
      const starts = await Promise.allSettled(down.map((name) => this.#start(name, ports, tell)));
      for (const start of starts) if (start.status === "rejected") throw start.reason;
    });
    return this.status();
  }

  async #start(name: ServerName, ports: Ports, tell: Tell): Promise<void> {
    const folder = this.folderOf(name);
    await mkdir(folder, { recursive: true });
    const program = await this.#programOf(name, folder, ports, tell);
    tell(`Starting ${program.name} on ${addressOf(name, ports)}`);
    await startProcess(program);
  }

  async #programOf(name: ServerName, folder: string, ports: Ports, tell: Tell): Promise<Program> {
    if (name === "kafka") return kafkaProgram(folder, ports, tell);
    if (name === "cassandra") return cassandraProgram(folder, ports, tell);
    if (name === "registry") return registryProgram(folder, ports.registry);
    const part = name.slice("flink-".length) as FlinkPart;
    return flinkProgram(part, { folder, state: join(this.folderOf("flink-jobmanager"), "state") }, ports, tell);
  }

  /** In the reverse order. @param wipe removes their data too */
  async down(names: readonly ServerName[], wipe: boolean, tell: Tell): Promise<readonly ServerState[]> {
    if (await exists(this.#folder))
      await this.#alone(async () => {
        for (const name of names.toReversed()) await this.#stop(name, wipe, tell);
      });
    return this.status();
  }

  async #stop(name: ServerName, wipe: boolean, tell: Tell): Promise<void> {
    const folder = this.folderOf(name);
    if ((await pidOf(folder)) !== undefined) {
      tell(`Stopping ${name}`);
      const inOrder = await stopProcess({ folder, stopsWithinMs });
      if (!inOrder) tell(`${name} did not end within ${stopsWithinMs / 1000} s and was killed.`);
    }
    if (wipe) await rm(folder, { recursive: true, force: true });
  }

  /** Of the usual ones, and of those that were started here once. */
  async status(): Promise<readonly ServerState[]> {
    const ports = await this.#ports({});
    const known: ServerName[] = [...usualServers];
    for (const name of flinkServers) if (await exists(this.folderOf(name))) known.push(name);
    return Promise.all(
      known.map(async (name) => {
        const folder = this.folderOf(name);
        const pid = await pidOf(folder);
        const memoryBytes = pid === undefined ? undefined : await memoryOf(pid);
        return {
          name,
          running: pid !== undefined,
          ...(pid === undefined ? {} : { pid }),
          ...(memoryBytes === undefined ? {} : { memoryBytes }),
          address: addressOf(name, ports),
          log: logOf(folder),
        };
      }),
    );
  }

  folderOf(name: ServerName): string {
    return join(this.#folder, name);
  }

  /** The ports of the first start, since Kafka keeps its own in its data; what is wanted now goes before. */
  async #ports(wanted: WantedPorts): Promise<Ports> {
    const path = join(this.#folder, "ports.json");
    const kept = await readFile(path, "utf8").then(
      (text) => JSON.parse(text) as Partial<Ports>,
      () => undefined,
    );
    const [controller, storage, jmx, rpc] = (await freePorts(4)) as [number, number, number, number];
    const ports: Ports = { ...usualPorts, controller, storage, jmx, rpc, ...kept, ...wanted };
    // An earlier version knew fewer servers.
    const isKept = kept !== undefined && Object.keys(kept).length === Object.keys(ports).length;
    if (isKept && Object.keys(wanted).length === 0) return ports;
    if (await exists(this.#folder)) await writeFile(path, JSON.stringify(ports));
    return ports;
  }

  /** One command at a time. */
  #alone(run: () => Promise<void>): Promise<void> {
    return withLock(join(this.#folder, "lock"), 0, run);
  }
}

const registryProgram = (folder: string, port: number): Program => ({
  name: "The registry",
  folder,
  command: process.execPath,
  args: ["--conditions=rdg-source", registryScript, join(folder, "data"), String(port)],
  ready: /Registry serves/,
  readyWithinMs: 60_000,
  stopsWithinMs,
});

/** The port that clients are given, by the flag that takes another one. The TaskManager has none. */
const publicPorts: Readonly<Record<ServerName, keyof WantedPorts | undefined>> = {
  kafka: "kafka",
  registry: "registry",
  cassandra: "cql",
  "flink-jobmanager": "flink",
  "flink-taskmanager": undefined,
  "flink-sqlgateway": "gateway",
};

function addressOf(name: ServerName, ports: Ports): string {
  const kind = publicPorts[name];
  if (kind === undefined) return addressOf("flink-jobmanager", ports);
  const address = `${loopback}:${ports[kind]}`;
  if (name === "registry") return `http://${address}/registry`;
  if (name === "cassandra") return `${address} (data center ${localDataCenter})`;
  return name === "kafka" ? address : `http://${address}`;
}

async function refuseTaken(name: ServerName, ports: Ports): Promise<void> {
  const kind = publicPorts[name];
  const port = kind && ports[kind];
  if (port === undefined || !(await isListening(port))) return;
  throw new RdgError("conflict", "port_taken", `Somebody else listens on port ${port}, which ${name} needs.`, {
    hint: `Stop it, or take another: npm run cluster -- up --${name.replace("flink-jobmanager", "flink")}-port PORT`,
  });
}

const exists = (path: string): Promise<boolean> =>
  readFile(path).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code === "EISDIR",
  );

async function memoryOf(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = /VmRSS:\s+(\d+)/.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}
