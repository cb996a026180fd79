// One graph over two Kafka clusters: events on one, the jobs' transactions, positions and type topics on the other. Each event is in the graph once, whoever works.
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/random.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { KafkaCluster } from "../../src/log/kafka/cluster.ts";
import { inspectTopics } from "../../src/log/kafka/inspect.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import { kafkaLogDefaults } from "../../src/log/kafka/settings.ts";
import type { JobAssignment, Log, TopicSettings } from "../../src/log/port.ts";
import { type KafkaServer, startKafka } from "./servers.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

const partitions = 4;
const hits: TopicSettings = { name: "events.hit", form: "records", partitions, retention: {}, cluster: "fronting" };
const own: readonly TopicSettings[] = [
  { name: "events.here", form: "records", partitions: 1, retention: {} },
  { name: "nodes.thing", form: "updates", partitions: 1, retention: {} },
  { name: "quarantine.hit", form: "records", partitions: 1, retention: {} },
];
const time = { clock: systemClock, timers: systemTimers };

let fronting: KafkaServer;
let main: string;
let prefix: string;
const opened: Log[] = [];

beforeAll(async () => {
  [fronting, { bootstrap: main }] = await Promise.all([startKafka(), sharedKafka()]);
  prefix = `${uniqueName("log")}.`;
});
afterAll(async () => {
  await Promise.all(opened.map((log) => log.close()));
  await fronting?.stop();
});

const clusters = () => new Map([["fronting", { bootstrap: [fronting.bootstrap] }]]);

async function open(named = true, instance?: string): Promise<Log> {
  const settings = { prefix, instance, sessionTimeoutMs: 45_000, retryForMs: 30_000 };
  const connection = { bootstrap: [main] };
  const log = await openKafkaLog({ connection, ...time, settings, ...(named && { clusters: clusters() }) });
  opened.push(log);
  return log;
}

async function topicsAt(bootstrap: string, names: readonly string[]): Promise<readonly string[]> {
  const connection = { bootstrap: [bootstrap] };
  const cluster = new KafkaCluster({ connection, settings: kafkaLogDefaults, ...time, random: systemRandom });
  try {
    return [...(await cluster.leaders(names.map((name) => prefix + name))).keys()].map((name) =>
      name.slice(prefix.length),
    );
  } finally {
    cluster.close();
  }
}

/** Passes everything on as quarantined that comes until it has come so far; the last position of each partition with it. */
async function work(log: Log, assignment: JobAssignment, until: number): Promise<void> {
  const { committed, counters } = assignment;
  const next = (partition: number): number =>
    (committed.find((each) => each.partition === partition)?.offset ?? -1) + 1;
  const from = assignment.partitions.map((partition) => ({ topic: hits.name, partition, offset: next(partition) }));
  const received = Array.from({ length: partitions }, (_, partition) => counters["received"]?.[partition] ?? 0);
  let count = 0;
  for await (const frame of log.read({ topics: [hits.name], partitions: assignment.partitions, from })) {
    const texts = textsOf(frame);
    count += texts.length;
    received[frame.partition]! += texts.length;
    const last = frame.firstOffset + (frame.offsets?.[frame.count - 1] ?? frame.count - 1);
    const inputs = [{ topic: hits.name, partition: frame.partition, offset: last }];
    const quarantined = { topic: "quarantine.hit", batch: batchOf(texts) };
    await assignment.commit({ updates: undefined, quarantined, inputs, counters: { received: [...received] } });
    if (count >= until) return;
  }
}

async function passedOn(log: Log): Promise<string[]> {
  const texts: string[] = [];
  for await (const frame of log.read({ topics: ["quarantine.hit"], until: [] })) texts.push(...textsOf(frame));
  return texts.toSorted();
}

/** What another process has committed is seen a moment later. */
const allPassedOn = (log: Log, sent: readonly string[]): Promise<void> =>
  expect.poll(() => passedOn(log), { timeout: 60_000 }).toEqual(sent.toSorted());

test("events are on their cluster, all else is on the main one", async () => {
  const log = await open();
  await log.ensureTopics([hits, ...own]);
  await log.ensureTopics([hits, ...own]);
  const names = ["events.hit", "events.here", "quarantine.hit", "rdg.journal", "rdg.jobs", "rdg.turns.events.hit"];
  expect(await topicsAt(fronting.bootstrap, names)).toEqual(["events.hit"]);
  expect(await topicsAt(main, names)).toEqual(names.slice(1));
  expect((await log.topics()).find(({ name }) => name === hits.name)).toMatchObject({
    cluster: "fronting",
    partitions,
  });
  const topics = inspectTopics({
    connection: { bootstrap: [main] },
    clusters: clusters(),
    ...time,
    settings: { prefix },
  });
  try {
    topics.place([hits, ...own]);
    await topics.setRetention({ ...hits, retention: { timeMs: 3_600_000 } });
    const found = await topics.find(["events.hit", "events.here"]);
    expect(found.get("events.hit")).toMatchObject({ partitions, retention: { timeMs: 3_600_000 } });
    expect(found.get("events.here")).toMatchObject({ partitions: 1 });
  } finally {
    topics.close();
  }
});

test("workers go on where others were, and are fenced; requests that come again are known", async () => {
  const log = await open();
  const producer = await log.producer("p");
  const sent: string[] = [];
  const produce = async (): Promise<void> => {
    for (let partition = 0; partition < partitions; partition++) {
      const texts = [`${partition}/${sent.length}`, `${partition}/${sent.length + 1}`];
      sent.push(...texts);
      const batch = { ...batchOf(texts), idempotencyKey: texts[0]! };
      expect((await producer.append(hits.name, partition, batch)).duplicate).toBe(false);
      expect((await producer.append(hits.name, partition, batch)).duplicate).toBe(true);
    }
    await producer.append("events.here", 0, batchOf(["here"]));
  };
  await produce();
  const [first, second] = [await open(true, "one"), await open(true, "two")];
  const earlier = await first.joinJob("hit", hits.name);
  const all = await earlier.assignment();
  expect(all.partitions).toEqual([0, 1, 2, 3]);
  await work(first, all, 8);
  await allPassedOn(log, sent);
  await earlier.leave();
  const later = await (await second.joinJob("hit", hits.name)).assignment();
  expect(later.partitions).toEqual([0, 1, 2, 3]);
  await produce();
  await work(second, later, 8);
  await allPassedOn(log, sent);
  // Its process has started again: what it had before may not commit any more.
  const again = await (await (await open(true, "two")).joinJob("hit", hits.name)).assignment();
  expect(again.counters["received"]).toEqual([4, 4, 4, 4]);
  const inputs = [later.committed[0]!];
  const late = later.commit({
    updates: undefined,
    quarantined: undefined,
    inputs,
    counters: { received: [0, 0, 0, 0] },
  });
  await expect(late).rejects.toMatchObject({ kind: "conflict" });
  const both: string[] = [];
  for await (const frame of log.read({ topics: [hits.name, "events.here"], until: [] })) both.push(...textsOf(frame));
  expect(both.toSorted()).toEqual([...sent, "here", "here"].toSorted());
});

test("what transactions write cannot be elsewhere, topics do not move, and clusters have to be known", async () => {
  const log = await open();
  const elsewhere = { ...own[2]!, name: "quarantine.other", cluster: "fronting" };
  await expect(log.ensureTopics([elsewhere])).rejects.toMatchObject({ kind: "invalid", code: "wrong_cluster" });
  const { cluster: _, ...here } = hits;
  await expect(log.ensureTopics([here])).rejects.toMatchObject({ code: "topic_exists_differently" });
  const nowhere = { ...hits, name: "events.other", cluster: "nowhere" };
  await expect(log.ensureTopics([nowhere])).rejects.toMatchObject({ kind: "invalid", code: "unknown_cluster" });
  const unaware = await open(false);
  await expect(unaware.bounds(hits.name)).rejects.toMatchObject({ kind: "invalid", code: "unknown_cluster" });
  expect((await unaware.bounds("events.here"))[0]!.next).toBeGreaterThan(0);
});
