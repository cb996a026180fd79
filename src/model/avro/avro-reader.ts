// Reads Avro's primitive values out of bytes that nobody has checked yet. Hot path: runs per record; allocates the values it returns only.
// Every read is bounded by `end`: damaged bytes are refused with `bad_avro`, whatever they claim. Runs in browsers too.
import { RdgError } from "../../core/errors.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Texts up to this many bytes are put together byte by byte while they are ASCII; longer ones are worth the call of the decoder. */
const shortText = 24;

export class AvroReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(this.#bytes.buffer);
  #end = 0;
  position = 0;

  /** Reads `bytes[start, end)` from now on. */
  open(bytes: Uint8Array, start: number, end: number): void {
    if (start < 0 || end < start || end > bytes.length) throw badAvro("the range lies outside of the bytes", start);
    if (bytes.buffer !== this.#bytes.buffer || bytes.byteOffset !== this.#bytes.byteOffset) {
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    }
    this.#bytes = bytes;
    this.position = start;
    this.#end = end;
  }

  /** @throws RdgError invalid, `bad_avro` where bytes are left */
  finish(): void {
    if (this.position !== this.#end) throw this.fail(`${this.#end - this.position} bytes are left over`);
  }

  get remaining(): number {
    return this.#end - this.position;
  }

  /** A copy of what was read since `start`. */
  slice(start: number): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(start, this.position));
  }

  fail(message: string): RdgError {
    return badAvro(message, this.position);
  }

  byte(): number {
    if (this.position >= this.#end) throw this.fail("the record ends too early");
    return this.#bytes[this.position++]!;
  }

  /** A zigzag varint of 64 bits: a number when it is a safe integer, else a bigint. */
  long(): number | bigint {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
    }
    let middle = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      middle |= (byte & 0x7f) << shift;
      if (byte < 0x80) return fromParts(low, middle, 0);
    }
    let byte = this.byte();
    let high = byte & 0x7f;
    if (byte >= 0x80) {
      byte = this.byte();
      if (byte > 1) throw this.fail("an integer has more than 64 bits");
      high |= byte << 7;
    }
    return fromParts(low, middle, high);
  }

  double(): number {
    if (this.#end - this.position < 8) throw this.fail("the record ends too early");
    const value = this.#view.getFloat64(this.position, true);
    this.position += 8;
    return value;
  }

  /** The bytes behind their length, as a view. */
  blob(sizeMax: number): Uint8Array {
    const size = this.#size(sizeMax);
    this.position += size;
    return this.#bytes.subarray(this.position - size, this.position);
  }

  text(sizeMax: number): string {
    const size = this.#size(sizeMax);
    const start = this.position;
    this.position = start + size;
    if (size <= shortText) {
      let text = "";
      let i = start;
      for (; i < this.position; i++) {
        const byte = this.#bytes[i]!;
        if (byte >= 0x80) break;
        text += String.fromCharCode(byte);
      }
      if (i === this.position) return text;
    }
    try {
      return utf8.decode(this.#bytes.subarray(start, this.position));
    } catch {
      this.position = start;
      throw this.fail("a text is not UTF-8");
    }
  }

  /** A length, which the bytes that follow must cover. */
  #size(sizeMax: number): number {
    const size = this.long();
    if (typeof size !== "number" || size < 0 || size > this.#end - this.position) {
      throw this.fail("a length reaches beyond the record");
    }
    if (size > sizeMax) throw this.fail(`a text or byte string is longer than ${sizeMax} bytes`);
    return size;
  }
}

/** The integer whose zigzag form is low (28 bits), middle (28 bits), high (8 bits). */
function fromParts(low: number, middle: number, high: number): number | bigint {
  if (high === 0 && middle < 0x200_0000) {
    const zigzag = middle * 0x1000_0000 + low;
    return low & 1 ? -(zigzag + 1) / 2 : zigzag / 2;
  }
  const zigzag = (BigInt(high) << 56n) | (BigInt(middle) << 28n) | BigInt(low);
  const value = BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function badAvro(message: string, position: number): RdgError {
  return new RdgError(
    "invalid",
    "bad_avro",
    `The Avro record is damaged or was written with another schema: ${message}.`,
    {
      place: `byte ${position}`,
      hint: "Compare the schema of the writer with the one that the record is read with.",
    },
  );
}
