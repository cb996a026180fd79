// `npm run bench`: measures and prints one JSON object. Figures of one run compare with each other; machines differ, and are noisy.
//
//   npm run bench                        stages, end to end, half load, the store with 5 M edges
//   npm run bench -- --quick             all of it, small, in under a minute
//   npm run bench -- --only stages       one part: stages, end-to-end, half-load, graph
//   npm run bench -- --against sqlite    end to end, and the same through SQLite, with the ratios
//   npm run bench -- --only end-to-end --cpu-prof DIR
// Exits with 1 when a stage uses more than 1.25 times the CPU of its guard rail (stages.ts).
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import { endToEnd, type EndToEndFigures } from "./end-to-end.ts";
import { measureGraph } from "./graph.ts";
import { halfLoad } from "./half-load.ts";
import { measureSqlite, type SqliteFigures } from "./sqlite.ts";
import { guardRails, measureStages } from "./stages.ts";

const tolerance = 1.25;
const { values } = parseArgs({
  options: {
    events: { type: "string" },
    edges: { type: "string" },
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    against: { type: "string" },
    "cpu-prof": { type: "string" },
  },
});
const quick = values.quick === true;
const events = Number(values.events ?? (quick ? 200_000 : 1_000_000));
const wants = (part: string): boolean => (values.only ?? part) === part;

const result: Record<string, unknown> = {
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
};
const broken: string[] = [];
let full: EndToEndFigures | undefined;

if (values.against !== undefined && values.against !== "sqlite") throw new Error("--against knows sqlite only.");
if (values.against === undefined && wants("stages")) await stages();
if (values.against !== undefined || wants("end-to-end") || wants("half-load")) {
  full = await endToEnd({
    events,
    warmUp: events / 5,
    inFlight: 16,
    ...(values["cpu-prof"] === undefined ? {} : { nodeFlags: ["--cpu-prof", `--cpu-prof-dir=${values["cpu-prof"]}`] }),
  });
  result["endToEnd"] = full;
}
if (values.against === "sqlite") await againstSqlite(full!);
else {
  if (wants("half-load")) result["halfLoad"] = await halfLoad(full!.ingestion.eventsPerSecond, quick ? 5 : 15);
  if (wants("graph")) result["graph"] = await measureGraph(Number(values.edges ?? (quick ? 500_000 : 6_000_000)));
}
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
for (const text of broken) process.stderr.write(`${text}\n`);
if (broken.length > 0) process.exitCode = 1;

async function stages(): Promise<void> {
  await measureStages(100_000);
  const figures = await measureStages(quick ? 200_000 : 500_000);
  result["stages"] = { ...figures, guardRails };
  for (const [stage, limit] of Object.entries(guardRails)) {
    const used = figures.cpuUsPerEvent[stage]!;
    if (used > limit * tolerance) broken.push(`${stage}: ${used} us of CPU per event, the guard rail is ${limit}.`);
  }
}

async function againstSqlite(own: EndToEndFigures): Promise<void> {
  const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
  const sqlite = await measureSqlite(bodiesOf(generator, events), eventsPerBody);
  result["sqlite"] = sqlite;
  result["ratios"] = ratiosOf(own, sqlite);
}

/** How many times more events a second, and CPU per event; how traversals compare (RDG's with HTTP, SQLite's without). */
function ratiosOf(own: EndToEndFigures, sqlite: SqliteFigures): Record<string, number> {
  const ratio = (a: number, b: number): number => Number((a / b).toFixed(2));
  return {
    eventsPerSecond: ratio(own.ingestion.eventsPerSecond, sqlite.eventsPerSecond),
    sqliteCpuPerEvent: ratio(sqlite.cpuUsPerEvent, own.ingestion.cpuUsPerEvent.all),
    sqliteWideTwoHopsP50: ratio(
      sqlite.traversalsMs["wideTwoHops"]!["p50"]!,
      own.traversals["wideTwoHops"]!.overHttpMs["p50"]!,
    ),
  };
}
