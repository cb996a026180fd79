// A traversal in parts for whoever iterates over it. Not a generator: parts are few and small where most requests are, and what an async generator costs
// for each is more than what making it does.
import type { Slots } from "../core/slots.ts";
import type { Level } from "./level.ts";
import { partsOf } from "./parts.ts";
import type { TraversalPart } from "./port.ts";
import type { TraversalRun } from "./traversal-run.ts";

export interface PartWalkOptions {
  /** Plans the traversal, when the first part is asked for. */
  readonly begin: () => TraversalRun;
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /** Whether the whole answer was taken at once. */
  readonly taken: (run: TraversalRun) => boolean;
  /** Told when all levels were walked. */
  readonly onWalked: (run: TraversalRun) => void;
  /** What an error of a walk is told as. */
  readonly told: (error: unknown) => unknown;
}

/** Is asked for one part after the other, never for two at once. */
export class PartWalk implements AsyncIterableIterator<TraversalPart> {
  readonly #options: PartWalkOptions;
  #run: TraversalRun | undefined;
  #levels = 0;
  /** Parts of the level at hand. */
  #parts: TraversalPart[] = [];
  #at = 0;
  #done = false;

  constructor(options: PartWalkOptions) {
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<TraversalPart, undefined>> {
    try {
      while (this.#at === this.#parts.length && !this.#done) await this.#walk();
    } catch (error) {
      this.#close();
      throw this.#options.told(error);
    }
    if (this.#at === this.#parts.length) return { done: true, value: undefined };
    return { done: false, value: this.#parts[this.#at++]! };
  }

  return(): Promise<IteratorResult<TraversalPart, undefined>> {
    this.#close();
    this.#parts = [];
    this.#at = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  async #walk(): Promise<void> {
    const { slots, signal } = this.#options;
    if (this.#run === undefined) {
      this.#run = this.#options.begin();
      await this.#run.wait();
      if (this.#options.taken(this.#run)) {
        this.#done = true;
        return;
      }
    }
    const run = this.#run;
    const level = await slots.run((): Promise<Level | undefined> => run.next(), signal, run.leftMs);
    this.#at = 0;
    if (level !== undefined) {
      this.#parts = [...partsOf(this.#levels++, level)];
      return;
    }
    this.#close();
    this.#options.onWalked(run);
    this.#parts = [run.end(0)];
  }

  #close(): void {
    this.#done = true;
    this.#run?.close();
  }
}
