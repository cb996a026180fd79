// An open-addressing table from hashes to pointers, in shards that double on their own so that no growth is a long pause. Hot path.
//
// A slot is a pair [hash, pointer + 1]: a probe follows the pointer only when the whole hash agrees, and growing reads nothing but slots. What a
// pointer leads to, and whether it is the one that is looked for, is the caller's matter: it walks from `home` to the first empty slot.
import type { Epoch } from "./pages.ts";
import { PageList } from "./pages.ts";

const shardBits = 6;
const shardCount = 1 << shardBits;
const slotsMin = 16;
export const shardShift = 32 - shardBits;

export class HashTable {
  /** One page per shard, the shard being the hash's high bits: `words[hash >>> shardShift]`. A slot's pair begins at an even word. */
  readonly shards: PageList;
  /** Entries per shard. */
  readonly counts: Uint32Array;

  constructor(epoch: Epoch) {
    this.shards = new PageList(epoch);
    this.counts = new Uint32Array(shardCount);
  }

  /** Gives a new table its empty shards; a restored one has them. */
  create(): void {
    for (let shard = 0; shard < shardCount; shard++) this.shards.add(slotsMin * 8);
  }

  /** Adds a pointer that is not in the table. */
  insert(hash: number, pointer: number): void {
    const shard = hash >>> shardShift;
    const count = ++this.counts[shard]!;
    // At most 7 of 10 slots are taken.
    if (count * 20 > this.shards.words[shard]!.length * 7) this.#grow(shard);
    else this.shards.touch(shard);
    const words = this.shards.words[shard]!;
    place(words, hash, pointer + 1);
  }

  /** Takes a pointer out that is in the table. */
  remove(hash: number, pointer: number): void {
    const shard = hash >>> shardShift;
    this.shards.touch(shard);
    const words = this.shards.words[shard]!;
    const mask = words.length - 1;
    let hole = (hash << 1) & mask;
    while (words[hole + 1] !== pointer + 1) hole = (hole + 2) & mask;
    // Entries behind the hole that may live in it move up, so that no probe ends too early.
    for (let slot = (hole + 2) & mask; words[slot + 1] !== 0; slot = (slot + 2) & mask) {
      const home = (words[slot]! << 1) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      words[hole] = words[slot]!;
      words[hole + 1] = words[slot + 1]!;
      hole = slot;
    }
    words[hole] = 0;
    words[hole + 1] = 0;
    this.counts[shard]!--;
  }

  #grow(shard: number): void {
    const { shards } = this;
    shards.renew(shard, shards.words[shard]!.byteLength * 2, (old) => {
      const words = shards.words[shard]!;
      for (let slot = 0; slot < old.length; slot += 2) {
        if (old[slot + 1] !== 0) place(words, old[slot]!, old[slot + 1]!);
      }
    });
  }
}

function place(words: Uint32Array, hash: number, entry: number): void {
  const mask = words.length - 1;
  let slot = (hash << 1) & mask;
  while (words[slot + 1] !== 0) slot = (slot + 2) & mask;
  words[slot] = hash;
  words[slot + 1] = entry;
}
