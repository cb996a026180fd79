// Writes that wait in the log: made once the cluster takes them, by whoever has their partition then, and no more than may wait.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock, systemTimers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { openEmbeddedLog } from "../../log/embedded/log.ts";
import type { Log } from "../../log/port.ts";
import { createLogger } from "../logger.ts";
import { ensureRepairTopic, RepairTopic } from "./repair-topic.ts";

const topic = "repairs";
const partitions = [0, 1, 2];
let folder: string;
let log: Log;
let store: Table;
const opened: { stop(): Promise<void> }[] = [];

/** Takes writes, or does not. */
class Table {
  isAway = false;
  readonly made: string[] = [];
  readonly #reached = new Map<number, number>();

  async repair(record: Uint8Array): Promise<void> {
    if (this.isAway) throw new RdgError("unavailable", "node_away", "The node is away.");
    this.made.push(Buffer.from(record).toString());
  }
  async repaired(): Promise<ReadonlyMap<number, number>> {
    return this.#reached;
  }
  async noteRepaired(partition: number, offset: number): Promise<void> {
    this.#reached.set(partition, offset);
  }
  async settle(): Promise<boolean> {
    return true;
  }
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "rdg-repairs-"));
  log = await openEmbeddedLog({ folder, clock: systemClock, timers: systemTimers });
  store = new Table();
  await ensureRepairTopic(log, topic, partitions.length);
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.stop()));
  await log.close();
  await rm(folder, { recursive: true });
});

function writer(waitingMax = 100): { readonly repairs: RepairTopic; stop(): Promise<void> } {
  const repairs = new RepairTopic({
    log,
    topic,
    store,
    waitingMax,
    timers: systemTimers,
    logger: createLogger("silent"),
  });
  const stopping = new AbortController();
  const draining = repairs.drain(partitions, stopping.signal);
  const stop = async (): Promise<void> => {
    stopping.abort();
    await draining;
    await repairs.close();
  };
  opened.push({ stop });
  return { repairs, stop };
}

const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `write ${i}`);
const putAll = async (repairs: RepairTopic, records: readonly string[]): Promise<void> => {
  for (const record of records) await repairs.put(Buffer.from(record));
};

test("what is not taken waits, is told of, and is made once when it is taken", async () => {
  store.isAway = true;
  const { repairs } = writer();
  await putAll(repairs, numbered(7));
  expect(await repairs.isEmpty()).toBe(false);
  await expect.poll(() => repairs.figures.cause, { timeout: 10_000 }).toMatch(/The node is away/);
  expect(repairs.figures).toMatchObject({ waiting: 7, queued: 7, repaired: 0 });
  store.isAway = false;
  await expect.poll(() => repairs.isEmpty(), { timeout: 10_000 }).toBe(true);
  expect(store.made.toSorted()).toEqual(numbered(7));
  expect(repairs.figures).toMatchObject({ waiting: 0, repaired: 7 });
});

test("what a lost writer left is made by the next one, also after the log was opened again", async () => {
  store.isAway = true;
  const lost = writer();
  await putAll(lost.repairs, numbered(5));
  await lost.stop();
  await log.close();
  log = await openEmbeddedLog({ folder, clock: systemClock, timers: systemTimers });
  expect(await ensureRepairTopic(log, topic, 8)).toBe(partitions.length);
  store.isAway = false;
  const next = writer();
  await expect.poll(() => next.repairs.isEmpty(), { timeout: 10_000 }).toBe(true);
  expect(store.made.toSorted()).toEqual(numbered(5));
  // What is made is not made again.
  await next.stop();
  const last = writer();
  await putAll(last.repairs, ["another"]);
  await expect.poll(() => last.repairs.isEmpty(), { timeout: 10_000 }).toBe(true);
  expect(store.made.toSorted()).toEqual(["another", ...numbered(5)]);
});

test("no more waits than may", async () => {
  store.isAway = true;
  const { repairs } = writer(2);
  await putAll(repairs, numbered(2));
  await expect(repairs.put(Buffer.from("more"))).rejects.toMatchObject({
    kind: "unavailable",
    code: "repair_queue_full",
  });
});
