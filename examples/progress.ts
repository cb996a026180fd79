// Progress on a terminal: count, rate, and a bar where the end is known. Says nothing when stderr is redirected.

const redrawMs = 100;
const barWidth = 30;
const clearLine = "\r\u001b[K";

export class Progress {
  readonly #what: string;
  readonly #isShown = process.stderr.isTTY === true;
  readonly #startMs = performance.now();
  #drawnMs = 0;
  #done = 0;
  #before = 0;
  /** How many there will be, as soon as it is known. */
  total: number | undefined;

  /** `before`: how many were done in earlier runs; they do not count for the rate. */
  constructor(what: string, total?: number, before = 0) {
    this.#what = what;
    this.total = total;
    this.#done = before;
    this.#before = before;
  }

  get perSecond(): number {
    const seconds = (performance.now() - this.#startMs) / 1000;
    return seconds > 0 ? (this.#done - this.#before) / seconds : 0;
  }

  add(count: number): void {
    this.#done += count;
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < redrawMs) return;
    this.#drawnMs = nowMs;
    this.#draw();
  }

  /** Leaves the last state on the terminal. */
  stop(): void {
    this.#draw();
    if (this.#isShown) process.stderr.write("\n");
  }

  #draw(): void {
    if (!this.#isShown) return;
    const count = this.#done.toLocaleString("en");
    const rate = Math.round(this.perSecond).toLocaleString("en");
    if (this.total === undefined) {
      process.stderr.write(`${clearLine}${count} ${this.#what} | ${rate}/s`);
      return;
    }
    const share = this.total === 0 ? 1 : Math.min(1, this.#done / this.total);
    const bar = "█".repeat(Math.round(share * barWidth)).padEnd(barWidth, "░");
    const total = this.total.toLocaleString("en");
    process.stderr.write(`${clearLine}${bar} ${count} of ${total} ${this.#what} | ${rate}/s`);
  }
}
