// One run of a job from its last committed transaction until it is told to finish or fails. Hot path: `#processFrame` runs per event.
import type { Clock, Timers } from "../../core/clock.ts";
import { Wake } from "../../core/wake.ts";
import type { JobOutput, Log, RecordFrame } from "../../log/port.ts";
import type { EventModel, GraphModel, JobModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import { createEventDedup, type EventDedup } from "../operators/event-dedup.ts";
import { createMergeWindow, type MergeWindow } from "../operators/merge-window.ts";
import type { CompiledJob } from "../plan/compiled-job.ts";
import { duplicate, filtered, malformedRecord, mapped } from "../plan/result.ts";
import { consumedEvents } from "./consumed-events.ts";
import { framingBytes, schemaIdAt, type Convert, type FindConversion } from "./framing.ts";
import { countsFrom, snapshotOf, type Counts } from "./job-counters.ts";
import { QuarantinedRecords } from "./quarantined-records.ts";
import type { SideInputs } from "./side-inputs.ts";

/** Whoever applies what jobs publish: it slows them down when it falls behind. */
export interface Downstream {
  /** The transaction with this offset is durable. */
  published(offset: number): void;
  /** Resolves when there is room for more; undefined when there is. */
  throttle(): Promise<void> | undefined;
}

/** What an attempt needs and does not own. */
export interface JobParts {
  readonly log: Log;
  readonly model: GraphModel;
  readonly event: EventModel;
  readonly job: JobModel;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly sideInputs: SideInputs;
  readonly compile: () => CompiledJob;
  /** Id of the event's own schema; records of other ids are converted. */
  readonly schemaId: number;
  readonly conversion: FindConversion;
  readonly downstream: Downstream;
}

/** Transactions that may be under way at once. */
const inFlightMax = 4;
/** The window's fullness is looked at once in so many records. */
const fullnessMask = 63;
const quarantinedBytesMax = 4_000_000;

export class JobAttempt {
  counts: Counts;
  /** No event that is still to be committed, by this attempt or a later one, was received before. */
  neededMs = -Infinity;
  readonly #parts: JobParts;
  readonly #onRunning: () => void;
  readonly #topic: string;
  readonly #sides: readonly string[];
  readonly #job: CompiledJob;
  readonly #window: MergeWindow;
  readonly #quarantined: QuarantinedRecords;
  readonly #conversions = new Map<number, Convert | undefined>();
  readonly #wake = new Wake();
  readonly #closing = new AbortController();
  #dedup: EventDedup | undefined;
  #output: JobOutput | undefined;
  /** Last consumed offset by partition; -1 before the first. */
  #consumed: number[] = [];
  /** Last offset by partition whose transaction is committed. */
  #published: readonly number[] = [];
  /** Time of receipt of the last frame that was processed, by partition. */
  #receivedMs: number[] = [];
  #arrived: RecordFrame | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #inFlight = 0;
  #windowEvents = 0;
  #windowEmitted = 0;
  #windowDue = false;
  #cancelTimer: (() => void) | undefined;
  /** Offsets to reach before the attempt ends; undefined while it is to go on. */
  #target: readonly number[] | undefined;
  #throttled = false;
  #finished: Promise<void> | undefined;

  constructor(parts: JobParts, onRunning: () => void) {
    this.#parts = parts;
    this.#onRunning = onRunning;
    this.#topic = `events.${parts.event.name}`;
    this.#sides = [...new Set(parts.job.steps.flatMap((step) => (step.kind === "enrich" ? [step.input] : [])))];
    this.#job = parts.compile();
    this.#window = createMergeWindow(parts.model);
    this.#quarantined = new QuarantinedRecords(parts.event.name);
    this.counts = countsFrom({}, parts.event.partitions);
  }

  get windowKeys(): number {
    return this.#window.keyCount;
  }
  get windowBytes(): number {
    return this.#window.sizeBytes + this.#quarantined.sizeBytes;
  }
  /** The offset behind what is published. */
  nextOffset(partition: number): number {
    return (this.#published[partition] ?? -1) + 1;
  }

  /** Resolves when the attempt has finished as told; rejects when it fails. */
  run(): Promise<void> {
    this.#finished ??= this.#runAndClose();
    return this.#finished;
  }

  async #runAndClose(): Promise<void> {
    try {
      await this.#run();
    } finally {
      this.#cancelTimer?.();
      this.#closing.abort();
      await this.#output?.close();
    }
  }

  /** Ends the attempt: when everything now in the topic is published, or when the open window is. */
  async finish(how: "drain" | "now"): Promise<void> {
    const bounds = how === "drain" ? await this.#parts.log.bounds(this.#topic) : [];
    const target: number[] = [];
    for (const { partition, first, next } of bounds) target[partition] = first === next ? -1 : next - 1;
    this.#target = target;
    this.#wake.ring();
    await this.#finished?.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const output = await this.#parts.log.jobOutput(this.#parts.event.name);
    this.#output = output;
    const { partitions } = this.#parts.event;
    this.counts = countsFrom(output.counters, partitions);
    this.#consumed = Array.from({ length: partitions }, () => -1);
    this.#receivedMs = this.#consumed.map(() => -Infinity);
    for (const { partition, offset } of output.committed) this.#consumed[partition] = offset;
    this.#published = [...this.#consumed];
    await this.#rebuildDedup();
    const frames = this.#readFrom(this.#consumed.map((offset) => offset + 1));
    this.#onRunning();
    this.#ask(frames);
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const frame = this.#arrived;
      if (this.#windowDue && this.#inFlight < inFlightMax) {
        await this.#publish();
      } else if (frame !== undefined && this.#wants(frame.partition) && !this.#isThrottled()) {
        this.#arrived = undefined;
        await this.#processFrame(frame);
        this.#ask(frames);
      } else if (this.#ended || this.#reachedTarget()) {
        await this.#publish();
        if (this.#inFlight === 0) return;
        await this.#wake.wait();
      } else if (frame !== undefined && !this.#wants(frame.partition)) {
        // It came after the end was told; another partition is still to reach its own.
        this.#arrived = undefined;
        this.#ask(frames);
      } else {
        await this.#wake.wait();
      }
    }
  }

  #readFrom(next: readonly number[]): AsyncIterator<RecordFrame> {
    const from = next.map((offset, partition): Position => ({ topic: this.#topic, partition, offset }));
    const options = { topics: [this.#topic], from, signal: this.#closing.signal };
    return this.#parts.log.read(options)[Symbol.asyncIterator]();
  }

  #ask(frames: AsyncIterator<RecordFrame>): void {
    frames.next().then(
      (result) => {
        if (result.done === true) this.#ended = true;
        else this.#arrived = result.value;
        this.#wake.ring();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake.ring();
  }

  #wants(partition: number): boolean {
    return this.#target === undefined || this.#consumed[partition]! < (this.#target[partition] ?? -1);
  }

  #reachedTarget(): boolean {
    return this.#target?.every((offset, partition) => this.#consumed[partition]! >= offset) ?? false;
  }

  /** Whether downstream asks to wait. What is to end does not: the log holds what the store does not take. */
  #isThrottled(): boolean {
    if (this.#target !== undefined) return false;
    if (this.#throttled) return true;
    const room = this.#parts.downstream.throttle();
    if (room === undefined) return false;
    this.#throttled = true;
    void room.then(() => {
      this.#throttled = false;
      this.#wake.ring();
    });
    return true;
  }

  async #processFrame(frame: RecordFrame): Promise<void> {
    if (this.#sides.length > 0) await this.#parts.sideInputs.readThrough(this.#sides, frame.timestampMs);
    this.#receivedMs[frame.partition] = frame.timestampMs;
    for (let i = 0; i < frame.count && this.#failure === undefined;) {
      i = this.#processRecords(frame, i);
      if (i < frame.count && !this.#isFull()) await this.#loadConversion(schemaIdOf(frame, i));
      if (this.#isFull()) await this.#publish();
    }
  }

  #isFull(): boolean {
    const { windowKeysMax, windowBytesMax } = this.#parts.job.settings;
    return (
      this.#window.keyCount >= windowKeysMax ||
      this.#window.sizeBytes >= windowBytesMax ||
      this.#quarantined.sizeBytes >= quarantinedBytesMax
    );
  }

  /** Processes records from `first` on; returns the index at which it had to stop: the window is full, or a conversion must be loaded. */
  #processRecords(frame: RecordFrame, first: number): number {
    const { bytes, starts } = frame.values;
    const partition = frame.partition;
    const consumed = this.#consumed[partition]!;
    let i = first;
    for (; i < frame.count; i++) {
      const offset = frame.firstOffset + (frame.offsets === undefined ? i : frame.offsets[i]!);
      if (offset <= consumed) continue;
      const start = starts[i]!;
      const end = starts[i + 1]!;
      const schemaId = schemaIdAt(bytes, start, end);
      let result: number;
      if (schemaId === this.#parts.schemaId)
        result = this.#process(bytes, start + framingBytes, end, frame.timestampMs);
      else if (schemaId < 0) result = malformedRecord;
      else if (this.#conversions.has(schemaId))
        result = this.#processForeign(schemaId, bytes, start, end, frame.timestampMs);
      else break;
      this.#count(result, frame, i, offset);
      this.#consumed[partition] = offset;
      if ((i & fullnessMask) === fullnessMask && this.#isFull()) return i + 1;
    }
    return i;
  }

  #process(bytes: Uint8Array, start: number, end: number, receivedMs: number): number {
    const job = this.#job;
    const read = job.read(bytes, start, end, receivedMs);
    if (read !== mapped) return read;
    const dedup = this.#dedup;
    if (dedup !== undefined && job.found.idStart >= 0) {
      if (dedup.isRepeat(bytes, job.found.idStart, job.found.idEnd, receivedMs)) return duplicate;
    }
    return job.emit(this.#window.sink);
  }

  #processForeign(schemaId: number, bytes: Uint8Array, start: number, end: number, receivedMs: number): number {
    const converted = this.#convert(schemaId, bytes, start + framingBytes, end);
    return converted === undefined ? malformedRecord : this.#process(converted, 0, converted.length, receivedMs);
  }

  /** The record `bytes[start, end)` as the event's own schema writes it; undefined when it cannot be read. */
  #convert(schemaId: number, bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    try {
      return this.#conversions.get(schemaId)?.(bytes.subarray(start, end));
    } catch {
      return undefined;
    }
  }

  #count(result: number, frame: RecordFrame, i: number, offset: number): void {
    const { counts } = this;
    const { partition } = frame;
    const job = this.#job;
    if (this.#windowEvents++ === 0) this.#openWindow();
    counts.received[partition]!++;
    if (result === mapped) {
      counts.mapped[partition]!++;
      counts.emitted[partition]! += job.counts.emitted;
      this.#windowEmitted += job.counts.emitted;
      counts.skipped[partition]! += job.counts.skipped;
    } else if (result === filtered) counts.filtered[partition]!++;
    else if (result === duplicate) counts.deduplicated[partition]!++;
    else {
      counts.quarantined[partition]!++;
      this.#quarantined.add(frame, i, offset, result, this.#explain(result, frame, i));
    }
    job.counts.emitted = 0;
    job.counts.skipped = 0;
  }

  #explain(result: number, frame: RecordFrame, i: number): string {
    const schemaId = schemaIdOf(frame, i);
    if (schemaId < 0) return "The record is not framed: it does not begin with 0 and a schema id.";
    if (schemaId === this.#parts.schemaId || result !== malformedRecord) return this.#job.explain(result);
    return `The record, written with schema ${schemaId}, cannot be read as the event's own schema.`;
  }

  /** A schema id that cannot be resolved is remembered as such for this attempt; a registry that cannot say now fails the attempt, which is made again. */
  async #loadConversion(schemaId: number): Promise<void> {
    this.#conversions.set(schemaId, await this.#parts.conversion(schemaId));
  }

  #openWindow(): void {
    this.#cancelTimer = this.#parts.timers.after(this.#parts.job.settings.windowMs, () => {
      this.#windowDue = true;
      this.#wake.ring();
    });
  }

  /** Publishes the window, if it holds anything, and waits only while too many transactions are under way. */
  async #publish(): Promise<void> {
    this.#windowDue = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#windowEvents === 0) return;
    while (this.#inFlight >= inFlightMax && this.#failure === undefined) await this.#wake.wait();
    if (this.#failure !== undefined) return;
    this.#window.countEvents(this.#windowEvents);
    this.#windowEvents = 0;
    const merged = this.#window.mergedCount;
    const updates = this.#window.take();
    this.counts.merged[0]! += merged;
    this.counts.published[0]! += this.#windowEmitted - merged;
    this.#windowEmitted = 0;
    this.#inFlight++;
    const [consumed, receivedMs] = [[...this.#consumed], [...this.#receivedMs]];
    this.#output!
      .commit({
        updates,
        quarantined: this.#quarantined.take(),
        inputs: this.#positions(),
        counters: snapshotOf(this.counts),
      })
      .then(
        ({ last }) => {
          this.#parts.downstream.published(last.offset);
          this.#published = consumed;
          this.#inFlight--;
          this.#wake.ring();
          if (this.#sides.length > 0) void this.#forgetBefore(consumed, receivedMs);
        },
        (error: unknown) => {
          this.#inFlight--;
          this.#fail(error);
        },
      );
  }

  #positions(): Position[] {
    return this.#consumed.flatMap((offset, partition) =>
      offset < 0 ? [] : [{ topic: this.#topic, partition, offset }],
    );
  }

  /** These positions are committed: rows of side inputs that only earlier events would ask for are needed no more. */
  async #forgetBefore(consumed: readonly number[], receivedMs: readonly number[]): Promise<void> {
    const settled = await this.#parts.log.settled(this.#topic).catch(() => undefined);
    if (settled === undefined) return;
    // A partition that is committed to its end says nothing about what comes, but that it comes later.
    const needed = consumed.map((offset, partition) =>
      offset + 1 >= (settled.next[partition] ?? 0) ? settled.timestampMs : receivedMs[partition]!,
    );
    this.neededMs = Math.max(this.neededMs, Math.min(...needed));
  }

  async #rebuildDedup(): Promise<void> {
    const { event, log, clock } = this.#parts;
    if (event.id === undefined) return;
    const dedup = createEventDedup(event.dedupHorizonMs);
    this.#dedup = dedup;
    const consumed = consumedEvents({ log, clock, event, consumed: this.#consumed, signal: this.#closing.signal });
    for await (const frame of consumed) {
      for (let i = 0; i < frame.count; i++) await this.#rememberId(frame, i, dedup);
    }
  }

  async #rememberId(frame: RecordFrame, i: number, dedup: EventDedup): Promise<void> {
    const schemaId = schemaIdOf(frame, i);
    let { bytes } = frame.values;
    let start = frame.values.starts[i]! + framingBytes;
    let end = frame.values.starts[i + 1]!;
    if (schemaId < 0) return;
    if (schemaId !== this.#parts.schemaId) {
      if (!this.#conversions.has(schemaId)) await this.#loadConversion(schemaId);
      const converted = this.#convert(schemaId, bytes, start, end);
      if (converted === undefined) return;
      [bytes, start, end] = [converted, 0, converted.length];
    }
    const job = this.#job;
    if (job.read(bytes, start, end, frame.timestampMs) !== mapped || job.found.idStart < 0) return;
    dedup.isRepeat(bytes, job.found.idStart, job.found.idEnd, frame.timestampMs);
  }
}

function schemaIdOf(frame: RecordFrame, i: number): number {
  return schemaIdAt(frame.values.bytes, frame.values.starts[i]!, frame.values.starts[i + 1]!);
}
