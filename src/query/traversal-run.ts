// One traversal on its way: waits for its positions, walks level by level, and tells its end. What answers as a whole and in parts share.
import type { KeyObject } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import { type Position, formatPosition } from "../model/position.ts";
import type { Explanation } from "../model/traversal.ts";
import { type Continuation, continuationOf } from "./continuation.ts";
import type { EnrichmentRun, Enrichments } from "./enrichments.ts";
import { type Execution, LevelWalk, type WalkedLevel } from "./execute.ts";
import { explain } from "./explain.ts";
import { type InPlaceWalk, type WalkedInPlace, isForPlace, leftMsMin } from "./in-place/walk.ts";
import type { Level, StepOutcome } from "./level.ts";
import { endOf } from "./parts.ts";
import type { EndPart } from "./port.ts";
import { type WaitFor, requireApplied } from "./positions.ts";
import type { TraversalLimits, TraversalPlan } from "./traversal-plan.ts";

/** What traversals of one graph have in common. */
export interface TraversalScope {
  readonly execution: Execution;
  readonly limits: TraversalLimits;
  readonly continuationKey: KeyObject;
  readonly waitFor: WaitFor;
  readonly enrichments: Enrichments | undefined;
}

export interface ObservedTraversal {
  readonly edges: number;
  readonly scanned: number;
  readonly complete: boolean;
  /** Until the request was checked and planned; then until its positions were applied and it was its turn. */
  readonly planMs: number;
  readonly waitMs: number;
  readonly traverseMs: number;
  /** Of the time above: reading nodes, and enriching them. */
  readonly nodesMs: number;
  readonly enrichMs: number;
  readonly encodeMs: number;
  /** 0 for a traversal that was taken in parts. */
  readonly answerBytes: number;
  /** The plan with its figures, for logs of what was slow. */
  readonly explain: () => Explanation;
}

export class TraversalRun {
  readonly plan: TraversalPlan;
  private readonly scope: TraversalScope;
  private readonly signal: AbortSignal;
  private readonly clock: Clock;
  private readonly startedMs: number;
  private readonly plannedMs: number;
  private walk: LevelWalk | undefined;
  private walkFromMs: number;
  private walkMs = 0;
  private nodesMs = 0;
  private readonly steps: NonNullable<WalkedLevel["step"]>[] = [];
  private inputs: readonly Position[] = [];
  private enriching: EnrichmentRun | undefined;

  /** `startedMs` (monotonic) is when the request came. */
  constructor(plan: TraversalPlan, scope: TraversalScope, startedMs: number, signal: AbortSignal) {
    this.plan = plan;
    this.scope = scope;
    this.signal = signal;
    this.clock = scope.execution.clock;
    this.startedMs = startedMs;
    this.plannedMs = this.walkFromMs = this.clock.monotonicMs();
    this.enriching = this.openEnrichments();
  }

  /** Until the deadline. */
  get leftMs(): number {
    return Math.max(0, this.startedMs + this.plan.budget.timeoutMs - this.clock.monotonicMs());
  }

  private openEnrichments(): EnrichmentRun | undefined {
    const { enrich, budget, cache } = this.plan;
    if (enrich.length === 0) return undefined;
    const { enrichments } = this.scope;
    if (enrichments === undefined) {
      throw new RdgError("invalid", "unknown_enrichment", `There is no enrichment "${enrich[0]}".`, {
        place: "/enrich/0",
        hint: "The definition declares none.",
      });
    }
    return enrichments.open(enrich, { signal: this.signal, deadlineMs: this.startedMs + budget.timeoutMs, cache });
  }

  /**
   * All levels, walked now, where the plan is small and the store's rows lie in this process's memory; undefined where `next` is to be asked instead.
   * They are valid in this turn only.
   */
  inPlace(walk: InPlaceWalk): WalkedInPlace | undefined {
    const { plan, clock } = this;
    const { store } = this.scope.execution;
    const graph = isForPlace(plan, store.capabilities) ? store.inPlace?.() : undefined;
    const fromMs = clock.monotonicMs();
    if (graph === undefined || this.startedMs + plan.budget.timeoutMs - fromMs < leftMsMin) return undefined;
    this.signal.throwIfAborted();
    const walked = walk.walk(plan, graph);
    if (walked === undefined) return undefined;
    this.walkFromMs = fromMs;
    this.inputs = graph.inputs;
    this.walkMs = clock.monotonicMs() - fromMs;
    this.steps.push(...walked.steps);
    return walked;
  }

  /** What was walked in place is walked again. */
  forget(): void {
    this.steps.length = 0;
    this.walkMs = 0;
  }

  /** The next level, walked now, when `wait` has resolved; undefined behind the last. */
  async next(): Promise<Level | undefined> {
    if (this.plan.explain === "plan") return undefined;
    const fromMs = this.clock.monotonicMs();
    this.walk ??= await this.begin(fromMs);
    const walked = await this.walk.next();
    this.walkMs += this.clock.monotonicMs() - fromMs;
    if (walked === undefined) return undefined;
    if (walked.step) this.steps.push(walked.step);
    this.nodesMs += walked.nodesMs;
    return walked.level;
  }

  private async begin(nowMs: number): Promise<LevelWalk> {
    const { enriching } = this;
    const { execution } = this.scope;
    this.walkFromMs = nowMs;
    // Read before the store is: the answer has seen at least this.
    this.inputs = (await execution.store.applied()).inputs;
    return new LevelWalk(
      this.plan,
      enriching === undefined ? execution : { ...execution, enrich: (type, ids) => enriching.nodes(type, ids) },
      this.startedMs,
      this.signal,
    );
  }

  /** Gives back what the walk holds, also in its middle. */
  close(): void {
    this.walk?.close();
  }

  /** Until the positions that the request names are applied. */
  async wait(): Promise<void> {
    const { waitFor, budget, explain: explained } = this.plan;
    if (explained === "plan") return;
    await requireApplied(this.scope.waitFor, waitFor, budget.timeoutMs, this.signal);
  }

  /** When all levels were taken. */
  end(encodeMs: number): EndPart {
    const { plan, steps, nodesMs, enriching } = this;
    return endOf(plan, {
      steps,
      continuation: (step, outcome) => this.continuation(step, outcome),
      asOf: formatted(this.inputs),
      waitMs: this.walkFromMs - this.startedMs,
      nodesMs,
      encodeMs,
      ...(enriching && { enrichments: enriching.answers() }),
      ...(plan.explain && { explain: this.explain(encodeMs) }),
    });
  }

  private continuation(step: number, outcome: StepOutcome): Continuation {
    const { execution, limits, continuationKey } = this.scope;
    return continuationOf(this.plan, step, outcome, execution.model, limits, continuationKey);
  }

  private explain(encodeMs: number): Explanation {
    const { model, store } = this.scope.execution;
    if (this.plan.explain === "plan") return explain(this.plan, model, store.capabilities);
    return explain(this.plan, model, store.capabilities, {
      steps: this.steps.map(({ figures }) => figures),
      waitMs: this.walkFromMs - this.plannedMs,
      planMs: this.plannedMs - this.startedMs,
      walkMs: this.walkMs,
      encodeMs,
    });
  }

  observed(encodeMs: number, answerBytes: number): ObservedTraversal {
    const figures = this.steps.map((step) => step.figures);
    const sum = (member: "returned" | "scanned" | "enrichMs"): number =>
      figures.reduce((total, each) => total + each[member], 0);
    return {
      edges: sum("returned"),
      scanned: sum("scanned"),
      complete: this.steps.every(({ outcome }) => outcome.cause === undefined),
      planMs: this.plannedMs - this.startedMs,
      waitMs: this.walkFromMs - this.plannedMs,
      traverseMs: this.walkMs,
      nodesMs: this.nodesMs,
      enrichMs: sum("enrichMs"),
      encodeMs,
      answerBytes,
      explain: () => this.explain(encodeMs),
    };
  }
}

const texts = new WeakMap<readonly Position[], readonly string[]>();

/** Many traversals see the same positions. */
function formatted(positions: readonly Position[]): readonly string[] {
  let text = texts.get(positions);
  if (text === undefined) texts.set(positions, (text = positions.map(formatPosition)));
  return text;
}
