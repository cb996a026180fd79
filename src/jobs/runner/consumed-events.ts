// Reads events that a job has consumed again, as far back as a repeat of one of their ids may still come.
import type { Clock } from "../../core/clock.ts";
import type { EarlierPartitions, LogReader, RecordFrame } from "../../log/port.ts";
import type { EventModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";

/** How many horizons are read: whether an id was accepted depends on what came a horizon before it, and so on. */
const horizons = 4;

export interface ConsumedEventsOptions {
  readonly log: LogReader;
  readonly clock: Clock;
  readonly event: EventModel;
  /** Those that are asked about. */
  readonly partitions: readonly number[];
  /** Last consumed offset by partition; -1 before the first. */
  readonly consumed: readonly number[];
  /** Of the topic, if it has grown. */
  readonly earlier: readonly EarlierPartitions[];
  readonly signal: AbortSignal;
}

/** The frames of the last horizons before the first event that is still to be consumed. */
export async function* consumedEvents(options: ConsumedEventsOptions): AsyncGenerator<RecordFrame, void, undefined> {
  const { log, event, partitions, consumed, signal, earlier } = options;
  if (earlier.length === 0 && partitions.every((partition) => consumed[partition]! < 0)) return;
  const topic = `events.${event.name}`;
  // Every partition is named, also where nothing is consumed: without a position it would be read to its end.
  const until = partitions.map((partition): Position => ({ topic, partition, offset: consumed[partition]! }));
  const fromTimestampMs = (await waitingSinceMs(options, topic)) - horizons * event.dedupHorizonMs;
  for (const partition of partitions) yield* movedEvents(options, partition, fromTimestampMs);
  yield* log.read({ topics: [topic], partitions, fromTimestampMs, until, signal });
}

/** Those of the partition's keys that are in the partitions where these were before the topic grew, as if they were in it; and others with them. */
async function* movedEvents(
  { log, event, earlier, signal }: ConsumedEventsOptions,
  partition: number,
  fromTimestampMs: number,
): AsyncGenerator<RecordFrame, void, undefined> {
  const settledMs = new Map<number, number>();
  for (const each of earlier) settledMs.set(partition % each.partitions, each.settledMs);
  settledMs.delete(partition);
  for (const [before, untilMs] of settledMs) {
    if (untilMs < fromTimestampMs) continue;
    const options = { topics: [`events.${event.name}`], partitions: [before], fromTimestampMs, until: [], signal };
    for await (const frame of log.read(options)) {
      if (frame.timestampMs > untilMs) break;
      yield { ...frame, partition };
    }
  }
}

/** When the first event that is still to be consumed was received; now when there is none. */
async function waitingSinceMs(options: ConsumedEventsOptions, topic: string): Promise<number> {
  const { log, clock, partitions, consumed, signal } = options;
  const bounds = (await log.bounds(topic)).filter(({ partition }) => partitions.includes(partition));
  const from = bounds.map(({ partition, first }): Position => {
    return { topic, partition, offset: Math.max(first, consumed[partition]! + 1) };
  });
  // The first one of each partition, where there is one.
  const until = from.map((position, i) => (position.offset < bounds[i]!.next ? position : { ...position, offset: -1 }));
  let sinceMs = clock.now();
  for await (const { timestampMs } of log.read({ topics: [topic], partitions, from, until, signal })) {
    sinceMs = Math.min(sinceMs, timestampMs);
  }
  return sinceMs;
}
