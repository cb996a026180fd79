// 32-bit hashes for the open-addressing tables of the hot path: of bytes and of pairs of integers. Hot path: allocates nothing.
//
// The byte hash is MurmurHash3 (x86, 32 bit, public domain): four bytes per step, every output bit depends on every input bit, so tables may mask
// the low bits and shard by the high ones. It is not secret: who chooses ids can build collisions, which cost time within one table, never correctness.
// Hashes are stored in tables that are written to disk: changing a function here changes those formats.

/** The hash of `bytes[start, end)`, an unsigned 32-bit integer. */
export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  let i = start;
  for (const whole = end - 3; i < whole; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    word = Math.imul(word, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  if (i < end) {
    let word = bytes[i]!;
    if (i + 1 < end) word |= bytes[i + 1]! << 8;
    if (i + 2 < end) word |= bytes[i + 2]! << 16;
    word = Math.imul(word, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
  }
  return finish(hash ^ (end - start));
}

/** The hash of two 32-bit integers in order: (a, b) and (b, a) differ. An unsigned 32-bit integer. */
export function hashPair(a: number, b: number): number {
  let hash = Math.imul(a, 0xcc9e2d51);
  hash = (hash << 15) | (hash >>> 17);
  hash = Math.imul(hash, 0x1b873593) ^ Math.imul(b, 0x9e3779b1);
  return finish(hash);
}

function finish(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
