// How many bytes of requests may be worked on at once so that none takes much longer than it should. What is beyond is refused early, instead of waiting in a
// queue that only makes everybody late: the time in it is its length by the rate, and the rate depends on the machine, its disk and its neighbours.
//
// The limit follows the latency that is seen, as TCP's window follows losses: a little up while requests are in time and the limit is in use, a step down when
// they are late, at most once per target time.
import type { Clock } from "../core/clock.ts";
import type { RdgError } from "../core/errors.ts";

export interface LatencyLimitOptions {
  /** The limit is never above. */
  readonly bytesMax: number;
  /** From when a request is worked on to its answer. */
  readonly targetMs: number;
  readonly clock: Clock;
  readonly refusal: () => RdgError;
}

/** The limit is never below: less does not keep the stages behind busy. */
const bytesMin = 2_000_000;
/** Where it begins, before anything is known. */
const bytesFirst = 16_000_000;
const up = 0.1;
const down = 0.75;

export class LatencyLimit {
  readonly #options: LatencyLimitOptions;
  readonly #bytesMin: number;
  #limit: number;
  #bytes = 0;
  #loweredMs = -Infinity;

  constructor(options: LatencyLimitOptions) {
    this.#options = options;
    this.#bytesMin = Math.min(bytesMin, options.bytesMax);
    this.#limit = Math.min(bytesFirst, options.bytesMax);
  }

  /** Worked on now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The limit as it is now. */
  get bytesMax(): number {
    return Math.round(this.#limit);
  }

  /** Refuses what would not be taken now. One request is always taken, however large. @throws the refusal */
  expect(bytes: number): void {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limit) throw this.#options.refusal();
  }

  /** @throws the refusal */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    this.expect(bytes);
    this.#bytes += bytes;
    const startedMs = this.#options.clock.monotonicMs();
    try {
      return await work();
    } finally {
      this.#learn(bytes, startedMs, this.#options.clock.monotonicMs());
      this.#bytes -= bytes;
    }
  }

  #learn(bytes: number, startedMs: number, nowMs: number): void {
    const { targetMs, bytesMax } = this.#options;
    if (nowMs - startedMs <= targetMs) {
      // A full limit's worth of requests raises it by a tenth.
      if (this.#bytes > this.#limit / 2) this.#limit = Math.min(bytesMax, this.#limit + bytes * up);
    } else if (startedMs >= this.#loweredMs) {
      // Those that began before the last step say nothing about the limit since.
      this.#limit = Math.max(this.#bytesMin, Math.min(this.#limit, this.#bytes) * down);
      this.#loweredMs = nowMs;
    }
  }
}
