// Advice by hand: what a budget holds, what a lag asks for, what nothing can be said about; and loads of a real log.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemTimers } from "../core/clock.ts";
import { batchOf } from "../log/conformance-batches.ts";
import { openEmbeddedLog } from "../log/embedded/log.ts";
import { adviseTopics, loadOf } from "./topic-advice.ts";

const hourMs = 3_600_000;
const views = { topic: "events.view", partitions: 4, recordsPerSecond: 1_000, bytesPerRecord: 100 };
const quiet = { topic: "events.quiet", partitions: 1, recordsPerSecond: 0, bytesPerRecord: 0 };

test("records are kept for as long as the budget holds, all topics alike", () => {
  // 100 kB/s on two replicas are 720 MB an hour; the second topic takes as much again.
  const bounds = { budgetBytes: 15e9, replicas: 2, lagMs: hourMs, peak: 3 };
  const { topics, diskBytes, fits } = adviseTopics([views, { ...views, topic: "events.other" }, quiet], bounds);
  expect(topics[0]).toMatchObject({ retentionMs: 10 * hourMs, diskBytes: 7.2e9, partitionsNeeded: 1 });
  // The emergency brake: three times the hours' bytes, of one replica and one of four partitions.
  expect(topics[0]!.retentionBytes).toBe(2.7e9);
  expect(topics[2]).toMatchObject({ retentionMs: undefined, retentionBytes: undefined, diskBytes: 0 });
  expect({ diskBytes, fits }).toEqual({ diskBytes: 14.4e9, fits: true });
});

test("they are kept for twice the lag in any case, and it is told when that is too much", () => {
  const bounds = { budgetBytes: 1e9, replicas: 2, lagMs: 6 * hourMs, peak: 1 };
  const { topics, fits } = adviseTopics([views], bounds);
  expect(topics[0]!.retentionMs).toBe(12 * hourMs);
  expect(fits).toBe(false);
});

test("partitions follow the peak", () => {
  const bounds = { budgetBytes: 1e15, replicas: 1, lagMs: hourMs, peak: 3 };
  const { topics } = adviseTopics([{ ...views, recordsPerSecond: 25_000 }], bounds);
  expect(topics[0]!.partitionsNeeded).toBe(8);
});

test("a load is what came lately, by the size of what is kept", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-advice-"));
  let nowMs = 1_700_000_000_000;
  const clock = { now: () => nowMs, monotonicMs: () => nowMs };
  const log = await openEmbeddedLog({ folder, clock, timers: systemTimers });
  try {
    await log.ensureTopics([{ name: "events.view", form: "records", partitions: 2, retention: {} }]);
    const producer = await log.producer("p");
    const append = (partition: number, count: number) =>
      producer.append("events.view", partition, batchOf(Array.from({ length: count }, () => "x".repeat(80))));
    await append(0, 1_000);
    nowMs += 10 * hourMs;
    await append(0, 3_000);
    await append(1, 600);
    nowMs += hourMs;
    const load = await loadOf(log, "events.view", 2 * hourMs, nowMs);
    expect(load).toMatchObject({ topic: "events.view", partitions: 2, recordsPerSecond: 1 });
    expect(load.bytesPerRecord).toBeGreaterThan(80);
    expect(load.bytesPerRecord).toBeLessThan(120);
  } finally {
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
});
