// The log: topics of partitions of records, durable and replayable. Everything downstream can be rebuilt from it.
//
// One implementation per technology (embedded segment files, Kafka), all held to `conformance.ts`.
//
// Promises, in the caller's terms:
//  - what `append` or `commit` has resolved for survives a crash of any process at any instruction;
//  - a retried append (same producer and sequence, or same idempotency key) is not stored twice, also after a restart of either side;
//  - a transaction is visible whole or not at all, and so are the input positions and counters that it carries;
//  - readers see durable, committed records only, in offset order per partition; offsets grow but need not be dense;
//  - a later owner of a producer or job name, or of a job's partition, fences the earlier one: its calls reject with `conflict`, nothing of it is stored;
//  - timestamps (time of receipt) never go back within a log, and a record of a compacted topic is strictly later than every record appended
//    before it: so "the side input as of an event's receipt" has one meaning, also on replay.
// Not promised: order across partitions; anything about records older than the topic's retention.
//
// Rejections use the error kinds of core/errors: `unavailable` (retry later: disk full), `overloaded` (bound reached, nothing stored), `conflict`
// (fenced, locked), `invalid` (too large, unknown topic), `corrupt` (names file or partition and offset), `closed`.
import type { Position } from "../model/position.ts";
import type { BytesColumn, UpdateBatch } from "../model/update/batch.ts";
import type { PublishedForm } from "../model/update/type-records.ts";

export interface Log extends LogReader {
  /**
   * Creates missing topics and changes retention. Refuses, naming the topic, what would lose or reorder records (another number of partitions, another form).
   * A log whose producers tell `partitions` lets topics of records grow by a whole factor. Idempotent.
   */
  ensureTopics(topics: readonly TopicSettings[]): Promise<void>;
  producer(name: string): Promise<Producer>;
  /** The transactional output of one job. Taking it over fences the previous owner and aborts what it left open. */
  jobOutput(name: string): Promise<JobOutput>;
  /**
   * Makes this process a worker of a job: the partitions of the topic that the job reads are shared out among its workers, each to one. What one of them
   * has committed for a partition is where the next one goes on. A job is run either this way or by `jobOutput`.
   */
  joinJob(name: string, topic: string): Promise<JobWorker>;
  /** Applies retention and compaction now; adapters whose servers do it themselves resolve at once. */
  maintain(): Promise<void>;
  close(): Promise<void>;
}

/** What readers need of a log. */
export interface LogReader {
  /** Offsets have gaps where there never was a record, such as markers of transactions. Missing: a gap is what retention has removed. */
  readonly sparse?: boolean;
  /** What stands before the names of topics in the log's own technology. Subjects of their schemas have it too: other programs look for them by it. */
  readonly prefix?: string;
  topics(): Promise<readonly TopicSettings[]>;
  /** Reads record topics from `from` (inclusive) or, where a partition is not named, from its first kept record. Ends never, unless `until` is given. */
  read(options: ReadOptions): AsyncIterable<RecordFrame>;
  /** Reads the transactions of all jobs in order, from the one at `from` (inclusive). Ends never, unless `until` is given. */
  readUpdates(options: ReadUpdatesOptions): AsyncIterable<UpdateFrame>;
  /** First kept and next offset of each partition: for lag, retention and catch-up. For a type topic: offsets of the transactions that hold it. */
  bounds(topic: string): Promise<readonly PartitionBounds[]>;
  /** Everything that the topic received up to `timestampMs` is readable and lies below `next` (per partition); what comes later has a greater timestamp. */
  settled(topic: string): Promise<{ readonly timestampMs: number; readonly next: readonly number[] }>;
}

/**
 * - `records`: `events.*`, `quarantine.*`: records in order, kept by time and size.
 * - `compacted`: `inputs.*`: keyed records of which the latest of each key is kept (and older versions for `retention.timeMs`); a null value removes the key.
 * - `updates`: `nodes.*`, `edges.*`: the type topics; written by transactions only.
 */
export type TopicForm = "records" | "compacted" | "updates";

export interface TopicSettings {
  readonly name: string;
  readonly form: TopicForm;
  readonly partitions: number;
  /**
   * Of type topics: their updates are records of the topic, too, for readers beside RDG's own stores, in this form (model/update/type-records.ts). Such a
   * topic is read like one of records. Without it there are only the jobs' transactions. A log that has no readers but its own refuses it (`not_published`).
   */
  readonly published?: PublishedForm;
  /** Name of the cluster that its records are on, where the log has several; missing: the one that all else is on. Of topics of events alone. */
  readonly cluster?: string;
  /** Of a topic that has grown, the oldest first: told by the log, and nothing to ask for. */
  readonly earlier?: readonly EarlierPartitions[];
  /** Neither given: kept for ever. */
  readonly retention: { readonly timeMs?: number; readonly sizeBytes?: number };
  /**
   * Name, in the log's own technology, of a topic of records that somebody else owns: it is read as it is, and never made, changed or appended to.
   * Its times are what its owner says, at most the time of reading, and may go back; offsets may have gaps. A log that has nobody else's topics refuses it (`no_foreign_topics`).
   */
  readonly foreign?: string;
}

/** Partitions grow by whole factors: what was in partition p of n is in p, p + n, p + 2n, ... since. */
export interface EarlierPartitions {
  readonly partitions: number;
  /** Producers go by it until then. */
  readonly untilMs: number;
  /** Nothing is appended by it any more, whatever producers' clocks say; what is appended to the partitions that came is worked off from then on. */
  readonly settledMs: number;
}

export interface Producer {
  /** Among how many partitions keys are shared out now. Missing: topics do not grow. @throws RdgError unavailable, when the log cannot say */
  partitions?(topic: string): number | Promise<number>;
  /**
   * Resolves when durable, with the position of the first record and whether the batch was there already. Callers may have several appends in flight;
   * the log commits them in groups. The log takes ownership of the batch's buffers.
   */
  append(topic: string, partition: number, batch: RecordBatch): Promise<Appended>;
  close(): Promise<void>;
}

export interface Appended {
  readonly first: Position;
  readonly last: Position;
  readonly duplicate: boolean;
}

/** Records as bytes in shared buffers: nothing on the hot path is an object per record. */
export interface RecordBatch {
  readonly count: number;
  readonly values: BytesColumn;
  /** Required for compacted topics. */
  readonly keys?: BytesColumn;
  /** 1 where the value is null (compacted topics: remove the key). */
  readonly nulls?: Uint8Array;
  /** Grows per (producer, partition); a sequence that is not greater than the last stored one is a retry. */
  readonly sequence?: number;
  /** What `partitions` said when the records were shared out. Refused with `unavailable` once the topic has grown since: they are to be shared out anew. */
  readonly sharedAmong?: number;
  /** At most 256 bytes. A batch with the key of one stored within the last hour in this partition, or in the one that its records were in before the topic grew, is a retry, whoever sends it. */
  readonly idempotencyKey?: string;
}

export interface JobOutput {
  /** Where the job goes on: the last consumed position per input partition, and the counters, of its last committed transaction. */
  readonly committed: readonly Position[];
  readonly counters: JobCounters;
  /**
   * Publishes one window: merged updates, quarantined records, the last consumed input position per partition and the job's counters. Atomic.
   * Resolves when durable. Several may be in flight; they commit in order.
   */
  commit(transaction: JobTransaction): Promise<Appended>;
  close(): Promise<void>;
}

export interface JobWorker {
  /**
   * The partitions that are this worker's turn, with the output for what becomes of them. Waits while there are none. One is open at a time: the next one is
   * asked for when the last is closed. Rejects with the signal's reason; with `closed` after `leave`; otherwise it may be asked for again.
   */
  assignment(signal?: AbortSignal): Promise<JobAssignment>;
  /** Ends the assignment and gives the partitions back, so that other workers have them at once. */
  leave(): Promise<void>;
}

/** Its positions and counters are those of its partitions, whoever committed them; of all others it knows nothing (0). `commit` takes those of its partitions. */
export interface JobAssignment extends JobOutput {
  /** Ascending. */
  readonly partitions: readonly number[];
  /**
   * Aborts when other partitions are to be this worker's: it publishes what it has open, closes the assignment and asks for the next one. Until it does, others
   * wait for the partitions that it gives back; after some seconds they get them, and commits of this assignment reject with `conflict`.
   */
  readonly ending: AbortSignal;
}

/** Absolute counts since the job first ran, by counter name and input partition: `{ received: [12, 7], ... }`. */
export type JobCounters = Readonly<Record<string, readonly number[]>>;

export interface JobTransaction {
  /** Records of type topics that are published. */
  readonly published?: readonly { readonly topic: string; readonly partition: number; readonly batch: RecordBatch }[];
  /** The window in the packed form of model/update/codec.ts; undefined when it holds no update. */
  readonly updates: Uint8Array | undefined;
  /** For `quarantine.<job>`, partition 0. */
  readonly quarantined: { readonly topic: string; readonly batch: RecordBatch } | undefined;
  /** Of records that were read: a log may refuse to open when it lacks what a transaction says was consumed from it. */
  readonly inputs: readonly Position[];
  readonly counters: JobCounters;
}

export interface PartitionBounds {
  readonly partition: number;
  /** First kept offset. */
  readonly first: number;
  /** Offset that the next record will get, in-flight appends not counted. */
  readonly next: number;
  readonly sizeBytes: number;
}

export interface ReadOptions {
  readonly topics: readonly string[];
  /** Of every topic these partitions only. */
  readonly partitions?: readonly number[];
  readonly from?: readonly Position[];
  /** Records received before this moment are passed over (some of the first frame may be older). */
  readonly fromTimestampMs?: number;
  /** Last offset to read per partition (inclusive); partitions not named are read to where they ended when the call was made. */
  readonly until?: readonly Position[];
  readonly signal?: AbortSignal;
}

export interface ReadUpdatesOptions {
  readonly from?: number;
  readonly until?: number;
  readonly signal?: AbortSignal;
}

/** Consecutive records of one partition. Buffers are shared with the log: read-only. */
export interface RecordFrame {
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: number;
  /** Offset of record i minus `firstOffset`; missing when dense. */
  readonly offsets?: Uint32Array;
  readonly count: number;
  /** Time of receipt in ms, the same for the whole frame. */
  readonly timestampMs: number;
  readonly values: BytesColumn;
  readonly keys?: BytesColumn;
  readonly nulls?: Uint8Array;
}

/** One job transaction as a reader of type topics sees it. */
export interface UpdateFrame {
  /** The sequence of transactions that this one belongs to (embedded: one journal); offsets grow within it. */
  readonly source: string;
  readonly offset: number;
  readonly job: string;
  readonly timestampMs: number;
  readonly inputs: readonly Position[];
  /** The packed form (model/update/codec.ts), where the log has it: for whoever passes it on. Shared with the log: read-only. */
  readonly packed?: Uint8Array | undefined;
  /** Decoded on demand; undefined when the transaction holds no update. */
  updates(): UpdateBatch | undefined;
  /** For whoever keeps nothing of the frame and its updates, not even a view: their memory is used for the frames that follow. Nobody has to call it. */
  release?(): void;
  readonly sizeBytes: number;
}
