// Every setting of a process in a cluster: those of an embedded RDG, and where Kafka and the registry are.
import { readFile } from "node:fs/promises";
import { systemClock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { SettingList, SettingValues } from "../../core/settings.ts";
import { oauthTokens } from "../../log/kafka/oauth-tokens.ts";
import type { KafkaConnection, KafkaLogSettings, KafkaSasl } from "../../log/kafka/settings.ts";
import { cacheServerSettings } from "../../query/redis/settings.ts";
import type { ConfluentConnection } from "../../schemas/confluent/settings.ts";
import type { Buckets } from "../../store/cassandra/layout.ts";
import type { CassandraBounds, CassandraConnection, CassandraConsistency } from "../../store/cassandra/settings.ts";
import { embeddedSettings } from "../settings.ts";

const ownSettings = {
  role: {
    kind: "text",
    default: "gateway,jobs,serve,registry",
    description: "What this process does: some of gateway, jobs, store, serve, registry, separated by commas.",
  },
  "deploy.onStart": {
    kind: "boolean",
    default: false,
    description: "Whether a process that starts deploys its definition, as `rdg deploy` does: for development.",
  },
  "kafka.bootstrap": {
    kind: "text",
    default: "",
    description: "Some brokers of the Kafka cluster, host:port, separated by commas.",
  },
  "kafka.prefix": {
    kind: "text",
    default: "",
    description: "Stands before the name of every topic: several graphs share a Kafka cluster.",
  },
  "kafka.replication": {
    kind: "integer",
    default: -1,
    min: -1,
    max: 100,
    description: "Replicas of topics that RDG makes; -1 is what the brokers say.",
  },
  "kafka.minInsync": {
    kind: "integer",
    default: 0,
    max: 100,
    description: "Replicas that every write waits for, of topics that RDG makes; 0 is what the brokers say.",
  },
  "kafka.compression": {
    kind: "text",
    default: "lz4",
    description: "Of what RDG writes: none, gzip, snappy, lz4 or zstd.",
  },
  "kafka.session": {
    kind: "duration",
    default: 5_000,
    description:
      "How long nothing is heard of a process with jobs before others have its partitions; 0 is what the brokers say.",
  },
  "kafka.tls": { kind: "boolean", default: false, description: "Whether connections to Kafka are encrypted." },
  "kafka.ca": {
    kind: "text",
    default: "",
    description: "File with the certificates, as PEM, that those of the brokers are held to; else what Node trusts.",
  },
  "kafka.cert": { kind: "text", default: "", description: "File with the certificate shown to Kafka, as PEM." },
  "kafka.key": { kind: "text", default: "", description: "File with the key of that certificate, as PEM." },
  "kafka.mechanism": {
    kind: "text",
    default: "",
    description: "How RDG logs in at Kafka (SASL): PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER; or not at all.",
  },
  "kafka.username": { kind: "text", default: "", description: "Name that RDG logs in at Kafka with." },
  "kafka.password": {
    kind: "text",
    default: "",
    secret: true,
    description: "Its password; with OAUTHBEARER, the token, or the secret for kafka.tokenEndpoint.",
  },
  "kafka.tokenEndpoint": {
    kind: "text",
    default: "",
    description:
      "With OAUTHBEARER: where RDG fetches tokens, with name and password as the client's id and secret, and again before they end.",
  },
  "kafka.scope": { kind: "text", default: "", description: "Of those tokens, where the authorization server asks." },
  "registry.url": {
    kind: "text",
    default: "",
    description: "Where the schema registry is, for processes without that role; several of one registry with commas.",
  },
  "registry.username": { kind: "text", default: "", description: "Name that RDG logs in at the registry with." },
  "registry.password": { kind: "text", default: "", secret: true, description: "Its password." },
  "store.kind": {
    kind: "text",
    default: "embedded",
    description: "Where the graph is: embedded, a replica in every serving process; or cassandra, which they share.",
  },
  "store.sweep": {
    kind: "duration",
    default: 86_400_000,
    description:
      "How long after one sweep of the shared store the next begins: it takes away what no reader needs; 0 is never.",
  },
  "store.sweepPercent": {
    kind: "integer",
    default: 10,
    min: 1,
    max: 100,
    description: "How much of the time a sweep takes at most, in percent: it rests between its pages.",
  },
  "store.parts": {
    kind: "integer",
    default: 8,
    min: 1,
    max: 1_000,
    description:
      "Into how many parts the shared graph is cut when it is first written: so many processes can write it.",
  },
  "store.repairsMax": {
    kind: "integer",
    default: 100_000,
    description:
      "How many writes that Cassandra does not take may wait in the log's topic of repairs, at most 32 KiB each; 0: none, whoever writes waits.",
  },
  "cassandra.contacts": {
    kind: "text",
    default: "",
    description: "Some Cassandra nodes of the local data center, host or host:port, separated by commas.",
  },
  "cassandra.dataCenter": { kind: "text", default: "datacenter1", description: "Name of the local data center." },
  "cassandra.keyspace": { kind: "text", default: "rdg", description: "Keyspace of this graph alone." },
  "cassandra.replicas": {
    kind: "integer",
    default: 0,
    max: 100,
    description: "Replicas in the local data center, for a keyspace that has to be made; 0: it must be there.",
  },
  "cassandra.readConsistency": {
    kind: "text",
    default: "localQuorum",
    description: "Replicas that must have answered a read: one, localOne, two, quorum, localQuorum, eachQuorum, all.",
  },
  "cassandra.writeConsistency": {
    kind: "text",
    default: "localQuorum",
    description: "Replicas that must have taken a write.",
  },
  "cassandra.buckets": {
    kind: "text",
    default: "",
    description:
      "Edge types with very large records: partitions per record and direction, such as follows.in=16. Never changed later.",
  },
  "cassandra.username": { kind: "text", default: "", description: "Name that RDG logs in at Cassandra with." },
  "cassandra.password": { kind: "text", default: "", secret: true, description: "Its password." },
  "cassandra.tls": { kind: "boolean", default: false, description: "Whether connections to Cassandra are encrypted." },
  "cassandra.ca": {
    kind: "text",
    default: "",
    description: "File with the certificates, as PEM, that those of the nodes are held to; else what Node trusts.",
  },
  "cassandra.cert": { kind: "text", default: "", description: "File with the certificate shown to Cassandra, as PEM." },
  "cassandra.key": { kind: "text", default: "", description: "File with the key of that certificate, as PEM." },
  "cassandra.serverName": {
    kind: "text",
    default: "",
    description: "Name in the nodes' certificates, where it is not the host that is connected to.",
  },
  "stop.notice": {
    kind: "duration",
    default: 0,
    description: "How long a process that was told to stop goes on, not ready, so that nobody sends it anything new.",
  },
} as const satisfies SettingList;

/** Settings under `kafka` that say how a cluster is reached, and as whom. */
export const reachedBy = [
  "bootstrap",
  "tls",
  "ca",
  "cert",
  "key",
  "mechanism",
  "username",
  "password",
  "tokenEndpoint",
  "scope",
] as const;
export type ReachedBy = (typeof reachedBy)[number];

export const clusterSettings = {
  ...embeddedSettings,
  ...ownSettings,
  ...cacheServerSettings,
} as const satisfies SettingList;

export type ClusterSettings = SettingValues<typeof clusterSettings> & {
  /** Of the settings file: stores beside the main one, for types that are placed there. */
  readonly stores?: ReadonlyMap<string, ClusterSettings>;
  /** Of the settings file: Kafka clusters beside the main one, for topics that are placed there. */
  readonly clusters?: ReadonlyMap<string, ClusterSettings>;
};

/** @throws RdgError invalid, `bad_setting` */
export async function kafkaConnectionOf(settings: ClusterSettings): Promise<KafkaConnection> {
  const bootstrap = listed(settings["kafka.bootstrap"]);
  if (bootstrap.length === 0) {
    throw bad("kafka.bootstrap", "is missing", "Name some brokers, such as kafka-1.example:9092,kafka-2.example:9092.");
  }
  const wrong = bootstrap.find((each) => !/^.+:\d{1,5}$/.test(each));
  if (wrong !== undefined) throw bad("kafka.bootstrap", `has "${wrong}", which is not host:port`, undefined);
  const [sasl, tls] = [saslOf(settings), await tlsOf(settings, "kafka")];
  return { bootstrap, clientId: "rdg", ...(sasl && { sasl }), ...(tls && { tls }) };
}

/** @throws RdgError invalid, `bad_setting` */
export function kafkaLogSettingsOf(settings: ClusterSettings): Partial<KafkaLogSettings> {
  const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
  const compression = compressions.find((each) => each === settings["kafka.compression"]);
  if (compression === undefined) throw bad("kafka.compression", `is none of ${compressions.join(", ")}`, undefined);
  return {
    prefix: settings["kafka.prefix"],
    replicationFactor: settings["kafka.replication"],
    minInsyncReplicas: settings["kafka.minInsync"] || undefined,
    compression,
    sessionTimeoutMs: settings["kafka.session"] || undefined,
  };
}

/** @throws RdgError invalid, `bad_setting` */
export function registryConnectionOf(settings: ClusterSettings): ConfluentConnection {
  const urls = listed(settings["registry.url"]);
  const { "registry.username": username, "registry.password": password } = settings;
  if (urls.length === 0) {
    throw bad("registry.url", "is missing", "Say where the registry is, or give the process the role registry.");
  }
  return { urls, ...(username === "" ? {} : { auth: { username, password } }) };
}

/** Whether processes share a store. @throws RdgError invalid, `bad_setting` */
export function isShared(settings: ClusterSettings): boolean {
  const kind = settings["store.kind"];
  if (kind !== "embedded" && kind !== "cassandra")
    throw bad("store.kind", `is "${kind}", not embedded or cassandra`, "");
  return kind === "cassandra";
}

/** @throws RdgError invalid, `bad_setting` */
export async function cassandraConnectionOf(settings: ClusterSettings): Promise<CassandraConnection> {
  const contactPoints = listed(settings["cassandra.contacts"]);
  const { "cassandra.username": username, "cassandra.password": password, "cassandra.replicas": replicas } = settings;
  if (contactPoints.length === 0) throw bad("cassandra.contacts", "is missing", "Name some nodes, such as db-1:9042.");
  if (password !== "" && username === "") throw bad("cassandra.username", "is missing", undefined);
  if (username !== "" && password === "") {
    throw bad("cassandra.password", "is missing", "Set the variable RDG_CASSANDRA_PASSWORD.");
  }
  const serverName = settings["cassandra.serverName"];
  if (serverName !== "" && !settings["cassandra.tls"]) throw needsTls("cassandra", "serverName");
  const files = await tlsOf(settings, "cassandra");
  const localDataCenter = settings["cassandra.dataCenter"];
  return {
    contactPoints,
    localDataCenter,
    keyspace: settings["cassandra.keyspace"],
    tls: serverName === "" ? files : { ...(typeof files === "object" && files), serverName },
    ...(replicas === 0 ? {} : { replication: { [localDataCenter]: replicas } }),
    ...(username + password === "" ? {} : { credentials: { username, password } }),
  };
}

/** @throws RdgError invalid, `bad_setting` */
export function cassandraBoundsOf(settings: ClusterSettings): Partial<CassandraBounds> {
  const levelOf = (name: "cassandra.readConsistency" | "cassandra.writeConsistency"): CassandraConsistency => {
    const level = consistencies.find((each) => each === settings[name]);
    if (level === undefined) throw bad(name, `is none of ${consistencies.join(", ")}`, undefined);
    return level;
  };
  return {
    readConsistency: levelOf("cassandra.readConsistency"),
    writeConsistency: levelOf("cassandra.writeConsistency"),
    buckets: bucketsOf(settings["cassandra.buckets"]),
  };
}

function bucketsOf(text: string): Buckets {
  const buckets: Record<string, Partial<Record<"in" | "out", number>>> = {};
  for (const each of listed(text)) {
    const [, type, direction, count] = /^(.+)\.(in|out)=(\d+)$/.exec(each) ?? [];
    if (type === undefined || direction === undefined)
      throw bad(
        "cassandra.buckets",
        `has "${each}"`,
        "Write it as TYPE.in=NUMBER or TYPE.out=NUMBER, with commas between.",
      );
    buckets[type] = { ...buckets[type], [direction]: Number(count) };
  }
  return buckets;
}

const consistencies = ["one", "localOne", "two", "quorum", "localQuorum", "eachQuorum", "all"] as const;

const listed = (text: string): string[] => text.split(",").flatMap((each) => each.trim() || []);

function saslOf(settings: ClusterSettings): KafkaSasl | undefined {
  const { "kafka.mechanism": written, "kafka.username": username, "kafka.password": password } = settings;
  if (written === "") {
    if (username + password === "") return undefined;
    throw bad("kafka.mechanism", "is missing although there is a name or password", "Say how RDG logs in at Kafka.");
  }
  const mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] as const;
  const mechanism = mechanisms.find((each) => each === written);
  if (mechanism === undefined) throw bad("kafka.mechanism", `is none of ${mechanisms.join(", ")}`, undefined);
  if (password === "") throw bad("kafka.password", "is missing", "Set the variable RDG_KAFKA_PASSWORD.");
  const endpoint = settings["kafka.tokenEndpoint"];
  if (mechanism === "OAUTHBEARER" && endpoint === "") return { mechanism, token: password };
  if (username === "") throw bad("kafka.username", "is missing", undefined);
  if (mechanism === "OAUTHBEARER") {
    if (!URL.canParse(endpoint)) throw bad("kafka.tokenEndpoint", "is no address", "Write https://...");
    const scope = settings["kafka.scope"] || undefined;
    const credentials = { clientId: username, clientSecret: password, ...(scope !== undefined && { scope }) };
    return { mechanism, token: oauthTokens({ endpoint, ...credentials, clock: systemClock }) };
  }
  return { mechanism, username, password };
}

type Pem = "ca" | "cert" | "key";

async function tlsOf(
  settings: ClusterSettings,
  of: "kafka" | "cassandra",
): Promise<Partial<Record<Pem, string>> | boolean> {
  const files = ["ca", "cert", "key"] as const;
  const given = files.filter((each) => settings[`${of}.${each}`] !== "");
  if (given.length > 0 && !settings[`${of}.tls`]) throw needsTls(of, given[0]!);
  const { [`${of}.cert` as const]: cert, [`${of}.key` as const]: key } = settings;
  if (cert === "" && key !== "") throw bad(`${of}.cert`, "is missing", undefined);
  if (given.length === 0) return settings[`${of}.tls`];
  return Object.fromEntries(
    await Promise.all(given.map(async (each) => [each, await pem(settings, `${of}.${each}`)] as const)),
  );
}

function needsTls(of: string, name: string): RdgError {
  return bad(`${of}.${name}`, `is set although ${of}.tls is off`, `Set ${of}.tls, too.`);
}

async function pem(settings: ClusterSettings, name: `${"kafka" | "cassandra"}.${Pem}`): Promise<string> {
  const path = settings[name];
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new RdgError("invalid", "bad_setting", `The file of the setting "${name}" cannot be read.`, {
      place: path,
      cause,
    });
  }
}

function bad(setting: string, what: string, hint: string | undefined): RdgError {
  return new RdgError("invalid", "bad_setting", `Setting "${setting}" ${what}.`, { place: setting, hint });
}
