// Workers of a job in processes of their own: they join, leave, die and come back as zombies, and every event is processed once, in order.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../src/core/clock.ts";
import { seededRandom } from "../../src/core/random.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { openKafkaLog } from "../../src/log/kafka/log.ts";
import type { Log } from "../../src/log/port.ts";
import { firstSeed } from "../first-seed.ts";
import { sharedKafka, uniqueName } from "./shared.ts";

const partitions = 8;
const opened: Log[] = [];
const workers = new Set<WorkerProcess>();

afterEach(async () => {
  for (const worker of workers) worker.child.kill("SIGKILL");
  workers.clear();
  await Promise.all(opened.splice(0).map((log) => log.close()));
});

class WorkerProcess {
  readonly instance: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  /** It leaves when it is told to. */
  readonly ready: Promise<void>;
  turns = 0;

  constructor(bootstrap: string, prefix: string, instance: string) {
    this.instance = instance;
    const program = join(import.meta.dirname, "kafka-worker.ts");
    const args = ["--conditions=rdg-source", program, bootstrap, prefix, instance];
    this.child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    workers.add(this);
    this.ended = new Promise((resolve) => {
      this.child.once("exit", (code) => resolve(code));
    });
    const lines = createInterface({ input: this.child.stdout! });
    this.ready = new Promise((resolve) => {
      lines.once("line", () => resolve());
    });
    lines.on("line", (line) => {
      if (line.startsWith("turn")) this.turns++;
    });
  }

  async kill(): Promise<void> {
    workers.delete(this);
    this.child.kill("SIGKILL");
    await this.ended;
  }

  async leave(): Promise<void> {
    workers.delete(this);
    await this.ready;
    this.child.kill("SIGTERM");
    expect(await this.ended).toBe(0);
  }
}

async function open(prefix: string, instance?: string): Promise<Log> {
  const { bootstrap } = await sharedKafka();
  const log = await openKafkaLog({
    connection: { bootstrap: [bootstrap] },
    clock: systemClock,
    timers: systemTimers,
    settings: { prefix, instance, sessionTimeoutMs: 1_500, rebalanceTimeoutMs: 2_000 },
  });
  opened.push(log);
  await log.ensureTopics([
    { name: "events.hit", form: "records", partitions, retention: {} },
    { name: "nodes.thing", form: "updates", partitions: 1, retention: {} },
    { name: "quarantine.hit", form: "records", partitions: 1, retention: {} },
  ]);
  return log;
}

async function processed(log: Log): Promise<string[]> {
  const texts: string[] = [];
  for await (const frame of log.read({ topics: ["quarantine.hit"], until: [] })) texts.push(...textsOf(frame));
  return texts;
}

const partitionOf = (text: string): number => Number(text.split("/")[0]);

test("come, go, are killed and wake up as zombies while events flow: each event is processed once and in order", async () => {
  const { bootstrap } = await sharedKafka();
  const prefix = `${uniqueName("log")}.`;
  const log = await open(prefix);
  const seed = firstSeed("WORKERS_SEED");
  const random = seededRandom(seed);
  const producer = await log.producer("p");
  const produced: string[][] = Array.from({ length: partitions }, () => []);
  const enough = new AbortController();
  const producing = (async () => {
    while (!enough.signal.aborted) {
      await Promise.all(
        produced.map(async (texts, partition) => {
          const batch = Array.from({ length: 1 + random.below(5) }, (_, i) => `${partition}/${texts.length + i}`);
          texts.push(...batch);
          await producer.append("events.hit", partition, batchOf(batch));
        }),
      );
      await sleep(20);
    }
  })();
  let named = 0;
  const startOne = (): WorkerProcess => new WorkerProcess(bootstrap, prefix, `w${named++}`);
  const all = [startOne(), startOne()];
  const pick = (): WorkerProcess => [...workers][random.below(workers.size)]!;
  const faults: string[] = [];
  const endings: Promise<unknown>[] = [];
  await expect.poll(() => all.some(({ turns }) => turns > 0), { timeout: 60_000 }).toBe(true);
  for (let i = 0; i < 10; i++) {
    await sleep(300 + random.below(1_500));
    const what = workers.size < 2 ? "start" : (["start", "leave", "kill", "again", "pause"] as const)[random.below(5)]!;
    faults.push(what);
    if (what === "start" && workers.size < 5) all.push(startOne());
    else if (what === "leave") endings.push(pick().leave());
    else if (what === "kill") endings.push(pick().kill());
    else if (what === "again") {
      const worker = pick();
      await worker.kill();
      // The same name: it need not wait for its earlier self to be given up.
      all.push(new WorkerProcess(bootstrap, prefix, worker.instance));
    } else if (what === "pause") {
      const { child } = pick();
      child.kill("SIGSTOP");
      endings.push(sleep(2_500).then(() => child.kill("SIGCONT")));
    }
  }
  enough.abort();
  await producing;
  await Promise.all(endings);
  if (workers.size === 0) all.push(startOne());
  const wanted = produced.flat();
  const story = `seed ${seed}: ${faults.join(" ")}`;
  await expect
    .poll(async () => (await processed(log)).length, { timeout: 60_000, message: story, interval: 200 })
    .toBeGreaterThanOrEqual(wanted.length);
  await Promise.all([...workers].map((worker) => worker.leave()));
  const found = await processed(log);
  const byPartition: string[][] = Array.from({ length: partitions }, () => []);
  for (const text of found) byPartition[partitionOf(text)]!.push(text);
  expect(byPartition, story).toEqual(produced);
  const state = await (await log.joinJob("hit", "events.hit")).assignment();
  expect(state.counters["received"], story).toEqual(produced.map(({ length }) => length));
  const [bounds] = await log.bounds("nodes.thing");
  let events = 0;
  for await (const frame of log.readUpdates({ until: bounds!.next - 1 })) events += frame.updates()!.eventCount;
  expect(events, story).toBe(wanted.length);
  expect(all.reduce((sum, { turns }) => sum + turns, 0)).toBeGreaterThan(2);
}, 180_000);
