// A traversal in parts: its levels cut into pieces of bounded size, and what its answer says beside them. For streams; the JSON answer shares the end.
import type { EnrichmentAnswer, Explanation, HopAnswer } from "../model/traversal.ts";
import type { Continuation } from "./continuation.ts";
import type { Level, LevelEdges, LevelNodes, StepFigures, StepOutcome } from "./level.ts";
import type { EdgesPart, EndPart, NodesPart, TraversalPart } from "./port.ts";
import type { TraversalPlan } from "./traversal-plan.ts";

/** Nodes or edges of one part. */
const rowsMax = 1_000;

export function* partsOf(number: number, { nodes, edges = [] }: Level): Generator<TraversalPart> {
  for (const branch of edges) yield* edgeParts(number, branch);
  for (const ofType of nodes) yield* nodeParts(number, ofType);
}

function* nodeParts(level: number, nodes: LevelNodes): Generator<NodesPart> {
  const { length } = nodes.ids;
  for (let from = 0; from < length; from += rowsMax) {
    yield { kind: "nodes", level, from, to: Math.min(from + rowsMax, length), ...nodes };
  }
}

function* edgeParts(level: number, edges: LevelEdges): Generator<EdgesPart> {
  const { branch, near, far, count, origins, targets, reversed, firstSeenMs, lastSeenMs, properties } = edges;
  const fromIds = new Array<string>(count);
  const toIds = new Array<string>(count);
  for (let i = 0; i < count; i++) {
    const [origin, target] = [near[origins[i]!]!, far[targets[i]!]!];
    const walkedBack = reversed[i] === 1;
    fromIds[i] = walkedBack ? target : origin;
    toIds[i] = walkedBack ? origin : target;
  }
  const columns = { fromIds, toIds, firstSeenMs, lastSeenMs, properties, select: branch.selectEdge };
  for (let from = 0; from < count; from += rowsMax) {
    yield { kind: "edges", level, edge: branch.edge, from, to: Math.min(from + rowsMax, count), ...columns };
  }
}

export interface AnswerEnd {
  readonly steps: readonly { readonly outcome: StepOutcome; readonly figures: StepFigures }[];
  /** The token to go on with a step that is not complete, or why there is none. */
  readonly continuation: (step: number, outcome: StepOutcome) => Continuation;
  readonly asOf: readonly string[];
  readonly waitMs: number;
  readonly nodesMs: number;
  readonly encodeMs: number;
  readonly enrichments?: readonly EnrichmentAnswer[];
  readonly explain?: Explanation;
}

export function endOf(plan: TraversalPlan, end: AnswerEnd): EndPart {
  const { steps, asOf, waitMs, nodesMs, encodeMs, enrichments, explain } = end;
  return {
    kind: "end",
    ...(plan.firstHop > 0 ? { fromHop: plan.firstHop } : {}),
    hops: steps.map(({ outcome }, step) => ({
      ...placeOf(plan, step),
      ...answerOf(outcome, (cut) => end.continuation(step, cut)),
    })),
    complete: steps.every(({ outcome }) => outcome.cause === undefined),
    asOf,
    timings: {
      waitMs: rounded(waitMs),
      hopsMs: steps.map(({ figures }) => rounded(figures.edgesMs)),
      nodesMs: rounded(nodesMs),
      encodeMs: rounded(encodeMs),
    },
    ...(enrichments && { enrichments }),
    ...(explain && { explain }),
  };
}

/** Which hop this is; said only where hops and levels do not go together. */
function placeOf({ repeats, steps }: TraversalPlan, step: number): { hop?: number; repetition?: number } {
  if (!repeats) return {};
  const { hop, repetition } = steps[step]!;
  return repetition === undefined ? { hop } : { hop, repetition };
}

function answerOf(outcome: StepOutcome, continuation: (outcome: StepOutcome) => Continuation): HopAnswer {
  const { cause, cut } = outcome;
  if (cause === undefined) return { complete: true };
  const next = continuation(outcome);
  const going = "token" in next ? { next: next.token } : { reason: next.reason };
  return { complete: false, truncated: { cause, nodes: cut.length, ...going } };
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
