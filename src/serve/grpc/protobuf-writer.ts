// Hot path of answers: writes protobuf straight into bytes. Lengths come before what they measure, so a place of the expected size is left for them, and
// what follows is moved where that was wrong.
import { putTimestamp, putText, valueBytesMax } from "./element-bytes.ts";

const firstBytes = 64 * 1024;
/** Buffers up to this size are kept for the next message. */
const keptBytesMax = 1024 * 1024;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);
const int64 = new BigInt64Array(1);
const int64Words = new Uint32Array(int64.buffer);

export class ProtobufWriter {
  /** For hot loops, which write in place what they have reserved room for, and leave `at` behind it. Replaced by `reserve`. */
  buffer = Buffer.allocUnsafeSlow(firstBytes);
  view = new DataView(this.buffer.buffer);
  at = 0;

  get length(): number {
    return this.at;
  }

  /** Forgets what was written. */
  reset(): void {
    this.at = 0;
    if (this.buffer.length > keptBytesMax) this.take(Buffer.allocUnsafeSlow(firstBytes));
  }

  /** What was written: valid until something is written again. */
  written(): Buffer {
    return this.buffer.subarray(0, this.at);
  }

  /** Bytes that are protobuf already. */
  put(bytes: Uint8Array): void {
    const { length } = bytes;
    this.reserve(length);
    const { buffer, at } = this;
    if (length > 64) buffer.set(bytes, at);
    else for (let i = 0; i < length; i++) buffer[at + i] = bytes[i]!;
    this.at = at + length;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.at++] = value;
  }

  /** An integer from 0 to 2^53. */
  varint(value: number): void {
    this.reserve(8);
    const { buffer } = this;
    let { at } = this;
    let rest = value;
    while (rest >= 0x80000000) {
      buffer[at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 128) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.at = at;
  }

  /** Any int64: negative ones take ten bytes. */
  int64(value: number | bigint): void {
    if (typeof value === "number" && value >= 0) return this.varint(value);
    int64[0] = BigInt(value);
    let low = int64Words[0]!;
    let high = int64Words[1]!;
    this.reserve(10);
    while (high > 0 || low > 127) {
      this.buffer[this.at++] = (low & 127) | 128;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.buffer[this.at++] = low;
  }

  double(value: number): void {
    this.reserve(8);
    double[0] = value;
    for (let i = 0; i < 8; i++) this.buffer[this.at + i] = doubleBytes[i]!;
    this.at += 8;
  }

  /** A string with its length before it. */
  text(value: string): void {
    this.reserve(valueBytesMax);
    const end = putText(this.buffer, this.at, value);
    if (end < 0) this.anyText(value);
    else this.at = end;
  }

  private anyText(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.reserve(bytes + 5);
    this.varint(bytes);
    this.at += this.buffer.write(value, this.at);
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.put(value);
  }

  /** A google.protobuf.Timestamp with its length before it. */
  timestamp(ms: number): void {
    this.reserve(valueBytesMax);
    const end = putTimestamp(this.view, this.at, ms);
    if (end < 0) this.anyTimestamp(ms);
    else this.at = end;
  }

  private anyTimestamp(ms: number): void {
    const from = this.begin();
    const seconds = Math.floor(ms / 1_000);
    if (seconds !== 0) {
      this.byte(0x08);
      this.int64(seconds);
    }
    const nanos = (ms - seconds * 1_000) * 1_000_000;
    if (nanos !== 0) {
      this.byte(0x10);
      this.varint(nanos);
    }
    this.end(from);
  }

  /** Begins something with its length before it; what it returns goes to `end`. */
  begin(lengthBytes = 1): number {
    this.reserve(lengthBytes);
    this.at += lengthBytes;
    return this.at;
  }

  /**
   * @param lengthBytes as given to `begin`
   * @returns how many were needed
   */
  end(from: number, lengthBytes = 1): number {
    const length = this.at - from;
    const needed = varintLength(length);
    if (needed !== lengthBytes) {
      this.reserve(needed);
      this.buffer.copyWithin(from - lengthBytes + needed, from, this.at);
    }
    this.at = from - lengthBytes;
    this.varint(length);
    this.at += length;
    return needed;
  }

  reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.at));
    this.take(larger);
  }

  private take(buffer: Buffer<ArrayBuffer>): void {
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer);
  }
}

function varintLength(value: number): number {
  if (value < 128) return 1;
  if (value < 16_384) return 2;
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
