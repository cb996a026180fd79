// Slots: never more at once than there are, in order of arrival, and nobody waits for one who has gone.
import { expect, test } from "vitest";
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
