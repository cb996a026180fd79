// The streaming example as a cluster on this machine: a broker and a registry of its own, and one process per role, each of which can be held and measured.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { accountId } from "../examples/streaming/playback-event.ts";
import { cassandraProgram } from "../scripts/cluster/cassandra.ts";
import { kafkaProgram } from "../scripts/cluster/kafka.ts";
import { freePorts, loopback } from "../scripts/cluster/ports.ts";
import { serveRegistry } from "../scripts/cluster/registry.ts";
import { guard, type Program, pidOf, startProcess, stopProcess } from "../scripts/cluster/server-process.ts";
import { type ProcessUsage, usageOf } from "./process-usage.ts";
import { firstLine } from "./streaming-server.ts";

export type MeasuredRole = "gateway" | "jobs" | "store" | "serve";
export type MeasuredServer = "kafka" | "cassandra";

/** Of those processes that there are. */
export type Usages = ReadonlyMap<MeasuredRole | MeasuredServer, ProcessUsage>;

export interface StreamingCluster {
  /** Of the gateway. */
  readonly gateway: URL;
  /** Of the serving process; with the embedded store it holds a replica. */
  readonly serve: URL;
  usage(): Usages;
  /** Held processes keep what they have, and do nothing. */
  hold(role: MeasuredRole): void;
  goOn(role: MeasuredRole): void;
  /** Resolves when the job has published everything that is in its topic. */
  worked(): Promise<void>;
  /** Resolves when the served graph accounts for everything that was accepted. */
  applied(): Promise<void>;
  /** Last transaction that is in the served graph. */
  appliedOffset(): Promise<number>;
  stop(): Promise<void>;
}

export interface StreamingClusterOptions {
  readonly store: "embedded" | "cassandra";
  /** Settings of all processes, as flags of `rdg start`. */
  readonly flags?: readonly string[];
  readonly nodeFlags?: readonly string[];
}

const graph = fileURLToPath(new URL("../examples/streaming/graph.ts", import.meta.url));
const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
/** Longer than a worker is held. */
const session = "45s";
/** Whoever is asked, and the broker, does as much as for hundreds of events. */
const pollMs = 200;

export async function startStreamingCluster(options: StreamingClusterOptions): Promise<StreamingCluster> {
  const { store, flags = [], nodeFlags = [] } = options;
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "rdg-bench-"));
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  const servers = new Map<MeasuredServer, number>();
  const [kafka, controller, cql, storage, jmx] = (await freePorts(5)) as [number, number, number, number, number];
  const tell = (): void => undefined;
  const start = async (name: MeasuredServer, programIn: (folder: string) => Promise<Program>): Promise<void> => {
    const own = join(folder, name);
    await mkdir(own);
    starting.defer(guard(own));
    const program = await programIn(own);
    await startProcess(program);
    starting.defer(async () => void (await stopProcess(program)));
    servers.set(name, (await pidOf(own))!);
  };
  await start("kafka", (own) => kafkaProgram(own, { kafka, controller }, tell));
  const where = ["--kafka-bootstrap", `${loopback}:${kafka}`, "--store-kind", store, ...flags];
  if (store === "cassandra") {
    await start("cassandra", (own) => cassandraProgram(own, { cql, storage, jmx }, tell));
    where.push("--cassandra-contacts", `${loopback}:${cql}`, "--cassandra-replicas", "1");
  }
  const registry = await serveRegistry(join(folder, "registry"), 0);
  starting.defer(() => registry.close());
  where.push("--registry-url", registry.url);
  await deploy(where);
  const roles = new Map<MeasuredRole, RoleProcess>();
  starting.defer(async () => {
    await Promise.all([...roles.values()].map((role) => role.stop()));
  });
  for (const role of store === "cassandra" ? allRoles : allRoles.filter((each) => each !== "store"))
    roles.set(role, await startRole(role, join(folder, role), where, nodeFlags));
  const stack = starting.move();
  return clusterOf(roles, servers, () => stack.disposeAsync());
}

const allRoles = ["gateway", "jobs", "store", "serve"] as const;

function clusterOf(
  roles: ReadonlyMap<MeasuredRole, RoleProcess>,
  servers: ReadonlyMap<MeasuredServer, number>,
  stop: () => Promise<void>,
): StreamingCluster {
  const of = (role: MeasuredRole): RoleProcess => roles.get(role)!;
  const [gateway, serve] = [of("gateway").url, of("serve").url];
  return {
    gateway,
    serve,
    usage: () =>
      new Map([
        ...[...roles].map(([role, { pid }]) => [role, usageOf(pid)] as const),
        ...[...servers].map(([server, pid]) => [server, usageOf(pid)] as const),
      ]),
    hold: (role) => void process.kill(of(role).pid, "SIGSTOP"),
    goOn: (role) => void process.kill(of(role).pid, "SIGCONT"),
    async worked() {
      for (;;) {
        const { jobs } = await ask<{ jobs: readonly { readonly lagRecords: number }[] }>(of("jobs").url, "/v1/status");
        if (jobs.every(({ lagRecords }) => lagRecords === 0)) return;
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      }
    },
    async applied() {
      const waitFor = await acceptedPositions(gateway);
      const question = { from: { type: "account", ids: [accountId(0)] }, hops: [], waitFor, timeoutMs: 5_000 };
      while (!(await fetch(new URL("/v1/traverse", serve), posted(question))).ok);
    },
    async appliedOffset() {
      const { store } = await ask<{ store: { readonly applied: readonly string[] } }>(serve, "/v1/status");
      return Math.max(...store.applied.map((position) => Number(position.slice(position.indexOf("@") + 1))));
    },
    stop,
  };
}

/** The last ones of the topics of events. */
async function acceptedPositions(gateway: URL): Promise<readonly string[]> {
  const { topics } = await ask<{
    topics: readonly { readonly name: string; readonly partitions: readonly { readonly next: number }[] }[];
  }>(gateway, "/v1/status");
  return topics
    .filter(({ name }) => name.startsWith("events."))
    .flatMap(({ name, partitions }) =>
      partitions.flatMap(({ next }, partition) => (next === 0 ? [] : [`${name}/${partition}@${next - 1}`])),
    );
}

interface RoleProcess {
  readonly url: URL;
  readonly pid: number;
  stop(): Promise<void>;
}

async function startRole(
  role: MeasuredRole,
  data: string,
  where: readonly string[],
  nodeFlags: readonly string[],
): Promise<RoleProcess> {
  const own = ["--role", role, "--data", data, "--port", "0", "--grpc-port", "off", "--log-level", "error", "--json"];
  const args = [...nodeFlags, "--conditions=rdg-source", cli, "start", graph, ...own, ...where];
  const child = spawn(process.execPath, [...args, "--kafka-session", session], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const { url } = JSON.parse(await firstLine(child)) as { url: string };
    // Profiles are written by processes that end in order.
    return { url: new URL(url), pid: child.pid!, stop: () => end(child, nodeFlags.length > 0 ? "SIGTERM" : "SIGKILL") };
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  }
}

async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGCONT");
  child.kill(signal);
  const kill = setTimeout(() => child.kill("SIGKILL"), 20_000);
  await exit;
  clearTimeout(kill);
}

async function deploy(where: readonly string[]): Promise<void> {
  const args = ["--conditions=rdg-source", cli, "deploy", graph, ...where];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`The deployment ended with ${code}.`);
}

async function ask<T>(url: URL, path: string): Promise<T> {
  const response = await fetch(new URL(path, url));
  if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

function posted(body: object): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
