// Trying again: what may succeed later is repeated after a growing, random pause, within the call's time and number of attempts.
import { type Clock, type Timers, systemClock, systemTimers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { type Random, systemRandom } from "../core/random.ts";

export interface CallPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

export const systemPorts: CallPorts = { clock: systemClock, timers: systemTimers, random: systemRandom };

export interface CallBounds {
  /** For all attempts and the pauses between them. */
  readonly timeoutMs: number;
  /** Attempts beyond the first. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/** Pauses before the second, third ... attempt are random below 100 ms, 200 ms ... 10 s, on top of what the server asks for. */
const pauseMsFirst = 100;
const pauseMsMax = 10_000;

/**
 * Carries out `attempt` until it succeeds. It must be safe to repeat.
 * @throws RdgError the last attempt's, or `unavailable`, `call_timeout`; the reason of an aborted signal
 */
export async function call<T>(
  attempt: (signal: AbortSignal) => Promise<T>,
  { timeoutMs, retries, signal }: CallBounds,
  { clock, timers, random }: CallPorts,
): Promise<T> {
  const endMs = clock.monotonicMs() + timeoutMs;
  const deadline = new AbortController();
  const cancel = timers.after(timeoutMs, () => deadline.abort());
  const ended = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  let last: unknown;
  try {
    for (let attempts = 1; ; attempts++) {
      signal?.throwIfAborted();
      try {
        return await attempt(ended);
      } catch (error) {
        signal?.throwIfAborted();
        if (deadline.signal.aborted) throw timedOut(timeoutMs, last ?? error);
        if (!isWorthRepeating(error) || attempts > retries) throw error;
        last = error;
        const pauseMs = pauseBefore(attempts + 1, error.retryAfterMs, random);
        // What failed says more than that time is up.
        if (clock.monotonicMs() + pauseMs >= endMs) throw error;
        await timers.sleep(pauseMs, signal);
      }
    }
  } finally {
    cancel();
  }
}

function pauseBefore(attempt: number, retryAfterMs: number | undefined, random: Random): number {
  const boundMs = Math.min(pauseMsMax, pauseMsFirst * 2 ** Math.min(attempt - 2, 20));
  return (retryAfterMs ?? 0) + random.below(boundMs);
}

/** `not_applied_yet` has waited as long as it was told to. */
function isWorthRepeating(error: unknown): error is RdgError {
  return error instanceof RdgError && error.retryable && error.code !== "not_applied_yet";
}

export function timedOut(timeoutMs: number, cause: unknown): RdgError {
  return new RdgError("unavailable", "call_timeout", `There was no answer within ${timeoutMs} ms.`, {
    hint: "Give the call more time (timeoutMs), or ask for less.",
    cause,
  });
}
