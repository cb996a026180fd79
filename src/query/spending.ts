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
  bytesLeft: number;
  /** How many walks share what is left, at the same time. */
  walkers = 1;
  private readonly serverBytesMax: number;
  private readonly clock: Clock;
  private readonly turns: Turns;
  private readonly deadlineMs: number;
  private stretchFromMs: number;
  private late = false;

  /** `serverBytesMax`: what no answer may exceed, whatever less a request asks for. */
  constructor(
    budget: TraversalBudget,
    clock: Clock,
    turns: Turns,
    startedMs: number,
    serverBytesMax = budget.bytesMax,
  ) {
    this.edgesLeft = budget.edgesMax;
    this.scannedLeft = budget.scannedMax;
    this.bytesLeft = budget.bytesMax;
    this.serverBytesMax = serverBytesMax;
    this.clock = clock;
    this.turns = turns;
    this.deadlineMs = startedMs + budget.timeoutMs;
    this.stretchFromMs = startedMs;
  }

  /** Edges that one walk may look at before it asks again. */
  get scanMax(): number {
    return this.walkers === 1 ? this.scannedLeft : Math.max(1, Math.floor(this.scannedLeft / this.walkers));
  }

  /** Values of nodes may overdraw the budget, since a level without its nodes would be no answer; but not without bound. */
  get isOverdrawn(): boolean {
    return this.bytesLeft < -this.serverBytesMax;
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

  /** The deadline has passed: somebody else has seen it first. */
  beLate(): void {
    this.late = true;
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
