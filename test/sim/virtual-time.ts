// Time that passes only when everything is waiting for it: timers run one by one, those of one moment in random order, and no moment is slept through.
import type { Clock, Timers } from "../../src/core/clock.ts";
import type { Random } from "../../src/core/random.ts";
import type { Turns } from "../../src/core/turns.ts";

interface Timer {
  readonly atMs: number;
  readonly tie: number;
  readonly run: () => void;
}

/** What one simulated process has of time. After `kill` nothing of it runs any more and whatever it waits for never comes. */
export interface ProcessTime extends Clock, Timers, Turns {
  readonly isAlive: boolean;
  /** Real work, such as files of the store: time stands still until it has ended. */
  hold<T>(work: Promise<T>): Promise<T>;
  /** Somebody sets the wall clock. */
  jump(ms: number): void;
  kill(): void;
}

export class VirtualTime {
  /** Milliseconds since the simulation began. */
  nowMs = 0;
  /** Timers that have run. */
  steps = 0;
  /** Of the wall clock at the beginning, for all processes. */
  readonly startMs: number;
  readonly #random: Random;
  /** A binary heap, earliest first. */
  readonly #timers: Timer[] = [];
  #held = 0;

  constructor(startMs: number, random: Random) {
    this.startMs = startMs;
    this.#random = random;
  }

  process(): ProcessTime {
    let alive = true;
    let jumpedMs = 0;
    const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
    const after = (delayMs: number, run: () => void): (() => void) => {
      let wanted = true;
      this.#add(delayMs, () => {
        if (alive && wanted) run();
      });
      return () => {
        wanted = false;
      };
    };
    return {
      get isAlive() {
        return alive;
      },
      now: () => this.startMs + jumpedMs + this.nowMs,
      monotonicMs: () => this.nowMs,
      after,
      sleep: (delayMs, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted === true) return reject(signal.reason as Error);
          const onAbort = (): void => {
            cancel();
            reject(signal?.reason as Error);
          };
          const cancel = after(delayMs, () => {
            signal?.removeEventListener("abort", onAbort);
            resolve();
          });
          signal?.addEventListener("abort", onAbort, { once: true });
        }),
      next: () => this.#hold(turn()).then(() => (alive ? undefined : never())),
      hold: (work) => this.#hold(work),
      jump: (ms) => {
        jumpedMs += ms;
      },
      kill: () => {
        alive = false;
      },
    };
  }

  /** Lets time pass until the promise is settled. @throws Error when nothing is left to wait for, or after `limitMs` */
  async until<T>(promise: Promise<T>, what: string, limitMs = 600_000): Promise<T> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    promise.then(settle, settle);
    const endMs = this.nowMs + limitMs;
    for (;;) {
      await this.#quiet();
      if (settled) return promise;
      if (this.nowMs >= endMs) throw new Error(`${what}: not within ${limitMs} ms`);
      if (!this.#step(endMs)) throw new Error(`${what}: everything waits for ever`);
    }
  }

  /** Lets this much time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    do await this.#quiet();
    while (this.#step(endMs));
    this.nowMs = endMs;
  }

  /** Resolves when nothing happens any more without time passing. */
  async #quiet(): Promise<void> {
    do await turn();
    while (this.#held > 0);
  }

  async #hold<T>(work: Promise<T>): Promise<T> {
    this.#held++;
    try {
      return await work;
    } finally {
      this.#held--;
    }
  }

  /** Runs the next timer that is due by then. */
  #step(endMs: number): boolean {
    const next = this.#timers[0];
    if (next === undefined || next.atMs > endMs) return false;
    this.#remove();
    this.nowMs = Math.max(this.nowMs, next.atMs);
    this.steps++;
    next.run();
    return true;
  }

  #add(delayMs: number, run: () => void): void {
    const timers = this.#timers;
    const timer = { atMs: this.nowMs + Math.max(0, delayMs), tie: this.#random.below(2 ** 32), run };
    let at = timers.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, timers[parent]!)) break;
      timers[at] = timers[parent]!;
      at = parent;
    }
    timers[at] = timer;
  }

  #remove(): void {
    const timers = this.#timers;
    const last = timers.pop()!;
    if (timers.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && isBefore(timers[child + 1]!, timers[child]!)) child++;
      if (!isBefore(timers[child]!, last)) break;
      timers[at] = timers[child]!;
      at = child;
    }
    timers[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie);
}

/** All that can run without time passing has run when this resolves, work that waits for turns aside. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
