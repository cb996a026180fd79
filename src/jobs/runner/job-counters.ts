// What a job counts, per input partition and absolute since it first ran; committed with every transaction, so exact under crashes.
import type { JobCounters } from "../../log/port.ts";

/**
 * received = expired + filtered + deduplicated + quarantined + mapped: every event of the topic up to the committed position. `expired` ones were removed by the topic's
 * retention before the job came to them. emitted = merged + published.
 * `skipped` counts updates that were not emitted because an id was absent or empty. `merged` and `published` are of windows, so of several partitions together:
 * only their sums over all partitions mean anything.
 */
export const counterNames = [
  "received",
  "expired",
  "filtered",
  "deduplicated",
  "quarantined",
  "mapped",
  "skipped",
  "emitted",
  "merged",
  "published",
] as const;

export type CounterName = (typeof counterNames)[number];
export type Counts = Record<CounterName, number[]>;

/** Goes on from committed counters; a name that they lack starts at zero. */
export function countsFrom(committed: JobCounters, partitions: number): Counts {
  const counts = {} as Counts;
  for (const name of counterNames) {
    counts[name] = Array.from({ length: partitions }, (_, partition) => committed[name]?.[partition] ?? 0);
  }
  return counts;
}

export function totalOf(counts: JobCounters, name: CounterName): number {
  return (counts[name] ?? []).reduce((sum, count) => sum + count, 0);
}

/** A copy that later counting does not change. */
export function snapshotOf(counts: Counts): JobCounters {
  return Object.fromEntries(counterNames.map((name) => [name, [...counts[name]]]));
}
