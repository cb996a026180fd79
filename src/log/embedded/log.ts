// The embedded log: segment files in one folder, owned by one process. See docs/adr/0040 to 0043 for its decisions.
//
//   <folder>/lock.<n>                             who owns it (folder-lock.ts)
//   <folder>/metadata                             topics, producers, jobs (metadata.ts)
//   <folder>/records/<topic>/<partition>/         segments of record topics (segment-format.ts)
//   <folder>/journal/                             segments of the jobs' transactions
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { type Random, systemRandom } from "../../core/random.ts";
import type {
  Appended,
  JobOutput,
  JobWorker,
  Log,
  PartitionBounds,
  Producer,
  ReadOptions,
  ReadUpdatesOptions,
  RecordBatch,
  RecordFrame,
  TopicSettings,
} from "../port.ts";
import { fileFailed, logClosed } from "./failures.ts";
import { type FileSystem, type FolderLock, nodeFileSystem } from "./file-system.ts";
import type { Journal } from "./journal.ts";
import { LogTime } from "./log-time.ts";
import { Maintenance } from "./maintenance.ts";
import { mergedTopics, Metadata, type ProducerRecord } from "./metadata.ts";
import { type EmbeddedUpdateFrame, readAll, UpdateSource } from "./reading.ts";
import type { Cut } from "./recovery.ts";
import { embeddedLogDefaults, type EmbeddedLogSettings } from "./settings.ts";
import { SoleWorker } from "./sole-worker.ts";
import type { StreamStatistics } from "./stream.ts";
import { Streams } from "./streams.ts";
import { TopicViews } from "./topic-views.ts";

export interface EmbeddedLogOptions {
  readonly folder: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly settings?: Partial<EmbeddedLogSettings>;
  readonly fileSystem?: FileSystem;
  readonly random?: Random;
}

export interface EmbeddedLogStatistics {
  readonly partitions: readonly (StreamStatistics & { readonly topic: string; readonly partition: number })[];
  readonly journal: StreamStatistics;
  /** Sums over all files since the log was opened. */
  readonly bytesWritten: number;
  readonly framesWritten: number;
  readonly syncs: number;
  readonly sizeBytes: number;
  readonly idempotencyKeys: number;
  /** Of `queuedBytes` and `tailBytes` of each partition, of those of the journal, and of `idempotencyKeys`. */
  readonly bounds: Pick<
    EmbeddedLogSettings,
    "queueBytesMax" | "tailBytesMax" | "journalTailBytesMax" | "idempotencyKeysMax"
  >;
  /** What was cut off when the log was opened, because a crash had torn it. */
  readonly cuts: readonly Cut[];
  /** Why the last maintenance failed; undefined when it did not. */
  readonly maintenanceFailure: string | undefined;
}

export interface EmbeddedLog extends Log {
  readUpdates(options: ReadUpdatesOptions): AsyncIterable<EmbeddedUpdateFrame>;
  /** Whoever reads updates needs those from `offset` on only: earlier ones may be removed when their retention is over. Nothing is removed before the first call. */
  releaseUpdates(offset: number): void;
  statistics(): EmbeddedLogStatistics;
}

/** @throws RdgError conflict, `log_locked`; corrupt, with file and byte; invalid, `unknown_format` */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const { folder, fileSystem = nodeFileSystem } = options;
  try {
    await fileSystem.makeFolder(folder);
    const lock = await fileSystem.lock(folder);
    try {
      return await openLocked(options, fileSystem, lock);
    } catch (error) {
      await lock.release();
      throw error;
    }
  } catch (error) {
    throw fileFailed(error, "be opened", folder);
  }
}

async function openLocked(
  { folder, clock, timers, random = systemRandom, settings: chosen }: EmbeddedLogOptions,
  fileSystem: FileSystem,
  lock: FolderLock,
): Promise<EmbeddedLog> {
  const settings = { ...embeddedLogDefaults, ...chosen };
  const time = new LogTime(clock);
  const now = (): number => time.now();
  const visibleBefore = (): number => time.visibleBefore();
  const streams = new Streams(folder, { fileSystem, settings, clock, timers, random, now, visibleBefore }, time);
  const metadata = await Metadata.open(fileSystem, folder, settings.ownersMax, () => streams.createJournal());
  const journal = await streams.openJournal();
  for (const topic of metadata.topics) await streams.openTopic(topic);
  time.passed(streams.lastMs());
  return new SegmentLog({ folder, lock, metadata, streams, journal, time, timers });
}

interface Parts {
  readonly folder: string;
  readonly lock: FolderLock;
  readonly metadata: Metadata;
  readonly streams: Streams;
  readonly journal: Journal;
  readonly time: LogTime;
  readonly timers: Timers;
}

class SegmentLog implements EmbeddedLog {
  readonly #folder: string;
  readonly #lock: FolderLock;
  readonly #metadata: Metadata;
  readonly #streams: Streams;
  readonly #journal: Journal;
  readonly #views: TopicViews;
  readonly #maintenance: Maintenance;
  readonly #producers = new Map<string, ProducerRecord>();
  #ensuring: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor({ folder, lock, metadata, streams, journal, time, timers }: Parts) {
    this.#folder = folder;
    this.#lock = lock;
    this.#metadata = metadata;
    this.#streams = streams;
    this.#journal = journal;
    this.#views = new TopicViews(metadata, streams, journal, time);
    this.#maintenance = new Maintenance({ streams, journal, time, timers, topics: () => metadata.topics });
  }

  ensureTopics(topics: readonly TopicSettings[]): Promise<void> {
    const ensured = this.#ensuring.then(() => this.#ensure(topics));
    this.#ensuring = ensured.catch(() => undefined);
    return ensured;
  }

  async topics(): Promise<readonly TopicSettings[]> {
    this.#checkOpen();
    return this.#metadata.topics;
  }

  async producer(name: string): Promise<Producer> {
    this.#checkOpen();
    checkOwnerName(name);
    const record = await this.#metadata.takeProducer(name);
    this.#producers.set(name, record);
    let closed = false;
    return {
      append: async (topic: string, partition: number, batch: RecordBatch): Promise<Appended> => {
        this.#checkOpen();
        if (closed) throw logClosed();
        if (this.#producers.get(name)!.epoch !== record.epoch) throw fencedProducer(name);
        return await this.#views.partition(topic, partition).append(record.number, record.epoch, batch);
      },
      close: async () => {
        closed = true;
      },
    };
  }

  async jobOutput(name: string): Promise<JobOutput> {
    this.#checkOpen();
    checkOwnerName(name);
    const record = await this.#metadata.takeJob(name);
    return await this.#journal.takeOver(record, (topic) => this.#views.checkQuarantine(topic));
  }

  async joinJob(name: string, topic: string): Promise<JobWorker> {
    this.#checkOpen();
    const partitions = this.#views.bounds(topic).map(({ partition }) => partition);
    return new SoleWorker(partitions, () => this.jobOutput(name));
  }

  read(options: ReadOptions): AsyncIterable<RecordFrame> {
    try {
      this.#checkOpen();
      const sources = this.#views.sources(options);
      return readAll(() => sources.map((open) => open()), options.signal);
    } catch (error) {
      return readAll(() => {
        throw error as RdgError;
      }, undefined);
    }
  }

  readUpdates({ from = 0, until = Infinity, signal }: ReadUpdatesOptions): AsyncIterable<EmbeddedUpdateFrame> {
    return readAll(() => {
      this.#checkOpen();
      return [new UpdateSource(this.#journal.stream, from, until)];
    }, signal);
  }

  async bounds(topic: string): Promise<readonly PartitionBounds[]> {
    this.#checkOpen();
    return this.#views.bounds(topic);
  }

  async settled(topic: string): Promise<{ timestampMs: number; next: readonly number[] }> {
    this.#checkOpen();
    return this.#views.settled(topic);
  }

  maintain(): Promise<void> {
    this.#checkOpen();
    return this.#maintenance.run();
  }

  releaseUpdates(offset: number): void {
    this.#maintenance.releaseUpdates(offset);
  }

  statistics(): EmbeddedLogStatistics {
    const { queueBytesMax, tailBytesMax, journalTailBytesMax, idempotencyKeysMax } = this.#streams.parts.settings;
    const partitions = this.#streams.all().map(({ stream }) => ({
      topic: stream.identity.name,
      partition: stream.identity.partition,
      ...stream.statistics(),
    }));
    const journal = this.#journal.stream.statistics();
    const files = [...partitions, journal];
    const sum = (pick: (file: StreamStatistics) => number): number => files.reduce((all, file) => all + pick(file), 0);
    return {
      partitions,
      journal,
      bytesWritten: sum((file) => file.bytesWritten),
      framesWritten: sum((file) => file.framesWritten),
      syncs: sum((file) => file.syncs),
      sizeBytes: sum((file) => file.sizeBytes),
      idempotencyKeys: this.#streams.keyBudget.used,
      bounds: { queueBytesMax, tailBytesMax, journalTailBytesMax, idempotencyKeysMax },
      cuts: this.#streams.cuts,
      maintenanceFailure: this.#maintenance.failure,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #ensure(topics: readonly TopicSettings[]): Promise<void> {
    this.#checkOpen();
    const known = this.#metadata.topics;
    const merged = mergedTopics(known, topics);
    try {
      if (merged !== undefined) {
        // Files first: metadata that names a topic promises that its files are there.
        const created = merged.filter(({ name }) => !known.some((topic) => topic.name === name));
        for (const topic of created) await this.#streams.createTopic(topic);
        await this.#metadata.saveTopics(merged);
      }
      for (const topic of this.#metadata.topics) {
        if (this.#streams.has(topic.name)) this.#streams.setRetention(topic);
        else await this.#streams.openTopic(topic);
      }
    } catch (error) {
      throw fileFailed(error, "create topics", this.#folder);
    }
  }

  async #close(): Promise<void> {
    await this.#maintenance.close();
    await this.#ensuring;
    await this.#metadata.idle();
    try {
      const streams = [this.#journal.stream, ...this.#streams.all().map(({ stream }) => stream)];
      const closed = await Promise.allSettled(streams.map((stream) => stream.close()));
      for (const result of closed) {
        if (result.status === "rejected") throw fileFailed(result.reason, "close its files", this.#folder);
      }
    } finally {
      await this.#lock.release();
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw logClosed();
  }
}

function checkOwnerName(name: string): void {
  if (name.length >= 1 && name.length <= 200) return;
  throw new RdgError("invalid", "bad_owner_name", "The name of a producer or job has 1 to 200 characters.");
}

function fencedProducer(name: string): RdgError {
  return new RdgError("conflict", "fenced", `Producer ${name} was taken over by a later owner.`, {
    place: name,
    hint: "Give each program a producer name of its own.",
  });
}
