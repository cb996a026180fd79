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

interface Slow {
  readonly sinceMs: number;
  readonly cut: () => void;
}

export class ByteBudget {
  readonly #options: ByteBudgetOptions;
  /** In order of age. */
  readonly #slow = new Set<Slow>();
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
    if (!this.#makeRoom(bytes)) throw this.#options.refusal();
  }

  /** @param cut is called, at most once, to make room for others; it has to lead to `release` */
  hold(cut: () => void): Holding {
    const slow: Slow = { sinceMs: this.#options.clock.monotonicMs(), cut };
    this.#slow.add(slow);
    this.#holders++;
    let held = 0;
    let released = false;
    const take = (bytes: number): void => {
      if (released) return;
      held += bytes;
      this.#bytes += bytes;
    };
    return {
      add: (bytes) => {
        if (!this.#makeRoom(bytes, slow)) throw this.#options.refusal();
        take(bytes);
      },
      addRegardless: (bytes) => {
        this.#makeRoom(bytes, slow);
        take(bytes);
      },
      settle: () => void this.#slow.delete(slow),
      release: () => {
        if (released) return;
        released = true;
        this.#slow.delete(slow);
        this.#holders--;
        this.#bytes -= held;
      },
    };
  }

  #makeRoom(bytes: number, except?: Slow): boolean {
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
