// Drops events whose declared id was accepted within the horizon before, because clients retry too. Hot path: no allocation per event.
//
// Partitions are read at different speeds, above all when a job catches up, and nothing may depend on that: each has its own ids. A client that sends an
// event again sends it with the same key, so to the same partition.
//
// Two generations of ids: one being filled, and the one before it. A generation is closed when it is as old as the horizon, so that an id is remembered
// for at least one horizon and forgotten after two; the time kept beside each id makes the horizon itself exact.
import { ByteDictionary } from "../../core/byte-dictionary.ts";

export interface EventDedup {
  /**
   * Whether the id `bytes[start, end)` repeats one accepted from the same partition less than the horizon before `receivedMs`; if not, it is remembered.
   * Times never go back within a partition.
   */
  isRepeat(partition: number, bytes: Uint8Array, start: number, end: number, receivedMs: number): boolean;
  readonly idCount: number;
  readonly idCountMax: number;
  readonly sizeBytes: number;
  /** Generations closed before their time because the bound on ids was reached: repeats may have passed. */
  readonly closedEarly: number;
}

class Generation {
  readonly ids = new ByteDictionary();
  acceptedMs = new Float64Array(1024);
  startMs = 0;

  get sizeBytes(): number {
    return this.ids.sizeBytes + 8 * this.ids.count;
  }

  /** The time at which the id was accepted, or -Infinity. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const index = this.ids.find(bytes, start, end);
    return index < 0 ? -Infinity : this.acceptedMs[index]!;
  }

  remember(bytes: Uint8Array, start: number, end: number, receivedMs: number): void {
    const index = this.ids.intern(bytes, start, end);
    if (index === this.acceptedMs.length) {
      const grown = new Float64Array(index * 2);
      grown.set(this.acceptedMs);
      this.acceptedMs = grown;
    }
    this.acceptedMs[index] = receivedMs;
  }
}

/** `idsMax`: of all partitions together, per generation. */
export function createEventDedup(horizonMs: number, partitions: number, idsMax = 10_000_000): EventDedup {
  const ids = new Array<PartitionIds | undefined>(partitions);
  const idsMaxEach = Math.ceil(idsMax / partitions);
  const sum = (pick: (of: PartitionIds) => number): number =>
    ids.reduce((all, of) => all + (of === undefined ? 0 : pick(of)), 0);
  return {
    isRepeat(partition, bytes, start, end, receivedMs) {
      const own = (ids[partition] ??= new PartitionIds(horizonMs, idsMaxEach));
      return own.isRepeat(bytes, start, end, receivedMs);
    },
    get idCount() {
      return sum((of) => of.current.ids.count + of.previous.ids.count);
    },
    idCountMax: 2 * idsMaxEach * partitions,
    get sizeBytes() {
      return sum((of) => of.current.sizeBytes + of.previous.sizeBytes);
    },
    get closedEarly() {
      return sum((of) => of.closedEarly);
    },
  };
}

class PartitionIds {
  current = new Generation();
  previous = new Generation();
  closedEarly = 0;
  readonly #horizonMs: number;
  readonly #idsMax: number;

  constructor(horizonMs: number, idsMax: number) {
    this.#horizonMs = horizonMs;
    this.#idsMax = idsMax;
  }

  isRepeat(bytes: Uint8Array, start: number, end: number, receivedMs: number): boolean {
    const horizonMs = this.#horizonMs;
    if (receivedMs - this.current.startMs >= horizonMs) this.#rotate(receivedMs);
    else if (this.current.ids.count >= this.#idsMax) {
      this.closedEarly++;
      this.#rotate(receivedMs);
    }
    if (receivedMs - this.current.find(bytes, start, end) < horizonMs) return true;
    if (receivedMs - this.previous.find(bytes, start, end) < horizonMs) return true;
    this.current.remember(bytes, start, end, receivedMs);
    return false;
  }

  #rotate(receivedMs: number): void {
    [this.current, this.previous] = [this.previous, this.current];
    this.current.ids.reset();
    this.current.startMs = receivedMs;
  }
}
