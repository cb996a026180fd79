// Kafka's record batches (format 2) straight from and to columns. Hot path: no object per record.
//
//   base offset i64 | length i32 | leader epoch i32 | 2 i8 | CRC-32C u32 | attributes i16 | last offset delta i32 | base time i64 | max time i64 |
//   producer id i64 | producer epoch i16 | base sequence i32 | count i32 | records, compressed or not
//   record: length | 0 i8 | time delta | offset delta | key length, -1 for none | key | value length, -1 for null | value | headers
// Big endian; lengths and deltas of records are zigzag varints.
import { compressionsAlgorithms, compressionsAlgorithmsByBitmask, crc32c } from "@platformatic/kafka";
import { RdgError } from "../../core/errors.ts";
import type { BytesColumn } from "../../model/update/batch.ts";
import type { RecordBatch } from "../port.ts";
import type { KafkaLogSettings } from "./settings.ts";

const headBytes = 61;
const lengthAt = 8;
const crcAt = 17;
const attributesAt = 21;
const transactionalFlag = 0x10;
const controlFlag = 0x20;
const recordOverheadMax = 32;

/** Name of the header that the first record of a tagged batch carries (stored-batches.ts). */
const tagName = Buffer.from("rdg");

export interface TaggedBatch {
  readonly batch: RecordBatch;
  readonly tag?: Uint8Array | undefined;
}

export interface BatchIdentity {
  readonly producerId: bigint;
  readonly epoch: number;
  readonly sequence: number;
  readonly transactional: boolean;
  readonly nowMs: number;
  readonly compression: KafkaLogSettings["compression"];
}

export function batchBytes({ count, values, keys }: RecordBatch): number {
  const columnBytes = ({ starts }: BytesColumn): number => starts[count]! - starts[0]!;
  return columnBytes(values) + (keys === undefined ? 0 : columnBytes(keys)) + 12 * count;
}

/** Below this, compressing costs more than it saves. */
const compressFromBytes = 512;

export function encodeBatch(parts: readonly TaggedBatch[], identity: BatchIdentity): Buffer {
  let [count, sizeMax] = [0, headBytes];
  for (const { batch, tag } of parts) {
    count += batch.count;
    sizeMax += batchBytes(batch) + recordOverheadMax * batch.count + (tag === undefined ? 0 : tag.length + 16);
  }
  const plain = Buffer.allocUnsafe(sizeMax);
  const end = writeRecords(plain, parts);
  let bytes = plain.subarray(0, end);
  let codec = 0;
  if (identity.compression !== "none" && end - headBytes >= compressFromBytes) {
    const { compressSync, bitmask } = compressionsAlgorithms[identity.compression];
    bytes = Buffer.concat([plain.subarray(0, headBytes), compressSync(plain.subarray(headBytes, end))]);
    codec = bitmask;
  }
  writeHead(bytes, identity, codec, count);
  return bytes;
}

function writeHead(bytes: Buffer, identity: BatchIdentity, codec: number, count: number): void {
  bytes.writeBigInt64BE(0n, 0);
  bytes.writeInt32BE(bytes.length - 12, lengthAt);
  bytes.writeInt32BE(-1, 12);
  bytes.writeInt8(2, 16);
  bytes.writeInt16BE(codec | (identity.transactional ? transactionalFlag : 0), attributesAt);
  bytes.writeInt32BE(count - 1, 23);
  bytes.writeBigInt64BE(BigInt(identity.nowMs), 27);
  bytes.writeBigInt64BE(BigInt(identity.nowMs), 35);
  bytes.writeBigInt64BE(identity.producerId, 43);
  bytes.writeInt16BE(identity.epoch, 51);
  bytes.writeInt32BE(identity.sequence, 53);
  bytes.writeInt32BE(count, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(attributesAt)), crcAt);
}

/** Writes behind the head; returns where the records end. */
function writeRecords(bytes: Buffer, parts: readonly TaggedBatch[]): number {
  let [at, delta] = [headBytes, 0];
  for (const { batch, tag } of parts) {
    const { values, keys, nulls, count } = batch;
    for (let i = 0; i < count; i++, delta++) {
      const header = i === 0 ? tag : undefined;
      const keyBytes = keys === undefined ? -1 : keys.starts[i + 1]! - keys.starts[i]!;
      const valueBytes = nulls?.[i] === 1 ? -1 : values.starts[i + 1]! - values.starts[i]!;
      const headerBytes =
        header === undefined ? 1 : 1 + 1 + tagName.length + varintBytes(header.length) + header.length;
      const size =
        2 +
        varintBytes(delta) +
        varintBytes(keyBytes) +
        Math.max(0, keyBytes) +
        varintBytes(valueBytes) +
        Math.max(0, valueBytes) +
        headerBytes;
      at = writeVarint(bytes, at, size);
      bytes[at++] = 0;
      bytes[at++] = 0;
      at = writeVarint(bytes, at, delta);
      at = writeVarint(bytes, at, keyBytes);
      if (keyBytes > 0) at = copy(keys!.bytes, keys!.starts[i]!, keyBytes, bytes, at);
      at = writeVarint(bytes, at, valueBytes);
      if (valueBytes > 0) at = copy(values.bytes, values.starts[i]!, valueBytes, bytes, at);
      if (header === undefined) {
        bytes[at++] = 0;
        continue;
      }
      at = writeVarint(bytes, at, 1);
      at = writeVarint(bytes, at, tagName.length);
      at = copy(tagName, 0, tagName.length, bytes, at);
      at = writeVarint(bytes, at, header.length);
      at = copy(header, 0, header.length, bytes, at);
    }
  }
  return at;
}

/** Short pieces byte by byte: a call costs more than it saves. */
function copy(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): number {
  if (length < 24) for (let i = 0; i < length; i++) to[at + i] = from[start + i]!;
  else to.set(from.subarray(start, start + length), at);
  return at + length;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value < 0 ? 1 : value * 2; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

/** Zigzag; -1 is the only negative number. */
function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value < 0 ? 1 : value * 2;
  while (rest >= 0x80) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[at++] = rest;
  return at;
}

/** The head of a batch as a reader needs it. */
export interface BatchHead {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timestampMs: number;
  readonly producerId: bigint;
  readonly transactional: boolean;
  /** Of control batches: how the producer's transaction ended. */
  readonly control: "commit" | "abort" | undefined;
  readonly count: number;
  readonly bytes: Buffer;
}

/** The whole batches in what a broker answered; a torn one at the end is left. */
export function* batchesIn(answer: Buffer, place: string): Generator<BatchHead> {
  for (let at = 0; at + headBytes <= answer.length;) {
    const size = answer.readInt32BE(at + lengthAt) + 12;
    if (at + size > answer.length) return;
    const bytes = answer.subarray(at, at + size);
    const baseOffset = Number(bytes.readBigInt64BE(0));
    if (bytes[16] !== 2) throw damaged(place, baseOffset, `its format is ${bytes[16]}, not 2`);
    const attributes = bytes.readInt16BE(attributesAt);
    yield {
      baseOffset,
      lastOffset: baseOffset + bytes.readInt32BE(23),
      timestampMs: Number(bytes.readBigInt64BE(35)),
      producerId: bytes.readBigInt64BE(43),
      transactional: (attributes & transactionalFlag) !== 0,
      control: (attributes & controlFlag) === 0 ? undefined : controlOf(bytes),
      count: bytes.readInt32BE(57),
      bytes,
    };
    at += size;
  }
}

/** A control record's key is version i16 | type i16: 0 abort, 1 commit. It begins behind length, attributes, two deltas and its own length, one byte each. */
const controlOf = (bytes: Buffer): "commit" | "abort" => (bytes.readInt16BE(headBytes + 7) === 1 ? "commit" : "abort");

export interface BatchRecords {
  /** Less the batch's base offset. */
  readonly deltas: Uint32Array;
  readonly count: number;
  readonly values: BytesColumn;
  readonly keys: BytesColumn | undefined;
  readonly nulls: Uint8Array | undefined;
  /** Of records that carry one: their index and the tag. */
  readonly tags: readonly (readonly [number, Uint8Array])[];
}

/** The records with offsets in [from, until]; with `tagsOnly` neither keys nor values are copied. */
export function decodeRecords(
  head: BatchHead,
  place: string,
  { from = 0, until = Infinity, tagsOnly = false }: { from?: number; until?: number; tagsOnly?: boolean } = {},
): BatchRecords {
  const { bytes, baseOffset, count: countMax } = head;
  if (crc32c(bytes.subarray(attributesAt)) !== bytes.readUInt32BE(crcAt)) {
    throw damaged(place, baseOffset, "its checksum does not match");
  }
  const codec = compressionsAlgorithmsByBitmask[bytes.readInt16BE(attributesAt) & 0x07];
  const body = bytes.subarray(headBytes);
  const records = codec === undefined || codec.bitmask === 0 ? body : codec.decompressSync(body);
  const deltas = new Uint32Array(countMax);
  const valueStarts = new Uint32Array(countMax + 1);
  const keyStarts = new Uint32Array(countMax + 1);
  const values = new Uint8Array(tagsOnly ? 0 : records.length);
  let keys: Uint8Array | undefined;
  let nulls: Uint8Array | undefined;
  const tags: [number, Uint8Array][] = [];
  let [count, valueAt, keyAt] = [0, 0, 0];
  const cursor = new RecordCursor(records);
  for (let i = 0; i < countMax; i++) {
    const end = cursor.varint() + cursor.at;
    cursor.at++;
    cursor.skipVarint();
    const delta = cursor.varint();
    if (baseOffset + delta < from || baseOffset + delta > until) {
      cursor.at = end;
      continue;
    }
    deltas[count] = delta;
    const keyBytes = cursor.varint();
    if (keyBytes >= 0) {
      if (!tagsOnly) {
        keys ??= new Uint8Array(records.length);
        copy(records, cursor.at, keyBytes, keys, keyAt);
        keyAt += keyBytes;
      }
      cursor.at += keyBytes;
    }
    const valueBytes = cursor.varint();
    if (valueBytes >= 0) {
      if (!tagsOnly) {
        copy(records, cursor.at, valueBytes, values, valueAt);
        valueAt += valueBytes;
      }
      cursor.at += valueBytes;
    } else {
      nulls ??= new Uint8Array(countMax);
      nulls[count] = 1;
    }
    for (let headers = cursor.varint(); headers > 0; headers--) {
      const isTag = cursor.isNext(tagName);
      const value = cursor.bytes();
      if (isTag && value !== undefined) tags.push([count, value]);
    }
    if (cursor.at !== end) throw damaged(place, baseOffset, `record ${i} does not end where it says`);
    count++;
    valueStarts[count] = valueAt;
    keyStarts[count] = keyAt;
  }
  return {
    deltas,
    count,
    values: { bytes: values.subarray(0, valueAt), starts: valueStarts },
    keys: keys && { bytes: keys.subarray(0, keyAt), starts: keyStarts },
    nulls,
    tags,
  };
}

class RecordCursor {
  at = 0;
  readonly #records: Buffer;

  constructor(records: Buffer) {
    this.#records = records;
  }

  varint(): number {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.#records[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 0x80;
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  skipVarint(): void {
    while (this.#records[this.at++]! >= 0x80);
  }

  /** Reads the name of a header. */
  isNext(name: Buffer): boolean {
    const length = this.varint();
    const found = length === name.length && name.compare(this.#records, this.at, this.at + length) === 0;
    this.at += Math.max(0, length);
    return found;
  }

  bytes(): Uint8Array | undefined {
    const length = this.varint();
    if (length < 0) return undefined;
    this.at += length;
    return this.#records.subarray(this.at - length, this.at);
  }
}

function damaged(place: string, offset: number, what: string): RdgError {
  return new RdgError("corrupt", "batch_damaged", `A batch of records is damaged: ${what}.`, {
    place: `${place}@${offset}`,
    hint: "Check the brokers' disks; with more than one replica, move the partition to another one.",
  });
}
