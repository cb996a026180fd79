// The table of idempotency keys against a plain map, with time passing, roll-backs and expiry.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { IdempotencyKeys, keyRow } from "./idempotency-keys.ts";
import { idempotencyHorizonMs } from "./settings.ts";

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ key: fc.integer({ min: 0, max: 60 }), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ advanceMs: fc.integer({ min: 0, max: idempotencyHorizonMs / 2 }) }) },
  { weight: 1, arbitrary: fc.record({ rollBack: fc.nat({ max: 10 }) }) },
);

test("finds what was stored within the hour and was not rolled back, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = { used: 0, max: 1e9 };
      const keys = new IdempotencyKeys(budget);
      let stored: { key: number; first: number; count: number; atMs: number }[] = [];
      let next = 0;
      let nowMs = 1_000;
      for (const step of steps) {
        if ("advanceMs" in step) nowMs += step.advanceMs;
        else if ("rollBack" in step) {
          next = Math.max(0, next - step.rollBack);
          stored = stored.filter(({ first }) => first < next);
          keys.rollBack(next);
        } else {
          const row = keyRow(Buffer.from(`key ${step.key}`), next, step.count, nowMs);
          const known = stored.find(({ key, atMs }) => key === step.key && nowMs - atMs <= idempotencyHorizonMs);
          const expected = known && { first: known.first, last: known.first + known.count - 1 };
          expect(keys.find(row)).toEqual(expected);
          if (known !== undefined) continue;
          keys.store(row);
          stored.push({ key: step.key, first: next, count: step.count, atMs: nowMs });
          next += step.count;
        }
      }
      keys.expire(Infinity);
      expect(budget.used).toBe(0);
    }),
  );
});
