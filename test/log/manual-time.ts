// A clock and timers that move when a test says so.
import type { Clock, Timers } from "../../src/core/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

export class ManualTime implements Clock, Timers {
  #wallMs: number;
  #monotonicMs = 0;
  #timers: Timer[] = [];

  constructor(startMs: number) {
    this.#wallMs = startMs;
  }

  now(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  /** Time passes: due timers run, earliest first. */
  advance(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
    const due = this.#timers.filter((timer) => timer.atMs <= this.#monotonicMs).sort((a, b) => a.atMs - b.atMs);
    this.#timers = this.#timers.filter((timer) => timer.atMs > this.#monotonicMs);
    for (const timer of due) timer.run();
  }

  /** Somebody sets the wall clock; no time passes. */
  jumpTo(wallMs: number): void {
    this.#wallMs = wallMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.after(delayMs, resolve);
      const onAbort = (): void => {
        cancel();
        reject(signal?.reason as Error);
      };
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}
