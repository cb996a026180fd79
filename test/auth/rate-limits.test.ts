// Rates per caller, held to an oracle that counts in time steps.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { RdgError } from "../../src/core/errors.ts";
import type { Principal } from "../../src/serve/auth/port.ts";
import { RateLimiter, bucketsMax } from "../../src/serve/auth/rate-limits.ts";
import { ManualTime } from "../log/manual-time.ts";

const grants = { admin: false, observe: false, read: "all", produce: "all" } as const;
const caller = (id: string, limits?: Principal["limits"]): Principal => ({ kind: "key", id, name: id, grants, limits });

/** One bucket of tokens, filled to two seconds' worth. */
class Oracle {
  level: number;
  readonly #rate: number;

  constructor(rate: number) {
    this.#rate = rate;
    this.level = 2 * rate;
  }

  pass(ms: number): void {
    this.level = Math.min(2 * this.#rate, this.level + (ms / 1_000) * this.#rate);
  }
}

const steps = fc.array(
  fc.oneof(
    fc.record({ pass: fc.integer({ min: 0, max: 4_000 }) }),
    fc.record({ scanned: fc.integer({ min: 0, max: 5_000 }) }),
    fc.constant({ ask: true as const }),
  ),
  { maxLength: 200 },
);

test("requests and scanned edges are let in as the oracle says, and again after the time that the refusal names", () => {
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 2_000 }),
      (story, requestsPerSecond, scannedPerSecond) => {
        const time = new ManualTime(0);
        const limiter = new RateLimiter({ requestsPerSecond, scannedPerSecond }, time);
        const [requests, scanned] = [new Oracle(requestsPerSecond), new Oracle(scannedPerSecond)];
        const asks = (): RdgError | undefined => {
          try {
            limiter.admit(caller("a"));
          } catch (error) {
            return error as RdgError;
          }
          requests.level--;
          return undefined;
        };
        const pass = (ms: number): void => {
          time.advance(ms);
          requests.pass(ms);
          scanned.pass(ms);
        };
        for (const step of story) {
          if ("pass" in step) pass(step.pass);
          else if ("scanned" in step) {
            limiter.charge(caller("a"), step.scanned);
            scanned.level -= step.scanned;
          } else {
            // At the very edge sums of fractions may differ in the last digit.
            if (Math.abs(requests.level - 1) < 1e-6 || Math.abs(scanned.level) < 1e-6) pass(1);
            const expected = requests.level >= 1 && scanned.level > 0;
            const error = asks();
            expect(error === undefined).toBe(expected);
            if (error === undefined) continue;
            expect(error).toMatchObject({ kind: "overloaded", code: "rate_limited" });
            // Each refusal names one of the two; after both there is room.
            for (let tries = 0, refused: RdgError | undefined = error; refused !== undefined; tries++) {
              expect(tries).toBeLessThan(2);
              pass(refused.retryAfterMs! + 1);
              refused = asks();
            }
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

test("callers do not pay for each other, and a key's own limits count before the server's", () => {
  const limiter = new RateLimiter({ requestsPerSecond: 1 }, new ManualTime(0));
  const letIn = (principal: Principal): number => {
    for (let count = 0; ; count++) {
      try {
        limiter.admit(principal);
      } catch {
        return count;
      }
      if (count === 100) return Infinity;
    }
  };
  expect(letIn(caller("a"))).toBe(2);
  expect(letIn(caller("b"))).toBe(2);
  expect(letIn(caller("c", { requestsPerSecond: 5 }))).toBe(10);
  expect(new RateLimiter({}, new ManualTime(0)).size).toBe(0);
});

test("without limits nothing is remembered", () => {
  const limiter = new RateLimiter({}, new ManualTime(0));
  for (let i = 0; i < 1_000; i++) limiter.admit(caller("a"));
  limiter.charge(caller("a"), 1e9);
  limiter.admit(caller("a"));
  expect(limiter.size).toBe(0);
});

test("however many callers there are, so many are remembered: those that asked last", () => {
  const limiter = new RateLimiter({ requestsPerSecond: 1 }, new ManualTime(0));
  const busy = caller("busy");
  limiter.admit(busy);
  limiter.admit(busy);
  for (let i = 0; i < bucketsMax + 500; i++) {
    limiter.admit(caller(`caller ${i}`));
    if (i % 100 === 0) expect(() => limiter.admit(busy)).toThrow("1 requests per second");
  }
  expect(limiter.size).toBe(bucketsMax);
});
