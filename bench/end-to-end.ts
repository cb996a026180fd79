// The streaming example end to end: events by HTTP until they are durable and in the graph, then traversals, then restarts.
import { generatorDefaults, PlaybackGenerator } from "../examples/streaming/generator.ts";
import { accountId, titleId } from "../examples/streaming/playback-event.ts";
import type { TraverseRequest } from "../src/model/traversal.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import { sendBodies } from "./http-load.ts";
import { askOneByOne } from "./one-client.ts";
import { percentile } from "./percentile.ts";
import { usageOf, usedBetween } from "./process-usage.ts";
import { removeData, startStreamingServer, temporaryData, type StreamingServer } from "./streaming-server.ts";

export interface EndToEndOptions {
  readonly events: number;
  readonly warmUp: number;
  readonly inFlight: number;
  readonly nodeFlags?: readonly string[];
}

export interface EndToEndFigures {
  readonly ingestion: {
    readonly events: number;
    readonly eventsPerSecond: number;
    readonly cpuUsPerEvent: { readonly all: number; readonly server: number; readonly load: number };
    readonly requestMs: Readonly<Record<string, number>>;
    readonly refused: Readonly<Record<number, number>>;
    readonly bytesWrittenPerEvent: number;
    readonly residentBytes: number;
  };
  readonly traversals: Readonly<Record<string, { overHttpMs: Readonly<Record<string, number>>; edgesMean: number }>>;
  readonly memory: unknown;
  readonly restart: { readonly cleanStartMs: number; readonly crashStartMs: number };
}

export async function endToEnd(options: EndToEndOptions): Promise<EndToEndFigures> {
  const data = await temporaryData();
  const server = await startStreamingServer(data, { nodeFlags: options.nodeFlags ?? [] });
  let restarted: StreamingServer | undefined;
  try {
    const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
    await sendBodies(server.url, "/v1/events/playback", bodiesOf(generator, options.warmUp), options.inFlight);
    await server.settled();
    const ingestion = await ingest(server, bodiesOf(generator, options.events), options);
    const traversals = await traverse(server);
    const memory = await memoryOf(server);
    await server.stop("SIGTERM");
    restarted = await startStreamingServer(data);
    const cleanStartMs = restarted.startMs;
    await restarted.stop("SIGKILL");
    restarted = await startStreamingServer(data);
    const crashStartMs = restarted.startMs;
    return { ingestion, traversals, memory, restart: { cleanStartMs, crashStartMs } };
  } finally {
    await server.stop("SIGKILL");
    await restarted?.stop("SIGKILL");
    await removeData(data);
  }
}

async function ingest(
  server: StreamingServer,
  bodies: readonly Uint8Array[],
  options: EndToEndOptions,
): Promise<EndToEndFigures["ingestion"]> {
  const before = [usageOf(server.pid), usageOf("self")] as const;
  const startedMs = performance.now();
  const load = await sendBodies(server.url, "/v1/events/playback", bodies, options.inFlight);
  await server.settled();
  const seconds = (performance.now() - startedMs) / 1000;
  const used = usedBetween(before[0], usageOf(server.pid));
  const loadUsed = usedBetween(before[1], usageOf("self"));
  const events = bodies.length * eventsPerBody;
  const cpu = (cpuSeconds: number): number => Number(((cpuSeconds * 1e6) / events).toFixed(2));
  return {
    events,
    eventsPerSecond: Math.round(events / seconds),
    cpuUsPerEvent: {
      all: cpu(used.cpuSeconds + loadUsed.cpuSeconds),
      server: cpu(used.cpuSeconds),
      load: cpu(loadUsed.cpuSeconds),
    },
    requestMs: percentiles(load.latenciesMs),
    refused: load.refused,
    bytesWrittenPerEvent: Math.round(used.writtenBytes / events),
    residentBytes: used.residentBytes,
  };
}

async function memoryOf(server: StreamingServer): Promise<unknown> {
  const { store } = await server.status();
  return { ...store, residentBytes: usageOf(server.pid).residentBytes };
}

/** One client, one request at a time. */
async function traverse(server: StreamingServer): Promise<EndToEndFigures["traversals"]> {
  const accounts = generatorDefaults.accounts;
  const oneHop = (i: number): TraverseRequest => ({
    from: { type: "account", ids: [accountId(i % accounts)] },
    hops: [{ edge: "uses", order: "latest", limit: 100 }],
  });
  const twoHops = (i: number): TraverseRequest => ({
    from: { type: "account", ids: [accountId(i % accounts)] },
    hops: [
      { edge: "has_profile", limit: 50 },
      { edge: "watched", order: "latest", limit: 50 },
    ],
  });
  const heavy = (i: number): TraverseRequest => ({
    from: { type: "title", ids: [titleId(i % 50)] },
    hops: [
      { edge: "watched", direction: "in", order: "latest", limit: 50 },
      { edge: "watched", order: "latest", limit: 50 },
    ],
  });
  return {
    oneHop: await timed(server, oneHop),
    twoHops: await timed(server, twoHops),
    wideTwoHops: await timed(server, heavy),
  };
}

async function timed(
  server: StreamingServer,
  requestOf: (i: number) => TraverseRequest,
): Promise<EndToEndFigures["traversals"][string]> {
  const requests = Array.from({ length: 1_500 }, (_, i) => requestOf(i * 7919));
  const questions = { address: server.url.host, requests, count: requests.length, warmUp: 500, pauseMs: 0 };
  const milliseconds = Float64Array.from(await askOneByOne(questions));
  let edges = 0;
  const counted = requests.slice(-100);
  for (const request of counted) edges += await edgesOf(server, request);
  return { overHttpMs: percentiles(milliseconds), edgesMean: Math.round(edges / counted.length) };
}

async function edgesOf(server: StreamingServer, request: TraverseRequest): Promise<number> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify(request);
  const response = await fetch(new URL("/v1/traverse", server.url), { method: "POST", headers, body });
  if (!response.ok) throw new Error(await response.text());
  const { levels } = (await response.json()) as { levels: { edges?: unknown[] }[] };
  return levels.reduce((sum, level) => sum + (level.edges?.length ?? 0), 0);
}

function percentiles(values: Float64Array): Record<string, number> {
  const sorted = values.toSorted();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), max: percentile(sorted, 1) };
}
