import * as fc from "fast-check";
import { Histogram as Reference, Registry } from "prom-client";
import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

const buckets = [0.001, 0.5, 1, 10];

test("prints what prom-client prints for the same values", async () => {
  const value = fc.oneof(fc.constantFrom(...buckets), fc.double({ min: 0, max: 20, noNaN: true }));
  const observed = fc.array(fc.tuple(fc.constantFrom("a", 'b "\\'), fc.constantFrom("x", "y"), value), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(observed, async (values) => {
      const [ours, theirs] = [new Registry(), new Registry()];
      const options = { name: "seconds", help: "Of what.", labelNames: ["one", "two"] as const, buckets };
      const histogram = new Histogram({ ...options, registers: [ours] });
      const reference = new Reference({ ...options, registers: [theirs] });
      for (const [one, two, each] of values) {
        histogram.of({ one, two }).observe(each);
        reference.observe({ one, two }, each);
      }
      expect(await ours.metrics()).toBe(await theirs.metrics());
    }),
  );
});

test("without labels it is there from the start, and is emptied with its registry", async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const options = { name: "edges", help: "Of what.", buckets };
  const histogram = new Histogram({ ...options, registers: [ours] });
  const reference = new Reference({ ...options, registers: [theirs] });
  expect(await ours.metrics()).toBe(await theirs.metrics());
  for (const each of [0.5, 3, 3, 1e9]) {
    histogram.of({}).observe(each);
    reference.observe(each);
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
  expect(() => new Histogram({ ...options, registers: [ours] })).toThrow("already been registered");
});
