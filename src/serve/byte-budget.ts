// Bytes that all connections together may hold: bodies while they come and are worked on, answers until they are taken. Counted as they are held, not as
// they were announced, so that who announces much and sends nothing holds nothing. Who holds bytes for long because the other side is slow makes room first.
import type { Clock } from "../core/clock.ts";
import type { RdgError } from "../core/errors.ts";

export interface ByteBudgetOptions {
  readonly bytesMax: number;
  /** A slow holder is left alone for this long. */
  readonly graceMs: number;
  readonly clock: Clock;
  /** What somebody who finds no room is told. */
  readonly refusal: () => RdgError;
}

/** The bytes of one body or answer. */
export interface Holding {
  /** @throws the budget's refusal when there is no room; what was held before stays held */
  add(bytes: number): void;
  /** Takes what is there already, whether there is room or not; slow ones make room for it. */
  addRegardless(bytes: number): void;
  /** The other side has done its part: from now on this one is not asked to make room. */
  settle(): void;
  /** Gives everything back; may be called again. */
  release(): void;
}

export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  /** In order of age. */
  readonly #slow = new Set<Held>();
  #bytes = 0;
  #holders = 0;

  constructor(options: ByteBudgetOptions) {
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get bytesMax(): number {
    return this.#options.bytesMax;
  }

  get holders(): number {
    return this.#holders;
  }

  /** Refuses what will not fit as things are. @throws the budget's refusal */
  expect(bytes: number): void {
    if (!this.makeRoom(bytes)) throw this.#options.refusal();
  }

  /** @param cut is called, at most once, to make room for others; it has to lead to `release` */
  hold(cut: () => void): Holding {
    const held = new Held(this, this.#options.clock.monotonicMs(), cut);
    this.#slow.add(held);
    this.#holders++;
    return held;
  }

  /** For holdings. */
  take(bytes: number): void {
    this.#bytes += bytes;
  }

  settle(held: Held): void {
    this.#slow.delete(held);
  }

  release(held: Held, bytes: number): void {
    this.#slow.delete(held);
    this.#holders--;
    this.#bytes -= bytes;
  }

  /** @throws the budget's refusal */
  requireRoom(bytes: number, held: Held): void {
    if (!this.makeRoom(bytes, held)) throw this.#options.refusal();
  }

  makeRoom(bytes: number, except?: Held): boolean {
    const { bytesMax, graceMs, clock } = this.#options;
    if (this.#bytes + bytes <= bytesMax) return true;
    const before = clock.monotonicMs() - graceMs;
    for (const slow of this.#slow) {
      if (slow.sinceMs > before) break;
      if (slow === except) continue;
      this.#slow.delete(slow);
      slow.cut();
      if (this.#bytes + bytes <= bytesMax) return true;
    }
    return false;
  }
}

/** A class, not closures: every request has several. */
class Held implements Holding {
  readonly sinceMs: number;
  readonly cut: () => void;
  readonly #budget: ByteBudget;
  #bytes = 0;
  #released = false;

  constructor(budget: ByteBudget, sinceMs: number, cut: () => void) {
    this.#budget = budget;
    this.sinceMs = sinceMs;
    this.cut = cut;
  }

  add(bytes: number): void {
    this.#budget.requireRoom(bytes, this);
    this.#take(bytes);
  }

  addRegardless(bytes: number): void {
    this.#budget.makeRoom(bytes, this);
    this.#take(bytes);
  }

  settle(): void {
    this.#budget.settle(this);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#budget.release(this, this.#bytes);
  }

  #take(bytes: number): void {
    if (this.#released) return;
    this.#bytes += bytes;
    this.#budget.take(bytes);
  }
}
