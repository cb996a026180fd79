// The serving layer under load: a graph of millions of edges in a server of its own, mixes of queries from another process, over HTTP and over gRPC.
//
// Per mix and protocol: just started (cold), one client, as much as goes (closed loop), the same with starts that nobody asked for lately (cold caches), half of
// it at a fixed rate (open loop), that beside events that come in, and the highest rate at which p99 meets its goal. CPU is the server's, of all of its threads, per request: on a machine whose cores are shared with
// the load it says what a core can do, where requests per second cannot.
import { spawn } from "node:child_process";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import { separateCores } from "./cores.ts";
import { sendBodies } from "./http-load.ts";
import { type LoadProcess, startLoadProcess } from "./load-process.ts";
import { mainThreadCpuSeconds, usageOf } from "./process-usage.ts";
import type { LoadFigures, LoadJob } from "./query-load.ts";
import type { MixName, MixOptions } from "./query-mixes.ts";
import { prepareServingData, type ServingGraph, servingGraphOf } from "./serving-data.ts";
import {
  firstLine,
  removeData,
  startStreamingServer,
  temporaryData,
  type StreamingServer,
} from "./streaming-server.ts";

export type Protocol = "http" | "grpc";

/**
 * Microseconds of the server's CPU per request, of all of its threads, when it has as many as it can take; with starts that are in no cache, too. For `shallow` they
 * are the goals, which a quiet machine meets: 8,000 requests a second and core over HTTP, 6,000 over gRPC. For the others they are what a shared machine of two cores measured on 22 November
 * 2026. `tolerance` (a quarter) is added to them: beside other work a request takes that much more.
 */
export const requestGuardRails: Readonly<Record<Protocol, Readonly<Record<MixName, number>>>> = {
  http: { shallow: 125, deep: 4_300, linkBench: 140, supernode: 200 },
  grpc: { shallow: 167, deep: 4_600, linkBench: 190, supernode: 295 },
};

/** What p99 should be, in milliseconds. */
const goalsP99Ms: Readonly<Record<MixName, number>> = { shallow: 5, deep: 30, linkBench: 5, supernode: 5 };

export interface TraversalOptions {
  readonly edges: number;
  readonly supernodeEdges: number;
  /** Where the graph is kept from run to run; missing: it is made anew, and deleted. */
  readonly data?: string | undefined;
  readonly protocols: readonly Protocol[];
  readonly mixes: readonly MixName[];
  /** Of one measurement. */
  readonly seconds: number;
  /** Rates that are tried for the highest one whose p99 meets its goal. */
  readonly searches: number;
  /** Events that come in meanwhile, in one of the measurements. 0: none. */
  readonly eventsPerSecond: number;
  readonly nodeFlags?: readonly string[];
}

interface Measured extends LoadFigures {
  readonly serverCpuUsPerRequest: number;
  /** Of the thread that answers: its share bounds what one process can do. */
  readonly mainThreadCpuUsPerRequest: number;
}

interface MixFigures {
  readonly cold: Measured;
  readonly oneClient: Measured;
  readonly saturation: Measured;
  readonly requestsPerSecondAndCore: number;
  /** As much as goes from starts that are all alike: what is read was read by nobody else just before, and is in no cache of the processor. */
  readonly coldCaches: Measured;
  /** Of several runs the one in the middle, by p99; and p99 of all of them. */
  readonly halfLoad: Measured;
  readonly halfLoadP99Ms: readonly number[];
  readonly halfLoadWithEvents?: Measured & { readonly eventsPerSecond: number };
  /** Missing where none of the rates met it. */
  readonly atGoal?: { readonly p99Ms: number; readonly requestsPerSecond: number };
}

export interface TraversalFigures {
  readonly graph: ServingGraph & { readonly prepareMs: number };
  readonly mixes: Readonly<Record<string, Readonly<Record<string, MixFigures>>>>;
  /** The same requests and answers as large, answered by nothing. */
  readonly floor: Readonly<Record<string, Measured>>;
  readonly residentMegabytes: readonly number[];
}

const saturating = 32;
/** Open loop: enough for a second of the highest rates to wait in the server and not here. */
const openConnections = 256;
const halfLoads = 3;

export async function measureTraversals(options: TraversalOptions): Promise<TraversalFigures> {
  const graph = servingGraphOf(options.edges, options.supernodeEdges);
  const startedMs = performance.now();
  const kept = options.data ?? (await temporaryData());
  const working = await temporaryData();
  const cores = separateCores();
  const load = startLoadProcess();
  try {
    await prepareServingData(kept, graph);
    const prepareMs = Math.round(performance.now() - startedMs);
    const mixes: Record<string, Record<string, MixFigures>> = {};
    const resident: number[] = [];
    let answerBytes = 0;
    for (const protocol of options.protocols) {
      mixes[protocol] = {};
      for (const mix of options.mixes) {
        const data = join(working, `${protocol}-${mix}`);
        cpSync(kept, data, { recursive: true });
        const figures = await measureMix({ protocol, mix, graph, load, data, resident, options, prefix: cores.server });
        mixes[protocol][mix] = figures;
        if (protocol === "http" && mix === "shallow") answerBytes = figures.saturation.answerBytesMean;
        await removeData(data);
      }
    }
    const floor = await measureFloor(load, graph, answerBytes || 16_000, options.seconds);
    return { graph: { ...graph, prepareMs }, mixes, floor, residentMegabytes: resident };
  } finally {
    load.stop();
    await removeData(working);
    if (options.data === undefined) await removeData(kept);
  }
}

interface MixRun {
  readonly protocol: Protocol;
  readonly mix: MixName;
  readonly graph: ServingGraph;
  readonly load: LoadProcess;
  readonly data: string;
  readonly resident: number[];
  /** A command before the server's own. */
  readonly prefix: readonly string[];
  readonly options: TraversalOptions;
}

async function measureMix(given: MixRun): Promise<MixFigures> {
  const { protocol, mix, graph, load, data, resident, options, prefix } = given;
  const { seconds, nodeFlags = [] } = options;
  const server = await startStreamingServer(data, { nodeFlags, prefix });
  try {
    const pairs = await somePairs(server);
    const job = (starts: MixOptions["starts"], seed: number): Omit<LoadJob, "connections"> => ({
      protocol,
      address: protocol === "http" ? server.url.host : server.grpc,
      mix: { mix, graph, starts, seed, pairs },
      seconds,
    });
    const run = (figures: Partial<LoadJob> & { readonly connections: number }): Promise<Measured> =>
      measured(load, server.pid, { ...job("zipf", 3), ...figures });
    const cold = await measured(load, server.pid, { ...job("uniform", 2), connections: 1, seconds: seconds / 4 });
    // Some ten thousand requests are compiled code at last.
    await run({ connections: saturating, seconds: seconds * 3 });
    resident.push(residentMegabytes(server));
    const oneClient = await run({ connections: 1, seconds: seconds / 2 });
    const saturation = await run({ connections: saturating });
    const coldCaches = await measured(load, server.pid, { ...job("uniform", 5), connections: saturating });
    const half = { connections: openConnections, requestsPerSecond: saturation.requestsPerSecond / 2 };
    const halves: Measured[] = [];
    for (let i = 0; i < halfLoads; i++) halves.push(await run(half));
    halves.sort((a, b) => a.latencyMs["p99"]! - b.latencyMs["p99"]!);
    const atGoal = await highestRate(mix, saturation.requestsPerSecond, options.searches, (requestsPerSecond) =>
      run({ connections: openConnections, requestsPerSecond }),
    );
    const withEvents = options.eventsPerSecond > 0 && (await besideEvents(server, graph, options, () => run(half)));
    resident.push(residentMegabytes(server));
    return {
      cold,
      oneClient,
      saturation,
      requestsPerSecondAndCore: Math.round(1e6 / saturation.serverCpuUsPerRequest),
      coldCaches,
      halfLoad: halves[halfLoads >> 1]!,
      halfLoadP99Ms: halves.map(({ latencyMs }) => latencyMs["p99"]!),
      ...(withEvents && { halfLoadWithEvents: withEvents }),
      ...(atGoal !== undefined && { atGoal: { p99Ms: goalsP99Ms[mix], requestsPerSecond: atGoal } }),
    };
  } finally {
    await server.stop(nodeFlags.length > 0 ? "SIGTERM" : "SIGKILL");
  }
}

function residentMegabytes({ pid }: StreamingServer): number {
  return Math.round(usageOf(pid).residentBytes / 1e6);
}

async function measured(load: LoadProcess, pid: number, job: LoadJob): Promise<Measured> {
  const before = [usageOf(pid).cpuSeconds, mainThreadCpuSeconds(pid)] as const;
  const figures = await load.run(job);
  const us = (seconds: number): number => Math.round((seconds * 1e6) / figures.requests);
  return {
    ...figures,
    serverCpuUsPerRequest: us(usageOf(pid).cpuSeconds - before[0]),
    mainThreadCpuUsPerRequest: us(mainThreadCpuSeconds(pid) - before[1]),
  };
}

/** Halves the range between what surely goes and what does not, so many times. */
async function highestRate(
  mix: MixName,
  saturation: number,
  searches: number,
  run: (rate: number) => Promise<Measured>,
): Promise<number | undefined> {
  let good: number | undefined;
  let bad = saturation;
  for (let i = 0; i < searches; i++) {
    const rate: number = ((good ?? saturation * 0.3) + bad) / 2;
    const { latencyMs } = await run(rate);
    if (latencyMs["p99"]! <= goalsP99Ms[mix]) good = rate;
    else bad = rate;
  }
  return good === undefined ? undefined : Math.round(good);
}

async function besideEvents<T>(
  { url }: StreamingServer,
  { accounts, titles }: ServingGraph,
  { eventsPerSecond, seconds }: TraversalOptions,
  run: () => Promise<T>,
): Promise<T & { readonly eventsPerSecond: number }> {
  const generator = new PlaybackGenerator({ accounts, titles, startMs: Date.now() - 60_000 });
  const bodies = bodiesOf(generator, eventsPerSecond * seconds);
  const [sent, figures] = await Promise.all([
    sendBodies(url, "/v1/events/playback", bodies, 8, (1000 * eventsPerBody) / eventsPerSecond),
    run(),
  ]);
  return { ...figures, eventsPerSecond: Math.round((sent.accepted * eventsPerBody) / sent.wallSeconds) };
}

/** Ends of edges that exist. */
async function somePairs({ url }: StreamingServer): Promise<(readonly [string, string])[]> {
  const body = {
    from: { type: "title", ids: Array.from({ length: 20 }, (_, i) => `title-${String(i).padStart(6, "0")}`) },
    hops: [{ edge: "watched", direction: "in", limit: 100, select: { edge: [], node: [] } }],
  };
  const headers = { "content-type": "application/json" };
  const response = await fetch(new URL("/v1/traverse", url), { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(await response.text());
  const { levels } = (await response.json()) as { levels: { edges?: { from: string; to: string }[] }[] };
  return levels.flatMap(({ edges = [] }) => edges.map(({ from, to }) => [from, to] as const));
}

async function measureFloor(
  load: LoadProcess,
  graph: ServingGraph,
  answerBytes: number,
  seconds: number,
): Promise<Record<string, Measured>> {
  const floor: Record<string, Measured> = {};
  for (const kind of ["node", "fastify"]) {
    const args = [fileURLToPath(new URL("http-floor.ts", import.meta.url)), kind, String(answerBytes)];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    try {
      const port = await firstLine(child);
      const mix: MixOptions = { mix: "shallow", graph, starts: "zipf", seed: 3, pairs: [] };
      const job: LoadJob = { protocol: "http", address: `127.0.0.1:${port}`, mix, seconds, connections: saturating };
      await load.run({ ...job, seconds: seconds / 2 });
      floor[kind] = await measured(load, child.pid!, job);
      floor[`${kind}OneClient`] = await measured(load, child.pid!, { ...job, connections: 1, seconds: seconds / 2 });
    } finally {
      child.kill("SIGKILL");
    }
  }
  return floor;
}

/** What is broken of the guard rails by more than `tolerance`. */
export function brokenRequestRails({ mixes }: TraversalFigures, tolerance: number): string[] {
  return Object.entries(mixes).flatMap(([protocol, of]) =>
    Object.entries(of).flatMap(([mix, { saturation, coldCaches }]) => {
      const limit = requestGuardRails[protocol as Protocol][mix as MixName];
      return Object.entries({ saturation, coldCaches }).flatMap(([what, { serverCpuUsPerRequest: used }]) => {
        if (used <= limit * tolerance) return [];
        return [`${mix} over ${protocol}, ${what}: ${used} us of CPU per request, the guard rail is ${limit}.`];
      });
    }),
  );
}
