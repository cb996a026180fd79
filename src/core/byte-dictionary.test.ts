import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteDictionary } from "./byte-dictionary.ts";
import { hashBytes } from "./hash.ts";

const key = fc.oneof(fc.uint8Array({ maxLength: 2 }), fc.uint8Array({ maxLength: 100 }));

function entry(dictionary: ByteDictionary, index: number): string {
  return Buffer.from(dictionary.bytes.subarray(dictionary.starts[index], dictionary.starts[index + 1])).toString("hex");
}

describe("the byte dictionary", () => {
  it("agrees with a map over many rounds of use and reset", () => {
    fc.assert(
      fc.property(fc.array(fc.array(key, { maxLength: 300 }), { maxLength: 6 }), (rounds) => {
        const dictionary = new ByteDictionary(1);
        for (const keys of rounds) {
          const map = new Map<string, number>();
          for (const bytes of keys) {
            const padded = new Uint8Array([1, ...bytes, 2]);
            const hex = Buffer.from(bytes).toString("hex");
            expect(dictionary.find(padded, 1, bytes.length + 1)).toBe(map.get(hex) ?? -1);
            if (!map.has(hex)) map.set(hex, map.size);
            expect(dictionary.intern(padded, 1, bytes.length + 1)).toBe(map.get(hex));
          }
          expect(dictionary.count).toBe(map.size);
          for (const [hex, index] of map) expect(entry(dictionary, index)).toBe(hex);
          dictionary.reset();
          expect(dictionary.count).toBe(0);
          expect(dictionary.sizeBytes).toBe(0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("tells keys apart that have the same hash", () => {
    const colliding = ["key-16086", "key-29464", "key-16711", "key-58480"];
    const hashes = colliding.map((text) => hashBytes(Buffer.from(text), 0, text.length));
    expect(new Set(hashes).size).toBe(2);
    const dictionary = new ByteDictionary();
    for (const [index, text] of colliding.entries()) {
      const bytes = Buffer.from(text);
      expect(dictionary.find(bytes, 0, bytes.length)).toBe(-1);
      expect(dictionary.intern(bytes, 0, bytes.length)).toBe(index);
    }
  });

  it("forgets a few entries of a large table as well as many", () => {
    const dictionary = new ByteDictionary();
    const bytes = new Uint8Array(4);
    const view = new DataView(bytes.buffer);
    for (const count of [5000, 3, 5000, 0, 40]) {
      for (let i = 0; i < count; i++) {
        view.setUint32(0, i);
        expect(dictionary.intern(bytes, 0, 4)).toBe(i);
      }
      dictionary.reset();
      for (let i = 0; i < 5000; i++) {
        view.setUint32(0, i);
        if (dictionary.find(bytes, 0, 4) !== -1) expect.fail(`${i} was not forgotten`);
      }
    }
  });
});
