// What becomes of the feeder when the log or the store fails it.
import { expect, test, vi } from "vitest";
import { RdgError } from "../core/errors.ts";
import type { LogReader, UpdateFrame } from "../log/port.ts";
import { referenceStore } from "../testing/reference-store.ts";
import { baseMs, conformanceGraph, frameOf, TestClock, upsertNode } from "./conformance-graph.ts";
import { StoreFeeder } from "./store-feeder.ts";

const clock = new TestClock();
const damaged = new RdgError("corrupt", "segment_damaged", "A log file is damaged.");

/** A journal that ends with an error, if one is given, or waits for more. */
function logOf(frames: readonly UpdateFrame[], next: number, error?: Error): LogReader {
  return {
    topics: async () => [],
    bounds: async () => [{ partition: 0, first: 0, next, sizeBytes: 0 }],
    settled: async () => ({ timestampMs: 0, next: [] }),
    async *read() {},
    async *readUpdates({ from = 0, signal }) {
      yield* frames.filter(({ offset }) => offset >= from);
      if (error !== undefined) throw error;
      await new Promise((resolve) => signal?.addEventListener("abort", resolve));
    },
  };
}

function feederOf(log: LogReader) {
  const onFailure = vi.fn();
  const feeder = new StoreFeeder({
    log,
    store: referenceStore({ model: conformanceGraph, clock }),
    timers: { after: () => () => undefined, sleep: () => Promise.resolve() },
    typeTopic: "nodes.person",
    onApplied: () => undefined,
    onBlocked: () => undefined,
    onFailure,
  });
  return { feeder, onFailure };
}

const frames = [0, 1].map((offset) => frameOf(offset, [upsertNode("person", `p${offset}`, baseMs)]));

test("damage in what it must catch up with fails the start: a part of the graph is never called ready", async () => {
  const { feeder, onFailure } = feederOf(logOf(frames, 5, damaged));
  await expect(feeder.start()).rejects.toBe(damaged);
  expect(onFailure.mock.calls).toEqual([[damaged]]);
  expect(feeder.appliedOffset).toBe(1);
  await feeder.finish();
});

test("damage that it meets later is told once, and it ends", async () => {
  const { feeder, onFailure } = feederOf(logOf(frames, 1, damaged));
  await feeder.start();
  await vi.waitFor(() => expect(onFailure.mock.calls).toEqual([[damaged]]));
  await feeder.finish();
});

test("one that was never started finishes at once, whatever is in the log", async () => {
  const { feeder } = feederOf(logOf(frames, 2));
  await feeder.finish();
  expect(feeder.appliedOffset).toBe(-1);
});
