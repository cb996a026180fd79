// The bounds of the embedded log, all in one place; every one has a default that suits one machine.
import type { Retention } from "../../model/definition.ts";

export interface EmbeddedLogSettings {
  /** A segment file is closed once it has this size (less for topics with a small `retention.sizeBytes`). */
  readonly segmentBytes: number;
  /** A segment file is closed once its first frame is this old, so that retention by time can drop it. */
  readonly segmentMs: number;
  /** Bytes written and synced at once. */
  readonly groupBytesMax: number;
  /** Bytes waiting to be written, per partition; more rejects with `overloaded`. */
  readonly queueBytesMax: number;
  /** One batch, or one job transaction. */
  readonly batchBytesMax: number;
  /** Bytes kept in memory for tailing readers, per partition and for the journal. */
  readonly tailBytesMax: number;
  readonly journalTailBytesMax: number;
  /** Bytes that a reader of files reads at once; a larger frame is read whole. */
  readonly readChunkBytes: number;
  /** Idempotency keys remembered within their hour, over all partitions; more rejects with `overloaded`. 40-90 bytes of memory each. */
  readonly idempotencyKeysMax: number;
  /** Names of producers and of job outputs, each. */
  readonly ownersMax: number;
  /** Closed segments are checked byte by byte when the log is opened, newest first, up to this many bytes; the rest when it is read. */
  readonly verifyOnOpenBytesMax: number;
  /** After a failed write or sync: how long appends are rejected before the next one tries again. */
  readonly retryAfterMs: number;
  /** How often retention and compaction run; 0 only on `maintain()`. */
  readonly maintainEveryMs: number;
  /** Distinct keys of a compacted partition; with more it is not compacted. */
  readonly compactionKeysMax: number;
  /**
   * How long transactions are kept that the store has released. Without it: as long as the longest retention of a type topic, or
   * `journalRetentionDefaultMs` where one of them names none.
   */
  readonly journalRetention: Retention | undefined;
  readonly journalRetentionDefaultMs: number;
}

const mebibyte = 1024 * 1024;
const minuteMs = 60_000;

export const embeddedLogDefaults: EmbeddedLogSettings = {
  segmentBytes: 64 * mebibyte,
  segmentMs: 60 * minuteMs,
  groupBytesMax: 8 * mebibyte,
  queueBytesMax: 64 * mebibyte,
  batchBytesMax: 64 * mebibyte,
  tailBytesMax: 8 * mebibyte,
  journalTailBytesMax: 16 * mebibyte,
  readChunkBytes: mebibyte,
  idempotencyKeysMax: 2_000_000,
  ownersMax: 10_000,
  verifyOnOpenBytesMax: 256 * mebibyte,
  retryAfterMs: 1_000,
  maintainEveryMs: minuteMs,
  compactionKeysMax: 5_000_000,
  journalRetention: undefined,
  journalRetentionDefaultMs: 7 * 24 * 60 * minuteMs,
};

/** A retry is known by its idempotency key for this long after the original's time of receipt: the port's promise. */
export const idempotencyHorizonMs = 60 * minuteMs;
