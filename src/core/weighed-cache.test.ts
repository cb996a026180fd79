// The cache against its naive twin: two arrays in order of use.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "./random.ts";
import { WeighedCache } from "./weighed-cache.ts";

interface Naive {
  readonly key: string;
  readonly value: number;
  readonly weight: number;
}

/** What WeighedCache is meant to do, on arrays from the least to the most recently used. */
class NaiveCache {
  fresh: Naive[] = [];
  used: Naive[] = [];
  readonly max: number;

  constructor(max: number) {
    this.max = max;
  }

  get(key: string): number | undefined {
    const found = [...this.fresh, ...this.used].find((entry) => entry.key === key);
    if (found === undefined) return undefined;
    this.delete(key);
    this.used.push(found);
    while (sum(this.used) > this.max * 0.8) this.fresh.push(this.used.shift()!);
    return found.value;
  }

  set(key: string, value: number, weight: number): void {
    const list = this.used.some((entry) => entry.key === key) ? "used" : "fresh";
    this.delete(key);
    if (weight > this.max / 8) return;
    this[list].push({ key, value, weight });
    while (sum(this.fresh) + sum(this.used) > this.max) (this.fresh.length > 0 ? this.fresh : this.used).shift();
  }

  delete(key: string): void {
    this.fresh = this.fresh.filter((entry) => entry.key !== key);
    this.used = this.used.filter((entry) => entry.key !== key);
  }
}

function sum(entries: readonly Naive[]): number {
  return entries.reduce((total, { weight }) => total + weight, 0);
}

test("holds what its naive twin holds, and never more than its weight", () => {
  const key = fc.integer({ min: 0, max: 30 }).map(String);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("get" as const), key }),
    fc.record({ kind: fc.constant("set" as const), key, weight: fc.integer({ min: 1, max: 15 }) }),
    fc.record({ kind: fc.constant("delete" as const), key }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
      const [cache, naive] = [new WeighedCache<number>(100), new NaiveCache(100)];
      for (const [i, each] of steps.entries()) {
        if (each.kind === "get") expect(cache.get(each.key)).toBe(naive.get(each.key));
        else if (each.kind === "delete") {
          naive.delete(each.key);
          cache.delete(each.key);
        } else {
          naive.set(each.key, i, each.weight);
          cache.set(each.key, i, each.weight);
        }
        expect(cache.weight).toBe(sum(naive.fresh) + sum(naive.used));
        expect(cache.count).toBe(naive.fresh.length + naive.used.length);
        expect(cache.weight).toBeLessThanOrEqual(cache.weightMax);
      }
      for (let i = 0; i <= 30; i++) {
        const held = [...naive.fresh, ...naive.used].find((entry) => entry.key === String(i));
        expect(cache.peek(String(i))).toBe(held?.value);
      }
    }),
    { numRuns: 200 },
  );
});

test("what is asked for again survives a scan over much that is asked for once", () => {
  const cache = new WeighedCache<number>(1_000);
  const random = seededRandom(1);
  for (let i = 0; i < 500; i++) cache.set(`hot${random.below(300)}`, i, 1);
  for (let i = 0; i < 300; i++) cache.get(`hot${i}`);
  const held = cache.count;
  for (let i = 0; i < 100_000; i++) cache.set(`once${i}`, i, 1);
  const left = Array.from({ length: 300 }, (_, i) => cache.peek(`hot${i}`)).filter((value) => value !== undefined);
  expect(left).toHaveLength(held);
  expect(cache.evicted).toBe(100_000 - (1_000 - held));
});
