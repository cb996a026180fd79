// A batch of records as the bytes of a frame, and back. Hot path: values and keys are never copied; what is decoded are views of the bytes read.
//
// Behind the frame header: idempotency key (padded to 8) | columns. Columns: starts of values u32 x (count + 1) | starts of keys | offsets u32 x count
// | nulls u8 x count | padding | bytes of keys | bytes of values. The padding makes the whole a multiple of 8.
import type { BytesColumn } from "../../model/update/batch.ts";
import type { RecordBatch, RecordFrame } from "../port.ts";
import { field, frameFlag, frameHeaderBytes, frameKind, padding, type FrameBuffers } from "./segment-format.ts";

/** The fields of a frame header that the caller decides. */
export interface FrameIdentity {
  readonly firstOffset: number;
  readonly timestampMs: number;
  readonly producer: number;
  readonly epoch: number;
}

/** What columns hold; `offsets` are relative to the frame's first. */
export interface Columns {
  readonly count: number;
  readonly values: BytesColumn;
  readonly keys?: BytesColumn | undefined;
  readonly nulls?: Uint8Array | undefined;
  readonly offsets?: Uint32Array | undefined;
}

export function encodeRecordFrame(
  identity: FrameIdentity,
  columns: Columns,
  sequence: number | undefined,
  idempotencyKey: Uint8Array | undefined,
): FrameBuffers {
  const keyBytes = idempotencyKey?.length ?? 0;
  const columnsAt = frameHeaderBytes + keyBytes + padding(keyBytes).length;
  const keys = columns.keys && usedBytes(columns.keys, columns.count);
  const values = usedBytes(columns.values, columns.count);
  const fixedEnd = columnsAt + fixedBytes(columns);
  const pad = padding(fixedEnd + (keys?.length ?? 0) + values.length).length;
  const head = Buffer.allocUnsafe(fixedEnd + pad);
  const length = head.length + (keys?.length ?? 0) + values.length;
  head.writeUInt32LE(length, field.length);
  head[field.kind] = frameKind.records;
  head[field.flags] = flagsOf(columns) | (sequence === undefined ? 0 : frameFlag.sequence);
  head.writeUInt16LE(keyBytes, field.idempotencyKeyBytes);
  head.writeUInt32LE(columns.count, field.count);
  head.writeDoubleLE(identity.firstOffset, field.firstOffset);
  head.writeDoubleLE(identity.timestampMs, field.timestampMs);
  head.writeDoubleLE(sequence ?? 0, field.sequence);
  head.writeUInt32LE(identity.producer, field.producer);
  head.writeUInt32LE(identity.epoch, field.epoch);
  head.writeUInt32LE(keys?.length ?? 0, field.keyBytes);
  head.writeUInt32LE(values.length, field.valueBytes);
  if (idempotencyKey !== undefined) {
    head.set(idempotencyKey, frameHeaderBytes);
    head.fill(0, frameHeaderBytes + keyBytes, columnsAt);
  }
  writeFixed(head, columnsAt, columns);
  head.fill(0, fixedEnd);
  const rest: Uint8Array[] = [];
  if (keys !== undefined && keys.length > 0) rest.push(keys);
  if (values.length > 0) rest.push(values);
  return { head, rest, length };
}

export function flagsOf(columns: Columns): number {
  return (
    (columns.keys === undefined ? 0 : frameFlag.keys) |
    (columns.nulls === undefined ? 0 : frameFlag.nulls) |
    (columns.offsets === undefined ? 0 : frameFlag.offsets)
  );
}

/** Bytes of the columns before the bytes of keys and values. */
export function fixedBytes(columns: Columns): number {
  const starts = 4 * (columns.count + 1);
  return (
    starts +
    (columns.keys === undefined ? 0 : starts) +
    (columns.offsets === undefined ? 0 : 4 * columns.count) +
    (columns.nulls === undefined ? 0 : columns.count)
  );
}

export function writeFixed(target: Buffer, at: number, columns: Columns): void {
  const { count } = columns;
  let end = writeStarts(target, at, columns.values.starts, count);
  if (columns.keys !== undefined) end = writeStarts(target, end, columns.keys.starts, count);
  if (columns.offsets !== undefined) {
    target.set(asBytes(columns.offsets.subarray(0, count)), end);
    end += 4 * count;
  }
  if (columns.nulls !== undefined) target.set(columns.nulls.subarray(0, count), end);
}

function writeStarts(target: Buffer, at: number, starts: Uint32Array, count: number): number {
  const first = starts[0]!;
  if (first === 0) target.set(asBytes(starts.subarray(0, count + 1)), at);
  else for (let i = 0; i <= count; i++) target.writeUInt32LE(starts[i]! - first, at + 4 * i);
  return at + 4 * (count + 1);
}

function asBytes(array: Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

export function usedBytes(column: BytesColumn, count: number): Uint8Array {
  const start = column.starts[0]!;
  const end = column.starts[count]!;
  return start === 0 && end === column.bytes.length ? column.bytes : column.bytes.subarray(start, end);
}

/** Columns at `at`, which is a multiple of 4 within the memory; `end` is where the bytes of the values end. */
export function decodeColumns(
  bytes: Buffer,
  at: number,
  shape: { count: number; flags: number; keyBytes: number; valueBytes: number; end: number },
): Columns {
  const { count, flags, end } = shape;
  let next = at;
  const words = (length: number): Uint32Array => {
    const view = new Uint32Array(bytes.buffer, bytes.byteOffset + next, length);
    next += 4 * length;
    return view;
  };
  const starts = words(count + 1);
  const keyStarts = (flags & frameFlag.keys) === 0 ? undefined : words(count + 1);
  const offsets = (flags & frameFlag.offsets) === 0 ? undefined : words(count);
  const nulls = (flags & frameFlag.nulls) === 0 ? undefined : bytes.subarray(next, next + count);
  const valuesAt = end - shape.valueBytes;
  return {
    count,
    values: { bytes: bytes.subarray(valuesAt, end), starts },
    keys: keyStarts && { bytes: bytes.subarray(valuesAt - shape.keyBytes, valuesAt), starts: keyStarts },
    nulls,
    offsets,
  };
}

export function decodeRecordFrame(bytes: Buffer, at: number): Columns {
  const idempotencyKeyBytes = bytes.readUInt16LE(at + field.idempotencyKeyBytes);
  return decodeColumns(bytes, at + frameHeaderBytes + idempotencyKeyBytes + padding(idempotencyKeyBytes).length, {
    count: bytes.readUInt32LE(at + field.count),
    flags: bytes[at + field.flags]!,
    keyBytes: bytes.readUInt32LE(at + field.keyBytes),
    valueBytes: bytes.readUInt32LE(at + field.valueBytes),
    end: at + bytes.readUInt32LE(at + field.length),
  });
}

export function idempotencyKeyOf(bytes: Buffer, at: number): Buffer | undefined {
  const length = bytes.readUInt16LE(at + field.idempotencyKeyBytes);
  return length === 0 ? undefined : bytes.subarray(at + frameHeaderBytes, at + frameHeaderBytes + length);
}

export function recordFrame(
  topic: string,
  partition: number,
  firstOffset: number,
  timestampMs: number,
  columns: Columns | RecordBatch,
): RecordFrame {
  const { count, values, keys, nulls } = columns;
  const offsets = "offsets" in columns ? columns.offsets : undefined;
  return {
    topic,
    partition,
    firstOffset,
    timestampMs,
    count,
    values,
    ...(keys && { keys }),
    ...(nulls && { nulls }),
    ...(offsets && { offsets }),
  };
}

/** The offset behind the last record of a frame. */
function endOffset(frame: RecordFrame): number {
  return frame.firstOffset + (frame.offsets === undefined ? frame.count : frame.offsets[frame.count - 1]! + 1);
}

/** The part of a frame from offset `from` to `until`, both inclusive; undefined when nothing is left. */
export function trimFrame(frame: RecordFrame, from: number, until: number): RecordFrame | undefined {
  if (from <= frame.firstOffset && until >= endOffset(frame) - 1) return frame;
  const start = firstAtOrAfter(frame, from);
  const end = firstAtOrAfter(frame, until + 1);
  if (start >= end) return undefined;
  const shift = frame.offsets === undefined ? start : frame.offsets[start]!;
  return {
    topic: frame.topic,
    partition: frame.partition,
    firstOffset: frame.firstOffset + shift,
    timestampMs: frame.timestampMs,
    count: end - start,
    values: slice(frame.values, start, end),
    ...(frame.keys && { keys: slice(frame.keys, start, end) }),
    ...(frame.nulls && { nulls: frame.nulls.subarray(start, end) }),
    ...(frame.offsets && { offsets: frame.offsets.slice(start, end).map((offset) => offset - shift) }),
  };
}

function firstAtOrAfter(frame: RecordFrame, offset: number): number {
  const wanted = offset - frame.firstOffset;
  if (frame.offsets === undefined) return Math.min(Math.max(wanted, 0), frame.count);
  let index = 0;
  while (index < frame.count && frame.offsets[index]! < wanted) index++;
  return index;
}

function slice(column: BytesColumn, start: number, end: number): BytesColumn {
  return { bytes: column.bytes, starts: column.starts.subarray(start, end + 1) };
}
