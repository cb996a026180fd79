// The cluster as the rest of the adapter sees it: who leads a partition, calls repeated with back-off until they succeed or time is up.
//
// Topics may be on other clusters beside it: requests about their partitions go there, by brokers whose numbers say which cluster they are of.
import {
  AuthenticationError,
  type Broker,
  type Connection,
  ConnectionPool,
  type ConnectionOptions,
  findCoordinatorV4,
  listOffsetsV7,
  metadataV12,
  NetworkError,
  ProtocolError,
} from "@platformatic/kafka";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import { isPreviousTransaction, isTransient, kafkaFailed, logClosed } from "./failures.ts";
import type { KafkaConnection, KafkaLogSettings } from "./settings.ts";

export interface ClusterOptions {
  readonly connection: KafkaConnection;
  /** Others by name, for topics that are placed there. */
  readonly clusters?: ReadonlyMap<string, KafkaConnection> | undefined;
  readonly settings: KafkaLogSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

interface Metadata {
  readonly controllerId: number;
  /** Leader by topic and partition. */
  readonly topics: ReadonlyMap<string, readonly number[]>;
}

/** `first` kept offset, `stable`: below it everything is decided and replicated, `written`: behind everything that the leader has. */
export type OffsetKind = "first" | "stable" | "replicated" | "written";

const kinds: Readonly<
  Record<OffsetKind, { readonly timestamp: bigint; readonly replica: number; readonly isolation: number }>
> = {
  first: { timestamp: -2n, replica: -1, isolation: 0 },
  stable: { timestamp: -1n, replica: -1, isolation: 1 },
  replicated: { timestamp: -1n, replica: -1, isolation: 0 },
  // Asked as a debugging consumer, a leader tells the end of its own log.
  written: { timestamp: -1n, replica: -2, isolation: 0 },
};

/** The markers of a transaction are written within milliseconds of its end. */
const backOffMs = { first: 20, most: 1_000, previousTransaction: 4 };
/** What coordinators are found by. */
const keyTypes = { group: 0, transaction: 1 } as const;
/** Brokers of the other clusters are told apart by it: their own numbers are below. */
const stride = 2 ** 32;

export class KafkaCluster {
  readonly settings: KafkaLogSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly #random: Random;
  readonly #bootstrap: readonly Broker[];
  readonly #clientId: string;
  readonly #options: ConnectionOptions;
  readonly #pools = new Set<ConnectionPool>();
  readonly #others: ReadonlyMap<string, KafkaCluster>;
  /** Names of clusters by topic, for topics that are on others. */
  readonly #placed = new Map<string, string>();
  /** Of a pool here: those for the same reader on other clusters. */
  readonly #siblings = new Map<ConnectionPool, Map<KafkaCluster, ConnectionPool>>();
  /** For requests that are answered at once. Readers wait on connections of their own: a broker answers the requests of one in turn. */
  readonly control: ConnectionPool;
  #metadata: Metadata | undefined;
  /** As they were last told, also when everything else was forgotten. */
  #brokers: ReadonlyMap<number, Broker> = new Map();
  readonly #topics = new Set<string>();
  readonly #coordinators = new Map<string, number>();
  #closed = false;

  constructor({ connection, clusters = new Map(), settings, clock, timers, random }: ClusterOptions) {
    const ports = { settings, clock, timers, random };
    this.#others = new Map(
      [...clusters].map(([name, other]) => [name, new KafkaCluster({ connection: other, ...ports })]),
    );
    this.settings = settings;
    this.clock = clock;
    this.timers = timers;
    this.#random = random;
    this.#clientId = connection.clientId ?? "rdg";
    this.#bootstrap = connection.bootstrap.map(parseBroker);
    this.#options = connectionOptions(connection, settings);
    this.control = this.openPool();
  }

  get others(): ReadonlyMap<string, KafkaCluster> {
    return this.#others;
  }

  /** @throws RdgError invalid, `unknown_cluster` */
  named(name: string | undefined): KafkaCluster {
    if (name === undefined) return this;
    const other = this.#others.get(name);
    if (other !== undefined) return other;
    throw new RdgError("invalid", "unknown_cluster", `The settings name no cluster "${name}".`, {
      place: name,
      hint: "Say in clusters of the settings where it is: every process that uses its topics has to know.",
    });
  }

  /** @throws RdgError invalid, `ambiguous_topic` */
  place(topic: string, cluster: string | undefined): void {
    const before = this.#placed.get(topic);
    if (cluster === before) return;
    if (before === undefined && cluster !== undefined && !this.#topics.has(topic)) {
      this.#placed.set(topic, cluster);
      return;
    }
    throw new RdgError("invalid", "ambiguous_topic", `Two clusters have a topic ${topic} that is used.`, {
      place: topic,
      hint: "Topics of one graph have different names, on whichever clusters they are.",
    });
  }

  /** The cluster that a topic is on. */
  of(topic: string): KafkaCluster {
    return this.named(this.#placed.get(topic));
  }

  openPool(): ConnectionPool {
    const pool = new ConnectionPool(this.#clientId, this.#options);
    this.#pools.add(pool);
    return pool;
  }

  /** At once: what is under way on its connections fails. */
  closePool(pool: ConnectionPool): void {
    this.#pools.delete(pool);
    for (const [other, sibling] of this.#siblings.get(pool) ?? []) other.closePool(sibling);
    this.#siblings.delete(pool);
    const connections = [...pool].map(([, connection]) => connection);
    pool.close().catch(() => undefined);
    for (const { socket } of connections) socket.destroy();
  }

  close(): void {
    this.#closed = true;
    for (const other of this.#others.values()) other.close();
    for (const pool of this.#pools) this.closePool(pool);
  }

  /** @throws RdgError unavailable, unauthorized and others of failures.ts; the signal's reason */
  async retrying<T>(doing: string, place: string, run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const until = this.clock.monotonicMs() + this.settings.retryForMs;
    for (let delayMs = backOffMs.first; ;) {
      if (this.#closed) throw logClosed();
      try {
        return await run();
      } catch (error) {
        if (this.#closed) throw logClosed();
        signal?.throwIfAborted();
        if (!isTransient(error) || this.clock.monotonicMs() >= until) throw kafkaFailed(error, doing, place);
        if (isPreviousTransaction(error)) {
          await this.timers.sleep(backOffMs.previousTransaction, signal);
          continue;
        }
        this.forget();
      }
      await this.timers.sleep(delayMs / 2 + this.#random.below(delayMs), signal);
      delayMs = Math.min(2 * delayMs, backOffMs.most);
    }
  }

  /** The next call asks the cluster anew who leads what. */
  forget(): void {
    this.#metadata = undefined;
    this.#coordinators.clear();
    for (const other of this.#others.values()) other.forget();
  }

  async brokerOf({ topic, partition }: TopicPartition): Promise<number> {
    const other = this.of(topic);
    if (other !== this) return this.#told(other, await other.brokerOf({ topic, partition }));
    let metadata = this.#metadata;
    if (metadata === undefined || !metadata.topics.has(topic)) metadata = await this.#refresh([topic]);
    const leader = metadata.topics.get(topic)?.[partition];
    if (leader === undefined) throw new ProtocolError("UNKNOWN_TOPIC_OR_PARTITION");
    if (leader < 0) throw new ProtocolError("LEADER_NOT_AVAILABLE");
    return leader;
  }

  #told(other: KafkaCluster, broker: number): number {
    return broker < 0 ? broker : broker + stride * (1 + [...this.#others.values()].indexOf(other));
  }

  #siblingOf(pool: ConnectionPool, other: KafkaCluster): ConnectionPool {
    if (pool === this.control) return other.control;
    const siblings = this.#siblings.get(pool) ?? new Map<KafkaCluster, ConnectionPool>();
    this.#siblings.set(pool, siblings);
    const sibling = siblings.get(other) ?? other.openPool();
    siblings.set(other, sibling);
    return sibling;
  }

  async connection(broker: number, pool: ConnectionPool = this.control): Promise<Connection> {
    if (broker >= stride) {
      const other = [...this.#others.values()][Math.floor(broker / stride) - 1]!;
      return await other.connection(broker % stride, this.#siblingOf(pool, other));
    }
    if (this.#metadata === undefined) await this.#refresh([]);
    const address = this.#brokers.get(broker);
    if (address === undefined) throw new ProtocolError("BROKER_NOT_AVAILABLE");
    return await this.#inTime(pool.get(address));
  }

  async controller(): Promise<Connection> {
    const { controllerId } = await this.#refresh([]);
    return await this.connection(controllerId);
  }

  /** Leaders by partition of those topics that exist. */
  async leaders(topics: readonly string[]): Promise<ReadonlyMap<string, readonly number[]>> {
    const elsewhere = Map.groupBy(topics, (topic) => this.of(topic));
    const found = new Map<string, readonly number[]>();
    for (const [cluster, names] of elsewhere) {
      const known = cluster === this ? (await this.#refresh(names)).topics : await cluster.leaders(names);
      const told = (leader: number): number => (cluster === this ? leader : this.#told(cluster, leader));
      for (const name of names) if (known.has(name)) found.set(name, known.get(name)!.map(told));
    }
    return found;
  }

  /** Of a consumer group, or of a transactional id. */
  async coordinator(what: keyof typeof keyTypes, name: string): Promise<Connection> {
    const key = `${what} ${name}`;
    let broker = this.#coordinators.get(key);
    if (broker === undefined) {
      const [found] = (await findCoordinatorV4.api.async(await this.#any(), keyTypes[what], [name])).coordinators;
      broker = found!.nodeId;
      this.#coordinators.set(key, broker);
    }
    return await this.connection(broker);
  }

  /** Kafka's own id of a topic. */
  async topicId(topic: string): Promise<string> {
    const { topics } = await metadataV12.api.async(await this.#any(), [{ name: topic }], false, false);
    return topics[0]!.topicId;
  }

  /** One offset per partition, in their order. `kind` may be a time: the first offset of that time or later, -1 when there is none. */
  async offsets(partitions: readonly TopicPartition[], kind: OffsetKind | number): Promise<number[]> {
    const asked = typeof kind === "number" ? { ...kinds.replicated, timestamp: BigInt(kind) } : kinds[kind];
    const leaders = await Promise.all(partitions.map((partition) => this.brokerOf(partition)));
    const found = new Array<number>(partitions.length).fill(-1);
    await Promise.all(
      [...new Set(leaders)].map(async (leader) => {
        const mine = [...partitions.keys()].filter((i) => leaders[i] === leader);
        const topics = mine.map((i) => ({
          name: partitions[i]!.topic,
          partitions: [
            { partitionIndex: partitions[i]!.partition, currentLeaderEpoch: -1, timestamp: asked.timestamp },
          ],
        }));
        const answer = await listOffsetsV7.api.async(
          await this.connection(leader),
          asked.replica,
          asked.isolation,
          topics,
        );
        for (const { name, partitions: answered } of answer.topics) {
          for (const { partitionIndex, offset } of answered) {
            const at = mine.find((i) => partitions[i]!.topic === name && partitions[i]!.partition === partitionIndex);
            if (at !== undefined) found[at] = Number(offset);
          }
        }
      }),
    );
    return found;
  }

  /** Asks about all topics that were ever asked about. */
  async #refresh(topics: readonly string[]): Promise<Metadata> {
    for (const topic of topics) this.#topics.add(topic);
    const wanted = [...this.#topics].map((name) => ({ name }));
    const answer = await metadataV12.api
      .async(await this.#any(), wanted, false, false)
      // Topics that do not exist make the client reject, with the answer in the error.
      .catch((error: unknown) => answerWithin(error));
    const known = new Map<string, readonly number[]>();
    for (const { name, errorCode, partitions } of answer.topics) {
      if (typeof name !== "string") continue;
      if (errorCode !== 0) {
        this.#topics.delete(name);
        continue;
      }
      const leaders = new Array<number>(partitions.length).fill(-1);
      for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
      known.set(name, leaders);
    }
    this.#brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    this.#metadata = { controllerId: answer.controllerId, topics: known };
    return this.#metadata;
  }

  async #any(): Promise<Connection> {
    const brokers = [...this.#brokers.values(), ...this.#bootstrap];
    return await this.#inTime(this.control.getFirstAvailable(brokers));
  }

  /** A connection that failed in the moment before it was asked for never tells so. */
  #inTime(connection: Promise<Connection>): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(new NetworkError("The broker does not answer."));
      const cancel = this.timers.after(this.settings.connectTimeoutMs, giveUp);
      connection.then(resolve, reject).finally(cancel);
    });
  }
}

type MetadataAnswer = Awaited<ReturnType<typeof metadataV12.api.async>>;

function answerWithin(error: unknown): MetadataAnswer {
  const answer = (error as { response?: MetadataAnswer }).response;
  if (answer === undefined || !Array.isArray(answer.topics) || answer.topics.length === 0) throw error;
  return answer;
}

/** What the broker's number for a failure stands for, as the client's error. */
export const failureOf = (errorCode: number): ProtocolError => new ProtocolError(errorCode);

function parseBroker(text: string): Broker {
  const match = /^(?<host>.+):(?<port>\d{1,5})$/.exec(text);
  if (match?.groups === undefined) {
    throw new RdgError("invalid", "bad_broker", `"${text}" is not the address of a broker.`, {
      hint: "Write host:port, for example kafka-1.example:9092.",
    });
  }
  return { host: match.groups["host"]!.replace(/^\[(.*)\]$/, "$1"), port: Number(match.groups["port"]) };
}

/** A broker that takes a token answers nothing; otherwise why it does not (RFC 7628, section 3.2.2). */
function refusal(answer: Buffer, callback: (error: Error | null, answer?: Buffer) => void): void {
  if (answer.length === 0) callback(null, answer);
  else callback(new AuthenticationError(`The broker does not take the token: ${answer.toString("utf8")}`));
}

function connectionOptions({ sasl, tls }: KafkaConnection, settings: KafkaLogSettings): ConnectionOptions {
  const { serverName, ...certificates } = typeof tls === "object" ? tls : {};
  return {
    connectTimeout: settings.connectTimeoutMs,
    requestTimeout: settings.requestTimeoutMs,
    ...(sasl && { sasl: sasl.mechanism === "OAUTHBEARER" ? { ...sasl, authBytesValidator: refusal } : sasl }),
    ...(tls && { tls: certificates, tlsServerName: serverName ?? true }),
  };
}
