// How many calls to something remote may be under way at once: the limit follows what is seen of it, as TCP's window follows losses. Nobody has to know what the
// other side can take, and when it takes less, callers wait here, in a bounded line, or are refused, instead of piling up there.
//
// Up by one for a limit's worth of calls that were fine while the limit was in use; down to three quarters, at most once per call time, when calls fail or take
// twice as long as they usually do. A caller that would not have its turn before its deadline is refused at once.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";

export interface AdaptiveLimitOptions {
  /** For messages and metrics: "node reads". */
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Where it begins, and between what it moves. */
  readonly first?: number;
  readonly min?: number;
  readonly max?: number;
  /** Callers in line. */
  readonly waitingMax?: number;
}

/**
 * - `late`: given up by then at its own deadline, which may have been short: it counts as failed when it took longer than calls usually do;
 * - `ignored`: says nothing about the other side, for example because the caller has gone.
 */
export type CallOutcome = "fine" | "failed" | "late" | "ignored";

/** A call under way; end it once. */
export interface Permit {
  /** @param tookMs for which the other side was waited @param units of work that it was: times are compared per unit */
  end(outcome: CallOutcome, tookMs: number, units?: number): void;
}

export interface LimitFigures {
  readonly name: string;
  readonly running: number;
  /** The limit now. */
  readonly runningMax: number;
  readonly waiting: number;
  readonly waitingMax: number;
  /** Calls that were refused, and how often the limit was lowered. */
  readonly refused: number;
  readonly lowered: number;
}

export interface Caller {
  readonly signal: AbortSignal;
  /** Monotonic. */
  readonly deadlineMs?: number | undefined;
}

const up = 1;
const down = 0.75;
/** Share of a call in the average of the last few, and in the usual time. */
const recentShare = 0.1;
const usualShare = 0.002;
/** So much longer than usual is late, and anything below so many milliseconds is not. */
const lateFactor = 2;
const lateMinMs = 2;

interface Waiting {
  readonly enter: () => void;
}

export class AdaptiveLimit {
  readonly name: string;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #min: number;
  readonly #max: number;
  readonly #waitingMax: number;
  #limit: number;
  #running = 0;
  readonly #line = new Set<Waiting>();
  /** Per unit of work, over the last few calls and over many. */
  #recentMs: number | undefined;
  #usualMs = 0;
  /** Per call. */
  #callMs = 0;
  #loweredAtMs = -Infinity;
  #refused = 0;
  #lowered = 0;

  constructor({ name, clock, timers, first = 16, min = 2, max = 256, waitingMax = 1_024 }: AdaptiveLimitOptions) {
    this.name = name;
    this.#clock = clock;
    this.#timers = timers;
    this.#min = min;
    this.#max = max;
    this.#waitingMax = waitingMax;
    this.#limit = first;
  }

  get figures(): LimitFigures {
    return {
      name: this.name,
      running: this.#running,
      runningMax: Math.floor(this.#limit),
      waiting: this.#line.size,
      waitingMax: this.#waitingMax,
      refused: this.#refused,
      lowered: this.#lowered,
    };
  }

  /** Resolves when the call may begin. @throws RdgError overloaded; unavailable once the deadline has passed; the signal's reason */
  async enter({ signal, deadlineMs = Infinity }: Caller): Promise<Permit> {
    signal.throwIfAborted();
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= deadlineMs) throw this.#refuse(lateError(this.name));
    if (this.#running >= Math.floor(this.#limit)) {
      const waitMs = this.#waitMs();
      if (this.#line.size >= this.#waitingMax || nowMs + waitMs > deadlineMs) throw this.#refuse(this.#busy(waitMs));
      await this.#wait(signal, deadlineMs - nowMs);
    } else this.#running++;
    return this.#permit();
  }

  /** How long the next in line would wait, by what is known: nothing is, at first. */
  #waitMs(): number {
    return ((this.#line.size + 1) * this.#callMs) / this.#limit;
  }

  /** Resolves with the call counted as running. */
  #wait(signal: AbortSignal, leftMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#line.delete(waiting);
        signal.removeEventListener("abort", giveUp);
        cancel();
      };
      const giveUp = (): void => {
        leave();
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        enter: () => {
          leave();
          this.#running++;
          resolve();
        },
      };
      const beLate = (): void => {
        leave();
        reject(this.#refuse(lateError(this.name)));
      };
      const cancel = leftMs === Infinity ? () => undefined : this.#timers.after(leftMs, beLate);
      this.#line.add(waiting);
      signal.addEventListener("abort", giveUp);
    });
  }

  #permit(): Permit {
    const startedMs = this.#clock.monotonicMs();
    let isOpen = true;
    return {
      end: (outcome, tookMs, units = 1) => {
        if (!isOpen) return;
        isOpen = false;
        const isLate = outcome === "late" && tookMs / units > Math.max(lateMinMs, this.#usualMs * lateFactor);
        if (outcome === "failed" || isLate) this.#lower(startedMs);
        else if (outcome === "fine") this.#learn(startedMs, tookMs, units);
        this.#running--;
        this.#admit();
      },
    };
  }

  #admit(): void {
    for (const waiting of this.#line) {
      if (this.#running >= Math.floor(this.#limit)) return;
      waiting.enter();
    }
  }

  #learn(startedMs: number, tookMs: number, units: number): void {
    this.#callMs += (tookMs - this.#callMs) * recentShare;
    if (this.#isLate(tookMs / units)) this.#lower(startedMs);
    else if (this.#running > this.#limit / 2) this.#limit = Math.min(this.#max, this.#limit + up / this.#limit);
  }

  /** Calls that began before the last step say nothing about the limit since. */
  #lower(startedMs: number): void {
    if (startedMs < this.#loweredAtMs) return;
    this.#limit = Math.max(this.#min, this.#limit * down);
    this.#loweredAtMs = this.#clock.monotonicMs();
    this.#lowered++;
  }

  /** Adds a time to the averages, and says whether calls have become late. */
  #isLate(unitMs: number): boolean {
    if (this.#recentMs === undefined) {
      this.#recentMs = this.#usualMs = unitMs;
      return false;
    }
    this.#recentMs += (unitMs - this.#recentMs) * recentShare;
    this.#usualMs += (unitMs - this.#usualMs) * usualShare;
    // The other side has become faster: what is usual follows at once.
    if (this.#usualMs > this.#recentMs) this.#usualMs = this.#recentMs;
    return this.#recentMs > lateMinMs && this.#recentMs > this.#usualMs * lateFactor;
  }

  #refuse(error: RdgError): RdgError {
    this.#refused++;
    return error;
  }

  #busy(waitMs: number): RdgError {
    return new RdgError("overloaded", "store_busy", `More ${this.name} are waiting than can be begun in time.`, {
      hint: "Ask again later, or allow more time.",
      retryAfterMs: Math.max(1_000, waitMs),
    });
  }
}

/** The deadline of a request has passed while something was read for it. */
export function lateError(what: string): RdgError {
  return new RdgError("unavailable", lateCode, `The deadline passed before the ${what} were done.`, {
    hint: "Ask for less, or allow more time (timeoutMs).",
    retryAfterMs: 1_000,
  });
}

export const lateCode = "deadline_exceeded";
