// What a Kafka log keeps when processes and brokers die: nothing acknowledged is lost, nothing is there twice, whoever was taken over writes nothing more.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { jarsOf } from "../../scripts/cluster/jars.ts";
import { findJava } from "../../scripts/cluster/java.ts";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { KafkaConnection, KafkaLogSettings } from "../../src/log/kafka/settings.ts";
import type { Log, TopicSettings } from "../../src/log/port.ts";
import { encodeUpdateBatch } from "../../src/model/update/codec.ts";
import { startKafka } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

const topics: readonly TopicSettings[] = [
  { name: "events.hit", form: "records", partitions: 1, retention: {} },
  { name: "nodes.thing", form: "updates", partitions: 1, retention: {} },
  { name: "quarantine.hit", form: "records", partitions: 1, retention: {} },
];

const opened: Log[] = [];
const processes = new Set<ChildProcess>();

afterEach(async () => {
  for (const child of processes) child.kill("SIGKILL");
  processes.clear();
  await Promise.all(opened.splice(0).map((log) => log.close()));
});

async function open(
  bootstrap: string,
  settings: Partial<KafkaLogSettings>,
  more: Partial<KafkaConnection> = {},
): Promise<Log> {
  const connection = { bootstrap: [bootstrap], ...more };
  const log = await openKafkaLog({ connection, clock: systemClock, timers: systemTimers, settings });
  opened.push(log);
  return log;
}

const newPrefix = (): string => `${uniqueName("log")}.`;

async function textsIn(log: Log, topic: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const frame of log.read({ topics: [topic], until: [] })) texts.push(...textsOf(frame));
  return texts;
}

async function eventCounts(log: Log): Promise<number[]> {
  const [bounds] = await log.bounds("nodes.thing");
  const counts: number[] = [];
  if (bounds!.next === bounds!.first) return counts;
  for await (const frame of log.readUpdates({ until: bounds!.next - 1 })) counts.push(frame.updates()!.eventCount);
  return counts;
}

/** Starts a writer and kills it once it has had so many acknowledged, and a little later; returns the last one that it told of. */
async function runAndKill(
  bootstrap: string,
  prefix: string,
  what: "job" | "producer",
  acknowledged: number,
): Promise<number> {
  const writer = join(import.meta.dirname, "kafka-writer.ts");
  const child = spawn(process.execPath, ["--conditions=rdg-source", writer, bootstrap, prefix, what], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  processes.add(child);
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
  });
  let [lines, last] = [0, 0];
  for await (const line of createInterface({ input: child.stdout })) {
    last = Number(line);
    // Anywhere in the next transaction.
    if (++lines === acknowledged) setTimeout(() => child.kill("SIGKILL"), Math.random() * 40);
  }
  await ended;
  return last;
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1);

test("a job killed in the midst of transactions is taken over: what it committed is there once, and its counters say so", async () => {
  const { bootstrap } = await sharedKafka();
  const prefix = newPrefix();
  const log = await open(bootstrap, { prefix });
  await log.ensureTopics(topics);
  let told = 0;
  for (let round = 0; round < 3; round++) told = await runAndKill(bootstrap, prefix, "job", 5);
  const startedMs = performance.now();
  const output = await log.jobOutput("hit");
  expect(performance.now() - startedMs).toBeLessThan(10_000);
  const done = output.counters["done"]![0]!;
  // The last one may have been committed without having been told of.
  expect([told, told + 1]).toContain(done);
  expect(output.committed).toEqual([{ topic: "events.hit", partition: 0, offset: done }]);
  expect(await eventCounts(log)).toEqual(upTo(done));
  expect(await textsIn(log, "quarantine.hit")).toEqual(upTo(done).map((n) => `bad ${n}`));
});

test("a killed producer's batches are known to the next owner: repeated, they are not stored twice", async () => {
  const { bootstrap } = await sharedKafka();
  const prefix = newPrefix();
  const log = await open(bootstrap, { prefix });
  await log.ensureTopics(topics);
  const told = await runAndKill(bootstrap, prefix, "producer", 20);
  const producer = await log.producer("p");
  for (const n of upTo(told + 3)) {
    const { duplicate } = await producer.append("events.hit", 0, batchOf([`${n}`], { idempotencyKey: `k${n}` }));
    if (n <= told) expect(duplicate).toBe(true);
  }
  expect(await textsIn(log, "events.hit")).toEqual(upTo(told + 3).map(String));
});

test("owners in another process are fenced, in partitions that they never wrote to as well", async () => {
  const { bootstrap } = await sharedKafka();
  const settings = { prefix: newPrefix() };
  const [here, there] = [await open(bootstrap, settings), await open(bootstrap, settings)];
  await here.ensureTopics(topics);
  const [zombie, zombieJob] = [await here.producer("p"), await here.jobOutput("hit")];
  await there.producer("p");
  await there.jobOutput("hit");
  await expect(zombie.append("events.hit", 0, batchOf(["lost"]))).rejects.toMatchObject({
    kind: "conflict",
    code: "fenced",
  });
  const late = zombieJob.commit({
    updates: encodeUpdateBatch({ eventCount: 1, nodes: [], edges: [] }),
    quarantined: undefined,
    inputs: [],
    counters: {},
  });
  await expect(late).rejects.toMatchObject({ kind: "conflict", code: "fenced" });
  expect(await textsIn(there, "events.hit")).toEqual([]);
  expect(await eventCounts(there)).toEqual([]);
});

test("an idempotency key that another process stored makes a retry", async () => {
  const { bootstrap } = await sharedKafka();
  const settings = { prefix: newPrefix() };
  const [here, there] = [await open(bootstrap, settings), await open(bootstrap, settings)];
  await here.ensureTopics(topics);
  const [one, two] = [await here.producer("one"), await there.producer("two")];
  for (const [producer, other] of [
    [one, two],
    [two, one],
  ] as const) {
    const key = { idempotencyKey: uniqueName("key") };
    const first = await producer.append("events.hit", 0, batchOf(["a", "b"], key));
    expect(await other.append("events.hit", 0, batchOf(["a", "b"], key))).toEqual({ ...first, duplicate: true });
  }
  expect(await textsIn(there, "events.hit")).toEqual(["a", "b", "a", "b"]);
});

test("a broker that is killed and comes back while records are appended costs nothing but time", async () => {
  const kafka = await startKafka();
  try {
    const log = await open(kafka.bootstrap, { prefix: "", retryForMs: 60_000 });
    await log.ensureTopics(topics);
    const producer = await log.producer("p");
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const frame of log.read({ topics: ["events.hit"], signal: stop.signal })) seen.push(...textsOf(frame));
    })();
    const appends: Promise<unknown>[] = [];
    const appendSome = (): void => {
      for (let i = 0; i < 50; i++) appends.push(producer.append("events.hit", 0, batchOf([`${appends.length}`])));
    };
    appendSome();
    await sleep(20);
    appendSome();
    await kafka.kill();
    appendSome();
    await kafka.restart();
    appendSome();
    await Promise.all(appends);
    const wanted = appends.map((_, i) => String(i));
    expect(await textsIn(log, "events.hit")).toEqual(wanted);
    await expect.poll(() => seen.length, { timeout: 20_000 }).toBe(wanted.length);
    stop.abort();
    await following;
    expect(seen).toEqual(wanted);
  } finally {
    await Promise.all(opened.splice(0).map((log) => log.close()));
    await kafka.stop();
  }
});

test.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
  "a foreign client reads what was written with compression %s",
  async (compression) => {
    const { bootstrap } = await sharedKafka();
    const prefix = newPrefix();
    const log = await open(bootstrap, { prefix, compression });
    await log.ensureTopics(topics);
    const values = Array.from({ length: 100 }, (_, i) => `value ${i} ${"x".repeat(20)}`);
    await (await log.producer("p")).append("events.hit", 0, batchOf(values, { idempotencyKey: "k" }));
    const output = await log.jobOutput("hit");
    await output.commit({
      updates: undefined,
      quarantined: { topic: "quarantine.hit", batch: batchOf(["bad"]) },
      inputs: [],
      counters: {},
    });
    expect(await textsIn(log, "events.hit")).toEqual(values);
    expect(await javaConsumer(bootstrap, `${prefix}events.hit`, values.length)).toEqual(values);
    expect(await javaConsumer(bootstrap, `${prefix}quarantine.hit`, 1)).toEqual(["bad"]);
  },
);

/** Kafka's own console consumer, reading committed records only. */
async function javaConsumer(bootstrap: string, topic: string, count: number): Promise<string[]> {
  const classPath = (await jarsOf("kafka", () => undefined)).join(delimiter);
  const consumer = "org.apache.kafka.tools.consumer.ConsoleConsumer";
  const options = [
    "--bootstrap-server",
    bootstrap,
    "--topic",
    topic,
    "--from-beginning",
    "--isolation-level",
    "read_committed",
  ];
  const limits = ["--max-messages", String(count), "--timeout-ms", "30000"];
  const memory = ["-Xmx96m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"];
  const { stdout } = await promisify(execFile)(await findJava(), [
    ...memory,
    "-cp",
    classPath,
    consumer,
    ...options,
    ...limits,
  ]);
  return stdout.trimEnd().split("\n");
}

test("errors say what is wrong: no broker, a broker that wants no login, a topic that is not there", async () => {
  const { bootstrap } = await sharedKafka();
  const settings = { prefix: newPrefix(), retryForMs: 300, connectTimeoutMs: 500 };
  await expect(open("127.0.0.1:1", settings)).rejects.toMatchObject({ kind: "unavailable", code: "kafka_unavailable" });
  const sasl = { mechanism: "PLAIN", username: "who", password: "what" } as const;
  await expect(open(bootstrap, settings, { sasl })).rejects.toMatchObject({
    kind: "unauthorized",
    code: "kafka_login_refused",
  });
  await expect(open("nowhere", settings)).rejects.toMatchObject({ kind: "invalid", code: "bad_broker" });
  const log = await open(bootstrap, settings);
  await expect(log.bounds("events.nothing")).rejects.toMatchObject({ kind: "invalid", code: "unknown_topic" });
});
