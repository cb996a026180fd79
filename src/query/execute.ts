// Runs a traversal plan on a store, breadth first: per level one deduplicated frontier, its edges, then its nodes. Each level is walked when it is asked for.
// Knows the store port only.
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { Turns } from "../core/turns.ts";
import type { GraphModel } from "../model/definition.ts";
import type { NodeRows, Store, StoreReader } from "../store/port.ts";
import type { HopContext } from "./hop.ts";
import type { Level, LevelNodes, StepFigures, StepOutcome } from "./level.ts";
import type { NodeEnrichment, QueryContext } from "./port.ts";
import { Repetition, untilColumns } from "./repetition.ts";
import { Spending, weigh } from "./spending.ts";
import { type FrontierNodes, type WalkedStep, idsOf, walkStep } from "./step.ts";
import type { TraversalPlan } from "./traversal-plan.ts";

/** Nodes of one request to the store. */
const nodesMax = 5_000;

export interface Execution {
  readonly model: GraphModel;
  readonly store: Store;
  readonly clock: Clock;
  readonly turns: Turns;
  /** What no answer may exceed. */
  readonly bytesMax: number;
  /** What the enrichments that were asked for have of nodes; missing where none was. */
  readonly enrich?: (type: number, ids: readonly string[]) => Promise<readonly NodeEnrichment[]>;
  /** Told at the end how many edges were scanned. */
  readonly charge?: QueryContext["charge"];
}

/** A level; behind the starts also how the step that led to it went. */
export interface WalkedLevel {
  readonly level: Level;
  readonly step?: { readonly outcome: StepOutcome; readonly figures: StepFigures };
  /** Milliseconds for nodes of this level, their enrichments not counted. */
  readonly nodesMs: number;
}

/** A step, how long it took, and what the cache had done before it. */
interface TimedStep extends Pick<StepFigures, "edgesMs" | "scanned" | "cacheHits" | "cacheMisses"> {
  readonly walked: WalkedStep;
}

/** A traversal on its way through the store. Not a generator: levels are few, and what generators cost is more than what a small hop does. */
export class LevelWalk {
  private readonly plan: TraversalPlan;
  private readonly execution: Execution;
  private readonly context: HopContext;
  private nodesMs = 0;
  private enrichMs = 0;
  /** Step number `at` is walked from here; undefined before the starts were found. */
  private frontier: readonly FrontierNodes[] | undefined;
  private at = 0;
  /** The step at hand, when it has been walked already: the first is, before it is known which starts exist. */
  private ahead: TimedStep | undefined;
  private repetition: Repetition | undefined;

  /** `startedMs` (monotonic) is when the request came: its deadline counts from there. Close it. */
  constructor(plan: TraversalPlan, execution: Execution, startedMs: number, signal: AbortSignal) {
    const { model, store, clock, turns, bytesMax } = execution;
    const { cache, budget, waitFor } = plan;
    const deadlineMs = startedMs + budget.timeoutMs;
    const reader = store.reader({ cache, deadlineMs, ...(waitFor.length > 0 ? { current: true } : {}) });
    const spending = new Spending(budget, clock, turns, startedMs, bytesMax);
    this.plan = plan;
    this.execution = execution;
    this.context = { reader, capabilities: store.capabilities, model, spending, signal };
  }

  close(): void {
    this.context.reader.close();
    this.execution.charge?.(this.plan.budget.scannedMax - this.context.spending.scannedLeft);
  }

  /** The next level, walked now; undefined behind the last. */
  async next(): Promise<WalkedLevel | undefined> {
    const { plan, context } = this;
    if (this.frontier === undefined) {
      this.frontier = await findStarts(plan, context.reader, context.signal);
      this.ahead = await this.step();
      return this.levelOf(await this.startNodes(this.frontier, this.ahead?.walked.found));
    }
    const timed = this.ahead ?? (await this.step());
    this.ahead = undefined;
    if (timed === undefined) return undefined;
    const { walked, ...rest } = timed;
    const step = plan.steps[this.at++]!;
    const nodes: LevelNodes[] = [];
    for (const reached of walked.reached) {
      const { select, until } = step.reached.find(({ type }) => type === reached.type)!;
      nodes.push(await this.nodesOf(reached, select, untilColumns(until, select)));
    }
    const cached = context.reader.cached;
    const figures: StepFigures = {
      ...rest,
      frontier: this.frontier.reduce((sum, { references }) => sum + references.length, 0),
      returned: walked.edges.reduce((sum, { count }) => sum + count, 0),
      cacheHits: (cached?.hits ?? 0) - rest.cacheHits,
      cacheMisses: (cached?.misses ?? 0) - rest.cacheMisses,
      nodesMs: this.nodesMs,
      enrichMs: this.enrichMs,
    };
    this.frontier = this.repetition === undefined ? walked.reached : this.repetition.next(step, walked.reached, nodes);
    return this.levelOf(nodes, { edges: walked.edges, outcome: walked.outcome, figures });
  }

  private async step(): Promise<TimedStep | undefined> {
    const { plan, at, context, frontier } = this;
    const step = plan.steps[at];
    if (step === undefined) return undefined;
    if (step.repetition === undefined) this.repetition = undefined;
    else if (this.repetition === undefined || plan.steps[at - 1]!.isLast) {
      this.repetition = new Repetition(frontier!, context);
    }
    const { clock } = this.execution;
    const { scannedLeft } = context.spending;
    const { hits: cacheHits = 0, misses: cacheMisses = 0 } = context.reader.cached ?? {};
    const fromMs = clock.monotonicMs();
    const walked = await walkStep(context, step, frontier!);
    const edgesMs = clock.monotonicMs() - fromMs;
    return { walked, edgesMs, scanned: scannedLeft - context.spending.scannedLeft, cacheHits, cacheMisses };
  }

  private levelOf(
    nodes: readonly LevelNodes[],
    reached?: {
      readonly edges: NonNullable<Level["edges"]>;
      readonly outcome: StepOutcome;
      readonly figures: StepFigures;
    },
  ): WalkedLevel {
    const { nodesMs } = this;
    this.nodesMs = this.enrichMs = 0;
    if (reached === undefined) return { level: { nodes }, nodesMs };
    const { edges, outcome, figures } = reached;
    return { level: { nodes, edges }, step: { outcome, figures }, nodesMs };
  }

  /** Those that exist: visible, or with an edge found. */
  private async startNodes(
    starts: readonly FrontierNodes[],
    found: readonly Uint8Array[] | undefined,
  ): Promise<LevelNodes[]> {
    const nodes: LevelNodes[] = [];
    for (const [i, start] of starts.entries()) {
      const { select } = this.plan.starts.find(({ type }) => type === start.type)!;
      const level = await this.nodesOf(start, select, []);
      const hasEdge = found?.[i];
      const kept = level.ids.map((_, row) => level.rows.visible[row] === 1 || hasEdge?.[row] === 1);
      nodes.push(kept.includes(false) ? onlyKept(level, kept) : level);
    }
    return nodes;
  }

  private async nodesOf(
    { type, references, ids }: FrontierNodes,
    select: readonly number[],
    further: readonly number[],
  ): Promise<LevelNodes> {
    const { clock, enrich } = this.execution;
    const fromMs = clock.monotonicMs();
    const rows = await readNodes(this.context, type, references, select, further);
    const readMs = clock.monotonicMs();
    this.nodesMs += readMs - fromMs;
    if (enrich === undefined) return { type, ids, select, rows };
    const enriched = await enrich(type, ids);
    this.enrichMs += clock.monotonicMs() - readMs;
    return { type, ids, select, rows, enriched };
  }
}

/** The starts that were ever mentioned. */
async function findStarts(plan: TraversalPlan, reader: StoreReader, signal: AbortSignal): Promise<FrontierNodes[]> {
  const starts: FrontierNodes[] = [];
  for (const { type, ids, walked } of plan.starts) {
    const found = await reader.find(type, ids, signal);
    const isKnown = (_: unknown, i: number): boolean => found[i]! >= 0;
    const references = found.filter((reference) => reference >= 0);
    if (references.length === 0) continue;
    starts.push({
      type,
      references,
      ids: references.length === ids.length ? ids : idsOf(reader, type, references),
      ...(walked && { walked: new Map(Array.from(walked, ([branch, states]) => [branch, states.filter(isKnown)])) }),
    });
  }
  return starts;
}

/** Selected columns, then further ones that are no part of the answer. */
async function readNodes(
  { reader, model, spending, signal }: HopContext,
  type: number,
  references: Int32Array,
  selected: readonly number[],
  further: readonly number[],
): Promise<NodeRows> {
  const heavy = selected.flatMap((property, column) => {
    const { type: of, merge } = model.nodes[type]!.properties[property]!;
    return merge === "union" || ["string", "bytes", "array", "map", "record"].includes(of.kind) ? [column] : [];
  });
  const select = further.length === 0 ? selected : [...selected, ...further];
  const parts: NodeRows[] = [];
  for (let from = 0; from < references.length || from === 0; from += nodesMax) {
    const part = await reader.nodes({ type, references: references.subarray(from, from + nodesMax), select }, signal);
    for (const column of heavy) spending.bytesLeft -= weigh(part.properties[column]!, 0, part.visible.length);
    if (spending.isOverdrawn) throw tooLarge();
    parts.push(part);
    const pause = spending.tick(signal);
    if (pause) await pause;
  }
  return parts.length === 1 ? parts[0]! : joinRows(parts, references.length);
}

function tooLarge(): RdgError {
  return new RdgError(
    "invalid",
    "answer_too_large",
    "The properties of the nodes that were reached are too large for one answer.",
    {
      hint: "Select fewer properties, or ask for fewer nodes with a lower limit.",
    },
  );
}

function joinRows(parts: readonly NodeRows[], count: number): NodeRows {
  const visible = new Uint8Array(count);
  const firstSeenMs = new Float64Array(count);
  const lastSeenMs = new Float64Array(count);
  let at = 0;
  for (const part of parts) {
    visible.set(part.visible, at);
    firstSeenMs.set(part.firstSeenMs, at);
    lastSeenMs.set(part.lastSeenMs, at);
    at += part.visible.length;
  }
  const properties = parts[0]!.properties.map((_, column) => parts.flatMap((part) => part.properties[column]!));
  return { visible, firstSeenMs, lastSeenMs, properties };
}

function onlyKept(level: LevelNodes, kept: readonly boolean[]): LevelNodes {
  const keep = (_: unknown, i: number): boolean => kept[i]!;
  const { visible, firstSeenMs, lastSeenMs, properties } = level.rows;
  return {
    ...level,
    ids: level.ids.filter(keep),
    rows: {
      visible: visible.filter(keep),
      firstSeenMs: firstSeenMs.filter(keep),
      lastSeenMs: lastSeenMs.filter(keep),
      properties: properties.map((column) => column.filter(keep)),
    },
    ...(level.enriched && {
      enriched: level.enriched.map(({ name, values }) => ({ name, values: values.filter(keep) })),
    }),
  };
}
