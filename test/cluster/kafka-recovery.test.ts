// A killed worker's partitions flow again although brokers do not give silent members up for a long time: the others watch each other.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import {
  ConfigResourceTypes,
  incrementalAlterConfigsV1,
  IncrementalAlterConfigOperationTypes,
} from "@platformatic/kafka";
import { afterEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/random.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { KafkaCluster } from "../../src/log/kafka/cluster.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import { kafkaLogDefaults } from "../../src/log/kafka/settings.ts";
import type { Log } from "../../src/log/port.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

const partitions = 8;
/** Less than the broker of the tests allows a group. */
const silentMs = 900;
/** What the broker holds a silent member for: as long as it allows. */
const sessionMs = 60_000;
const children = new Set<ChildProcess>();
const opened: Log[] = [];

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  await Promise.all(opened.splice(0).map((log) => log.close()));
});

interface Worker {
  readonly child: ChildProcess;
  /** As it was told last. */
  turn: readonly number[];
}

function startWorker(bootstrap: string, prefix: string, instance: string): Worker {
  const program = join(import.meta.dirname, "kafka-worker.ts");
  const args = ["--conditions=rdg-source", program, bootstrap, prefix, instance, String(silentMs)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  const worker: Worker = { child, turn: [] };
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("turn")) worker.turn = line.slice("turn ".length).split(",").map(Number);
  });
  return worker;
}

async function holdSessions(bootstrap: string, group: string): Promise<void> {
  const ports = { clock: systemClock, timers: systemTimers, random: systemRandom };
  const cluster = new KafkaCluster({ connection: { bootstrap: [bootstrap] }, settings: kafkaLogDefaults, ...ports });
  try {
    const operation = IncrementalAlterConfigOperationTypes.SET;
    const value = String(sessionMs);
    const configs = [{ name: "consumer.session.timeout.ms", configOperation: operation, value }];
    const resource = { resourceType: ConfigResourceTypes.GROUP, resourceName: group, configs };
    await incrementalAlterConfigsV1.api.async(await cluster.controller(), [resource], false);
  } finally {
    cluster.close();
  }
}

async function processed(log: Log): Promise<string[]> {
  const texts: string[] = [];
  for await (const frame of log.read({ topics: ["quarantine.hit"], until: [] })) texts.push(...textsOf(frame));
  return texts;
}

test("others take a killed worker's partitions over long before its session ends, and each event is processed once", async () => {
  const { bootstrap } = await sharedKafka();
  const prefix = `${uniqueName("log")}.`;
  await holdSessions(bootstrap, `${prefix}rdg.job.hit`);
  const log = await openKafkaLog({
    connection: { bootstrap: [bootstrap] },
    clock: systemClock,
    timers: systemTimers,
    settings: { prefix },
  });
  opened.push(log);
  await log.ensureTopics([
    { name: "events.hit", form: "records", partitions, retention: {} },
    { name: "nodes.thing", form: "updates", partitions: 1, retention: {} },
    { name: "quarantine.hit", form: "records", partitions: 1, retention: {} },
  ]);
  const producer = await log.producer("p");
  const produced: string[] = [];
  const produce = async (): Promise<void> => {
    const texts = Array.from({ length: partitions }, (_, partition) => `${partition}/${produced.length}`);
    produced.push(...texts);
    await Promise.all(texts.map((text, partition) => producer.append("events.hit", partition, batchOf([text]))));
  };
  const first = startWorker(bootstrap, prefix, "w0");
  const second = startWorker(bootstrap, prefix, "w1");
  const wait = { timeout: 45_000, interval: 100 };
  await expect.poll(() => first.turn.length > 0 && second.turn.length > 0, wait).toBe(true);
  await produce();
  await expect.poll(async () => (await processed(log)).length, wait).toBe(produced.length);
  first.child.kill("SIGKILL");
  await produce();
  // Were it for the broker, this would take a minute.
  await expect.poll(async () => (await processed(log)).toSorted(), wait).toEqual(produced.toSorted());
  expect(second.turn).toEqual(Array.from({ length: partitions }, (_, partition) => partition));
}, 180_000);
