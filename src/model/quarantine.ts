// The quarantine record: what a stage could not handle, with its bytes, where it came from and why, so that it can be looked at and replayed.
// Format: a version byte, then Avro by `quarantineSchema`.
import { RdgError } from "../core/errors.ts";
import { AvroReader } from "./avro/avro-reader.ts";
import { AvroWriter } from "./avro/avro-writer.ts";

export interface QuarantineRecord {
  /** Who refused it: `gateway`, `jobs.<event>`. */
  readonly stage: string;
  readonly code: string;
  /** For people; cut to 4,000 characters. */
  readonly message: string;
  /** Where it was read from; missing when it was never appended. */
  readonly topic?: string | undefined;
  readonly partition?: number | undefined;
  readonly offset?: number | undefined;
  readonly receivedMs: number;
  /** The record as it came: anything, of any size that was let in. */
  readonly bytes: Uint8Array;
}

const formatVersion = 1;
const messageMax = 4000;
const textMax = 65_536;
const bytesMax = 1 << 30;

/** Avro schema as JSON text. */
export const quarantineSchema: string = JSON.stringify({
  type: "record",
  name: "rdg.quarantine.record",
  fields: [
    { name: "stage", type: "string" },
    { name: "code", type: "string" },
    { name: "message", type: "string" },
    { name: "topic", type: ["null", "string"], default: null },
    { name: "partition", type: ["null", "int"], default: null },
    { name: "offset", type: ["null", "long"], default: null },
    { name: "receivedMs", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "bytes", type: "bytes" },
  ],
});

export function encodeQuarantineRecord(record: QuarantineRecord): Uint8Array {
  const writer = new AvroWriter(record.bytes.length + 256);
  writer.byte(formatVersion);
  writer.text(record.stage);
  writer.text(record.code);
  writer.text(record.message.slice(0, messageMax).toWellFormed());
  if (optional(writer, record.topic)) writer.text(record.topic);
  if (optional(writer, record.partition)) writer.long(record.partition);
  if (optional(writer, record.offset)) writer.long(record.offset);
  writer.long(record.receivedMs);
  writer.blob(record.bytes);
  return writer.copy();
}

function optional<T>(writer: AvroWriter, value: T | undefined): value is T {
  writer.byte(value === undefined ? 0 : 2);
  return value !== undefined;
}

/** @throws RdgError corrupt, `unknown_format` or `bad_quarantine_record` */
export function decodeQuarantineRecord(encoded: Uint8Array): QuarantineRecord {
  if (encoded[0] !== formatVersion) {
    throw new RdgError("corrupt", "unknown_format", `The quarantine record has the format ${encoded[0] ?? "none"}.`, {
      hint: `This release reads format ${formatVersion}: use the release that wrote it, or a newer one.`,
    });
  }
  const reader = new AvroReader();
  try {
    reader.open(encoded, 1, encoded.length);
    const [stage, code, message] = [reader.text(textMax), reader.text(textMax), reader.text(textMax)];
    const topic = present(reader) ? reader.text(textMax) : undefined;
    const partition = present(reader) ? Number(reader.long()) : undefined;
    const offset = present(reader) ? Number(reader.long()) : undefined;
    const receivedMs = Number(reader.long());
    const bytes = new Uint8Array(reader.blob(bytesMax));
    reader.finish();
    return { stage, code, message, topic, partition, offset, receivedMs, bytes };
  } catch (error) {
    if (!(error instanceof RdgError)) throw error;
    throw new RdgError("corrupt", "bad_quarantine_record", `The quarantine record is damaged: ${error.message}`, {
      place: error.place,
      hint: "Restore the log from a copy, or skip the record.",
      cause: error,
    });
  }
}

function present(reader: AvroReader): boolean {
  const branch = reader.byte();
  if (branch > 2 || branch === 1) throw reader.fail("an optional field has no such branch");
  return branch === 2;
}
