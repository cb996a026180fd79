// Drops events whose declared id was accepted within the horizon before, because clients retry too. Hot path: no allocation per event.
//
// Two generations of ids: one being filled, and the one before it. A generation is closed when it is as old as the horizon, so that an id is remembered
// for at least one horizon and forgotten after two; the time kept beside each id makes the horizon itself exact.
import { ByteDictionary } from "../../core/byte-dictionary.ts";

export interface EventDedup {
  /** Whether the id `bytes[start, end)` repeats one accepted less than the horizon before `receivedMs`; if not, it is remembered. */
  isRepeat(bytes: Uint8Array, start: number, end: number, receivedMs: number): boolean;
  readonly idCount: number;
  readonly sizeBytes: number;
  /** Generations closed before their time because the bound on ids was reached: repeats may have passed. */
  readonly closedEarly: number;
}

class Generation {
  readonly ids = new ByteDictionary();
  acceptedMs = new Float64Array(1024);
  startMs = 0;

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

export function createEventDedup(horizonMs: number, idsMax = 10_000_000): EventDedup {
  let current = new Generation();
  let previous = new Generation();
  let closedEarly = 0;
  const rotate = (receivedMs: number): void => {
    [current, previous] = [previous, current];
    current.ids.reset();
    current.startMs = receivedMs;
  };
  return {
    isRepeat(bytes, start, end, receivedMs) {
      if (receivedMs - current.startMs >= horizonMs) rotate(receivedMs);
      else if (current.ids.count >= idsMax) {
        closedEarly++;
        rotate(receivedMs);
      }
      if (receivedMs - current.find(bytes, start, end) < horizonMs) return true;
      if (receivedMs - previous.find(bytes, start, end) < horizonMs) return true;
      current.remember(bytes, start, end, receivedMs);
      return false;
    },
    get idCount() {
      return current.ids.count + previous.ids.count;
    },
    get sizeBytes() {
      return current.ids.sizeBytes + previous.ids.sizeBytes + 8 * (current.ids.count + previous.ids.count);
    },
    get closedEarly() {
      return closedEarly;
    },
  };
}
