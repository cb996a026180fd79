// Which idempotency keys a partition has seen within the last hour, and where their records are. Hot path: one look-up per keyed batch, typed arrays only.
//
// A key is held as 16 bytes of its SHA-256 with the position of its records: 36 bytes and a hash slot. Entries come in the order of time, so they live in
// generations of a few minutes, each a table that only grows; a generation whose last entry is past the horizon is dropped whole.
import { hash } from "node:crypto";
import { idempotencyHorizonMs } from "./settings.ts";

/** Entries in use over all partitions, and their bound. */
export interface KeyBudget {
  used: number;
  readonly max: number;
}

export const keyRowBytes = 36;
const generationMs = idempotencyHorizonMs / 8;

/** Row: 16 bytes of the key's hash | first offset f64 | timestamp f64 | count u32. */
export function keyRow(key: Uint8Array, firstOffset: number, count: number, timestampMs: number): Buffer {
  const row = Buffer.alloc(keyRowBytes);
  hash("sha256", key, "buffer").copy(row, 0, 0, 16);
  row.writeDoubleLE(firstOffset, 16);
  row.writeDoubleLE(timestampMs, 24);
  row.writeUInt32LE(count, 32);
  return row;
}

export interface StoredBatch {
  readonly first: number;
  readonly last: number;
}

export class IdempotencyKeys {
  readonly #budget: KeyBudget;
  #generations: Generation[] = [];

  constructor(budget: KeyBudget) {
    this.#budget = budget;
  }

  /** The batch that was stored under the row's key, if it is not older than the horizon at the row's time. */
  find(row: Buffer): StoredBatch | undefined {
    const oldestMs = row.readDoubleLE(24) - idempotencyHorizonMs;
    this.expire(oldestMs);
    for (let i = this.#generations.length - 1; i >= 0; i--) {
      const found = this.#generations[i]!.find(row, oldestMs);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  hasRoom(): boolean {
    return this.#budget.used < this.#budget.max;
  }

  store(row: Buffer): void {
    const timestampMs = row.readDoubleLE(24);
    let current = this.#generations.at(-1);
    if (current === undefined || timestampMs - current.startMs >= generationMs) {
      current = new Generation(timestampMs);
      this.#generations.push(current);
    }
    current.add(row);
    this.#budget.used++;
  }

  /** Forgets what was stored at or behind an offset: it did not become durable. */
  rollBack(offset: number): void {
    for (const generation of this.#generations) generation.forgetFrom(offset);
  }

  /** Makes room by dropping what is older. */
  expire(oldestMs: number): void {
    while (this.#generations.length > 0 && this.#generations[0]!.lastMs < oldestMs) {
      this.#budget.used -= this.#generations.shift()!.count;
    }
  }
}

class Generation {
  readonly startMs: number;
  lastMs: number;
  count = 0;
  #rows: Buffer = Buffer.alloc(16 * keyRowBytes);
  /** Index of a row + 1, or 0; open addressing, at most half full. */
  #slots = new Int32Array(32);

  constructor(startMs: number) {
    this.startMs = startMs;
    this.lastMs = startMs;
  }

  find(row: Buffer, oldestMs: number): StoredBatch | undefined {
    const mask = this.#slots.length - 1;
    for (let slot = row.readInt32LE(0) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (this.#slots[slot]! - 1) * keyRowBytes;
      if (row.compare(this.#rows, at, at + 16, 0, 16) !== 0) continue;
      const count = this.#rows.readUInt32LE(at + 32);
      if (count === 0 || this.#rows.readDoubleLE(at + 24) < oldestMs) continue;
      const first = this.#rows.readDoubleLE(at + 16);
      return { first, last: first + count - 1 };
    }
    return undefined;
  }

  add(row: Buffer): void {
    if (2 * this.count >= this.#slots.length) this.#grow();
    row.copy(this.#rows, this.count * keyRowBytes);
    this.#link(this.count++);
    this.lastMs = row.readDoubleLE(24);
  }

  /** A count of 0 marks a row that no longer stands for records. */
  forgetFrom(offset: number): void {
    for (let i = this.count - 1; i >= 0; i--) {
      const at = i * keyRowBytes;
      if (this.#rows.readDoubleLE(at + 16) < offset) return;
      this.#rows.writeUInt32LE(0, at + 32);
    }
  }

  #link(index: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#rows.readInt32LE(index * keyRowBytes) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = index + 1;
  }

  #grow(): void {
    const rows = Buffer.alloc(2 * this.#rows.length);
    this.#rows.copy(rows);
    this.#rows = rows;
    this.#slots = new Int32Array(2 * this.#slots.length);
    for (let i = 0; i < this.count; i++) this.#link(i);
  }
}
