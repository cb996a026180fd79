// The log's contract as tests: every adapter runs them against itself, with a way to open it and to crash it as all it says of itself.
//
// An adapter's own test is its factory and one call:  logConformance("embedded", async () => new EmbeddedUnderTest());
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { assert } from "../core/errors.ts";
import type { Position } from "../model/position.ts";
import { encodeUpdateBatch } from "../model/update/codec.ts";
import { batchOf, columnOf, textsOf } from "./conformance-batches.ts";
import type { JobCounters, JobTransaction, Log, RecordBatch, TopicSettings, UpdateFrame } from "./port.ts";

export interface LogUnderTest {
  open(): Promise<Log>;
  /** Ends the process that owns the log as SIGKILL would, and opens it again. */
  crash(log: Log): Promise<Log>;
  /** Removes everything. */
  dispose(): Promise<void>;
}

const hits: TopicSettings = { name: "events.hit", form: "records", partitions: 2, retention: {} };
const rows: TopicSettings = { name: "inputs.row", form: "compacted", partitions: 1, retention: {} };
const things: TopicSettings = { name: "nodes.thing", form: "updates", partitions: 1, retention: {} };
const quarantine: TopicSettings = { name: "quarantine.hit", form: "records", partitions: 1, retention: {} };

/** All records of a topic that are there now, by partition, in order. */
async function recordsOf(log: Log, topic: string, from?: readonly Position[]): Promise<string[][]> {
  const { partitions } = (await log.topics()).find(({ name }) => name === topic)!;
  const records: string[][] = Array.from({ length: partitions }, () => []);
  for await (const frame of log.read({ topics: [topic], until: [], ...(from && { from }) })) {
    records[frame.partition]!.push(...textsOf(frame));
  }
  return records;
}

async function updatesOf(log: Log, from = 0): Promise<UpdateFrame[]> {
  const [bounds] = await log.bounds(things.name);
  const frames: UpdateFrame[] = [];
  if (bounds!.next <= from) return frames;
  for await (const frame of log.readUpdates({ from, until: bounds!.next - 1 })) frames.push(frame);
  return frames;
}

function updatesFor(eventCount: number): Uint8Array {
  return encodeUpdateBatch({ eventCount, nodes: [], edges: [] });
}

function at(offset: number, partition = 0): Position {
  return { topic: hits.name, partition, offset };
}

/** A position in another log: what a job has read of this one must be there. */
function elsewhere(offset: number, partition = 0): Position {
  return { topic: "events.elsewhere", partition, offset };
}

async function rejection(promise: Promise<unknown>): Promise<{ kind: unknown; code: unknown }> {
  const error: unknown = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(Error);
  const { kind, code } = error as { kind?: unknown; code?: unknown };
  return { kind, code };
}

export function logConformance(name: string, make: () => Promise<LogUnderTest>): void {
  describe(`${name} keeps the contract of a log`, () => {
    let subject: LogUnderTest;
    let log: Log;

    beforeEach(async () => {
      subject = await make();
      log = await subject.open();
      await log.ensureTopics([hits, rows, things, quarantine]);
    });
    afterEach(async () => {
      await log.close();
      await subject.dispose();
    });

    describe("append", () => {
      test("what it resolved for survives a crash, with the positions it answered", async () => {
        const producer = await log.producer("p");
        const first = await producer.append(hits.name, 0, batchOf(["a", "b", "c"]));
        const second = await producer.append(hits.name, 0, batchOf(["d"]));
        expect(first).toMatchObject({ duplicate: false, first: { topic: hits.name, partition: 0 } });
        expect(first.last.offset).toBeGreaterThanOrEqual(first.first.offset + 2);
        expect(second.first.offset).toBeGreaterThan(first.last.offset);
        log = await subject.crash(log);
        expect(await recordsOf(log, hits.name)).toEqual([["a", "b", "c", "d"], []]);
        expect((await log.bounds(hits.name))[0]!.next).toBeGreaterThan(second.last.offset);
      });

      test("many in flight are stored in the order of the calls", async () => {
        const producer = await log.producer("p");
        const names = Array.from({ length: 200 }, (_, i) => `v${i}`);
        const appended = await Promise.all(names.map((value) => producer.append(hits.name, 1, batchOf([value]))));
        expect(await recordsOf(log, hits.name)).toEqual([[], names]);
        for (let i = 1; i < appended.length; i++) {
          expect(appended[i]!.first.offset).toBeGreaterThan(appended[i - 1]!.last.offset);
        }
      });

      test("a sequence that is not greater than the last stored one is a retry, also after a crash and for a later owner", async () => {
        let producer = await log.producer("p");
        const first = await producer.append(hits.name, 0, batchOf(["a", "b"], { sequence: 1 }));
        const second = await producer.append(hits.name, 0, batchOf(["c"], { sequence: 5 }));
        expect(await producer.append(hits.name, 0, batchOf(["a", "b"], { sequence: 1 }))).toEqual({
          ...first,
          duplicate: true,
        });
        log = await subject.crash(log);
        producer = await log.producer("p");
        expect(await producer.append(hits.name, 0, batchOf(["c"], { sequence: 5 }))).toEqual({
          ...second,
          duplicate: true,
        });
        await producer.append(hits.name, 0, batchOf(["d"], { sequence: 6 }));
        expect(await recordsOf(log, hits.name)).toEqual([["a", "b", "c", "d"], []]);
      });

      test("sequences belong to one producer and one partition", async () => {
        const [one, two] = [await log.producer("one"), await log.producer("two")];
        await one.append(hits.name, 0, batchOf(["a"], { sequence: 7 }));
        expect((await one.append(hits.name, 1, batchOf(["a"], { sequence: 7 }))).duplicate).toBe(false);
        expect((await two.append(hits.name, 0, batchOf(["a"], { sequence: 7 }))).duplicate).toBe(false);
      });

      test("an idempotency key seen in the partition makes a retry, whoever sends it, also after a crash", async () => {
        const key = "request-ü-1";
        const first = await (
          await log.producer("one")
        ).append(hits.name, 0, batchOf(["a", "b"], { idempotencyKey: key }));
        const again = { ...first, duplicate: true };
        expect(
          await (await log.producer("two")).append(hits.name, 0, batchOf(["a", "b"], { idempotencyKey: key })),
        ).toEqual(again);
        log = await subject.crash(log);
        const producer = await log.producer("one");
        expect(await producer.append(hits.name, 0, batchOf(["a", "b"], { idempotencyKey: key }))).toEqual(again);
        expect(await recordsOf(log, hits.name)).toEqual([["a", "b"], []]);
      });

      test("a retry while the original is under way waits for it and answers its positions", async () => {
        const producer = await log.producer("p");
        const [first, again] = await Promise.all([
          producer.append(hits.name, 0, batchOf(["a"], { idempotencyKey: "k" })),
          producer.append(hits.name, 0, batchOf(["a"], { idempotencyKey: "k" })),
        ]);
        expect(again).toEqual({ ...first, duplicate: true });
        expect(await recordsOf(log, hits.name)).toEqual([["a"], []]);
      });

      test("a retried request stores what is missing in other partitions only", async () => {
        const producer = await log.producer("p");
        await producer.append(hits.name, 0, batchOf(["a"], { idempotencyKey: "k" }));
        const retry = [0, 1].map((partition) =>
          producer.append(hits.name, partition, batchOf(["a"], { idempotencyKey: "k" })),
        );
        expect((await Promise.all(retry)).map(({ duplicate }) => duplicate)).toEqual([true, false]);
      });

      test("a later owner of a producer's name fences the earlier one", async () => {
        const earlier = await log.producer("p");
        await log.producer("p");
        expect(await rejection(earlier.append(hits.name, 0, batchOf(["lost"])))).toMatchObject({ kind: "conflict" });
        expect(await recordsOf(log, hits.name)).toEqual([[], []]);
      });

      test("refuses what cannot be stored as it is", async () => {
        const producer = await log.producer("p");
        const refused = async (topic: string, partition: number, batch: RecordBatch): Promise<unknown> =>
          (await rejection(producer.append(topic, partition, batch))).kind;
        expect(await refused("events.unknown", 0, batchOf(["a"]))).toBe("invalid");
        expect(await refused(hits.name, 2, batchOf(["a"]))).toBe("invalid");
        expect(await refused(hits.name, 0, batchOf([]))).toBe("invalid");
        expect(await refused(rows.name, 0, batchOf(["no key"]))).toBe("invalid");
        expect(await refused(things.name, 0, batchOf(["a"]))).toBe("invalid");
        expect(await refused(hits.name, 0, batchOf(["a"], { idempotencyKey: "x".repeat(257) }))).toBe("invalid");
        expect(await recordsOf(log, hits.name)).toEqual([[], []]);
      });
    });

    describe("read", () => {
      test("begins and ends at the positions asked for, also within a batch", async () => {
        const producer = await log.producer("p");
        const { first } = await producer.append(hits.name, 0, batchOf(["a", "b", "c", "d"]));
        await producer.append(hits.name, 0, batchOf(["e"]));
        await producer.append(hits.name, 1, batchOf(["z"]));
        const found: string[] = [];
        const range = { from: [at(first.offset + 1)], until: [at(first.offset + 2)] };
        for await (const frame of log.read({ topics: [hits.name], ...range })) {
          found.push(
            ...textsOf(frame).map(
              (text, i) => `${text}@${frame.partition}/${frame.firstOffset + (frame.offsets?.[i] ?? i)}`,
            ),
          );
        }
        expect(found.sort()).toEqual([
          `b@0/${first.offset + 1}`,
          `c@0/${first.offset + 2}`,
          expect.stringMatching(/^z@1/),
        ]);
      });

      test("goes on with what is appended later, for every reader, until aborted", async () => {
        const producer = await log.producer("p");
        await producer.append(hits.name, 0, batchOf(["old"]));
        const stop = new AbortController();
        const readers = Array.from({ length: 5 }, async () => {
          const found: string[] = [];
          for await (const frame of log.read({ topics: [hits.name], signal: stop.signal })) {
            found.push(...textsOf(frame));
            if (found.length === 3) break;
          }
          return found;
        });
        const reachedAll = Promise.withResolvers<void>();
        const endless = (async () => {
          let count = 0;
          for await (const frame of log.read({ topics: [hits.name], signal: stop.signal })) {
            count += frame.count;
            if (count === 3) reachedAll.resolve();
          }
          return count;
        })();
        await producer.append(hits.name, 0, batchOf(["new"]));
        await producer.append(hits.name, 1, batchOf(["other"]));
        for (const found of await Promise.all(readers)) expect(found.sort()).toEqual(["new", "old", "other"]);
        await reachedAll.promise;
        stop.abort();
        expect(await endless).toBe(3);
      });

      test("without last offsets for all, ends where the partitions ended when it was asked for", async () => {
        const producer = await log.producer("p");
        await producer.append(hits.name, 0, batchOf(["a"]));
        const reading = log.read({ topics: [hits.name], until: [] });
        await producer.append(hits.name, 0, batchOf(["later"]));
        const found: string[] = [];
        for await (const frame of reading) found.push(...textsOf(frame));
        expect(found).toEqual(["a"]);
      });

      test("waits for a last offset that is still to come", async () => {
        const producer = await log.producer("p");
        const { last } = await producer.append(hits.name, 0, batchOf(["a"]));
        const reading = (async () => {
          const found: string[] = [];
          for await (const frame of log.read({ topics: [hits.name], until: [at(last.offset + 1)] }))
            found.push(...textsOf(frame));
          return found;
        })();
        await producer.append(hits.name, 0, batchOf(["b", "c"]));
        expect(await reading).toEqual(["a", "b"]);
      });

      test("keys, nulls and empty values come back as they were", async () => {
        const producer = await log.producer("p");
        const keys = columnOf(["k1", "", "k3"]);
        await producer.append(rows.name, 0, batchOf(["", "", "x"], { keys, nulls: Uint8Array.of(1, 0, 0) }));
        log = await subject.crash(log);
        for await (const frame of log.read({ topics: [rows.name], until: [] })) {
          expect(textsOf(frame)).toEqual(["", "", "x"]);
          expect(textsOf({ ...frame, values: frame.keys! })).toEqual(["k1", "", "k3"]);
          expect([...frame.nulls!]).toEqual([1, 0, 0]);
        }
      });

      test("refuses unknown topics and those of updates", async () => {
        for (const topic of ["events.unknown", things.name]) {
          const reading = log.read({ topics: [topic] })[Symbol.asyncIterator]();
          expect(await rejection(Promise.resolve(reading.next()))).toMatchObject({ kind: "invalid" });
        }
      });
    });

    describe("time of receipt", () => {
      test("never goes back, and a compacted record is strictly later than everything before it", async () => {
        const producer = await log.producer("p");
        for (let i = 0; i < 5; i++) {
          await producer.append(hits.name, i % 2, batchOf([`h${i}`]));
          await producer.append(rows.name, 0, batchOf([`r${i}`], { keys: columnOf(["k"]) }));
        }
        log = await subject.crash(log);
        await (await log.producer("p")).append(rows.name, 0, batchOf(["r5"], { keys: columnOf(["k"]) }));
        const times = new Map<string, number>();
        for await (const frame of log.read({ topics: [hits.name, rows.name], until: [] })) {
          for (const text of textsOf(frame)) times.set(text, frame.timestampMs);
        }
        for (let i = 0; i < 5; i++) {
          expect(times.get(`r${i}`)!).toBeGreaterThan(times.get(`h${i}`)!);
          if (i > 0) expect(times.get(`h${i}`)!).toBeGreaterThanOrEqual(times.get(`r${i - 1}`)!);
        }
        expect(times.get("r5")!).toBeGreaterThan(times.get("r4")!);
      });

      test("lets readers pass over what was received before a moment", async () => {
        const producer = await log.producer("p");
        for (const i of [0, 1, 2]) {
          await producer.append(hits.name, i % 2, batchOf([`h${i}`]));
          await producer.append(rows.name, 0, batchOf([`r${i}`], { keys: columnOf(["k"]) }));
        }
        const times = new Map<string, number>();
        const textsSince = async (fromTimestampMs: number): Promise<string[]> => {
          const found: string[] = [];
          for await (const frame of log.read({ topics: [hits.name, rows.name], fromTimestampMs, until: [] })) {
            for (const text of textsOf(frame)) times.set(text, frame.timestampMs);
            found.push(...textsOf(frame));
          }
          return found.sort();
        };
        expect(await textsSince(0)).toEqual(["h0", "h1", "h2", "r0", "r1", "r2"]);
        for (const again of [false, true]) {
          if (again) log = await subject.crash(log);
          expect(await textsSince(times.get("r1")!)).toEqual(["h2", "r1", "r2"]);
          expect(await textsSince(times.get("r2")! + 1)).toEqual([]);
        }
      });

      test("who sees a record finds every compacted record of its time settled", async () => {
        const producer = await log.producer("p");
        const appends = Array.from({ length: 20 }, (_, i) =>
          i % 3 === 0
            ? producer.append(rows.name, 0, batchOf([`r${i}`], { keys: columnOf(["k"]) }))
            : producer.append(hits.name, 0, batchOf([`h${i}`])),
        );
        let seen = 0;
        for await (const frame of log.read({ topics: [hits.name] })) {
          const settled = await log.settled(rows.name);
          expect(settled.timestampMs).toBeGreaterThanOrEqual(frame.timestampMs);
          expect(settled.next).toEqual((await log.bounds(rows.name)).map(({ next }) => next));
          seen += frame.count;
          if (seen === 13) break;
        }
        await Promise.all(appends);
      });
    });

    describe("a job's transaction", () => {
      test("comes with its updates, quarantined records, inputs and counters, also after a crash", async () => {
        let output = await log.jobOutput("hit");
        expect([output.committed, output.counters]).toEqual([[], {}]);
        await output.commit({
          updates: updatesFor(12),
          quarantined: { topic: quarantine.name, batch: batchOf(["bad one", "bad two"]) },
          inputs: [elsewhere(41), elsewhere(7, 1)],
          counters: { received: [42, 8], ["__proto__"]: [1] },
        });
        const last = await output.commit({
          updates: undefined,
          quarantined: undefined,
          inputs: [elsewhere(50)],
          counters: { received: [51, 8] },
        });
        log = await subject.crash(log);
        output = await log.jobOutput("hit");
        expect(output.committed).toHaveLength(2);
        expect(output.committed).toEqual(expect.arrayContaining([elsewhere(50), elsewhere(7, 1)]));
        expect(output.counters).toEqual({ received: [51, 8] });
        const frames = await updatesOf(log);
        expect(frames.map((frame) => frame.updates()?.eventCount)).toEqual([12, undefined]);
        expect(frames[0]).toMatchObject({ job: "hit", inputs: [elsewhere(41), elsewhere(7, 1)] });
        expect(frames[1]!.offset).toBe(last.last.offset);
        expect(await updatesOf(log, last.first.offset)).toHaveLength(1);
        expect(await recordsOf(log, quarantine.name)).toEqual([["bad one", "bad two"]]);
        const [bounds] = await log.bounds(quarantine.name);
        expect(bounds!.next - bounds!.first).toBeGreaterThanOrEqual(2);
      });

      test("many in flight are stored in order, and readers follow them", async () => {
        const output = await log.jobOutput("hit");
        const stop = new AbortController();
        const following = (async () => {
          const seen: (number | undefined)[] = [];
          for await (const frame of log.readUpdates({ signal: stop.signal })) {
            seen.push(frame.updates()?.eventCount);
            if (seen.length === 50) break;
          }
          return seen;
        })();
        const counts = Array.from({ length: 50 }, (_, i) => i + 1);
        await Promise.all(
          counts.map((count) =>
            output.commit({
              updates: updatesFor(count),
              quarantined: undefined,
              inputs: [elsewhere(count)],
              counters: {},
            }),
          ),
        );
        expect(await following).toEqual(counts);
      });

      test("quarantined records are read like any topic's", async () => {
        const output = await log.jobOutput("hit");
        const stop = new AbortController();
        const following = (async () => {
          const seen: string[] = [];
          for await (const frame of log.read({ topics: [quarantine.name], signal: stop.signal })) {
            seen.push(...textsOf(frame));
            if (seen.length === 3) break;
          }
          return seen;
        })();
        const commit = (values: string[]): Promise<unknown> =>
          output.commit({
            updates: updatesFor(1),
            quarantined: { topic: quarantine.name, batch: batchOf(values) },
            inputs: [],
            counters: {},
          });
        await commit(["a", "b"]);
        await commit(["c"]);
        expect(await following).toEqual(["a", "b", "c"]);
        const [bounds] = await log.bounds(quarantine.name);
        const from = { topic: quarantine.name, partition: 0, offset: bounds!.next - 1 };
        expect(await recordsOf(log, quarantine.name, [from])).toEqual([["c"]]);
      });

      test("a later owner fences the earlier one and goes on from what was committed", async () => {
        const earlier = await log.jobOutput("hit");
        const other = await log.jobOutput("other");
        await earlier.commit({
          updates: undefined,
          quarantined: undefined,
          inputs: [elsewhere(1)],
          counters: { received: [2] },
        });
        const later = await log.jobOutput("hit");
        expect([later.committed, later.counters]).toEqual([[elsewhere(1)], { received: [2] }]);
        const late = earlier.commit({
          updates: updatesFor(1),
          quarantined: undefined,
          inputs: [elsewhere(9)],
          counters: {},
        });
        expect(await rejection(late)).toMatchObject({ kind: "conflict" });
        await other.commit({ updates: undefined, quarantined: undefined, inputs: [], counters: {} });
        expect((await log.jobOutput("hit")).committed).toEqual([elsewhere(1)]);
      });
    });

    describe("a job's worker", () => {
      const window = (inputs: readonly Position[], counters: JobCounters): JobTransaction => ({
        updates: updatesFor(1),
        quarantined: { topic: quarantine.name, batch: batchOf(["bad"]) },
        inputs,
        counters,
      });

      test("that is alone has all partitions, and goes on where it was, also after a crash", async () => {
        const producer = await log.producer("p");
        const [a, b] = [
          (await producer.append(hits.name, 0, batchOf(["a", "b"]))).last,
          (await producer.append(hits.name, 1, batchOf(["c"]))).last,
        ];
        let worker = await log.joinJob("hit", hits.name);
        let assignment = await worker.assignment();
        expect(assignment).toMatchObject({ partitions: [0, 1], committed: [], counters: {} });
        expect(assignment.ending.aborted).toBe(false);
        await assignment.commit(window([a], { received: [2, 0] }));
        await assignment.commit(window([a, b], { received: [2, 1], merged: [1] }));
        await assignment.close();
        const whereItWas = { partitions: [0, 1], committed: [a, b], counters: { received: [2, 1] } };
        assignment = await worker.assignment();
        expect(assignment).toMatchObject(whereItWas);
        expect(assignment.counters["merged"]![0]).toBe(1);
        log = await subject.crash(log);
        worker = await log.joinJob("hit", hits.name);
        assignment = await worker.assignment();
        expect(assignment).toMatchObject(whereItWas);
        await assignment.commit(window([a, b], { received: [2, 1], merged: [2] }));
        expect((await updatesOf(log)).map(({ job }) => job)).toEqual(["hit", "hit", "hit"]);
        expect(await recordsOf(log, quarantine.name)).toEqual([["bad", "bad", "bad"]]);
      });

      test("that leaves ends its assignment, and the next one has its partitions", async () => {
        const worker = await log.joinJob("hit", hits.name);
        const assignment = await worker.assignment();
        await worker.leave();
        expect(await rejection(assignment.commit(window([], {})))).toMatchObject({ kind: "closed" });
        expect(await rejection(worker.assignment())).toMatchObject({ kind: "closed" });
        const next = await (await log.joinJob("hit", hits.name)).assignment();
        expect(next.partitions).toEqual([0, 1]);
        await next.commit(window([], {}));
        expect(await updatesOf(log)).toHaveLength(1);
      });

      test("reads its partitions only", async () => {
        const producer = await log.producer("p");
        for (const partition of [0, 1]) await producer.append(hits.name, partition, batchOf([`p${partition}`]));
        const found: string[] = [];
        for await (const frame of log.read({ topics: [hits.name], partitions: [1], until: [] }))
          found.push(...textsOf(frame));
        expect(found).toEqual(["p1"]);
      });
    });

    describe("topics", () => {
      test("are created once, keep their settings over a crash, and change retention", async () => {
        await log.ensureTopics([hits, { ...rows, retention: { timeMs: 1000 } }]);
        log = await subject.crash(log);
        const settings = new Map((await log.topics()).map((topic) => [topic.name, topic]));
        expect(settings.get(hits.name)).toEqual(hits);
        expect(settings.get(rows.name)).toEqual({ ...rows, retention: { timeMs: 1000 } });
      });

      test("refuse another number of partitions and another form, naming the topic", async () => {
        const wanted: TopicSettings[] = [
          { ...hits, partitions: 3 },
          { ...hits, partitions: 1 },
          { ...hits, form: "compacted" },
        ];
        for (const topic of wanted) {
          const error: unknown = await log.ensureTopics([topic]).catch((cause: unknown) => cause);
          expect(error).toMatchObject({ kind: "invalid", message: expect.stringContaining(hits.name) as unknown });
        }
        expect((await log.topics()).find(({ name }) => name === hits.name)).toEqual(hits);
      });

      test("of compacted form keep the latest record of each key, whatever is maintained", async () => {
        const producer = await log.producer("p");
        for (const value of ["1", "2", "3"]) {
          await producer.append(rows.name, 0, batchOf([`a${value}`, `b${value}`], { keys: columnOf(["a", "b"]) }));
        }
        await log.maintain();
        const latest = new Map<string, string>();
        for await (const frame of log.read({ topics: [rows.name], until: [] })) {
          const keys = textsOf({ ...frame, values: frame.keys! });
          textsOf(frame).forEach((value, i) => latest.set(keys[i]!, value));
        }
        expect(Object.fromEntries(latest)).toEqual({ a: "a3", b: "b3" });
      });
    });

    test("close finishes what was appended; readers and later calls are told that it is closed", async () => {
      const producer = await log.producer("p");
      const reading = (async () => {
        for await (const frame of log.read({ topics: [rows.name] })) assert(frame.count > 0, "an empty frame");
      })();
      const closed = rejection(reading);
      const append = producer.append(hits.name, 0, batchOf(["a"]));
      await log.close();
      await append;
      expect(await closed).toMatchObject({ kind: "closed" });
      expect(await rejection(producer.append(hits.name, 0, batchOf(["b"])))).toMatchObject({ kind: "closed" });
      log = await subject.open();
      expect(await recordsOf(log, hits.name)).toEqual([["a"], []]);
    });
  });
}
