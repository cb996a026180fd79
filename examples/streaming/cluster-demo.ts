// `npm run demo:cluster`: the streaming example over Kafka and Cassandra, with two gateways, two workers, one store writer and two serving processes.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Cluster } from "../../scripts/cluster/cluster.ts";
import { freePorts } from "../../scripts/cluster/ports.ts";
import { accountId } from "./playback-event.ts";

const help = `Usage: npm run demo:cluster -- [options]

Starts Kafka, a schema registry and Cassandra on loopback (Java 17 and Maven), deploys the streaming example, runs it in seven processes, sends events to
both gateways, and asks both serving processes the same. Everything is stopped and removed at the end.

  --events N          playback events, an even number: half of them to each gateway (default 20000)
  --store KIND        cassandra (default), or embedded: a replica in each serving process, and no store writer
  --help`;

const root = join(import.meta.dirname, "../..");
const graph = join(import.meta.dirname, "graph.ts");
const node = [process.execPath, "--conditions=rdg-source"] as const;

/** Few enough that the first accounts have watched something. */
const sizes = ["--accounts", "200", "--titles", "500"];

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "20000" },
    store: { type: "string", default: "cassandra" },
    help: { type: "boolean" },
  },
});
const events = Number(values.events);
if (values.help === true) console.log(help);
else if (
  !Number.isSafeInteger(events) ||
  events < 2 ||
  events % 2 === 1 ||
  !["cassandra", "embedded"].includes(values.store)
) {
  say(help);
  process.exitCode = 2;
} else await demo(events, values.store);

interface Role {
  readonly role: string;
  readonly url: string;
  readonly child: ChildProcess;
}

async function demo(events: number, store: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-demo-"));
  const cluster = new Cluster(join(folder, "servers"));
  const roles: Role[] = [];
  try {
    const flags = await startServers(cluster, store);
    await run([...rdg("deploy", graph), ...flags]);
    const wanted = [
      "gateway",
      "gateway",
      "jobs",
      "jobs",
      ...(store === "cassandra" ? ["store"] : []),
      "serve",
      "serve",
    ];
    const starts = await Promise.allSettled(
      wanted.map((role, i) => startRole(role, join(folder, `${role}-${i}`), flags)),
    );
    for (const start of starts) if (start.status === "fulfilled") roles.push(start.value);
    for (const start of starts) if (start.status === "rejected") throw start.reason;
    for (const { role, url, child } of roles) say(`${role.padEnd(8)} ${url}  (process ${child.pid})`);
    await sendAndAsk(roles, events);
  } finally {
    for (const { child } of roles) child.kill("SIGTERM");
    await Promise.all(roles.map(({ child }) => ended(child)));
    await cluster.down(["kafka", "registry", "cassandra"], true, say);
    await rm(folder, { recursive: true, force: true });
  }
}

/** Answers the flags that lead there. */
async function startServers(cluster: Cluster, store: string): Promise<string[]> {
  const [kafka, registry, cql] = (await freePorts(3)) as [number, number, number];
  const names = ["kafka", "registry", ...(store === "cassandra" ? (["cassandra"] as const) : [])] as const;
  await cluster.up(names, { kafka, registry, cql }, say);
  const cassandra = ["--cassandra-contacts", `127.0.0.1:${cql}`, "--cassandra-replicas", "1"];
  return [
    "--kafka-bootstrap",
    `127.0.0.1:${kafka}`,
    "--registry-url",
    `http://127.0.0.1:${registry}/registry`,
    "--store-kind",
    store,
    ...(store === "cassandra" ? cassandra : []),
  ];
}

async function sendAndAsk(roles: readonly Role[], events: number): Promise<void> {
  const urlsOf = (wanted: string): string[] => roles.filter(({ role }) => role === wanted).map(({ url }) => url);
  const generator = join(import.meta.dirname, "generate.ts");
  const startedMs = performance.now();
  await Promise.all(
    urlsOf("gateway").map((url, seed) =>
      run([...node, generator, "--url", url, "--seed", String(seed + 1), ...sizes, "--events", String(events / 2)]),
    ),
  );
  const servers = urlsOf("serve");
  await Promise.all(servers.map((url) => reached(url, urlsOf("gateway")[0]!)));
  say(`${events} events are in the graph after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  const question = {
    from: { type: "account", ids: [accountId(0), accountId(1)] },
    hops: [{ edge: "has_profile" }, { edge: "watched", order: "latest", limit: 3 }],
  };
  for (const url of servers) {
    const { levels } = await ask<{ levels: readonly { readonly edges?: readonly unknown[] }[] }>(
      url,
      "/v1/traverse",
      question,
    );
    console.log(`${url} answers with ${levels.map(({ edges = [] }) => edges.length).join(" + ")} edges`);
  }
  for (const { role, url } of roles) console.log(`${role.padEnd(8)} ${await cpuOf(url)}`);
}

/** Resolves when the server accounts for everything that is in the topics of events now. */
async function reached(server: string, gateway: string): Promise<void> {
  const { topics } = await ask<{
    topics: readonly { readonly name: string; readonly partitions: readonly { readonly next: number }[] }[];
  }>(gateway, "/v1/status");
  const waitFor = topics
    .filter(({ name }) => name.startsWith("events."))
    .flatMap(({ name, partitions }) =>
      partitions.flatMap(({ next }, partition) => (next === 0 ? [] : [`${name}/${partition}@${next - 1}`])),
    );
  for (;;) {
    const question = { from: { type: "account", ids: [accountId(0)] }, hops: [], waitFor, timeoutMs: 5_000 };
    if ((await fetch(`${server}/v1/traverse`, posted(question))).ok) return;
  }
}

async function cpuOf(url: string): Promise<string> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const seconds = /^rdg_process_cpu_seconds_total (\S+)$/m.exec(text)?.[1];
  return `${Number(seconds).toFixed(1)} s of CPU since its start`;
}

async function ask<T>(url: string, path: string, body?: object): Promise<T> {
  const response = await fetch(url + path, body === undefined ? {} : posted(body));
  if (!response.ok) throw new Error(`${url}${path} was answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

function posted(body: object): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function rdg(...args: readonly string[]): string[] {
  return [...node, join(root, "src/cli/main.ts"), ...args];
}

async function startRole(role: string, data: string, flags: readonly string[]): Promise<Role> {
  const own = ["--role", role, "--data", data, "--port", "0", "--grpc-port", "off", "--log-level", "error", "--json"];
  const [command, ...args] = [...rdg("start", graph), ...own, ...flags] as [string, ...string[]];
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: child.stdout })) {
    return { role, url: (JSON.parse(line) as { url: string }).url, child };
  }
  throw new Error(`The process with the role ${role} ended before it was ready.`);
}

async function run([command, ...args]: readonly string[]): Promise<void> {
  const child = spawn(command!, args, { stdio: ["ignore", "inherit", "inherit"] });
  const code = await ended(child);
  if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}.`);
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode;
}
