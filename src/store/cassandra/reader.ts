// Reads for one request. Nothing is cached between calls: a cache stands before the store.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { collectProperties, compileFilter } from "../../model/filter-predicate.ts";
import type { Filter } from "../../model/filter.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  Degree,
  DegreesRequest,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  StoreReader,
} from "../port.ts";
import type { DegreeCounters } from "./degree-counters.ts";
import { degreeOf } from "./degrees.ts";
import { isVisible, propertyOf } from "./element-state.ts";
import type { LargeRecords } from "./large-records.ts";
import type { EdgeLayout, ListKind, PropertyCells } from "./layout.ts";
import { type EdgeFilter, type EndRemovals, RecordWalk, type WalkContext } from "./record-walk.ts";
import { References } from "./references.ts";
import type { Removals } from "./removals.ts";
import { type RowsRead, stateAt } from "./rows-read.ts";
import type { Supernodes } from "./supernodes.ts";

/** Records of one request that are read at the same time. */
const recordsAhead = 16;

export interface ReaderParts {
  readonly rows: RowsRead;
  readonly removals: Removals;
  readonly supernodes: Supernodes;
  readonly counters: DegreeCounters;
  readonly clock: Clock;
  readonly large: LargeRecords;
  readonly smallRecordRows: number;
}

export class CassandraReader implements StoreReader {
  readonly #parts: ReaderParts;
  readonly #references: References;
  readonly #closing = new AbortController();

  constructor(parts: ReaderParts) {
    this.#parts = parts;
    this.#references = new References(parts.rows.layout.nodes.length);
  }

  async find(type: number, ids: readonly string[], signal: AbortSignal): Promise<Int32Array> {
    const known = await this.#parts.rows.mentioned(type, ids.filter(isId), this.#either(signal));
    return Int32Array.from(ids, (id) => (known.has(id) ? this.#references.of(type, id) : -1));
  }

  id(type: number, reference: number): string {
    return this.#references.id(type, reference);
  }

  async nodes({ type, references, select }: NodesRequest, signal: AbortSignal): Promise<NodeRows> {
    const { rows, clock } = this.#parts;
    const node = rows.layout.nodes[type]!;
    const properties = cellsOf(node.properties, select);
    const ids = Array.from(references, (reference) =>
      reference < 0 ? undefined : this.#references.id(type, reference),
    );
    const asked = ids.filter((id) => id !== undefined);
    const states = await rows.nodes(type, asked, properties, this.#either(signal));
    const nowMs = clock.now();
    const found = ids.map((id) => {
      const state = id === undefined ? undefined : states.get(id);
      return state !== undefined && isVisible(state, rows.lifeOf(node), nowMs) ? state : undefined;
    });
    return {
      visible: Uint8Array.from(found, (state) => (state === undefined ? 0 : 1)),
      firstSeenMs: Float64Array.from(found, (state) => state?.firstSeenMs ?? 0),
      lastSeenMs: Float64Array.from(found, (state) => state?.lastSeenMs ?? 0),
      properties: properties.map((property) => found.map((state) => state && propertyOf(property, state))),
    };
  }

  /** Several records are read at the same time, and answered in order. */
  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    const either = this.#either(signal);
    either.throwIfAborted();
    const walks = this.#walksOf(request, either);
    const begun: Promise<AdjacencyBatch>[] = [];
    for (const [record, walk] of walks.entries()) {
      while (begun.length < Math.min(walks.length, record + recordsAhead)) {
        const first = walks[begun.length]!.next();
        // Asked for when it is its turn, which may never come.
        first.catch(() => undefined);
        begun.push(first);
      }
      yield await begun[record]!;
      while (!walk.isDone) {
        either.throwIfAborted();
        yield await walk.next();
      }
    }
  }

  async edge({ edge, from, to, select }: EdgeRequest, signal: AbortSignal): Promise<EdgeRow | undefined> {
    if (!isId(from) || !isId(to)) return undefined;
    const { rows, clock } = this.#parts;
    const either = this.#either(signal);
    const layout = rows.layout.edges[edge]!;
    const properties = cellsOf(layout.properties, select);
    const [states, hidden] = await Promise.all([
      rows.neighbours(layout.forward, layout, from, [to], properties, either),
      this.#endsRemovedAt(layout, from, to, either),
    ]);
    const state = stateAt(states, to);
    if (!isVisible(state, rows.lifeOf(layout), clock.now()) || state.lastSeenMs <= hidden) return undefined;
    const { firstSeenMs, lastSeenMs } = state;
    return { firstSeenMs, lastSeenMs, properties: properties.map((property) => propertyOf(property, state)) };
  }

  async degrees(request: DegreesRequest, signal: AbortSignal): Promise<readonly Degree[]> {
    const { edge, direction, references, scanMax } = request;
    const { rows, removals, supernodes, clock } = this.#parts;
    const either = this.#either(signal);
    const layout = rows.layout.edges[edge]!;
    const [here, there] = direction === "out" ? [layout.from, layout.to] : [layout.to, layout.from];
    const removed = await removals.among([here, there], either);
    const ids = Array.from(references, (reference) =>
      reference < 0 ? undefined : this.#references.id(here, reference),
    );
    const asked = ids.filter((id) => id !== undefined);
    const list: ListKind = { edge: layout, direction };
    const neighboursRemoved = removed.has(there);
    const [hidden, kept] = await Promise.all([
      removed.has(here) ? rows.nodeRemovals(here, asked, either) : undefined,
      // Counters do not know of edges that the removal of an end hides.
      neighboursRemoved ? undefined : supernodes.countedAmong(list, asked, either),
    ]);
    const count = async (id: string | undefined, i: number): Promise<Degree> => {
      if (id === undefined) return { count: 0, exact: true };
      const removedAtMs = hidden?.get(id) ?? -Infinity;
      if (removedAtMs === -Infinity && kept?.has(id) === true) return await this.#keptDegree(request, i, either);
      return await degreeOf(
        { rows, layout, direction, id, removedAtMs, neighboursRemoved, scanMax, nowMs: clock.now() },
        either,
      );
    };
    return await Promise.all(ids.map(count));
  }

  close(): void {
    this.#closing.abort(
      new RdgError("closed", "reader_closed", "The reader is closed.", { hint: "Open a reader per request." }),
    );
  }

  async #keptDegree(
    { edge, direction, references, scanMax }: DegreesRequest,
    i: number,
    signal: AbortSignal,
  ): Promise<Degree> {
    const { rows, counters, clock } = this.#parts;
    const layout = rows.layout.edges[edge]!;
    const reference = references[i]!;
    const id = this.#references.id(direction === "out" ? layout.from : layout.to, reference);
    const { count, besides } = await counters.read({ edge: layout, direction }, id, clock.now(), signal);
    if (besides === undefined) return { count, exact: true };
    const records = [{ reference }];
    const request = {
      edge,
      direction,
      order: "latest",
      limit: scanMax,
      scanMax,
      select: [],
      records,
      ...besides,
    } as const;
    const [walk] = this.#walksOf(request, signal);
    let more = 0;
    for (;;) {
      const batch = await walk!.next();
      more += batch.count;
      if (batch.end !== undefined) return { count: count + more, exact: batch.end === "complete" };
    }
  }

  #walksOf(request: AdjacencyRequest, signal: AbortSignal): readonly RecordWalk[] {
    const { rows, clock, large, smallRecordRows } = this.#parts;
    const edge = rows.layout.edges[request.edge]!;
    const [here, there] = request.direction === "out" ? [edge.from, edge.to] : [edge.to, edge.from];
    const ids = request.records.map(({ reference }) => this.#references.id(here, reference));
    const removals = this.#endRemovals(here, there, ids, signal);
    // Whoever waits for it is told; who does not get so far need not know.
    removals.catch(() => undefined);
    const select = cellsOf(edge.properties, request.select);
    const filter = request.where && this.#filterOf(request.where, edge);
    const context: WalkContext = {
      rows,
      references: this.#references,
      request,
      edge,
      nowMs: clock.now(),
      smallRecordRows,
      filter,
      select,
      looked: [...new Set([...select, ...(filter?.properties ?? [])])],
      large,
      removals,
      signal,
    };
    return ids.map((id, record) => new RecordWalk(context, record, id));
  }

  /** Filters on edges alone come here. */
  #filterOf(where: Filter, edge: EdgeLayout): EdgeFilter {
    const asked = new Set<number>();
    collectProperties(where, "edge", asked);
    const test = compileFilter(where, { edge: edge.properties.map(({ model }) => model), node: [] });
    return {
      properties: cellsOf(edge.properties, [...asked]),
      passes: (state, lastSeenMs) =>
        test((target) => {
          if ("property" in target) return propertyOf(edge.properties[target.property]!, state);
          return target.time === "firstSeen" ? state.firstSeenMs : lastSeenMs;
        }),
    };
  }

  async #endRemovals(here: number, there: number, ids: readonly string[], signal: AbortSignal): Promise<EndRemovals> {
    const { rows, removals } = this.#parts;
    const removed = await removals.among([here, there], signal);
    const records = removed.has(here) ? await rows.nodeRemovals(here, ids, signal) : new Map<string, number>();
    return { records, neighbours: removed.has(there) };
  }

  async #endsRemovedAt(edge: EdgeLayout, from: string, to: string, signal: AbortSignal): Promise<number> {
    const { rows, removals } = this.#parts;
    const removed = await removals.among([edge.from, edge.to], signal);
    const ends: readonly (readonly [number, string])[] = [
      [edge.from, from],
      [edge.to, to],
    ];
    const times = ends.map(async ([type, id]) =>
      removed.has(type) ? ((await rows.nodeRemovals(type, [id], signal)).get(id) ?? -Infinity) : -Infinity,
    );
    return Math.max(...(await Promise.all(times)));
  }

  #either(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal]);
  }
}

/** What can be an id at all: a lone surrogate is nobody's, though its bytes would read as another's. */
const isId = (id: string): boolean => id !== "" && id.isWellFormed();

function cellsOf(properties: readonly PropertyCells[], select: readonly number[]): readonly PropertyCells[] {
  return select.map((index) => properties[index]!);
}
