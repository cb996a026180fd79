// A fixed number of slots for work; whoever finds none waits in line. Bounds what is under way at once where those who wait are bounded elsewhere.
export class Slots {
  readonly max: number;
  #taken = 0;
  /** In order of arrival. */
  readonly #line = new Set<() => void>();

  constructor(max: number) {
    this.max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.size;
  }

  /** Runs `work` in a slot. Who gives up while waiting leaves the line. @throws the signal's reason */
  async run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#taken >= this.max) await this.#wait(signal);
    else this.#taken++;
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** Resolves with a slot taken, also when given up: the slot is handed on at once then. */
  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const enter = (): void => {
        signal.removeEventListener("abort", giveUp);
        resolve();
      };
      const giveUp = (): void => {
        if (!this.#line.delete(enter)) return;
        this.#taken++;
        enter();
      };
      this.#line.add(enter);
      signal.addEventListener("abort", giveUp);
    });
  }

  #leave(): void {
    const [next] = this.#line;
    if (next === undefined || this.#taken > this.max) {
      this.#taken--;
      return;
    }
    this.#line.delete(next);
    next();
  }
}
