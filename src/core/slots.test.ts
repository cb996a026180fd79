// Slots: never more at once than there are, in order of arrival, and nobody waits for one who has gone.
import { expect, test } from "vitest";
import { ManualTime } from "../../test/log/manual-time.ts";
import { Slots } from "./slots.ts";

const patient = new AbortController().signal;

function work(): { readonly done: Promise<void>; readonly finish: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { done: promise, finish: resolve };
}

test("at most so many run at once, in order of arrival", async () => {
  const slots = new Slots(2);
  const begun: number[] = [];
  const works = Array.from({ length: 5 }, work);
  const runs = works.map(({ done }, i) =>
    slots.run(async () => {
      begun.push(i);
      await done;
    }, patient),
  );
  await Promise.resolve();
  expect([begun, slots.taken, slots.waiting]).toEqual([[0, 1], 2, 3]);
  works[1]!.finish();
  await runs[1];
  expect(begun).toEqual([0, 1, 2]);
  for (const { finish } of works) finish();
  await Promise.all(runs);
  expect([begun, slots.taken, slots.waiting]).toEqual([[0, 1, 2, 3, 4], 0, 0]);
});

test("who gives up leaves the line; who fails leaves the slot", async () => {
  const slots = new Slots(1);
  const first = work();
  const running = slots.run(() => first.done, patient);
  const caller = new AbortController();
  const abandoned = slots.run(() => Promise.resolve("never"), caller.signal);
  const next = slots.run(() => Promise.reject(new Error("failed")), patient);
  const last = slots.run(() => Promise.resolve("last"), patient);
  caller.abort();
  await expect(abandoned).rejects.toMatchObject({ name: "AbortError" });
  expect([slots.taken, slots.waiting]).toEqual([1, 2]);
  first.finish();
  await running;
  await expect(next).rejects.toThrow("failed");
  expect(await last).toBe("last");
  expect([slots.taken, slots.waiting]).toEqual([0, 0]);
});

test("who has waited until its deadline is refused, and leaves nothing behind", async () => {
  const time = new ManualTime(0);
  const slots = new Slots(1, time);
  const first = work();
  const running = slots.run(() => first.done, patient, 10);
  const late = slots.run(() => Promise.resolve("never"), patient, 10);
  const later = slots.run(() => Promise.resolve("done"), patient, 20);
  time.advance(10);
  await expect(late).rejects.toMatchObject({ kind: "overloaded", code: "no_turn", retryAfterMs: 1_000 });
  expect([slots.taken, slots.waiting]).toEqual([1, 1]);
  first.finish();
  await running;
  expect(await later).toBe("done");
  expect([slots.taken, slots.waiting, time.pendingTimers]).toEqual([0, 0, 0]);
});
