import { expect, test } from "vitest";
import { valueOfAvro } from "./opaque-value.ts";

test("bytes within an opaque value are a copy, whatever kind of array they are read from", () => {
  const type = { kind: "array", item: { kind: "bytes" } } as const;
  // One block of one item of two bytes, then the end.
  const page = Buffer.from([2, 4, 7, 8, 0]);
  const value = valueOfAvro(type, page);
  page.fill(0);
  expect(value).toStrictEqual([new Uint8Array([7, 8])]);
});
