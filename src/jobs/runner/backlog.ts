// What jobs have published and the store has not applied yet: bounded, so that jobs slow down when the store falls behind.
import type { Downstream } from "./job-attempt.ts";

export class Backlog implements Downstream {
  readonly #transactionsMax: number;
  #published = -1;
  #applied = -1;
  #waiting: (() => void)[] = [];

  constructor(transactionsMax: number) {
    this.#transactionsMax = transactionsMax;
  }

  /** Published and not applied yet; a little more than the bound may be, since transactions that are under way are not held up. */
  get fill(): { readonly transactions: number; readonly transactionsMax: number } {
    return { transactions: this.#published - this.#applied, transactionsMax: this.#transactionsMax };
  }

  published(offset: number): void {
    this.#published = Math.max(this.#published, offset);
  }

  applied(offset: number): void {
    this.#applied = Math.max(this.#applied, offset);
    if (this.#published - this.#applied > this.#transactionsMax / 2) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  throttle(): Promise<void> | undefined {
    if (this.#published - this.#applied <= this.#transactionsMax) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
