// `npm run cluster`: Kafka, a Confluent-compatible schema registry, Cassandra and Flink on this machine, for development.
import { resolve } from "node:path";
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { exitCodes, print, printJson, reportFailure, say } from "../src/cli/output.ts";
import { RdgError } from "../src/core/errors.ts";
import { formatSize } from "../src/core/units.ts";
import {
  Cluster,
  extras,
  serverNames,
  type ServerName,
  type ServerState,
  usualServers,
  type WantedPorts,
} from "./cluster/cluster.ts";
import { endOf } from "./cluster/server-process.ts";

interface Options {
  readonly data: string;
  readonly json?: boolean;
}

interface UpOptions extends Options {
  readonly kafkaPort?: number;
  readonly registryPort?: number;
  readonly cassandraPort?: number;
  readonly flinkPort?: number;
  readonly flinkSqlgatewayPort?: number;
  readonly with?: string;
}

const program = new Command("npm run cluster --")
  .description(
    "Kafka, a schema registry, Cassandra and, where asked for, Flink on loopback, from their jars: needs Java 17 and Maven; Flink needs Python's pip too.",
  )
  .helpOption("-h, --help", "print help")
  .showHelpAfterError("(add --help for usage)")
  .exitOverride()
  .addHelpText(
    "after",
    `
Jars are fetched once, into the user's cache folder (RDG_CLUSTER_CACHE names another one), and held to the checksums in scripts/cluster.

Exit codes:
  0  done; with status: all that were started here run
  2  wrong usage
  4  no Java, no Maven, no pip, no network, a port is taken, a server does not start; with status: not all run
  5  what was fetched is not what is pinned

Examples:
  $ npm run cluster -- up
  $ npm run cluster -- up --with flink
  $ npm run cluster -- up cassandra --cassandra-port 9142
  $ npm run cluster -- logs kafka`,
  );

const common = (command: Command): Command =>
  command.option("--data <folder>", "where data, settings and logs are", ".cluster").option("--json", "print as JSON");
const servers = (unnamed: string): Argument =>
  new Argument("[servers...]", `which ones (default: ${unnamed})`).choices([...usualServers, ...Object.keys(extras)]);

common(
  program
    .command("up")
    .description("start what does not run, and wait until it is ready")
    .addArgument(servers(usualServers.join(", "))),
)
  .option("--kafka-port <port>", "for clients of Kafka (default: 9092)", port)
  .option("--registry-port <port>", "for clients of the registry (default: 8081)", port)
  .option("--cassandra-port <port>", "for clients of Cassandra (default: 9042)", port)
  .option("--flink-port <port>", "Flink's REST API and web page (default: 8082)", port)
  .option("--flink-sqlgateway-port <port>", "for clients of Flink's SQL Gateway (default: 8083)", port)
  .addOption(new Option("--with <server>", "start it besides").choices(Object.keys(extras)))
  .action(async (names: readonly string[], options: UpOptions) => {
    const wanted = [...named(names, usualServers), ...named(options.with === undefined ? [] : [options.with], [])];
    show(await clusterOf(options).up([...new Set(wanted)], portsOf(options), say), options);
  });

common(program.command("down").description("stop what runs; data stay").addArgument(servers("all")))
  .option("--wipe", "remove their data too")
  .action(async (names: readonly string[], options: Options & { wipe?: boolean }) => {
    show(await clusterOf(options).down(named(names, serverNames), options.wipe === true, say), options);
  });

common(program.command("status").description("tell what runs, and where")).action(async (options: Options) => {
  const states = await clusterOf(options).status();
  show(states, options);
  if (states.some(({ running }) => !running)) process.exitCode = exitCodes.unavailable;
});

common(program.command("logs").description("print the ends of the logs").addArgument(servers("all")))
  .option("--lines <count>", "of each", wholeNumber, 40)
  .action(async (names: readonly string[], options: Options & { lines: number }) => {
    const wanted = named(names, serverNames);
    const states = (await clusterOf(options).status()).filter(({ name }) => wanted.includes(name));
    const logs = await Promise.all(
      states.map(async ({ name, log }) => ({ name, log, end: await endOfLog(log, options.lines) })),
    );
    if (logs.every(({ end }) => end === undefined))
      throw new RdgError("not_found", "no_logs", "There are no logs: nothing was started with this data folder.", {
        place: resolve(options.data),
      });
    if (options.json === true) return printJson(logs);
    for (const { log, end } of logs) if (end !== undefined) print(`== ${log}\n${end}\n`);
  });

function show(states: readonly ServerState[], { json }: Options): void {
  if (json === true) return printJson(states);
  const width = Math.max(...states.map(({ name }) => name.length));
  for (const { name, running, pid, memoryBytes, address } of states) {
    const memory = memoryBytes === undefined ? "" : `, ${formatSize(memoryBytes)} of memory`;
    print(`${name.padEnd(width)} ${running ? `${address}  (process ${pid}${memory})` : "down"}`);
  }
}

const clusterOf = ({ data }: Options): Cluster => new Cluster(resolve(data));
/** The servers behind the names that users give. */
const named = (names: readonly string[], unnamed: readonly ServerName[]): readonly ServerName[] =>
  names.length === 0 ? unnamed : names.flatMap((name) => extras[name] ?? [name as ServerName]);
const endOfLog = (log: string, lines: number): Promise<string | undefined> => endOf(log, lines).catch(() => undefined);

function portsOf({ kafkaPort, registryPort, cassandraPort, flinkPort, flinkSqlgatewayPort }: UpOptions): WantedPorts {
  return {
    ...(kafkaPort === undefined ? {} : { kafka: kafkaPort }),
    ...(registryPort === undefined ? {} : { registry: registryPort }),
    ...(cassandraPort === undefined ? {} : { cql: cassandraPort }),
    ...(flinkPort === undefined ? {} : { flink: flinkPort }),
    ...(flinkSqlgatewayPort === undefined ? {} : { gateway: flinkSqlgatewayPort }),
  };
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError("It must be a whole number above 0.");
  return Number(text);
}

function port(text: string): number {
  const number = wholeNumber(text);
  if (number > 65_535) throw new InvalidArgumentError("It must be at most 65535.");
  return number;
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode =
    error instanceof CommanderError ? (error.exitCode === 0 ? 0 : exitCodes.usage) : reportFailure(error);
}
