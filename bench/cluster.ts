// The streaming example through real processes over a real broker, beside the embedded line: what an event costs the CPU of each of them, how fast each role is
// with the machine to itself and the broker, and how fresh the graph is.
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import { type StreamingCluster, startStreamingCluster, type Usages } from "./cluster-processes.ts";
import { freshness } from "./freshness.ts";
import { sendBodies } from "./http-load.ts";
import { percentile } from "./percentile.ts";
import { usageOf, usedBetween } from "./process-usage.ts";
import { removeData, startStreamingServer, type StreamingServer, temporaryData } from "./streaming-server.ts";

export interface ClusterOptions {
  readonly events: number;
  readonly inFlight: number;
  /** Merge window of the job, and so the time between its transactions. */
  readonly window: string;
  /** Of both lines in turn; what is told is the median. */
  readonly rounds: number;
  /** Of the paced load, and its rate in events a second; undefined: half of what was measured. */
  readonly seconds: number;
  readonly rate: number | undefined;
  readonly nodeFlags: readonly string[];
  /** Of a round through Cassandra; 0: none. */
  readonly cassandraEvents: number;
}

/** By role; `own`: of them together; and of the servers. */
type CpuUsPerEvent = Readonly<Record<string, number>>;

interface LineFigures {
  readonly eventsPerSecond: number;
  readonly cpuUsPerEvent: CpuUsPerEvent;
}

interface RoleFigures {
  readonly eventsPerSecond: number;
  readonly cpuUsPerEvent: number;
  readonly kafkaCpuUsPerEvent: number;
}

export interface ClusterFigures {
  readonly window: string;
  /** The server's, of each round. */
  readonly embeddedCpuUsPerEvent: readonly number[];
  /** Of each round: events sent as fast as they are taken, until the replica has applied all. */
  readonly together: readonly LineFigures[];
  /** RDG's own CPU on the cluster to the embedded server's, medians. */
  readonly ratio: number;
  /** One role after the other, the others held: how fast it is beside nothing but the broker. */
  readonly alone: Readonly<Record<"gateway" | "jobs" | "serve", RoleFigures>> & {
    readonly transactionsPerSecond: number;
  };
  /** At half of the rate, or at the one that was asked for. */
  readonly paced: {
    readonly eventsPerSecond: number;
    readonly transactionsPerSecond: number;
    /** The embedded server's, at the same rate. */
    readonly embeddedCpuUsPerEvent: number;
    readonly cpuUsPerEvent: CpuUsPerEvent;
    readonly freshnessMs: Readonly<Record<string, number>>;
  };
  readonly kafkaBytesWrittenPerEvent: number;
  /** The same events through a store writer to Cassandra, instead of to a replica. */
  readonly cassandra?: LineFigures;
}

const path = "/v1/events/playback";
/** Of which each waits for a window to be published, most of the time. */
const probesAtOnce = 8;

export async function measureCluster(options: ClusterOptions): Promise<ClusterFigures> {
  const figures = await besideEmbedded(options);
  return options.cassandraEvents === 0 ? figures : { ...figures, cassandra: await throughCassandra(options) };
}

async function besideEmbedded(options: ClusterOptions): Promise<ClusterFigures> {
  const { events, inFlight, window, rounds, nodeFlags } = options;
  const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
  const data = await temporaryData();
  const server = await startStreamingServer(data);
  let cluster: StreamingCluster | undefined;
  try {
    cluster = await startStreamingCluster({ store: "embedded", nodeFlags, flags: ["--jobs-window", window] });
    const warmUp = bodiesOf(generator, events / 2);
    await sendBodies(server.url, path, warmUp, inFlight);
    await server.settled();
    await throughCluster(cluster, warmUp, inFlight);
    const embedded: number[] = [];
    const together: LineFigures[] = [];
    const before = cluster.usage();
    for (let round = 0; round < rounds; round++) {
      const bodies = bodiesOf(generator, events);
      embedded.push(await throughEmbedded(server, () => sendBodies(server.url, path, bodies, inFlight), bodies));
      together.push(await throughCluster(cluster, bodies, inFlight));
    }
    const { writtenBytes } = usedBetween(before.get("kafka")!, cluster.usage().get("kafka")!);
    const alone = await oneByOne(cluster, bodiesOf(generator, events), inFlight);
    const { rate = Math.round(median(together.map(({ eventsPerSecond }) => eventsPerSecond)) / 2), seconds } = options;
    const paced = await pacedLoad(server, cluster, { generator, rate, seconds });
    const own = median(together.map(({ cpuUsPerEvent }) => cpuUsPerEvent["own"]!));
    return {
      window,
      embeddedCpuUsPerEvent: embedded,
      together,
      ratio: Number((own / median(embedded)).toFixed(2)),
      alone,
      paced,
      kafkaBytesWrittenPerEvent: Math.round(writtenBytes / (rounds * events)),
    };
  } finally {
    await cluster?.stop();
    await server.stop("SIGKILL");
    await removeData(data);
  }
}

async function throughCassandra(options: ClusterOptions): Promise<LineFigures> {
  const { cassandraEvents: events, inFlight, window, nodeFlags } = options;
  const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
  const cluster = await startStreamingCluster({ store: "cassandra", nodeFlags, flags: ["--jobs-window", window] });
  try {
    await throughCluster(cluster, bodiesOf(generator, events), inFlight);
    return await throughCluster(cluster, bodiesOf(generator, events), inFlight);
  } finally {
    await cluster.stop();
  }
}

async function throughEmbedded(
  server: StreamingServer,
  send: () => Promise<unknown>,
  bodies: readonly Uint8Array[],
): Promise<number> {
  const before = usageOf(server.pid);
  await send();
  await server.settled();
  return each(usedBetween(before, usageOf(server.pid)).cpuSeconds, bodies);
}

async function throughCluster(
  cluster: StreamingCluster,
  bodies: readonly Uint8Array[],
  inFlight: number,
): Promise<LineFigures> {
  const before = cluster.usage();
  const startedMs = performance.now();
  await sendBodies(cluster.gateway, path, bodies, inFlight);
  await cluster.applied();
  const seconds = (performance.now() - startedMs) / 1000;
  return {
    eventsPerSecond: Math.round((bodies.length * eventsPerBody) / seconds),
    cpuUsPerEvent: cpuOf(before, cluster.usage(), bodies),
  };
}

/** Each role works off what the one before has left, while the other two are held. */
async function oneByOne(
  cluster: StreamingCluster,
  bodies: readonly Uint8Array[],
  inFlight: number,
): Promise<ClusterFigures["alone"]> {
  const events = bodies.length * eventsPerBody;
  const timed = async (role: "gateway" | "jobs" | "serve", run: () => Promise<unknown>) => {
    const [before, startedMs] = [cluster.usage(), performance.now()];
    await run();
    const [after, seconds] = [cluster.usage(), (performance.now() - startedMs) / 1000];
    const used = cpuOf(before, after, bodies);
    const figures: RoleFigures = {
      eventsPerSecond: Math.round(events / seconds),
      cpuUsPerEvent: used[role]!,
      kafkaCpuUsPerEvent: used["kafka"]!,
    };
    return { figures, seconds };
  };
  const offset = await cluster.appliedOffset();
  cluster.hold("jobs");
  cluster.hold("serve");
  const gateway = await timed("gateway", () => sendBodies(cluster.gateway, path, bodies, inFlight));
  cluster.goOn("jobs");
  const jobs = await timed("jobs", () => cluster.worked());
  cluster.goOn("serve");
  const serve = await timed("serve", () => cluster.applied());
  return {
    gateway: gateway.figures,
    jobs: jobs.figures,
    serve: serve.figures,
    transactionsPerSecond: await transactionsSince(cluster, offset, jobs.seconds),
  };
}

/** Each is a record of the journal, and the marker that ends it. */
async function transactionsSince(cluster: StreamingCluster, offset: number, seconds: number): Promise<number> {
  return Number((((await cluster.appliedOffset()) - offset) / 2 / seconds).toFixed(1));
}

interface Paced {
  readonly generator: PlaybackGenerator;
  /** Events a second. */
  readonly rate: number;
  readonly seconds: number;
}

async function pacedLoad(
  server: StreamingServer,
  cluster: StreamingCluster,
  { generator, rate, seconds }: Paced,
): Promise<ClusterFigures["paced"]> {
  const bodies = bodiesOf(generator, rate * seconds);
  const paceMs = (1000 * eventsPerBody) / rate;
  const embedded = await throughEmbedded(server, () => sendBodies(server.url, path, bodies, 8, paceMs), bodies);
  const [before, offset] = [cluster.usage(), await cluster.appliedOffset()];
  let running = true;
  const loading = sendBodies(cluster.gateway, path, bodies, 8, paceMs);
  const { gateway, serve } = cluster;
  const probes = Array.from({ length: probesAtOnce }, () =>
    freshness({ gateway, serve, events: bodiesOf(generator, 1_000, 1), pauseMs: 37, running: () => running }),
  );
  const load = await loading;
  running = false;
  const sorted = Float64Array.from((await Promise.all(probes)).flat()).toSorted();
  await cluster.applied();
  const after = cluster.usage();
  return {
    eventsPerSecond: Math.round((bodies.length * eventsPerBody) / load.wallSeconds),
    transactionsPerSecond: await transactionsSince(cluster, offset, load.wallSeconds),
    embeddedCpuUsPerEvent: embedded,
    cpuUsPerEvent: cpuOf(before, after, bodies),
    freshnessMs: { samples: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) },
  };
}

function cpuOf(before: Usages, after: Usages, bodies: readonly Uint8Array[]): CpuUsPerEvent {
  const used = new Map([...after].map(([name, usage]) => [name, usedBetween(before.get(name)!, usage).cpuSeconds]));
  const roles = [...used].filter(([name]) => name !== "kafka" && name !== "cassandra");
  const own = roles.reduce((sum, [, cpuSeconds]) => sum + cpuSeconds, 0);
  return Object.fromEntries([...used, ["own", own] as const].map(([name, seconds]) => [name, each(seconds, bodies)]));
}

const each = (cpuSeconds: number, bodies: readonly Uint8Array[]): number =>
  Number(((cpuSeconds * 1e6) / (bodies.length * eventsPerBody)).toFixed(2));

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[(values.length - 1) >> 1]!;
