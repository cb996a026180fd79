// Chance that can be repeated: numbers that follow from a seed, and Zipf's law over them.

/** sfc32 (Chris Doty-Humphrey, public domain): the same numbers for the same seed everywhere, no short cycles. Not for secrets. */
export class Chance {
  #a: number;
  #b: number;
  #c = 0x2545f491 | 0;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 4_294_967_296) | 0;
    for (let i = 0; i < 16; i++) this.next();
  }

  /** 32 random bits as an integer from 0. */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    return Math.floor((this.next() / 4_294_967_296) * bound);
  }
}

/**
 * Draws from [0, size): 0 twice as often as 1, three times as often as 2 ... By Walker's alias method, two draws and one comparison each;
 * only sums and quotients go into the tables, which are exact alike on every machine.
 */
export function zipf(size: number): (chance: Chance) => number {
  let total = 0;
  for (let rank = 1; rank <= size; rank++) total += 1 / rank;
  const share = new Float64Array(size);
  const alias = new Int32Array(size);
  const small: number[] = [];
  const large: number[] = [];
  for (let rank = 0; rank < size; rank++) {
    share[rank] = size / (rank + 1) / total;
    (share[rank]! < 1 ? small : large).push(rank);
  }
  while (small.length > 0 && large.length > 0) {
    const less = small.pop()!;
    const more = large.at(-1)!;
    alias[less] = more;
    share[more] = share[more]! + share[less]! - 1;
    if (share[more] < 1) small.push(large.pop()!);
  }
  for (const left of [...small, ...large]) share[left] = 1;
  return (chance) => {
    const column = chance.below(size);
    return chance.next() / 4_294_967_296 < share[column]! ? column : alias[column]!;
  };
}
