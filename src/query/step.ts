// One step of a traversal: all branches of a hop from one frontier, read from the store at the same time, and what they reach, each node once.
import type { StoreReader } from "../store/port.ts";
import { EdgeRows, Frontier } from "./edge-rows.ts";
import { type HopContext, type WalkedHop, graver, walkHop } from "./hop.ts";
import type { CutNode, LevelEdges, StepOutcome } from "./level.ts";
import { together } from "./siblings.ts";
import type { BranchPlan, StepPlan, WalkState } from "./traversal-plan.ts";

/** Distinct nodes of one type to walk from. */
export interface FrontierNodes {
  readonly type: number;
  readonly references: Int32Array;
  readonly ids: readonly string[];
  /** How far an earlier request came, per branch and node. */
  readonly walked?: ReadonlyMap<BranchPlan, readonly (readonly WalkState[])[]>;
}

export interface WalkedStep {
  readonly edges: readonly LevelEdges[];
  /** In the order of the plan; types of which nothing was reached are left out. */
  readonly reached: readonly FrontierNodes[];
  readonly outcome: StepOutcome;
  /** Per group of the frontier, 1 for each node at which an edge was found. */
  readonly found: readonly Uint8Array[];
}

interface Walked {
  readonly branch: BranchPlan;
  readonly from: FrontierNodes;
  readonly hop: WalkedHop;
}

export async function walkStep(
  context: HopContext,
  step: StepPlan,
  frontier: readonly FrontierNodes[],
): Promise<WalkedStep> {
  const tasks = step.branches.flatMap((branch) => {
    const from = frontier.find(({ type }) => type === branch.from);
    return from === undefined || from.references.length === 0 ? [] : [{ branch, from }];
  });
  context.spending.walkers = Math.max(1, tasks.length);
  const walk = async ({ branch, from }: (typeof tasks)[number], within: HopContext): Promise<Walked> => {
    return { branch, from, hop: await walkHop(within, branch, from.references, from.walked?.get(branch)) };
  };
  const walked =
    tasks.length === 1
      ? [await walk(tasks[0]!, context)]
      : await together(
          context.signal,
          tasks.map((task) => (signal) => walk(task, { ...context, signal })),
        );
  const kept = tasks.length === 1 ? walked : withoutRepeats(context, walked);
  const { edges, reached } = reach(context.reader, step, kept);
  return { edges, reached, outcome: outcomeOf(frontier, walked), found: foundOf(frontier, walked) };
}

/** An edge that two branches of its type found, from both of its ends, stays with the first; the far end of the other is reached all the same. */
function withoutRepeats({ spending }: HopContext, walked: readonly Walked[]): readonly Walked[] {
  const branchesOf = new Map<number, number>();
  for (const { branch } of walked) branchesOf.set(branch.edge, (branchesOf.get(branch.edge) ?? 0) + 1);
  if (![...branchesOf.values()].some((count) => count > 1)) return walked;
  const seen = new Map<number, Map<number, Set<number>>>();
  return walked.map((one) => {
    const { branch, from, hop } = one;
    if (branchesOf.get(branch.edge) === 1) return one;
    const { rows } = hop;
    const known = seen.get(branch.edge) ?? new Map<number, Set<number>>();
    seen.set(branch.edge, known);
    const kept = new EdgeRows(branch.selectEdge.length, rows.count);
    const alsoReached = [...hop.alsoReached];
    for (let i = 0; i < rows.count; i++) {
      const [near, far] = [from.references[rows.origins[i]!]!, rows.neighbours[i]!];
      const [origin, target] = rows.reversed[i] === 1 ? [far, near] : [near, far];
      const targets = known.get(origin) ?? new Set();
      known.set(origin, targets);
      if (targets.has(target)) alsoReached.push(far);
      else kept.copy(rows, i);
      targets.add(target);
    }
    spending.edgesLeft += rows.count - kept.count;
    return { branch, from, hop: { ...hop, rows: kept, alsoReached } };
  });
}

/** Each node once, in the order in which it was reached, and where edges lead by its number. */
function reach(
  reader: StoreReader,
  step: StepPlan,
  walked: readonly Walked[],
): { readonly edges: readonly LevelEdges[]; readonly reached: readonly FrontierNodes[] } {
  const frontiers = new Map<number, Frontier>();
  const targets = walked.map(({ branch, hop: { rows } }) => {
    const frontier = frontiers.get(branch.neighbourType) ?? new Frontier(rows.count);
    frontiers.set(branch.neighbourType, frontier);
    const numbers = new Int32Array(rows.count);
    for (let i = 0; i < rows.count; i++) numbers[i] = frontier.add(rows.neighbours[i]!);
    return numbers;
  });
  for (const { branch, hop } of walked) {
    const frontier = frontiers.get(branch.neighbourType)!;
    for (const reference of hop.alsoReached) frontier.add(reference);
  }
  const reached = step.reached.flatMap(({ type }): FrontierNodes[] => {
    const frontier = frontiers.get(type);
    if (frontier === undefined || frontier.count === 0) return [];
    const references = frontier.references.subarray(0, frontier.count);
    return [{ type, references, ids: idsOf(reader, type, references) }];
  });
  const edges = walked.map(({ branch, from, hop: { rows } }, i): LevelEdges => {
    const { count, origins, reversed, firstSeenMs, lastSeenMs, properties } = rows;
    const far = reached.find(({ type }) => type === branch.neighbourType)?.ids ?? [];
    const columns = { count, origins, reversed, firstSeenMs, lastSeenMs, properties };
    return { branch, near: from.ids, far, targets: targets[i]!, ...columns };
  });
  return { edges, reached };
}

export function idsOf(reader: StoreReader, type: number, references: Int32Array): string[] {
  const ids = new Array<string>(references.length);
  for (let i = 0; i < ids.length; i++) ids[i] = reader.id(type, references[i]!);
  return ids;
}

function foundOf(frontier: readonly FrontierNodes[], walked: readonly Walked[]): readonly Uint8Array[] {
  return frontier.map((from) => {
    const of = walked.filter((one) => one.from === from);
    if (of.length === 1) return of[0]!.hop.found;
    const found = new Uint8Array(from.references.length);
    for (const { hop } of of) for (let i = 0; i < found.length; i++) found[i]! |= hop.found[i]!;
    return found;
  });
}

function outcomeOf(frontier: readonly FrontierNodes[], walked: readonly Walked[]): StepOutcome {
  const cause = walked.reduce<StepOutcome["cause"]>((worst, { hop }) => graver(worst, hop.cause), undefined);
  if (cause === undefined) return { cause, cut: [] };
  return { cause, cut: frontier.flatMap((from) => cutNodes(from, walked)) };
}

/** The nodes that one of their branches was cut at, with how far each of their branches has come. */
function cutNodes(from: FrontierNodes, walked: readonly Walked[]): CutNode[] {
  const branches = walked.filter((one) => one.from === from);
  const numbers = new Set(branches.flatMap(({ hop }) => hop.cut.map(({ node }) => node)));
  if (numbers.size === 0) return [];
  const cuts = branches.map(({ hop }) => new Map(hop.cut.map((cut) => [cut.node, cut])));
  return [...numbers]
    .sort((a, b) => a - b)
    .map((node) => {
      const walks: WalkState[] = [];
      let isKnown = true;
      for (const [i, { branch }] of branches.entries()) {
        const cut = cuts[i]!.get(node);
        if (cut === undefined) for (const _ of branch.walks) walks.push("done");
        else if (cut.walks === undefined) isKnown = false;
        else walks.push(...cut.walks);
      }
      const { type, ids } = from;
      return isKnown ? { type, id: ids[node]!, walks } : { type, id: ids[node]! };
    });
}
