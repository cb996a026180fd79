// The log's own time: the clock made monotone over the whole log, and the rule that keeps side inputs exact.
//
// A record of a compacted topic gets a time strictly later than everything before it. Nothing of that time or later becomes visible to readers before
// the record itself is: who sees an event has, by reading up to its time, seen every version of a side input that counts for it.
import type { Clock } from "../../core/clock.ts";

export class LogTime {
  readonly #clock: Clock;
  #lastMs = 0;
  /** Times of compacted records that are not durable yet, ascending. */
  readonly #pending: number[] = [];
  readonly #watchers = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get lastMs(): number {
    return this.#lastMs;
  }

  /** Recovery: nothing gets a time before this one. */
  passed(timeMs: number): void {
    if (timeMs > this.#lastMs) this.#lastMs = timeMs;
  }

  /** What time it is now for retention: never before the last record. */
  now(): number {
    return Math.max(this.#lastMs, Math.floor(this.#clock.now()));
  }

  next(): number {
    return (this.#lastMs = this.now());
  }

  /** The time of a compacted record; hand it to `settle` once the record is durable or will never be there. */
  nextCompacted(): number {
    this.#lastMs = Math.max(this.#lastMs + 1, Math.floor(this.#clock.now()));
    this.#pending.push(this.#lastMs);
    return this.#lastMs;
  }

  settle(timeMs: number): void {
    const index = this.#pending.indexOf(timeMs);
    if (index < 0) return;
    this.#pending.splice(index, 1);
    if (index === 0) for (const watcher of this.#watchers) watcher();
  }

  /** Only frames before this time may be shown to readers. */
  visibleBefore(): number {
    return this.#pending[0] ?? Infinity;
  }

  /** Calls whenever `visibleBefore` moves. */
  watch(watcher: () => void): void {
    this.#watchers.add(watcher);
  }
}
