// The same definition and the same requests through an embedded line and through a cluster, with two gateways and two workers: the exports of the line, of a
// replica and of Cassandra, both fed from Kafka, are equal, byte by byte.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openJobsRole } from "../../src/compose/cluster/jobs-role.ts";
import { openReplica } from "../../src/compose/cluster/replica.ts";
import { clusterSettings } from "../../src/compose/cluster/settings.ts";
import { createLogger } from "../../src/compose/logger.ts";
import { topicsOf, typeTopicsOf } from "../../src/compose/topics.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { type Random, seededRandom } from "../../src/core/random.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { systemTurns } from "../../src/core/turns.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { Gateway, ProduceRequest } from "../../src/gateway/port.ts";
import { openEmbeddedLog } from "../../src/log/embedded/log.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { Log } from "../../src/log/port.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import { parsePosition, type Position } from "../../src/model/position.ts";
import { openEmbeddedRegistry } from "../../src/schemas/embedded/registry.ts";
import type { SchemaRegistry } from "../../src/schemas/port.ts";
import { cassandraStore } from "../../src/store/cassandra/store.ts";
import { openEmbeddedStore } from "../../src/store/embedded/open.ts";
import type { Store } from "../../src/store/port.ts";
import { StoreFeeder } from "../../src/store/store-feeder.ts";
import { canonicalOf } from "../export/exported.ts";
import { firstSeed } from "../first-seed.ts";
import { closeLine, graphOfModel, openLine } from "../line/embedded-line.ts";
import { jsonText } from "../line/json-text.ts";
import { RandomJob } from "../plan/random-job.ts";
import { testKeyspace } from "./cassandra-keyspace.ts";
import { sharedCassandra, sharedKafka, uniqueName } from "./shared.ts";

// DIFFERENTIAL_SEED=n runs the one that failed, DIFFERENTIAL_RUNS=n as many as wanted.
const only = process.env["DIFFERENTIAL_SEED"];
const runs = Number(process.env["DIFFERENTIAL_RUNS"] ?? (only === undefined ? 4 : 1));
const from = firstSeed("DIFFERENTIAL_SEED");
const hourMs = 3_600_000;
const patienceMs = 60_000;

let folder = "";
let registry: SchemaRegistry;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-differential-"));
  registry = await openEmbeddedRegistry({ folder: join(folder, "schemas") });
  await registry.setCompatibility("NONE");
});
afterAll(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

const ports = { clock: systemClock, timers: systemTimers, logger: createLogger("silent") };

test("equal definitions and requests make equal exports", { timeout: 3_600_000 }, async () => {
  let [events, bytes] = [0, 0];
  for (let seed = from; seed < from + runs; seed++) {
    try {
      const compared = await compare(seed);
      events += compared.events;
      bytes += compared.bytes;
    } catch (error) {
      throw new Error(`DIFFERENTIAL_SEED=${seed} npm run test:cluster -- differential: ${String(error)}`, {
        cause: error,
      });
    }
  }
  console.info(`${runs} definitions, ${events} events, ${bytes} bytes of equal exports`);
});

async function compare(seed: number): Promise<{ readonly events: number; readonly bytes: number }> {
  const random = seededRandom(seed);
  const { model, job } = definitionOf(random);
  const { rows, requests, events } = requestsOf(random, model, job);
  const here = (name: string): string => join(folder, `${seed}-${name}`);
  const embedded = await throughEmbedded(model, [...rows, ...requests], here);
  const cluster = await throughCluster(model, rows, requests, here);
  expect(embedded.length).toBeGreaterThan(0);
  for (const [where, exported] of Object.entries(cluster)) {
    if (exported !== embedded) expect(exported.split("\n"), where).toEqual(embedded.split("\n"));
  }
  return { events, bytes: embedded.length };
}

/** Nothing of it depends on when it runs: no ttl, and repeats are known for longer than a run takes. */
function definitionOf(random: Random): { readonly model: GraphModel; readonly job: RandomJob } {
  const pick = (from: readonly number[]): number => from[random.below(from.length)]!;
  const job = new RandomJob(random, {
    declarable: true,
    partitions: 1 + random.below(3),
    dedupHorizonMs: hourMs,
    settings: {
      windowMs: pick([0, 20, 200]),
      windowKeysMax: pick([1, 10, 1000]),
      windowBytesMax: pick([1024, 1_000_000]),
      parallelism: 1,
    },
  });
  return { model: job.model, job };
}

function requestsOf(random: Random, model: GraphModel, job: RandomJob) {
  const [event, input] = [model.events[0]!, model.sideInputs[0]!];
  const nowMs = systemClock.now();
  let [events, sent] = [0, 0];
  const requestOf = (kind: "event" | "input", name: string, texts: readonly string[]): ProduceRequest => ({
    target: { kind, name },
    format: "ndjson",
    body: Buffer.from(texts.join("\n")),
    partial: true,
  });
  const rows = [
    requestOf(
      "input",
      input.name,
      list(20, () => jsonText(input.fields, job.row(), random)),
    ),
  ];
  const requests = list(10 + random.below(30), () => {
    const texts = list(1 + random.below(20), () => {
      const atMs = nowMs - random.below(100) * 1000;
      // Of two events with one id the first counts, and which is first is nobody's promise.
      const own = event.id === undefined ? {} : { [event.id]: `event ${events++}` };
      return jsonText(event.fields, Object.assign(job.event(), { [event.time]: atMs }, own), random);
    });
    // Some come twice.
    if (random.below(3) === 0) texts.push(texts[0]!);
    sent += texts.length;
    return requestOf("event", event.name, texts);
  });
  return { rows, requests, events: sent };
}

async function throughEmbedded(
  model: GraphModel,
  requests: readonly ProduceRequest[],
  here: (name: string) => string,
): Promise<string> {
  const log = await openEmbeddedLog({ folder: here("log"), ...ports });
  const store = await openEmbeddedStore({
    folder: here("embedded"),
    model,
    ...ports,
    settings: { memoryMaxBytes: 1e9, checkpointDebtMaxBytes: 1e12 },
  });
  const line = await openLine({ graph: graphOfModel(model), log, registry, store, ...ports, turns: systemTurns });
  try {
    const positions: Position[] = [];
    for (const request of requests) positions.push(...(await produce(line.gateway, request)));
    expect(await line.feeder.waitFor(positions, patienceMs)).toBe(true);
    return await exportOf(model, store);
  } finally {
    await closeLine(line);
  }
}

/** Requests go to two gateways at once; two workers share the partitions; a replica and Cassandra take what they publish. */
async function throughCluster(
  model: GraphModel,
  rows: readonly ProduceRequest[],
  requests: readonly ProduceRequest[],
  here: (name: string) => string,
): Promise<{ readonly replica: string; readonly cassandra: string }> {
  const { bootstrap } = await sharedKafka();
  const prefix = `${uniqueName("differential")}.`;
  const graph = graphOfModel(model);
  const settings = { ...resolveSettings(clusterSettings, {}).values, data: here("replica") };
  await using opened = new AsyncDisposableStack();
  const openLog = async (): Promise<Log> => {
    const log = await openKafkaLog({ connection: { bootstrap: [bootstrap] }, ...ports, settings: { prefix } });
    opened.defer(() => log.close());
    return log;
  };
  const logs = [await openLog(), await openLog()];
  await logs[0]!.ensureTopics(topicsOf(model));
  const gateways: Gateway[] = [];
  for (const [i, log] of logs.entries()) {
    const gateway = await createGateway({ model, log, registry, clock: systemClock, producerName: `gateway.${i}` });
    opened.defer(() => gateway.close());
    gateways.push(gateway);
  }
  for (const request of rows) await produce(gateways[0]!, request);
  for (const log of logs) {
    const jobs = await openJobsRole({ ...ports, graph, settings, log, registry });
    opened.defer(() => jobs.close());
    await jobs.start();
  }
  const continuationKey = new Uint8Array(32);
  const onFailure = (error: unknown): void => console.error(error);
  const replica = await openReplica({ ...ports, model, log: logs[1]!, settings, continuationKey, onFailure });
  opened.defer(() => replica.close());
  await replica.start();
  const cassandra = await feedCassandra(model, logs[0]!, opened);
  const lanes = gateways.map(async (gateway, lane) => {
    const positions: Position[] = [];
    for (const request of requests.filter((_, i) => i % gateways.length === lane)) {
      positions.push(...(await produce(gateway, request)));
    }
    return positions;
  });
  const positions = (await Promise.all(lanes)).flat();
  expect(await replica.waitFor(positions, patienceMs, new AbortController().signal)).toBe(true);
  expect(await cassandra.feeder.waitFor(positions, patienceMs)).toBe(true);
  return { replica: await exportOf(model, replica.store), cassandra: await exportOf(model, cassandra.store) };
}

async function feedCassandra(
  model: GraphModel,
  log: Log,
  opened: AsyncDisposableStack,
): Promise<{ readonly store: Store; readonly feeder: StoreFeeder }> {
  const keyspace = await testKeyspace(await sharedCassandra(), uniqueName("differential"));
  opened.defer(() => keyspace.close());
  const store = await cassandraStore(keyspace.optionsOf(model, systemClock));
  opened.defer(() => store.close());
  const onFailure = (error: unknown): void => console.error(error);
  const told = { onApplied: () => undefined, onBlocked: () => undefined, onFailure };
  const feeder = new StoreFeeder({ log, store, timers: systemTimers, typeTopic: typeTopicsOf(model)[0]!, ...told });
  opened.defer(() => feeder.close());
  feeder.start().catch(onFailure);
  return { store, feeder };
}

async function produce(gateway: Gateway, request: ProduceRequest): Promise<Position[]> {
  // The gateway has the buffer from now on.
  const { positions } = await gateway.produce({ ...request, body: Buffer.from(request.body) });
  return positions.map(parsePosition).filter(({ topic }) => topic.startsWith("events."));
}

function exportOf(model: GraphModel, store: Store): Promise<string> {
  return canonicalOf({ model, store, clock: systemClock });
}

const list = <T>(length: number, make: () => T): T[] => Array.from({ length }, make);
