// Buffers that are given back: their memory is gone at once, and nobody else loses what is theirs.
import { expect, test } from "vitest";
import { giveBack } from "./give-back.ts";

test("the memory of a whole buffer is gone at once", () => {
  const bytes = new Uint8Array(100_000);
  giveBack(bytes);
  expect(bytes.length).toBe(0);
  expect(bytes.buffer.byteLength).toBe(0);
});

test("what others see a part of, or share with another thread, stays", () => {
  const whole = new Uint8Array(100_000).fill(7);
  giveBack(whole.subarray(8));
  giveBack(whole.subarray(0, 50_000));
  expect(whole[99_999]).toBe(7);
  const shared = new Uint8Array(new SharedArrayBuffer(100_000)).fill(7);
  giveBack(shared);
  expect(shared[99_999]).toBe(7);
});

test("nothing happens twice", () => {
  const bytes = new Uint8Array(100_000);
  giveBack(bytes);
  giveBack(bytes);
  expect(bytes.length).toBe(0);
});
