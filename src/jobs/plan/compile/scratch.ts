// Hot path: where generated code builds text that is not in the event as it is. Computed text is UTF-8 in one buffer, never a JavaScript string,
// unless case mapping meets letters beyond ASCII.
import { hash } from "node:crypto";
import { indexOf } from "./bytes.ts";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** A growing buffer: what is appended lies at [length before, length after). Offsets stay valid when it grows; the job resets it per event. */
export class Scratch {
  bytes = new Uint8Array(4096);
  length = 0;

  private reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const target = this.bytes;
    let to = this.length;
    if (end - start > 64) {
      target.set(bytes.subarray(start, end), to);
      this.length = to + end - start;
      return;
    }
    for (let i = start; i < end; i++) target[to++] = bytes[i]!;
    this.length = to;
  }

  private appendString(text: string): void {
    this.reserve(text.length * 3);
    this.length += encoder.encodeInto(text, this.bytes.subarray(this.length)).written;
  }

  lower(bytes: Uint8Array, start: number, end: number): void {
    if (!this.appendAscii(bytes, start, end, 65, 32)) {
      this.appendString(decoder.decode(bytes.subarray(start, end)).toLowerCase());
    }
  }

  upper(bytes: Uint8Array, start: number, end: number): void {
    if (!this.appendAscii(bytes, start, end, 97, -32)) {
      this.appendString(decoder.decode(bytes.subarray(start, end)).toUpperCase());
    }
  }

  /** Appends with the 26 letters from `first` on moved by `shift`; false, and nothing appended, when a byte is not ASCII. */
  private appendAscii(bytes: Uint8Array, start: number, end: number, first: number, shift: number): boolean {
    this.reserve(end - start);
    const target = this.bytes;
    let to = this.length;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte > 127) return false;
      target[to++] = byte >= first && byte < first + 26 ? byte + shift : byte;
    }
    this.length = to;
    return true;
  }

  /** SHA-256 as 64 hexadecimal digits. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    this.appendString(hash("sha256", bytes.subarray(start, end), "hex"));
  }

  decimal(value: number | bigint): void {
    this.appendString(String(value));
  }

  /** The pieces between separators as an Avro array of strings in one block; an empty text has none. */
  split(bytes: Uint8Array, start: number, end: number, separators: Uint8Array, from: number, to: number): void {
    let count = start < end ? 1 : 0;
    for (let at = indexOf(bytes, start, end, separators, from, to); at >= 0; count++) {
      at = indexOf(bytes, at + to - from, end, separators, from, to);
    }
    if (count > 0) {
      this.appendLength(count);
      let piece = start;
      for (let i = 0; i < count; i++) {
        const at = indexOf(bytes, piece, end, separators, from, to);
        const pieceEnd = at < 0 ? end : at;
        this.appendLength(pieceEnd - piece);
        this.append(bytes, piece, pieceEnd);
        piece = pieceEnd + to - from;
      }
    }
    this.appendLength(0);
  }

  private appendLength(value: number): void {
    this.reserve(5);
    let rest = value * 2;
    while (rest > 127) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }
}
