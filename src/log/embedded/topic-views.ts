// Topics as callers name them, over the streams that hold them: partitions of their own, or views of the journal.
import { RdgError } from "../../core/errors.ts";
import type { PartitionBounds, ReadOptions, RecordFrame, TopicSettings } from "../port.ts";
import type { Journal } from "./journal.ts";
import type { LogTime } from "./log-time.ts";
import type { Metadata } from "./metadata.ts";
import { QuarantineSource, RecordSource, type Source } from "./reading.ts";
import type { RecordPartition } from "./record-partition.ts";
import type { Streams } from "./streams.ts";

export class TopicViews {
  readonly #metadata: Metadata;
  readonly #streams: Streams;
  readonly #journal: Journal;
  readonly #time: LogTime;

  constructor(metadata: Metadata, streams: Streams, journal: Journal, time: LogTime) {
    this.#metadata = metadata;
    this.#streams = streams;
    this.#journal = journal;
    this.#time = time;
  }

  /** Where an append goes. */
  partition(topic: string, partition: number): RecordPartition {
    const { form, partitions } = this.#topic(topic);
    if (form === "updates" || this.#journal.content.quarantinedNext.has(topic)) {
      throw new RdgError("invalid", "written_by_jobs", `${topic} is written by jobs' transactions only.`, {
        place: topic,
      });
    }
    const found = this.#streams.partitions(topic)[partition];
    if (found !== undefined) return found;
    throw new RdgError(
      "invalid",
      "unknown_partition",
      `${topic} has partitions 0 to ${partitions - 1}, not ${partition}.`,
      {
        place: `${topic}/${partition}`,
      },
    );
  }

  /** A job may quarantine records to a topic with one partition that nothing was ever appended to. */
  checkQuarantine(topic: string): void {
    if (this.#isQuarantine(topic)) return;
    throw new RdgError("invalid", "not_a_quarantine_topic", `${topic} cannot take records that jobs quarantine.`, {
      place: topic,
      hint: "It must be named quarantine.<job>, have the form records and one partition, and no producer may append to it.",
    });
  }

  bounds(topic: string): PartitionBounds[] {
    if (this.#topic(topic).form === "updates") return [{ partition: 0, ...boundsOf(this.#journal.stream) }];
    const quarantined = this.#journal.content.quarantined.get(topic);
    if (quarantined !== undefined) {
      const { sizeBytes } = this.#journal.stream;
      return [{ partition: 0, first: this.#streams.quarantineStart(topic), next: quarantined, sizeBytes }];
    }
    return this.#streams.partitions(topic).map(({ stream }, partition) => ({ partition, ...boundsOf(stream) }));
  }

  settled(topic: string): { timestampMs: number; next: number[] } {
    const next = this.bounds(topic).map((bounds) => bounds.next);
    // A later compacted record is strictly later than everything before it; another one may share the millisecond of the last.
    if (this.#topic(topic).form === "compacted") {
      return { timestampMs: Math.min(this.#time.visibleBefore() - 1, this.#time.lastMs), next };
    }
    const streams = [this.#journal.stream, ...this.#streams.partitions(topic).map(({ stream }) => stream)];
    const unseen = streams.map((stream) => stream.oldestUnseenMs ?? Infinity);
    return { timestampMs: Math.min(...unseen, this.#time.lastMs) - 1, next };
  }

  /** What a read is made of. Its ends are fixed now, its places in the streams are taken when it begins. */
  sources({
    topics,
    partitions,
    from,
    until,
    fromTimestampMs = -Infinity,
  }: ReadOptions): (() => Source<RecordFrame>)[] {
    return topics.flatMap((topic) => {
      if (this.#topic(topic).form === "updates") throw notRecords(topic);
      const range = (partition: number, next: number): { from: number; until: number } => ({
        from: offsetOf(from, topic, partition) ?? 0,
        until: until === undefined ? Infinity : (offsetOf(until, topic, partition) ?? next - 1),
      });
      const sources: (() => Source<RecordFrame>)[] = [];
      const isWanted = (partition: number): boolean => partitions?.includes(partition) ?? true;
      if (this.#isQuarantine(topic) && isWanted(0)) {
        const committedNext = (): number => this.#journal.content.quarantined.get(topic) ?? 0;
        const wanted = range(0, committedNext());
        const start = this.#streams.quarantineSegment(topic, wanted.from);
        const place = { topic, start, committedNext, fromTimestampMs, ...wanted };
        sources.push(() => new QuarantineSource(this.#journal.stream, place));
      }
      if (this.#journal.content.quarantined.has(topic)) return sources;
      for (const [partition, { stream }] of this.#streams.partitions(topic).entries()) {
        if (!isWanted(partition)) continue;
        const wanted = range(partition, stream.visible);
        sources.push(() => new RecordSource(stream, { fromTimestampMs, ...wanted }));
      }
      return sources;
    });
  }

  #isQuarantine(topic: string): boolean {
    const { form, partitions } = this.#topic(topic);
    const own = this.#streams.partitions(topic)[0];
    return topic.startsWith("quarantine.") && form === "records" && partitions === 1 && own?.stream.next === 0;
  }

  #topic(name: string): TopicSettings {
    const found = this.#metadata.topics.find((topic) => topic.name === name);
    if (found !== undefined) return found;
    throw new RdgError("invalid", "unknown_topic", `The log has no topic ${name}.`, {
      place: name,
      hint: "Create it with ensureTopics.",
    });
  }
}

function boundsOf(stream: RecordPartition["stream"] | Journal["stream"]): Omit<PartitionBounds, "partition"> {
  return { first: stream.firstOffset, next: stream.visible, sizeBytes: stream.sizeBytes };
}

function offsetOf(positions: ReadOptions["from"], topic: string, partition: number): number | undefined {
  return positions?.find((position) => position.topic === topic && position.partition === partition)?.offset;
}

function notRecords(topic: string): RdgError {
  return new RdgError("invalid", "not_a_record_topic", `${topic} holds updates, not records.`, {
    place: topic,
    hint: "Read it with readUpdates.",
  });
}
