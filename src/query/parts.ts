// A traversal in parts: its levels cut into pieces of bounded size, and what its answer says beside them. For streams; the JSON answer shares the end.
import type { HopAnswer, TraversalTimings } from "../model/traversal.ts";
import type { Level, LevelEdges, Traversal } from "./execute.ts";
import type { EdgesPart, EndPart, NodesPart, TraversalPart } from "./port.ts";

/** Nodes or edges of one part. */
const rowsMax = 1_000;

/** What the answer says beside the traversal itself. */
export interface AnswerFrame {
  readonly firstHop: number;
  /** Per hop: the token to go on, or why there is none; undefined for complete hops. */
  readonly next: readonly ({ readonly token: string } | { readonly reason: string } | undefined)[];
  readonly asOf: readonly string[];
  readonly waitMs: number;
  readonly traverseMs: number;
  /** Reads how long encoding took, when the rest is written. */
  readonly encodeMs: () => number;
}

export function* partsOf(traversal: Traversal, frame: AnswerFrame): Generator<TraversalPart> {
  for (const [number, level] of traversal.levels.entries()) {
    const before = traversal.levels[number - 1];
    if (level.edges && before) yield* edgeParts(number, level.edges, before.ids, level.ids);
    yield* nodeParts(number, level);
  }
  yield endOf(traversal, frame);
}

function* nodeParts(number: number, { type, ids, rows, select }: Level): Generator<NodesPart> {
  for (let from = 0; from < ids.length; from += rowsMax) {
    const to = Math.min(from + rowsMax, ids.length);
    yield { kind: "nodes", level: number, type, from, to, ids, rows, select };
  }
}

function* edgeParts(
  number: number,
  edges: LevelEdges,
  near: readonly string[],
  far: readonly string[],
): Generator<EdgesPart> {
  const { hop, count, firstSeenMs, lastSeenMs, properties } = edges;
  const fromIds: string[] = [];
  const toIds: string[] = [];
  for (let i = 0; i < count; i++) {
    const [origin, target] = [near[edges.origins[i]!]!, far[edges.targets[i]!]!];
    const walkedBack = edges.reversed[i] === 1;
    fromIds.push(walkedBack ? target : origin);
    toIds.push(walkedBack ? origin : target);
  }
  const columns = { fromIds, toIds, firstSeenMs, lastSeenMs, properties, select: hop.selectEdge };
  for (let from = 0; from < count; from += rowsMax) {
    yield { kind: "edges", level: number, edge: hop.edge, from, to: Math.min(from + rowsMax, count), ...columns };
  }
}

function endOf(traversal: Traversal, frame: AnswerFrame): EndPart {
  return {
    kind: "end",
    ...(frame.firstHop > 0 ? { fromHop: frame.firstHop } : {}),
    hops: hopAnswers(traversal, frame),
    complete: traversal.hops.every(({ cause }) => cause === undefined),
    asOf: frame.asOf,
    timings: timingsOf(traversal, frame),
  };
}

export function hopAnswers(traversal: Traversal, frame: AnswerFrame): HopAnswer[] {
  return traversal.hops.map(({ cause, cut }, i) => {
    if (cause === undefined) return { complete: true };
    const next = frame.next[i];
    const going = next === undefined ? {} : "token" in next ? { next: next.token } : { reason: next.reason };
    return { complete: false, truncated: { cause, nodes: cut.length, ...going } };
  });
}

export function timingsOf(traversal: Traversal, frame: AnswerFrame): TraversalTimings {
  return {
    waitMs: rounded(frame.waitMs),
    hopsMs: traversal.hopsMs.map(rounded),
    nodesMs: rounded(traversal.nodesMs),
    encodeMs: rounded(frame.encodeMs()),
  };
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
