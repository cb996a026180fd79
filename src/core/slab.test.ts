// Arrays of one piece of memory have nothing in common, also where one piece ends and the next begins.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Slab } from "./slab.ts";

test("every array is zero when it is handed out, and is what its owner wrote to it ever after", () => {
  const requests = fc.array(
    fc.record({ of: fc.constantFrom("doubles", "words", "bytes", "integers"), count: fc.nat({ max: 9_000 }) }),
    { minLength: 50, maxLength: 150 },
  );
  fc.assert(
    fc.property(requests, (wanted) => {
      const slab = new Slab();
      const arrays = wanted.map(({ of, count }, i) => {
        const array = slab[of](count);
        expect(array.length).toBe(count);
        expect(array.every((value) => value === 0)).toBe(true);
        return array.fill(i + 1);
      });
      expect(arrays.every((array, i) => array.every((value) => value === i + 1))).toBe(true);
    }),
    { numRuns: 50 },
  );
});
