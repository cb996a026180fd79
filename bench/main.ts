// `npm run bench`: measures and prints JSON. Figures of one run compare with each other; machines differ, and are noisy.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { endToEnd } from "./end-to-end.ts";

const { values } = parseArgs({
  options: {
    events: { type: "string", default: "1000000" },
    "warm-up": { type: "string", default: "200000" },
    "in-flight": { type: "string", default: "16" },
    quick: { type: "boolean", default: false },
    "cpu-prof": { type: "string" },
  },
});
const quick = values.quick === true;
const result = await endToEnd({
  events: quick ? 200_000 : Number(values.events),
  warmUp: quick ? 50_000 : Number(values["warm-up"]),
  inFlight: Number(values["in-flight"]),
  ...(values["cpu-prof"] === undefined ? {} : { nodeFlags: ["--cpu-prof", `--cpu-prof-dir=${values["cpu-prof"]}`] }),
});
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
process.stdout.write(`${JSON.stringify({ machine, endToEnd: result }, null, 2)}\n`);
