// `npm run test:chaos -- --minutes 60 --seed 7`: chaos for as long as wanted; its faults are told as they happen, and the figures at the end.
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { jarsOf } from "../../../scripts/cluster/jars.ts";
import { runInSandbox } from "./sandbox.ts";

const { values } = parseArgs({ options: { minutes: { type: "string" }, seed: { type: "string" } } });
const seconds = Number(values.minutes ?? 5) * 60;
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));

// There is no network in the sandbox.
for (const name of ["kafka", "cassandra"] as const) await jarsOf(name, console.error);
console.log(`npm run test:chaos -- --minutes ${seconds / 60} --seed ${seed}`);
const args = ["--seconds", String(seconds), "--seed", String(seed)];
process.exitCode = (await runInSandbox(fileURLToPath(new URL("run.ts", import.meta.url)), args, console.log)) ?? 1;
