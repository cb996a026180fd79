// Where encoded records of one partition are collected: growing buffers that are reused from request to request, and writers of Avro's primitive values.
// Hot path: runs per record, allocates only when a buffer grows.
import type { RecordBatch } from "../log/port.ts";

/** Buffers larger than this are given up after the request that needed them. */
const keptBytesMax = 1024 * 1024;
const initialBytes = 4 * 1024;
const initialRecords = 64;

/** One per partition. @param keyed whether records come with their keys (compacted topics) */
export function createOutputs(partitions: number, keyed: boolean): readonly RecordOutput[] {
  return Array.from({ length: partitions }, () => new RecordOutput(keyed));
}

export class RecordOutput {
  bytes = new Uint8Array(initialBytes);
  length = 0;
  count = 0;
  /** Where each record begins; the next one at `length`. */
  #starts = new Uint32Array(initialRecords);
  #keyBytes = new Uint8Array(0);
  #keyLength = 0;
  #keyStarts = new Uint32Array(0);
  #nulls: Uint8Array | undefined;
  readonly #keyed: boolean;

  /** @param keyed whether records come with their keys (compacted topics) */
  constructor(keyed: boolean) {
    this.#keyed = keyed;
    if (!keyed) return;
    this.#keyBytes = new Uint8Array(initialBytes);
    this.#keyStarts = new Uint32Array(initialRecords);
  }

  /** Makes room for one record of at most `size` bytes. */
  reserve(size: number): void {
    if (this.length + size > this.bytes.length) this.bytes = grown(this.bytes, this.length, this.length + size);
    if (this.count === this.#starts.length) this.#growRecords();
  }

  /** The record that was written into `bytes` from `length` to `end`. */
  add(end: number, keySource: Uint8Array, keyStart: number, keyEnd: number): void {
    this.#starts[this.count] = this.length;
    this.length = end;
    if (this.#keyed) this.#addKey(keySource, keyStart, keyEnd);
    this.count++;
  }

  /** A record whose value is null: removes its key. */
  addNull(key: Uint8Array): void {
    this.reserve(0);
    this.#nulls ??= new Uint8Array(this.#starts.length);
    this.#nulls[this.count] = 1;
    this.add(this.length, key, 0, key.length);
  }

  /** What was collected, in buffers of its own; the output is empty again. */
  take(): RecordBatch {
    const { count, length } = this;
    const batch: { -readonly [Name in keyof RecordBatch]: RecordBatch[Name] } = {
      count,
      values: { bytes: this.bytes.slice(0, length), starts: ended(this.#starts, count, length) },
    };
    if (this.#keyed) {
      batch.keys = {
        bytes: this.#keyBytes.slice(0, this.#keyLength),
        starts: ended(this.#keyStarts, count, this.#keyLength),
      };
    }
    if (this.#nulls !== undefined) batch.nulls = this.#nulls.slice(0, count);
    this.reset();
    return batch;
  }

  reset(): void {
    this.length = 0;
    this.count = 0;
    this.#keyLength = 0;
    this.#nulls = undefined;
    if (this.bytes.length > keptBytesMax) this.bytes = new Uint8Array(initialBytes);
    if (this.#keyBytes.length > keptBytesMax) this.#keyBytes = new Uint8Array(initialBytes);
  }

  #addKey(source: Uint8Array, start: number, end: number): void {
    const keyEnd = this.#keyLength + end - start;
    if (keyEnd > this.#keyBytes.length) this.#keyBytes = grown(this.#keyBytes, this.#keyLength, keyEnd);
    this.#keyStarts[this.count] = this.#keyLength;
    this.#keyBytes.set(source.subarray(start, end), this.#keyLength);
    this.#keyLength = keyEnd;
  }

  #growRecords(): void {
    const more = this.#starts.length * 2;
    const copy = <T extends Uint32Array | Uint8Array>(into: T, from: T): T => (into.set(from), into);
    this.#starts = copy(new Uint32Array(more), this.#starts);
    if (this.#keyed) this.#keyStarts = copy(new Uint32Array(more), this.#keyStarts);
    if (this.#nulls !== undefined) this.#nulls = copy(new Uint8Array(more), this.#nulls);
  }
}

function grown(bytes: Uint8Array, used: number, needed: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(needed, bytes.length * 2));
  larger.set(bytes.subarray(0, used));
  return larger;
}

function ended(starts: Uint32Array, count: number, end: number): Uint32Array {
  const column = new Uint32Array(count + 1);
  column.set(starts.subarray(0, count));
  column[count] = end;
  return column;
}

/** Zigzag varint of an integer below 2^52. Returns the position behind it. */
export function writeLong(out: Uint8Array, pos: number, value: number): number {
  if (value >= -0x4000_0000 && value < 0x4000_0000) {
    return writeVarint(out, pos, (value << 1) ^ (value >> 31));
  }
  const zigzag = value >= 0 ? value * 2 : -value * 2 - 1;
  const high = Math.floor(zigzag / 0x1000_0000);
  const low = zigzag - high * 0x1000_0000;
  // Beyond 2^31 the upper part is never 0.
  out[pos] = (low & 0x7f) | 0x80;
  out[pos + 1] = ((low >>> 7) & 0x7f) | 0x80;
  out[pos + 2] = ((low >>> 14) & 0x7f) | 0x80;
  out[pos + 3] = (low >>> 21) | 0x80;
  return writeVarint(out, pos + 4, high);
}

function writeVarint(out: Uint8Array, pos: number, value: number): number {
  while (value > 0x7f) {
    out[pos++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[pos] = value;
  return pos + 1;
}

/** The bytes `source[start, end)` behind their length. */
export function writeText(out: Uint8Array, pos: number, source: Uint8Array, start: number, end: number): number {
  const length = end - start;
  pos = writeVarint(out, pos, length << 1);
  if (length > 64) {
    out.set(source.subarray(start, end), pos);
    return pos + length;
  }
  for (let i = start; i < end; i++) out[pos++] = source[i]!;
  return pos;
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** Little endian, as the machines that Node runs on are; see the test. */
export function writeDouble(out: Uint8Array, pos: number, value: number): number {
  double[0] = value;
  for (let i = 0; i < 8; i++) out[pos + i] = doubleBytes[i]!;
  return pos + 8;
}
