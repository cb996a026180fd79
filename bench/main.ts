// `npm run bench`: measures and prints one JSON object. Figures of one run compare with each other; machines differ, and are noisy. docs/benchmarks.md says
// what is measured. Exits with 1 when something uses more than 1.25 times the CPU of its guard rail.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import { measureCluster } from "./cluster.ts";
import { endToEnd, type EndToEndFigures } from "./end-to-end.ts";
import { measureGraph } from "./graph.ts";
import { halfLoad } from "./half-load.ts";
import { type MixName, mixNames } from "./query-mixes.ts";
import { measureSqlite, type SqliteFigures } from "./sqlite.ts";
import { guardRails, measureStages } from "./stages.ts";
import { brokenRequestRails, measureTraversals, type Protocol, requestGuardRails } from "./traversals.ts";

const help = `npm run bench -- [options]      prints one JSON object

  --only PART             one of: stages, end-to-end, half-load, graph, traversals (default: all of these); or
                          cluster: the example over a real Kafka that it starts (Java 17, Maven), beside the embedded line
  --quick                 small, for a look: all of it in under a minute
  --against sqlite        end to end, and the same through SQLite, with the ratios
  --cpu-prof FOLDER       CPU profiles of the server, end to end and of traversals
  --events NUMBER         of end to end and of the cluster's rounds (1,000,000; quick: 200,000)
  --edges NUMBER          of the graph (6,000,000; quick: 500,000) and of traversals (5,000,000; quick: 200,000)
  --window TIME           merge window of the cluster's job (250ms)
  --rate NUMBER           events/s of the cluster's paced load (half of what it measures)
  --store cassandra       of the cluster: through Cassandra, too
  --help

Of traversals:
  --supernode NUMBER      edges of one more node (2,000,000; quick: 50,000)
  --data FOLDER           keeps the graph there, and takes it from there the next time
  --protocols LIST        of http,grpc (default: both; quick: http)
  --mixes LIST            of ${mixNames.join(",")} (default: all)
  --seconds NUMBER        of one measurement (4; quick: 0.6)

Exits with 1 when something uses more than 1.25 times the CPU of its guard rail. See docs/benchmarks.md.
`;

const tolerance = 1.25;
const parts = ["stages", "end-to-end", "half-load", "graph", "traversals", "cluster"];
/** RDG's own CPU per event on a cluster, to the embedded line's. */
const clusterRatioMax = 2.5;
const { values } = readArguments();
if (values.help === true) {
  process.stdout.write(help);
  process.exit(0);
}
const quick = values.quick === true;
const events = Number(values.events ?? (quick ? 200_000 : 1_000_000));
const wants = (part: string): boolean => (values.only ?? part) === part;

if (values.only !== undefined && !parts.includes(values.only)) refuse(`--only knows ${parts.join(", ")}.`);
const result: Record<string, unknown> = {
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version },
};
const broken: string[] = [];
let full: EndToEndFigures | undefined;

if (values.store !== undefined && values.store !== "cassandra") refuse("--store knows cassandra only.");
if (values.against !== undefined && values.against !== "sqlite") refuse("--against knows sqlite only.");
if (values.against === undefined && wants("stages")) await stages();
if (values.against !== undefined || wants("end-to-end") || wants("half-load")) {
  full = await endToEnd({
    events,
    warmUp: events / 5,
    inFlight: 16,
    nodeFlags: profileFlags(),
  });
  result["endToEnd"] = full;
}
if (values.against === "sqlite") await againstSqlite(full!);
else {
  if (wants("half-load")) result["halfLoad"] = await halfLoad(full!.ingestion.eventsPerSecond, quick ? 5 : 15);
  if (wants("graph")) result["graph"] = await measureGraph(Number(values.edges ?? (quick ? 500_000 : 6_000_000)));
  if (wants("traversals")) await traversals();
  if (values.only === "cluster") await cluster();
}
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
for (const text of broken) process.stderr.write(`${text}\n`);
if (broken.length > 0) process.exitCode = 1;

function readArguments() {
  try {
    return parseArgs({
      options: {
        help: { type: "boolean", default: false },
        events: { type: "string" },
        edges: { type: "string" },
        supernode: { type: "string" },
        data: { type: "string" },
        protocols: { type: "string" },
        mixes: { type: "string" },
        seconds: { type: "string" },
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        window: { type: "string" },
        store: { type: "string" },
        rate: { type: "string" },
        against: { type: "string" },
        "cpu-prof": { type: "string" },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n\n${help}`);
  process.exit(2);
}

async function cluster(): Promise<void> {
  const { window = "250ms" } = values;
  const load = quick ? { rounds: 1, seconds: 5 } : { rounds: 3, seconds: 15 };
  const rate = values.rate === undefined ? undefined : Number(values.rate);
  const cassandraEvents = values.store === "cassandra" ? (quick ? 4_000 : 20_000) : 0;
  const figures = await measureCluster({
    events,
    inFlight: 16,
    window,
    ...load,
    rate,
    cassandraEvents,
    nodeFlags: profileFlags(),
  });
  result["cluster"] = { ...figures, ratioMax: clusterRatioMax };
  // A few milliseconds of CPU more or less, and code that is hardly compiled, are much of so little.
  if (!quick && figures.ratio > clusterRatioMax)
    broken.push(`cluster: ${figures.ratio} times the CPU of the embedded line, ${clusterRatioMax} are allowed.`);
}

async function traversals(): Promise<void> {
  const { supernode, data, protocols = quick ? "http" : "http,grpc", mixes = mixNames.join(","), seconds } = values;
  const figures = await measureTraversals({
    edges: Number(values.edges ?? (quick ? 200_000 : 5_000_000)),
    supernodeEdges: Number(supernode ?? (quick ? 50_000 : 2_000_000)),
    data,
    protocols: listOf<Protocol>("protocols", protocols, ["http", "grpc"]),
    mixes: listOf<MixName>("mixes", mixes, mixNames),
    seconds: Number(seconds ?? (quick ? 0.6 : 4)),
    searches: quick ? 0 : 4,
    eventsPerSecond: quick ? 0 : 20_000,
    nodeFlags: profileFlags(),
  });
  result["traversals"] = { ...figures, guardRails: requestGuardRails };
  // So little warms nothing up.
  if (!quick) broken.push(...brokenRequestRails(figures, tolerance));
}

function profileFlags(): string[] {
  const folder = values["cpu-prof"];
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

function listOf<T extends string>(option: string, text: string, known: readonly T[]): T[] {
  const items = text.split(",");
  const unknown = items.find((item) => !known.some((each) => each === item));
  if (unknown !== undefined) refuse(`--${option} knows ${known.join(", ")}.`);
  return items as T[];
}

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
