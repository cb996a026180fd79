// Hot path of answers: what nearly all values are, written in place. Each function writes at `at`, where its caller has left room for `valueBytesMax`, and returns where
// it ended; -1 says that the value is not such a one: the writer takes any.

/** Of an id, a moment or a property that is written here, with tags and lengths. */
export const valueBytesMax = 128;
/** Longer ones cost too little per character to matter. */
const charactersMax = 100;

/** A short text of ASCII, with its length before it. */
export function putText(buffer: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (length > charactersMax) return -1;
  let end = at + 1;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return -1;
    buffer[end++] = code;
  }
  buffer[at] = length;
  return end;
}

/** The same of bytes[start, stop). */
export function putAscii(buffer: Uint8Array, at: number, bytes: Uint8Array, start: number, stop: number): number {
  if (stop - start > charactersMax) return -1;
  let end = at + 1;
  for (let i = start; i < stop; i++) {
    const code = bytes[i]!;
    if (code > 127) return -1;
    buffer[end++] = code;
  }
  buffer[at] = stop - start;
  return end;
}

/** An integer from 0 to 2^53 that is not -0. */
export function putInteger(buffer: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  while (rest >= 0x80000000) {
    buffer[end++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  let small = rest | 0;
  while (small >= 128) {
    buffer[end++] = (small & 127) | 128;
    small >>>= 7;
  }
  buffer[end++] = small;
  return end;
}

/** Bytes that are always the same, in words of four: a loop over bytes takes three times as long. What lies behind them is written over. */
export class FixedBytes {
  readonly length: number;
  readonly #words: Int32Array;

  constructor(bytes: Uint8Array) {
    this.length = bytes.length;
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    const view = new DataView(padded.buffer);
    this.#words = Int32Array.from({ length: padded.length / 4 }, (_, i) => view.getInt32(i * 4, true));
  }

  put(view: DataView, at: number): void {
    const words = this.#words;
    for (let i = 0; i < words.length; i++) view.setInt32(at + i * 4, words[i]!, true);
  }
}

/** Per millisecond of a second its nanoseconds as a varint: its first four bytes, its length, and whether there is a fifth, what it is. */
const nanosWords = new Int32Array(1_000);
const nanosLengths = new Uint8Array(1_000);
const nanosLast = new Uint8Array(1_000);
for (let ms = 1; ms < 1_000; ms++) {
  const bytes = new Uint8Array(8);
  nanosLengths[ms] = putInteger(bytes, 0, ms * 1_000_000);
  nanosWords[ms] = new DataView(bytes.buffer).getInt32(0, true);
  nanosLast[ms] = bytes[4]!;
}

/** A google.protobuf.Timestamp of whole milliseconds with its length before it, from 1978 to 2038: then its seconds take five bytes. */
export function putTimestamp(view: DataView, at: number, ms: number): number {
  if (!(ms >= 0x10000000 * 1_000 && ms < 0x80000000 * 1_000)) return -1;
  const seconds = (ms / 1_000) | 0;
  const rest = ms - seconds * 1_000;
  const nanosLength = nanosLengths[rest];
  if (nanosLength === undefined) return -1;
  const length = nanosLength === 0 ? 6 : 7 + nanosLength;
  const first = ((seconds & 127) | 128) << 16;
  view.setInt32(at, length | 0x0800 | first | (((seconds >>> 7) | 128) << 24), true);
  const middle = ((seconds >>> 14) & 127) | 128 | ((((seconds >>> 21) & 127) | 128) << 8);
  view.setInt32(at + 4, middle | ((seconds >>> 28) << 16) | 0x10000000, true);
  view.setInt32(at + 8, nanosWords[rest]!, true);
  view.setUint8(at + 12, nanosLast[rest]!);
  return at + 1 + length;
}
