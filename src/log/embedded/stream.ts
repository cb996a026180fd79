// An append-only sequence of frames in segment files, with group commit: what record partitions and the journal have in common. Hot path.
//
// One write and one sync are under way at a time; the next takes everything appended meanwhile. A frame counts when its sync has succeeded and, for
// record streams, when no compacted record with an earlier time is still on its way (log-time.ts); then readers see it and its append resolves.
//
// A failed write or sync is never papered over: everything not durable is rejected, the file is cut back to what is durable and, after a failed
// sync, read again and checked before the stream takes appends again. Until then they are rejected with `unavailable`.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import { logClosed, writeFailed } from "./failures.ts";
import type { FileSystem } from "./file-system.ts";
import { segmentHeaderBytes } from "./segment-format.ts";
import { readIndex } from "./segment-index.ts";
import { SegmentWriter } from "./segment-writer.ts";
import { indexPath, type Segment, type StreamIdentity } from "./segment.ts";
import type { EmbeddedLogSettings } from "./settings.ts";
import type { OutgoingFrame, StreamContent } from "./stream-content.ts";
import { TailCache } from "./tail-cache.ts";

export interface StreamParts {
  readonly fileSystem: FileSystem;
  readonly settings: EmbeddedLogSettings;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Log time for what is written without a time of its own, and for the age of segments. */
  readonly now: () => number;
  readonly visibleBefore: () => number;
}

export interface StreamStatistics {
  readonly segments: number;
  readonly sizeBytes: number;
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly queuedBytes: number;
  readonly readers: number;
  readonly tailBytes: number;
  readonly framesWritten: number;
  readonly bytesWritten: number;
  readonly syncs: number;
  /** Why appends are rejected now. */
  readonly failure: string | undefined;
}

interface Failure {
  readonly error: RdgError;
  readonly untilMs: number;
  /** A sync failed: what the file holds beyond doubt must be read again. */
  readonly suspect: boolean;
}

interface Waiter {
  readonly next: number;
  resolve(): void;
  reject(error: RdgError): void;
}

export class Stream<Frame> {
  readonly identity: StreamIdentity;
  readonly content: StreamContent<Frame>;
  readonly fileSystem: FileSystem;
  readonly settings: EmbeddedLogSettings;
  readonly tail: TailCache<Frame>;
  /** Where readers are. */
  readonly cursors = new Set<{ readonly position: number }>();
  /** Offset of the next frame to be appended; below `durable`: synced; below `visible`: shown to readers. */
  next: number;
  durable: number;
  visible: number;
  readonly #parts: StreamParts;
  readonly #writer: SegmentWriter;
  readonly #segmentBytesMax: () => number;
  readonly #segmentMsMax: () => number;
  readonly #listeners = new Set<() => void>();
  #pending: OutgoingFrame<Frame>[] = [];
  #pendingBytes = 0;
  /** Being written. */
  #group: OutgoingFrame<Frame>[] = [];
  /** Durable, but not visible yet. */
  #held: OutgoingFrame<Frame>[] = [];
  #waiters: Waiter[] = [];
  #running: Promise<void> | undefined;
  #rollWanted = false;
  #failure: Failure | undefined;
  #closed = false;
  readonly #closing = new AbortController();

  constructor(options: {
    identity: StreamIdentity;
    content: StreamContent<Frame>;
    parts: StreamParts;
    segments: readonly Segment[];
    tailBytesMax: number;
    segmentBytesMax: () => number;
    segmentMsMax: () => number;
  }) {
    this.identity = options.identity;
    this.content = options.content;
    this.#parts = options.parts;
    this.fileSystem = options.parts.fileSystem;
    this.settings = options.parts.settings;
    this.#writer = new SegmentWriter(options.parts, options.identity, options.segments);
    this.tail = new TailCache(options.tailBytesMax);
    this.#segmentBytesMax = options.segmentBytesMax;
    this.#segmentMsMax = options.segmentMsMax;
    this.next = this.durable = this.visible = this.current.content.next;
  }

  /** In order; the last is the one being written. */
  get segments(): readonly Segment[] {
    return this.#writer.segments;
  }

  get current(): Segment {
    return this.#writer.current;
  }

  get firstOffset(): number {
    return this.segments[0]!.header.base;
  }

  get sizeBytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Why an append of so many bytes cannot be taken now. */
  refusal(bytes: number): RdgError | undefined {
    if (this.#closed) return logClosed();
    const failure = this.#failure;
    if (failure !== undefined && this.#parts.clock.monotonicMs() < failure.untilMs) return failure.error;
    if (this.#pendingBytes > 0 && this.#pendingBytes + bytes > this.settings.queueBytesMax) {
      return new RdgError("overloaded", "append_queue_full", "More is appended than the disk takes.", {
        place: `${this.identity.name}/${this.identity.partition}`,
        hint: "Append again later, or less at a time.",
        retryAfterMs: 100,
      });
    }
    return undefined;
  }

  /** Takes a frame that begins at `next`; ask `refusal` first. */
  append(outgoing: OutgoingFrame<Frame>): void {
    this.#pending.push(outgoing);
    this.#pendingBytes += outgoing.buffers.length;
    this.next = outgoing.next;
    this.#kick();
  }

  /** Resolves when the frame before `next` is visible, rejects when it fails. */
  whenVisible(next: number): Promise<void> {
    if (this.visible >= next) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ next, resolve, reject });
    });
  }

  /** Resolves when nothing is waiting to be written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Calls at every frame that becomes visible, and when the log closes. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Shows readers what is durable and not held back. */
  publish(): void {
    const before = this.#parts.visibleBefore();
    const held = this.#held;
    let count = 0;
    while (count < held.length && held[count]!.timestampMs < before) {
      const outgoing = held[count++]!;
      this.visible = outgoing.next;
      this.tail.push(outgoing.first, outgoing.next, outgoing.buffers.length, outgoing.frame);
      outgoing.resolve();
    }
    if (count === 0) return;
    this.#held = count === held.length ? [] : held.slice(count);
    if (this.#waiters.length > 0) {
      for (const waiter of this.#waiters) if (waiter.next <= this.visible) waiter.resolve();
      this.#waiters = this.#waiters.filter((waiter) => waiter.next > this.visible);
    }
    for (const listener of this.#listeners) listener();
  }

  /** Closes the current segment when it is old enough, so that retention can drop it although nothing is appended. */
  rollIfOld(): Promise<void> {
    if (!this.#isOld(this.current) || this.#failure !== undefined || this.#closed) return Promise.resolve();
    this.#rollWanted = true;
    this.#kick();
    return this.idle();
  }

  /** Retention: the first segment is no longer part of the log. */
  dropFirst(): void {
    this.#writer.segments = this.segments.slice(1);
    this.tail.dropBefore(this.firstOffset);
  }

  /** Compaction: one segment stands for several closed ones. */
  replaceRange(index: number, count: number, by: Segment): void {
    this.#writer.segments = [...this.segments.slice(0, index), by, ...this.segments.slice(index + count)];
    this.tail.dropBefore(by.header.coversTo);
  }

  /** Whether a reader has begun with the closed segments and is not through. */
  readersUnderWay(): boolean {
    const { base } = this.current.header;
    for (const { position } of this.cursors) if (position > this.firstOffset && position < base) return true;
    return false;
  }

  /** The time of the first frame that was appended and is not visible yet. */
  get oldestUnseenMs(): number | undefined {
    return (this.#held[0] ?? this.#group[0] ?? this.#pending[0])?.timestampMs;
  }

  /** Where in a segment's file a reader of `offset` begins. */
  async positionOf(segment: Segment, offset: number): Promise<number> {
    const known = segment.content.positionOf(offset);
    if (known !== undefined) return known;
    const index = await readIndex(this.fileSystem, indexPath(segment.path), segment.header.base, segment.bytes);
    return index?.positionOf(offset) ?? segmentHeaderBytes;
  }

  statistics(): StreamStatistics {
    const { framesWritten, bytesWritten, syncs } = this.#writer;
    return {
      segments: this.segments.length,
      sizeBytes: this.sizeBytes,
      firstOffset: this.firstOffset,
      nextOffset: this.visible,
      queuedBytes: this.#pendingBytes,
      readers: this.cursors.size,
      tailBytes: this.tail.bytes,
      framesWritten,
      bytesWritten,
      syncs,
      failure: this.#failure?.error.message,
    };
  }

  /** Finishes what was appended, marks the file as closed in order and ends all readers. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort();
    for (const listener of this.#listeners) listener();
    await this.idle();
    await this.#writer.close(this.#failure === undefined ? this.durable : undefined);
  }

  #kick(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#pending.length > 0) this.#kick();
    });
  }

  async #run(): Promise<void> {
    // Appends of the same turn of the event loop share the first group.
    await Promise.resolve();
    while (this.#pending.length > 0 || this.#rollWanted) {
      let syncing = false;
      try {
        await this.#prepare();
        const file = await this.#writer.open();
        this.#group = this.#takeGroup();
        if (this.#group.length === 0) continue;
        const bytes = await this.#writer.write(file, this.#group, this.durable);
        syncing = true;
        await file.sync();
        this.#complete(bytes);
      } catch (error) {
        await this.#fail(error, syncing);
      }
    }
  }

  /** Makes the current file fit for appending: repaired after a failure, and a new one when it is full. */
  async #prepare(): Promise<void> {
    if (this.#failure !== undefined) {
      await this.#writer.repair(this.#failure.suspect);
      this.#failure = undefined;
    }
    const { current } = this;
    const full = current.content.frames > 0 && (current.bytes >= this.#segmentBytesMax() || this.#isOld(current));
    if (full) await this.#writer.roll(this.durable, this.content.snapshot(this.durable));
    this.#rollWanted = false;
  }

  #isOld(segment: Segment): boolean {
    const { firstMs } = segment.content;
    return firstMs !== undefined && this.#parts.now() - firstMs >= this.#segmentMsMax();
  }

  #takeGroup(): OutgoingFrame<Frame>[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#pending.length && (count === 0 || bytes < this.settings.groupBytesMax)) {
      bytes += this.#pending[count++]!.buffers.length;
    }
    const group = this.#pending.slice(0, count);
    this.#pending = count === this.#pending.length ? [] : this.#pending.slice(count);
    return group;
  }

  #complete(bytes: number): void {
    const group = this.#group;
    this.#group = [];
    this.#writer.written(group, bytes);
    for (const outgoing of group) {
      this.#pendingBytes -= outgoing.buffers.length;
      this.#held.push(outgoing);
    }
    this.durable = group.at(-1)!.next;
    for (const outgoing of group) {
      outgoing.settled?.(true);
      outgoing.decided?.();
    }
    this.publish();
  }

  async #fail(cause: unknown, syncFailed: boolean): Promise<void> {
    const { retryAfterMs } = this.settings;
    const error = writeFailed(cause, this.current.path, syncFailed, retryAfterMs);
    const suspect = syncFailed || this.#failure?.suspect === true;
    this.#failure = { error, suspect, untilMs: this.#parts.clock.monotonicMs() + retryAfterMs };
    this.#rollWanted = false;
    const written = this.#group.filter((outgoing) => outgoing.decided !== undefined);
    const unwritten = this.#pending;
    const lost = [...this.#group, ...unwritten];
    this.#group = [];
    this.#pending = [];
    this.#pendingBytes = 0;
    this.next = this.durable;
    this.content.rollBack(this.durable);
    const waiters = this.#waiters.filter((waiter) => waiter.next > this.durable);
    this.#waiters = this.#waiters.filter((waiter) => waiter.next <= this.durable);
    for (const outgoing of lost) outgoing.settled?.(false);
    for (const outgoing of lost) outgoing.reject(error);
    for (const waiter of waiters) waiter.reject(error);
    for (const outgoing of unwritten) outgoing.decided?.();
    if (written.length === 0) return this.#writer.cutBack();
    await this.#cutForSure(suspect);
    for (const outgoing of written) outgoing.decided?.();
  }

  /**
   * What others wait for must not come back with a crash: the file is cut again and again until that is durable. Appends are rejected meanwhile. Closing ends it: nobody
   * processes any more what is shown then.
   */
  async #cutForSure(suspect: boolean): Promise<void> {
    const { retryAfterMs } = this.settings;
    while (!this.#closed) {
      try {
        return await this.#writer.repair(false);
      } catch (cause) {
        const error = writeFailed(cause, this.current.path, suspect, retryAfterMs);
        this.#failure = { error, suspect, untilMs: this.#parts.clock.monotonicMs() + 2 * retryAfterMs };
        await this.#parts.timers.sleep(retryAfterMs, this.#closing.signal).catch(() => undefined);
      }
    }
  }
}
