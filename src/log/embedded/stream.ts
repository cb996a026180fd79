// An append-only sequence of frames in segment files, with group commit: what record partitions and the journal have in common. Hot path.
//
// One write and one sync are under way at a time; the next takes everything appended meanwhile. A frame counts when its sync has succeeded and, for
// record streams, when no compacted record with an earlier time is still on its way (log-time.ts); then readers see it and its append resolves.
//
// A failed write or sync is never papered over: everything not durable is rejected, the file is cut back to what is durable and, after a failed
// sync, read again and checked before the stream takes appends again. Until then they are rejected with `unavailable`.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import { logClosed, writeFailed } from "./failures.ts";
import { type File, type FileSystem, writeWhole } from "./file-system.ts";
import { FrameScanner } from "./frame-scanner.ts";
import {
  damaged,
  encodeControlFrame,
  type FrameBuffers,
  frameKind,
  sealFrame,
  segmentHeaderBytes,
} from "./segment-format.ts";
import { SegmentContent, readIndex, writeIndex } from "./segment-index.ts";
import { createSegment, indexPath, type Segment, segmentPath, segmentStart, type StreamIdentity } from "./segment.ts";
import type { EmbeddedLogSettings } from "./settings.ts";
import { TailCache } from "./tail-cache.ts";

/** What a stream's frames mean: the part that differs between record partitions and the journal. */
export interface StreamContent<Frame> {
  /** What must be known at the start of a new segment, as JSON; counts what lies below `durable` only. */
  snapshot(durable: number): unknown;
  restore(state: unknown): void;
  /** Recovery: a frame of the last segment, in order. */
  replay(bytes: Buffer, at: number): void;
  /** Recovery: rows of closed segments, oldest first. */
  recall(rows: Buffer): void;
  /** What the index keeps of a frame. */
  row(bytes: Buffer, at: number): Uint8Array | undefined;
  /** The offset behind a frame. */
  next(bytes: Buffer, at: number): number;
  decode(bytes: Buffer, at: number): Frame;
  /** Nothing at or behind this offset became durable. */
  rollBack(durable: number): void;
}

export interface OutgoingFrame<Frame> {
  readonly buffers: FrameBuffers;
  readonly first: number;
  readonly next: number;
  readonly timestampMs: number;
  readonly row: Uint8Array | undefined;
  readonly frame: Frame;
  /** Called once, when durable or failed, before anything becomes visible. */
  settled?(durable: boolean): void;
  resolve(): void;
  reject(error: RdgError): void;
}

export interface StreamParts {
  readonly fileSystem: FileSystem;
  readonly settings: EmbeddedLogSettings;
  readonly clock: Clock;
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
  /** In order; the last is the one being written. */
  segments: readonly Segment[];
  /** Offset of the next frame to be appended; below `durable`: synced; below `visible`: shown to readers. */
  next: number;
  durable: number;
  visible: number;
  readonly #parts: StreamParts;
  readonly #segmentBytesMax: () => number;
  readonly #segmentMsMax: () => number;
  readonly #listeners = new Set<() => void>();
  #file: File | undefined;
  #pending: OutgoingFrame<Frame>[] = [];
  #pendingBytes = 0;
  /** Being written. */
  #group: OutgoingFrame<Frame>[] = [];
  /** Durable, but not visible yet. */
  #held: OutgoingFrame<Frame>[] = [];
  #waiters: Waiter[] = [];
  #running: Promise<void> | undefined;
  #rollWanted = false;
  #sealing: Promise<void> = Promise.resolve();
  #failure: Failure | undefined;
  #closed = false;
  #framesWritten = 0;
  #bytesWritten = 0;
  #syncs = 0;

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
    this.segments = options.segments;
    this.tail = new TailCache(options.tailBytesMax);
    this.#segmentBytesMax = options.segmentBytesMax;
    this.#segmentMsMax = options.segmentMsMax;
    this.next = this.durable = this.visible = this.current.content.next;
  }

  get current(): Segment {
    return this.segments.at(-1)!;
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
    this.segments = this.segments.slice(1);
    this.tail.dropBefore(this.firstOffset);
  }

  /** Compaction: one segment stands for several closed ones. */
  replaceRange(index: number, count: number, by: Segment): void {
    this.segments = [...this.segments.slice(0, index), by, ...this.segments.slice(index + count)];
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
    return {
      segments: this.segments.length,
      sizeBytes: this.sizeBytes,
      firstOffset: this.firstOffset,
      nextOffset: this.visible,
      queuedBytes: this.#pendingBytes,
      readers: this.cursors.size,
      tailBytes: this.tail.bytes,
      framesWritten: this.#framesWritten,
      bytesWritten: this.#bytesWritten,
      syncs: this.#syncs,
      failure: this.#failure?.error.message,
    };
  }

  /** Finishes what was appended, marks the file as closed in order and ends all readers. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#listeners) listener();
    await this.idle();
    await this.#sealing;
    try {
      if (this.#file !== undefined && this.#failure === undefined) await this.#writeClosed(this.#file);
    } finally {
      await this.#file?.close();
      this.#file = undefined;
    }
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
        const file = await this.#writable();
        this.#group = this.#takeGroup();
        if (this.#group.length === 0) continue;
        const bytes = await this.#write(file, this.#group);
        syncing = true;
        await file.sync();
        this.#complete(bytes);
      } catch (error) {
        await this.#fail(error, syncing);
      }
    }
  }

  /** The file to append to: repaired, and a new segment when the current one is full. */
  async #writable(): Promise<File> {
    if (this.#failure !== undefined) await this.#repair(this.#failure);
    const { current } = this;
    const full = current.content.frames > 0 && (current.bytes >= this.#segmentBytesMax() || this.#isOld(current));
    if (full) await this.#roll();
    this.#rollWanted = false;
    return (this.#file ??= await this.fileSystem.open(this.current.path, "write"));
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

  async #write(file: File, group: readonly OutgoingFrame<Frame>[]): Promise<number> {
    const { salt } = this.current.header;
    const buffers: Uint8Array[] = [];
    for (const { buffers: frame } of group) {
      sealFrame(frame, this.durable, salt);
      buffers.push(frame.head, ...frame.rest);
    }
    return await writeWhole(file, buffers, this.current.bytes);
  }

  #complete(bytes: number): void {
    const group = this.#group;
    this.#group = [];
    this.#syncs++;
    const segment = this.current;
    let position = segment.bytes;
    for (const outgoing of group) {
      const { first, next, timestampMs, row } = outgoing;
      segment.content.add({ offset: first, next, timestampMs, position, row });
      position += outgoing.buffers.length;
      this.#pendingBytes -= outgoing.buffers.length;
      this.#held.push(outgoing);
    }
    segment.bytes += bytes;
    this.durable = group.at(-1)!.next;
    this.#framesWritten += group.length;
    this.#bytesWritten += bytes;
    for (const outgoing of group) outgoing.settled?.(true);
    this.publish();
  }

  async #fail(cause: unknown, syncFailed: boolean): Promise<void> {
    const { retryAfterMs } = this.settings;
    const error = writeFailed(cause, this.current.path, syncFailed, retryAfterMs);
    const suspect = syncFailed || this.#failure?.suspect === true;
    this.#failure = { error, suspect, untilMs: this.#parts.clock.monotonicMs() + retryAfterMs };
    this.#rollWanted = false;
    const lost = [...this.#group, ...this.#pending];
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
    // At once, so that a crash finds as little as possible of what was rejected; `#repair` makes sure.
    await this.#file?.truncate(this.current.bytes).catch(() => undefined);
  }

  /** Cuts the file back to what is durable and, when that is in doubt, reads it again. */
  async #repair(failure: Failure): Promise<void> {
    const { path, bytes, header } = this.current;
    await this.#file?.close().catch(() => undefined);
    this.#file = undefined;
    const file = await this.fileSystem.open(path, "write");
    try {
      await file.truncate(bytes);
      await file.sync();
      if (failure.suspect) {
        const range = {
          salt: header.salt,
          from: segmentHeaderBytes,
          end: bytes,
          chunkBytes: this.settings.readChunkBytes,
        };
        const scanner = new FrameScanner(file, range);
        let found = await scanner.next();
        while (found === "frame") found = await scanner.next();
        if (found === "damaged") throw damaged(path, scanner.position, scanner.reason);
      }
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    this.#file = file;
    this.#failure = undefined;
  }

  async #roll(): Promise<void> {
    const closing = this.current;
    const header = {
      kind: this.identity.kind,
      partition: this.identity.partition,
      base: this.durable,
      createdMs: closing.content.lastMs,
      coversTo: 0,
      salt: this.#parts.random.below(2 ** 32),
    };
    const state: unknown = JSON.parse(JSON.stringify(this.content.snapshot(this.durable)));
    const start = segmentStart(this.identity, header, state);
    const path = segmentPath(this.identity.folder, header.base);
    const file = await createSegment(this.fileSystem, this.identity.folder, path, start);
    const old = this.#file;
    this.#file = file;
    const content = new SegmentContent(header.base, header.createdMs);
    this.segments = [...this.segments, { path, header, bytes: start.length, state, content }];
    this.#sealing = this.#sealing.then(() => this.#seal(closing, old));
  }

  /** Writes the index of a closed segment; without one it would be made at the next start. */
  async #seal(segment: Segment, file: File | undefined): Promise<void> {
    await file?.close().catch(() => undefined);
    await writeIndex(this.fileSystem, indexPath(segment.path), segment.content.encode(segment.bytes)).then(
      () => segment.content.forgetDetail(),
      () => undefined,
    );
  }

  async #writeClosed(file: File): Promise<void> {
    const frame = encodeControlFrame({
      kind: frameKind.closed,
      offset: this.durable,
      timestampMs: this.current.content.lastMs,
      body: Buffer.alloc(0),
    });
    sealFrame(frame, this.durable, this.current.header.salt);
    await writeWhole(file, [frame.head], this.current.bytes);
    await file.sync();
  }
}
