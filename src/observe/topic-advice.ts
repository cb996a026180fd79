// How long topics of events should be kept and how many partitions they need, by what they receive: advice, in numbers that can be checked by hand.
import type { LogReader } from "../log/port.ts";

/** What a topic was measured to receive. */
export interface TopicLoad {
  readonly topic: string;
  readonly partitions: number;
  /** Over the time that was looked at. */
  readonly recordsPerSecond: number;
  /** As stored, with everything around a record. */
  readonly bytesPerRecord: number;
}

export interface AdviceBounds {
  /** Disk for all topics of events, on all brokers. */
  readonly budgetBytes: number;
  readonly replicas: number;
  /** How far the slowest reader may fall behind, the archive for example: records are kept for twice as long at least. */
  readonly lagMs: number;
  /** How much more comes at the worst times than on average. */
  readonly peak: number;
}

export interface TopicAdvice extends TopicLoad {
  /** Undefined where nothing came: there is nothing to go by. */
  readonly retentionMs: number | undefined;
  /** Per partition: what the retention takes at the peak, so that time decides and size is the emergency brake. */
  readonly retentionBytes: number | undefined;
  readonly partitionsNeeded: number;
  /** What goes on disk within the retention, with all replicas. */
  readonly diskBytes: number;
}

export interface Advice {
  readonly topics: readonly TopicAdvice[];
  readonly diskBytes: number;
  /** Whether the budget holds twice the lag of everything. */
  readonly fits: boolean;
}

/** Half of what a worker was measured to do with one partition (docs/kafka.md). */
const recordsPerPartition = 10_000;
const retentionLeastMs = 3_600_000;
const roundings = [86_400_000, 3_600_000, 60_000];

/** The same time for all topics: as long as the budget holds, and twice the lag in any case. */
export function adviseTopics(
  loads: readonly TopicLoad[],
  { budgetBytes, replicas, lagMs, peak }: AdviceBounds,
): Advice {
  const bytesPerMs = ({ recordsPerSecond, bytesPerRecord }: TopicLoad): number =>
    (recordsPerSecond * bytesPerRecord * replicas) / 1_000;
  const total = loads.reduce((sum, load) => sum + bytesPerMs(load), 0);
  const leastMs = Math.max(2 * lagMs, retentionLeastMs);
  const affordableMs = total === 0 ? leastMs : rounded(budgetBytes / total);
  const retentionMs = Math.max(leastMs, affordableMs);
  const topics = loads.map((load): TopicAdvice => {
    const partitionsNeeded = Math.max(1, Math.ceil((load.recordsPerSecond * peak) / recordsPerPartition));
    if (load.recordsPerSecond === 0) {
      return { ...load, retentionMs: undefined, retentionBytes: undefined, partitionsNeeded, diskBytes: 0 };
    }
    const diskBytes = bytesPerMs(load) * retentionMs;
    const retentionBytes = Math.ceil((diskBytes * peak) / replicas / load.partitions);
    return { ...load, retentionMs, retentionBytes, partitionsNeeded, diskBytes };
  });
  const diskBytes = topics.reduce((sum, each) => sum + each.diskBytes, 0);
  return { topics, diskBytes, fits: diskBytes <= budgetBytes };
}

/** Down to whole days, hours or minutes: the largest of them that it has. */
function rounded(ms: number): number {
  const unit = roundings.find((each) => ms >= each) ?? 1;
  return Math.floor(ms / unit) * unit;
}

/** What the topic received within the last `overMs`, or since its first kept record. */
export async function loadOf(log: LogReader, topic: string, overMs: number, nowMs: number): Promise<TopicLoad> {
  const bounds = await log.bounds(topic);
  let [records, kept, bytes, sinceMs] = [0, 0, 0, nowMs];
  for (const { partition, first, next, sizeBytes } of bounds) {
    kept += next - first;
    bytes += sizeBytes;
    const begin = await firstSince(log, topic, partition, nowMs - overMs);
    if (begin === undefined) continue;
    records += next - begin.offset;
    sinceMs = Math.min(sinceMs, begin.timestampMs);
  }
  const seconds = Math.max(1, (nowMs - sinceMs) / 1_000);
  return {
    topic,
    partitions: bounds.length,
    recordsPerSecond: records === 0 ? 0 : records / seconds,
    bytesPerRecord: kept === 0 ? 0 : bytes / kept,
  };
}

async function firstSince(
  log: LogReader,
  topic: string,
  partition: number,
  fromTimestampMs: number,
): Promise<{ readonly offset: number; readonly timestampMs: number } | undefined> {
  const frames = log.read({ topics: [topic], partitions: [partition], fromTimestampMs, until: [] });
  for await (const { firstOffset, timestampMs } of frames) return { offset: firstOffset, timestampMs };
  return undefined;
}
