// A data folder of the streaming example for the load on traversals: millions of edges with skewed degrees, and one title that millions have watched.
// Written through the log and the store of the product, so that `rdg dev` starts from it as after any clean stop.
//
// Profiles have seen a log-normal number of titles (half of them fewer than 30, the mean is 50), titles are chosen by a power law, every account has one to three
// profiles and a handful of devices. Edges come in the order of their times, spread over the last month.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import streaming from "../examples/streaming/graph.ts";
import { accountId, titleId } from "../examples/streaming/playback-event.ts";
import { openDataStore } from "../src/compose/embedded-store.ts";
import { createLogger } from "../src/compose/logger.ts";
import { openPipeline } from "../src/compose/pipeline.ts";
import { embeddedSettings, type EmbeddedSettings } from "../src/compose/settings.ts";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { type Random, seededRandom } from "../src/core/random.ts";
import { resolveSettings } from "../src/core/settings.ts";
import { createMergeWindow, type MergeWindow } from "../src/jobs/operators/merge-window.ts";
import type { BytesSink, CounterSink, EdgeSink, Int64Sink, NodeSink, NumberSink } from "../src/model/update/sink.ts";

export interface ServingGraph {
  readonly accounts: number;
  readonly profiles: number;
  readonly titles: number;
  /** Of the example's edge types together, but for those of the supernode. */
  readonly edges: number;
  readonly supernodeEdges: number;
}

export const supernodeTitle = "title-everybody";
export const fanId = (fan: number): string => `fan-${String(fan).padStart(8, "0")}`;

const { model } = streaming;
const edgesPerBatch = 20_000;
const spreadMs = 30 * 86_400_000;
const watchedPerProfile = 50;
const degreeSpread = 1;
const profilesPerAccount = 2;
const edgesPerProfile = watchedPerProfile + 1 + 5 / profilesPerAccount;
const titleSkew = 0.75;
const names = ["The Silent Harbour", "Crimson Signal", "Last Garden", "A Distant Empire of Winter", "Étrange Voyage"];

export function servingGraphOf(edges: number, supernodeEdges: number): ServingGraph {
  const profiles = Math.max(100, Math.round(edges / edgesPerProfile));
  const titles = Math.max(100, Math.round(edges / 100));
  return { accounts: Math.ceil(profiles / profilesPerAccount), profiles, titles, edges, supernodeEdges };
}

export function profileId(profile: number): string {
  return `${accountId(Math.floor(profile / profilesPerAccount))}-p${profile % profilesPerAccount}`;
}

/** Makes the folder, unless it holds the same graph already. */
export async function prepareServingData(folder: string, graph: ServingGraph): Promise<void> {
  const note = join(folder, "bench.json");
  const wanted = JSON.stringify(graph);
  if (existsSync(note)) {
    if (readFileSync(note, "utf8") === wanted) return;
    throw new Error(`${folder} holds another graph: take another folder, or delete it.`);
  }
  const { values } = resolveSettings(embeddedSettings, { environment: {}, flags: { data: folder } });
  const settings: EmbeddedSettings = { ...values, "store.checkpoint": 1e15 };
  const ports = { clock: systemClock, timers: systemTimers, logger: createLogger("error") };
  const pipeline = await openPipeline({ graph: streaming, settings, ...ports });
  try {
    const output = await pipeline.log.jobOutput("playback");
    const store = await openDataStore(pipeline, settings, ports);
    let next = 0;
    for (const updates of batchesOf(graph)) {
      await output.commit({ updates, quarantined: undefined, inputs: [], counters: {} });
      for await (const frame of pipeline.log.readUpdates({ from: next, until: next })) await store.apply(frame);
      next++;
    }
    await store.close();
    await output.close();
  } finally {
    await pipeline.close();
  }
  writeFileSync(note, wanted);
}

/** Packed batches as a job publishes them, in the order of their times. */
function* batchesOf(graph: ServingGraph): Generator<Uint8Array> {
  const random = seededRandom(7);
  const window = createMergeWindow(model);
  const writer = new GraphWriter(window, graph, random);
  const total = graph.edges + graph.supernodeEdges;
  const startMs = systemClock.now() - spreadMs;
  let fan = 0;
  for (let i = 0; i < total; i++) {
    const timeMs = Math.floor(startMs + (spreadMs * i) / total);
    const isFan = random.below(total) < graph.supernodeEdges;
    if (isFan && fan < graph.supernodeEdges) writer.fan(fan++, timeMs);
    else writer.member(timeMs);
    if (i % edgesPerBatch === edgesPerBatch - 1) yield window.take()!;
  }
  for (; fan < graph.supernodeEdges; fan++) writer.fan(fan, startMs + spreadMs);
  yield window.take()!;
}

class GraphWriter {
  readonly #graph: ServingGraph;
  readonly #random: Random;
  /** Profiles, each as often as it watches, shuffled: the watchers in order. */
  readonly #watchers: Uint32Array;
  readonly #nodes: Readonly<Record<string, NodeSink>>;
  readonly #edges: Readonly<Record<string, EdgeSink>>;
  readonly #titlesNamed: Uint8Array;
  readonly #bytes = new Uint8Array(1024);
  #watched = 0;

  constructor({ sink }: MergeWindow, graph: ServingGraph, random: Random) {
    this.#graph = graph;
    this.#random = random;
    this.#watchers = watchersOf(graph, random);
    this.#nodes = Object.fromEntries(model.nodes.map(({ name }, i) => [name, sink.nodes[i]!]));
    this.#edges = Object.fromEntries(model.edges.map(({ name }, i) => [name, sink.edges[i]!]));
    this.#titlesNamed = new Uint8Array(graph.titles);
  }

  fan(fan: number, timeMs: number): void {
    this.#watch(this.#intern("profile", fanId(fan)), this.#title(supernodeTitle, fan === 0, timeMs), timeMs);
  }

  /** One edge of the kinds in the shares that `edgesPerProfile` says. */
  member(timeMs: number): void {
    const chosen = this.#random.below(edgesPerProfile * 1000);
    const profile = this.#random.below(this.#graph.profiles);
    if (chosen < watchedPerProfile * 1000) return this.#watchSomething(timeMs);
    const account = this.#intern("account", accountId(Math.floor(profile / profilesPerAccount)));
    if (chosen < (watchedPerProfile + 1) * 1000) {
      this.#edges["has_profile"]!.upsert(account, this.#intern("profile", profileId(profile)), timeMs);
      this.#put(
        this.#nodes["account"]!.properties[0] as BytesSink,
        this.#upsert("account", account, timeMs),
        timeMs,
        "NL",
      );
    } else {
      const device = `device-${accountId(Math.floor(profile / profilesPerAccount)).slice(4)}-${this.#random.below(9)}`;
      this.#edges["uses"]!.upsert(account, this.#intern("device", device), timeMs);
    }
  }

  #watchSomething(timeMs: number): void {
    const profile = this.#watchers[this.#watched++ % this.#watchers.length]!;
    const share = (this.#random.below(2 ** 32) + 1) / 2 ** 32;
    const title = Math.min(this.#graph.titles - 1, Math.floor(this.#graph.titles * share ** (1 / (1 - titleSkew))));
    const isNew = this.#titlesNamed[title] === 0;
    this.#titlesNamed[title] = 1;
    this.#watch(this.#intern("profile", profileId(profile)), this.#title(titleId(title), isNew, timeMs), timeMs);
  }

  #watch(profile: number, title: number, timeMs: number): void {
    const watched = this.#edges["watched"]!;
    const row = watched.upsert(profile, title, timeMs);
    const positionMs = this.#random.below(7_200_000);
    (watched.properties[0] as Int64Sink).set(row, timeMs, positionMs);
    (watched.properties[1] as Int64Sink).set(row, timeMs, positionMs);
    (watched.properties[2] as CounterSink).add(row, 1 + (this.#random.below(64) === 0 ? 1 : 0));
    this.#upsert("profile", profile, timeMs);
  }

  #title(id: string, isNew: boolean, timeMs: number): number {
    const title = this.#intern("title", id);
    const row = this.#upsert("title", title, timeMs);
    if (!isNew) return title;
    const { properties } = this.#nodes["title"]!;
    this.#put(properties[0] as BytesSink, row, timeMs, names[this.#random.below(names.length)]!);
    (properties[1] as NumberSink).set(row, timeMs, this.#random.below(3));
    return title;
  }

  #intern(type: string, id: string): number {
    return this.#nodes[type]!.intern(this.#bytes, 0, encoder.encodeInto(id, this.#bytes).written);
  }

  #upsert(type: string, reference: number, timeMs: number): number {
    return this.#nodes[type]!.upsert(reference, timeMs);
  }

  #put(property: BytesSink, row: number, timeMs: number, text: string): void {
    property.set(row, timeMs, this.#bytes, 0, encoder.encodeInto(text, this.#bytes).written);
  }
}

const encoder = new TextEncoder();

function watchersOf({ profiles }: ServingGraph, random: Random): Uint32Array {
  const uniform = (): number => (random.below(2 ** 32) + 1) / (2 ** 32 + 1);
  const degrees = Uint32Array.from({ length: profiles }, () => {
    const normal = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    return Math.max(1, Math.round(watchedPerProfile * Math.exp(degreeSpread * normal - degreeSpread ** 2 / 2)));
  });
  const watchers = new Uint32Array(degrees.reduce((sum, degree) => sum + degree, 0));
  let at = 0;
  for (const [profile, degree] of degrees.entries()) watchers.fill(profile, at, (at += degree));
  for (let i = watchers.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [watchers[i], watchers[other]] = [watchers[other]!, watchers[i]!];
  }
  return watchers;
}
