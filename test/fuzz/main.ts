// `npm run test:fuzz -- --minutes 10 --seed 7`: the fuzzers of this folder and the property tests beside the decoders, with one seed after the other until
// the time is up. The first failure ends it, with what to run to see it again.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    /** Of the first round; later ones count up. */
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    /** How many times the rounds of `npm test` each seed is good for. */
    factor: { type: "string", default: "20" },
  },
});

/** The decoders' own property tests: they say what each must accept, and write, beside what it must survive. */
const beside = [
  "src/log/embedded/crash.test.ts",
  "src/model/update/codec.test.ts",
  "src/model/avro/records.test.ts",
  "src/model/avro/foreign-record.test.ts",
  "src/model/avro/json-record.test.ts",
  "src/gateway/transcoder.test.ts",
  "src/jobs/plan/compiler.property.test.ts",
  "src/query/text/text.test.ts",
  "src/store/embedded/checkpoint.test.ts",
];

const root = fileURLToPath(new URL("../..", import.meta.url));
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));

function round(seed: number): Promise<boolean> {
  const args = [vitest, "run", "test/fuzz", ...beside, "--testTimeout", "600000"];
  const env = { ...process.env, FUZZ_SEED: String(seed), FUZZ_FACTOR: values.factor };
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: "inherit" });
  return new Promise((resolve) => child.once("exit", (code) => resolve(code === 0)));
}

const untilMs = performance.now() + Number(values.minutes) * 60_000;
let seed = Number(values.seed);
do {
  process.stdout.write(`fuzz: seed ${seed}\n`);
  if (!(await round(seed))) {
    process.stdout.write(
      `fuzz: failed. Again: npm run test:fuzz -- --minutes 0 --seed ${seed} --factor ${values.factor}\n`,
    );
    process.exitCode = 1;
    break;
  }
  seed++;
} while (performance.now() < untilMs);
