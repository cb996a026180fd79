// The store on Cassandra 5: docs/cassandra.md says how it is run, docs/adr/0106 to 0108 why it is so.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { type Random, systemRandom } from "../../core/random.ts";
import type { UpdateFrame } from "../../log/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import type {
  AppliedPositions,
  Difference,
  ScannedElement,
  Store,
  StoreCapabilities,
  StoreReader,
  StoreStatistics,
} from "../port.ts";
import { DegreeCounters } from "./degree-counters.ts";
import { DegreeUpkeep } from "./degree-upkeep.ts";
import { LargeRecords } from "./large-records.ts";
import { type GraphLayout, layoutOf } from "./layout.ts";
import { checkBuckets } from "./partitions.ts";
import { CassandraReader, type ReaderParts } from "./reader.ts";
import { Removals } from "./removals.ts";
import { decodeRepair, type RepairQueue } from "./repair-queue.ts";
import { RowsRead } from "./rows-read.ts";
import { scanGraph } from "./scan.ts";
import { makeTables, missingTables, type SchemaChange } from "./schema.ts";
import { Session } from "./session.ts";
import { type CassandraBounds, type CassandraConnection, cassandraDefaults } from "./settings.ts";
import type { Share } from "./share.ts";
import { Supernodes } from "./supernodes.ts";
import { type SweepOptions, type Swept, sweepTables } from "./sweep.ts";
import { countOf } from "./table-scan.ts";
import { differencesIn } from "./verify.ts";
import { Writer, type WriterOptions } from "./writer.ts";

export interface CassandraStoreOptions {
  readonly model: GraphModel;
  readonly connection: CassandraConnection;
  /** What is not named has its default. */
  readonly settings?: Partial<CassandraBounds>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random?: Random;
  /**
   * `make`: missing tables and columns are made before it resolves; by one process at a time, since Cassandra's schema does not like to be changed twice at once.
   * `expect` (default): they must be there.
   */
  readonly tables?: "make" | "expect";
  /** Takes the writes that the cluster does not, so that `apply` goes on; without it `apply` rejects with `unavailable`. */
  readonly repairs?: RepairQueue;
}

export interface CassandraStore extends Store {
  /**
   * Makes the writes of a record from the repair queue. Any time, any order, more than once.
   * @throws RdgError unavailable: again later; corrupt: it is none
   */
  repair(record: Uint8Array): Promise<void>;
  /** The last record of each partition of the repair queue that is made up. */
  repaired(): Promise<ReadonlyMap<number, number>>;
  noteRepaired(partition: number, offset: number): Promise<void>;
  /** Lets readers know of what is made up by now: to be called now and then where there is a repair queue. False: something still waits. */
  settle(): Promise<boolean>;
  /**
   * From now on this store applies to these parts of the graph only; others apply to the rest. `applied` says from where on. What waits in the queue is told to
   * readers when it is made up.
   */
  take(share: Share, repairs?: RepairQueue): void;
  /** What `applied` says, for onlookers: a writer that is at work is left alone. */
  positions(): Promise<AppliedPositions>;
  /** Takes away what readers pass over for good, and begins to keep degrees that have become large. One process does it now and then; a walk over all tables. */
  sweep(options: SweepOptions, signal?: AbortSignal): Promise<Swept>;
}

/**
 * Opens the store of a graph on a Cassandra cluster.
 *
 * Its reads are calls over the network, so it does not stand alone: give it to `servedStore` (src/query/served-store.ts), which puts the adaptive limits
 * around it, since it is not `local`, and the serving cache around those. Writers use it as it is: apply through a `StoreFeeder`, one at a time per source;
 * whoever takes over a source calls `applied()` first. Any number of processes may read and, for different sources, write.
 *
 * @throws RdgError unavailable, unauthorized; conflict (`tables_missing`, `column_in_use`); not_found (`keyspace_missing`)
 */
export async function cassandraStore(options: CassandraStoreOptions): Promise<CassandraStore> {
  return await withSession(options, async (session, layout) => {
    const changes = await missingTables(session, layout, options.connection);
    if (options.tables === "make") await makeTables(session, changes);
    else if (changes.length > 0) throw missing(layout, changes);
    const store = new OpenCassandraStore(options, session, layout);
    await store.applied();
    return store;
  });
}

/** What `cassandraStore` with `tables: "make"` would make: for plans, and for telling drift. Empty when the tables are those of the definition. */
export async function cassandraTableChanges(options: CassandraStoreOptions): Promise<readonly SchemaChange[]> {
  return await withSession(options, async (session, layout) => {
    const changes = await missingTables(session, layout, options.connection);
    await session.close();
    return changes;
  });
}

async function withSession<T>(
  options: CassandraStoreOptions,
  use: (session: Session, layout: GraphLayout) => Promise<T>,
): Promise<T> {
  const { model, connection, clock, timers, random = systemRandom } = options;
  const { buckets } = boundsOf(options);
  checkBuckets(buckets);
  const session = new Session({ connection, bounds: boundsOf(options), clock, timers, random });
  await session.connect();
  try {
    return await use(session, layoutOf(model, connection.keyspace, buckets));
  } catch (error) {
    await session.close();
    throw error;
  }
}

const boundsOf = ({ settings }: CassandraStoreOptions): CassandraBounds => ({ ...cassandraDefaults, ...settings });

class OpenCassandraStore implements CassandraStore {
  readonly capabilities: StoreCapabilities = {
    atomicPositions: false,
    exactDegrees: false,
    filters: { edge: true, node: false },
  };
  readonly #session: Session;
  readonly #parts: ReaderParts;
  readonly #writing: WriterOptions;
  readonly #degrees: DegreeUpkeep;
  #writer: Writer;
  readonly #bounds: CassandraBounds;
  #closed: Promise<void> | undefined;

  constructor(options: CassandraStoreOptions, session: Session, layout: GraphLayout) {
    const { clock, repairs } = options;
    const bounds = boundsOf(options);
    const removals = new Removals(session, layout);
    const rows = new RowsRead(session, layout);
    this.#session = session;
    this.#bounds = bounds;
    const supernodes = new Supernodes(session, layout);
    const counters = new DegreeCounters({ rows, clock, slackMs: bounds.indexSlackMs });
    const { smallRecordRows } = bounds;
    this.#degrees = new DegreeUpkeep({ rows, supernodes, counters });
    this.#parts = { rows, removals, supernodes, counters, clock, large: new LargeRecords(), smallRecordRows };
    this.#writing = { session, layout, bounds, clock, removals, degrees: this.#degrees, repairs };
    this.#writer = new Writer(this.#writing);
  }

  async apply(frame: UpdateFrame): Promise<void> {
    this.#assertOpen();
    await this.#writer.apply(frame);
  }

  async applied(): Promise<AppliedPositions> {
    this.#assertOpen();
    return await this.#writer.applied();
  }

  async repaired(): Promise<ReadonlyMap<number, number>> {
    this.#assertOpen();
    return await this.#writer.repaired();
  }

  async noteRepaired(partition: number, offset: number): Promise<void> {
    this.#assertOpen();
    await this.#writer.noteRepaired(partition, offset);
  }

  async settle(): Promise<boolean> {
    this.#assertOpen();
    return await this.#writer.settle();
  }

  take(share: Share, repairs?: RepairQueue): void {
    this.#assertOpen();
    this.#writer = new Writer({ ...this.#writing, share, repairs });
  }

  async positions(): Promise<AppliedPositions> {
    this.#assertOpen();
    return await this.#writer.positions();
  }

  async repair(record: Uint8Array): Promise<void> {
    this.#assertOpen();
    await this.#writer.repair(decodeRepair(record));
  }

  async sweep(options: SweepOptions, signal = new AbortController().signal): Promise<Swept> {
    this.#assertOpen();
    const { degreeKeptFrom } = this.#bounds;
    return await sweepTables(this.#parts.rows, this.#bounds, options, signal, (onPage) =>
      this.#degrees.walks(degreeKeptFrom, signal, onPage),
    );
  }

  reader(): StoreReader {
    this.#assertOpen();
    return new CassandraReader(this.#parts);
  }

  verify(signal = new AbortController().signal): AsyncIterable<Difference> {
    this.#assertOpen();
    return differencesIn(this.#parts, signal);
  }

  scan(signal = new AbortController().signal): AsyncIterable<ScannedElement> {
    this.#assertOpen();
    return scanGraph(this.#parts, signal);
  }

  /** Elements are counted up to 10,000 of a type, and estimated beyond. */
  async statistics(): Promise<StoreStatistics> {
    this.#assertOpen();
    const { rows } = this.#parts;
    const { nodes, edges } = rows.layout;
    const nodeCounts = nodes.map(async ({ name, table }) => [name, await countOf(rows, table, ["id"])] as const);
    const edgeCounts = edges.map(
      async ({ name, forward }) => [name, await countOf(rows, forward, ["rec", "nb"])] as const,
    );
    return {
      nodes: Object.fromEntries(await Promise.all(nodeCounts)),
      edges: Object.fromEntries(await Promise.all(edgeCounts)),
      memoryBytes: this.#writer.counterCacheBytes,
      memoryMaxBytes: this.#bounds.counterCacheBytesMax,
    };
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#session.close());
  }

  #assertOpen(): void {
    if (this.#closed === undefined) return;
    throw new RdgError("closed", "store_closed", "The store is closed.", { hint: "Open it again." });
  }
}

function missing({ keyspace }: GraphLayout, changes: readonly SchemaChange[]): RdgError {
  const what = changes.map((change) => change.what).join("; ");
  return new RdgError(
    "conflict",
    "tables_missing",
    `Keyspace "${keyspace}" lacks what the definition needs: ${what}.`,
    {
      place: keyspace,
      hint: "Deploy the definition first.",
    },
  );
}
