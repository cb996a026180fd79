// The transactional output of a job, or of one of its workers: windows, quarantined records and where the job goes on, in one transaction of Kafka's.
//
// Commits that come while one is under way go together in the next. After a failure the output takes no more: what became of the last transaction is
// known to whoever takes the job over.
import type { RdgError } from "../../core/errors.ts";
import type { Position } from "../../model/position.ts";
import type { Appended, JobCounters, JobOutput, JobTransaction, RecordBatch } from "../port.ts";
import { failureOf, type KafkaCluster, type TopicPartition } from "./cluster.ts";
import { type Directory, jobsTopic, journalTopic } from "./directory.ts";
import { fenced, isFenced, kafkaFailed, logClosed } from "./failures.ts";
import { committedStates, decodeState, type Progress, WholeProgress } from "./job-state.ts";
import { encodeTransaction } from "./journal-record.ts";
import { queueFull, tooLarge } from "./lane.ts";
import { Owner } from "./owner.ts";
import { batchOfTexts } from "./plain-sender.ts";
import { batchBytes, encodeBatch, type TaggedBatch } from "./record-batch.ts";
import type { VisibleEnds } from "./visible-ends.ts";
import { produce, type Produced } from "./wire.ts";

export interface JobOutputOptions {
  readonly cluster: KafkaCluster;
  readonly directory: Directory;
  readonly ends: VisibleEnds;
  readonly name: string;
  readonly checkQuarantine: (topic: string) => void;
  readonly checkPublished: (topic: string, partition: number) => void;
}

export interface JobOutputParts {
  readonly owner: Owner;
  readonly progress: Progress;
  readonly committed: readonly Position[];
  readonly counters: JobCounters;
}

interface Entry {
  readonly transaction: JobTransaction;
  readonly value: Uint8Array;
  readonly bytes: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

export class KafkaJobOutput implements JobOutput {
  readonly committed: readonly Position[];
  readonly counters: JobCounters;
  readonly #options: JobOutputOptions;
  readonly #owner: Owner;
  readonly #progress: Progress;
  readonly #journal: TopicPartition;
  readonly #jobs: TopicPartition;
  /** Kafka's own sequence by partition. */
  readonly #sequences = new Map<string, number>();
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | undefined;
  #failure: RdgError | undefined;

  constructor(options: JobOutputOptions, { owner, progress, committed, counters }: JobOutputParts) {
    this.#options = options;
    this.#owner = owner;
    this.#progress = progress;
    this.#journal = { topic: options.directory.kafkaName(journalTopic), partition: 0 };
    this.#jobs = jobsPlace(options.directory);
    this.committed = committed;
    this.counters = counters;
  }

  static async takeOver(options: JobOutputOptions): Promise<KafkaJobOutput> {
    const { cluster, directory, name } = options;
    const owner = await Owner.take(cluster, directory.kafkaName(`rdg.job.${name}`));
    const text = (await committedStates(cluster, jobsPlace(directory), new Set([name]))).get(name);
    const state = text === undefined ? { committed: [], counters: {} } : decodeState(text);
    return new KafkaJobOutput(options, { owner, progress: new WholeProgress(name, state.committed), ...state });
  }

  async commit(transaction: JobTransaction): Promise<Appended> {
    const { cluster, name, checkQuarantine, checkPublished } = this.#options;
    if (this.#failure !== undefined) throw this.#failure;
    const { quarantined, published = [] } = transaction;
    for (const { topic, partition } of published) checkPublished(topic, partition);
    this.#progress.check(transaction);
    if (quarantined !== undefined) checkQuarantine(quarantined.topic);
    const value = encodeTransaction(name, transaction);
    const batches = [...published.map(({ batch }) => batch), ...(quarantined === undefined ? [] : [quarantined.batch])];
    const bytes = batches.reduce((sum, batch) => sum + batchBytes(batch), value.length);
    if (bytes > cluster.settings.batchBytesMax) throw tooLarge(name, bytes, cluster.settings.batchBytesMax);
    if (this.#queuedBytes + bytes > cluster.settings.queueBytesMax) throw queueFull(name);
    return await new Promise((resolve, reject) => {
      this.#queue.push({ transaction, value, bytes, resolve, reject });
      this.#queuedBytes += bytes;
      this.#running ??= this.#run();
    });
  }

  async close(): Promise<void> {
    const closing = this.idle();
    this.end(logClosed());
    await closing;
  }

  /** Takes no more; what was handed over goes on. */
  end(reason: RdgError): void {
    this.#failure ??= reason;
  }

  takenOver(): void {
    this.end(fenced("Job", this.#options.name));
  }

  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#options.ends.asked();
        await this.#commit(group);
      } catch (error) {
        const cause = (error as Error).cause ?? error;
        const failure = isFenced(cause)
          ? fenced("Job", this.#options.name, cause)
          : kafkaFailed(error, "commit", this.#options.name);
        this.end(failure);
        // Otherwise the open transaction would hold back readers until its time is up.
        void this.#owner.end(false).catch(() => undefined);
        for (const { reject } of [...group, ...this.#queue.splice(0)]) reject(failure);
      }
    }
    this.#running = undefined;
  }

  #takeGroup(): Entry[] {
    let [count, bytes] = [0, 0];
    for (const entry of this.#queue) {
      if (count > 0 && bytes + entry.bytes > this.#options.cluster.settings.groupBytesMax) break;
      bytes += entry.bytes;
      count++;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  async #commit(group: readonly Entry[]): Promise<void> {
    const { name, ends, directory } = this.#options;
    const { counters } = group.at(-1)!.transaction;
    const inputs = group.flatMap(({ transaction }) => transaction.inputs);
    const { records, join } = this.#progress.step(inputs, counters);
    const journal: TaggedBatch[] = group.map(({ value }) => ({ batch: oneRecord(name, value) }));
    const writes = new Map<string, [TopicPartition, TaggedBatch[]]>([
      // First: by it an open transaction is found whose owner died.
      [this.#jobs.topic, [this.#jobs, [{ batch: batchOfTexts(records) }]]],
      [this.#journal.topic, [this.#journal, journal]],
    ]);
    const add = (place: TopicPartition, batch: RecordBatch): void => {
      const id = idOf(place);
      const write = writes.get(id) ?? [place, []];
      write[1].push({ batch });
      writes.set(id, write);
    };
    for (const { transaction } of group) {
      const { quarantined, published = [] } = transaction;
      if (quarantined !== undefined)
        add({ topic: directory.kafkaName(quarantined.topic), partition: 0 }, quarantined.batch);
      for (const { topic, partition, batch } of published) add({ topic: directory.kafkaName(topic), partition }, batch);
    }
    await this.#owner.begin([...writes.values()].map(([place]) => place));
    const [produced] = await Promise.all([this.#send([...writes.values()]), join?.()]);
    await this.#owner.end(true);
    for (const { topic, partition, baseOffset } of produced) ends.written({ topic, partition }, baseOffset);
    const { baseOffset } = produced.find(({ topic }) => topic === this.#journal.topic)!;
    for (const [i, { resolve }] of group.entries()) {
      const position: Position = { topic: journalTopic, partition: 0, offset: baseOffset + i };
      resolve({ first: position, last: position, duplicate: false });
    }
  }

  /** Everything that one broker leads goes to it in one request. */
  async #send(writes: readonly (readonly [TopicPartition, readonly TaggedBatch[]])[]): Promise<Produced[]> {
    const { cluster, name } = this.#options;
    const { settings } = cluster;
    let left = writes.map(([place, parts]) => ({ ...place, bytes: this.#encode(place, parts) }));
    const produced: Produced[] = [];
    const { transactionalId } = this.#owner;
    await cluster.retrying("commit", name, async () => {
      const leaders = await Promise.all(left.map((batch) => cluster.brokerOf(batch)));
      const answers = await Promise.all(
        [...Map.groupBy(left, (batch) => leaders[left.indexOf(batch)]!)].map(async ([leader, batches]) => {
          const connection = await cluster.connection(leader);
          return await produce.async(connection, { transactionalId, timeoutMs: settings.requestTimeoutMs, batches });
        }),
      );
      const failed = answers.flat().filter(({ errorCode }) => errorCode !== 0);
      const isLeft = ({ topic, partition }: TopicPartition): boolean =>
        failed.some((answer) => answer.topic === topic && answer.partition === partition);
      produced.push(...answers.flat().filter((answer) => !isLeft(answer)));
      left = left.filter(isLeft);
      if (failed.length > 0) throw failureOf(failed[0]!.errorCode);
    });
    for (const [place, parts] of writes) {
      const count = parts.reduce((sum, { batch }) => sum + batch.count, 0);
      const id = idOf(place);
      this.#sequences.set(id, ((this.#sequences.get(id) ?? 0) + count) % 2 ** 31);
    }
    return produced;
  }

  #encode(place: TopicPartition, parts: readonly TaggedBatch[]): Buffer {
    const { clock, settings } = this.#options.cluster;
    return encodeBatch(parts, {
      ...this.#owner.epoch,
      sequence: this.#sequences.get(idOf(place)) ?? 0,
      transactional: true,
      nowMs: clock.now(),
      compression: settings.compression,
    });
  }
}

const idOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`;

export const jobsPlace = (directory: Directory): TopicPartition => ({
  topic: directory.kafkaName(jobsTopic),
  partition: 0,
});

function oneRecord(key: string, value: Uint8Array): RecordBatch {
  const name = Buffer.from(key);
  return {
    count: 1,
    keys: { bytes: name, starts: Uint32Array.of(0, name.length) },
    values: { bytes: value, starts: Uint32Array.of(0, value.length) },
  };
}
