// Hands out the small arrays of answers from larger pieces of memory: a typed array with memory of its own costs as much as reading ten edges.

const slabBytes = 65_536;

/** A piece of memory is used once and goes when the last array in it does: who keeps an answer keeps at most one piece more than it holds. */
export class Slab {
  #buffer = new ArrayBuffer(slabBytes);
  #at = 0;

  doubles(count: number): Float64Array {
    if (count * 8 > slabBytes / 8) return new Float64Array(count);
    const at = this.#take(count * 8);
    return new Float64Array(this.#buffer, at, count);
  }

  words(count: number): Uint32Array {
    if (count * 4 > slabBytes / 8) return new Uint32Array(count);
    const at = this.#take(count * 4);
    return new Uint32Array(this.#buffer, at, count);
  }

  bytes(count: number): Uint8Array {
    if (count > slabBytes / 8) return new Uint8Array(count);
    const at = this.#take(count);
    return new Uint8Array(this.#buffer, at, count);
  }

  integers(count: number): Int32Array {
    if (count * 4 > slabBytes / 8) return new Int32Array(count);
    const at = this.#take(count * 4);
    return new Int32Array(this.#buffer, at, count);
  }

  /** Where the array goes; only then `#buffer` is the piece that it goes into. */
  #take(sizeBytes: number): number {
    if (this.#at + sizeBytes > slabBytes) {
      this.#buffer = new ArrayBuffer(slabBytes);
      this.#at = 0;
    }
    const at = this.#at;
    this.#at += (sizeBytes + 7) & ~7;
    return at;
  }
}
