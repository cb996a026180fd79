// A bell for one waiting loop: whoever has news rings it, the loop waits for the next ring. Unlike Promise.race over a long-lived promise it leaks nothing.
export class Wake {
  #rung = false;
  #resolve: (() => void) | undefined;

  /** Wakes the waiting loop, or the next one to wait. */
  ring(): void {
    this.#rung = true;
    this.#resolve?.();
  }

  /** Resolves at the next ring, at once if it rang since the last wait. One waiter at a time. */
  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
    }
    this.#rung = false;
    this.#resolve = undefined;
  }
}
