// A thousand stories of a failing world in virtual time: afterwards every acknowledged event is in the graph exactly once. More: npm run test:sim.
import { afterAll, beforeAll, expect, test } from "vitest";
import { firstSeed } from "../first-seed.ts";
import { describeFailure, isFailure, Seeds } from "./seeds.ts";

const count = 1000;
const first = firstSeed("SIM_SEED");

let seeds: Seeds;
beforeAll(async () => {
  seeds = await Seeds.open();
});
afterAll(() => seeds.close());

test(`seeds ${first} to ${first + count - 1}`, { timeout: 600_000 }, async () => {
  const sum = { events: 0, lives: 0, asked: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await seeds.check(seed);
    if (isFailure(outcome)) throw new Error(describeFailure(outcome), { cause: outcome.error });
    for (const key of ["events", "lives", "asked"] as const) sum[key] += outcome[key];
  }
  // The stories must be about something.
  expect(sum.events).toBeGreaterThan(20 * count);
  expect(sum.lives).toBeGreaterThan(2 * count);
  expect(sum.asked).toBeGreaterThan(2 * count);
});

test("a seed always tells the same story", async () => {
  for (const seed of [1, 2, 3]) expect(await seeds.play(seed)).toEqual(await seeds.play(seed));
});
