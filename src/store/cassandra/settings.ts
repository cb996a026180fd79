// What the store on Cassandra is told: how to reach the cluster, how sure a read and a write have to be, and its bounds, every one with a default.
import type { Buckets } from "./layout.ts";

export interface CassandraTls {
  /** PEM; without it the certificates that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  /** Of the certificate; without it the host that is connected to. */
  readonly serverName?: string;
}

export interface CassandraConnection {
  /** `host` or `host:port` of some nodes of the local data center. */
  readonly contactPoints: readonly string[];
  /** Of contact points that name none. */
  readonly port?: number;
  readonly localDataCenter: string;
  /** Of this graph alone. */
  readonly keyspace: string;
  /** Replicas by data center, for a keyspace that has to be made. */
  readonly replication?: Readonly<Record<string, number>>;
  readonly credentials?: { readonly username: string; readonly password: string };
  /** `true` for TLS with the certificates that Node trusts. */
  readonly tls?: CassandraTls | boolean;
}

export type CassandraConsistency = "one" | "localOne" | "two" | "quorum" | "localQuorum" | "eachQuorum" | "all";

export interface CassandraBounds {
  /** Replicas that must have taken a write. */
  readonly writeConsistency: CassandraConsistency;
  /** Replicas that must have answered a read. Together with those of a write more than there are replicas, or a read may miss what was applied. */
  readonly readConsistency: CassandraConsistency;
  /** Statements of one batch. */
  readonly batchStatementsMax: number;
  /** Bytes of one batch; below the server's `batch_size_fail_threshold`, which is 50 KiB unless told otherwise. */
  readonly batchBytesMax: number;
  /** Batches under way. */
  readonly batchesInFlightMax: number;
  /** Reads under way, of all readers. */
  readonly readsInFlightMax: number;
  readonly connectTimeoutMs: number;
  /** How long one call may take; shorter than the server's own limits helps nobody. */
  readonly requestTimeoutMs: number;
  /** How long a failed write is repeated, with back-off, before it is given up. */
  readonly writeRetryForMs: number;
  /** How long a failed read is repeated. */
  readonly readRetryForMs: number;
  /** Rows of a record that are read whole at first: most records have fewer, and need no second read. */
  readonly smallRecordRows: number;
  /** Memory for the counters that this writer knows; one that it does not know is read before it is written. */
  readonly counterCacheBytesMax: number;
  /** Edge types, by name, whose records may become very large: into how many partitions the edges of each record are cut, by direction. Never changed later. */
  readonly buckets: Buckets;
  /** Of a record with at least so many edges the degree is kept, from the next sweep on. */
  readonly degreeKeptFrom: number;
  /** How much longer than their ttl rows of adjacency indexes are kept, for clocks that differ. */
  readonly indexSlackMs: number;
}

export const cassandraDefaults: CassandraBounds = {
  writeConsistency: "localQuorum",
  readConsistency: "localQuorum",
  batchStatementsMax: 100,
  batchBytesMax: 32 * 1024,
  batchesInFlightMax: 6,
  readsInFlightMax: 256,
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 6_000,
  writeRetryForMs: 30_000,
  readRetryForMs: 2_000,
  smallRecordRows: 64,
  counterCacheBytesMax: 64 * 1024 * 1024,
  buckets: {},
  degreeKeptFrom: 10_000,
  indexSlackMs: 3_600_000,
};
