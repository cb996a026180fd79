// A disk that fails, fills up or writes in parts: what was not made durable is never acknowledged, shown or kept, and the log goes on when it can.
import { beforeEach, describe, expect, test } from "vitest";
import { appendEach, failure, freshDisk, hits, openOn, type OpenedOn, valuesOf } from "../../../test/log/opened.ts";
import { batchOf, columnOf } from "../conformance-batches.ts";
import type { Producer, TopicSettings } from "../port.ts";
import type { EmbeddedLog } from "./log.ts";

const path = "/log/records/events.hit/0/0000000000000000.segment";
let on: OpenedOn;
let log: EmbeddedLog;
let producer: Producer;

beforeEach(async () => {
  on = freshDisk();
  log = await openOn(on);
  await log.ensureTopics([hits]);
  producer = await log.producer("p");
  await producer.append(hits.name, 0, batchOf(["kept"]));
});

/** What can go on without time passing does. */
async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
}

function failSyncs(count: number, error = "EIO"): void {
  let left = count;
  on.disk.fault = ({ name, path: at }) => (name === "sync" && at === path && left-- > 0 ? { error } : undefined);
}

describe("a failed sync", () => {
  test("rejects what waits for it and everything later, until the file has been cut back and read again", async () => {
    failSyncs(1);
    const size = on.disk.contentOf(path).length;
    const lost = [producer.append(hits.name, 0, batchOf(["a"])), producer.append(hits.name, 0, batchOf(["b"]))];
    for (const append of lost)
      expect(await failure(append)).toMatchObject({ kind: "unavailable", code: "log_write_failed" });
    expect(await failure(producer.append(hits.name, 0, batchOf(["c"])))).toMatchObject({
      kind: "unavailable",
      retryAfterMs: 1000,
    });
    expect(on.disk.contentOf(path)).toHaveLength(size);
    expect(log.statistics().partitions[0]!.failure).toContain("could not make a write durable");
    expect(await valuesOf(log)).toEqual(["kept"]);
    on.time.advance(1000);
    const { first } = await producer.append(hits.name, 0, batchOf(["d"]));
    expect(first.offset).toBe(1);
    expect(log.statistics().partitions[0]!.failure).toBeUndefined();
    on.disk.powerLoss();
    expect(await valuesOf(await openOn(on))).toEqual(["kept", "d"]);
  });

  test("keeps rejecting as long as it goes on", async () => {
    failSyncs(1000);
    for (let i = 0; i < 3; i++) {
      expect(await failure(producer.append(hits.name, 0, batchOf(["a"])))).toMatchObject({ kind: "unavailable" });
      on.time.advance(1000);
    }
    expect(await valuesOf(log)).toEqual(["kept"]);
  });

  test("that turns out to have damaged what was durable stops appends for good and names the place", async () => {
    failSyncs(1);
    await failure(producer.append(hits.name, 0, batchOf(["a"])));
    const bytes = Buffer.from(on.disk.contentOf(path));
    bytes[bytes.length - 1]! ^= 1;
    on.disk.overwrite(path, bytes);
    on.time.advance(1000);
    expect(await failure(producer.append(hits.name, 0, batchOf(["b"])))).toMatchObject({
      kind: "unavailable",
      code: "log_damaged",
      place: expect.stringContaining(path) as unknown,
    });
  });

  test("forgets sequences and idempotency keys of what was not stored", async () => {
    failSyncs(1);
    const batch = batchOf(["a"], { sequence: 5, idempotencyKey: "k" });
    const [first, retry] = [producer.append(hits.name, 0, batch), producer.append(hits.name, 0, batch)];
    expect(await failure(first)).toMatchObject({ kind: "unavailable" });
    expect(await failure(retry)).toMatchObject({ kind: "unavailable" });
    on.time.advance(1000);
    expect(await producer.append(hits.name, 0, batch)).toMatchObject({ duplicate: false, first: { offset: 1 } });
    expect(await valuesOf(log)).toEqual(["kept", "a"]);
  });

  test("in the journal ends the owner's turn: later transactions are not stored without the failed one", async () => {
    const output = await log.jobOutput("hit");
    const commit = (owner: typeof output, offset: number): Promise<unknown> =>
      owner.commit({
        updates: undefined,
        quarantined: undefined,
        inputs: [{ topic: hits.name, partition: 0, offset }],
        counters: {},
      });
    await commit(output, 1);
    let left = 1;
    on.disk.fault = ({ name, path: at }) =>
      name === "sync" && at.includes("journal") && left-- > 0 ? { error: "EIO" } : undefined;
    expect(await failure(commit(output, 2))).toMatchObject({ kind: "unavailable", code: "log_write_failed" });
    on.time.advance(1000);
    expect(await failure(commit(output, 3))).toMatchObject({ kind: "unavailable", code: "output_interrupted" });
    const next = await log.jobOutput("hit");
    expect(next.committed).toMatchObject([{ offset: 1 }]);
    await commit(next, 2);
    expect((await log.jobOutput("hit")).committed).toMatchObject([{ offset: 2 }]);
  });
});

describe("a full disk", () => {
  test("cuts back what was written in part, rejects with disk_full, lets readers go on, and recovers by itself", async () => {
    const size = on.disk.contentOf(path).length;
    on.disk.fault = ({ name }) => (name === "write" ? { error: "ENOSPC", writtenBytes: 40 } : undefined);
    expect(await failure(producer.append(hits.name, 0, batchOf(["a"])))).toMatchObject({
      kind: "unavailable",
      code: "disk_full",
    });
    expect(on.disk.contentOf(path)).toHaveLength(size);
    expect(await valuesOf(log)).toEqual(["kept"]);
    on.time.advance(1000);
    expect(await failure(producer.append(hits.name, 0, batchOf(["b"])))).toMatchObject({ code: "disk_full" });
    on.disk.fault = undefined;
    on.time.advance(1000);
    await producer.append(hits.name, 0, batchOf(["c"]));
    on.disk.kill();
    expect(await valuesOf(await openOn(on))).toEqual(["kept", "c"]);
  });

  test("when a new segment is begun leaves the old one usable", async () => {
    await log.close();
    on = { ...on, settings: { segmentBytes: 200 } };
    log = await openOn(on);
    await appendEach(log, ["a"]);
    on.disk.fault = ({ name, path: at }) => (name === "open" && at.endsWith(".new") ? { error: "ENOSPC" } : undefined);
    producer = await log.producer("p").catch(async () => {
      on.disk.fault = ({ name, path: at }) =>
        name === "write" && at.endsWith(".segment.new") ? { error: "ENOSPC", writtenBytes: 10 } : undefined;
      return await log.producer("p");
    });
    expect(await failure(producer.append(hits.name, 0, batchOf(["b"])))).toMatchObject({ code: "disk_full" });
    on.disk.fault = undefined;
    on.time.advance(1000);
    await producer.append(hits.name, 0, batchOf(["c"]));
    expect(await valuesOf(log)).toEqual(["kept", "a", "c"]);
    on.disk.powerLoss();
    expect(await valuesOf(await openOn(on))).toEqual(["kept", "a", "c"]);
  });

  test("leaves metadata as it was", async () => {
    on.disk.fault = ({ name }) => (name === "write" ? { error: "ENOSPC" } : undefined);
    const more = { ...hits, retention: { timeMs: 5 } };
    expect(await failure(log.ensureTopics([more]))).toMatchObject({ kind: "unavailable" });
    expect(await failure(log.producer("q"))).toMatchObject({ kind: "unavailable" });
    expect(await log.topics()).toEqual([hits]);
    on.disk.fault = undefined;
    await log.ensureTopics([more]);
    expect(await log.topics()).toEqual([more]);
  });
});

describe("a row of a side input that was written and failed", () => {
  const rows: TopicSettings = { name: "inputs.row", form: "compacted", partitions: 1, retention: {} };
  const rowPath = "/log/records/inputs.row/0/0000000000000000.segment";
  const row = batchOf(["late"], { keys: columnOf(["k"]) });

  beforeEach(() => log.ensureTopics([rows]));

  /** The row is written; neither can it be made durable nor cut off. */
  async function failRow(): Promise<void> {
    on.disk.fault = ({ name, path: at }) =>
      at === rowPath && (name === "sync" || name === "truncate") ? { error: "EIO" } : undefined;
    expect(await failure(producer.append(rows.name, 0, row))).toMatchObject({ code: "log_write_failed" });
  }

  test("holds back what comes later until it cannot come back", async () => {
    await failRow();
    on.time.advance(10);
    let isShown = false;
    const later = producer.append(hits.name, 0, batchOf(["later"])).then(() => (isShown = true));
    for (let i = 0; i < 3; i++) {
      on.time.advance(1000);
      await settle();
    }
    expect(isShown).toBe(false);
    expect(await valuesOf(log)).toEqual(["kept"]);
    on.disk.fault = undefined;
    on.time.advance(1000);
    await later;
    expect(await valuesOf(log)).toEqual(["kept", "later"]);
    on.disk.powerLoss();
    log = await openOn(on);
    expect(await valuesOf(log, rows.name)).toEqual([]);
  });

  test("does not keep the log from closing", async () => {
    await failRow();
    await log.close();
  });
});

test("a close that cannot write its mark loses nothing", async () => {
  on.disk.fault = ({ name }) => (name === "write" ? { error: "ENOSPC", writtenBytes: 9 } : undefined);
  await log.close();
  on.disk.fault = undefined;
  log = await openOn(on);
  expect(await valuesOf(log)).toEqual(["kept"]);
  expect(log.statistics().cuts).toEqual([]);
});

test("topics whose files could not be created or opened are there after another attempt", async () => {
  for (const name of ["open", "write", "sync", "rename", "syncFolder", "list"] as const) {
    for (let skipped = 0; skipped < 12; skipped++) {
      const topic = { ...hits, name: `events.${name}-${skipped}`, partitions: 2 };
      let left = skipped;
      on.disk.fault = (operation) => (operation.name === name && left-- === 0 ? { error: "EIO" } : undefined);
      const first = await log.ensureTopics([topic]).catch((error: unknown) => error);
      if (first !== undefined) expect(first).toMatchObject({ kind: "unavailable" });
      on.disk.fault = undefined;
      await log.ensureTopics([topic]);
      await producer.append(topic.name, 1, batchOf(["a"]));
    }
  }
  on.disk.powerLoss();
  log = await openOn(on);
  for (const { name } of await log.topics()) if (name !== hits.name) expect(await valuesOf(log, name)).toEqual(["a"]);
});

test("what a failed attempt has left of a topic is durable before the log says that the topic is there", async () => {
  const folder = "/log/records/events.other/0";
  let left = 1;
  let undurable: number | undefined;
  on.disk.fault = ({ name, path: at }) => {
    if (name === "rename" && at === "/log/metadata") undurable = on.disk.folder(folder).history.length;
    return name === "syncFolder" && at === folder && left-- > 0 ? { error: "EIO" } : undefined;
  };
  const other = { ...hits, name: "events.other" };
  expect(await failure(log.ensureTopics([other]))).toMatchObject({ kind: "unavailable" });
  await log.ensureTopics([other]);
  expect(undurable).toBe(0);
});

test("a disk that writes a few bytes at a time stores everything", async () => {
  on.disk.fault = ({ name }) => (name === "write" ? { writtenBytes: 7 } : undefined);
  await appendEach(log, ["a".repeat(100), "b"]);
  on.disk.kill();
  on.disk.fault = undefined;
  expect(await valuesOf(await openOn(on))).toEqual(["kept", "a".repeat(100), "b"]);
});

test("more than the queue takes is rejected at once, and nothing of it is stored", async () => {
  await log.close();
  on = { ...on, settings: { queueBytesMax: 1000, groupBytesMax: 500 } };
  log = await openOn(on);
  producer = await log.producer("p");
  const appends = Array.from({ length: 20 }, (_, i) => producer.append(hits.name, 0, batchOf([`${i}`.padEnd(150)])));
  const results = await Promise.allSettled(appends);
  const stored = results.filter(({ status }) => status === "fulfilled").length;
  const rejected = results.filter((result) => result.status === "rejected").map(({ reason }) => reason as unknown);
  expect(stored).toBeGreaterThan(0);
  expect(rejected.length).toBeGreaterThan(0);
  for (const error of rejected) expect(error).toMatchObject({ kind: "overloaded", code: "append_queue_full" });
  expect(await valuesOf(log)).toHaveLength(1 + stored);
});

test("more idempotency keys than are remembered are refused rather than forgotten", async () => {
  await log.close();
  log = await openOn({ ...on, settings: { idempotencyKeysMax: 3 } });
  producer = await log.producer("p");
  const append = (key: string): Promise<unknown> =>
    producer.append(hits.name, 0, batchOf([key], { idempotencyKey: key }));
  for (const key of ["a", "b", "c"]) await append(key);
  expect(await failure(append("d"))).toMatchObject({ kind: "overloaded", code: "idempotency_keys_full" });
  expect(await append("a")).toMatchObject({ duplicate: true });
  on.time.advance(2 * 3_600_000);
  expect(await append("a")).toMatchObject({ duplicate: false });
});
