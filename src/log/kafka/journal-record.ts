// A job's transaction as the value of a record of the journal.
//
// Another form needs a number of its own (record-format.ts).
//
//   journal   length of the description u32 (LE) | description, JSON, padded with blanks to a multiple of 8 | packed updates, or nothing
import { RdgError } from "../../core/errors.ts";
import type { Position } from "../../model/position.ts";
import { decodeUpdateBatch } from "../../model/update/codec.ts";
import type { JobCounters, JobTransaction, UpdateFrame } from "../port.ts";
import { assertRecordFormat } from "./record-format.ts";

const lengthBytes = 4;

interface Description {
  readonly job: string;
  readonly inputs: readonly (readonly [string, number, number])[];
  readonly counters: JobCounters;
  readonly hasUpdates: boolean;
}

export function encodeTransaction(job: string, { updates, inputs, counters }: JobTransaction): Uint8Array {
  const description: Description = { job, inputs: inputs.map(short), counters, hasUpdates: updates !== undefined };
  const text = Buffer.from(JSON.stringify(description));
  const padded = Math.ceil((lengthBytes + text.length) / 8) * 8;
  const bytes = Buffer.allocUnsafe(padded + (updates?.length ?? 0));
  bytes.writeUInt32LE(padded - lengthBytes, 0);
  text.copy(bytes, lengthBytes);
  bytes.fill(" ", lengthBytes + text.length, padded);
  if (updates !== undefined) bytes.set(updates, padded);
  return bytes;
}

export function decodeTransaction(
  value: Uint8Array,
  at: { offset: number; timestampMs: number; source: string },
): UpdateFrame {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length);
  const length = bytes.length < lengthBytes ? Infinity : bytes.readUInt32LE(0);
  if (lengthBytes + length > bytes.length) {
    throw new RdgError("corrupt", "transaction_damaged", "A record of the journal is not a job's transaction.", {
      place: `${at.source}@${at.offset}`,
      hint: "Only RDG's jobs may write to this topic.",
    });
  }
  const description = JSON.parse(bytes.toString("utf8", lengthBytes, lengthBytes + length)) as Description;
  assertRecordFormat(description, at.source);
  const { job, inputs, hasUpdates } = description;
  const packed = hasUpdates ? value.subarray(lengthBytes + length) : undefined;
  return {
    source: at.source,
    offset: at.offset,
    job,
    timestampMs: at.timestampMs,
    inputs: inputs.map(long),
    packed,
    updates: () => packed && decodeUpdateBatch(packed),
    sizeBytes: value.length,
  };
}

const short = ({ topic, partition, offset }: Position): [string, number, number] => [topic, partition, offset];
const long = ([topic, partition, offset]: readonly [string, number, number]): Position => ({
  topic,
  partition,
  offset,
});
