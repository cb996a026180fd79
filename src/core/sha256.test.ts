// Against the built-in implementation, at every length around the blocks' ends.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256Hex } from "./sha256.ts";

test("agrees with the built-in one", () => {
  for (const length of [...Array(200).keys(), 1000, 65_536]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
    expect(sha256Hex(bytes)).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});
