// How topics of records get more partitions while events flow: who goes by which number, and when.
//
// Producers and workers learn of a growth by its record in `rdg.topics`, which says from when on it counts: later than any of them looks there again. Partitions
// grow by whole factors, so a key stays where it is or goes to a partition that came, and which one it came from is known.
import { RdgError } from "../../core/errors.ts";
import type { EarlierPartitions, TopicSettings } from "../port.ts";

/** Everybody looks at least this often. */
export const lookAgainMs = 1_000;
/** Who could not look for so long does not share records out before it has. */
export const staleAfterMs = 4_000;
/** From the record to the first event in a partition that came. */
const noticeMs = 8_000;
/** Clocks of gateways and workers may differ by half of it. */
const settleMs = 4_000;

export function grown(known: TopicSettings, wanted: TopicSettings, nowMs: number): TopicSettings {
  const untilMs = nowMs + noticeMs;
  const now: EarlierPartitions = { partitions: known.partitions, untilMs, settledMs: untilMs + settleMs };
  return { ...wanted, earlier: [...(known.earlier ?? []), now] };
}

export function grows(known: TopicSettings, { partitions, form, foreign }: TopicSettings): boolean {
  // A team's topic is as its owner has made it.
  if (foreign !== undefined) return partitions > known.partitions;
  return form === "records" && partitions > known.partitions && partitions % known.partitions === 0;
}

/** Among how many partitions producers share keys out. */
export function partitionsAt({ partitions, earlier = [] }: TopicSettings, nowMs: number): number {
  return earlier.find(({ untilMs }) => nowMs < untilMs)?.partitions ?? partitions;
}

/** Whether what is in the partition may be worked off: nothing comes any more where its keys were before. */
export function isOpen(
  { partitions, earlier = [], foreign }: TopicSettings,
  partition: number,
  nowMs: number,
): boolean {
  if (foreign !== undefined) return true;
  // The first number above it was the one that brought it.
  const before = earlier.findLast((each) => each.partitions <= partition);
  return partition < partitions && (before === undefined || nowMs >= before.settledMs);
}

/** Where a batch that repeats one of an earlier number of partitions finds it, by the number that it was shared out by. */
export function sourcesOf(
  { earlier = [] }: TopicSettings,
  partition: number,
  sinceMs: number,
): readonly { readonly partition: number; readonly sharedAmong: number }[] {
  return earlier.flatMap(({ partitions, settledMs }) =>
    settledMs < sinceMs ? [] : { partition: partition % partitions, sharedAmong: partitions },
  );
}

/** Under which a batch is remembered: parts of a request that were shared out otherwise are other batches. */
export function keyAmong({ earlier = [] }: TopicSettings, key: string, sharedAmong: number | undefined): string {
  const [first] = earlier;
  return first === undefined || sharedAmong === undefined || sharedAmong === first.partitions
    ? key
    : `${key}\0${sharedAmong}`;
}

/** Whether records that were shared out by this number come too late for it. */
export function isOutdated({ earlier = [] }: TopicSettings, sharedAmong: number | undefined, nowMs: number): boolean {
  const before = earlier.find(({ partitions }) => partitions === sharedAmong);
  return before !== undefined && nowMs > before.untilMs + settleMs / 2;
}

export function outdated(topic: string): RdgError {
  return new RdgError("unavailable", "partitions_changed", `${topic} has got more partitions meanwhile.`, {
    place: topic,
    hint: "Send the same again, with the same idempotency key.",
    retryAfterMs: 0,
  });
}
