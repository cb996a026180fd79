// One run of a job over the partitions that are its turn, from their last committed transactions until it is told to finish, other partitions are its turn,
// or it fails: reads frames, publishes windows.
import type { Clock, Timers } from "../../core/clock.ts";
import { Wake } from "../../core/wake.ts";
import type { JobAssignment, JobTransaction, JobWorker, Log, RecordFrame } from "../../log/port.ts";
import type { EventModel, GraphModel, JobModel } from "../../model/definition.ts";
import type { Position } from "../../model/position.ts";
import { createEventDedup, type EventDedup } from "../operators/event-dedup.ts";
import type { CompiledJob } from "../plan/compiled-job.ts";
import { consumedEvents } from "./consumed-events.ts";
import { EventProcessor, offsetOf } from "./event-processor.ts";
import type { FindConversion } from "./framing.ts";
import { countsFrom, snapshotOf, type Counts } from "./job-counters.ts";
import { JobWindow } from "./job-window.ts";
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
  /** Id of the event's own schema; records of other ids are converted. Undefined: all of them are. */
  readonly schemaId: number | undefined;
  readonly conversion: FindConversion;
  readonly downstream: Downstream;
  /** What a window adds to type topics that are published; missing where there are none. */
  readonly publish?: (packed: Uint8Array) => JobTransaction["published"];
}

/** Transactions of a job that may be under way at once. */
export const inFlightMax = 4;

export class JobAttempt {
  /** Ended because other partitions are this worker's turn: another attempt goes on with those. */
  isReassigned = false;
  counts: Counts;
  /** No event that is still to be committed, by this attempt or a later one, was received before. */
  neededMs = -Infinity;
  readonly #parts: JobParts;
  readonly #worker: JobWorker;
  readonly #onRunning: () => void;
  readonly #topic: string;
  readonly #sides: readonly string[];
  readonly #window: JobWindow;
  readonly #processor: EventProcessor;
  readonly #wake = new Wake();
  readonly #closing = new AbortController();
  readonly #finishing = new AbortController();
  #assignment: JobAssignment | undefined;
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
  /** Offsets to reach before the attempt ends; undefined while it is to go on. */
  #target: readonly number[] | undefined;
  #throttled = false;
  #finished: Promise<void> | undefined;

  constructor(parts: JobParts, worker: JobWorker, onRunning: () => void) {
    this.#parts = parts;
    this.#worker = worker;
    this.#onRunning = onRunning;
    this.#topic = `events.${parts.event.name}`;
    this.#sides = [...new Set(parts.job.steps.flatMap((step) => (step.kind === "enrich" ? [step.input] : [])))];
    const { model, timers, schemaId, conversion } = parts;
    const { settings } = parts.job;
    this.#window = new JobWindow({ event: parts.event.name, model, settings, timers, onDue: () => this.#wake.ring() });
    this.#processor = new EventProcessor({
      job: parts.compile(),
      window: this.#window,
      schemaId,
      conversion,
      source: parts.event.source,
      sparse: parts.log.sparse,
    });
    this.counts = countsFrom({}, parts.event.partitions);
  }

  /** Undefined until it is known where to go on from. */
  get knownCounts(): Counts | undefined {
    return this.#assignment === undefined ? undefined : this.counts;
  }
  /** Undefined until it is known which ones are this worker's turn. */
  get partitions(): readonly number[] | undefined {
    return this.#assignment?.partitions;
  }
  get windowKeys(): number {
    return this.#window.keyCount;
  }
  get windowBytes(): number {
    return this.#window.sizeBytes;
  }
  /** Event ids that are remembered, where the event has one. */
  get dedupIds(): { readonly count: number; readonly countMax: number } | undefined {
    const all = [this.#processor.dedup ?? []].flat();
    if (all.length === 0) return undefined;
    const sum = (pick: (dedup: EventDedup) => number): number => all.reduce((total, each) => total + pick(each), 0);
    return { count: sum(({ idCount }) => idCount), countMax: sum(({ idCountMax }) => idCountMax) };
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
      this.#window.close();
      this.#closing.abort();
      await this.#assignment?.close();
    }
  }

  /** Ends the attempt: when everything now in the topic is published, or when the open window is. */
  async finish(how: "drain" | "now"): Promise<void> {
    const bounds = how === "drain" ? await this.#parts.log.bounds(this.#topic) : [];
    const target: number[] = [];
    for (const { partition, first, next } of bounds) {
      if (this.partitions?.includes(partition) === true) target[partition] = first === next ? -1 : next - 1;
    }
    this.#target = target;
    this.#finishing.abort();
    this.#wake.ring();
    await this.#finished?.catch(() => undefined);
  }

  async #run(): Promise<void> {
    const assignment = await this.#assigned();
    if (assignment === undefined) return;
    this.#assignment = assignment;
    const partitions = Math.max(this.#parts.event.partitions, assignment.partitions.at(-1)! + 1);
    this.counts = countsFrom(assignment.counters, partitions);
    this.#processor.counts = this.counts;
    this.#consumed = Array.from({ length: partitions }, () => -1);
    this.#receivedMs = this.#consumed.map(() => -Infinity);
    for (const { partition, offset } of assignment.committed) this.#consumed[partition] = offset;
    this.#published = [...this.#consumed];
    if (this.#parts.log.sparse === true) await this.#passExpired(assignment.partitions);
    this.#endWith(assignment.ending);
    await this.#rebuildDedup(assignment.partitions);
    const frames = this.#read(assignment.partitions);
    this.#onRunning();
    this.#ask(frames);
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const frame = this.#arrived;
      if (this.#window.isDue && this.#inFlight < inFlightMax) {
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

  /** Where gaps say nothing, the first kept record tells what retention has removed. */
  async #passExpired(partitions: readonly number[]): Promise<void> {
    if (this.#parts.event.source !== undefined) return;
    for (const { partition, first } of await this.#parts.log.bounds(this.#topic)) {
      const count = first - this.#consumed[partition]! - 1;
      if (!partitions.includes(partition) || count <= 0) continue;
      this.counts.received[partition]! += count;
      this.counts.expired[partition]! += count;
      this.#consumed[partition] = first - 1;
    }
  }

  /** Undefined when the attempt is to finish before there is anything to do. */
  async #assigned(): Promise<JobAssignment | undefined> {
    try {
      return await this.#worker.assignment(this.#finishing.signal);
    } catch (error) {
      if (this.#finishing.signal.aborted) return undefined;
      throw error;
    }
  }

  #endWith(ending: AbortSignal): void {
    const end = (): void => {
      this.isReassigned = true;
      this.#target = [];
      this.#wake.ring();
    };
    if (ending.aborted) end();
    else ending.addEventListener("abort", end, { once: true, signal: this.#closing.signal });
  }

  #read(partitions: readonly number[]): AsyncIterator<RecordFrame> {
    const from = partitions.map((partition): Position => {
      return { topic: this.#topic, partition, offset: this.#consumed[partition]! + 1 };
    });
    const options = { topics: [this.#topic], partitions, from, signal: this.#closing.signal };
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
      const next = this.#processor.process(frame, i, this.#consumed[frame.partition]!);
      if (next > i)
        this.#consumed[frame.partition] = Math.max(this.#consumed[frame.partition]!, offsetOf(frame, next - 1));
      if (this.#window.isFull) await this.#publish();
      else if (next < frame.count) await this.#processor.prepare(frame, next);
      i = next;
    }
  }

  /** Publishes the window, if it holds anything, and waits only while too many transactions are under way. */
  async #publish(): Promise<void> {
    this.#window.close();
    if (this.#window.isEmpty) return;
    while (this.#inFlight >= inFlightMax && this.#failure === undefined) await this.#wake.wait();
    if (this.#failure !== undefined) return;
    const content = this.#window.take(this.counts, this.#assignment!.partitions[0]!);
    this.#inFlight++;
    const [consumed, receivedMs] = [[...this.#consumed], [...this.#receivedMs]];
    const published = content.updates && this.#parts.publish?.(content.updates);
    const transaction = published === undefined ? content : { ...content, published };
    this.#assignment!.commit({ ...transaction, inputs: this.#positions(), counters: snapshotOf(this.counts) }).then(
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
    const needed = this.#assignment!.partitions.map((partition) =>
      consumed[partition]! + 1 >= (settled.next[partition] ?? 0) ? settled.timestampMs : receivedMs[partition]!,
    );
    this.neededMs = Math.max(this.neededMs, Math.min(...needed));
  }

  async #rebuildDedup(partitions: readonly number[]): Promise<void> {
    const { event, log, clock } = this.#parts;
    if (event.id === undefined) return;
    const dedup = createEventDedup(event.dedupHorizonMs, this.#consumed.length);
    this.#processor.dedup = dedup;
    const { earlier = [] } = (await log.topics()).find(({ name }) => name === this.#topic) ?? {};
    const consumed = consumedEvents({
      log,
      clock,
      event,
      partitions,
      consumed: this.#consumed,
      earlier,
      signal: this.#closing.signal,
    });
    for await (const frame of consumed) {
      // What is not known yet is read by whoever is next.
      if (this.isReassigned) return;
      for (let i = 0; i < frame.count; i++) await this.#processor.remember(frame, i, dedup);
    }
  }
}
