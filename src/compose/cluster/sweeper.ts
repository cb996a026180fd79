// Sweeps the shared store now and then: a walk over all its tables that takes a share of the time, and only of what nothing that is under way can still change.
import type { Clock, Timers } from "../../core/clock.ts";
import { describeError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import type { LogReader } from "../../log/port.ts";
import type { SweepFigures } from "../../observe/port.ts";
import type { CassandraStore } from "../../store/cassandra/store.ts";
import type { Logger } from "../logger.ts";

export interface SweeperOptions {
  readonly store: Pick<CassandraStore, "sweep" | "positions">;
  readonly log: Pick<LogReader, "settled">;
  /** That jobs read: `events.*`. */
  readonly topics: readonly string[];
  /** From the end of one sweep to the beginning of the next; 0 is never. */
  readonly everyMs: number;
  /** Of the time, 1 to 100: what a sweep takes of it at most. */
  readonly percent: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
}

/** The first sweep, and one after a failure, comes after this part of the usual time. */
const soon = 1 / 24;
const pollMs = 1_000;
const nothing = { listed: 0, lives: 0, sets: 0 };

export class Sweeper {
  readonly #options: SweeperOptions;
  #done = nothing;
  #figures: Omit<SweepFigures, "swept"> = { state: "resting", completed: 0, failed: 0 };
  #now = nothing;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  get figures(): SweepFigures {
    const [done, now] = [this.#done, this.#now];
    const swept = { listed: done.listed + now.listed, lives: done.lives + now.lives, sets: done.sets + now.sets };
    return { ...this.#figures, swept };
  }

  /** Resolves when the signal aborts; what fails is done again. */
  async run(signal: AbortSignal): Promise<void> {
    const { everyMs, timers, logger } = this.#options;
    if (everyMs === 0) return;
    let waitMs = everyMs * soon;
    for (;;) {
      await timers.sleep(waitMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#sweep(signal);
        waitMs = everyMs;
      } catch (error) {
        if (!signal.aborted) {
          this.#say({ failed: this.#figures.failed + 1 });
          logger.warn(`the store was not swept: ${describeError(error)}`);
        }
        waitMs = everyMs * soon;
      } finally {
        this.#done = this.figures.swept;
        this.#now = nothing;
        this.#say({ state: "resting" });
      }
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const { store, percent, clock, timers, random } = this.#options;
    this.#say({ state: "waiting" });
    const publishedMs = await this.#publishedMs(signal);
    this.#say({ state: "sweeping" });
    let sinceMs = clock.monotonicMs();
    const onPage = async (swept: typeof nothing): Promise<void> => {
      this.#now = swept;
      await timers.sleep((clock.monotonicMs() - sinceMs) * (100 / percent - 1), signal);
      sinceMs = clock.monotonicMs();
    };
    this.#now = await store.sweep({ publishedMs, onPage, first: random.below(2 ** 31) }, signal);
    this.#say({ completed: this.#figures.completed + 1, completedMs: clock.now() });
  }

  /** A moment before which nothing was received that is not in the graph by now, however far jobs are behind. */
  async #publishedMs(signal: AbortSignal): Promise<number> {
    const { store, log, topics, timers } = this.#options;
    const settled = await Promise.all(topics.map(async (name) => ({ name, ...(await log.settled(name)) })));
    for (;;) {
      const { inputs } = await store.positions();
      const reached = new Map(inputs.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]));
      const isApplied = settled.every(({ name, next }) =>
        next.every((offset, partition) => (reached.get(`${name}/${partition}`) ?? -1) >= offset - 1),
      );
      if (isApplied) return Math.min(...settled.map(({ timestampMs }) => timestampMs));
      await timers.sleep(pollMs, signal);
    }
  }

  #say(news: Partial<Omit<SweepFigures, "swept">>): void {
    this.#figures = { ...this.#figures, ...news };
  }
}
