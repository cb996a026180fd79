// The last sequences of each producer in one partition, so that a retried batch is answered with the positions of the one that was stored.
//
// Batches in flight and the last `rememberedBatches` durable ones are remembered. A retry of an older sequence is still recognised; it is answered
// with the oldest remembered positions, which are later: whoever waits for them waits long enough.
import type { StoredBatch } from "./idempotency-keys.ts";

const rememberedBatches = 64;

interface Batch extends StoredBatch {
  readonly sequence: number;
  readonly epoch: number;
}

/** Number, epoch, sequence, first and last offset of the remembered durable batches, oldest first. */
export type SequenceState = readonly (readonly [number, number, number, number, number])[];

export class ProducerSequences {
  readonly #batches = new Map<number, Batch[]>();

  /** The stored batch that a sequence repeats, or undefined when it is new. */
  find(producer: number, sequence: number): StoredBatch | undefined {
    const batches = this.#batches.get(producer);
    if (batches === undefined || sequence > batches.at(-1)!.sequence) return undefined;
    for (const batch of batches) if (batch.sequence >= sequence) return batch;
    return undefined;
  }

  /** `durable`: every offset below is durable. */
  store(producer: number, batch: Batch, durable: number): void {
    const batches = this.#batches.get(producer);
    if (batches === undefined) {
      this.#batches.set(producer, [batch]);
      return;
    }
    batches.push(batch);
    if (batches.length > rememberedBatches && batches[1]!.last < durable) batches.shift();
  }

  rollBack(offset: number): void {
    for (const [producer, batches] of this.#batches) {
      while (batches.length > 0 && batches.at(-1)!.first >= offset) batches.pop();
      if (batches.length === 0) this.#batches.delete(producer);
    }
  }

  snapshot(durable: number): SequenceState {
    const state: [number, number, number, number, number][] = [];
    for (const [producer, batches] of this.#batches) {
      for (const { epoch, sequence, first, last } of batches) {
        if (last < durable) state.push([producer, epoch, sequence, first, last]);
      }
    }
    return state;
  }

  restore(state: SequenceState): void {
    this.#batches.clear();
    for (const [producer, epoch, sequence, first, last] of state) {
      this.store(producer, { epoch, sequence, first, last }, Infinity);
    }
  }
}
