// What jobs have published and the store has not applied yet: bounded, so that jobs slow down when the store falls behind.
import type { Downstream } from "./job-attempt.ts";

export class Backlog implements Downstream {
  readonly #heldUpFrom: number;
  readonly #underWayMax: number;
  #published = -1;
  #applied = -1;
  #waiting: (() => void)[] = [];

  /** Jobs are held up from so many transactions on; those of all jobs that are under way then, at most `underWayMax`, still come. */
  constructor(heldUpFrom: number, underWayMax: number) {
    this.#heldUpFrom = heldUpFrom;
    this.#underWayMax = underWayMax;
  }

  /** Published and not applied yet. */
  get fill(): { readonly transactions: number; readonly transactionsMax: number } {
    return { transactions: this.#published - this.#applied, transactionsMax: this.#heldUpFrom + this.#underWayMax };
  }

  published(offset: number): void {
    this.#published = Math.max(this.#published, offset);
  }

  applied(offset: number): void {
    this.#applied = Math.max(this.#applied, offset);
    if (this.#published - this.#applied > this.#heldUpFrom / 2) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  throttle(): Promise<void> | undefined {
    if (this.#published - this.#applied < this.#heldUpFrom) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
