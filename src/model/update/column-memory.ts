// Memory for the columns of decoded batches that is used again from batch to batch. Fresh typed arrays per batch are what makes the garbage collector run:
// it counts them as growth until a collection of the whole heap finds out that they are gone.

const blockBytes = 1 << 20;
/** More than that is not kept: columns beyond get memory of their own. */
const blocksMax = 16;

/** What it hands out holds whatever was there before. */
export class ColumnMemory {
  readonly #blocks: ArrayBuffer[] = [];
  #block = 0;
  #at = 0;

  doubles(count: number): Float64Array {
    const at = this.#take(count * 8);
    return at < 0 ? new Float64Array(count) : new Float64Array(this.#blocks[this.#block]!, at, count);
  }

  integers64(count: number): BigInt64Array {
    const at = this.#take(count * 8);
    return at < 0 ? new BigInt64Array(count) : new BigInt64Array(this.#blocks[this.#block]!, at, count);
  }

  words(count: number): Uint32Array {
    const at = this.#take(count * 4);
    return at < 0 ? new Uint32Array(count) : new Uint32Array(this.#blocks[this.#block]!, at, count);
  }

  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return at < 0 ? new Uint8Array(count) : new Uint8Array(this.#blocks[this.#block]!, at, count);
  }

  /** Nobody uses any more what was handed out: it may be handed out again. */
  reuse(): void {
    this.#block = 0;
    this.#at = 0;
  }

  /** Where in the current block there is room; -1 where there is none to be had. */
  #take(sizeBytes: number): number {
    if (sizeBytes > blockBytes) return -1;
    if (this.#at + sizeBytes > blockBytes) {
      if (this.#block + 1 === blocksMax) return -1;
      this.#block++;
      this.#at = 0;
    }
    if (this.#block === this.#blocks.length) this.#blocks.push(new ArrayBuffer(blockBytes));
    const at = this.#at;
    this.#at += (sizeBytes + 7) & ~7;
    return at;
  }
}
