// Runs one job: reads its event topic, merges what the compiled plan emits in a window, and publishes each window with its input positions in one transaction.
//
// A failed transaction is not repaired: the attempt is thrown away and the next one goes on from the last committed transaction, so that what is published is
// a function of the log alone. Updates of a thrown-away window were never visible.
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError, describeError } from "../../core/errors.ts";
import { RateMeter } from "../../core/rate-meter.ts";
import type { JobWorker, Log, PartitionBounds } from "../../log/port.ts";
import type { EventModel, JobModel } from "../../model/definition.ts";
import { JobAttempt, type JobParts } from "./job-attempt.ts";
import { totalOf, type CounterName, type Counts } from "./job-counters.ts";

export interface JobRunnerOptions extends JobParts {
  readonly log: Log;
  readonly event: EventModel;
  readonly job: JobModel;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Called when an attempt failed and another will be made. */
  readonly onRetry: (event: string, error: unknown) => void;
}

export type JobState = "starting" | "running" | "paused" | "retrying" | "stopped";

export interface RunningJobStatus {
  readonly event: string;
  readonly state: JobState;
  readonly cause?: string;
  readonly lagRecords: number;
  readonly ratePerSecond: number;
  readonly counters: Readonly<Record<CounterName, readonly number[]>>;
  readonly window: {
    readonly keys: number;
    readonly keysMax: number;
    readonly bytes: number;
    readonly bytesMax: number;
  };
  /** Ids of events that are remembered to drop repeats; missing where the event has none. */
  readonly dedup?: { readonly count: number; readonly countMax: number };
}

const retryFirstMs = 100;
const retryMaxMs = 5000;

export class JobRunner {
  readonly #options: JobRunnerOptions;
  readonly #rate: RateMeter;
  readonly #stopped = new AbortController();
  /** No further attempt is made. */
  #isEnding = false;
  #worker: JobWorker | undefined;
  #state: JobState = "starting";
  #cause: string | undefined;
  #attempt: JobAttempt | undefined;
  /** Of the last attempt that knew them: an attempt that only begins does not tell of zeros. */
  #counts: Counts | undefined;
  #running: Promise<void> | undefined;
  #paused = false;

  constructor(options: JobRunnerOptions) {
    this.#options = options;
    this.#rate = new RateMeter(options.clock);
  }

  get event(): string {
    return this.#options.event.name;
  }

  /** The time of receipt before which this job will look up no side input any more. */
  get oldestNeededMs(): number {
    if (!this.#options.job.steps.some((step) => step.kind === "enrich")) return Infinity;
    return this.#attempt?.neededMs ?? -Infinity;
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Bytes of the event topic that are still to be processed, by the mean size of its records. */
  async lagBytes(): Promise<number> {
    const bounds = await this.#bounds();
    return bounds.reduce((sum, { partition, first, next, sizeBytes }) => {
      const behind = next - Math.max(first, this.#attempt?.nextOffset(partition) ?? first);
      return sum + (next > first ? (sizeBytes * behind) / (next - first) : 0);
    }, 0);
  }

  start(): void {
    if (this.#paused) this.#state = "paused";
    else this.#running ??= this.#run();
  }

  /** Publishes the open window and stops reading until `resume`. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#attempt?.finish("now");
    await this.#running;
    this.#running = undefined;
    this.#state = "paused";
  }

  resume(): void {
    this.#paused = false;
    this.start();
  }

  /** Stops: `drain` first works off everything that is in the topic now, `now` only publishes the open window. */
  async stop(how: "drain" | "now"): Promise<void> {
    this.#isEnding = true;
    if (!this.#paused) await this.#attempt?.finish(how);
    this.#stopped.abort();
    await this.#running;
    this.#state = "stopped";
  }

  async status(): Promise<RunningJobStatus> {
    const { event, job } = this.#options;
    const counters = (this.#counts = this.#attempt?.knownCounts ?? this.#counts);
    const received = counters === undefined ? 0 : totalOf(counters, "received");
    if (counters !== undefined) this.#rate.sample(received);
    const bounds = await this.#bounds();
    const lagRecords = bounds.reduce((sum, { partition, first, next }) => {
      return sum + next - Math.max(first, this.#attempt?.nextOffset(partition) ?? first);
    }, 0);
    const dedup = this.#attempt?.dedupIds;
    return {
      event: event.name,
      state: this.#state,
      ...(this.#cause === undefined ? {} : { cause: this.#cause }),
      lagRecords,
      ratePerSecond: this.#rate.perSecond(received),
      counters: (counters ?? {}) as RunningJobStatus["counters"],
      window: {
        keys: this.#attempt?.windowKeys ?? 0,
        keysMax: job.settings.windowKeysMax,
        bytes: this.#attempt?.windowBytes ?? 0,
        bytesMax: job.settings.windowBytesMax,
      },
      ...(dedup === undefined ? {} : { dedup }),
    };
  }

  /** Of the partitions that are this worker's turn; of all while that is not known. */
  async #bounds(): Promise<readonly PartitionBounds[]> {
    const bounds = await this.#options.log.bounds(`events.${this.event}`);
    const mine = this.#attempt?.partitions;
    return mine === undefined ? bounds : bounds.filter(({ partition }) => mine.includes(partition));
  }

  async #run(): Promise<void> {
    try {
      await this.#attempts();
    } finally {
      await this.#worker?.leave().catch(() => undefined);
      this.#worker = undefined;
    }
  }

  async #attempts(): Promise<void> {
    let delayMs = retryFirstMs;
    while (!this.#stopped.signal.aborted && !this.#paused) {
      try {
        this.#worker ??= await this.#options.log.joinJob(this.event, `events.${this.event}`);
        if (this.#isEnding || this.#paused) return;
        const attempt = new JobAttempt(this.#options, this.#worker, () => {
          this.#state = "running";
          this.#cause = undefined;
          delayMs = retryFirstMs;
        });
        this.#attempt = attempt;
        await attempt.run();
        if (!attempt.isReassigned || this.#isEnding) return;
        continue;
      } catch (error) {
        if (this.#stopped.signal.aborted || (error instanceof RdgError && error.kind === "closed")) return;
        this.#state = "retrying";
        this.#cause = describeError(error);
        this.#options.onRetry(this.event, error);
      }
      await this.#options.timers.sleep(delayMs, this.#stopped.signal).catch(() => undefined);
      delayMs = Math.min(retryMaxMs, delayMs * 2);
    }
  }
}
