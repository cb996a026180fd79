// What RDG costs over Kafka, on a broker that runs already: the log alone, then events through the gateway and a job's worker. Prints one JSON object.
// `node --conditions=rdg-source bench/kafka.ts host:port [events]`
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import graph from "../examples/streaming/graph.ts";
import { openJobRunners } from "../src/compose/job-runners.ts";
import { createLogger } from "../src/compose/logger.ts";
import { embeddedSettings } from "../src/compose/settings.ts";
import { topicsOf } from "../src/compose/topics.ts";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { randomId } from "../src/core/random.ts";
import { resolveSettings } from "../src/core/settings.ts";
import { createGateway } from "../src/gateway/gateway.ts";
import { batchOf, columnOf } from "../src/log/conformance-batches.ts";
import { openKafkaLog } from "../src/log/kafka/log.ts";
import type { Log } from "../src/log/port.ts";
import { openEmbeddedRegistry } from "../src/schemas/embedded/registry.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";

const [bootstrap = "127.0.0.1:9092", eventsText = "200000"] = process.argv.slice(2);
const events = Number(eventsText);
const batchRecords = 500;
const partitions = 4;
const inFlight = 8;
const time = { clock: systemClock, timers: systemTimers };

interface Figures {
  readonly perSecond: number;
  /** Of this process, all threads. */
  readonly cpuUsEach: number;
}

async function measure(count: number, run: () => Promise<void>): Promise<Figures> {
  const [cpu, startedMs] = [process.cpuUsage(), performance.now()];
  await run();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - startedMs) / 1000;
  return { perSecond: Math.round(count / seconds), cpuUsEach: Number(((user + system) / count).toFixed(2)) };
}

async function withLog<T>(use: (log: Log) => Promise<T>): Promise<T> {
  const settings = { prefix: `bench-${randomId().slice(0, 8)}.` };
  const log = await openKafkaLog({ connection: { bootstrap: [bootstrap] }, ...time, settings });
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}

/** Keeps so many calls under way until all are done. */
async function many(calls: number, call: (n: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < calls) await call(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, one));
}

async function measureLog(log: Log): Promise<Record<string, Figures>> {
  await log.ensureTopics([{ name: "events.hit", form: "records", partitions, retention: {} }]);
  const producer = await log.producer("bench");
  const values = Array.from({ length: batchRecords }, (_, i) => `{"account":"a${i % 97}","n":${i}}`.padEnd(150, "."));
  const batch = batchOf(values, { keys: columnOf(values.map((_, i) => `a${i % 97}`)) });
  const calls = Math.ceil(events / batchRecords);
  const append = (keyed: boolean) => (): Promise<void> =>
    many(calls, (n) =>
      producer.append("events.hit", n % partitions, keyed ? { ...batch, idempotencyKey: randomId() } : batch),
    );
  await append(false)();
  const figures: Record<string, Figures> = {
    append: await measure(events, append(false)),
    appendWithKeys: await measure(events, append(true)),
    read: await measure(3 * events, async () => {
      for await (const frame of log.read({ topics: ["events.hit"], until: [] })) if (frame.count === 0) return;
    }),
  };
  const worker = await log.joinJob("hit", "events.hit");
  const assignment = await worker.assignment();
  for (const windowBytes of [1_000, 500_000]) {
    const updates = Uint8Array.from({ length: windowBytes }, (_, i) => (i * 7919) >> 3);
    const commit = (n: number): Promise<unknown> => {
      const inputs = [{ topic: "events.hit", partition: 0, offset: n }];
      return assignment.commit({ updates, quarantined: undefined, inputs, counters: { received: [n] } });
    };
    const transactions = async (): Promise<void> => {
      for (let n = 0; n < 50; n++) await commit(n);
    };
    await transactions();
    figures[`transactionOf${windowBytes}Bytes`] = await measure(50, transactions);
  }
  return figures;
}

/** The streaming example: bodies through the gateway, then one worker works them off. */
async function measureLine(log: Log, window: string, form?: "single" | "packed"): Promise<Record<string, Figures>> {
  const { model } = graph;
  const wider = model.events.map((event) => ({ ...event, partitions }));
  const published = form && { form, partitions: 1, retention: { timeMs: 3_600_000 } };
  const withForm = <T extends object>(types: readonly T[]): T[] =>
    types.map((type) => ({ ...type, ...(published && { published }) }));
  const own = { ...model, events: wider, nodes: withForm(model.nodes), edges: withForm(model.edges) };
  const folder = await mkdtemp(join(tmpdir(), "rdg-bench-"));
  const registry = await openEmbeddedRegistry({ folder });
  const { values } = resolveSettings(embeddedSettings, { flags: { "jobs.window": window } });
  await log.ensureTopics(topicsOf(own));
  const gateway = await createGateway({ model: own, log, registry, clock: systemClock, producerName: "bench" });
  const { runners, sideInputs } = await openJobRunners({
    ...time,
    graph: { ...graph, model: own },
    settings: values,
    logger: createLogger("error"),
    log,
    registry,
    downstream: { published: () => undefined, throttle: () => undefined },
  });
  const runner = runners.find(({ event }) => event === "playback")!;
  try {
    const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
    const target = { kind: "event", name: "playback" } as const;
    const produceAll = async (bodies: readonly Uint8Array[]): Promise<void> =>
      many(bodies.length, (n) => gateway.produce({ target, format: "ndjson", body: bodies[n]!, partial: false }));
    const caughtUp = async (): Promise<void> => {
      while ((await runner.status()).lagRecords > 0) await systemTimers.sleep(20);
    };
    await produceAll(bodiesOf(generator, events / 4));
    runner.start();
    await caughtUp();
    await runner.pause();
    const bodies = bodiesOf(generator, events);
    const produce = await measure(bodies.length * eventsPerBody, () => produceAll(bodies));
    const work = await measure(bodies.length * eventsPerBody, async () => {
      runner.resume();
      while ((await runner.status()).state !== "running") await systemTimers.sleep(10);
      await caughtUp();
    });
    return { produce, work };
  } finally {
    await runner.stop("now");
    await sideInputs.close();
    await gateway.close();
    await registry.close();
    await rm(folder, { recursive: true, force: true });
  }
}

const result = {
  events,
  log: await withLog(measureLog),
  window250ms: await withLog((log) => measureLine(log, "250ms")),
  window500ms: await withLog((log) => measureLine(log, "500ms")),
  window500msPublishedSingle: await withLog((log) => measureLine(log, "500ms", "single")),
  window500msPublishedPacked: await withLog((log) => measureLine(log, "500ms", "packed")),
};
console.log(JSON.stringify(result, null, 2));
