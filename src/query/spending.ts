// What a traversal may still spend: edges, edges looked at, bytes, time. Asked after every batch, so that no traversal runs away or holds the thread.
import type { Clock } from "../core/clock.ts";
import type { Turns } from "../core/turns.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { TruncationCause } from "../model/traversal.ts";
import type { TraversalBudget } from "./traversal-plan.ts";

/** A traversal gives way to other work after running this long at a stretch. */
const stretchMs = 10;

export class Spending {
  edgesLeft: number;
  scannedLeft: number;
  readonly bytesMax: number;
  bytesLeft: number;
  private readonly clock: Clock;
  private readonly turns: Turns;
  private readonly deadlineMs: number;
  private stretchFromMs: number;
  private late = false;

  constructor(budget: TraversalBudget, clock: Clock, turns: Turns, startedMs: number) {
    this.edgesLeft = budget.edgesMax;
    this.scannedLeft = budget.scannedMax;
    this.bytesLeft = this.bytesMax = budget.bytesMax;
    this.clock = clock;
    this.turns = turns;
    this.deadlineMs = startedMs + budget.timeoutMs;
    this.stretchFromMs = startedMs;
  }

  /** Why nothing more may be read. */
  get exhausted(): TruncationCause | undefined {
    if (this.late) return "deadline";
    if (this.edgesLeft <= 0) return "budget_edges";
    if (this.bytesLeft <= 0) return "budget_bytes";
    return this.scannedLeft <= 0 ? "scan" : undefined;
  }

  /** Looks at the clock; the promise, when there is one, gives way to other work. */
  tick(signal: AbortSignal): Promise<void> | undefined {
    signal.throwIfAborted();
    const now = this.clock.monotonicMs();
    if (now >= this.deadlineMs) this.late = true;
    return now - this.stretchFromMs < stretchMs ? undefined : this.giveWay();
  }

  private async giveWay(): Promise<void> {
    await this.turns.next();
    this.stretchFromMs = this.clock.monotonicMs();
  }
}

/** About how many bytes of an answer values take, beyond the few that numbers do. */
export function weigh(values: readonly PropertyValue[], from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += weightOf(values[i]);
  return sum;
}

function weightOf(value: PropertyValue): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return 8;
  let sum = 8;
  for (const item of Array.isArray(value) ? value : Object.values(value)) sum += weightOf(item as PropertyValue);
  return sum;
}
