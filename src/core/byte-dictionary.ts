// Gives byte strings dense integers in order of first sight, so that everything behind it is keyed by integers. Hot path: no allocation except growth.
//
// Open addressing, linear probing, at most half full. A slot is a pair [hash, index + 1] in one Uint32Array, so that a probe reads the bytes of an
// entry only when the whole hash agrees. The bytes lie one after another in an arena. Bounds are the caller's: it asks `count` and `sizeBytes`.
import { hashBytes } from "./hash.ts";

const entriesMin = 64;

export class ByteDictionary {
  /** Entry i is `bytes[starts[i] .. starts[i + 1])`. Replaced when they grow: do not keep them across `intern`. */
  bytes: Uint8Array;
  starts: Uint32Array;
  count = 0;
  #slots: Uint32Array;
  #mask: number;

  constructor(entries: number = entriesMin) {
    let capacity = entriesMin;
    while (capacity < entries) capacity *= 2;
    this.#slots = new Uint32Array(capacity * 4);
    this.#mask = capacity * 2 - 1;
    this.starts = new Uint32Array(capacity + 1);
    this.bytes = new Uint8Array(capacity * 16);
  }

  /** Memory in use by entries and their slots; what growth holds in reserve is not counted. */
  get sizeBytes(): number {
    return this.starts[this.count]! + this.count * 20;
  }

  /** The index of `source[start, end)`; it is new when the index equals what `count` was before. */
  intern(source: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(source, start, end);
    const slots = this.#slots;
    const mask = this.#mask;
    let slot = hash & mask;
    for (;;) {
      const index = slots[2 * slot + 1]!;
      if (index === 0) break;
      if (slots[2 * slot] === hash && this.#equals(index - 1, source, start, end)) return index - 1;
      slot = (slot + 1) & mask;
    }
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = this.count + 1;
    return this.#append(source, start, end);
  }

  /** The index of `source[start, end)`, or -1. */
  find(source: Uint8Array, start: number, end: number): number {
    const hash = hashBytes(source, start, end);
    const slots = this.#slots;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = slots[2 * slot + 1]!;
      if (index === 0) return -1;
      if (slots[2 * slot] === hash && this.#equals(index - 1, source, start, end)) return index - 1;
    }
  }

  /** Forgets all entries and keeps the memory. */
  reset(): void {
    const slots = this.#slots;
    if (this.count * 16 >= slots.length) slots.fill(0);
    else
      for (let i = 0; i < this.count; i++) this.#clearRun(hashBytes(this.bytes, this.starts[i]!, this.starts[i + 1]!));
    this.count = 0;
  }

  /** Clears the slots from the hash's own to the end of its run. Every entry of a run is cleared whole once all entries have passed here. */
  #clearRun(hash: number): void {
    const slots = this.#slots;
    for (let slot = hash & this.#mask; slots[2 * slot + 1] !== 0; slot = (slot + 1) & this.#mask)
      slots[2 * slot + 1] = 0;
  }

  #equals(index: number, source: Uint8Array, start: number, end: number): boolean {
    const from = this.starts[index]!;
    if (this.starts[index + 1]! - from !== end - start) return false;
    const bytes = this.bytes;
    for (let i = from, j = start; j < end; i++, j++) if (bytes[i] !== source[j]) return false;
    return true;
  }

  #append(source: Uint8Array, start: number, end: number): number {
    const index = this.count++;
    let at = this.starts[index]!;
    if (at + end - start > this.bytes.length) this.#growBytes(at + end - start);
    const bytes = this.bytes;
    if (end - start > 64) {
      bytes.set(source.subarray(start, end), at);
      at += end - start;
    } else for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    this.starts[index + 1] = at;
    if (this.count === this.starts.length - 1) this.#growEntries();
    return index;
  }

  #growBytes(needed: number): void {
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes);
    this.bytes = grown;
  }

  #growEntries(): void {
    const starts = new Uint32Array((this.starts.length - 1) * 2 + 1);
    starts.set(this.starts);
    this.starts = starts;
    const old = this.#slots;
    const slots = new Uint32Array(old.length * 2);
    const mask = slots.length / 2 - 1;
    for (let i = 0; i < old.length; i += 2) {
      if (old[i + 1] === 0) continue;
      let slot = old[i]! & mask;
      while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
      slots[2 * slot] = old[i]!;
      slots[2 * slot + 1] = old[i + 1]!;
    }
    this.#slots = slots;
    this.#mask = mask;
  }
}
