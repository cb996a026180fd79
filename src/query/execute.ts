// Runs a traversal plan on a store, breadth first: per level one deduplicated frontier, its edges, then its nodes. Knows the store port only.
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { Turns } from "../core/turns.ts";
import type { GraphModel } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { TruncationCause } from "../model/traversal.ts";
import type { NodeRows, Store, StoreReader } from "../store/port.ts";
import { type EdgeRows, Frontier } from "./edge-rows.ts";
import { type HopContext, type WalkedHop, walkHop } from "./hop.ts";
import { Spending, weigh } from "./spending.ts";
import type { HopPlan, TraversalPlan, WalkState } from "./traversal-plan.ts";

/** Nodes of one request to the store. */
const nodesMax = 5_000;

/** The answer in columns; what of it becomes text is up to the encoder. */
export interface Traversal {
  readonly levels: readonly Level[];
  readonly hops: readonly HopOutcome[];
  readonly hopsMs: readonly number[];
  readonly nodesMs: number;
  /** Edges that the store looked at. */
  readonly scanned: number;
}

export interface Level {
  /** Index of the node type. */
  readonly type: number;
  readonly ids: readonly string[];
  readonly select: readonly number[];
  readonly rows: NodeRows;
  /** Missing at level 0. */
  readonly edges?: LevelEdges;
}

/** Edge i leads between node `origins[i]` of the level before and node `targets[i]` of this level; `reversed[i]` is 1 where it was walked against its direction. */
export interface LevelEdges {
  readonly hop: HopPlan;
  readonly count: number;
  readonly origins: Int32Array;
  readonly targets: Int32Array;
  readonly reversed: Uint8Array;
  readonly firstSeenMs: Float64Array;
  readonly lastSeenMs: Float64Array;
  readonly properties: readonly (readonly PropertyValue[])[];
}

/** `cut` is empty when the hop is complete. */
export interface HopOutcome {
  readonly cause: TruncationCause | undefined;
  readonly cut: readonly { readonly id: string; readonly walks?: readonly WalkState[] }[];
}

export interface Execution {
  readonly model: GraphModel;
  readonly store: Store;
  readonly clock: Clock;
  readonly turns: Turns;
}

/** `startedMs` (monotonic) is when the request came: its deadline counts from there. */
export async function executeTraversal(
  plan: TraversalPlan,
  execution: Execution,
  startedMs: number,
  signal: AbortSignal,
): Promise<Traversal> {
  const reader = execution.store.reader();
  try {
    return await walkLevels(plan, execution, reader, startedMs, signal);
  } finally {
    reader.close();
  }
}

async function walkLevels(
  plan: TraversalPlan,
  { model, store, clock, turns }: Execution,
  reader: StoreReader,
  startedMs: number,
  signal: AbortSignal,
): Promise<Traversal> {
  const spending = new Spending(plan.budget, clock, turns, startedMs);
  const context: HopContext = { reader, capabilities: store.capabilities, model, spending, signal };
  const starts = await findStarts(plan, reader, signal);
  const levels: Level[] = [];
  const hops: HopOutcome[] = [];
  const hopsMs: number[] = [];
  let nodesMs = 0;
  let frontier = starts.references;
  let type = plan.start.type;
  let edges: LevelEdges | undefined;
  for (let h = 0; h <= plan.hops.length; h++) {
    const hop = plan.hops[h];
    const hopFromMs = clock.monotonicMs();
    const walked = hop && (await walkHop(context, hop, frontier, h === 0 ? starts.walked : undefined));
    const nodesFromMs = clock.monotonicMs();
    const select = h === 0 ? plan.start.select : plan.hops[h - 1]!.selectNode;
    const ids = idsOf(reader, type, frontier);
    const level: Level = {
      type,
      ids,
      select,
      rows: await readNodes(context, type, frontier, select),
      ...(edges && { edges }),
    };
    nodesMs += clock.monotonicMs() - nodesFromMs;
    const kept = h === 0 ? keptStarts(level, walked?.found) : undefined;
    levels.push(kept ? keepNodes(level, kept) : level);
    if (!walked) break;
    hops.push({ cause: walked.cause, cut: walked.cut.map(({ node, ...rest }) => ({ id: ids[node]!, ...rest })) });
    hopsMs.push(nodesFromMs - hopFromMs);
    const reached = reachedBy(hop, walked);
    edges = kept ? { ...reached.edges, origins: renumbered(reached.edges, kept) } : reached.edges;
    frontier = reached.frontier;
    type = hop.neighbourType;
  }
  return { levels, hops, hopsMs, nodesMs, scanned: plan.budget.scannedMax - spending.scannedLeft };
}

/** References of the starts that were ever mentioned. */
async function findStarts(
  plan: TraversalPlan,
  reader: StoreReader,
  signal: AbortSignal,
): Promise<{ references: Int32Array; walked: readonly (readonly WalkState[])[] | undefined }> {
  const found = await reader.find(plan.start.type, plan.start.ids, signal);
  return {
    references: found.filter((reference) => reference >= 0),
    walked: plan.start.walked?.filter((_, i) => found[i]! >= 0),
  };
}

function idsOf(reader: StoreReader, type: number, references: Int32Array): string[] {
  const ids = new Array<string>(references.length);
  for (let i = 0; i < ids.length; i++) ids[i] = reader.id(type, references[i]!);
  return ids;
}

/** The next frontier: each neighbour once, in the order in which it was reached. */
function reachedBy(hop: HopPlan, walked: WalkedHop): { frontier: Int32Array; edges: LevelEdges } {
  const { rows } = walked;
  const frontier = new Frontier(rows.count);
  const targets = new Int32Array(rows.count);
  for (let i = 0; i < rows.count; i++) targets[i] = frontier.add(rows.neighbours[i]!);
  for (const reference of walked.alsoReached) frontier.add(reference);
  return { frontier: frontier.references.subarray(0, frontier.count), edges: levelEdges(hop, rows, targets) };
}

function levelEdges(hop: HopPlan, rows: EdgeRows, targets: Int32Array): LevelEdges {
  const { count, origins, reversed, firstSeenMs, lastSeenMs, properties } = rows;
  return { hop, count, origins, targets, reversed, firstSeenMs, lastSeenMs, properties };
}

async function readNodes(
  { reader, model, spending, signal }: HopContext,
  type: number,
  references: Int32Array,
  select: readonly number[],
): Promise<NodeRows> {
  const heavy = select.flatMap((property, column) => {
    const { type: of, merge } = model.nodes[type]!.properties[property]!;
    return merge === "union" || ["string", "bytes", "array", "map", "record"].includes(of.kind) ? [column] : [];
  });
  const parts: NodeRows[] = [];
  for (let from = 0; from < references.length || from === 0; from += nodesMax) {
    const part = await reader.nodes({ type, references: references.subarray(from, from + nodesMax), select }, signal);
    for (const column of heavy) spending.bytesLeft -= weigh(part.properties[column]!, 0, part.visible.length);
    // Values may overdraw what edges were allowed, once: a level without its nodes would be no answer.
    if (spending.bytesLeft < -spending.bytesMax) throw tooLarge();
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

/** The new number of each start, -1 for those that do not exist: not visible, and without an edge found. Undefined when all exist. */
function keptStarts(level: Level, found: Uint8Array | undefined): Int32Array | undefined {
  const numbers = new Int32Array(level.ids.length);
  let kept = 0;
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = level.rows.visible[i] === 1 || found?.[i] === 1 ? kept++ : -1;
  }
  return kept === numbers.length ? undefined : numbers;
}

function keepNodes(level: Level, numbers: Int32Array): Level {
  const keep = <T>(_: T, i: number): boolean => numbers[i]! >= 0;
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
  };
}

function renumbered(edges: LevelEdges, numbers: Int32Array): Int32Array {
  return edges.origins.slice(0, edges.count).map((origin) => numbers[origin]!);
}
