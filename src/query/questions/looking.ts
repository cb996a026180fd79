// How questions look at edges: a branch's adjacency lists in batches, or single edges by their ends; within a budget, and with the conditions that the store
// does not evaluate itself.
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import { type Predicate, collectProperties, compileFilter, filterTypes } from "../../model/filter-predicate.ts";
import type { Filter, PropertyValue } from "../../model/filter.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  Direction,
  EdgeRow,
  StoreCapabilities,
  StoreReader,
} from "../../store/port.ts";
import { lateCode } from "../concurrency/adaptive-limit.ts";
import type { Spending } from "../spending.ts";
import type { Branch } from "./branches.ts";

/** What a question may use while it is answered. */
export interface Looking {
  readonly model: GraphModel;
  readonly reader: StoreReader;
  readonly capabilities: StoreCapabilities;
  readonly spending: Spending;
  readonly signal: AbortSignal;
}

/** Edges that passed. The last batch of each record has `end`. */
export interface Passed {
  /** Index in the references that were given. */
  readonly record: number;
  readonly count: number;
  readonly neighbours: Int32Array;
  readonly lastSeenMs: Float64Array;
  readonly end: AdjacencyBatch["end"];
}

export interface LookOptions {
  readonly order: AdjacencyRequest["order"];
  /** Edges looked at per record; no more than the budget has left. */
  readonly scanMax: number;
}

/** A branch in the direction in which it is looked at. */
export interface Look {
  readonly edge: number;
  readonly direction: Direction;
  /** Index of the neighbours' node type. */
  readonly far: number;
  readonly sinceMs: number | undefined;
  readonly untilMs: number | undefined;
  /** All of them must hold. */
  readonly filters: readonly Filter[];
}

/** A branch as it is asked for, with all of its conditions. */
export function lookAlong(branch: Branch): Look {
  const filters = [branch.edgeFilter, branch.nodeFilter].filter((filter) => filter !== undefined);
  return { ...branch, filters };
}

/** Records whose store may look at many edges before it answers are asked about one by one: no budget is overdrawn then. */
const recordsMax = 1_000;

/**
 * The edges of each node, in the order of `references`. Stops where the budget is used up: what then has had no `end` was not, or not wholly, looked at.
 */
export async function* lookAt(
  looking: Looking,
  look: Look,
  references: Int32Array,
  { order, scanMax }: LookOptions,
): AsyncGenerator<Passed> {
  const { reader, spending, signal, capabilities } = looking;
  const theirs = look.filters.filter((filter) => isTheirs(filter, capabilities));
  const ours = look.filters.filter((filter) => !theirs.includes(filter));
  const test = ours.length > 0 ? new EdgeTest(looking, look, ours) : undefined;
  const recordsAtOnce = theirs.length > 0 ? 1 : recordsMax;
  for (let from = 0; from < references.length && spending.exhausted === undefined; from += recordsAtOnce) {
    const records = Array.from(references.subarray(from, from + recordsAtOnce), (reference) => ({ reference }));
    const request: AdjacencyRequest = {
      edge: look.edge,
      direction: look.direction,
      order,
      records,
      limit: 0x7fffffff,
      scanMax: Math.min(scanMax, spending.scannedLeft),
      ...(look.sinceMs === undefined ? {} : { sinceMs: look.sinceMs }),
      ...(look.untilMs === undefined ? {} : { untilMs: look.untilMs }),
      ...(theirs.length === 0 ? {} : { where: theirs.length > 1 ? { kind: "and", filters: theirs } : theirs[0]! }),
      select: test?.edgeSelect ?? [],
    };
    const batches = reader.adjacency(request, signal)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const batch = await inTime(looking, batches.next());
        if (batch === undefined) return;
        if (batch.done === true) break;
        const { record, end, scanned } = batch.value;
        spending.scannedLeft -= scanned;
        const passed = test === undefined ? batch.value : await inTime(looking, test.passing(batch.value));
        if (passed === undefined) return;
        const { count, neighbours, lastSeenMs } = passed;
        const pause = spending.tick(signal);
        if (pause) await pause;
        yield { record: from + record, count, neighbours, lastSeenMs, end };
        if (spending.exhausted !== undefined) return;
      }
    } finally {
      await batches.return?.();
    }
  }
}

/** Undefined when the store gave up at the deadline; from then on the time is used up. Other failures stay failures. */
export async function inTime<T>({ spending }: Looking, reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (!isLate(error)) throw error;
    spending.beLate();
    return undefined;
  }
}

export function isLate(error: unknown): boolean {
  return error instanceof RdgError && error.code === lateCode;
}

function isTheirs(filter: Filter, { filters }: StoreCapabilities): boolean {
  return (filters.edge || !looksAt(filter, "edge")) && (filters.node || !looksAt(filter, "node"));
}

function looksAt(filter: Filter, of: "edge" | "node"): boolean {
  if ("filters" in filter) return filter.filters.some((part) => looksAt(part, of));
  return filter.kind === "not" ? looksAt(filter.filter, of) : filter.target.of === of;
}

/** Columns of edges to one sort of neighbours. */
type Columns = Pick<AdjacencyBatch, "count" | "neighbours" | "firstSeenMs" | "lastSeenMs" | "properties">;

/** Conditions on edges of one type and the nodes that they lead to, evaluated here. */
export class EdgeTest {
  /** Properties of the edges that it needs, as the first columns. */
  readonly edgeSelect: readonly number[];
  readonly #nodeSelect: readonly number[];
  readonly #looksAtNodes: boolean;
  readonly #predicate: Predicate;
  readonly #looking: Looking;
  readonly #far: number;

  constructor(looking: Looking, { edge, far }: Pick<Look, "edge" | "far">, filters: readonly Filter[]) {
    const [ofEdges, ofNodes] = [new Set<number>(), new Set<number>()];
    for (const filter of filters) {
      collectProperties(filter, "edge", ofEdges);
      collectProperties(filter, "node", ofNodes);
    }
    this.edgeSelect = [...ofEdges];
    this.#nodeSelect = [...ofNodes];
    this.#looksAtNodes = filters.some((filter) => looksAt(filter, "node"));
    this.#predicate = compileFilter({ kind: "and", filters }, filterTypes(looking.model, edge, far));
    this.#looking = looking;
    this.#far = far;
  }

  /** 1 for each row that passes. */
  async test(columns: Columns, signal = this.#looking.signal): Promise<Uint8Array> {
    const { reader } = this.#looking;
    const { count } = columns;
    const references = columns.neighbours.slice(0, count);
    const nodes = this.#looksAtNodes
      ? await reader.nodes({ type: this.#far, references, select: this.#nodeSelect }, signal)
      : undefined;
    let row = 0;
    const lookup: Parameters<Predicate>[0] = (target): PropertyValue => {
      const seen = target.of === "edge" ? columns : nodes;
      if (seen === undefined || (target.of === "node" && nodes!.visible[row] !== 1)) return undefined;
      if ("time" in target) return target.time === "lastSeen" ? seen.lastSeenMs[row] : seen.firstSeenMs[row];
      const select = target.of === "edge" ? this.edgeSelect : this.#nodeSelect;
      return seen.properties[select.indexOf(target.property)]![row];
    };
    const passes = new Uint8Array(count);
    for (; row < count; row++) passes[row] = this.#predicate(lookup) ? 1 : 0;
    return passes;
  }

  async passing(batch: Columns): Promise<Pick<Columns, "count" | "neighbours" | "lastSeenMs">> {
    const passes = await this.test(batch);
    const keep = (_: number, row: number): boolean => passes[row] === 1;
    const neighbours = batch.neighbours.slice(0, batch.count).filter(keep);
    return { count: neighbours.length, neighbours, lastSeenMs: batch.lastSeenMs.slice(0, batch.count).filter(keep) };
  }
}

/** Looks for single edges of a branch by their ends, with all of the branch's conditions. */
export class EdgeProbe {
  readonly #looking: Looking;
  readonly #look: Look;
  readonly #near: number;
  readonly #test: EdgeTest | undefined;
  readonly #select: readonly number[];
  readonly #needed: readonly number[];

  /** @param near index of the node type that the edges are walked from; @param select properties of the rows */
  constructor(looking: Looking, look: Look, near: number, select: readonly number[]) {
    this.#looking = looking;
    this.#look = look;
    this.#near = near;
    this.#test = look.filters.length > 0 ? new EdgeTest(looking, look, look.filters) : undefined;
    this.#select = select;
    this.#needed = [...new Set([...(this.#test?.edgeSelect ?? []), ...select])];
  }

  /** The edge that leads from one node to another, when it is there and passes. Counts as one edge looked at. */
  async find(near: number, far: number, signal: AbortSignal): Promise<EdgeRow | undefined> {
    const { reader, spending } = this.#looking;
    const { edge, sinceMs = -Infinity, untilMs = Infinity } = this.#look;
    spending.scannedLeft--;
    const [from, to] = this.ends(near, far);
    const row = await reader.edge({ edge, from, to, select: this.#needed }, signal);
    if (row === undefined || row.lastSeenMs < sinceMs || row.lastSeenMs >= untilMs) return undefined;
    if (this.#test !== undefined) {
      const columns = {
        count: 1,
        neighbours: Int32Array.of(far),
        firstSeenMs: Float64Array.of(row.firstSeenMs),
        lastSeenMs: Float64Array.of(row.lastSeenMs),
        properties: row.properties.map((value) => [value]),
      };
      if ((await this.#test.test(columns, signal))[0] !== 1) return undefined;
    }
    return { ...row, properties: this.#select.map((property) => row.properties[this.#needed.indexOf(property)]) };
  }

  /** Ids in the declared direction. */
  ends(near: number, far: number): readonly [from: string, to: string] {
    const { reader } = this.#looking;
    const [nearId, farId] = [reader.id(this.#near, near), reader.id(this.#look.far, far)];
    return this.#look.direction === "out" ? [nearId, farId] : [farId, nearId];
  }
}
