// The streaming example stage by stage on one thread: CPU per event of each, against the guard rails that a prototype's figures set.
//
// Every stage works through all events before the next begins, so that its CPU time is its own. What only exists between stages (HTTP, messages
// between threads, the event loop) is measured end to end (end-to-end.ts).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import streaming from "../examples/streaming/graph.ts";
import { systemClock, systemTimers } from "../src/core/clock.ts";
import { createOutputs } from "../src/gateway/record-output.ts";
import { Transcoder } from "../src/gateway/transcoder.ts";
import { createMergeWindow } from "../src/jobs/operators/merge-window.ts";
import { createSideInputTable } from "../src/jobs/operators/side-input-table.ts";
import { compileJob, compileRowReader } from "../src/jobs/plan/compiler.ts";
import { openEmbeddedLog } from "../src/log/embedded/log.ts";
import type { RecordBatch, RecordFrame } from "../src/log/port.ts";
import { openEmbeddedStore } from "../src/store/embedded/open.ts";
import { bodiesOf } from "./bodies.ts";

/** Most microseconds of CPU per event, by stage. */
export const guardRails: Readonly<Record<string, number>> = {
  transcode: 0.8,
  append: 0.2,
  job: 1.5,
  publish: 0.7,
  apply: 6,
};

const inFlight = 16;
const framing = 5;
const model = streaming.model;

export interface StageFigures {
  readonly events: number;
  readonly windowEvents: number;
  /** Of the thread that does the stage; what files cost in the thread pool and in the kernel is in `allThreads...`. */
  readonly cpuUsPerEvent: Readonly<Record<string, number>>;
  readonly allThreadsCpuUsPerEvent: Readonly<Record<string, number>>;
  readonly bytesPerEvent: { readonly eventLog: number; readonly journal: number };
}

export async function measureStages(events: number, windowEvents = 5000): Promise<StageFigures> {
  const folder = await mkdtemp(join(tmpdir(), "rdg-stages-"));
  const used: Record<string, number> = {};
  const allThreads: Record<string, number> = {};
  const measure = async <T>(stage: string, work: () => T | Promise<T>): Promise<T> => {
    const before = [process.cpuUsage(), process.threadCpuUsage()] as const;
    const result = await work();
    const all = process.cpuUsage(before[0]);
    const own = process.threadCpuUsage(before[1]);
    allThreads[stage] = Number(((all.user + all.system) / events).toFixed(3));
    used[stage] = Number(((own.user + own.system) / events).toFixed(3));
    return result;
  };
  const bodies = bodiesOf(new PlaybackGenerator({ startMs: Date.now() - 3_600_000 }), events);
  const log = await openEmbeddedLog({ folder: join(folder, "log"), clock: systemClock, timers: systemTimers });
  const store = await openEmbeddedStore({
    folder: join(folder, "store"),
    model,
    clock: systemClock,
    timers: systemTimers,
    settings: { memoryMaxBytes: 8e9, checkpointDebtMaxBytes: Number.MAX_SAFE_INTEGER },
  });
  try {
    await log.ensureTopics([
      { name: "events.playback", form: "records", partitions: 1, retention: {} },
      { name: "edges.watched", form: "updates", partitions: 1, retention: {} },
    ]);
    const producer = await log.producer("bench");
    const batches = await measure("transcode", () => transcode(bodies));
    await measure("append", async () => {
      for (let i = 0; i < batches.length; i += inFlight) {
        await Promise.all(batches.slice(i, i + inFlight).map((batch) => producer.append("events.playback", 0, batch)));
      }
    });
    const eventBytes = (await log.bounds("events.playback"))[0]!.sizeBytes;
    const frames = await collect(
      log.read({
        topics: ["events.playback"],
        until: [{ topic: "events.playback", partition: 0, offset: events - 1 }],
      }),
    );
    const packed = await measure("job", () => runJob(frames, windowEvents, used, events));
    const output = await log.jobOutput("playback");
    await measure("commit", async () => {
      for (const updates of packed) await output.commit({ updates, quarantined: undefined, inputs: [], counters: {} });
    });
    const journalBytes = (await log.bounds("edges.watched"))[0]!.sizeBytes;
    const updates = await collect(log.readUpdates({ until: packed.length - 1 }));
    await measure("apply", async () => {
      for (const frame of updates) await store.apply(frame);
    });
    used["job"] = Number((used["job"]! - used["encode"]!).toFixed(3));
    used["publish"] = Number((used["encode"]! + used["commit"]!).toFixed(3));
    return {
      events,
      windowEvents,
      cpuUsPerEvent: used,
      allThreadsCpuUsPerEvent: allThreads,
      bytesPerEvent: { eventLog: Math.round(eventBytes / events), journal: Math.round(journalBytes / events) },
    };
  } finally {
    await store.close();
    await log.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function transcode(bodies: readonly Uint8Array[]): RecordBatch[] {
  const { fields, key, time } = model.events[0]!;
  const transcoder = new Transcoder({
    fields,
    key,
    time,
    schemaId: 1,
    outputs: createOutputs(1, false),
    recordBytesMax: 1_048_576,
    recordsMax: 100_000,
  });
  const latestMs = Date.now() + model.skewMaxMs;
  return bodies.map((body) => {
    transcoder.readLines(Buffer.from(body.buffer, body.byteOffset, body.byteLength), latestMs);
    return transcoder.outputs[0]!.take();
  });
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) items.push(item);
  return items;
}

function runJob(
  frames: readonly RecordFrame[],
  windowEvents: number,
  used: Record<string, number>,
  events: number,
): Uint8Array[] {
  const table = createSideInputTable(compileRowReader(model.sideInputs[0]!.fields), () => -Infinity);
  const job = compileJob(model, model.jobs[0]!, { side: () => table });
  const window = createMergeWindow(model);
  const packed: Uint8Array[] = [];
  let count = 0;
  let encodeUs = 0;
  const take = (): void => {
    const before = process.cpuUsage();
    packed.push(window.take()!);
    const { user, system } = process.cpuUsage(before);
    encodeUs += user + system;
  };
  for (const { values, count: records, timestampMs } of frames) {
    for (let i = 0; i < records; i++) {
      job.process(values.bytes, values.starts[i]! + framing, values.starts[i + 1]!, timestampMs, window.sink);
      if (++count % windowEvents === 0) take();
    }
  }
  if (!window.isEmpty) take();
  used["encode"] = Number((encodeUs / events).toFixed(3));
  return packed;
}
