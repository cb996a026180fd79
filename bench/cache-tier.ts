// What a read costs this process when the second tier answers it, beside the process's own cache and the embedded store: over a cache server that runs already.
// `node --conditions=rdg-source bench/cache-tier.ts host:port [nodes]`
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@redis/client";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { randomId, systemRandom } from "../src/core/random.ts";
import { resolveSettings } from "../src/core/settings.ts";
import { CachedStore } from "../src/query/cache/store.ts";
import { cacheServerSettings } from "../src/query/redis/settings.ts";
import { openRedisTier } from "../src/query/redis/tier.ts";
import {
  baseMs,
  conformanceGraph as model,
  frameOf,
  typesOf,
  upsertEdge,
  upsertNode,
} from "../src/store/conformance-graph.ts";
import { openEmbeddedStore } from "../src/store/embedded/open.ts";
import type { Store } from "../src/store/port.ts";
import { percentile } from "./percentile.ts";

const [address = "127.0.0.1:6379", nodesText = "4000"] = process.argv.slice(2);
const count = Number(nodesText);
const edgesEach = 50;
const nodesPerRead = 50;
const rounds = 6;
const signal = new AbortController().signal;
const ids = Array.from({ length: count }, (_, i) => `person-${i}`);
const prefix = `bench-${randomId()}:`;
const settings = {
  ...resolveSettings(cacheServerSettings, {}).values,
  "cache.url": `redis://${address}`,
  "cache.prefix": prefix,
  "cache.timeout": 10_000,
  "cache.budget": 60_000,
};

/** A process that has just started: nothing in its own memory. */
async function fresh(store: Store): Promise<{ readonly cached: CachedStore; readonly close: () => void }> {
  const ports = { clock: systemClock, timers: systemTimers, random: systemRandom, notice: () => undefined };
  const tier = (await openRedisTier(settings, ports))!;
  const { local: _, ...capabilities } = store.capabilities;
  const elsewhere = new Proxy(store, {
    get(target, name) {
      if (name === "capabilities") return capabilities;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  const cached = new CachedStore({
    store: elsewhere,
    model,
    clock: systemClock,
    bytesMax: 1_000_000_000,
    ttlMs: 600_000,
    tier,
  });
  await cached.applied();
  while (!cached.sharedFigures!.connected) await systemTimers.sleep(5);
  return { cached, close: () => tier.tier.close() };
}

async function readNodes(store: Store, at: number): Promise<void> {
  const reader = store.reader();
  const references = await reader.find(typesOf.person, ids.slice(at, at + nodesPerRead), signal);
  const rows = await reader.nodes({ type: typesOf.person, references, select: [0, 1, 2] }, signal);
  if (rows.visible[0] !== 1) throw new Error("A node is missing.");
  reader.close();
}

async function readHead(store: Store, at: number): Promise<void> {
  const reader = store.reader();
  const [reference] = await reader.find(typesOf.person, [ids[at]!], signal);
  const records = [{ reference: reference! }];
  const request = { edge: typesOf.knows, direction: "out", order: "latest", limit: edgesEach, scanMax: 1_000 } as const;
  let edges = 0;
  for await (const batch of reader.adjacency({ ...request, records, select: [0, 2] }, signal)) edges += batch.count;
  if (edges !== edgesEach) throw new Error(`${edges} edges`);
  reader.close();
}

interface Figures {
  reads: number;
  cpuUs: number;
  readonly latenciesMs: number[];
}
const figures = new Map<string, Figures>();

async function measure(name: string, step: number, read: (at: number) => Promise<void>): Promise<void> {
  const held = figures.get(name) ?? { reads: 0, cpuUs: 0, latenciesMs: [] };
  figures.set(name, held);
  const cpu = process.cpuUsage();
  for (let at = 0; at < count; at += step) {
    const startedMs = performance.now();
    await read(at);
    held.latenciesMs.push(performance.now() - startedMs);
    held.reads++;
  }
  const { user, system } = process.cpuUsage(cpu);
  held.cpuUs += user + system;
}

const folder = await mkdtemp(join(tmpdir(), "rdg-bench-tier-"));
const memory = { memoryMaxBytes: 2e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER };
const store = await openEmbeddedStore({ folder, model, clock: systemClock, timers: systemTimers, settings: memory });
const server = createClient({ url: `redis://${address}` });
server.on("error", (error: Error) => console.error(error.message));
try {
  await server.connect();
  for (let at = 0, offset = 0; at < count; at += 100, offset++) {
    const updates = ids.slice(at, at + 100).flatMap((id, i) => [
      upsertNode("person", id, baseMs, { name: `Name of ${id}`, country: "NL", age: (at + i) % 90 }),
      ...Array.from({ length: edgesEach }, (_, e) =>
        upsertEdge("knows", id, ids[(at + i * 31 + e * 7) % count]!, baseMs + e, {
          weight: e / 8,
          note: `note ${e}`,
        }),
      ),
    ]);
    await store.apply(frameOf(offset, updates, { model, inputs: [{ topic: "events.hit", partition: 0, offset }] }));
  }
  const filling = await fresh(store);
  for (let at = 0; at < count; at += nodesPerRead) await readNodes(filling.cached, at);
  for (let at = 0; at < count; at++) await readHead(filling.cached, at);
  while (filling.cached.sharedFigures!.putBytes.underWay > 0) await systemTimers.sleep(5);
  const { puts } = filling.cached.sharedFigures!;
  const commandsUs = async (): Promise<readonly [number, number]> => {
    const text = await server.info("commandstats");
    const usec = (name: string): readonly [number, number] => {
      const found = new RegExp(`cmdstat_${name}:calls=(\\d+),usec=(\\d+)`).exec(text);
      return [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
    };
    return usec("mget");
  };
  const before = await commandsUs();
  for (let round = 0; round < rounds; round++) {
    const { cached, close } = await fresh(store);
    await measure(`store: ${nodesPerRead} nodes`, nodesPerRead, (at) => readNodes(store, at));
    await measure(`tier: ${nodesPerRead} nodes`, nodesPerRead, (at) => readNodes(cached, at));
    await measure(`own memory: ${nodesPerRead} nodes`, nodesPerRead, (at) => readNodes(cached, at));
    await measure(`store: list of ${edgesEach} edges`, 1, (at) => readHead(store, at));
    await measure(`tier: list of ${edgesEach} edges`, 1, (at) => readHead(cached, at));
    await measure(`own memory: list of ${edgesEach} edges`, 1, (at) => readHead(cached, at));
    const { nodes, adjacency, outdated } = cached.sharedFigures!;
    if (nodes.misses + adjacency.misses + outdated > 0) throw new Error("The tier did not answer everything.");
    close();
  }
  const after = await commandsUs();
  for (const [name, { reads, cpuUs, latenciesMs }] of figures) {
    const sorted = Float64Array.from(latenciesMs).sort();
    const [p50, p99] = [percentile(sorted, 0.5), percentile(sorted, 0.99)];
    console.log(`${name}: p50 ${p50} ms, p99 ${p99} ms, ${(cpuUs / reads).toFixed(1)} us of CPU each`);
  }
  console.log(
    `server: ${((after[1] - before[1]) / (after[0] - before[0])).toFixed(1)} us per MGET; put: ${puts.stored}`,
  );
  filling.close();
} finally {
  await store.close();
  await rm(folder, { recursive: true });
  if (server.isOpen) server.destroy();
}
