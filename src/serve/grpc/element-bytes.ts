// Hot path of answers: what nearly all values are, written in place. Each function writes at `at`, where its caller has left room for `valueBytesMax`, and returns where
// it ended; -1 says that the value is not such a one (the writer takes any), and that nothing before `at` was touched.

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

/** A google.protobuf.Timestamp with its length before it, from 1978 to 2038: then its seconds take five bytes. */
export function putTimestamp(buffer: Uint8Array, at: number, ms: number): number {
  if (!(ms >= 0x10000000 * 1_000 && ms < 0x80000000 * 1_000)) return -1;
  const seconds = (ms / 1_000) | 0;
  buffer[at + 1] = 0x08;
  buffer[at + 2] = (seconds & 127) | 128;
  buffer[at + 3] = ((seconds >>> 7) & 127) | 128;
  buffer[at + 4] = ((seconds >>> 14) & 127) | 128;
  buffer[at + 5] = ((seconds >>> 21) & 127) | 128;
  buffer[at + 6] = seconds >>> 28;
  let end = at + 7;
  const nanos = (ms - seconds * 1_000) * 1_000_000;
  if (nanos !== 0) {
    buffer[end++] = 0x10;
    end = putInteger(buffer, end, nanos);
  }
  buffer[at] = end - at - 1;
  return end;
}
