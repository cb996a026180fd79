// A whole cluster on test hosts: one for each process and server. Half of the serving processes have replicas, the others ask Cassandra: both are fed from the same log.
import type { Random } from "../../../src/core/random.ts";
import { runCli } from "../../cli/run-cli.ts";
import { RoleProcess } from "../role-process.ts";
import { startCassandra, startKafka } from "../servers.ts";
import type { Fault } from "./chaos.ts";
import { clockFault, oneWayFaults, processFaults, serverFaults, unplugFault, type Node } from "./faults.ts";
import type { Host, Hosts } from "./hosts.ts";

export interface ChaosCluster {
  readonly bootstrap: string;
  readonly prefix: string;
  /** URLs of the processes of a kind. */
  urlsOf(kind: Kind): readonly string[];
  /** What may happen to it. */
  faults(random: Random): readonly Fault[];
}

const roles = {
  gateway: "gateway",
  worker: "jobs",
  writer: "store",
  /** Serves from a replica of its own. */
  replica: "serve",
  /** Serves from Cassandra. */
  server: "serve",
} as const;
type Kind = keyof typeof roles;
const kinds = Object.keys(roles) as Kind[];
const ofEach = 2;

export interface ClusterOptions {
  /** Path of the definition. */
  readonly graph: string;
  readonly hosts: Hosts;
  readonly faketime: string;
}

/** Everything is started, and ended with `opened`. */
export async function startCluster(
  { graph, hosts, faketime }: ClusterOptions,
  opened: AsyncDisposableStack,
): Promise<ChaosCluster> {
  const prefix = "chaos.";
  const hostOf = { broker: await hosts.add("broker"), cassandra: await hosts.add("cassandra") };
  const [broker, cassandra] = await Promise.all([
    startKafka(await hosts.placeOn(hostOf.broker)),
    startCassandra("batch", await hosts.placeOn(hostOf.cassandra)),
  ]);
  opened.defer(() => broker.stop());
  opened.defer(() => cassandra.stop());
  const { bootstrap } = broker;
  const keyspace = ["--cassandra-keyspace", "chaos", "--cassandra-replicas", "1"];
  const nodes = ["--cassandra-contacts", `${cassandra.contactPoint}:${cassandra.port}`];
  const dataCenter = ["--cassandra-data-center", cassandra.localDataCenter];
  const shared = ["--store-kind", "cassandra", ...nodes, ...dataCenter, ...keyspace];
  const start = async (kind: Kind | "registry", host: Host, registryUrl?: string): Promise<RoleProcess> => {
    const place = await hosts.placeOn(host, kind === "worker" ? faketime : undefined);
    const flags = { graph, bootstrap, prefix, ...(registryUrl === undefined ? {} : { registryUrl }) };
    const store = kind === "writer" || kind === "server" ? shared : [];
    const process = await RoleProcess.prepare(kind === "registry" ? kind : roles[kind], flags, store, place);
    opened.defer(() => process.dispose());
    await process.start();
    return process;
  };
  const registryHost = await hosts.add("registry");
  const registry = await start("registry", registryHost);
  const registryUrl = `${registry.url}/registry`;
  const where = ["--kafka-bootstrap", bootstrap, "--kafka-prefix", prefix, "--registry-url", registryUrl];
  const deployed = await runCli(["deploy", graph, ...where, ...shared]);
  if (deployed.code !== 0) throw new Error(`It was not deployed:\n${deployed.out}${deployed.err}`);
  const processes = await Promise.all(
    (await hostsOf(hosts)).map(async ({ kind, host }) => {
      const process = await start(kind, host, registryUrl);
      const serves = roles[kind] === "serve" ? [process.url] : [];
      return { kind, host, serves, process };
    }),
  );
  const urlsOf = (kind: Kind): string[] => processes.flatMap((each) => (each.kind === kind ? each.process.url : []));
  const brokerNode: Node = { kind: "broker", host: hostOf.broker, serves: [] };
  const cassandraNode: Node = { kind: "cassandra", host: hostOf.cassandra, serves: urlsOf("server") };
  const registryNode: Node = { kind: "registry", host: registryHost, serves: [] };
  const clientNode: Node = { kind: "client", host: hosts.own, serves: [] };
  return {
    bootstrap,
    prefix,
    urlsOf,
    faults: (random) => [
      ...processFaults(registryNode, registry),
      ...processes.flatMap((each) => processFaults(each, each.process)),
      ...serverFaults(brokerNode, broker),
      ...serverFaults(cassandraNode, cassandra),
      ...[registryNode, brokerNode, cassandraNode, ...processes].map((each) => unplugFault(each, hosts)),
      ...processes.flatMap((each) => {
        const { kind, serves } = each;
        const loses = (other: Node, excused: readonly string[]): Fault[] => oneWayFaults(each, other, excused, hosts);
        return [
          ...loses(brokerNode, []),
          ...(kind === "writer" || kind === "server" ? loses(cassandraNode, serves) : []),
          ...(kind === "gateway" || serves.length > 0 ? loses(clientNode, serves) : []),
          ...(kind === "worker" ? [clockFault(each, hosts, random)] : []),
        ];
      }),
    ],
  };
}

async function hostsOf(hosts: Hosts): Promise<{ readonly kind: Kind; readonly host: Host }[]> {
  const all: { kind: Kind; host: Host }[] = [];
  for (const kind of kinds) {
    for (let i = 1; i <= ofEach; i++) all.push({ kind, host: await hosts.add(`${kind}${i}`) });
  }
  return all;
}
