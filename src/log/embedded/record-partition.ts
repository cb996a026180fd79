// One partition of a record topic: batches in, frames out, retries recognised. Hot path: one pass over a batch's starts, no copy of its bytes.
import { RdgError } from "../../core/errors.ts";
import type { BytesColumn } from "../../model/update/batch.ts";
import type { Appended, RecordBatch, RecordFrame, TopicForm } from "../port.ts";
import { IdempotencyKeys, type KeyBudget, keyRow, keyRowBytes, type StoredBatch } from "./idempotency-keys.ts";
import type { LogTime } from "./log-time.ts";
import { ProducerSequences, type SequenceState } from "./producer-sequences.ts";
import { decodeRecordFrame, encodeRecordFrame, idempotencyKeyOf, recordFrame } from "./record-frame.ts";
import { field, frameFlag } from "./segment-format.ts";
import { idempotencyHorizonMs } from "./settings.ts";
import type { StreamContent } from "./stream-content.ts";
import type { Stream } from "./stream.ts";

interface State {
  readonly sequences: SequenceState;
}

/** What the frames of a record partition mean, and which batches it has stored. */
export class RecordContent implements StreamContent<RecordFrame> {
  readonly sequences = new ProducerSequences();
  readonly keys: IdempotencyKeys;
  readonly #topic: string;
  readonly #partition: number;

  constructor(topic: string, partition: number, budget: KeyBudget) {
    this.#topic = topic;
    this.#partition = partition;
    this.keys = new IdempotencyKeys(budget);
  }

  snapshot(durable: number): State {
    return { sequences: this.sequences.snapshot(durable) };
  }

  restore(state: unknown): void {
    this.sequences.restore((state as State).sequences);
  }

  replay(bytes: Buffer, at: number): void {
    const first = bytes.readDoubleLE(at + field.firstOffset);
    if ((bytes[at + field.flags]! & frameFlag.sequence) !== 0) {
      const batch = {
        first,
        last: first + bytes.readUInt32LE(at + field.count) - 1,
        sequence: bytes.readDoubleLE(at + field.sequence),
        epoch: bytes.readUInt32LE(at + field.epoch),
      };
      this.sequences.store(bytes.readUInt32LE(at + field.producer), batch, Infinity);
    }
    const row = this.row(bytes, at);
    if (row !== undefined) this.keys.store(row);
  }

  recall(rows: Buffer): void {
    for (let at = 0; at < rows.length; at += keyRowBytes) this.keys.store(rows.subarray(at, at + keyRowBytes));
  }

  row(bytes: Buffer, at: number): Buffer | undefined {
    const key = idempotencyKeyOf(bytes, at);
    if (key === undefined) return undefined;
    const first = bytes.readDoubleLE(at + field.firstOffset);
    return keyRow(key, first, bytes.readUInt32LE(at + field.count), bytes.readDoubleLE(at + field.timestampMs));
  }

  next(bytes: Buffer, at: number): number {
    const first = bytes.readDoubleLE(at + field.firstOffset);
    const count = bytes.readUInt32LE(at + field.count);
    if ((bytes[at + field.flags]! & frameFlag.offsets) === 0) return first + count;
    return first + decodeRecordFrame(bytes, at).offsets![count - 1]! + 1;
  }

  decode(bytes: Buffer, at: number): RecordFrame {
    const columns = decodeRecordFrame(bytes, at);
    const first = bytes.readDoubleLE(at + field.firstOffset);
    return recordFrame(this.#topic, this.#partition, first, bytes.readDoubleLE(at + field.timestampMs), columns);
  }

  rollBack(durable: number): void {
    this.sequences.rollBack(durable);
    this.keys.rollBack(durable);
  }
}

export class RecordPartition {
  readonly stream: Stream<RecordFrame>;
  readonly #content: RecordContent;
  readonly #topic: string;
  readonly #partition: number;
  readonly #compacted: boolean;
  readonly #time: LogTime;

  constructor(stream: Stream<RecordFrame>, content: RecordContent, form: TopicForm, time: LogTime) {
    this.stream = stream;
    this.#content = content;
    this.#topic = stream.identity.name;
    this.#partition = stream.identity.partition;
    this.#compacted = form === "compacted";
    this.#time = time;
  }

  /** Forgets idempotency keys that are past their hour, for the sake of partitions that need the room. */
  expireKeys(): void {
    this.#content.keys.expire(this.#time.now() - idempotencyHorizonMs);
  }

  async append(producer: number, epoch: number, batch: RecordBatch): Promise<Appended> {
    const place = `${this.#topic}/${this.#partition}`;
    const bytes = checkBatch(batch, place, this.stream.settings.batchBytesMax);
    if (this.#compacted && batch.keys === undefined)
      throw invalid("keys_missing", "Records of a compacted topic need keys.", place);
    // The time of the new records, should they be new; asking does not pass it.
    const key = batch.idempotencyKey === undefined ? undefined : keyBytes(batch.idempotencyKey, place);
    const first = this.stream.next;
    const row = key && keyRow(key, first, batch.count, this.#time.now());
    // The key first: its positions are exact, however old the sequence.
    const stored = (row && this.#content.keys.find(row)) ?? this.#repeated(producer, batch.sequence);
    if (stored !== undefined) return await this.#duplicate(stored);
    const refusal = this.stream.refusal(bytes);
    if (refusal !== undefined) throw refusal;
    if (row !== undefined && !this.#content.keys.hasRoom()) throw keysFull(place);

    const timestampMs = this.#compacted ? this.#time.nextCompacted() : this.#time.next();
    const identity = { firstOffset: first, timestampMs, producer, epoch };
    const buffers = encodeRecordFrame(identity, batch, batch.sequence, key);
    const last = first + batch.count - 1;
    if (batch.sequence !== undefined) {
      this.#content.sequences.store(producer, { first, last, sequence: batch.sequence, epoch }, this.stream.durable);
    }
    if (row !== undefined) {
      row.writeDoubleLE(timestampMs, 24);
      this.#content.keys.store(row);
    }
    await new Promise<void>((resolve, reject) => {
      this.stream.append({
        buffers,
        first,
        next: last + 1,
        timestampMs,
        row,
        frame: recordFrame(this.#topic, this.#partition, first, timestampMs, batch),
        ...(this.#compacted && { decided: () => this.#time.settle(timestampMs) }),
        resolve,
        reject,
      });
    });
    return this.#appended({ first, last }, false);
  }

  #repeated(producer: number, sequence: number | undefined): StoredBatch | undefined {
    return sequence === undefined ? undefined : this.#content.sequences.find(producer, sequence);
  }

  async #duplicate(batch: StoredBatch): Promise<Appended> {
    await this.stream.whenVisible(batch.last + 1);
    return this.#appended(batch, true);
  }

  #appended({ first, last }: StoredBatch, duplicate: boolean): Appended {
    const topic = this.#topic;
    const partition = this.#partition;
    return { first: { topic, partition, offset: first }, last: { topic, partition, offset: last }, duplicate };
  }
}

function invalid(code: string, message: string, place: string): RdgError {
  return new RdgError("invalid", code, message, { place });
}

/** The batch's size in bytes. @throws RdgError invalid when its columns do not hold what they say */
export function checkBatch(batch: RecordBatch, place: string, bytesMax: number): number {
  const { count, values, keys, nulls, sequence } = batch;
  if (!Number.isInteger(count) || count < 1) throw invalid("empty_batch", "A batch holds at least one record.", place);
  let bytes = columnBytes(values, count, place);
  if (keys !== undefined) bytes += columnBytes(keys, count, place);
  if (nulls !== undefined && nulls.length < count) throw badColumns(place);
  if (sequence !== undefined && !Number.isSafeInteger(sequence)) {
    throw invalid("bad_sequence", "A sequence is a safe integer.", place);
  }
  if (bytes > bytesMax) {
    throw new RdgError("invalid", "batch_too_large", `The batch has ${bytes} bytes; ${bytesMax} are allowed.`, {
      place,
      hint: "Append it in parts.",
    });
  }
  return bytes;
}

function columnBytes({ bytes, starts }: BytesColumn, count: number, place: string): number {
  if (starts.length <= count || starts[count]! > bytes.length) throw badColumns(place);
  for (let i = 0; i < count; i++) if (starts[i]! > starts[i + 1]!) throw badColumns(place);
  return starts[count]! - starts[0]! + 4 * count;
}

function badColumns(place: string): RdgError {
  return invalid("bad_batch", "The batch's columns do not hold as many records as it says.", place);
}

const idempotencyKeyBytesMax = 256;

function keyBytes(key: string, place: string): Buffer {
  const bytes = Buffer.from(key);
  if (bytes.length >= 1 && bytes.length <= idempotencyKeyBytesMax) return bytes;
  throw invalid("bad_idempotency_key", `An idempotency key has 1 to ${idempotencyKeyBytesMax} bytes.`, place);
}

function keysFull(place: string): RdgError {
  return new RdgError(
    "overloaded",
    "idempotency_keys_full",
    "More idempotency keys were used within an hour than the log remembers.",
    {
      place,
      hint: "Send larger batches under one key each, or raise `idempotencyKeysMax`.",
      retryAfterMs: 60_000,
    },
  );
}
