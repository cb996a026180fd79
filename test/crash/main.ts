// `npm run test:crash -- --minutes 10 --seed 7`: stories of kills for as long as wanted, two at a time; the first that goes wrong is printed with the command
// that plays it again.
import { parseArgs } from "node:util";
import { stepNames } from "./steps.ts";
import { Story } from "./story.ts";

const killsOfStory = 40;
const lanes = 2;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    kills: { type: "string" },
    seed: { type: "string" },
    stories: { type: "string" },
  },
});
const firstSeed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const limits = {
  endMs: Date.now() + Number(values.minutes ?? Infinity) * 60_000,
  kills: Number(values.kills ?? (values.minutes === undefined && values.stories === undefined ? 250 : Infinity)),
  stories: Number(values.stories ?? Infinity),
};

const killed = new Map<string, number>();
const startedMs = Date.now();
let kills = 0;
let stories = 0;
let failed = false;

function onKill(at: string): void {
  kills++;
  killed.set(at, (killed.get(at) ?? 0) + 1);
}

async function lane(): Promise<void> {
  while (!failed && stories < limits.stories && kills < limits.kills && Date.now() < limits.endMs) {
    const seed = firstSeed + stories++;
    try {
      await new Story({ seed, kills: killsOfStory, power: seed % 2 === 1, onKill }).run();
    } catch (error) {
      failed = true;
      console.error(error);
      console.error(
        `\nThe story of seed ${seed} failed. Play it again: npm run test:crash -- --stories 1 --seed ${seed}`,
      );
    }
  }
}

console.log(`Stories of ${killsOfStory} kills from seed ${firstSeed}`);
await Promise.all(Array.from({ length: lanes }, lane));
const minutes = (Date.now() - startedMs) / 60_000;
for (const [at, count] of [...killed].sort(([a], [b]) => (a < b ? -1 : 1)))
  console.log(`${String(count).padStart(6)}  ${at}`);
const never = stepNames.filter((step) => ![...killed.keys()].some((at) => at.startsWith(`${step} `)));
if (never.length > 0) console.log(`No kill at: ${never.join(", ")}`);
console.log(
  `${kills} kills in ${minutes.toFixed(1)} minutes, ${Math.round(kills / minutes)} a minute, ${failed ? "FAILED" : "nothing lost, nothing doubled"}`,
);
process.exitCode = failed ? 1 : 0;
