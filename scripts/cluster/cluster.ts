// The cluster of `npm run cluster`: Kafka, a schema registry and Cassandra of one folder, on ports that stay the same from start to start.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RdgError } from "../../src/core/errors.ts";
import { cassandraProgram, localDataCenter, type CassandraPorts } from "./cassandra.ts";
import type { Tell } from "./jars.ts";
import { kafkaProgram, type KafkaPorts } from "./kafka.ts";
import { withLock } from "./lock.ts";
import { freePorts, isListening, loopback } from "./ports.ts";
import { logOf, pidOf, startProcess, stopProcess, type Program } from "./server-process.ts";

export const serverNames = ["kafka", "registry", "cassandra"] as const;
export type ServerName = (typeof serverNames)[number];

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
type Ports = KafkaPorts & CassandraPorts & { readonly registry: number };
export type WantedPorts = Readonly<Partial<Pick<Ports, "kafka" | "registry" | "cql">>>;

const usualPorts = { kafka: 9092, registry: 8081, cql: 9042 };
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
    const program = await programOf(name, folder, ports, tell);
    tell(`Starting ${program.name} on ${addressOf(name, ports)}`);
    await startProcess(program);
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

  async status(): Promise<readonly ServerState[]> {
    const ports = await this.#ports({});
    return Promise.all(
      serverNames.map(async (name) => {
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
      (text) => JSON.parse(text) as Ports,
      () => undefined,
    );
    if (kept !== undefined && Object.keys(wanted).length === 0) return kept;
    const [controller, storage, jmx] = (await freePorts(3)) as [number, number, number];
    const ports: Ports = { ...usualPorts, controller, storage, jmx, ...kept, ...wanted };
    if (await exists(this.#folder)) await writeFile(path, JSON.stringify(ports));
    return ports;
  }

  /** One command at a time. */
  #alone(run: () => Promise<void>): Promise<void> {
    return withLock(join(this.#folder, "lock"), 0, run);
  }
}

async function programOf(name: ServerName, folder: string, ports: Ports, tell: Tell): Promise<Program> {
  if (name === "kafka") return kafkaProgram(folder, ports, tell);
  if (name === "cassandra") return cassandraProgram(folder, ports, tell);
  return {
    name: "The registry",
    folder,
    command: process.execPath,
    args: ["--conditions=rdg-source", registryScript, join(folder, "data"), String(ports.registry)],
    ready: /Registry serves/,
    readyWithinMs: 60_000,
    stopsWithinMs,
  };
}

const publicPortOf = (name: ServerName, ports: Ports): number => ports[name === "cassandra" ? "cql" : name];

function addressOf(name: ServerName, ports: Ports): string {
  const address = `${loopback}:${publicPortOf(name, ports)}`;
  if (name === "registry") return `http://${address}/registry`;
  return name === "cassandra" ? `${address} (data center ${localDataCenter})` : address;
}

async function refuseTaken(name: ServerName, ports: Ports): Promise<void> {
  const port = publicPortOf(name, ports);
  if (!(await isListening(port))) return;
  throw new RdgError("conflict", "port_taken", `Somebody else listens on port ${port}, which ${name} needs.`, {
    hint: `Stop it, or take another: npm run cluster -- up --${name}-port PORT`,
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
