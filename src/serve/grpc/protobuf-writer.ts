// Hot path of answers: writes protobuf straight into bytes. Lengths come before what they measure, so a place of the expected size is left for them, and
// what follows is moved where that was wrong.

const firstBytes = 64 * 1024;
/** Buffers up to this size are kept for the next message. */
const keptBytesMax = 1024 * 1024;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);
const int64 = new BigInt64Array(1);
const int64Words = new Uint32Array(int64.buffer);

export class ProtobufWriter {
  private buffer = Buffer.allocUnsafeSlow(firstBytes);
  private at = 0;

  get length(): number {
    return this.at;
  }

  /** Forgets what was written. */
  reset(): void {
    this.at = 0;
    if (this.buffer.length > keptBytesMax) this.buffer = Buffer.allocUnsafeSlow(firstBytes);
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
    const { length } = value;
    // No character takes more than three bytes, and no length more than five.
    this.reserve(length * 3 + 5);
    const { buffer, at } = this;
    if (length < 128) {
      for (let i = 0; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code > 127) return this.wideText(value);
        buffer[at + 1 + i] = code;
      }
      buffer[at] = length;
      this.at = at + 1 + length;
      return;
    }
    this.wideText(value);
  }

  private wideText(value: string): void {
    this.varint(Buffer.byteLength(value));
    this.at += this.buffer.write(value, this.at);
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.put(value);
  }

  /** A google.protobuf.Timestamp with its length before it. */
  timestamp(ms: number): void {
    // From 1978 to 2038 seconds take five bytes: nothing might have to be moved.
    if (!(ms >= 0x10000000 * 1_000 && ms < 0x80000000 * 1_000)) return this.anyTimestamp(ms);
    this.reserve(14);
    const { buffer } = this;
    const from = this.at;
    const seconds = (ms / 1_000) | 0;
    buffer[from + 1] = 0x08;
    buffer[from + 2] = (seconds & 127) | 128;
    buffer[from + 3] = ((seconds >>> 7) & 127) | 128;
    buffer[from + 4] = ((seconds >>> 14) & 127) | 128;
    buffer[from + 5] = ((seconds >>> 21) & 127) | 128;
    buffer[from + 6] = seconds >>> 28;
    let at = from + 7;
    let rest = (ms - seconds * 1_000) * 1_000_000;
    if (rest !== 0) {
      buffer[at++] = 0x10;
      while (rest >= 128) {
        buffer[at++] = (rest & 127) | 128;
        rest >>>= 7;
      }
      buffer[at++] = rest;
    }
    buffer[from] = at - from - 1;
    this.at = at;
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

  /** Puts a length into a byte that was left for it. */
  patch(at: number, length: number): void {
    this.buffer[at] = length;
  }

  /** Begins something with its length before it; what it returns goes to `end`. */
  begin(lengthBytes = 1): number {
    this.reserve(lengthBytes);
    this.at += lengthBytes;
    return this.at;
  }

  /** @param lengthBytes as given to `begin` */
  end(from: number, lengthBytes = 1): void {
    const length = this.at - from;
    const needed = varintLength(length);
    if (needed !== lengthBytes) {
      this.reserve(needed);
      this.buffer.copyWithin(from - lengthBytes + needed, from, this.at);
    }
    this.at = from - lengthBytes;
    this.varint(length);
    this.at += length;
  }

  private reserve(more: number): void {
    const needed = this.at + more;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    larger.set(this.buffer.subarray(0, this.at));
    this.buffer = larger;
  }
}

function varintLength(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
