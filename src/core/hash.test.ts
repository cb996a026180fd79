import { describe, expect, it } from "vitest";
import { hashBytes, hashPair } from "./hash.ts";

const encoder = new TextEncoder();

/** How far the fill of `buckets` is from uniform: about 1 for a random function, far above for a bad one (chi squared per degree of freedom). */
function unevenness(hashes: readonly number[], bucketOf: (hash: number) => number, buckets: number): number {
  const fill = new Float64Array(buckets);
  for (const hash of hashes) fill[bucketOf(hash)]!++;
  const expected = hashes.length / buckets;
  return fill.reduce((sum, found) => sum + (found - expected) ** 2 / expected, 0) / (buckets - 1);
}

const count = 20_000;
const families: Readonly<Record<string, (i: number) => string>> = {
  "running numbers": (i) => `account-${i}`,
  "zero-padded numbers": (i) => String(i).padStart(16, "0"),
  "numbers in front": (i) => `${i}-of-the-same-long-suffix-as-all-the-others`,
  "one differing byte in the middle": (i) => `prefix-${String.fromCodePoint(0x4e00 + i)}-suffix`,
  "only blanks": (i) => " ".repeat(i % 900) + "a".repeat(1 + Math.floor(i / 900)),
  "reversed numbers": (i) => String(i).split("").toReversed().join("").padEnd(8, "x"),
};

describe("the hash of bytes", () => {
  for (const [name, family] of Object.entries(families)) {
    const hashes = Array.from({ length: count }, (_, i) => {
      const bytes = encoder.encode(family(i));
      return hashBytes(bytes, 0, bytes.length);
    });
    it(`fills low and high bits evenly and hardly collides: ${name}`, () => {
      expect(unevenness(hashes, (hash) => hash & 1023, 1024)).toBeLessThan(1.3);
      expect(unevenness(hashes, (hash) => hash >>> 26, 64)).toBeLessThan(1.8);
      expect(new Set(hashes).size).toBeGreaterThan(count - 5);
    });
  }

  it("depends on the range only, not on where it lies", () => {
    const bytes = encoder.encode("xxabcdefg");
    const alone = encoder.encode("abcdefg");
    expect(hashBytes(bytes, 2, 9)).toBe(hashBytes(alone, 0, 7));
  });

  it("keeps its values, which are written to disk", () => {
    expect(
      ["", "a", "ab", "abc", "abcd", "abcde", "\u{1f600}"].map((text) => {
        const bytes = encoder.encode(text);
        return hashBytes(bytes, 0, bytes.length);
      }),
    ).toEqual([0, 1009084850, 2613040991, 3017643002, 1139631978, 3902511862, 3199479546]);
    expect([hashPair(0, 0), hashPair(1, 2), hashPair(2, 1)]).toEqual([0, 2149396497, 1504296272]);
  });
});

describe("the hash of a pair", () => {
  const grids: Readonly<Record<string, (i: number) => readonly [number, number]>> = {
    "one origin": (i) => [7, i],
    "one target": (i) => [i, 7],
    diagonal: (i) => [i, i],
    grid: (i) => [i % 141, Math.floor(i / 141)],
    "multiples of a power of two": (i) => [i * 65536, (i * 4096) >>> 0],
  };
  for (const [name, pairOf] of Object.entries(grids)) {
    const hashes = Array.from({ length: count }, (_, i) => hashPair(...pairOf(i)));
    it(`fills low and high bits evenly and hardly collides: ${name}`, () => {
      expect(unevenness(hashes, (hash) => hash & 1023, 1024)).toBeLessThan(1.3);
      expect(unevenness(hashes, (hash) => hash >>> 26, 64)).toBeLessThan(1.8);
      expect(new Set(hashes).size).toBeGreaterThan(count - 5);
    });
  }
});
