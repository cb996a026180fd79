// Breadth-first search from both ends for a shortest path, over any edge types: which side goes on is decided by what it would cost, so a node with millions
// of edges is left to the other side where that is possible. Per node no more than a limit of edges is looked at; what that may have hidden is accounted for.
import type { Direction } from "../../store/port.ts";
import { together } from "../siblings.ts";
import type { Branch } from "./branches.ts";
import { type Look, type Looking, EdgeProbe, EdgeTest, isLate, lookAt } from "./looking.ts";
import { NodeTable, Steps, unreached } from "./node-table.ts";

/** Degrees are asked for to choose a side while the frontiers have no more nodes than this together. */
const degreesMax = 100;
const degreeScanMax = 1_000;
/** Of a node whose degree the store would have to count for longer than that. */
const costUnknown = 1_000_000;
/** Single edges looked for, per level, between nodes whose lists were not looked through and the other side's frontier. */
const probesMax = 1_000;
const probesAtOnce = 50;

export interface PathEnds {
  readonly type: number;
  readonly reference: number;
}

export interface PathQuestion {
  readonly from: PathEnds;
  readonly to: PathEnds;
  readonly branches: readonly Branch[];
  readonly depthMax: number;
  /** Edges looked at per node and branch. */
  readonly limit: number;
  /** Per node type: the fewest edges that lead from `from`, and on to `to`, as the schema is. */
  readonly typeDistances: readonly [readonly number[], readonly number[]];
}

/** One end's half of the search: 0 begins at `from`, 1 at `to` and walks against the branches. */
interface Side {
  readonly side: 0 | 1;
  readonly steps: Steps;
  /** Numbers of the nodes at `depth`. */
  frontier: number[];
  depth: number;
  /** Of the nodes one edge nearer to where the side began. */
  cuts: readonly Cut[];
  /** The least depth of a node whose edges were not all looked at: nodes up to that depth are all known. */
  cutAt: number;
}

/** A node, and a branch of which not all of its edges were looked at. */
interface Cut {
  readonly branch: number;
  readonly node: number;
}

export class PathSearch {
  readonly nodes = new NodeTable();
  readonly sides: readonly [Side, Side];
  /** Where the two sides met on a shortest path. */
  meetings: number[] = [];
  length: number | undefined;
  /** A budget ended the search. */
  stopped = false;
  readonly #looking: Looking;
  readonly #question: PathQuestion;
  /** No path of up to so many edges was missed, by what `#probe` has proven. */
  #probedRadius = 0;

  constructor(looking: Looking, question: PathQuestion) {
    this.#looking = looking;
    this.#question = question;
    const side = (number: 0 | 1, { type, reference }: PathEnds): Side => {
      const node = this.nodes.add(type, reference);
      this.nodes.setDepth(number, node, 0);
      return { side: number, steps: new Steps(), frontier: [node], depth: 0, cuts: [], cutAt: Infinity };
    };
    this.sides = [side(0, question.from), side(1, question.to)];
  }

  /** Whether the outcome is proven: no shorter path, or none at all up to the depth asked for. */
  get complete(): boolean {
    const [left, right] = this.sides;
    const radius = Math.max(known(left) + known(right), this.#probedRadius);
    return this.length === undefined ? this.#question.depthMax <= radius : this.length <= radius + 1;
  }

  /** Sets `length` and `meetings` when there is a path. */
  async run(): Promise<void> {
    const [left, right] = this.sides;
    while (this.length === undefined && !this.stopped && left.depth + right.depth < this.#question.depthMax) {
      const ended = this.sides.filter(({ frontier }) => frontier.length === 0);
      // A side that has seen everything there is proves that the other one cannot be reached.
      if (ended.length === 2 || ended.some(({ cutAt }) => cutAt === Infinity)) return;
      const side = ended.length === 1 ? this.sides[1 - ended[0]!.side]! : await this.#cheaper();
      try {
        await this.#expand(side);
      } catch (error) {
        if (!isLate(error)) throw error;
        this.#looking.spending.beLate();
        this.stopped = true;
        side.cutAt = Math.min(side.cutAt, side.depth);
      }
    }
  }

  async #cheaper(): Promise<Side> {
    const [left, right] = this.sides;
    const few = left.frontier.length + right.frontier.length <= degreesMax;
    if (!few || !this.#looking.capabilities.exactDegrees) {
      return left.frontier.length <= right.frontier.length ? left : right;
    }
    return (await this.#cost(left)) <= (await this.#cost(right)) ? left : right;
  }

  /** Edges of the frontier, about. */
  async #cost(side: Side): Promise<number> {
    const { reader, spending, signal } = this.#looking;
    let cost = 0;
    const frontier = this.#byType(side);
    for (const branch of this.#question.branches) {
      const walk = walkOf(branch, side.side);
      const nodes = frontier[walk.near]!;
      if (nodes.length === 0 || !this.#leadsOn(side, walk.far)) continue;
      const { edge, direction } = walk;
      const references = this.#references(nodes);
      const degrees = await reader.degrees({ edge, direction, references, scanMax: degreeScanMax }, signal);
      for (const { count, exact } of degrees) cost += exact ? count : costUnknown;
      const pause = spending.tick(signal);
      if (pause) await pause;
    }
    return cost;
  }

  async #expand(side: Side): Promise<void> {
    const next: number[] = [];
    const cuts: Cut[] = [];
    const frontier = this.#byType(side);
    for (const [number, branch] of this.#question.branches.entries()) {
      const { near, far } = walkOf(branch, side.side);
      if (!this.#leadsOn(side, far)) continue;
      let nodes = frontier[near]!;
      if (side.side === 1) nodes = await this.#passing(branch, nodes);
      if (nodes.length === 0) continue;
      if (!(await this.#walk(side, number, nodes, next, cuts))) {
        this.stopped = true;
        break;
      }
    }
    if (this.stopped || cuts.length > 0) side.cutAt = Math.min(side.cutAt, side.depth);
    side.frontier = next;
    side.depth++;
    side.cuts = cuts;
    this.#meet(side);
    // What either side has not looked through may still lead to the other's frontier.
    for (const cutSide of [side, this.sides[1 - side.side]!]) {
      if (this.length !== undefined || this.stopped) return;
      await this.#probe(cutSide);
      this.#meet(cutSide);
    }
  }

  /** Follows one branch from nodes of the frontier. False when a budget ended that. */
  async #walk(side: Side, number: number, nodes: readonly number[], next: number[], cuts: Cut[]): Promise<boolean> {
    const branch = this.#question.branches[number]!;
    const { edge, direction, far } = walkOf(branch, side.side);
    const { sinceMs, untilMs, edgeFilter } = branch;
    const look: Look = {
      edge,
      direction,
      far,
      sinceMs,
      untilMs,
      filters: edgeFilter === undefined ? [] : [edgeFilter],
    };
    const options = { order: "latest", scanMax: this.#question.limit } as const;
    let ended = 0;
    for await (const passed of lookAt(this.#looking, look, this.#references(nodes), options)) {
      const from = nodes[passed.record]!;
      const found = Array.from(passed.neighbours.subarray(0, passed.count), (reference) =>
        this.nodes.add(far, reference),
      );
      for (const to of side.side === 0 ? await this.#passing(branch, found) : found) {
        if (this.#reach(side, side.depth + 1, from, to, number)) next.push(to);
      }
      if (passed.end === undefined) continue;
      ended = passed.record + 1;
      if (passed.end !== "complete") cuts.push({ branch: number, node: from });
    }
    return ended === nodes.length;
  }

  /** Whether the node is new to the side. */
  #reach(side: Side, depth: number, from: number, to: number, branch: number): boolean {
    const known = this.nodes.depth(side.side, to);
    if (known === unreached) this.nodes.setDepth(side.side, to, depth);
    else if (known !== depth) return false;
    side.steps.add(from, to, branch);
    return known === unreached;
  }

  /**
   * Where nodes have more edges than are looked at, at least their edges to the other side's frontier are looked for one by one: two nodes with millions of edges
   * that are connected directly are found, and it is proven when they are not.
   */
  async #probe(side: Side): Promise<void> {
    const { spending, signal } = this.#looking;
    const other = this.sides[1 - side.side]!;
    if (side.cuts.length === 0) return;
    const frontier = this.#byType(other);
    const probes = side.cuts.map(({ branch, node }) => {
      const walk = walkOf(this.#question.branches[branch]!, side.side);
      return { branch, node, targets: frontier[walk.far]! };
    });
    const count = probes.reduce((sum, { targets }) => sum + targets.length, 0);
    if (count > Math.min(probesMax, spending.scannedLeft)) return;
    for (const { branch: number, node, targets } of probes) {
      const branch = this.#question.branches[number]!;
      const { edgeFilter } = branch;
      const look = { ...branch, filters: edgeFilter === undefined ? [] : [edgeFilter] };
      const probe = new EdgeProbe(this.#looking, look, branch.near, []);
      const wanted = side.side === 0 ? await this.#passing(branch, targets) : targets;
      for (let at = 0; at < wanted.length; at += probesAtOnce) {
        const some = wanted.slice(at, at + probesAtOnce);
        const found = await together(
          signal,
          some.map((target) => (within) => {
            const [near, far] = side.side === 0 ? [node, target] : [target, node];
            return probe.find(this.nodes.references[near]!, this.nodes.references[far]!, within);
          }),
        );
        for (const [i, row] of found.entries()) {
          if (row !== undefined && this.#reach(side, side.depth, node, some[i]!, number)) side.frontier.push(some[i]!);
        }
        const pause = spending.tick(signal);
        if (pause) await pause;
        if (spending.exhausted === "deadline") {
          this.stopped = true;
          return;
        }
      }
    }
    const isKnown = side.cutAt === side.depth - 1 && known(other) >= other.depth;
    if (isKnown) this.#probedRadius = Math.max(this.#probedRadius, side.depth + other.depth);
  }

  #meet(side: Side): void {
    const other = 1 - side.side;
    for (const node of side.frontier) {
      const depth = this.nodes.depth(other, node);
      if (depth === unreached) continue;
      const length = side.depth + depth;
      if (this.length === undefined || length < this.length) {
        this.length = length;
        this.meetings = [];
      }
      if (length === this.length) this.meetings.push(node);
    }
  }

  /** Nodes that meet the branch's condition on what it leads to; the end of the path need not. */
  async #passing(branch: Branch, nodes: readonly number[]): Promise<readonly number[]> {
    const { nodeFilter, edge, far } = branch;
    if (nodeFilter === undefined || nodes.length === 0) return nodes;
    const test = new EdgeTest(this.#looking, { edge, far }, [nodeFilter]);
    const count = nodes.length;
    const unused = new Float64Array(count);
    const columns = { count, neighbours: this.#references(nodes), firstSeenMs: unused, lastSeenMs: unused };
    const passes = await test.test({ ...columns, properties: [] });
    return nodes.filter((node, i) => passes[i] === 1 || this.nodes.depth(1, node) === 0);
  }

  /** Whether nodes of the type, one edge farther, can still be on a path that is short enough. */
  #leadsOn(side: Side, type: number): boolean {
    return side.depth + 1 + this.#question.typeDistances[1 - side.side]![type]! <= this.#question.depthMax;
  }

  /** The frontier's nodes, by the index of their type. */
  #byType({ frontier }: Side): readonly (readonly number[])[] {
    const byType = this.#looking.model.nodes.map((): number[] => []);
    for (const node of frontier) byType[this.nodes.types[node]!]!.push(node);
    return byType;
  }

  #references(nodes: readonly number[]): Int32Array {
    return Int32Array.from(nodes, (node) => this.nodes.references[node]!);
  }
}

/** Nodes up to this depth are all known. */
function known({ cutAt, depth, frontier }: Side): number {
  return Math.min(cutAt, frontier.length === 0 ? Infinity : depth);
}

interface SideWalk {
  readonly edge: number;
  readonly direction: Direction;
  readonly near: number;
  readonly far: number;
}

/** A branch as a side walks it. */
function walkOf({ edge, direction, near, far }: Branch, side: 0 | 1): SideWalk {
  if (side === 0) return { edge, direction, near, far };
  return { edge, direction: direction === "out" ? "in" : "out", near: far, far: near };
}
