// The embedded store with five million edges of the streaming example: memory per element, traversals inside the engine, checkpoint and restart.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import streaming from "../examples/streaming/graph.ts";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { seededRandom } from "../src/core/random.ts";
import { createMergeWindow, type MergeWindow } from "../src/jobs/operators/merge-window.ts";
import type { UpdateFrame } from "../src/log/port.ts";
import { decodeUpdateBatch } from "../src/model/update/codec.ts";
import type { BytesSink, CounterSink, Int64Sink } from "../src/model/update/sink.ts";
import { openEmbeddedStore } from "../src/store/embedded/open.ts";
import type { EmbeddedStore } from "../src/store/embedded/store.ts";
import { percentile } from "./percentile.ts";

export interface GraphFigures {
  readonly edges: number;
  readonly nodes: number;
  readonly applyUsPerEdge: number;
  /** What the store counts, and what the process grew by. */
  readonly bytesPerEdge: { readonly counted: number; readonly resident: number };
  readonly inEngineMs: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly checkpointMs: number;
  readonly reopenMs: number;
}

const { model } = streaming;
const edgesPerBatch = 20_000;
const encoder = new TextEncoder();
const signal = new AbortController().signal;

export async function measureGraph(edges: number): Promise<GraphFigures> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-graph-"));
  const open = (): Promise<EmbeddedStore> =>
    openEmbeddedStore({
      folder,
      model,
      clock: systemClock,
      timers: systemTimers,
      settings: { memoryMaxBytes: 16e9, checkpointDebtMaxBytes: 1e15 },
    });
  let store = await open();
  try {
    globalThis.gc?.();
    const residentBefore = process.memoryUsage.rss();
    let applyUs = 0;
    for (const frame of framesOf(edges)) {
      const start = process.cpuUsage();
      await store.apply(frame);
      const { user, system } = process.cpuUsage(start);
      applyUs += user + system;
    }
    globalThis.gc?.();
    const statistics = await store.statistics();
    const held = Object.values(statistics.edges).reduce((sum, count) => sum + count, 0);
    const inEngineMs = await queries(store);
    const resident = process.memoryUsage.rss() - residentBefore;
    const checkpointMs = await timed(() => store.close());
    const reopenMs = await timed(async () => {
      store = await open();
    });
    return {
      edges: held,
      nodes: Object.values(statistics.nodes).reduce((sum, count) => sum + count, 0),
      applyUsPerEdge: Number((applyUs / edges).toFixed(2)),
      bytesPerEdge: { counted: Math.round(statistics.memoryBytes / held), resident: Math.round(resident / held) },
      inEngineMs,
      checkpointMs,
      reopenMs,
    };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return Math.round(performance.now() - startedMs);
}

const accounts = 270_000;
const titles = 20_000;

/** Watched, uses and has_profile edges in the shares 60, 34 and 6, in batches as a job publishes them. */
function* framesOf(edges: number): Generator<UpdateFrame> {
  const random = seededRandom(7);
  const window = createMergeWindow(model);
  const nowMs = Date.now();
  const batches = Math.ceil(edges / edgesPerBatch);
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < edgesPerBatch; i++)
      writeEdge(window, random, nowMs - (batches - batch) * 1000 + random.below(1000));
    const packed = window.take()!;
    yield {
      source: "bench",
      offset: batch,
      job: "bench",
      timestampMs: nowMs,
      inputs: [],
      sizeBytes: packed.length,
      updates: () => decodeUpdateBatch(packed),
    };
  }
}

type SeededRandom = ReturnType<typeof seededRandom>;

function writeEdge({ sink }: MergeWindow, random: SeededRandom, timeMs: number): void {
  const node = (type: string, id: string): number => {
    const bytes = encoder.encode(id);
    return sink.nodes[model.nodes.findIndex(({ name }) => name === type)]!.intern(bytes, 0, bytes.length);
  };
  const edge = (type: string): (typeof sink.edges)[number] =>
    sink.edges[model.edges.findIndex(({ name }) => name === type)]!;
  const account = random.below(accounts);
  const kind = random.below(100);
  if (kind < 60) {
    const title = Math.floor(titles ** (random.below(1_000_000) / 1_000_000));
    const watched = edge("watched");
    const row = watched.upsert(node("profile", `prf-${account}`), node("title", `ttl-${title}`), timeMs);
    const positionMs = random.below(7_200_000);
    (watched.properties[0] as Int64Sink).set(row, timeMs, positionMs);
    (watched.properties[1] as Int64Sink).set(row, timeMs, positionMs);
    (watched.properties[2] as CounterSink).add(row, 1);
  } else if (kind < 94) {
    edge("uses").upsert(
      node("account", `acc-${account}`),
      node("device", `dev-${account * 7 + random.below(7)}`),
      timeMs,
    );
  } else {
    edge("has_profile").upsert(node("account", `acc-${account}`), node("profile", `prf-${account}`), timeMs);
    const accountSink = sink.nodes[model.nodes.findIndex(({ name }) => name === "account")]!;
    const country = encoder.encode("NL");
    const row = accountSink.upsert(node("account", `acc-${account}`), timeMs);
    (accountSink.properties[0] as BytesSink).set(row, timeMs, country, 0, country.length);
  }
}

/** One client, warm, references and properties read, nothing encoded. */
async function queries(store: EmbeddedStore): Promise<GraphFigures["inEngineMs"]> {
  const type = (name: string): number => model.nodes.findIndex((node) => node.name === name);
  const watched = model.edges.findIndex(({ name }) => name === "watched");
  const hop = async (
    reader: ReturnType<EmbeddedStore["reader"]>,
    references: Int32Array,
    direction: "out" | "in",
    limit: number,
  ): Promise<number[]> => {
    const found: number[] = [];
    const records = Array.from(references, (reference) => ({ reference }));
    const request = {
      edge: watched,
      direction,
      order: "latest",
      records,
      limit,
      scanMax: 100_000,
      select: [0, 2],
    } as const;
    for await (const { neighbours, count } of reader.adjacency(request, signal))
      for (let i = 0; i < count; i++) found.push(neighbours[i]!);
    return found;
  };
  const oneHop = async (i: number): Promise<number> => {
    const reader = store.reader();
    const start = await reader.find(type("title"), [`ttl-${1 + (i % 2000)}`], signal);
    const found = await hop(reader, start, "in", 100);
    reader.close();
    return found.length;
  };
  const twoHops = async (i: number): Promise<number> => {
    const reader = store.reader();
    const start = await reader.find(type("title"), [`ttl-${1 + (i % 2000)}`], signal);
    const first = await hop(reader, start, "in", 50);
    const second = await hop(reader, Int32Array.from(first), "out", 50);
    reader.close();
    return first.length + second.length;
  };
  return { oneHop: await latencies(oneHop), twoHops: await latencies(twoHops) };
}

async function latencies(query: (i: number) => Promise<number>): Promise<Record<string, number>> {
  const milliseconds: number[] = [];
  let edges = 0;
  for (let i = 0; i < 3000; i++) {
    const startedMs = performance.now();
    const found = await query(i * 7919);
    if (i < 1000) continue;
    milliseconds.push(performance.now() - startedMs);
    edges += found;
  }
  const sorted = Float64Array.from(milliseconds).toSorted();
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99), edgesMean: Math.round(edges / 2000) };
}
