import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventDedup } from "./event-dedup.ts";

const horizonMs = 1000;
const encoder = new TextEncoder();

describe("event dedup", () => {
  test("agrees with a list of everything that was ever accepted, however the partitions take turns", () => {
    const arrival = fc.record({
      id: fc.integer({ min: 0, max: 12 }),
      partition: fc.integer({ min: 0, max: 2 }),
      afterMs: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(fc.array(arrival, { maxLength: 300 }), (events) => {
        const dedup = createEventDedup(horizonMs, 3);
        const accepted: { id: string; atMs: number }[] = [];
        // Each partition is at a time of its own.
        const nowMs = [1_700_000_000_000, 1_700_000_000_000, 1_700_000_000_000];
        for (const { id: number, partition, afterMs } of events) {
          const atMs = (nowMs[partition]! += afterMs);
          const id = `${partition} ${number}`;
          const expected = accepted.some((earlier) => earlier.id === id && atMs - earlier.atMs < horizonMs);
          if (!expected) accepted.push({ id, atMs });
          const bytes = encoder.encode(`<id-${number}>`);
          expect(dedup.isRepeat(partition, bytes, 1, bytes.length - 1, atMs)).toBe(expected);
        }
      }),
    );
  });

  test("at its bound it closes a generation early and says so", () => {
    const dedup = createEventDedup(horizonMs, 1, 3);
    for (let i = 0; i < 10; i++) dedup.isRepeat(0, encoder.encode(`${i}`), 0, 1, 1000);
    expect(dedup.closedEarly).toBe(3);
    expect(dedup.idCount).toBeLessThanOrEqual(dedup.idCountMax);
    expect(dedup.idCountMax).toBe(6);
    expect(dedup.isRepeat(0, encoder.encode("9"), 0, 1, 1000)).toBe(true);
  });
});
