// A log on a simulated disk with a manual clock: what most tests of the embedded log begin with.
import { seededRandom } from "../../src/core/random.ts";
import { batchOf, textsOf } from "../../src/log/conformance-batches.ts";
import { type EmbeddedLog, openEmbeddedLog } from "../../src/log/embedded/log.ts";
import type { EmbeddedLogSettings } from "../../src/log/embedded/settings.ts";
import type { RecordBatch, TopicSettings } from "../../src/log/port.ts";
import { ManualTime } from "./manual-time.ts";
import { SimulatedDisk } from "./simulated-disk.ts";

export const hits: TopicSettings = { name: "events.hit", form: "records", partitions: 1, retention: {} };

export interface OpenedOn {
  readonly disk: SimulatedDisk;
  readonly time: ManualTime;
  readonly settings?: Partial<EmbeddedLogSettings>;
}

export function freshDisk(seed = 1): OpenedOn {
  return { disk: new SimulatedDisk(seededRandom(seed)), time: new ManualTime(1_700_000_000_000) };
}

export function openOn({ disk, time, settings = {} }: OpenedOn): Promise<EmbeddedLog> {
  return openEmbeddedLog({
    folder: "/log",
    clock: time,
    timers: time,
    random: seededRandom(7),
    fileSystem: disk.process(),
    settings,
  });
}

/** Appends each value as a batch of its own and waits for it. */
export async function appendEach(
  log: EmbeddedLog,
  values: readonly string[],
  more: Partial<RecordBatch> = {},
  topic = hits.name,
): Promise<void> {
  const producer = await log.producer("p");
  for (const value of values) await producer.append(topic, 0, batchOf([value], more));
}

export async function valuesOf(log: EmbeddedLog, topic = hits.name): Promise<string[]> {
  const values: string[] = [];
  for await (const frame of log.read({ topics: [topic], until: [] })) values.push(...textsOf(frame));
  return values;
}

/** The error that a promise rejects with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
}
