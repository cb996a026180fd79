// What retention and compaction remove and when; that readers cope with it, and that a crash in the midst of it changes nothing.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { appendEach, failure, freshDisk, hits, openOn, type OpenedOn, valuesOf } from "../../../test/log/opened.ts";
import { batchOf, columnOf, textsOf } from "../conformance-batches.ts";
import type { RecordFrame, TopicSettings } from "../port.ts";
import type { EmbeddedLog } from "./log.ts";

const hourMs = 3_600_000;
const small = { segmentBytes: 400 };

function segmentsOf(on: OpenedOn, part: string): string[] {
  return on.disk.paths().filter((path) => path.includes(part) && path.endsWith(".segment"));
}

describe("retention of record topics", () => {
  test("by time drops whole files, keeps offsets over a restart, and goes on when nothing is appended", async () => {
    const on = freshDisk();
    let log = await openOn(on);
    await log.ensureTopics([{ ...hits, retention: { timeMs: hourMs } }]);
    await appendEach(log, ["old", "older"]);
    on.time.advance(hourMs / 2);
    await log.maintain();
    await appendEach(log, ["new"]);
    on.time.advance(hourMs / 2 + 1);
    await log.maintain();
    expect(await valuesOf(log)).toEqual(["new"]);
    expect(await log.bounds(hits.name)).toMatchObject([{ first: 2, next: 3 }]);
    on.time.advance(hourMs);
    await log.maintain();
    expect(await valuesOf(log)).toEqual([]);
    on.disk.powerLoss();
    log = await openOn(on);
    expect(await log.bounds(hits.name)).toMatchObject([{ first: 3, next: 3 }]);
    await appendEach(log, ["next"]);
    expect(await log.bounds(hits.name)).toMatchObject([{ first: 3, next: 4 }]);
  });

  test("by bytes bounds the topic, taking the oldest file of any partition", async () => {
    const on = { ...freshDisk(), settings: small };
    const log = await openOn(on);
    const topic: TopicSettings = { ...hits, partitions: 2, retention: { sizeBytes: 3000 } };
    await log.ensureTopics([topic]);
    const producer = await log.producer("p");
    for (let i = 0; i < 60; i++) await producer.append(hits.name, i % 2, batchOf([`value ${i}`]));
    await log.maintain();
    const bounds = await log.bounds(hits.name);
    expect(bounds[0]!.sizeBytes + bounds[1]!.sizeBytes).toBeLessThanOrEqual(3000);
    for (const { first, next } of bounds) expect([first > 0, next]).toEqual([true, 30]);
  });

  test("runs by itself", async () => {
    const on = freshDisk();
    const log = await openOn(on);
    await log.ensureTopics([{ ...hits, retention: { timeMs: hourMs } }]);
    await appendEach(log, ["old"]);
    for (let i = 0; i < 3; i++) {
      on.time.advance(hourMs + 1);
      await log.maintain();
    }
    expect(await valuesOf(log)).toEqual([]);
    await log.close();
  });

  test("a reader whose place is removed, and one that comes too late, go on with the first kept record", async () => {
    const on = { ...freshDisk(), settings: { ...small, readChunkBytes: 200, tailBytesMax: 0 } };
    const log = await openOn(on);
    await log.ensureTopics([{ ...hits, retention: { timeMs: hourMs } }]);
    await appendEach(
      log,
      Array.from({ length: 8 }, (_, i) => `old ${i}`),
    );
    const reading = log.read({ topics: [hits.name] })[Symbol.asyncIterator]();
    const next = async (): Promise<string[]> => textsOf((await reading.next()).value as RecordFrame);
    expect(await next()).toEqual(["old 0"]);
    on.time.advance(hourMs + 1);
    await appendEach(log, ["new"]);
    await log.maintain();
    expect(await next()).toEqual(["new"]);
    await reading.return!();
    const late: string[] = [];
    const from = [{ topic: hits.name, partition: 0, offset: 3 }];
    for await (const frame of log.read({ topics: [hits.name], from, until: [] })) late.push(...textsOf(frame));
    expect(late).toEqual(["new"]);
  });
});

describe("retention of the journal", () => {
  const things: TopicSettings = { name: "nodes.thing", form: "updates", partitions: 1, retention: { timeMs: hourMs } };
  const quarantine: TopicSettings = {
    name: "quarantine.hit",
    form: "records",
    partitions: 1,
    retention: { timeMs: 5 * hourMs },
  };

  async function withTransactions(quarantined: boolean): Promise<{ on: OpenedOn; log: EmbeddedLog }> {
    const on = { ...freshDisk(), settings: { segmentBytes: 600 } };
    const log = await openOn(on);
    await log.ensureTopics([things, quarantine]);
    const output = await log.jobOutput("hit");
    for (let i = 0; i < 20; i++) {
      await output.commit({
        updates: undefined,
        quarantined: quarantined && i === 3 ? { topic: quarantine.name, batch: batchOf(["bad"]) } : undefined,
        inputs: [{ topic: hits.name, partition: 0, offset: i }],
        counters: { received: [i] },
      });
    }
    return { on, log };
  }

  test("keeps what the store has not released, whatever its age", async () => {
    const { on, log } = await withTransactions(false);
    on.time.advance(10 * hourMs);
    await log.maintain();
    expect(await log.bounds(things.name)).toMatchObject([{ first: 0, next: 20 }]);
    log.releaseUpdates(10);
    await log.maintain();
    const [bounds] = await log.bounds(things.name);
    expect(bounds!.first).toBeGreaterThan(0);
    expect(bounds!.first).toBeLessThanOrEqual(10);
  });

  test("a job finds its inputs and counters although the transactions are gone", async () => {
    const { on, log } = await withTransactions(true);
    log.releaseUpdates(20);
    on.time.advance(10 * hourMs);
    await log.maintain();
    expect((await log.bounds(things.name))[0]!.first).toBe(20);
    on.disk.powerLoss();
    const again = await openOn(on);
    const output = await again.jobOutput("hit");
    expect(output.committed).toEqual([{ topic: hits.name, partition: 0, offset: 19 }]);
    expect(output.counters).toEqual({ received: [19] });
    expect(await again.bounds(quarantine.name)).toMatchObject([{ first: 1, next: 1 }]);
    expect(await valuesOf(again, quarantine.name)).toEqual([]);
  });

  test("keeps quarantined records as long as their topic says", async () => {
    const { on, log } = await withTransactions(true);
    log.releaseUpdates(20);
    on.time.advance(2 * hourMs);
    await log.maintain();
    expect(await valuesOf(log, quarantine.name)).toEqual(["bad"]);
    const [bounds] = await log.bounds(things.name);
    expect(bounds!.first).toBeLessThanOrEqual(3);
  });
});

const rows: TopicSettings = { name: "inputs.row", form: "compacted", partitions: 1, retention: { timeMs: 4 * hourMs } };

interface Version {
  readonly offset: number;
  readonly timeMs: number;
  readonly key: string;
  readonly value: string | null;
}

async function versionsOf(log: EmbeddedLog): Promise<Version[]> {
  const versions: Version[] = [];
  for await (const frame of log.read({ topics: [rows.name], until: [] })) {
    const keys = textsOf({ ...frame, values: frame.keys! });
    textsOf(frame).forEach((text, i) =>
      versions.push({
        offset: frame.firstOffset + (frame.offsets?.[i] ?? i),
        timeMs: frame.timestampMs,
        key: keys[i]!,
        value: frame.nulls?.[i] === 1 ? null : text,
      }),
    );
  }
  return versions;
}

/** The table as of a time. */
function tableAt(versions: readonly Version[], timeMs: number): Map<string, string> {
  const table = new Map<string, string>();
  for (const { key, value, timeMs: at } of versions) {
    if (at > timeMs) continue;
    if (value === null) table.delete(key);
    else table.set(key, value);
  }
  return table;
}

async function put(log: EmbeddedLog, entries: readonly (readonly [string, string | null])[]): Promise<void> {
  const producer = await log.producer("p");
  const nulls = Uint8Array.from(entries, ([, value]) => (value === null ? 1 : 0));
  const keys = columnOf(entries.map(([key]) => key));
  await producer.append(
    rows.name,
    0,
    batchOf(
      entries.map(([, value]) => value ?? ""),
      { keys, nulls },
    ),
  );
}

describe("compaction", () => {
  test("drops versions that were replaced before the retention began, joins files, and drops removals", async () => {
    const on = { ...freshDisk(), settings: small };
    const log = await openOn(on);
    await log.ensureTopics([rows]);
    for (let i = 0; i < 20; i++)
      await put(log, [
        ["a", `a${i}`],
        ["b", `b${i}`],
      ]);
    await put(log, [["b", null]]);
    const before = segmentsOf(on, rows.name).length;
    on.time.advance(5 * hourMs);
    await put(log, [["c", "c"]]);
    await log.maintain();
    expect((await versionsOf(log)).map(({ key, value }) => [key, value])).toEqual([
      ["a", "a19"],
      ["b", null],
      ["c", "c"],
    ]);
    expect(segmentsOf(on, rows.name).length).toBeLessThan(before);
    on.time.advance(5 * hourMs);
    await put(log, [["d", "d"]]);
    await log.maintain();
    expect((await versionsOf(log)).map(({ key, value }) => [key, value])).toEqual([
      ["a", "a19"],
      ["c", "c"],
      ["d", "d"],
    ]);
    on.disk.powerLoss();
    expect((await versionsOf(await openOn(on))).map(({ key }) => key)).toEqual(["a", "c", "d"]);
  });

  test("keeps removals while a reader may have read what they remove", async () => {
    const on = { ...freshDisk(), settings: { ...small, tailBytesMax: 0 } };
    const log = await openOn(on);
    await log.ensureTopics([rows]);
    await put(log, [["a", "a"]]);
    for (let i = 0; i < 10; i++) await put(log, [["b", `b${i}`]]);
    await put(log, [["a", null]]);
    for (let i = 0; i < 10; i++) await put(log, [["b", `b${i}`]]);
    on.time.advance(5 * hourMs);
    await put(log, [["c", "c"]]);
    const reading = log.read({ topics: [rows.name] })[Symbol.asyncIterator]();
    expect(textsOf((await reading.next()).value as RecordFrame)).toEqual(["a"]);
    await log.maintain();
    expect((await versionsOf(log)).filter(({ key }) => key === "a")).toMatchObject([{ value: null }]);
    await reading.return!();
    await log.maintain();
    expect((await versionsOf(log)).filter(({ key }) => key === "a")).toEqual([]);
  });

  test("a partition with more keys than are allowed is left as it is, and says so", async () => {
    const on = { ...freshDisk(), settings: { ...small, compactionKeysMax: 3 } };
    const log = await openOn(on);
    await log.ensureTopics([rows]);
    for (let i = 0; i < 10; i++) await put(log, [[`k${i}`, "v"]]);
    on.time.advance(5 * hourMs);
    expect(await failure(log.maintain())).toMatchObject({ code: "compaction_keys_full" });
    expect(log.statistics().maintenanceFailure).toContain("more than 3 keys");
    expect(await versionsOf(log)).toHaveLength(10);
  });

  test("that fails does not keep the topics behind it from making room", async () => {
    const on = { ...freshDisk(), settings: { ...small, compactionKeysMax: 3 } };
    const log = await openOn(on);
    await log.ensureTopics([rows, { ...hits, retention: { timeMs: hourMs } }]);
    for (let i = 0; i < 10; i++) await put(log, [[`k${i}`, "v"]]);
    await appendEach(log, ["old"]);
    for (let round = 0; round < 3; round++) {
      on.time.advance(5 * hourMs);
      expect(await failure(log.maintain())).toMatchObject({ code: "compaction_keys_full" });
    }
    expect(await valuesOf(log)).toEqual([]);
  });

  const entry = fc.tuple(fc.constantFrom("a", "b", "c", "__proto__", ""), fc.option(fc.string({ maxLength: 20 })));
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ put: fc.array(entry, { minLength: 1, maxLength: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ advanceMs: fc.integer({ min: 0, max: 3 * hourMs }) }) },
    { weight: 2, arbitrary: fc.record({ maintain: fc.constant(true) }) },
    { weight: 1, arbitrary: fc.record({ crashIn: fc.nat({ max: 60 }), power: fc.boolean() }) },
  );

  test("never changes what the table is as of any time within the retention, also when it is cut short by a crash", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 40 }), async (seed, steps) => {
        const on = { ...freshDisk(seed), settings: small };
        let log = await openOn(on);
        await log.ensureTopics([rows]);
        const all: Version[] = [];
        for (const step of steps) {
          if ("put" in step) {
            await put(log, step.put);
            all.push(...(await versionsOf(log)).filter(({ offset }) => offset > (all.at(-1)?.offset ?? -1)));
          } else if ("advanceMs" in step) on.time.advance(step.advanceMs);
          else if ("maintain" in step) await log.maintain();
          else {
            const killed = on.disk.killed();
            on.disk.callsUntilKill = step.crashIn;
            await Promise.race([killed, log.maintain()]);
            if (step.power) on.disk.powerLoss();
            else on.disk.kill();
            log = await openOn(on);
          }
          const kept = await versionsOf(log);
          for (const version of kept) expect(all).toContainEqual(version);
          const horizonMs = on.time.now() - rows.retention.timeMs!;
          for (const atMs of [horizonMs, ...all.map(({ timeMs }) => timeMs).filter((timeMs) => timeMs > horizonMs)]) {
            expect(tableAt(kept, atMs)).toEqual(tableAt(all, atMs));
          }
          expect(kept.at(-1)?.offset).toBe(all.at(-1)?.offset);
        }
      }),
      { numRuns: 60 },
    );
  });
});
