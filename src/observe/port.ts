// What RDG tells about itself, as plain data: the status, single records of topics, and the outcome of a verification.
import type { JobCounters } from "../log/port.ts";
import type { Difference, StoreStatistics } from "../store/port.ts";

export interface Status {
  readonly graph: string;
  readonly fingerprint: string;
  readonly ready: boolean;
  /** Host and port of the gRPC server, where there is one. */
  readonly grpc?: string;
  /** Why events are refused, while they are. */
  readonly refusing?: string;
  readonly uptimeMs: number;
  readonly topics: readonly TopicStatus[];
  readonly jobs: readonly JobStatus[];
  readonly store: StoreStatistics & {
    /** Transactions in the journal that the store has not applied. */
    readonly lagTransactions: number;
    /** Last applied position per source, and the input positions that they account for. */
    readonly applied: readonly string[];
    readonly inputs: readonly string[];
  };
  /** Counters of the gateway by event or input. */
  readonly gateway: unknown;
  /** Figures of the log: segments, bytes, fsyncs. */
  readonly log: unknown;
}

/** The status of one process of a cluster: of the parts that its roles have. */
export type ProcessStatus = Omit<Status, "store" | "gateway" | "log"> &
  Partial<Pick<Status, "store" | "gateway">> & {
    readonly roles: readonly string[];
    readonly writing?: StoreWriting;
    /** Names of stores by type topic, for types that are not on the main one. */
    readonly placement?: Readonly<Record<string, string>>;
  };

/** What a process does for the store that processes share. */
export interface StoreWriting {
  readonly state: "standing by" | "writing";
  /** Parts of the graph that it writes, 0 to `partsOf` - 1; the others are other processes'. */
  readonly parts: readonly number[];
  readonly partsOf: number;
  /** Offset of the last transaction that this process has applied; -1 before the first. */
  readonly appliedOffset?: number;
  /** Why the store takes no more, while it does not. */
  readonly blocked?: string;
  readonly repairs: RepairFigures;
  readonly sweep: SweepFigures;
}

/** Writes that the store did not take, on their way through the log. */
export interface RepairFigures {
  /** Records in the queue, of all processes, when this one looked last. */
  readonly waiting: number;
  /** When the one came into the queue that this process has to make next, in ms since the epoch. */
  readonly oldestMs?: number;
  /** By this process since it started: put there, and made. */
  readonly queued: number;
  readonly repaired: number;
  /** Why none can be made, while none can. */
  readonly cause?: string;
}

export interface SweepFigures {
  /** `waiting`: for what was received before to be in the graph. */
  readonly state: "resting" | "waiting" | "sweeping";
  /** Since the process started, as all that follows. */
  readonly completed: number;
  readonly failed: number;
  /** When the last one was completed, in ms since the epoch. */
  readonly completedMs?: number;
  /** Rows of lists, lives that were over, and sets beyond their bound. */
  readonly swept: { readonly listed: number; readonly lives: number; readonly sets: number };
}

export interface TopicStatus {
  readonly name: string;
  readonly partitions: readonly { readonly first: number; readonly next: number }[];
  readonly sizeBytes: number;
}

export interface JobStatus {
  readonly event: string;
  /** `starting`: reading side inputs and event ids; `retrying`: the last attempt failed, see `cause`. */
  readonly state: "starting" | "running" | "paused" | "retrying" | "stopped";
  readonly cause?: string;
  /** Records that are in the topic and not yet published. */
  readonly lagRecords: number;
  /** Records received per second, over the last seconds. */
  readonly ratePerSecond: number;
  readonly counters: JobCounters;
  /** Bytes and elements in the merge window now, and their bounds. */
  readonly window: {
    readonly keys: number;
    readonly keysMax: number;
    readonly bytes: number;
    readonly bytesMax: number;
  };
  /** Ids of events that are remembered to drop repeats; missing where the event has none. */
  readonly dedup?: { readonly count: number; readonly countMax: number };
}

export interface TopicQuery {
  readonly topic: string;
  /** `start`, an offset of every partition, or a time; undefined: from now on. */
  readonly from: "start" | { readonly offset: number } | { readonly timeMs: number } | undefined;
  readonly until: { readonly offset: number } | { readonly timeMs: number } | undefined;
  readonly key: string | undefined;
  readonly limit: number;
  /** Whether to wait for more at the end. */
  readonly follow: boolean;
}

/** One record of any topic, decoded for people: values in the JSON form of answers. */
export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly receivedAt: string;
  readonly key?: string;
  /** null where a compacted topic's key was removed; `{ undecodable, bytes }` where the record cannot be read. */
  readonly value: unknown;
}

export interface Verification {
  readonly elements: number;
  readonly transactions: number;
  /** At most 1,000. */
  readonly differences: readonly Difference[];
  /** False when the log no longer reaches back to the first transaction, so that only the store's own agreement was proved. */
  readonly rebuilt: boolean;
}

/** Where spans of requests go. A server that has none pays nothing for tracing. */
export interface Tracer {
  /** Begins the span of a request. `traceparent` and `tracestate` (W3C trace context) as they came; malformed ones are ignored. */
  request(
    name: string,
    parent: { readonly traceparent?: string | undefined; readonly tracestate?: string | undefined },
  ): RequestSpan;
  /** Sends what is left. Never rejects. */
  close(): Promise<void>;
}

export interface RequestSpan {
  /** 32 hexadecimal digits, for logs. */
  readonly traceId: string;
  /** A part of the request that is behind it: how long it took. `endedMsAgo` tells how long ago it ended. */
  stage(name: string, ms: number, endedMsAgo: number): void;
  /** Called once. `failed`: through a fault of the server. */
  end(attributes: Readonly<Record<string, string | number>>, failed: boolean): void;
}
