// Applies the transactions of the jobs to a store in order, and tells who waits for a position.
import type { Timers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { LogReader, PartitionBounds } from "../log/port.ts";
import type { Position } from "../model/position.ts";
import type { Store } from "./port.ts";

export interface StoreFeederOptions {
  readonly log: LogReader;
  readonly store: Store;
  readonly timers: Timers;
  /** Name of any type topic: its end is where catching up ends. */
  readonly typeTopic: string;
  /** Called after every applied transaction. */
  readonly onApplied: (offset: number) => void;
  /** Called with the cause when the store refuses to take more, and with undefined when it goes on. */
  readonly onBlocked: (cause: RdgError | undefined) => void;
  /** Called once when applying ends with an error that waiting cannot mend. */
  readonly onFailure: (error: unknown) => void;
}

export const waitersMax = 10_000;
const retryMs = 500;
const finishPollMs = 5;

interface Waiter {
  readonly positions: readonly Position[];
  readonly resolve: (applied: boolean) => void;
}

export class StoreFeeder {
  readonly #options: StoreFeederOptions;
  readonly #stop = new AbortController();
  /** Last applied input offset by `topic/partition`, and last applied offset by source. */
  readonly #inputs = new Map<string, number>();
  #applied = -1;
  #blocked: RdgError | undefined;
  #running: Promise<void> | undefined;
  #waiters = new Set<Waiter>();
  #caughtUp: () => void = () => undefined;
  #ended = false;
  /** The log could not be read lately. */
  #unreadable = false;
  #gate: Promise<void> = Promise.resolve();
  #applying: Promise<void> = Promise.resolve();

  constructor(options: StoreFeederOptions) {
    this.#options = options;
  }

  get waiterCount(): number {
    return this.#waiters.size;
  }

  /** Offset of the last applied transaction; -1 before the first. */
  get appliedOffset(): number {
    return this.#applied;
  }

  /**
   * Applies everything that is in the log now, then goes on in the background. Resolves early when the store refuses to take more.
   * @throws RdgError corrupt: the log lacks what the store needs to go on, or what it needs to catch up is damaged
   */
  async start(): Promise<void> {
    const { log, store } = this.#options;
    const { sources, inputs } = await store.applied();
    this.#applied = Math.max(-1, ...sources.values());
    this.#options.onApplied(this.#applied);
    for (const { topic, partition, offset } of inputs) this.#inputs.set(`${topic}/${partition}`, offset);
    const bounds = (await log.bounds(this.#options.typeTopic))[0]!;
    checkReach(this.#applied, bounds);
    const ready = new Promise<void>((resolve) => {
      this.#caughtUp = resolve;
    });
    const last = bounds.next - 1;
    if (this.#applied >= last) this.#caughtUp();
    let failure: { readonly error: unknown } | undefined;
    this.#running = this.#run(last).catch((error: unknown) => {
      this.#ended = true;
      if (!this.#stop.signal.aborted) {
        failure = { error };
        this.#options.onFailure(error);
      }
      this.#caughtUp();
    });
    await ready;
    if (failure !== undefined) throw failure.error;
  }

  /** Resolves with true once the graph accounts for all positions (`events.*` positions, or positions of type topics), with false after `timeoutMs` or when given up. */
  waitFor(positions: readonly Position[], timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#accountsFor(positions)) return Promise.resolve(true);
    if (signal?.aborted === true) return Promise.resolve(false);
    if (this.#waiters.size >= waitersMax) {
      throw new RdgError("overloaded", "too_many_waiters", "Too many requests wait for positions.", {
        retryAfterMs: 1000,
      });
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        positions,
        resolve: (applied) => {
          cancel();
          signal?.removeEventListener("abort", onAbort);
          this.#waiters.delete(waiter);
          resolve(applied);
        },
      };
      const onAbort = (): void => waiter.resolve(false);
      signal?.addEventListener("abort", onAbort);
      const cancel = this.#options.timers.after(timeoutMs, () => waiter.resolve(false));
      this.#waiters.add(waiter);
    });
  }

  /** Runs `work` while nothing is applied. */
  async still<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#gate;
    let open: () => void = () => undefined;
    this.#gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    try {
      await before;
      await this.#applying;
      return await work();
    } finally {
      open();
    }
  }

  /** Applies everything that is in the log now, unless the store refuses to take more or the log cannot be read, and ends. */
  async finish(): Promise<void> {
    if (this.#running === undefined) return await this.close();
    const last = (await this.#options.log.bounds(this.#options.typeTopic))[0]!.next - 1;
    while (this.#applied < last && this.#blocked === undefined && !this.#unreadable && !this.#ended) {
      await this.#options.timers.sleep(finishPollMs);
    }
    await this.close();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    for (const waiter of this.#waiters) waiter.resolve(false);
    await this.#running;
  }

  /** Reads on for as long as it takes when the log cannot be read. */
  async #run(catchUpTo: number): Promise<void> {
    for (;;) {
      try {
        return await this.#follow(catchUpTo);
      } catch (error) {
        if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
        this.#unreadable = true;
        await this.#options.timers.sleep(retryMs, this.#stop.signal);
      }
    }
  }

  async #follow(catchUpTo: number): Promise<void> {
    const { log, store } = this.#options;
    for await (const frame of log.readUpdates({ from: this.#applied + 1, signal: this.#stop.signal })) {
      this.#unreadable = false;
      await this.#gate;
      this.#applying = this.#patiently(() => store.apply(frame));
      await this.#applying;
      frame.release?.();
      this.#applied = frame.offset;
      for (const { topic, partition, offset } of frame.inputs) this.#inputs.set(`${topic}/${partition}`, offset);
      if (frame.offset >= catchUpTo) this.#caughtUp();
      this.#options.onApplied(frame.offset);
      for (const waiter of this.#waiters) if (this.#accountsFor(waiter.positions)) waiter.resolve(true);
    }
  }

  /** Repeats what the store refuses for now, for as long as it takes. */
  async #patiently(apply: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await apply();
        if (this.#blocked !== undefined) this.#options.onBlocked((this.#blocked = undefined));
        return;
      } catch (error) {
        if (!(error instanceof RdgError) || error.kind !== "unavailable") throw error;
        if (this.#blocked === undefined) this.#options.onBlocked((this.#blocked = error));
        this.#caughtUp();
        await this.#options.timers.sleep(retryMs, this.#stop.signal);
      }
    }
  }

  #accountsFor(positions: readonly Position[]): boolean {
    return positions.every(({ topic, partition, offset }) =>
      topic.startsWith("events.")
        ? (this.#inputs.get(`${topic}/${partition}`) ?? -1) >= offset
        : this.#applied >= offset,
    );
  }
}

/** Applying must go on exactly behind what is applied: a gap, and a second life of offsets that were applied before, would go unnoticed. */
function checkReach(applied: number, { first, next }: PartitionBounds): void {
  if (applied + 1 < first) {
    const holds = applied < 0 ? "nothing" : `the transactions up to ${applied}`;
    const message = `The store holds ${holds}, and the log begins at transaction ${first}: those between are gone.`;
    const hint = "Restore the data folder from a copy, or begin with an empty one and send the events again.";
    throw new RdgError("corrupt", "transactions_missing", message, { place: `journal@${applied + 1}`, hint });
  }
  if (applied >= next) {
    const message = `The store holds the transactions up to ${applied}, and the log ends before transaction ${next}: it has lost some.`;
    const hint =
      "Restore the data folder from a copy; or move the store's folder away: the graph is then rebuilt from what the log has.";
    throw new RdgError("corrupt", "transactions_missing", message, { place: `journal@${next}`, hint });
  }
}
