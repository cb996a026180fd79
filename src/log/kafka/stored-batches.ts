// Which batches a partition has taken within the last hour, by idempotency key and by producer and sequence, so that a retry is answered and not stored.
//
// Kafka has no such memory. A batch that may be retried carries a tag in a header of its first record; this index is what the tags of the last hour say. It
// is brought up to the partition's end before every look-up, so it knows what other processes have appended; what two of them append at the very same
// moment it cannot know.
//
//   tag: records u32 | sequence f64, NaN for none | length of producer u16 | producer | key
import { hash } from "node:crypto";
import { RdgError } from "../../core/errors.ts";
import type { RecordBatch } from "../port.ts";
import type { KafkaCluster, TopicPartition } from "./cluster.ts";
import { decodeRecords } from "./record-batch.ts";
import { scan } from "./scan.ts";
import { retryHorizonMs } from "./settings.ts";

const tagHeadBytes = 14;
/** Clocks of brokers and of this process may differ by this much. */
const skewMs = 60_000;

export interface Tag {
  readonly count: number;
  readonly producer: string;
  readonly sequence: number | undefined;
  readonly key: string | undefined;
}

export interface StoredBatch {
  readonly first: number;
  readonly last: number;
}

/** Undefined for batches that nobody can retry. */
export function tagOf(producer: string, { count, sequence, idempotencyKey: key }: RecordBatch): Tag | undefined {
  return sequence === undefined && key === undefined ? undefined : { count, producer, sequence, key };
}

export function encodeTag({ count, sequence, producer, key }: Tag): Buffer {
  const name = Buffer.from(producer);
  const bytes = Buffer.alloc(tagHeadBytes);
  bytes.writeUInt32LE(count, 0);
  bytes.writeDoubleLE(sequence ?? NaN, 4);
  bytes.writeUInt16LE(name.length, 12);
  return Buffer.concat([bytes, name, Buffer.from(key ?? "")]);
}

function decodeTag(tag: Uint8Array): Tag | undefined {
  const bytes = Buffer.from(tag.buffer, tag.byteOffset, tag.length);
  if (bytes.length < tagHeadBytes) return undefined;
  const keyAt = tagHeadBytes + bytes.readUInt16LE(12);
  const sequence = bytes.readDoubleLE(4);
  return {
    count: bytes.readUInt32LE(0),
    producer: bytes.toString("utf8", tagHeadBytes, keyAt),
    sequence: Number.isNaN(sequence) ? undefined : sequence,
    key: keyAt === bytes.length ? undefined : bytes.toString("utf8", keyAt),
  };
}

/** Entries in use over all partitions, and their bound. */
export interface BatchBudget {
  used: number;
  readonly max: number;
}

const rememberedPerProducer = 64;

interface Entry extends StoredBatch {
  readonly timestampMs: number;
}

export class StoredBatches {
  readonly #cluster: KafkaCluster;
  readonly #place: TopicPartition;
  readonly #budget: BatchBudget;
  /** Everything below is in the index. */
  #known: number | undefined;
  /** By hash of the key, oldest first. */
  readonly #keys = new Map<string, Entry>();
  /** By producer: ascending sequences. */
  readonly #sequences = new Map<string, (Entry & { readonly sequence: number })[]>();
  #catchingUp: Promise<void> | undefined;

  constructor(cluster: KafkaCluster, place: TopicPartition, budget: BatchBudget) {
    this.#cluster = cluster;
    this.#place = place;
    this.#budget = budget;
  }

  /** Reads what the partition has got since the last time. */
  catchUp(): Promise<void> {
    // Whoever joins one that began earlier may miss what came since: it waits and looks again.
    const turn = (this.#catchingUp ?? Promise.resolve()).then(() => this.#catchUp());
    this.#catchingUp = turn.catch(() => undefined);
    return turn;
  }

  find({ producer, sequence, key }: Tag): StoredBatch | undefined {
    const stored = key === undefined ? undefined : this.#keys.get(hashOf(key));
    if (stored !== undefined) return stored;
    const batches = sequence === undefined ? undefined : this.#sequences.get(producer);
    return sequence === undefined ? undefined : batches?.find((batch) => batch.sequence >= sequence);
  }

  /** What this process has appended itself: `first` follows what is known unless somebody else came between. */
  appended(first: number, last: number, tags: readonly (readonly [Tag, number])[], timestampMs: number): void {
    for (const [tag, offset] of tags) this.#store(tag, offset, timestampMs);
    if (this.#known === first) this.#known = last + 1;
  }

  /** @throws RdgError overloaded */
  checkRoom(): void {
    if (this.#budget.used < this.#budget.max) return;
    throw new RdgError(
      "overloaded",
      "too_many_retryable_batches",
      "Too many batches of the last hour carry an idempotency key.",
      {
        place: `${this.#place.topic}/${this.#place.partition}`,
        hint: "Send larger batches, or allow more (rememberedBatchesMax).",
        retryAfterMs: 60_000,
      },
    );
  }

  async #catchUp(): Promise<void> {
    const oldestMs = this.#cluster.clock.now() - retryHorizonMs - skewMs;
    this.#expire(oldestMs);
    const place = [this.#place];
    const offsetOf = (kind: "stable" | number): Promise<number[]> =>
      this.#cluster.retrying("read", this.#place.topic, () => this.#cluster.offsets(place, kind));
    const [end] = await offsetOf("stable");
    if (this.#known === undefined) {
      const [start] = await offsetOf(Math.floor(oldestMs));
      this.#known = start! < 0 ? end! : start!;
    }
    const name = `${this.#place.topic}/${this.#place.partition}`;
    await scan(this.#cluster, this.#place, { from: this.#known, to: end!, committedOnly: true }, (head) => {
      const { tags, deltas } = decodeRecords(head, name, { tagsOnly: true });
      for (const [index, bytes] of tags) {
        const tag = decodeTag(bytes);
        if (tag !== undefined) this.#store(tag, head.baseOffset + deltas[index]!, head.timestampMs);
      }
    });
    this.#known = Math.max(this.#known, end!);
  }

  #store({ count, producer, sequence, key }: Tag, first: number, timestampMs: number): void {
    const entry: Entry = { first, last: first + count - 1, timestampMs };
    if (key !== undefined) {
      const name = hashOf(key);
      if (!this.#keys.has(name)) this.#budget.used++;
      // The first one counts, unless it is older than the horizon.
      if (!((this.#keys.get(name)?.timestampMs ?? -Infinity) >= timestampMs - retryHorizonMs))
        this.#keys.set(name, entry);
    }
    if (sequence === undefined) return;
    const batches = this.#sequences.get(producer) ?? [];
    if (batches.length > 0 && batches.at(-1)!.sequence >= sequence) return;
    batches.push({ ...entry, sequence });
    if (batches.length > rememberedPerProducer) batches.shift();
    else this.#budget.used++;
    this.#sequences.set(producer, batches);
  }

  #expire(oldestMs: number): void {
    for (const [key, { timestampMs }] of this.#keys) {
      if (timestampMs >= oldestMs) break;
      this.#keys.delete(key);
      this.#budget.used--;
    }
  }
}

const hashOf = (key: string): string => hash("sha256", key, "buffer").toString("latin1", 0, 16);
