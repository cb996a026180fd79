// Which partition a key belongs to: Kafka's default partitioner (murmur2 of the key's bytes, made positive, modulo the number of partitions), so that every
// Kafka client that uses it, and this gateway on any log, agree. Hot path: runs per record, allocates nothing.

/** The partition of the key `bytes[start, end)`. */
export function partitionOf(bytes: Uint8Array, start: number, end: number, partitions: number): number {
  return (murmur2(bytes, start, end) & 0x7fff_ffff) % partitions;
}

/** MurmurHash2 with Kafka's seed, a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  const m = 0x5bd1e995;
  let hash = 0x9747b28c ^ (end - start);
  let i = start;
  for (const whole = end - 3; i < whole; i += 4) {
    let word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    word = Math.imul(word, m);
    word = Math.imul(word ^ (word >>> 24), m);
    hash = Math.imul(hash, m) ^ word;
  }
  if (i < end) {
    let word = bytes[i]!;
    if (i + 1 < end) word |= bytes[i + 1]! << 8;
    if (i + 2 < end) word |= bytes[i + 2]! << 16;
    hash = Math.imul(hash ^ word, m);
  }
  hash = Math.imul(hash ^ (hash >>> 13), m);
  return hash ^ (hash >>> 15);
}
