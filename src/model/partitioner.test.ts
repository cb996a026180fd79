// The partitioner against the values of Kafka's own tests.
import { expect, test } from "vitest";
import { murmur2, partitionOf } from "./partitioner.ts";

test.each([
  ["21", -973_932_308],
  ["foobar", -790_332_482],
  ["a-little-bit-long-string", -985_981_536],
  ["a-little-bit-longer-string", -1_486_304_829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971],
  ["abc", 479_470_107],
])("murmur2 of %s is Kafka's", (text, hash) => {
  const bytes = Buffer.from(`xx${text}x`);
  expect(murmur2(bytes, 2, bytes.length - 1)).toBe(hash);
});

test("the partition is the positive hash modulo the number of partitions", () => {
  const bytes = Buffer.from("foobar");
  expect(partitionOf(bytes, 0, 6, 7)).toBe((-790_332_482 & 0x7fff_ffff) % 7);
  expect(partitionOf(bytes, 0, 6, 1)).toBe(0);
});
