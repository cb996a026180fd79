import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventDedup } from "./event-dedup.ts";

const horizonMs = 1000;
const encoder = new TextEncoder();

describe("event dedup", () => {
  test("agrees with a list of everything that was ever accepted", () => {
    const arrivals = fc.array(
      fc.record({ id: fc.integer({ min: 0, max: 12 }), afterMs: fc.integer({ min: 0, max: 400 }) }),
      {
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(arrivals, (events) => {
        const dedup = createEventDedup(horizonMs);
        const accepted: { id: number; atMs: number }[] = [];
        let nowMs = 1_700_000_000_000;
        for (const { id, afterMs } of events) {
          nowMs += afterMs;
          const expected = accepted.some((earlier) => earlier.id === id && nowMs - earlier.atMs < horizonMs);
          if (!expected) accepted.push({ id, atMs: nowMs });
          const bytes = encoder.encode(`<id-${id}>`);
          expect(dedup.isRepeat(bytes, 1, bytes.length - 1, nowMs)).toBe(expected);
        }
      }),
    );
  });

  test("at its bound it closes a generation early and says so", () => {
    const dedup = createEventDedup(horizonMs, 3);
    for (let i = 0; i < 10; i++) dedup.isRepeat(encoder.encode(`${i}`), 0, 1, 1000);
    expect(dedup.closedEarly).toBe(3);
    expect(dedup.idCount).toBeLessThanOrEqual(6);
    expect(dedup.isRepeat(encoder.encode("9"), 0, 1, 1000)).toBe(true);
  });
});
