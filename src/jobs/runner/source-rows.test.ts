// Side inputs out of a team's topic, over a log of the test's own: what fails for a while is taken again, what is no row is told once, what has no room stops.
import { expect, test } from "vitest";
import { ManualTime } from "../../../test/log/manual-time.ts";
import { RdgError } from "../../core/errors.ts";
import { defineGraph, event, job, node, sideInput, t } from "../../index.ts";
import type { LogReader, RecordFrame } from "../../log/port.ts";
import { AvroWriter } from "../../model/avro/avro-writer.ts";
import type { QuarantineRecord } from "../../model/quarantine.ts";
import { openSideInputs, type SideInputs } from "./side-inputs.ts";

const film = sideInput("film", {
  from: { topic: "films", values: "json" },
  key: "id",
  partitions: 2,
  fields: { id: t.string() },
});
const seen = event("seen", { key: "id", time: "at", fields: { id: t.string(), at: t.timestamp() } });
const thing = node("thing", {});
const graph = defineGraph("g", {
  jobs: [
    job(seen)
      .enrich({ film: film.by((e) => e.id) })
      .emit((e) => [thing.upsert(e.id)]),
  ],
});

function columnOf(texts: readonly (string | undefined)[]): { bytes: Uint8Array; starts: Uint32Array } {
  const starts = new Uint32Array(texts.length + 1);
  for (const [i, text] of texts.entries()) starts[i + 1] = starts[i]! + Buffer.byteLength(text ?? "");
  return { bytes: Buffer.from(texts.join("")), starts };
}

/** Records with keys, of one partition from offset 5 on. */
function frameOf(partition: number, records: readonly (readonly [string, string | undefined])[]): RecordFrame {
  return {
    topic: "inputs.film",
    partition,
    firstOffset: 5,
    count: records.length,
    timestampMs: 100,
    keys: columnOf(records.map(([key]) => key)),
    values: columnOf(records.map(([, value]) => value)),
    nulls: Uint8Array.from(records, ([, value]) => (value === undefined ? 1 : 0)),
  };
}

interface Opened {
  readonly inputs: SideInputs;
  readonly time: ManualTime;
  readonly quarantined: QuarantineRecord[];
  /** The registry, or the quarantine, cannot be asked now. */
  readonly isAway: { registry: boolean; quarantine: boolean };
}

/** Retention has removed all that there was in partition 1 behind its frames. */
function open(frames: readonly RecordFrame[], sizeBytesMax = 1e6): Opened {
  const time = new ManualTime(1_000);
  const isAway = { registry: false, quarantine: false };
  const quarantined: QuarantineRecord[] = [];
  const away = (): RdgError => new RdgError("unavailable", "away", "away");
  const log: Pick<LogReader, "read" | "settled" | "bounds"> = {
    async *read({ from = [], signal }) {
      for (const frame of frames) {
        const begin = from.find(({ partition }) => partition === frame.partition)?.offset ?? 0;
        if (begin <= frame.firstOffset) yield frame;
      }
      await new Promise<void>((resolve) => signal!.addEventListener("abort", () => resolve(), { once: true }));
    },
    settled: async () => ({ timestampMs: 200, next: [5 + frames[0]!.count, 9] }),
    bounds: async () => [
      { partition: 0, first: 0, next: 9, sizeBytes: 0 },
      { partition: 1, first: 9, next: 9, sizeBytes: 0 },
    ],
  };
  const inputs = openSideInputs({
    model: graph.model,
    log: log as LogReader,
    timers: time,
    schemaIds: new Map(),
    conversions: () => () => Promise.reject(new Error("of rows in RDG's own topics")),
    sourceConversions: () => async () => {
      if (isAway.registry) throw away();
      return (bytes) => {
        const id = Buffer.from(bytes).toString();
        if (id === "bad") throw new RdgError("invalid", "invalid_record", "it is bad");
        const writer = new AvroWriter();
        writer.text(id);
        return { key: Buffer.from(id), row: writer.copy() };
      };
    },
    quarantine: async (_, records) => {
      if (isAway.quarantine) throw away();
      quarantined.push(...records);
    },
    sizeBytesMax,
    oldestNeededMs: () => 0,
  });
  return { inputs, time, quarantined, isAway };
}

const has = (inputs: SideInputs, id: string, atMs = 150): boolean =>
  inputs.table("film").find(Buffer.from(id), 0, Buffer.byteLength(id), atMs) !== undefined;

/** What is waited for needs timers to pass, which do when the test says so. */
async function passing(time: ManualTime, until: Promise<unknown>): Promise<void> {
  const state = { isOver: false };
  const over = (): void => void (state.isOver = true);
  void until.then(over, over);
  for (let i = 0; i < 200 && !state.isOver; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    time.advance(500);
  }
  await until;
}

const records = [
  ["k1", "one"],
  ["k2", "bad"],
  ["k3", "three"],
  ["k1", "uno"],
  ["k3", undefined],
  ["", undefined],
] as const;

test("rows under the team's keys; what is none is quarantined with its place", async () => {
  const { inputs, time, quarantined } = open([frameOf(0, records)]);
  await passing(time, inputs.readThrough(["film"], 150)!);
  expect(["one", "uno", "three", "bad"].map((id) => has(inputs, id))).toEqual([false, true, false, false]);
  expect(has(inputs, "uno", 99)).toBe(false);
  const place = { stage: "inputs.film", code: "malformed_record", topic: "inputs.film", partition: 0 };
  expect(quarantined).toMatchObject([
    { ...place, offset: 6, message: expect.stringContaining("it is bad") },
    { ...place, offset: 10, message: "The record has neither a key nor a value." },
  ]);
  expect(inputs.status()).toMatchObject([{ name: "film", rows: 1, malformed: 2 }]);
  await inputs.close();
});

test("nothing is lost or told twice while registry and quarantine are away", async () => {
  const { inputs, time, quarantined, isAway } = open([frameOf(0, records)]);
  isAway.registry = true;
  isAway.quarantine = true;
  const read = inputs.readThrough(["film"], 150)!;
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    time.advance(500);
    if (i === 5) isAway.registry = false;
  }
  expect(quarantined).toEqual([]);
  isAway.quarantine = false;
  await passing(time, read);
  expect(has(inputs, "uno")).toBe(true);
  expect(quarantined).toHaveLength(2);
  expect(inputs.status()).toMatchObject([{ rows: 1, malformed: 2 }]);
  await inputs.close();
});

test("rows for which there is no room stop the jobs that look them up", async () => {
  const { inputs, time } = open([frameOf(0, records)], 100);
  await expect(passing(time, inputs.readThrough(["film"], 150)!)).rejects.toMatchObject({ code: "inputs_full" });
  await inputs.close();
});
