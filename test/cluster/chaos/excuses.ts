// Which serving processes may leave a read unanswered: those to which something was done, from then until they answer again. All others must answer.
const never = -1;

export class Excuses {
  /** How many faults there are now, by URL. */
  readonly #faults = new Map<string, number>();
  readonly #endedMs = new Map<string, number>();

  begin(urls: readonly string[]): void {
    for (const url of urls) this.#faults.set(url, this.#of(url) + 1);
  }

  end(urls: readonly string[]): void {
    for (const url of urls) {
      this.#faults.set(url, this.#of(url) - 1);
      this.#endedMs.set(url, performance.now());
    }
  }

  /** Whether there was a fault at some moment since then (of `performance.now`). */
  had(url: string, sinceMs: number): boolean {
    return this.#of(url) > 0 || (this.#endedMs.get(url) ?? never) >= sinceMs;
  }

  /** Whether there are others than one. */
  hasOthers(url: string): boolean {
    return this.#of(url) > 1;
  }

  #of(url: string): number {
    return this.#faults.get(url) ?? 0;
  }
}
