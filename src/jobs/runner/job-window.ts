// The open window of a job: merged updates and quarantined records, with the bounds in time, elements and bytes at which it is to be published.
import type { Timers } from "../../core/clock.ts";
import type { JobTransaction, RecordFrame } from "../../log/port.ts";
import type { GraphModel, JobSettings } from "../../model/definition.ts";
import type { UpdateSink } from "../../model/update/sink.ts";
import { createMergeWindow, type MergeWindow } from "../operators/merge-window.ts";
import type { Counts } from "./job-counters.ts";
import { QuarantinedRecords } from "./quarantined-records.ts";

const quarantinedBytesMax = 4_000_000;

export interface JobWindowOptions {
  readonly event: string;
  readonly model: GraphModel;
  readonly settings: JobSettings;
  readonly timers: Timers;
  /** The window's time is over. */
  readonly onDue: () => void;
}

export class JobWindow {
  isDue = false;
  readonly #options: JobWindowOptions;
  readonly #merged: MergeWindow;
  readonly #quarantined: QuarantinedRecords;
  #events = 0;
  #emitted = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(options: JobWindowOptions) {
    this.#options = options;
    this.#merged = createMergeWindow(options.model);
    this.#quarantined = new QuarantinedRecords(options.event);
  }

  get sink(): UpdateSink {
    return this.#merged.sink;
  }
  get keyCount(): number {
    return this.#merged.keyCount;
  }
  get sizeBytes(): number {
    return this.#merged.sizeBytes + this.#quarantined.sizeBytes;
  }
  /** No event since it was taken. */
  get isEmpty(): boolean {
    return this.#events === 0;
  }
  get isFull(): boolean {
    const { windowKeysMax, windowBytesMax } = this.#options.settings;
    return (
      this.#merged.keyCount >= windowKeysMax ||
      this.#merged.sizeBytes >= windowBytesMax ||
      this.#quarantined.sizeBytes >= quarantinedBytesMax
    );
  }

  /** Counts an event and the updates that it emitted; the first one sets the clock running. */
  count(emitted: number): void {
    this.#emitted += emitted;
    if (this.#events++ > 0) return;
    this.#cancelTimer = this.#options.timers.after(this.#options.settings.windowMs, () => {
      this.isDue = true;
      this.#options.onDue();
    });
  }

  quarantine(frame: RecordFrame, i: number, offset: number, result: number, message: string): void {
    this.#quarantined.add(frame, i, offset, result, message);
  }

  /** The window's content, counted as merged and published (in partition `home`); the window starts afresh. */
  take(counts: Counts, home: number): Pick<JobTransaction, "updates" | "quarantined"> {
    this.close();
    this.#merged.countEvents(this.#events);
    this.#events = 0;
    const merged = this.#merged.mergedCount;
    counts.merged[home]! += merged;
    counts.published[home]! += this.#emitted - merged;
    this.#emitted = 0;
    return { updates: this.#merged.take(), quarantined: this.#quarantined.take() };
  }

  /** Stops the clock. */
  close(): void {
    this.isDue = false;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
