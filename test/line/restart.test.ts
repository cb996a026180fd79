// What a job must still know when it begins again, and what must go on when something else cannot.
import { count, defineGraph, event, type Graph, job, node, sideInput, t } from "rdg";
import { afterEach, expect, test } from "vitest";
import { partitionOf } from "../../src/model/partitioner.ts";
import { closeLine } from "./embedded-line.ts";
import { SmallLine } from "./small-line.ts";

const horizonMs = 1000;

function graphOf(more: object = {}, windowKeys = 1000): Graph {
  const hit = event("hit", {
    key: "key",
    time: "at",
    id: "id",
    dedupHorizon: `${horizonMs}ms`,
    partitions: 2,
    fields: { id: t.string(), key: t.string(), at: t.timestamp(), ...more },
  });
  const names = sideInput("names", { key: "key", fields: { key: t.string(), name: t.string() } });
  const thing = node("thing", { hits: t.counter(), names: t.set(t.string()) });
  return defineGraph("small", {
    jobs: [
      job(hit, { window: "500ms", windowKeys })
        .enrich({ known: names.by((e) => e.key) })
        .emit((e, { known }) => [thing.upsert(e.key, { hits: count(1), names: known.name })]),
    ],
  });
}

/** A key of the first and one of the second partition. */
const keys = [0, 1].map((partition) => ["a", "b", "c", "d", "e"].find((key) => partitionOfKey(key) === partition)!);

function partitionOfKey(key: string): number {
  return partitionOf(Buffer.from(key), 0, key.length, 2);
}

let small: SmallLine;
afterEach(() => small.close());

const hit = (id: string, key = keys[0]!) => ({ id, key, at: small.time.startMs });

test("events of a partition of which nothing is processed yet are no repeats after a restart", async () => {
  small = await SmallLine.open(graphOf());
  await small.send("hit", hit("1", keys[0]));
  await small.caughtUp();
  await small.send("hit", hit("2", keys[1]), hit("3", keys[0]));
  await small.restart();
  await small.caughtUp();
  expect(await small.nodes("thing")).toEqual({ [keys[0]!]: { hits: 2 }, [keys[1]!]: { hits: 1 } });
});

test("a repeat that waited for its job for long is a repeat", async () => {
  small = await SmallLine.open(graphOf());
  await small.send("hit", hit("1"));
  await small.caughtUp();
  await small.send("hit", hit("1"));
  await small.restart(100 * horizonMs);
  await small.caughtUp();
  expect(await small.nodes("thing")).toEqual({ [keys[0]!]: { hits: 1 } });
});

test("a repeat of what was written with an earlier schema is a repeat", async () => {
  small = await SmallLine.open(graphOf());
  await small.send("hit", hit("1"));
  await small.caughtUp();
  await small.restart(0, graphOf({ note: t.string().optional() }));
  await small.send("hit", hit("1"), hit("2"));
  await small.caughtUp();
  expect(await small.nodes("thing")).toEqual({ [keys[0]!]: { hits: 2 } });
});

test("an event that is processed again finds the row that there was when it was received", async () => {
  small = await SmallLine.open(graphOf());
  await small.send("names", { key: keys[0], name: "first" });
  await small.send("hit", hit("1"));
  await small.send("names", { key: keys[0], name: "second" });
  await small.send("hit", hit("2"));
  // Both events are in the open window by now: what they need may look dispensable.
  await small.time.pass(100);
  await small.send("names", { key: keys[0], name: "third" });
  await small.time.pass(100);
  small.faults.failsFirst = true;
  small.faults.logOneIn = 1;
  await small.time.pass(1000);
  small.faults.logOneIn = Infinity;
  await small.caughtUp();
  expect(await small.nodes("thing")).toEqual({ [keys[0]!]: { hits: 2, names: ["first", "second"] } });
});

test("who reads the log and is broken off reads on", async () => {
  small = await SmallLine.open(graphOf());
  small.faults.readOneIn = 2;
  for (let i = 0; i < 12; i++) {
    const key = keys[i % 2]!;
    await small.send("names", { key, name: `name ${i}` });
    await small.send("hit", hit(`${i}`, key));
    await small.caughtUp();
    // Longer than ids are remembered: a job that begins again has little to read.
    await small.time.pass(5 * horizonMs);
  }
  const namesOf = (key: number): string[] => [0, 2, 4, 6, 8, 10].map((i) => `name ${i + key}`).sort();
  expect(await small.nodes("thing")).toEqual({
    [keys[0]!]: { hits: 6, names: namesOf(0) },
    [keys[1]!]: { hits: 6, names: namesOf(1) },
  });
});

test("a line whose store takes nothing can be closed, and its jobs finish their work before", async () => {
  small = await SmallLine.open(graphOf({}, 1));
  await small.time.until(small.line.control.pause("hit"), "pausing");
  // More transactions than may wait for the store: every frame fills the window.
  for (let i = 0; i < 30; i++) await small.send("hit", hit(`${i}`));
  small.faults.refusals = 1;
  await small.line.control.resume("hit");
  await small.time.pass(5000);
  const ahead = await jobsAhead();
  expect(ahead).toBeGreaterThan(0);
  await small.time.until(closeLine(small.line), "closing", 60_000);
  small.faults.refusals = 0;
  await small.restart();
  expect(await jobsAhead()).toBe(0);
  await small.caughtUp();
  expect(await small.nodes("thing")).toEqual({ [keys[0]!]: { hits: 30 } });
});

/** Events that are still to be processed. */
async function jobsAhead(): Promise<number> {
  const { jobs } = await small.line.control.status();
  return jobs[0]!.lagRecords;
}

test("events that retention removed before their job came to them are counted as expired", async () => {
  const hits = event("hit", {
    key: "key",
    time: "at",
    partitions: 2,
    retention: { time: "1m" },
    fields: { id: t.string(), key: t.string(), at: t.timestamp() },
  });
  const thing = node("thing", { hits: t.counter() });
  const graph = defineGraph("small", { jobs: [job(hits).emit((e) => [thing.upsert(e.key, { hits: count(1) })])] });
  small = await SmallLine.open(graph, { "jobs.paused": "hit" });
  for (let i = 0; i < 3; i++) await small.send("hit", hit(`early ${i}`));
  const [bounds] = await small.line.log.bounds("events.hit");
  await small.time.pass(3_600_000);
  await small.send("hit", hit("late"));
  await small.time.pass(600_000);
  expect(await small.line.log.bounds("events.hit")).not.toContainEqual(bounds);
  small.settings = {};
  await small.restart();
  await small.send("hit", hit("last"));
  await small.caughtUp();
  const { jobs } = await small.line.control.status();
  const { received, expired, mapped } = jobs[0]!.counters;
  expect(received).toEqual([5, 0]);
  expect(expired[0]).toBeGreaterThanOrEqual(3);
  expect(received[0]).toBe(expired[0]! + mapped[0]!);
});
