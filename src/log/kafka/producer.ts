// A producer by name: one lane per partition, all under one epoch, so that a later owner of the name ends them all.
import { RdgError } from "../../core/errors.ts";
import type { Appended, Producer, RecordBatch, TopicSettings } from "../port.ts";
import type { Directory } from "./directory.ts";
import { fenced, logClosed } from "./failures.ts";
import { partitionsAt } from "./growth.ts";
import type { Lane } from "./lane.ts";

const idempotencyKeyBytesMax = 256;

export interface KafkaProducerOptions {
  readonly name: string;
  readonly directory: Directory;
  readonly nowMs: () => number;
  readonly openLane: (topic: TopicSettings, partition: number) => Lane;
}

export class KafkaProducer implements Producer {
  readonly #options: KafkaProducerOptions;
  readonly #lanes = new Map<string, Lane>();
  #end: RdgError | undefined;

  constructor(options: KafkaProducerOptions) {
    this.#options = options;
  }

  partitions(topic: string): number | Promise<number> {
    const { directory, nowMs } = this.#options;
    const now = async (): Promise<number> => {
      if (directory.isStale) await directory.reload();
      return partitionsAt(await directory.find(topic), nowMs());
    };
    const known = directory.known(topic);
    return known === undefined || directory.isStale ? now() : partitionsAt(known, nowMs());
  }

  append(topic: string, partition: number, batch: RecordBatch): Promise<Appended> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const known = this.#options.directory.known(topic);
    // Synchronously where it can be: appends are stored in the order of the calls.
    if (known === undefined)
      return this.#options.directory.find(topic).then(() => this.append(topic, partition, batch));
    const refusal = refuse(known, partition, batch);
    return refusal === undefined ? this.#lane(known, partition).append(batch) : Promise.reject(refusal);
  }

  async close(): Promise<void> {
    this.end(logClosed());
    await this.idle();
  }

  /** Takes no more; what was appended goes on. */
  end(reason: RdgError): void {
    this.#end ??= reason;
  }

  takenOver(): void {
    this.end(fenced("Producer", this.#options.name));
  }

  async idle(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lane) => lane.idle()));
  }

  #lane(topic: TopicSettings, partition: number): Lane {
    const id = `${topic.name}/${partition}`;
    let lane = this.#lanes.get(id);
    if (lane === undefined) {
      lane = this.#options.openLane(topic, partition);
      this.#lanes.set(id, lane);
    }
    return lane;
  }
}

function refuse(
  { name, form, partitions, foreign }: TopicSettings,
  partition: number,
  batch: RecordBatch,
): RdgError | undefined {
  const invalid = (code: string, message: string, hint?: string): RdgError =>
    new RdgError("invalid", code, message, { place: `${name}/${partition}`, hint });
  if (foreign !== undefined) return invalid("foreign_topic", `${name} is the topic ${foreign}, which is only read.`);
  if (form === "updates") return invalid("written_by_jobs", `${name} is written by jobs' transactions only.`);
  if (!Number.isInteger(partition) || partition < 0 || partition >= partitions) {
    return invalid("unknown_partition", `${name} has partitions 0 to ${partitions - 1}, not ${partition}.`);
  }
  if (batch.count < 1) return invalid("empty_batch", "A batch holds at least one record.");
  if (!holds(batch.values, batch.count) || (batch.keys !== undefined && !holds(batch.keys, batch.count))) {
    return invalid("bad_batch", "The batch's columns do not hold as many records as it says.");
  }
  if (form === "compacted" && batch.keys === undefined) {
    return invalid("key_missing", `Records of ${name} have a key.`, "The latest record of each key is kept.");
  }
  const { idempotencyKey: key } = batch;
  if (key !== undefined && (key === "" || Buffer.byteLength(key) > idempotencyKeyBytesMax)) {
    return invalid("bad_idempotency_key", `An idempotency key has 1 to ${idempotencyKeyBytesMax} bytes.`);
  }
  return undefined;
}

const holds = ({ bytes, starts }: RecordBatch["values"], count: number): boolean =>
  starts.length > count && starts[count]! <= bytes.length;
