// Hot path of queries: one branch in one direction. Reads adjacency from the store, evaluates what the store does not, keeps within limits and budgets,
// and says of every record how far it came. Work per edge is on columns; objects exist per record and per batch only.
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import {
  type FilterTypes,
  type Predicate,
  collectProperties,
  compileFilter,
  filterTypes,
} from "../model/filter-predicate.ts";
import type { Filter, PropertyValue } from "../model/filter.ts";
import type { TruncationCause } from "../model/traversal.ts";
import type {
  AdjacencyBatch,
  AdjacencyCursor,
  Direction,
  NodeRows,
  StoreCapabilities,
  StoreReader,
} from "../store/port.ts";
import { lateCode } from "./concurrency/adaptive-limit.ts";
import type { EdgeRows } from "./edge-rows.ts";
import { type Spending, weigh } from "./spending.ts";
import type { HopPlan } from "./traversal-plan.ts";

/** A record to walk from: its number in the frontier, its reference, and where to go on. */
export interface WalkRecord {
  readonly node: number;
  readonly reference: number;
  readonly after?: AdjacencyCursor;
}

/** How a record's walk ended. Without a cursor, an unfinished walk cannot be continued. */
export type WalkEnd =
  | { readonly done: true }
  | { readonly done: false; readonly cause: TruncationCause; readonly at: WalkPlace };

type WalkPlace = "fresh" | AdjacencyCursor | undefined;

export const walkDone: WalkEnd = { done: true };

/** One direction of a hop, made ready once. */
export class Walk {
  private readonly reader: StoreReader;
  private readonly hop: HopPlan;
  private readonly direction: Direction;
  private readonly spending: Spending;
  private readonly signal: AbortSignal;
  private readonly storeFilter: Filter | undefined;
  private readonly ownFilter: Predicate | undefined;
  private readonly edgeSelect: readonly number[];
  private readonly nodeSelect: readonly number[];
  private readonly weighed: readonly number[];

  constructor(
    reader: StoreReader,
    capabilities: StoreCapabilities,
    model: GraphModel,
    hop: HopPlan,
    direction: Direction,
    spending: Spending,
    signal: AbortSignal,
  ) {
    this.reader = reader;
    this.hop = hop;
    this.direction = direction;
    this.spending = spending;
    this.signal = signal;
    const { edgeFilter, nodeFilter } = hop;
    const filters = [edgeFilter, nodeFilter].filter((filter) => filter !== undefined);
    const ours = filters.filter((filter) => !capabilities.filters[filter === edgeFilter ? "edge" : "node"]);
    const theirs = filters.filter((filter) => !ours.includes(filter));
    const types = filterTypes(model, hop.edge, hop.neighbourType);
    this.storeFilter = theirs.length > 1 ? { kind: "and", filters: theirs } : theirs[0];
    this.ownFilter = ours.length > 0 ? compileFilter({ kind: "and", filters: ours }, types) : undefined;
    this.edgeSelect = withFiltered(hop.selectEdge, ours.includes(edgeFilter!) ? edgeFilter : undefined, "edge");
    this.nodeSelect = withFiltered([], ours.includes(nodeFilter!) ? nodeFilter : undefined, "node");
    this.weighed = heavyColumns(hop.selectEdge, types);
  }

  /**
   * Walks the records in order, appending to `rows`; calls `ended` once per record, in order, when all its rows are there. Records that a budget kept from
   * being walked end too.
   */
  async run(
    records: readonly WalkRecord[],
    rows: EdgeRows,
    ended: (record: WalkRecord, end: WalkEnd) => void,
  ): Promise<void> {
    let walked = 0;
    // Asked again each time: a branch that is walked at the same time gives back what it did not need.
    while (walked < records.length && this.spending.exhausted === undefined) {
      if (this.ownFilter === undefined) {
        walked += await this.runInStore(walked === 0 ? records : records.slice(walked), rows, ended);
      } else {
        ended(records[walked]!, await this.runFiltered(records[walked]!, rows));
        walked++;
      }
    }
    for (; walked < records.length; walked++) {
      const record = records[walked]!;
      ended(record, { done: false, cause: this.spending.exhausted!, at: record.after ?? "fresh" });
    }
  }

  /** The store applies filters and limits; returns how many records were walked. */
  private async runInStore(
    records: readonly WalkRecord[],
    rows: EdgeRows,
    ended: (record: WalkRecord, end: WalkEnd) => void,
  ): Promise<number> {
    const { spending } = this;
    let [walked, before] = [0, rows.count];
    try {
      return await this.readInStore(records, rows, (record, end) => {
        ended(record, end);
        [walked, before] = [walked + 1, rows.count];
      });
    } catch (error) {
      if (!isLate(error)) throw error;
      spending.beLate();
      const record = records[walked]!;
      ended(record, this.cut("deadline", rows.count > before ? this.cursorBehind(rows) : (record.after ?? "fresh")));
      return walked + 1;
    }
  }

  private async readInStore(
    records: readonly WalkRecord[],
    rows: EdgeRows,
    ended: (record: WalkRecord, end: WalkEnd) => void,
  ): Promise<number> {
    const { spending, hop } = this;
    let before = rows.count;
    for await (const batch of this.adjacency(records, hop.limit)) {
      const record = records[batch.record]!;
      const taken = Math.min(batch.count, spending.edgesLeft);
      this.take(batch, 0, taken, record, rows);
      const pause = spending.tick(this.signal);
      if (pause) await pause;
      // What was left out is cut, also when other branches have given something back by now.
      const exhausted = spending.exhausted ?? (taken < batch.count ? "budget_edges" : undefined);
      if (batch.end !== undefined && taken === batch.count) {
        ended(record, batch.end === "complete" ? walkDone : this.cut(batch.end, batch.cursor));
        before = rows.count;
        if (exhausted !== undefined) return batch.record + 1;
      } else if (exhausted !== undefined) {
        const at = rows.count > before ? this.cursorBehind(rows) : (record.after ?? "fresh");
        ended(record, this.cut(exhausted, at));
        return batch.record + 1;
      }
    }
    return records.length;
  }

  /** One record whose edges are filtered here. */
  private async runFiltered(record: WalkRecord, rows: EdgeRows): Promise<WalkEnd> {
    const reached: { at: WalkPlace } = { at: record.after ?? "fresh" };
    try {
      return await this.readFiltered(record, rows, reached);
    } catch (error) {
      if (!isLate(error)) throw error;
      this.spending.beLate();
      return this.cut("deadline", reached.at);
    }
  }

  /** `reached` goes along: behind the last batch that was done with. */
  private async readFiltered(record: WalkRecord, rows: EdgeRows, reached: { at: WalkPlace }): Promise<WalkEnd> {
    const { spending, hop } = this;
    let room = hop.limit;
    for await (const batch of this.adjacency([record], 0x7fffffff)) {
      const nodes = this.nodeSelect.length > 0 || this.hop.nodeFilter ? await this.neighbours(batch) : undefined;
      const accepts = this.acceptor(batch, nodes);
      for (let i = 0; i < batch.count; i++) {
        if (!accepts(i)) continue;
        if (room === 0 || spending.edgesLeft === 0) {
          return this.cut(room === 0 ? "limit" : "budget_edges", i > 0 ? this.cursorAt(batch, i) : reached.at);
        }
        this.take(batch, i, i + 1, record, rows, 0);
        room--;
      }
      spending.scannedLeft -= batch.scanned;
      const pause = spending.tick(this.signal);
      if (pause) await pause;
      if (batch.end === "complete") return walkDone;
      if (batch.count > 0) reached.at = this.cursorAt(batch, batch.count);
      if (batch.end !== undefined) return this.cut(batch.end, batch.cursor ?? reached.at);
      const exhausted = spending.exhausted;
      if (exhausted !== undefined && exhausted !== "budget_edges") return this.cut(exhausted, reached.at);
    }
    return walkDone;
  }

  private adjacency(records: readonly WalkRecord[], limit: number): AsyncIterable<AdjacencyBatch> {
    const { hop } = this;
    return this.reader.adjacency(
      {
        edge: hop.edge,
        direction: this.direction,
        order: hop.order,
        records,
        limit,
        scanMax: this.spending.scanMax,
        ...(hop.sinceMs === undefined ? {} : { sinceMs: hop.sinceMs }),
        ...(hop.untilMs === undefined ? {} : { untilMs: hop.untilMs }),
        ...(this.storeFilter === undefined ? {} : { where: this.storeFilter }),
        select: this.edgeSelect,
      },
      this.signal,
    );
  }

  private take(
    batch: AdjacencyBatch,
    from: number,
    to: number,
    record: WalkRecord,
    rows: EdgeRows,
    scanned = batch.scanned,
  ): void {
    rows.append(batch, from, to, record.node, this.direction === "in" ? 1 : 0);
    this.spending.edgesLeft -= to - from;
    this.spending.scannedLeft -= scanned;
    for (const column of this.weighed) this.spending.bytesLeft -= weigh(batch.properties[column]!, from, to);
  }

  private cut(cause: TruncationCause, at: WalkPlace): WalkEnd {
    return { done: false, cause, at: at === "fresh" || this.hop.order === "latest" ? at : undefined };
  }

  /** Behind the row before `row`. */
  private cursorAt(batch: AdjacencyBatch, row: number): AdjacencyCursor | undefined {
    if (this.hop.order !== "latest" || row === 0) return undefined;
    return {
      lastSeenMs: batch.lastSeenMs[row - 1]!,
      neighbour: this.reader.id(this.hop.neighbourType, batch.neighbours[row - 1]!),
    };
  }

  /** Behind the last row. */
  private cursorBehind(rows: EdgeRows): AdjacencyCursor | undefined {
    if (this.hop.order !== "latest") return undefined;
    const row = rows.count - 1;
    return {
      lastSeenMs: rows.lastSeenMs[row]!,
      neighbour: this.reader.id(this.hop.neighbourType, rows.neighbours[row]!),
    };
  }

  private neighbours(batch: AdjacencyBatch): Promise<NodeRows> {
    return this.reader.nodes(
      { type: this.hop.neighbourType, references: batch.neighbours.slice(0, batch.count), select: this.nodeSelect },
      this.signal,
    );
  }

  private acceptor(batch: AdjacencyBatch, nodes: NodeRows | undefined): (row: number) => boolean {
    const filter = this.ownFilter!;
    let row = 0;
    const lookup = (target: Parameters<Parameters<Predicate>[0]>[0]): PropertyValue => {
      if (target.of === "edge") {
        if ("time" in target) return target.time === "lastSeen" ? batch.lastSeenMs[row] : batch.firstSeenMs[row];
        return batch.properties[this.edgeSelect.indexOf(target.property)]![row];
      }
      if (nodes?.visible[row] !== 1) return undefined;
      if ("time" in target) return target.time === "lastSeen" ? nodes.lastSeenMs[row] : nodes.firstSeenMs[row];
      return nodes.properties[this.nodeSelect.indexOf(target.property)]![row];
    };
    return (i) => {
      row = i;
      return filter(lookup);
    };
  }
}

/** Whether the store was given up because the deadline has passed. */
function isLate(error: unknown): boolean {
  return error instanceof RdgError && error.code === lateCode;
}

/** The selected columns first, then those that only the filter needs. */
function withFiltered(select: readonly number[], filter: Filter | undefined, of: "edge" | "node"): readonly number[] {
  const columns = new Set(select);
  collectProperties(filter, of, columns);
  return [...columns];
}

/** Positions, among the selected, of columns whose values have no fixed size. */
function heavyColumns(select: readonly number[], types: FilterTypes): number[] {
  const fixed = new Set(["int32", "int64", "double", "boolean", "timestamp", "enum"]);
  return select.flatMap((property, column) => {
    const { type, merge } = types.edge[property]!;
    return fixed.has(type.kind) && merge !== "union" ? [] : [column];
  });
}
