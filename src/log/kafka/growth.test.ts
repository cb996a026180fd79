// Growing topics: by which numbers, from when on, and where the keys of events were before.
import { expect, test } from "vitest";
import { partitionOf } from "../../model/partitioner.ts";
import type { TopicSettings } from "../port.ts";
import { grown, grows, isOpen, isOutdated, keyAmong, partitionsAt, sourcesOf } from "./growth.ts";

const topic: TopicSettings = { name: "events.hit", form: "records", partitions: 2, retention: {} };
const to = (known: TopicSettings, partitions: number, nowMs: number): TopicSettings =>
  grown(known, { ...topic, partitions }, nowMs);

test("topics of records grow by whole factors", () => {
  for (const [partitions, can] of [
    [4, true],
    [6, true],
    [3, false],
    [2, false],
    [1, false],
  ] as const) {
    expect(grows(topic, { ...topic, partitions })).toBe(can);
  }
  expect(grows(topic, { ...topic, form: "compacted", partitions: 4 })).toBe(false);
});

test("a growth counts from its time on; what came with it is worked off when nothing comes any more where its keys were", () => {
  const once = to(topic, 4, 1_000);
  const { untilMs, settledMs } = once.earlier![0]!;
  expect([partitionsAt(once, untilMs - 1), partitionsAt(once, untilMs)]).toEqual([2, 4]);
  expect([0, 1, 2, 3, 4].map((partition) => isOpen(once, partition, settledMs - 1))).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
  expect([0, 1, 2, 3, 4].map((partition) => isOpen(once, partition, settledMs))).toEqual([
    true,
    true,
    true,
    true,
    false,
  ]);
  expect(isOutdated(once, 2, untilMs)).toBe(false);
  expect(isOutdated(once, 2, settledMs)).toBe(true);
  expect(isOutdated(once, 4, settledMs)).toBe(false);
});

test("where a key was before is known, however often the topic has grown", () => {
  const twice = to(to(topic, 6, 1_000), 12, 500_000);
  expect(twice.earlier?.map(({ partitions }) => partitions)).toEqual([2, 6]);
  expect(isOpen(twice, 5, 500_000)).toBe(true);
  expect(isOpen(twice, 6, 500_000)).toBe(false);
  for (let i = 0; i < 200; i++) {
    const key = Buffer.from(`key ${i}`);
    const at = (partitions: number): number => partitionOf(key, 0, key.length, partitions);
    expect(sourcesOf(twice, at(12), 0)).toEqual([
      { partition: at(2), sharedAmong: 2 },
      { partition: at(6), sharedAmong: 6 },
    ]);
  }
  expect(sourcesOf(twice, 11, 100_000)).toEqual([{ partition: 5, sharedAmong: 6 }]);
});

test("parts of a request that were shared out otherwise are other batches; those of the first number keep their key for ever", () => {
  const once = to(topic, 4, 1_000);
  expect(keyAmong(topic, "k", 2)).toBe("k");
  expect(keyAmong(once, "k", 2)).toBe("k");
  expect(keyAmong(once, "k", undefined)).toBe("k");
  expect(keyAmong(once, "k", 4)).not.toBe("k");
});
