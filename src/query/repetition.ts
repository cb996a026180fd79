import { type Predicate, collectProperties, compileFilter } from "../model/filter-predicate.ts";
// A hop that is walked again from what it reached: which nodes each repetition walks from, so that none is walked from twice, and what the next hop starts from.
import type { PropertyValue } from "../model/filter.ts";
import { Frontier } from "./edge-rows.ts";
import type { HopContext } from "./hop.ts";
import type { LevelNodes } from "./level.ts";
import { type FrontierNodes, idsOf } from "./step.ts";
import type { ReachedPlan, StepPlan } from "./traversal-plan.ts";

/** Properties that `until` looks at and that are not selected. */
export function untilColumns(until: ReachedPlan["until"], select: readonly number[]): readonly number[] {
  if (until === undefined || until === "never") return [];
  const columns = new Set<number>();
  collectProperties(until, "node", columns);
  return [...columns].filter((property) => !select.includes(property));
}

export class Repetition {
  private readonly context: HopContext;
  /** By node type: what was walked from, and what the next hop starts from. */
  private readonly walked = new Map<number, Frontier>();
  private readonly gathered = new Map<number, Frontier>();

  constructor(frontier: readonly FrontierNodes[], context: HopContext) {
    this.context = context;
    for (const { type, references } of frontier) {
      for (const reference of references) of(this.walked, type, references.length).add(reference);
    }
  }

  /** What is walked from next, after a step has reached these nodes. */
  next(step: StepPlan, reached: readonly FrontierNodes[], nodes: readonly LevelNodes[]): FrontierNodes[] {
    const onwards: FrontierNodes[] = [];
    for (const [i, { type, references, ids }] of reached.entries()) {
      const { until } = step.reached.find((plan) => plan.type === type)!;
      const ends = until === undefined ? undefined : this.ending(until, nodes[i]!);
      const walked = of(this.walked, type, references.length);
      const kept: number[] = [];
      for (let row = 0; row < references.length; row++) {
        const reference = references[row]!;
        const isEnd = ends?.(row) ?? false;
        if (isEnd || ends === undefined) of(this.gathered, type, references.length).add(reference);
        if (isEnd) continue;
        const known = walked.count;
        if (walked.add(reference) === known) kept.push(row);
      }
      if (kept.length === 0) continue;
      onwards.push({
        type,
        references: Int32Array.from(kept, (row) => references[row]!),
        ids: kept.map((row) => ids[row]!),
      });
    }
    return step.isLast ? this.everything() : onwards;
  }

  private everything(): FrontierNodes[] {
    return Array.from(this.gathered, ([type, frontier]) => {
      const references = frontier.references.subarray(0, frontier.count);
      return { type, references, ids: idsOf(this.context.reader, type, references) };
    });
  }

  /** Whether the node in a row meets the condition. */
  private ending(
    until: NonNullable<ReachedPlan["until"]>,
    { type, rows, select }: LevelNodes,
  ): (row: number) => boolean {
    if (until === "never") return () => false;
    const columns = [...select, ...untilColumns(until, select)];
    const meets: Predicate = compileFilter(until, { edge: [], node: this.context.model.nodes[type]!.properties });
    return (row) =>
      meets((target): PropertyValue => {
        if (rows.visible[row] !== 1) return undefined;
        if ("time" in target) return target.time === "lastSeen" ? rows.lastSeenMs[row] : rows.firstSeenMs[row];
        return rows.properties[columns.indexOf(target.property)]![row];
      });
  }
}

function of(frontiers: Map<number, Frontier>, type: number, countExpected: number): Frontier {
  const known = frontiers.get(type);
  if (known !== undefined) return known;
  const frontier = new Frontier(countExpected);
  frontiers.set(type, frontier);
  return frontier;
}
