// A job's transaction as the bytes of a frame, and back. The packed updates are neither copied nor looked into.
//
// Behind the frame header: description as JSON (padded to 8) | packed updates (padded to 8) | columns of the quarantined records as in
// record-frame.ts. The description names the job, its inputs and counters, and the shape of those columns.
import type { Position } from "../../model/position.ts";
import type { JobCounters, JobTransaction } from "../port.ts";
import { type Columns, decodeColumns, fixedBytes, flagsOf, usedBytes, writeFixed } from "./record-frame.ts";
import { field, type FrameBuffers, frameHeaderBytes, frameKind, padding } from "./segment-format.ts";

export interface QuarantinedShape {
  readonly topic: string;
  /** Offset of the first record in its topic. */
  readonly first: number;
  readonly count: number;
  readonly flags: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
}

export interface Description {
  readonly job: string;
  readonly inputs: readonly (readonly [string, number, number])[];
  readonly counters: JobCounters;
  readonly hasUpdates: boolean;
  readonly quarantined?: QuarantinedShape;
}

export interface Transaction {
  readonly offset: number;
  readonly timestampMs: number;
  readonly epoch: number;
  readonly description: Description;
  readonly updates: Uint8Array | undefined;
  readonly quarantined: Columns | undefined;
  readonly sizeBytes: number;
}

export interface EncodedTransaction {
  readonly buffers: FrameBuffers;
  readonly transaction: Transaction;
}

export function encodeTransaction(
  identity: { offset: number; timestampMs: number; job: string; epoch: number; quarantinedFirst: number },
  { updates, quarantined, inputs, counters }: JobTransaction,
): EncodedTransaction {
  const columns: Columns | undefined = quarantined && {
    count: quarantined.batch.count,
    values: quarantined.batch.values,
    keys: quarantined.batch.keys,
    nulls: quarantined.batch.nulls,
  };
  const keys = columns?.keys && usedBytes(columns.keys, columns.count);
  const values = columns && usedBytes(columns.values, columns.count);
  const description: Description = {
    job: identity.job,
    inputs: inputs.map(({ topic, partition, offset }) => [topic, partition, offset]),
    counters,
    hasUpdates: updates !== undefined,
    ...(quarantined &&
      columns && {
        quarantined: {
          topic: quarantined.topic,
          first: identity.quarantinedFirst,
          count: columns.count,
          flags: flagsOf(columns),
          keyBytes: keys?.length ?? 0,
          valueBytes: values?.length ?? 0,
        },
      }),
  };
  const text = Buffer.from(JSON.stringify(description));
  const head = Buffer.alloc(frameHeaderBytes + text.length + padding(text.length).length);
  text.copy(head, frameHeaderBytes);
  const rest: Uint8Array[] = [];
  if (updates !== undefined) rest.push(updates, padding(updates.length));
  if (columns !== undefined) {
    const fixed = Buffer.alloc(fixedBytes(columns));
    writeFixed(fixed, 0, columns);
    const tail = [fixed, keys ?? fixed.subarray(0, 0), values!];
    // As in a record frame, the padding stands before the bytes of keys and values.
    tail.splice(1, 0, padding(lengthOf(tail)));
    rest.push(...tail);
  }
  const parts = rest.filter((part) => part.length > 0);
  const length = head.length + lengthOf(parts);
  head.writeUInt32LE(length, field.length);
  head[field.kind] = frameKind.transaction;
  head.writeUInt32LE(1, field.count);
  head.writeDoubleLE(identity.offset, field.firstOffset);
  head.writeDoubleLE(identity.timestampMs, field.timestampMs);
  head.writeUInt32LE(identity.epoch, field.epoch);
  head.writeUInt32LE(text.length, field.keyBytes);
  head.writeUInt32LE(updates?.length ?? 0, field.valueBytes);
  const { offset, timestampMs, epoch } = identity;
  return {
    buffers: { head, rest: parts, length },
    transaction: { offset, timestampMs, epoch, description, updates, quarantined: columns, sizeBytes: length },
  };
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

export function decodeTransaction(bytes: Buffer, at: number): Transaction {
  const length = bytes.readUInt32LE(at + field.length);
  const textEnd = at + frameHeaderBytes + bytes.readUInt32LE(at + field.keyBytes);
  const description = JSON.parse(bytes.toString("utf8", at + frameHeaderBytes, textEnd)) as Description;
  const updatesAt = textEnd + padding(textEnd - at).length;
  const updatesEnd = updatesAt + bytes.readUInt32LE(at + field.valueBytes);
  const shape = description.quarantined;
  return {
    offset: bytes.readDoubleLE(at + field.firstOffset),
    timestampMs: bytes.readDoubleLE(at + field.timestampMs),
    epoch: bytes.readUInt32LE(at + field.epoch),
    description,
    updates: description.hasUpdates ? bytes.subarray(updatesAt, updatesEnd) : undefined,
    quarantined:
      shape && decodeColumns(bytes, updatesEnd + padding(updatesEnd - at).length, { ...shape, end: at + length }),
    sizeBytes: length,
  };
}

export function inputsOf(description: Description): Position[] {
  return description.inputs.map(([topic, partition, offset]) => ({ topic, partition, offset }));
}
