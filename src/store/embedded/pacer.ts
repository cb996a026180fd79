// Keeps long work from holding the event loop for longer than a pause may last.
import type { Clock } from "../../core/clock.ts";
import type { Turns } from "../../core/turns.ts";

const pauseMs = 1;

export class Pacer {
  readonly #clock: Clock;
  readonly #turns: Turns;
  #beganMs: number;

  constructor(clock: Clock, turns: Turns) {
    this.#clock = clock;
    this.#turns = turns;
    this.#beganMs = clock.monotonicMs();
  }

  /** Whether the turn has lasted long enough. */
  get isDue(): boolean {
    return this.#clock.monotonicMs() - this.#beganMs >= pauseMs;
  }

  /** Lets everything else that waits for the event loop have its turn. */
  async pause(): Promise<void> {
    await this.#turns.next();
    this.#beganMs = this.#clock.monotonicMs();
  }
}
