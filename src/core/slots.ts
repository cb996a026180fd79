// A fixed number of slots for work; whoever finds none waits in line, until its deadline. Bounds what is under way at once where those who wait are bounded elsewhere.
import type { Timers } from "./clock.ts";
import { RdgError } from "./errors.ts";

export class Slots {
  readonly max: number;
  readonly #timers: Timers | undefined;
  #taken = 0;
  /** In order of arrival. */
  readonly #line = new Set<() => void>();

  /** Without timers nobody has a deadline. */
  constructor(max: number, timers?: Timers) {
    this.max = max;
    this.#timers = timers;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /**
   * Runs `work` in a slot. Who gives up while waiting leaves the line.
   * @param leftMs how long to wait for one at most
   * @throws the signal's reason; RdgError overloaded, `no_turn`, when there was no slot in time
   */
  async run<T>(work: () => Promise<T>, signal: AbortSignal, leftMs = Infinity): Promise<T> {
    if (this.#taken >= this.max) await this.#wait(signal, leftMs);
    else this.#taken++;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Resolves with a slot taken, also when given up: the slot is handed on at once then. Rejects without one. */
  #wait(signal: AbortSignal, leftMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal.removeEventListener("abort", giveUp);
        cancel?.();
        resolve();
      };
      const giveUp = (): void => {
        if (!this.#line.delete(enter)) return;
        this.#taken++;
        enter();
      };
      const beLate = (): void => {
        this.#line.delete(enter);
        signal.removeEventListener("abort", giveUp);
        const message = "The deadline passed before it was this request's turn.";
        const hint = "Ask again later, or allow more time (timeoutMs).";
        reject(new RdgError("overloaded", "no_turn", message, { hint, retryAfterMs: 1_000 }));
      };
      const cancel = leftMs === Infinity ? undefined : this.#timers?.after(Math.max(0, leftMs), beLate);
      this.#line.add(enter);
      signal.addEventListener("abort", giveUp);
    });
  }

  #leave(): void {
    const [next] = this.#line;
    if (next === undefined || this.#taken > this.max) {
      this.#taken--;
      return;
    }
    this.#line.delete(next);
    next();
  }
}
