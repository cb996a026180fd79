// One branch of a hop, from the nodes of one type: in one direction straight into the level's rows; in both, walked apart and merged record by record.
import { compareCodePoints } from "../model/avro/record-encoder.ts";
import type { GraphModel } from "../model/definition.ts";
import type { TruncationCause } from "../model/traversal.ts";
import type { StoreCapabilities, StoreReader } from "../store/port.ts";
import { EdgeRows } from "./edge-rows.ts";
import type { Spending } from "./spending.ts";
import type { HopPlan, WalkState } from "./traversal-plan.ts";
import { Walk, type WalkEnd, type WalkRecord, walkDone } from "./walk.ts";

/** Records of one adjacency request. */
const recordsMax = 1_000;
/** Records walked in both directions before they are merged. */
const recordsMergedMax = 50;

/** A node of the frontier whose edges are not all there; `walks` is missing when it cannot be continued. */
export interface CutRecord {
  readonly node: number;
  readonly walks?: readonly WalkState[];
}

export interface WalkedHop {
  readonly rows: EdgeRows;
  /** 1 for each node of the frontier at which an edge was found. */
  readonly found: Uint8Array;
  /** References of the far ends of edges that are listed once but were reached from both ends; they are neighbours, too. */
  readonly alsoReached: readonly number[];
  readonly cut: readonly CutRecord[];
  readonly cause: TruncationCause | undefined;
}

export interface HopContext {
  readonly reader: StoreReader;
  readonly capabilities: StoreCapabilities;
  readonly model: GraphModel;
  readonly spending: Spending;
  readonly signal: AbortSignal;
}

/** `walked[i]` says how far an earlier request came with node i of the frontier. */
export function walkHop(
  context: HopContext,
  hop: HopPlan,
  frontier: Int32Array,
  walked: readonly (readonly WalkState[])[] | undefined,
): Promise<WalkedHop> {
  return hop.walks.length === 1 ? walkOne(context, hop, frontier, walked) : walkBoth(context, hop, frontier, walked);
}

async function walkOne(
  context: HopContext,
  hop: HopPlan,
  frontier: Int32Array,
  walked: readonly (readonly WalkState[])[] | undefined,
): Promise<WalkedHop> {
  const walk = newWalk(context, hop, 0);
  const rows = new EdgeRows(hop.selectEdge.length, frontier.length * hop.limit);
  const found = new Uint8Array(frontier.length);
  const cuts = new Cuts();
  let before = 0;
  const ended = (record: WalkRecord, end: WalkEnd): void => {
    if (rows.count > before) found[record.node] = 1;
    before = rows.count;
    cuts.add(record.node, [end]);
  };
  for (let from = 0; from < frontier.length; from += recordsMax) {
    await walk.run(recordsOf(frontier, from, Math.min(from + recordsMax, frontier.length), walked, 0), rows, ended);
  }
  return { rows, found, alsoReached: [], cut: cuts.cut, cause: cuts.cause };
}

function newWalk({ reader, capabilities, model, spending, signal }: HopContext, hop: HopPlan, direction: number): Walk {
  return new Walk(reader, capabilities, model, hop, hop.walks[direction]!, spending, signal);
}

/** The records whose walk number `walk` has not been finished earlier. */
function recordsOf(
  frontier: Int32Array,
  from: number,
  to: number,
  walked: readonly (readonly WalkState[])[] | undefined,
  walk: number,
): WalkRecord[] {
  const records: WalkRecord[] = [];
  for (let node = from; node < to; node++) {
    const state = walked?.[node]?.[walk] ?? "fresh";
    if (state === "done") continue;
    const reference = frontier[node]!;
    records.push(state === "fresh" ? { node, reference } : { node, reference, after: state.after });
  }
  return records;
}

const severity: Readonly<Record<TruncationCause, number>> = {
  limit: 1,
  scan: 2,
  budget_edges: 3,
  budget_bytes: 4,
  deadline: 5,
};

export function graver(
  left: TruncationCause | undefined,
  right: TruncationCause | undefined,
): TruncationCause | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return severity[left] >= severity[right] ? left : right;
}

/** Collects the records that were cut short, and the gravest cause. */
class Cuts {
  readonly cut: CutRecord[] = [];
  cause: TruncationCause | undefined;

  add(node: number, ends: readonly WalkEnd[]): void {
    if (ends.every((end) => end.done)) return;
    const walks: WalkState[] = [];
    for (const end of ends) {
      if (end.done) walks.push("done");
      else {
        this.cause = graver(this.cause, end.cause);
        if (end.at !== undefined) walks.push(end.at === "fresh" ? "fresh" : { after: end.at });
      }
    }
    this.cut.push(walks.length === ends.length ? { node, walks } : { node });
  }
}

/** The rows of one record in one direction, and how far they have been taken over. */
class Side {
  readonly rows: EdgeRows;
  readonly ranges = new Map<number, { readonly from: number; readonly to: number; readonly end: WalkEnd }>();
  private before = 0;
  next = 0;
  to = 0;
  private from = 0;
  private end: WalkEnd = walkDone;

  constructor(hop: HopPlan) {
    this.rows = new EdgeRows(hop.selectEdge.length, hop.limit);
  }

  readonly ended = (record: WalkRecord, end: WalkEnd): void => {
    this.ranges.set(record.node, { from: this.before, to: this.rows.count, end });
    this.before = this.rows.count;
  };

  open(node: number): void {
    const range = this.ranges.get(node) ?? { from: 0, to: 0, end: walkDone };
    this.from = this.next = range.from;
    this.to = range.to;
    this.end = range.end;
  }

  /** How the record ends when nothing more is taken of it. */
  close(context: HopContext, hop: HopPlan, state: WalkState): WalkEnd {
    if (this.next === this.to) return this.end;
    if (hop.order !== "latest") return { done: false, cause: "limit", at: this.next > this.from ? undefined : "fresh" };
    if (this.next === this.from) {
      return { done: false, cause: "limit", at: typeof state === "object" ? state.after : "fresh" };
    }
    const row = this.next - 1;
    const neighbour = context.reader.id(hop.neighbourType, this.rows.neighbours[row]!);
    return { done: false, cause: "limit", at: { lastSeenMs: this.rows.lastSeenMs[row]!, neighbour } };
  }
}

async function walkBoth(
  context: HopContext,
  hop: HopPlan,
  frontier: Int32Array,
  walked: readonly (readonly WalkState[])[] | undefined,
): Promise<WalkedHop> {
  const walks = [newWalk(context, hop, 0), newWalk(context, hop, 1)];
  const rows = new EdgeRows(hop.selectEdge.length, frontier.length * hop.limit);
  const found = new Uint8Array(frontier.length);
  const seen = new Map<number, Set<number>>();
  const alsoReached: number[] = [];
  const cuts = new Cuts();
  for (let from = 0; from < frontier.length; from += recordsMergedMax) {
    const to = Math.min(from + recordsMergedMax, frontier.length);
    const sides = [new Side(hop), new Side(hop)];
    for (const [i, walk] of walks.entries()) {
      await walk.run(recordsOf(frontier, from, to, walked, i), sides[i]!.rows, sides[i]!.ended);
    }
    const read = sides[0]!.rows.count + sides[1]!.rows.count;
    const before = rows.count;
    for (let node = from; node < to; node++) {
      for (const side of sides) side.open(node);
      const taken = merge(context, hop, frontier[node]!, sides[0]!, sides[1]!, (side, row) => {
        const [neighbour, own] = [side.rows.neighbours[row]!, frontier[node]!];
        const [origin, target] = side === sides[0] ? [own, neighbour] : [neighbour, own];
        const targets = seen.get(origin) ?? new Set();
        seen.set(origin, targets);
        if (targets.has(target)) alsoReached.push(neighbour);
        else rows.copy(side.rows, row);
        targets.add(target);
      });
      if (taken > 0) found[node] = 1;
      cuts.add(
        node,
        sides.map((side, i) => side.close(context, hop, walked?.[node]?.[i] ?? "fresh")),
      );
    }
    context.spending.edgesLeft += read - (rows.count - before);
  }
  return { rows, found, alsoReached, cut: cuts.cut, cause: cuts.cause };
}

/** Takes up to the hop's limit of one record's rows of both sides, newest first; returns how many. A loop is an edge of the first side only. */
function merge(
  context: HopContext,
  hop: HopPlan,
  own: number,
  outward: Side,
  inward: Side,
  take: (side: Side, row: number) => void,
): number {
  let taken = 0;
  const skipLoop = (): void => {
    while (inward.next < inward.to && inward.rows.neighbours[inward.next] === own) inward.next++;
  };
  for (skipLoop(); taken < hop.limit && (outward.next < outward.to || inward.next < inward.to); skipLoop()) {
    const side = outward.next < outward.to && comesFirst(context, hop, outward, inward) ? outward : inward;
    take(side, side.next);
    side.next++;
    taken++;
  }
  return taken;
}

function comesFirst(context: HopContext, hop: HopPlan, outward: Side, inward: Side): boolean {
  if (inward.next === inward.to || hop.order === "any") return true;
  const [left, right] = [outward.rows.lastSeenMs[outward.next]!, inward.rows.lastSeenMs[inward.next]!];
  if (left !== right) return left > right;
  const id = (side: Side): string => context.reader.id(hop.neighbourType, side.rows.neighbours[side.next]!);
  return compareCodePoints(id(outward), id(inward)) <= 0;
}
