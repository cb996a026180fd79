// Runs the purge in the background: by time, in steps between which frames are applied and reads answered.
import type { Clock, Timers } from "../../core/clock.ts";
import type { Turns } from "../../core/turns.ts";
import type { Applied } from "./applied.ts";
import type { Graph } from "./graph.ts";
import { Pacer } from "./pacer.ts";
import { purgeSteps, type Purged } from "./purge.ts";
import type { RetiredNodes } from "./retired-nodes.ts";

export interface PurgerOptions {
  readonly graph: Graph;
  readonly applied: Applied;
  readonly retired: RetiredNodes;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly turns: Turns;
  readonly intervalMs: number;
  /** Runs work while nothing else changes the graph. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
}

export class Purger {
  readonly #options: PurgerOptions;
  #cancel: () => void = () => undefined;
  #running: Promise<Purged> | undefined;
  #stopped = false;

  constructor(options: PurgerOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** One walk over the whole graph; the one that is going on, if there is one. */
  purge(): Promise<Purged> {
    this.#running ??= this.#purge().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running?.catch(() => undefined);
  }

  async #purge(): Promise<Purged> {
    const { graph, applied, retired, clock, turns, alone } = this.#options;
    const purged = { nodes: 0, edges: 0, removals: 0 };
    const horizonMs = Math.min(clock.now(), applied.timestampMs);
    const steps = purgeSteps(graph, retired, horizonMs, purged);
    for (;;) {
      const isDone = await alone(async () => {
        // From when it is alone, and a step at least: beside a store that is always busy it would never get on.
        const pacer = new Pacer(clock, turns);
        do if (steps.next().done === true) return true;
        while (!pacer.isDue);
        return false;
      });
      if (isDone || this.#stopped) return purged;
      await turns.next();
    }
  }

  #schedule(): void {
    this.#cancel = this.#options.timers.after(this.#options.intervalMs, () => {
      if (this.#stopped) return;
      this.purge().then(
        () => this.#schedule(),
        () => undefined,
      );
    });
  }
}
