// npm run test:sim -- [--seeds N] [--seed S] [--keep 1,4,5]: plays as many stories as wanted, and one again.
//
// Killed lives are left as they are, with whatever waits in them, so a process remembers every story: after some hundred the next process goes on.
import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { describeFailure, isFailure, Seeds } from "./seeds.ts";

const { values } = parseArgs({
  options: { seeds: { type: "string" }, seed: { type: "string" }, keep: { type: "string" } },
});
const storiesOfAProcess = 500;
const first = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const count = Number(values.seeds ?? (values.seed === undefined ? 1000 : 1));
const kept = values.keep?.split(",").filter(Boolean).map(Number);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || kept?.every(Number.isSafeInteger) === false) {
  process.stderr.write("Usage: npm run test:sim -- [--seeds N] [--seed S] [--keep 1,4,5]\n");
  process.exit(2);
}

const startedMs = performance.now();
process.stdout.write(`Seeds ${first} to ${first + count - 1}\n`);
if (count > storiesOfAProcess) inProcesses();
else await play();
const seconds = (performance.now() - startedMs) / 1000;
if (process.exitCode === undefined) process.stdout.write(`${count} seeds in ${seconds.toFixed(1)} s, none failed.\n`);

function inProcesses(): void {
  for (let from = first; from < first + count && process.exitCode === undefined; from += storiesOfAProcess) {
    const stories = Math.min(storiesOfAProcess, first + count - from);
    const flags = ["--seed", String(from), "--seeds", String(stories)];
    const { status } = spawnSync(process.execPath, [...process.execArgv, import.meta.filename, ...flags], {
      stdio: "inherit",
    });
    if (status !== 0) process.exitCode = status ?? 1;
  }
}

async function play(): Promise<void> {
  const seeds = await Seeds.open();
  try {
    for (let seed = first; seed < first + count && process.exitCode === undefined; seed++) {
      const outcome = await seeds.check(seed, kept);
      if (isFailure(outcome)) {
        process.stdout.write(`${describeFailure(outcome)}\n`);
        process.exitCode = 1;
      } else if (count === 1) process.stdout.write(`${JSON.stringify(outcome)}\n`);
    }
  } finally {
    await seeds.close();
  }
}
