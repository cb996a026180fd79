// Readers: hand-over from memory without a copy, files when they lag, the same records either way, nothing to do while idle, time that never goes back.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { appendEach, freshDisk, hits, openOn, valuesOf } from "../../../test/log/opened.ts";
import { batchOf, columnOf, textsOf } from "../conformance-batches.ts";
import type { RecordFrame, TopicSettings } from "../port.ts";

const rows: TopicSettings = { name: "inputs.row", form: "compacted", partitions: 1, retention: {} };

test("a reader that keeps up gets the very buffers that were appended, and no file is read", async () => {
  const on = freshDisk();
  const log = await openOn(on);
  await log.ensureTopics([hits]);
  const producer = await log.producer("p");
  let reads = 0;
  on.disk.fault = ({ name }) => {
    if (name === "read") reads++;
    return undefined;
  };
  const batch = batchOf(["a", "b"]);
  await producer.append(hits.name, 0, batch);
  const reading = log.read({ topics: [hits.name] })[Symbol.asyncIterator]();
  const { values } = (await reading.next()).value as RecordFrame;
  expect(values.bytes).toBe(batch.values.bytes);
  expect(reads).toBe(0);
  const packed = Buffer.alloc(64);
  const output = await log.jobOutput("hit");
  await output.commit({ updates: packed, quarantined: undefined, inputs: [], counters: {} });
  for await (const frame of log.readUpdates({ until: 0 })) expect(frame.packed).toBe(packed);
  expect(reads).toBe(0);
  await reading.return!();
  await log.close();
});

test("a waiting reader makes no call to the disk and leaves no timer", async () => {
  const on = { ...freshDisk(), settings: { maintainEveryMs: 0 } };
  const log = await openOn(on);
  await log.ensureTopics([hits]);
  const stop = new AbortController();
  const reading = (async () => {
    let count = 0;
    for await (const frame of log.read({ topics: [hits.name], signal: stop.signal })) count += frame.count;
    return count;
  })();
  await appendEach(log, ["a"]);
  const { calls } = on.disk;
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(on.disk.calls).toBe(calls);
  expect(on.time.pendingTimers).toBe(0);
  expect(log.statistics().partitions[0]!.readers).toBe(1);
  stop.abort();
  expect(await reading).toBe(1);
  expect(log.statistics().partitions[0]!.readers).toBe(0);
});

test("readers see the same records from any offset, whatever is in memory and however small the chunks are", async () => {
  const bound = fc.nat({ max: 2000 });
  const shape = fc.record({
    batches: fc.array(fc.array(fc.string({ maxLength: 40 }), { minLength: 1, maxLength: 6 }), {
      minLength: 1,
      maxLength: 12,
    }),
    tailBytesMax: bound,
    readChunkBytes: fc.integer({ min: 64, max: 700 }),
    segmentBytes: fc.integer({ min: 100, max: 1500 }),
    from: fc.nat({ max: 40 }),
    length: fc.nat({ max: 40 }),
    reopen: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(shape, async ({ batches, from, length, reopen, ...settings }) => {
      const on = { ...freshDisk(), settings };
      let log = await openOn(on);
      await log.ensureTopics([hits]);
      const producer = await log.producer("p");
      await Promise.all(batches.map((values) => producer.append(hits.name, 0, batchOf(values))));
      if (reopen) {
        on.disk.powerLoss();
        log = await openOn(on);
      }
      const all = batches.flat();
      const until = Math.min(from + length, all.length - 1);
      const range = (offset: number): { topic: string; partition: number; offset: number }[] => [
        { topic: hits.name, partition: 0, offset },
      ];
      const found: string[] = [];
      for await (const frame of log.read({ topics: [hits.name], from: range(from), until: range(until) })) {
        expect(frame.firstOffset).toBe(from + found.length);
        found.push(...textsOf(frame));
      }
      expect(found).toEqual(all.slice(from, until + 1));
      await log.close();
    }),
    { numRuns: 150 },
  );
});

test("the time of receipt does not go back when the clock does, also over a restart", async () => {
  const on = freshDisk();
  let log = await openOn(on);
  await log.ensureTopics([hits, rows]);
  const put = async (): Promise<void> => {
    const producer = await log.producer("p");
    await producer.append(hits.name, 0, batchOf(["h"]));
    await producer.append(rows.name, 0, batchOf(["r"], { keys: columnOf(["k"]) }));
  };
  await put();
  on.time.jumpTo(on.time.now() - 86_400_000);
  await put();
  on.disk.powerLoss();
  log = await openOn(on);
  await put();
  const times: Record<string, number[]> = { [hits.name]: [], [rows.name]: [] };
  for await (const frame of log.read({ topics: [hits.name, rows.name], until: [] })) {
    times[frame.topic]!.push(frame.timestampMs);
  }
  const start = 1_700_000_000_000;
  expect(times).toEqual({ [hits.name]: [start, start + 1, start + 2], [rows.name]: [start + 1, start + 2, start + 3] });
});

test("an idempotency key counts for an hour of the log's time, also over a restart", async () => {
  const on = { ...freshDisk(), settings: { segmentBytes: 200 } };
  let log = await openOn(on);
  await log.ensureTopics([hits]);
  const append = async (key: string): Promise<boolean> =>
    (await (await log.producer("p")).append(hits.name, 0, batchOf([key], { idempotencyKey: key }))).duplicate;
  for (const key of ["a", "b", "c", "d"]) {
    expect(await append(key)).toBe(false);
    on.time.advance(20 * 60_000);
  }
  on.disk.kill();
  log = await openOn(on);
  expect(await append("d")).toBe(true);
  expect(await append("c")).toBe(true);
  expect(await append("b")).toBe(true);
  expect(await append("a")).toBe(false);
  expect(await valuesOf(log)).toEqual(["a", "b", "c", "d", "a"]);
});
