// The streaming example as a cluster on this machine: a broker and a registry of its own, and one process per role, each of which can be held and measured.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { accountId } from "../examples/streaming/playback-event.ts";
import { kafkaProgram } from "../scripts/cluster/kafka.ts";
import { freePorts, loopback } from "../scripts/cluster/ports.ts";
import { serveRegistry } from "../scripts/cluster/registry.ts";
import { guard, pidOf, startProcess, stopProcess } from "../scripts/cluster/server-process.ts";
import { type ProcessUsage, usageOf } from "./process-usage.ts";
import { firstLine } from "./streaming-server.ts";

const roles = ["gateway", "jobs", "serve"] as const;
export type MeasuredRole = (typeof roles)[number];

/** By role, and of the broker. */
export type Usages = Readonly<Record<MeasuredRole | "broker", ProcessUsage>>;

export interface StreamingCluster {
  /** Of the gateway. */
  readonly gateway: URL;
  /** Of the serving process, which holds a replica. */
  readonly serve: URL;
  usage(): Usages;
  /** Held processes keep what they have, and do nothing. */
  hold(role: MeasuredRole): void;
  goOn(role: MeasuredRole): void;
  /** Resolves when the job has published everything that is in its topic. */
  worked(): Promise<void>;
  /** Resolves when the replica accounts for everything that was accepted. */
  applied(): Promise<void>;
  /** Last transaction that the replica has applied. */
  appliedOffset(): Promise<number>;
  stop(): Promise<void>;
}

export interface StreamingClusterOptions {
  /** Settings of all processes, as flags of `rdg start`. */
  readonly flags?: readonly string[];
  readonly nodeFlags?: readonly string[];
}

const graph = fileURLToPath(new URL("../examples/streaming/graph.ts", import.meta.url));
const cli = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
/** Longer than a worker is held. */
const session = "45s";
const pollMs = 50;

export async function startStreamingCluster(options: StreamingClusterOptions): Promise<StreamingCluster> {
  await using starting = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "rdg-bench-"));
  const release = guard(folder);
  starting.defer(() => rm(folder, { recursive: true, force: true }));
  starting.defer(release);
  const { pid: broker, bootstrap } = await startBroker(folder, starting);
  const registry = await serveRegistry(join(folder, "registry"), 0);
  starting.defer(() => registry.close());
  const where = ["--kafka-bootstrap", bootstrap, "--registry-url", registry.url, ...(options.flags ?? [])];
  await deploy(where);
  const started = new Map<MeasuredRole, RoleProcess>();
  starting.defer(async () => {
    await Promise.all([...started.values()].map((role) => role.stop()));
  });
  const nodeFlags = options.nodeFlags ?? [];
  for (const role of roles) started.set(role, await startRole(role, join(folder, role), where, nodeFlags));
  const stack = starting.move();
  return clusterOf(started, broker, () => stack.disposeAsync());
}

async function startBroker(
  folder: string,
  starting: AsyncDisposableStack,
): Promise<{ readonly pid: number; readonly bootstrap: string }> {
  const [kafka, controller] = (await freePorts(2)) as [number, number];
  const program = await kafkaProgram(folder, { kafka, controller }, () => undefined);
  await startProcess(program);
  starting.defer(async () => void (await stopProcess(program)));
  return { pid: (await pidOf(folder))!, bootstrap: `${loopback}:${kafka}` };
}

function clusterOf(
  started: ReadonlyMap<MeasuredRole, RoleProcess>,
  broker: number,
  stop: () => Promise<void>,
): StreamingCluster {
  const of = (role: MeasuredRole): RoleProcess => started.get(role)!;
  const [gateway, serve] = [of("gateway").url, of("serve").url];
  return {
    gateway,
    serve,
    usage: () => ({
      gateway: usageOf(of("gateway").pid),
      jobs: usageOf(of("jobs").pid),
      serve: usageOf(of("serve").pid),
      broker: usageOf(broker),
    }),
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
