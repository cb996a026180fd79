// A share of the crash stories for every run of the tests; `npm run test:crash` plays them for as long as wanted.
import { expect, test } from "vitest";
import { firstSeed } from "../first-seed.ts";
import { Story } from "./story.ts";

const kills = 12;
const seed = firstSeed("CRASH_SEED");

for (const power of [false, true]) {
  const what = power ? "power failures" : "kills at named steps";
  test.concurrent(
    `${kills} ${what} lose nothing and double nothing (CRASH_SEED=${seed})`,
    { timeout: 180_000 },
    async () => {
      const killedAt: string[] = [];
      await new Story({ seed, kills, power, onKill: (at) => killedAt.push(at) }).run();
      expect(killedAt).toHaveLength(kills);
    },
  );
}
