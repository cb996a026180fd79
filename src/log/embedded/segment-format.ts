// The bytes of a segment file: a header of 64 bytes, then frames, each a multiple of 8 bytes, all little endian. Hot path: a frame's header is written per batch.
//
// File header                                   Frame header
//   0  magic "RDGSEG\r\n"                         0  length u32: of the whole frame, padding included
//   8  format version u16                         4  crc32 u32: of the bytes from 8 to the end, begun with the file's salt
//  10  stream kind u16: 1 records, 2 journal      8  kind u8: 1 records, 2 transaction, 3 state, 4 closed
//  12  partition u32                              9  flags u8: 1 keys, 2 nulls, 4 offsets, 8 sequence
//  16  base f64: first offset of the file        10  length of the idempotency key u16
//  24  created f64: log time, ms                 12  count u32: records; of a transaction 1; else 0
//  32  covers to f64: 0, or where the offsets    16  first offset f64
//      that a compacted file stands for end      24  timestamp f64: time of receipt, ms
//  40  salt u32: so that record bytes that       32  synced f64: every offset below was durable when this frame was written
//      imitate a frame are never taken for one   40  sequence f64
//  44  crc32 u32 of the stream's name            48  producer u32
//  48  zero                                      52  epoch u32
//  60  crc32 u32 of the bytes 0 to 59            56  key bytes u32 (transaction: bytes of its description)
//                                                60  value bytes u32 (transaction: bytes of its updates)
//
// A file begins with a state frame: what must be known at its start although older files may be gone. "Closed" is written by a clean stop.
import { crc32 } from "node:zlib";
import { RdgError } from "../../core/errors.ts";

const segmentFormat = 1;
export const segmentHeaderBytes = 64;
export const frameHeaderBytes = 64;

export const streamKind = { records: 1, journal: 2 } as const;
export const frameKind = { records: 1, transaction: 2, state: 3, closed: 4 } as const;
export const frameFlag = { keys: 1, nulls: 2, offsets: 4, sequence: 8 } as const;

/** Offsets of a frame header's fields. */
export const field = {
  length: 0,
  crc: 4,
  kind: 8,
  flags: 9,
  idempotencyKeyBytes: 10,
  count: 12,
  firstOffset: 16,
  timestampMs: 24,
  synced: 32,
  sequence: 40,
  producer: 48,
  epoch: 52,
  keyBytes: 56,
  valueBytes: 60,
} as const;

const magic = Buffer.from("RDGSEG\r\n", "latin1");

export interface SegmentHeader {
  readonly kind: number;
  readonly partition: number;
  readonly base: number;
  readonly createdMs: number;
  readonly coversTo: number;
  readonly salt: number;
}

export function encodeSegmentHeader(header: SegmentHeader, streamName: string): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  magic.copy(bytes);
  bytes.writeUInt16LE(segmentFormat, 8);
  bytes.writeUInt16LE(header.kind, 10);
  bytes.writeUInt32LE(header.partition, 12);
  bytes.writeDoubleLE(header.base, 16);
  bytes.writeDoubleLE(header.createdMs, 24);
  bytes.writeDoubleLE(header.coversTo, 32);
  bytes.writeUInt32LE(header.salt, 40);
  bytes.writeUInt32LE(crc32(streamName), 44);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60);
  return bytes;
}

/** @throws RdgError `corrupt`; `invalid`, `unknown_format` when another version wrote the file */
export function decodeSegmentHeader(
  bytes: Buffer,
  path: string,
  expected: { readonly kind: number; readonly name: string; readonly partition: number; readonly base: number },
): SegmentHeader {
  if (bytes.length < segmentHeaderBytes || !bytes.subarray(0, 8).equals(magic)) {
    throw damaged(path, 0, "it does not begin with a segment header");
  }
  if (bytes.readUInt32LE(60) !== crc32(bytes.subarray(0, 60)))
    throw damaged(path, 0, "the header's checksum does not match");
  const version = bytes.readUInt16LE(8);
  if (version !== segmentFormat) throw unknownFormat(path, version, segmentFormat);
  const header: SegmentHeader = {
    kind: bytes.readUInt16LE(10),
    partition: bytes.readUInt32LE(12),
    base: bytes.readDoubleLE(16),
    createdMs: bytes.readDoubleLE(24),
    coversTo: bytes.readDoubleLE(32),
    salt: bytes.readUInt32LE(40),
  };
  if (
    header.kind !== expected.kind ||
    header.partition !== expected.partition ||
    header.base !== expected.base ||
    bytes.readUInt32LE(44) !== crc32(expected.name)
  ) {
    throw damaged(
      path,
      8,
      `it is not a segment of ${expected.name}/${expected.partition} from offset ${expected.base}`,
    );
  }
  return header;
}

export function damaged(path: string, position: number, what: string): RdgError {
  return new RdgError("corrupt", "segment_damaged", `A log file is damaged at byte ${position}: ${what}.`, {
    place: `${path}:${position}`,
    hint: "Nothing was changed. Restore the log folder from a copy.",
  });
}

export function unknownFormat(path: string, version: number, known: number): RdgError {
  return new RdgError(
    "invalid",
    "unknown_format",
    `${path} has format ${version}; this version reads format ${known}.`,
    {
      place: path,
      hint: "Use the version of RDG that wrote the folder, or a later one.",
    },
  );
}

const zeros = Buffer.alloc(8);

/** What makes `length` a multiple of 8. */
export function padding(length: number): Buffer {
  return zeros.subarray(0, -length & 7);
}

/** A frame on its way to the file: the first buffer begins with the frame header. */
export interface FrameBuffers {
  readonly head: Buffer;
  readonly rest: readonly Uint8Array[];
  readonly length: number;
}

export interface ControlFrame {
  readonly kind: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly body: Buffer;
}

export function encodeControlFrame(frame: ControlFrame): FrameBuffers {
  const length = frameHeaderBytes + frame.body.length;
  const head = Buffer.alloc(length + padding(length).length);
  head.writeUInt32LE(head.length, field.length);
  head[field.kind] = frame.kind;
  head.writeDoubleLE(frame.offset, field.firstOffset);
  head.writeDoubleLE(frame.timestampMs, field.timestampMs);
  head.writeUInt32LE(frame.body.length, field.valueBytes);
  frame.body.copy(head, frameHeaderBytes);
  return { head, rest: [], length: head.length };
}

/** Completes a frame just before it is written: what is durable by then, and the checksum over everything. */
export function sealFrame(frame: FrameBuffers, synced: number, salt: number): void {
  frame.head.writeDoubleLE(synced, field.synced);
  let crc = crc32(frame.head.subarray(field.kind), salt);
  for (const buffer of frame.rest) crc = crc32(buffer, crc);
  frame.head.writeUInt32LE(crc, field.crc);
}

/** The length of the frame at `at`, or 0 when what stands there cannot be one. Needs the 64 bytes of its header. */
export function plausibleFrameLength(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32LE(at + field.length);
  const kind = bytes[at + field.kind]!;
  return length >= frameHeaderBytes && (length & 7) === 0 && kind >= 1 && kind <= 4 ? length : 0;
}

export function isIntact(bytes: Buffer, at: number, length: number, salt: number): boolean {
  return crc32(bytes.subarray(at + field.kind, at + length), salt) === bytes.readUInt32LE(at + field.crc);
}
