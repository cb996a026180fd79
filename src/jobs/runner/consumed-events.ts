// Reads events that a job has consumed again, as far back as a repeat of one of their ids may still come.
import type { Clock } from "../../core/clock.ts";
import type { LogReader, RecordFrame } from "../../log/port.ts";
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
  readonly signal: AbortSignal;
}

/** The frames of the last horizons before the first event that is still to be consumed. */
export async function* consumedEvents(options: ConsumedEventsOptions): AsyncGenerator<RecordFrame, void, undefined> {
  const { log, event, partitions, consumed, signal } = options;
  if (partitions.every((partition) => consumed[partition]! < 0)) return;
  const topic = `events.${event.name}`;
  // Every partition is named, also where nothing is consumed: without a position it would be read to its end.
  const until = partitions.map((partition): Position => ({ topic, partition, offset: consumed[partition]! }));
  const fromTimestampMs = (await waitingSinceMs(options, topic)) - horizons * event.dedupHorizonMs;
  yield* log.read({ topics: [topic], partitions, fromTimestampMs, until, signal });
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
