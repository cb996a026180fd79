// The rate of a growing count over the last few seconds, from samples that are taken when somebody looks.
import type { Clock } from "./clock.ts";

const spanMs = 5000;
const samplesMax = 64;

export class RateMeter {
  readonly #clock: Clock;
  readonly #samples: { atMs: number; total: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes the total; call it now and then, at least once per look. */
  sample(total: number): void {
    const atMs = this.#clock.monotonicMs();
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < spanMs / samplesMax) return;
    this.#samples.push({ atMs, total });
    while (this.#samples.length > 2 && atMs - this.#samples[1]!.atMs > spanMs) this.#samples.shift();
  }

  perSecond(total: number): number {
    const first = this.#samples[0];
    if (first === undefined) return 0;
    const elapsedMs = this.#clock.monotonicMs() - first.atMs;
    return elapsedMs < 1 ? 0 : ((total - first.total) * 1000) / elapsedMs;
  }
}
