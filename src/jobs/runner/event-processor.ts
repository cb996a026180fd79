// Takes the events of a frame through a job's compiled plan into its window, and counts what became of each. Hot path: runs per event.
import { describeError } from "../../core/errors.ts";
import type { RecordFrame } from "../../log/port.ts";
import type { EventSource } from "../../model/definition.ts";
import type { EventDedup } from "../operators/event-dedup.ts";
import type { CompiledJob } from "../plan/compiled-job.ts";
import { duplicate, filtered, malformedRecord, mapped } from "../plan/result.ts";
import { framingBytes, schemaIdAt, type Convert, type FindConversion } from "./framing.ts";
import type { Counts } from "./job-counters.ts";
import type { JobWindow } from "./job-window.ts";

export interface EventProcessorOptions {
  readonly job: CompiledJob;
  readonly window: JobWindow;
  /** Id of the event's own schema; records of other ids are converted. Undefined: all of them are. */
  readonly schemaId: number | undefined;
  readonly conversion: FindConversion;
  /** Whose records they are, if not RDG's own. */
  readonly source?: EventSource | undefined;
  /** Whether gaps between offsets say nothing. */
  readonly sparse?: boolean | undefined;
}

/** What stands for a schema where records have none: ids of registries begin with 1. */
const noSchema = 0;
/** Conversions that are kept: damaged records may name any id. */
const conversionsMax = 1_000;

/** The window's fullness is looked at once in so many records. */
const fullnessMask = 63;

export class EventProcessor {
  /** Set before the first event. */
  counts!: Counts;
  dedup: EventDedup | undefined;
  readonly #options: EventProcessorOptions;
  readonly #conversions = new Map<number, Convert>();
  /** Before the value of a record. */
  readonly #headBytes: number;
  /** Why the last record could not be converted. */
  #cause: unknown;

  constructor(options: EventProcessorOptions) {
    this.#options = options;
    this.#headBytes = options.source?.values === "json" ? 0 : framingBytes;
  }

  /**
   * Processes records of the frame from the `first` on, those behind `consumed` offsets, until the window is full or a record needs a conversion that is not
   * loaded. Returns the index at which it stopped.
   */
  process(frame: RecordFrame, first: number, consumed: number): number {
    const { bytes, starts } = frame.values;
    const { schemaId: ownId, window } = this.#options;
    const { partition } = frame;
    if (frame.firstOffset > consumed + 1) this.#countExpired(partition, frame.firstOffset - consumed - 1);
    let i = first;
    for (; i < frame.count; i++) {
      const offset = offsetOf(frame, i);
      if (offset <= consumed) continue;
      const start = starts[i]!;
      const end = starts[i + 1]!;
      const schemaId = this.#schemaIdAt(bytes, start, end);
      let result: number;
      // A record without a value is no event: in a team's own topic it removes a key.
      if (frame.nulls?.[i] === 1) result = filtered;
      else if (schemaId === ownId) result = this.#run(partition, bytes, start + framingBytes, end, frame.timestampMs);
      else if (schemaId < 0) result = malformedRecord;
      else if (this.#conversions.has(schemaId)) result = this.#runForeign(frame, i);
      else break;
      this.#count(result, frame, i, offset);
      if ((i & fullnessMask) === fullnessMask && window.isFull) return i + 1;
    }
    return i;
  }

  /** Loads what record `i` needs. A schema that cannot be resolved is remembered as such; a registry that cannot say now rejects. */
  async prepare(frame: RecordFrame, i: number): Promise<void> {
    const schemaId = this.#schemaIdOf(frame, i);
    if (this.#conversions.size >= conversionsMax) this.#conversions.clear();
    this.#conversions.set(schemaId, await this.#options.conversion(schemaId));
  }

  /** Takes the id of an event that was processed before this attempt as seen. */
  async remember(frame: RecordFrame, i: number, dedup: EventDedup): Promise<void> {
    const schemaId = this.#schemaIdOf(frame, i);
    if (schemaId < 0 || frame.nulls?.[i] === 1) return;
    const { job } = this.#options;
    let { bytes } = frame.values;
    let start = frame.values.starts[i]! + this.#headBytes;
    let end = frame.values.starts[i + 1]!;
    if (schemaId !== this.#options.schemaId) {
      if (!this.#conversions.has(schemaId)) await this.prepare(frame, i);
      const converted = this.#converted(frame, i);
      if (converted === undefined) return;
      [bytes, start, end] = [converted, 0, converted.length];
    }
    if (job.read(bytes, start, end, frame.timestampMs) !== mapped || job.found.idStart < 0) return;
    dedup.isRepeat(frame.partition, bytes, job.found.idStart, job.found.idEnd, frame.timestampMs);
  }

  /** The record as the event's own schema writes it; undefined when it cannot be read. */
  #converted(frame: RecordFrame, i: number): Uint8Array | undefined {
    const { bytes, starts } = frame.values;
    const convert = this.#conversions.get(this.#schemaIdOf(frame, i));
    try {
      return convert?.(bytes.subarray(starts[i]! + this.#headBytes, starts[i + 1]));
    } catch (error) {
      this.#cause = error;
      return undefined;
    }
  }

  #run(partition: number, bytes: Uint8Array, start: number, end: number, receivedMs: number): number {
    const { job, window } = this.#options;
    const read = job.read(bytes, start, end, receivedMs);
    if (read !== mapped) return read;
    const { dedup } = this;
    if (dedup !== undefined && job.found.idStart >= 0) {
      if (dedup.isRepeat(partition, bytes, job.found.idStart, job.found.idEnd, receivedMs)) return duplicate;
    }
    return job.emit(window.sink);
  }

  #runForeign(frame: RecordFrame, i: number): number {
    const record = this.#converted(frame, i);
    if (record === undefined) return malformedRecord;
    return this.#run(frame.partition, record, 0, record.length, frame.timestampMs);
  }

  /** Where only retention makes gaps, they are what no job had come to yet. Of the topics of others nothing is known. */
  #countExpired(partition: number, count: number): void {
    if (this.#options.source !== undefined || this.#options.sparse === true) return;
    this.counts.received[partition]! += count;
    this.counts.expired[partition]! += count;
  }

  #count(result: number, frame: RecordFrame, i: number, offset: number): void {
    const { counts } = this;
    const { partition } = frame;
    const { job, window } = this.#options;
    window.count(result === mapped ? job.counts.emitted : 0);
    counts.received[partition]!++;
    if (result === mapped) {
      counts.mapped[partition]!++;
      counts.emitted[partition]! += job.counts.emitted;
      counts.skipped[partition]! += job.counts.skipped;
    } else if (result === filtered) counts.filtered[partition]!++;
    else if (result === duplicate) counts.deduplicated[partition]!++;
    else {
      counts.quarantined[partition]!++;
      window.quarantine(frame, i, offset, result, this.#explain(result, frame, i));
    }
    job.counts.emitted = 0;
    job.counts.skipped = 0;
  }

  #explain(result: number, frame: RecordFrame, i: number): string {
    const schemaId = this.#schemaIdOf(frame, i);
    const { schemaId: ownId, job, source } = this.#options;
    if (schemaId < 0) return "The record is not framed: it does not begin with 0 and a schema id.";
    const cause = this.#cause;
    this.#cause = undefined;
    if (schemaId === ownId || result !== malformedRecord || cause === undefined) return job.explain(result);
    const written = source?.values === "json" ? "" : `, written with schema ${schemaId},`;
    return `The record${written} cannot be read as the event: ${describeError(cause)}`;
  }

  #schemaIdAt(bytes: Uint8Array, start: number, end: number): number {
    return this.#headBytes === 0 ? noSchema : schemaIdAt(bytes, start, end);
  }

  #schemaIdOf(frame: RecordFrame, i: number): number {
    return this.#schemaIdAt(frame.values.bytes, frame.values.starts[i]!, frame.values.starts[i + 1]!);
  }
}

export function offsetOf(frame: RecordFrame, i: number): number {
  return frame.firstOffset + (frame.offsets === undefined ? i : frame.offsets[i]!);
}
