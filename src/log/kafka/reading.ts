// Reads as the port has them: records of topics, and the transactions of the journal.
import type { Position } from "../../model/position.ts";
import type { ReadOptions, ReadUpdatesOptions, RecordFrame, TopicSettings, UpdateFrame } from "../port.ts";
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { type Directory, journalTopic } from "./directory.ts";
import { type Cursor, fetchBatches, type FetchedBatch } from "./fetcher.ts";
import { decodeTransaction } from "./journal-record.ts";
import { type BatchRecords, decodeRecords } from "./record-batch.ts";

export interface ReadContext {
  readonly cluster: KafkaCluster;
  readonly directory: Directory;
  readonly closed: AbortSignal;
  /** Told of every frame that is handed out. */
  readonly shown: (timestampMs: number) => void;
}

export interface TopicCursor extends Cursor {
  /** As callers name it. */
  readonly topic: string;
  /** Times are what its owner says: none, or of a clock that is ahead. */
  readonly foreign: boolean;
}

/** The places of a read, fixed when it was asked for. `ends`: for partitions that `until` does not name. */
export async function cursorsOf(
  { cluster, directory }: ReadContext,
  topics: readonly TopicSettings[],
  { partitions, from, until, fromTimestampMs }: ReadOptions,
  ends: (places: readonly TopicPartition[]) => Promise<number[]>,
): Promise<TopicCursor[]> {
  const all = topics
    .flatMap((topic) =>
      directory.recordsOf(topic).map((place) => ({ topic: topic.name, foreign: topic.foreign !== undefined, place })),
    )
    .filter(({ place }) => partitions?.includes(place.partition) ?? true);
  const places = all.map(({ place }) => place);
  const untils = until === undefined ? undefined : await ends(places);
  const since =
    fromTimestampMs === undefined || fromTimestampMs <= 0
      ? undefined
      : await cluster.retrying("read", places[0]!.topic, () => cluster.offsets(places, Math.ceil(fromTimestampMs)));
  return all.map(({ topic, foreign, place }, i) => ({
    topic,
    foreign,
    place,
    // Where nothing is that late, reading begins at what comes next: frames are looked at again (frameOf).
    next: Math.max(offsetOf(from, topic, place.partition) ?? 0, since?.[i] ?? 0),
    until: untils === undefined ? Infinity : (offsetOf(until, topic, place.partition) ?? untils[i]! - 1),
  }));
}

export async function* readRecords(
  context: ReadContext,
  cursors: readonly TopicCursor[],
  { signal, fromTimestampMs = -Infinity }: ReadOptions,
): AsyncGenerator<RecordFrame> {
  const { cluster, closed, shown } = context;
  for await (const fetched of fetchBatches({ cluster, cursors, signal, closed })) {
    if (fetched.head.timestampMs < fromTimestampMs) continue;
    const { foreign } = fetched.cursor;
    const nowMs = cluster.clock.now();
    const { timestampMs: saidMs } = fetched.head;
    // Nobody waits for a moment that others have made up.
    const frame = frameOf(fetched, foreign && (saidMs < 0 || saidMs > nowMs) ? nowMs : saidMs);
    if (frame === undefined) continue;
    if (!foreign) shown(frame.timestampMs);
    yield frame;
    if (signal?.aborted === true) return;
  }
}

function frameOf({ cursor, from, head }: FetchedBatch<TopicCursor>, timestampMs: number): RecordFrame | undefined {
  const { topic, place } = cursor;
  const records = decodeRecords(head, `${topic}/${place.partition}`, { from, until: cursor.until });
  const { count, values, keys, nulls } = records;
  if (count === 0) return undefined;
  return {
    topic,
    partition: place.partition,
    ...offsetsOf(head.baseOffset, records),
    count,
    timestampMs,
    values,
    ...(keys && { keys }),
    ...(nulls && { nulls }),
  };
}

function offsetsOf(baseOffset: number, { deltas, count }: BatchRecords): Pick<RecordFrame, "firstOffset" | "offsets"> {
  const first = deltas[0]!;
  const firstOffset = baseOffset + first;
  if (deltas[count - 1]! - first === count - 1) return { firstOffset };
  return { firstOffset, offsets: deltas.subarray(0, count).map((delta) => delta - first) };
}

export async function* readTransactions(
  { cluster, directory, closed, shown }: ReadContext,
  { from = 0, until = Infinity, signal }: ReadUpdatesOptions,
): AsyncGenerator<UpdateFrame> {
  const place = { topic: directory.kafkaName(journalTopic), partition: 0 };
  const cursors: Cursor[] = [{ place, next: from, until }];
  for await (const { cursor, from, head } of fetchBatches({ cluster, cursors, signal, closed })) {
    const { deltas, count, values } = decodeRecords(head, journalTopic, { from, until: cursor.until });
    for (let i = 0; i < count; i++) {
      const offset = head.baseOffset + deltas[i]!;
      const value = values.bytes.subarray(values.starts[i], values.starts[i + 1]);
      shown(head.timestampMs);
      yield decodeTransaction(value, { offset, timestampMs: head.timestampMs, source: journalTopic });
      if (signal?.aborted === true) return;
    }
  }
}

function offsetOf(positions: readonly Position[] | undefined, topic: string, partition: number): number | undefined {
  return positions?.find((position) => position.topic === topic && position.partition === partition)?.offset;
}
