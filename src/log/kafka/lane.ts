// One producer's appends to one partition: in the order of the calls, as many in one request as are waiting, one request at a time.
import { RdgError } from "../../core/errors.ts";
import type { Appended, RecordBatch, TopicSettings } from "../port.ts";
import { failureOf, type KafkaCluster, type TopicPartition } from "./cluster.ts";
import { errorNames, fenced, isFenced, isTransient, kafkaFailed } from "./failures.ts";
import { isOutdated, keyAmong, outdated } from "./growth.ts";
import type { Epoch, Owner } from "./owner.ts";
import { batchBytes, encodeBatch } from "./record-batch.ts";
import { encodeTag, type StoredBatches, type Tag, tagOf } from "./stored-batches.ts";
import { produce, type Produced } from "./wire.ts";

interface Entry {
  readonly batch: RecordBatch;
  readonly tag: Tag | undefined;
  readonly bytes: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

export interface EarlierBatches {
  readonly partition: number;
  readonly sharedAmong: number;
  readonly stored: StoredBatches;
}

export interface LaneOptions {
  readonly cluster: KafkaCluster;
  readonly owner: Owner;
  /** Of the producer. */
  readonly name: string;
  /** As callers name it. */
  readonly topic: string;
  readonly place: TopicPartition;
  readonly stored: StoredBatches;
  /** What is known of the topic now: it may grow. */
  readonly settings: () => TopicSettings;
  /** Where else a batch may be that this one repeats, with the number that it was shared out by. */
  readonly sources: () => readonly EarlierBatches[];
  /** Resolves when a record may be sent now (log.ts). */
  readonly beforeSending: () => Promise<void>;
}

export class Lane {
  readonly #options: LaneOptions;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | undefined;
  #epoch: Epoch;
  /** Kafka's own, counted in records: how a broker tells a repeated request. */
  #sequence = 0;
  #failure: RdgError | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#epoch = options.owner.epoch;
  }

  append(batch: RecordBatch): Promise<Appended> {
    const { settings } = this.#options.cluster;
    const bytes = batchBytes(batch);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (bytes > settings.batchBytesMax)
      return Promise.reject(tooLarge(this.#options.topic, bytes, settings.batchBytesMax));
    if (this.#queuedBytes + bytes > settings.queueBytesMax)
      return Promise.reject(queueFull(`${this.#options.topic}/${this.#options.place.partition}`));
    const appended = new Promise<Appended>((resolve, reject) => {
      this.#queue.push({ batch, tag: this.#tagOf(batch), bytes, resolve, reject });
      this.#queuedBytes += bytes;
      this.#running ??= this.#run();
    });
    this.#last = appended;
    return appended;
  }

  #tagOf(batch: RecordBatch): Tag | undefined {
    const { idempotencyKey: key, sharedAmong } = batch;
    if (key === undefined) return tagOf(this.#options.name, batch);
    return tagOf(this.#options.name, {
      ...batch,
      idempotencyKey: keyAmong(this.#options.settings(), key, sharedAmong),
    });
  }

  /** Resolves when what was appended until now is stored or refused. */
  async pending(): Promise<void> {
    await this.#last.catch(() => undefined);
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // Whoever appends in the same moment goes along.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#options.beforeSending();
        await this.#store(group);
      } catch (error) {
        const failure = this.#failureOf(error);
        if (failure.kind === "conflict") this.#failure = failure;
        for (const { reject } of group) reject(failure);
      }
      for (const { bytes } of group) this.#queuedBytes -= bytes;
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
    return this.#queue.splice(0, count);
  }

  async #store(group: readonly Entry[]): Promise<void> {
    const { stored } = this.#options;
    const sources = group.some(({ tag }) => tag !== undefined) ? this.#options.sources() : [];
    if (group.some(({ tag }) => tag !== undefined)) {
      stored.checkRoom();
      await Promise.all([stored, ...sources.map((source) => source.stored)].map((batches) => batches.catchUp()));
    }
    const fresh: Entry[] = [];
    /** Repeats of a batch of the same group: answered when that one is stored. */
    const repeats: [Entry, Entry][] = [];
    for (const entry of group) {
      if (this.#isOutdated(entry)) {
        entry.reject(outdated(this.#options.topic));
        continue;
      }
      const known = entry.tag && stored.find(entry.tag);
      if (known !== undefined) {
        entry.resolve(this.#answer(known.first, known.last, true));
        continue;
      }
      const earlier = this.#earlierOf(entry, sources);
      if (earlier !== undefined) {
        entry.resolve(earlier);
        continue;
      }
      const original = entry.tag && fresh.find((other) => other.tag !== undefined && isRepeat(entry.tag!, other.tag));
      if (original === undefined) fresh.push(entry);
      else repeats.push([entry, original]);
    }
    if (fresh.length === 0) return;
    const { baseOffset, logAppendTimeMs } = await this.#send(fresh);
    const firsts = new Map<Entry, number>();
    let next = baseOffset;
    for (const entry of fresh) {
      firsts.set(entry, next);
      next += entry.batch.count;
    }
    const tags = fresh.flatMap((entry) => (entry.tag === undefined ? [] : [[entry.tag, firsts.get(entry)!] as const]));
    stored.appended(baseOffset, next - 1, tags, Math.max(0, logAppendTimeMs));
    for (const entry of fresh) entry.resolve(this.#answerOf(firsts.get(entry)!, entry.batch.count, false));
    for (const [repeat, original] of repeats)
      repeat.resolve(this.#answerOf(firsts.get(original)!, original.batch.count, true));
  }

  /** Where its records are if it repeats a batch of before the topic grew: all that are in it now were in that one. */
  #earlierOf({ batch, tag }: Entry, sources: readonly EarlierBatches[]): Appended | undefined {
    const { idempotencyKey: key, sharedAmong, count } = batch;
    if (key === undefined || tag === undefined || sharedAmong === undefined) return undefined;
    const settings = this.#options.settings();
    for (const source of sources) {
      if (source.sharedAmong >= sharedAmong) continue;
      const sought = { ...tag, key: keyAmong(settings, key, source.sharedAmong), sequence: undefined };
      const last = source.stored.find(sought)?.last;
      if (last !== undefined) return this.#answer(last - count + 1, last, true, source.partition);
    }
    return undefined;
  }

  #isOutdated({ batch }: Entry): boolean {
    return isOutdated(this.#options.settings(), batch.sharedAmong, this.#options.cluster.clock.now());
  }

  async #send(entries: readonly Entry[]): Promise<Produced> {
    const { cluster, place } = this.#options;
    const { settings } = cluster;
    const parts = entries.map(({ batch, tag }) => ({ batch, tag: tag && encodeTag(tag) }));
    const count = entries.reduce((sum, { batch }) => sum + batch.count, 0);
    const bytes = encodeBatch(parts, {
      ...this.#epoch,
      sequence: this.#sequence,
      transactional: false,
      nowMs: cluster.clock.now(),
      compression: settings.compression,
    });
    try {
      const produced = await cluster.retrying("append", this.#options.topic, async () => {
        if (entries.some((entry) => this.#isOutdated(entry))) throw outdated(this.#options.topic);
        const connection = await cluster.connection(await cluster.brokerOf(place));
        const request = { transactionalId: null, timeoutMs: settings.requestTimeoutMs, batches: [{ ...place, bytes }] };
        const [answer] = await produce.async(connection, request);
        if (answer!.errorCode !== 0) throw failureOf(answer!.errorCode);
        return answer!;
      });
      this.#sequence = (this.#sequence + count) % 2 ** 31;
      return produced;
    } catch (error) {
      if (!isFenced(error)) await this.#startAnew();
      throw error;
    }
  }

  /** Whether the request was stored is unknown, so its number cannot be used again: a new epoch counts from the start. */
  async #startAnew(): Promise<void> {
    const { owner } = this.#options;
    // Another partition's lane may have done it for all.
    this.#epoch = owner.epoch.epoch === this.#epoch.epoch ? await owner.renew() : owner.epoch;
    this.#sequence = 0;
  }

  #failureOf(error: unknown): RdgError {
    const { name, topic } = this.#options;
    const cause = error instanceof RdgError && error.cause !== undefined ? error.cause : error;
    if (isFenced(cause)) return fenced("Producer", name, cause);
    if (!isTransient(cause) && errorNames(cause).includes("OUT_OF_ORDER_SEQUENCE_NUMBER"))
      return this.#outOfOrder(cause);
    return kafkaFailed(error, "append", topic);
  }

  #outOfOrder(cause: unknown): RdgError {
    const message = `Kafka has forgotten what producer ${this.#options.name} had appended to ${this.#options.topic}.`;
    return new RdgError("unavailable", "producer_state_lost", message, {
      place: this.#options.topic,
      hint: "Repeat the call; if this goes on, a broker has lost records.",
      retryAfterMs: 100,
      cause,
    });
  }

  #answerOf(first: number, count: number, duplicate: boolean): Appended {
    return this.#answer(first, first + count - 1, duplicate);
  }

  #answer(first: number, last: number, duplicate: boolean, partition = this.#options.place.partition): Appended {
    const { topic } = this.#options;
    return { first: { topic, partition, offset: first }, last: { topic, partition, offset: last }, duplicate };
  }
}

function isRepeat(tag: Tag, of: Tag): boolean {
  if (tag.key !== undefined && tag.key === of.key) return true;
  return tag.sequence !== undefined && of.sequence !== undefined && tag.sequence <= of.sequence;
}

export function tooLarge(place: string, bytes: number, bytesMax: number): RdgError {
  return new RdgError("invalid", "batch_too_large", `The batch has ${bytes} bytes; ${bytesMax} are allowed.`, {
    place,
    hint: "Send smaller batches.",
  });
}

export function queueFull(place: string): RdgError {
  return new RdgError("overloaded", "queue_full", `Too much waits to be written to ${place}.`, {
    place,
    hint: "Send less, or wait for what is under way.",
    retryAfterMs: 100,
  });
}
