// Trying again, in time that passes when the test says so: what is repeated, how long is waited, when it ends.
import { describe, expect, test } from "vitest";
import { VirtualTime } from "../../test/sim/virtual-time.ts";
import { type ErrorKind, RdgError } from "../core/errors.ts";
import { seededRandom } from "../core/random.ts";
import { type CallBounds, call } from "./calls.ts";

function failing(kind: ErrorKind, retryAfterMs?: number, code = "x"): RdgError {
  return new RdgError(kind, code, "It fails.", { retryAfterMs });
}

/** Runs a call whose attempts fail with these errors and then succeed. */
async function run(
  errors: readonly unknown[],
  bounds: Partial<CallBounds> = {},
  seed = 1,
): Promise<{ readonly outcome: unknown; readonly times: readonly number[]; readonly endMs: number }> {
  const random = seededRandom(seed);
  const time = new VirtualTime(0, random);
  const own = time.process();
  const times: number[] = [];
  const attempt = async (): Promise<string> => {
    const number = times.push(time.nowMs);
    if (number <= errors.length) throw errors[number - 1];
    return "done";
  };
  const called = call(attempt, { timeoutMs: 60_000, retries: 4, ...bounds }, { clock: own, timers: own, random });
  const outcome = await time.until(
    called.catch((error: unknown) => error),
    "the call",
  );
  return { outcome, times, endMs: time.nowMs };
}

describe("a call", () => {
  test.each(["overloaded", "unavailable"] as const)("that is %s is tried again", async (kind) => {
    const { outcome, times } = await run([failing(kind), failing(kind)]);
    expect(outcome).toBe("done");
    expect(times).toHaveLength(3);
  });

  test.each(["invalid", "not_found", "conflict", "unauthorized", "corrupt", "internal", "closed"] as const)(
    "that is %s is not",
    async (kind) => {
      const error = failing(kind);
      expect(await run([error])).toMatchObject({ outcome: error, times: [0] });
    },
  );

  test("that has waited for positions as long as it may is not", async () => {
    const error = failing("unavailable", 1_000, "not_applied_yet");
    expect((await run([error])).outcome).toBe(error);
    const other = new TypeError("not ours");
    expect((await run([other])).outcome).toBe(other);
  });

  test("ends with the last failure when it was tried often enough", async () => {
    const errors = Array.from({ length: 9 }, () => failing("unavailable"));
    const { outcome, times } = await run(errors, { retries: 3 });
    expect(times).toHaveLength(4);
    expect(outcome).toBe(errors[3]);
    expect((await run(errors, { retries: 0 })).times).toHaveLength(1);
  });

  test("waits longer each time, at random, and no less than Retry-After", async () => {
    const pauses: number[][] = [];
    for (let seed = 0; seed < 200; seed++) {
      const { times } = await run(
        Array.from({ length: 6 }, () => failing("overloaded", 500)),
        { retries: 6 },
        seed,
      );
      pauses.push(times.slice(1).map((ms, i) => ms - times[i]!));
    }
    for (let i = 0; i < 6; i++) {
      const ofAttempt = pauses.map((each) => each[i]!);
      expect(Math.min(...ofAttempt)).toBeGreaterThanOrEqual(500);
      expect(Math.max(...ofAttempt)).toBeLessThan(500 + 100 * 2 ** i);
      // Spread: calls that failed together do not come again together.
      expect(Math.max(...ofAttempt) - Math.min(...ofAttempt)).toBeGreaterThan(50 * 2 ** i);
    }
  });

  test("does not begin to wait for what lies behind its time", async () => {
    const error = failing("overloaded", 10_000);
    expect(await run([error], { timeoutMs: 9_000 })).toMatchObject({ outcome: error, endMs: 0 });
  });

  test("is ended in the middle of an attempt when its time is over", async () => {
    const time = new VirtualTime(0, seededRandom(1));
    const own = time.process();
    let told: unknown;
    const hanging = (signal: AbortSignal): Promise<never> =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject((told = signal.reason) as Error));
      });
    const called = call(
      hanging,
      { timeoutMs: 5_000, retries: 9 },
      { clock: own, timers: own, random: seededRandom(1) },
    );
    const outcome = await time.until(
      called.catch((error: unknown) => error),
      "the call",
    );
    expect(outcome).toMatchObject({ kind: "unavailable", code: "call_timeout", retryable: true });
    expect([time.nowMs, told]).toEqual([5_000, expect.anything()]);
  });

  test("ends with the signal's reason: before, during an attempt, and in a pause", async () => {
    const reason = new Error("enough");
    expect(await run([], { signal: AbortSignal.abort(reason) })).toMatchObject({ outcome: reason, times: [] });
    const time = new VirtualTime(0, seededRandom(1));
    const own = time.process();
    for (const attempt of [
      () => Promise.reject(failing("overloaded", 20_000)),
      (signal: AbortSignal) =>
        new Promise<never>((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("cut off")));
        }),
    ]) {
      const stop = new AbortController();
      const bounds = { timeoutMs: 60_000, retries: 4, signal: stop.signal };
      const called = call(attempt, bounds, { clock: own, timers: own, random: seededRandom(1) });
      own.after(1_000, () => stop.abort(reason));
      const outcome = await time.until(
        called.catch((error: unknown) => error),
        "the call",
      );
      expect(outcome).toBe(reason);
    }
    expect(time.nowMs).toBe(2_000);
  });
});
