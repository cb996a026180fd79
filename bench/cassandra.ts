// What the store on Cassandra does over a node that runs already: sustained upserts of edges, and LATEST 100 of records of three sizes. Prints one JSON object.
// `node --conditions=rdg-source bench/cassandra.ts --server 127.0.0.1:9042 --pid PID` (`npm run cluster -- up cassandra`, `... status` names the process).
import { parseArgs } from "node:util";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { type Random, randomId, seededRandom } from "../src/core/random.ts";
import type { UpdateFrame } from "../src/log/port.ts";
import { definitionFormat, type GraphModel } from "../src/model/definition.ts";
import type { Update } from "../src/model/update/element.ts";
import { type CassandraStore, cassandraStore } from "../src/store/cassandra/store.ts";
import { frameOf, upsertEdge } from "../src/store/conformance-graph.ts";
import type { Direction } from "../src/store/port.ts";
import { percentile } from "./percentile.ts";
import { type ProcessUsage, usageOf, usedBetween } from "./process-usage.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "127.0.0.1:9042" },
    "data-center": { type: "string", default: "datacenter1" },
    pid: { type: "string" },
    upserts: { type: "string", default: "200000" },
    /** Degree of the largest record. */
    supernode: { type: "string", default: "350000" },
    reads: { type: "string", default: "200" },
    /** Partitions that the edges of each record are cut into. */
    buckets: { type: "string", default: "1" },
    /** Loads the records of three sizes there, and finds them there the next time. */
    keyspace: { type: "string" },
  },
});
const upserts = Number(values.upserts);
const supernode = Number(values.supernode);
const reads = Number(values.reads);
/** One frame: what a job's window publishes. */
const frameUpdates = 5_000;
const accounts = 20_000;
const titles = 20_000;
const nowMs = Date.now();
const spanMs = 90 * 86_400_000;

const integer = { kind: "int32" } as const;
const model: GraphModel = {
  format: definitionFormat,
  name: "bench",
  events: [],
  sideInputs: [],
  jobs: [],
  skewMaxMs: 300_000,
  latenessMs: 60_000,
  tombstoneGraceMs: 86_400_000,
  nodes: [
    { name: "account", properties: [] },
    { name: "title", properties: [] },
  ],
  edges: [
    {
      name: "watched",
      from: "account",
      to: "title",
      properties: [
        { name: "position", type: integer, merge: "last" },
        { name: "furthest", type: integer, merge: "max" },
      ],
    },
    {
      name: "counted",
      from: "account",
      to: "title",
      properties: [
        { name: "position", type: integer, merge: "last" },
        { name: "plays", type: { kind: "int64" }, merge: "sum" },
      ],
    },
  ],
};

const random = seededRandom(1);
const [contactPoint] = values.server.split(/:\d+$/) as [string];
const options = {
  model,
  connection: {
    contactPoints: [contactPoint],
    port: Number(/:(\d+)$/.exec(values.server)?.[1] ?? 9042),
    localDataCenter: values["data-center"],
    keyspace: values.keyspace ?? `bench_${randomId().slice(0, 12)}`,
    replication: { [values["data-center"]]: 1 },
  },
  settings: { buckets: { watched: { out: Number(values.buckets) } } },
  clock: systemClock,
  timers: systemTimers,
  tables: "make",
} as const;

interface Cost {
  readonly perSecond: number;
  readonly driverCpuMicros: number;
  readonly serverCpuMicros: number | undefined;
}

const store = await cassandraStore(options);
let offset = ((await store.applied()).sources.get("journal") ?? -1) + 1;
try {
  const writes: Record<string, Cost> = {};
  if (!(await isLoaded())) {
    writes["one record of a large degree"] = await write(framesOf(supernode, (n) => listed("large", n)));
    await write(framesOf(40_000, (n) => listed(`middle${n % 10}`, n)));
    await write(framesOf(5_000, (n) => listed(`small${n % 100}`, n)));
  }
  // A server that was just started takes several times as much for its first writes.
  await write(framesOf(upserts / 4, (n) => anyEdge("watched", n)));
  writes["watched"] = await write(framesOf(upserts, (n) => anyEdge("watched", n)));
  writes["counted, counters known"] = await writeTwice(framesOf(upserts / 4, (n) => anyEdge("counted", n)));
  const latest: Record<string, unknown> = {};
  for (const [name, hubs, degree] of [
    ["small", 100, 50],
    ["middle", 10, 4_000],
    ["large", 0, supernode],
  ] as const) {
    const idOf = (n: number): string => (hubs === 0 ? name : `${name}${n % hubs}`);
    latest[`degree ${degree}`] = {
      nameAndTimes: await read("out", idOf, []),
      withProperties: await read("out", idOf, [0, 1]),
    };
  }
  console.log(JSON.stringify({ settings: { frameUpdates, upserts, reads }, writes, latest100: latest }, undefined, 2));
} finally {
  await store.close();
}

async function isLoaded(): Promise<boolean> {
  const reader = store.reader();
  const [reference] = await reader.find(0, ["large"], new AbortController().signal);
  reader.close();
  return reference !== -1;
}

function anyEdge(type: "watched" | "counted", n: number): Update {
  const from = `account:${zipf(random, accounts)}`;
  const timeMs = nowMs - random.below(spanMs);
  const own = type === "watched" ? { furthest: random.below(7_200) } : { plays: 1 };
  return upsertEdge(type, from, `title:${random.below(titles)}`, timeMs, { position: n % 7_200, ...own });
}

function listed(hub: string, n: number): Update {
  return upsertEdge("watched", hub, `title:${n}`, nowMs - random.below(spanMs), {
    position: n % 7_200,
    furthest: n % 99,
  });
}

/** Small numbers far more often than large ones. */
function zipf(random: Random, bound: number): number {
  return Math.floor(bound ** (random.below(1_000_000) / 1_000_000)) - 1;
}

function framesOf(count: number, update: (n: number) => Update): UpdateFrame[] {
  const frames: UpdateFrame[] = [];
  for (let done = 0; done < count; done += frameUpdates) {
    const updates = Array.from({ length: Math.min(frameUpdates, count - done) }, (_, i) => update(done + i));
    frames.push(
      frameOf(offset++, updates, { model, timestampMs: nowMs, inputs: [{ topic: "events.x", partition: 0, offset }] }),
    );
  }
  return frames;
}

async function writeTwice(frames: readonly UpdateFrame[]): Promise<Cost> {
  await write(frames);
  return await write(frames.map((frame) => ({ ...frame, offset: offset++ })));
}

async function write(frames: readonly UpdateFrame[]): Promise<Cost> {
  const rows = frames.reduce(
    (sum, frame) => sum + frame.updates()!.edges.reduce((all, { count }) => all + count, 0),
    0,
  );
  const measured = await measure(async () => {
    for (const frame of frames) await store.apply(frame);
  });
  return costOf(measured, rows);
}

async function read(direction: Direction, idOf: (n: number) => string, select: readonly number[]) {
  const tookMs = new Float64Array(reads);
  await latestOf(store, direction, idOf(0), select);
  const measured = await measure(async () => {
    for (let n = 0; n < reads; n++) {
      const fromMs = performance.now();
      await latestOf(store, direction, idOf(n), select);
      tookMs[n] = performance.now() - fromMs;
    }
  });
  tookMs.sort();
  const { driverCpuMicros, serverCpuMicros } = costOf(measured, reads);
  return { p50Ms: percentile(tookMs, 0.5), p99Ms: percentile(tookMs, 0.99), driverCpuMicros, serverCpuMicros };
}

async function latestOf(
  store: CassandraStore,
  direction: Direction,
  id: string,
  select: readonly number[],
): Promise<void> {
  const { signal } = new AbortController();
  const reader = store.reader();
  const [reference] = await reader.find(0, [id], signal);
  let edges = 0;
  const request = { edge: 0, direction, order: "latest", limit: 100, scanMax: 10_000, select } as const;
  for await (const batch of reader.adjacency({ ...request, records: [{ reference: reference! }] }, signal))
    edges += batch.count;
  reader.close();
  if (edges < 50) throw new Error(`LATEST of ${id} has ${edges} edges.`);
}

interface Measured {
  readonly seconds: number;
  readonly driver: ProcessUsage;
  readonly server: ProcessUsage | undefined;
}

async function measure(work: () => Promise<void>): Promise<Measured> {
  const server = (): ProcessUsage | undefined => (values.pid === undefined ? undefined : usageOf(Number(values.pid)));
  const [mine, theirs, fromMs] = [usageOf("self"), server(), performance.now()];
  await work();
  const seconds = (performance.now() - fromMs) / 1000;
  return { seconds, driver: usedBetween(mine, usageOf("self")), server: theirs && usedBetween(theirs, server()!) };
}

function costOf({ seconds, driver, server }: Measured, count: number): Cost {
  const micros = (usage: ProcessUsage): number => Math.round((usage.cpuSeconds / count) * 1e6);
  return {
    perSecond: Math.round(count / seconds),
    driverCpuMicros: micros(driver),
    serverCpuMicros: server && micros(server),
  };
}
