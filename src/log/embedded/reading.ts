// Readers: cursors of one or many streams merged into one iteration that waits, at no cost, when it has caught up. Hot path: one step per frame.
//
// An iteration ends when its signal aborts, or when all it was asked for has been read; it rejects with `closed` when the log closes.
import { Wake } from "../../core/wake.ts";
import { decodeUpdateBatch } from "../../model/update/codec.ts";
import type { RecordFrame, UpdateFrame } from "../port.ts";
import { Cursor } from "./cursor.ts";
import { logClosed } from "./failures.ts";
import { journalName, quarantinedFrame } from "./journal.ts";
import { trimFrame } from "./record-frame.ts";
import type { Stream } from "./stream.ts";
import { inputsOf, type Transaction } from "./transaction-frame.ts";

/** One partition of a read: frames in order. */
export interface Source<Frame> {
  /** The next frame, undefined when there is none now. */
  take(): Promise<Frame | undefined> | Frame | undefined;
  readonly done: boolean;
  readonly closed: boolean;
  listen(listener: () => void): () => void;
  close(): Promise<void>;
}

export async function* readAll<Frame>(
  begin: () => readonly Source<Frame>[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Frame, void, undefined> {
  const sources = begin();
  const wake = new Wake();
  const ring = (): void => wake.ring();
  const silence = sources.map((source) => source.listen(ring));
  signal?.addEventListener("abort", ring);
  try {
    let open = sources.filter((source) => !source.done);
    const aborted = (): boolean => signal?.aborted === true;
    while (open.length > 0 && !aborted()) {
      let waiting = true;
      for (const source of open) {
        if (source.closed) throw logClosed();
        const taken = source.take();
        const frame = taken instanceof Promise ? await taken : taken;
        if (frame === undefined) continue;
        waiting = false;
        if (aborted()) return;
        yield frame;
      }
      open = open.filter((source) => !source.done);
      if (waiting && open.length > 0) await wake.wait();
    }
  } finally {
    for (const stop of silence) stop();
    signal?.removeEventListener("abort", ring);
    for (const source of sources) await source.close();
  }
}

/** What all sources share: from memory where possible, else from files, up to `until` (inclusive). */
abstract class StreamSource<Kept, Frame> implements Source<Frame> {
  readonly cursor: Cursor<Kept>;

  constructor(stream: Stream<Kept>, from: number) {
    this.cursor = new Cursor(stream, from);
  }

  abstract readonly done: boolean;
  /** The reader's view of a frame; undefined when it has no part in it. */
  protected abstract view(kept: Kept): Frame | undefined;

  get closed(): boolean {
    return this.cursor.stream.closed;
  }

  take(): Promise<Frame | undefined> | Frame | undefined {
    while (!this.done && !this.cursor.caughtUp) {
      const kept = this.cursor.take();
      if (kept === undefined) return this.#read();
      const frame = this.view(kept);
      if (frame !== undefined) return this.cursor.cold ? this.cursor.close().then(() => frame) : frame;
    }
    return undefined;
  }

  listen(listener: () => void): () => void {
    return this.cursor.stream.listen(listener);
  }

  close(): Promise<void> {
    return this.cursor.end();
  }

  async #read(): Promise<Frame | undefined> {
    while (!this.done) {
      const kept = this.cursor.take() ?? (await this.cursor.read());
      if (kept === undefined) return undefined;
      const frame = this.view(kept);
      if (frame !== undefined) return frame;
    }
    return undefined;
  }
}

/** What of a topic's partition is read: offsets, both inclusive, and nothing that was received before a moment. */
export interface RecordRange {
  readonly from: number;
  readonly until: number;
  readonly fromTimestampMs: number;
}

/** A partition of a record topic. */
export class RecordSource extends StreamSource<RecordFrame, RecordFrame> {
  readonly #from: number;
  readonly #until: number;
  readonly #fromTimestampMs: number;

  constructor(stream: Stream<RecordFrame>, { from, until, fromTimestampMs }: RecordRange) {
    // Segments that end before the moment are not even opened.
    const segment = stream.segments.find(({ content }) => content.lastMs >= fromTimestampMs) ?? stream.current;
    super(stream, Math.max(from, segment.header.base));
    this.#from = from;
    this.#until = until;
    this.#fromTimestampMs = fromTimestampMs;
  }

  get done(): boolean {
    return this.cursor.position > this.#until;
  }

  protected view(frame: RecordFrame): RecordFrame | undefined {
    if (frame.timestampMs < this.#fromTimestampMs) return undefined;
    return trimFrame(frame, this.#from, this.#until);
  }
}

/** A job's quarantine topic: the quarantined records of the journal's transactions. */
export class QuarantineSource extends StreamSource<Transaction, RecordFrame> {
  readonly #topic: string;
  readonly #from: number;
  readonly #until: number;
  readonly #fromTimestampMs: number;
  readonly #committedNext: () => number;
  #next = 0;

  constructor(
    stream: Stream<Transaction>,
    range: RecordRange & { topic: string; start: number; committedNext: () => number },
  ) {
    super(stream, range.start);
    this.#topic = range.topic;
    this.#from = range.from;
    this.#until = range.until;
    this.#fromTimestampMs = range.fromTimestampMs;
    this.#committedNext = range.committedNext;
  }

  get done(): boolean {
    // The last record wanted may be gone; whoever has read the whole journal has read what is left.
    return this.#next > this.#until || (this.cursor.caughtUp && this.#until < this.#committedNext());
  }

  protected view(transaction: Transaction): RecordFrame | undefined {
    const frame = quarantinedFrame(transaction, this.#topic);
    if (frame === undefined) return undefined;
    this.#next = frame.firstOffset + frame.count;
    if (frame.timestampMs < this.#fromTimestampMs) return undefined;
    return trimFrame(frame, this.#from, this.#until);
  }
}

/** An update frame of the embedded log also hands out the packed bytes, for whoever passes them to another thread. */
export interface EmbeddedUpdateFrame extends UpdateFrame {
  /** Shared with the log: read-only. */
  readonly packed: Uint8Array | undefined;
}

export class UpdateSource extends StreamSource<Transaction, EmbeddedUpdateFrame> {
  readonly #until: number;

  constructor(stream: Stream<Transaction>, from: number, until: number) {
    super(stream, from);
    this.#until = until;
  }

  get done(): boolean {
    return this.cursor.position > this.#until;
  }

  protected view(transaction: Transaction): EmbeddedUpdateFrame | undefined {
    if (transaction.offset > this.#until) return undefined;
    const { description, updates } = transaction;
    return {
      source: journalName,
      offset: transaction.offset,
      job: description.job,
      timestampMs: transaction.timestampMs,
      inputs: inputsOf(description),
      packed: updates,
      updates: () => updates && decodeUpdateBatch(updates),
      sizeBytes: transaction.sizeBytes,
    };
  }
}
