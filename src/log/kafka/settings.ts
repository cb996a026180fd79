// What the Kafka log is told: how to reach the cluster, and its bounds, every one with a default that suits a few brokers near by.

export interface KafkaSasl {
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512" | "OAUTHBEARER";
  readonly username?: string;
  readonly password?: string;
  /** For OAUTHBEARER: asked for again whenever a connection authenticates. */
  readonly token?: string | (() => string | Promise<string>);
}

export interface KafkaTls {
  /** PEM; without it the certificates that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  /** Of the certificate; without it the host that is connected to. */
  readonly serverName?: string;
}

export interface KafkaConnection {
  /** host:port of some brokers. */
  readonly bootstrap: readonly string[];
  readonly clientId?: string;
  readonly sasl?: KafkaSasl;
  /** `true` for TLS with the certificates that Node trusts. */
  readonly tls?: KafkaTls | boolean;
}

export interface KafkaLogSettings {
  /** Stands before every topic and transactional id: several logs share a cluster. */
  readonly prefix: string;
  /** Of topics that this log creates; -1 is the broker's default. */
  readonly replicationFactor: number;
  /** `min.insync.replicas` of topics that this log creates; undefined is the broker's default. */
  readonly minInsyncReplicas: number | undefined;
  readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  /** Bytes of one request to one partition. */
  readonly groupBytesMax: number;
  /** Bytes waiting to be sent, per partition and per job; more rejects with `overloaded`. */
  readonly queueBytesMax: number;
  /** One batch, or one job transaction; also the `max.message.bytes` of topics that this log creates. */
  readonly batchBytesMax: number;
  /** Bytes of one answer of a broker to a reader; a larger batch is read whole. A reader holds at most two answers of each broker. */
  readonly fetchBytesMax: number;
  /** How long a broker holds the request of a reader that has seen everything. */
  readonly fetchWaitMs: number;
  /** How long a failed call is repeated, with back-off, before it rejects with `unavailable`. */
  readonly retryForMs: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** After this long without a word of its owner the coordinator aborts an open transaction. Until then it hides what follows it from readers. */
  readonly transactionTimeoutMs: number;
  /**
   * Names this process among those that share its work. One that starts again under its name takes its earlier self's place at once, which otherwise is given up
   * after the session timeout. A random name when undefined.
   */
  readonly instance: string | undefined;
  /**
   * After this long without a word of a job's worker its partitions go to others: as the session of its group where brokers allow it, else by what its workers
   * see of each other (beats.ts). Undefined: as brokers have it.
   */
  readonly sessionTimeoutMs: number | undefined;
  /** How long a worker may take to publish what it has open before its partitions go to others. */
  readonly rebalanceTimeoutMs: number;
  /** Idempotency keys and sequences remembered over all partitions; more rejects with `overloaded`. About 200 bytes of memory each. */
  readonly rememberedBatchesMax: number;
}

const mebibyte = 1024 * 1024;

export const kafkaLogDefaults: KafkaLogSettings = {
  prefix: "",
  replicationFactor: -1,
  minInsyncReplicas: undefined,
  compression: "lz4",
  groupBytesMax: mebibyte,
  queueBytesMax: 64 * mebibyte,
  batchBytesMax: 32 * mebibyte,
  fetchBytesMax: 4 * mebibyte,
  fetchWaitMs: 500,
  retryForMs: 30_000,
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
  transactionTimeoutMs: 15_000,
  instance: undefined,
  sessionTimeoutMs: 5_000,
  rebalanceTimeoutMs: 10_000,
  rememberedBatchesMax: 500_000,
};

/** A retry is known by its idempotency key or sequence for this long after the original's time of receipt: the port's promise for keys. */
export const retryHorizonMs = 60 * 60_000;
