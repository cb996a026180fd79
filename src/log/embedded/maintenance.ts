// Retention and compaction: what they remove and when, on demand and in the background.
import type { Timers } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Retention } from "../../model/definition.ts";
import type { RecordFrame, TopicSettings } from "../port.ts";
import { compactPartition } from "./compaction.ts";
import { fileFailed } from "./failures.ts";
import type { Journal } from "./journal.ts";
import type { LogTime } from "./log-time.ts";
import { removeSegment } from "./recovery.ts";
import type { Segment } from "./segment.ts";
import type { Stream } from "./stream.ts";
import type { Streams } from "./streams.ts";

export class Maintenance {
  readonly #streams: Streams;
  readonly #journal: Journal;
  readonly #time: LogTime;
  readonly #topics: () => readonly TopicSettings[];
  readonly #timers: Timers;
  #released = 0;
  #last: Promise<void> = Promise.resolve();
  #cancel: (() => void) | undefined;
  #closed = false;
  #failure: string | undefined;

  constructor(parts: {
    streams: Streams;
    journal: Journal;
    time: LogTime;
    timers: Timers;
    topics: () => readonly TopicSettings[];
  }) {
    this.#streams = parts.streams;
    this.#journal = parts.journal;
    this.#time = parts.time;
    this.#timers = parts.timers;
    this.#topics = parts.topics;
    this.#schedule();
  }

  get failure(): string | undefined {
    return this.#failure;
  }

  releaseUpdates(offset: number): void {
    this.#released = Math.max(this.#released, offset);
  }

  /** Runs follow one another. */
  run(): Promise<void> {
    const run = this.#last.then(() => this.#run());
    this.#last = run.catch(() => undefined);
    return run;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await this.#last;
  }

  #schedule(): void {
    const { maintainEveryMs } = this.#streams.parts.settings;
    if (this.#closed || maintainEveryMs <= 0) return;
    this.#cancel = this.#timers.after(maintainEveryMs, () => {
      void this.run()
        // Kept for the statistics; appends and reads do not depend on it, and the next run tries again.
        .catch(() => undefined)
        .then(() => this.#schedule());
    });
  }

  async #run(): Promise<void> {
    const failures: unknown[] = [];
    const note = (error: unknown): void =>
      void failures.push(fileFailed(error, "tidy up its files", "retention and compaction"));
    // One topic that fails, such as one whose compaction a full disk stops, does not keep the others from making room.
    for (const topic of this.#topics()) await this.#maintainTopic(topic).catch(note);
    await this.#journal.stream.rollIfOld();
    await this.#expireJournal().catch(note);
    this.#failure = failures.length === 0 ? undefined : describeError(failures[0]);
    if (failures.length > 0) throw failures[0];
  }

  #compact(topic: TopicSettings, stream: Stream<RecordFrame>): Promise<void> {
    const { timeMs } = topic.retention;
    if (timeMs === undefined) return Promise.resolve();
    const nowMs = this.#time.now();
    return compactPartition(stream, nowMs - timeMs, nowMs, () => this.#streams.parts.random.below(2 ** 32));
  }

  async #maintainTopic(topic: TopicSettings): Promise<void> {
    const partitions = this.#streams.partitions(topic.name);
    for (const partition of partitions) partition.expireKeys();
    const streams = partitions.map(({ stream }) => stream);
    for (const stream of streams) {
      if (this.#closed) return;
      await stream.rollIfOld();
      if (topic.form === "compacted") await this.#compact(topic, stream);
      else while (this.#isExpired(stream, topic.retention.timeMs)) await this.#dropFirst(stream);
    }
    const { sizeBytes } = topic.retention;
    if (sizeBytes === undefined || topic.form === "compacted") return;
    // The bound holds for the topic: whichever partition has the oldest file loses it.
    for (;;) {
      const total = streams.reduce((sum, stream) => sum + stream.sizeBytes, 0);
      const [oldest] = streams
        .filter((stream) => stream.segments.length > 1)
        .sort((a, b) => a.segments[0]!.content.lastMs - b.segments[0]!.content.lastMs);
      if (total <= sizeBytes || oldest === undefined || this.#closed) return;
      await this.#dropFirst(oldest);
    }
  }

  async #expireJournal(): Promise<void> {
    const { stream } = this.#journal;
    const { timeMs, sizeBytes = Infinity } = this.#journalRetention();
    while (this.#isExpired(stream, timeMs) || (stream.segments.length > 1 && stream.sizeBytes > sizeBytes)) {
      if (this.#closed || !this.#journalMayLose(stream.segments[0]!)) return;
      await this.#dropFirst(stream);
    }
  }

  /** Whether all of the first segment is older than the retention. The segment being written stays. */
  #isExpired<Frame>({ segments }: Stream<Frame>, timeMs: number | undefined): boolean {
    if (timeMs === undefined || segments.length < 2 || this.#closed) return false;
    return segments[0]!.content.lastMs < this.#time.now() - timeMs;
  }

  async #dropFirst<Frame>(stream: Stream<Frame>): Promise<void> {
    const { path } = stream.segments[0]!;
    stream.dropFirst();
    await removeSegment(stream.fileSystem, stream.identity.folder, path);
  }

  /** As long as the longest retention of a type topic, or the default where one names none. */
  #journalRetention(): Retention {
    const { journalRetention, journalRetentionDefaultMs } = this.#streams.parts.settings;
    if (journalRetention !== undefined) return journalRetention;
    const times = this.#topics()
      .filter((topic) => topic.form === "updates")
      .map((topic) => topic.retention.timeMs ?? journalRetentionDefaultMs);
    return { timeMs: times.length === 0 ? journalRetentionDefaultMs : Math.max(...times) };
  }

  /** Not what the store still needs, nor quarantined records within the retention of their topic. */
  #journalMayLose(segment: Segment): boolean {
    if (segment.content.next > this.#released) return false;
    for (const topic of this.#streams.quarantinedIn(segment)) {
      const retention = this.#topics().find(({ name }) => name === topic)?.retention;
      if (retention === undefined) continue;
      if (retention.timeMs === undefined || segment.content.lastMs >= this.#time.now() - retention.timeMs) return false;
    }
    return true;
  }
}
