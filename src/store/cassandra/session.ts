// The way to the cluster: prepared statements, a bound on what is under way, and repeating with back-off while that may help.
import type { ConnectionOptions } from "node:tls";
import { auth, Client, type ClientOptions, policies, types } from "cassandra-driver";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import { Slots } from "../../core/slots.ts";
import { failureOf, isPassing } from "./failures.ts";
import type { CassandraBounds, CassandraConnection, CassandraTls } from "./settings.ts";

export interface SessionOptions {
  readonly connection: CassandraConnection;
  readonly bounds: CassandraBounds;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
}

/** Parameters are bytes as the server takes them, or undefined for "says nothing". */
export type Parameter = Buffer | string | number | readonly (Buffer | string)[] | undefined;

export interface Statement {
  readonly query: string;
  readonly params: readonly Parameter[];
}

export interface Page {
  readonly rows: readonly types.Row[];
  /** Where the next page begins; missing on the last. */
  readonly next: string | undefined;
}

export interface PageRequest {
  readonly rowsMax: number;
  readonly from?: string | undefined;
}

const backOffFirstMs = 50;
const backOffMaxMs = 2_000;
/** Changes of the schema take longer than reads and writes. */
const commandTimeoutMs = 60_000;
const defaultPort = 9042;

export class Session {
  readonly #client: Client;
  readonly #options: SessionOptions;
  readonly #reads: Slots;
  readonly #writes: Slots;
  readonly #closing = new AbortController();
  readonly #under = new Set<Promise<unknown>>();

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#client = new Client(clientOptions(options));
    this.#reads = new Slots(options.bounds.readsInFlightMax);
    this.#writes = new Slots(options.bounds.batchesInFlightMax);
  }

  /** @throws RdgError unavailable, unauthorized */
  async connect(): Promise<void> {
    try {
      await this.#client.connect();
    } catch (error) {
      await this.#client.shutdown().catch(() => undefined);
      throw failureOf(error, `connecting to ${this.#options.connection.contactPoints.join(", ")}`);
    }
  }

  /** Whether statements can be sent to the replicas that hold their rows, of which there is more than one set. */
  get hasSeveralNodes(): boolean {
    return this.#client.hosts.length > 1;
  }

  /** Names the replicas that hold this partition of the keyspace. */
  replicasOf(key: Buffer): string {
    const replicas: readonly { readonly address: string }[] | null = this.#client.getReplicas(
      this.#options.connection.keyspace,
      key,
    );
    return (replicas ?? []).map(({ address }) => address).join(" ");
  }

  /** All rows of one page, or the whole answer when no page is asked for. */
  read(query: string, params: readonly Parameter[], signal: AbortSignal, page?: PageRequest): Promise<Page> {
    return this.#read(
      query,
      params,
      AbortSignal.any([signal, this.#closing.signal]),
      this.#options.bounds.readRetryForMs,
      page,
    );
  }

  /** All rows that a write has to know first: asked for as patiently as the write itself is. */
  readToWrite(query: string, params: readonly Parameter[]): Promise<Page> {
    return this.#read(query, params, this.#closing.signal, this.#options.bounds.writeRetryForMs);
  }

  async #read(
    query: string,
    params: readonly Parameter[],
    signal: AbortSignal,
    forMs: number,
    page?: PageRequest,
  ): Promise<Page> {
    const consistency = types.consistencies[this.#options.bounds.readConsistency];
    const options = {
      prepare: true,
      isIdempotent: true,
      consistency,
      // 0: the whole answer.
      fetchSize: page?.rowsMax ?? 0,
      ...(page?.from !== undefined && { pageState: page.from }),
    };
    const ask = async (): Promise<Page> => {
      const { rows, pageState } = await this.#client.execute(query, params as unknown[], options);
      return { rows, next: pageState ?? undefined };
    };
    return await orAborted(
      this.#reads.run(() => this.#patiently(ask, query, forMs, signal), signal),
      signal,
    );
  }

  /**
   * Writes the statements, in one unlogged batch when they are several.
   * @param patiently repeated for as long as the settings say; otherwise not at all
   */
  async write(statements: readonly Statement[], patiently = true): Promise<void> {
    await this.#send(statements, patiently ? this.#options.bounds.writeRetryForMs : 0);
  }

  /** Writes the statements, all of one partition, if their conditions hold. A failed attempt is repeated, and may have been the one that did it: false, too. */
  async writeIf(statements: readonly Statement[]): Promise<boolean> {
    return (await this.#send(statements, this.#options.bounds.writeRetryForMs)).wasApplied();
  }

  async #send(statements: readonly Statement[], forMs: number): Promise<types.ResultSet> {
    const { writeConsistency } = this.#options.bounds;
    const consistency = types.consistencies[writeConsistency];
    // Of conditions alone: agreed on among the replicas among which writes are.
    const serialConsistency = types.consistencies[writeConsistency.startsWith("local") ? "localSerial" : "serial"];
    const options = { prepare: true, isIdempotent: true, consistency, serialConsistency };
    const [first] = statements;
    const send = async (): Promise<types.ResultSet> =>
      statements.length === 1
        ? await this.#client.execute(first!.query, first!.params as unknown[], options)
        : await this.#client.batch(statements as { query: string; params: unknown[] }[], { ...options, logged: false });
    const { signal } = this.#closing;
    const written = this.#writes.run(() => this.#patiently(send, first!.query, forMs, signal), signal);
    this.#under.add(written);
    try {
      return await written;
    } finally {
      this.#under.delete(written);
    }
  }

  /** A statement that changes the schema, or asks for it. */
  async command(query: string, params: readonly string[] = []): Promise<readonly types.Row[]> {
    try {
      const { rows } = await this.#client.execute(query, [...params], {
        prepare: params.length > 0,
        readTimeout: commandTimeoutMs,
      });
      return rows ?? [];
    } catch (error) {
      throw failureOf(error, query);
    }
  }

  /** What is being repeated is given up; what is under way ends. */
  async close(): Promise<void> {
    this.#closing.abort(new RdgError("closed", "store_closed", "The store is closed.", { hint: "Open it again." }));
    await Promise.allSettled(this.#under);
    await this.#client.shutdown();
  }

  async #patiently<T>(call: () => Promise<T>, place: string, forMs: number, signal: AbortSignal): Promise<T> {
    const { clock, timers, random } = this.#options;
    const untilMs = clock.monotonicMs() + forMs;
    for (let waitMs = backOffFirstMs; ; waitMs = Math.min(backOffMaxMs, waitMs * 2)) {
      try {
        return await call();
      } catch (error) {
        signal.throwIfAborted();
        if (!isPassing(error) || clock.monotonicMs() + waitMs > untilMs) throw failureOf(error, place);
      }
      await timers.sleep(waitMs / 2 + random.below(waitMs), signal);
    }
  }
}

/** The driver by itself takes any certificate. */
function sslOptionsOf(tls: CassandraTls | true): ConnectionOptions {
  if (tls === true) return { rejectUnauthorized: true };
  const { serverName, ...files } = tls;
  return { ...files, rejectUnauthorized: true, ...(serverName !== undefined && { servername: serverName }) };
}

function clientOptions({ connection, bounds }: SessionOptions): ClientOptions {
  const { contactPoints, port = defaultPort, localDataCenter, credentials, tls } = connection;
  return {
    contactPoints: contactPoints.map((point) => (/:\d+$/.test(point) ? point : `${point}:${port}`)),
    localDataCenter,
    protocolOptions: { port },
    ...(credentials && {
      authProvider: new auth.PlainTextAuthProvider(credentials.username, credentials.password),
    }),
    ...(tls !== undefined && tls !== false && { sslOptions: sslOptionsOf(tls) }),
    encoding: { map: Map },
    socketOptions: { connectTimeout: bounds.connectTimeoutMs, readTimeout: bounds.requestTimeoutMs },
    pooling: { coreConnectionsPerHost: { [types.distance.local]: 1, [types.distance.remote]: 1 } },
    policies: {
      // A node that comes back is used within seconds: while it is away its data's updates wait.
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(250, 4_000, false),
      // Repeating is ours: with back-off, and for as long as the settings say.
      retry: new policies.retry.FallthroughRetryPolicy(),
    },
  };
}

/** The promise's outcome, or the signal's reason as soon as it is aborted: what the server is doing then ends unheard. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason as Error);
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
