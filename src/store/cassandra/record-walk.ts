// The walk over one record's edges, batch by batch. Three ways, chosen as it goes:
//  - the record is small: its rows are read whole, and sorted here;
//  - order any: its rows are read page by page, in the order of the table;
//  - order latest: pages of the index name candidates, newest first, and their rows say which of them are current. An edge that was seen again has left its
//    earlier rows in the index; a row is current when the edge's last seen is its own.
// An edge that is seen again while its record is walked from the newest on is answered as it was when the index was read; behind a cursor, or below an upper
// bound, it may be missed, as from any store.
import type { types } from "cassandra-driver";
import type { AdjacencyBatch, AdjacencyCursor, AdjacencyRequest } from "../port.ts";
import { type ElementState, type LifeBounds, propertyOf } from "./element-state.ts";
import type { LargeRecords } from "./large-records.ts";
import { type EdgeLayout, type ListKind, type PropertyCells, tableOf } from "./layout.ts";
import { pagesOfList } from "./list-pages.ts";
import { wholeRecord } from "./partitions.ts";
import type { References } from "./references.ts";
import { type RowsRead, stateAt, statesBy } from "./rows-read.ts";
import type { Page } from "./session.ts";
import { rowColumns } from "./statements.ts";

/** Edges of one batch, by the port; also rows of one page of the index. */
const batchMax = 100;
/** Rows of one page where a record is read whole. */
const pageRows = 1_000;
/** Of the rows asked of the index, those beyond what is wanted: for rows that are not current. */
const spare = 1.2;
const spareRows = 4;

/** Rows of one page of the index at most, where few pass the filter. */
const filteredRows = 300;
/** Of the edges looked at: where fewer pass, what is not filtered by is read of those that passed alone. */
const fewPass = 0.25;
/** Edges that pass or not before it is known how many do. */
const looksFirst = 50;

/** The filter of a request, on edges. */
export interface EdgeFilter {
  readonly passes: (state: ElementState, lastSeenMs: number) => boolean;
  readonly properties: readonly PropertyCells[];
}

/** What all records of a request share. */
export interface WalkContext {
  readonly rows: RowsRead;
  readonly references: References;
  readonly request: AdjacencyRequest;
  readonly edge: EdgeLayout;
  readonly nowMs: number;
  readonly smallRecordRows: number;
  readonly filter: EdgeFilter | undefined;
  readonly select: readonly PropertyCells[];
  /** Those selected and those filtered by. */
  readonly looked: readonly PropertyCells[];
  readonly large: LargeRecords;
  /** Asked for while the records are read. */
  readonly removals: Promise<EndRemovals>;
  readonly signal: AbortSignal;
}

/** What is known of removed nodes at the ends of the edges. */
export interface EndRemovals {
  /** When records' own nodes were removed: those that were. */
  readonly records: ReadonlyMap<string, number>;
  /** Whether nodes of the neighbours' type were ever removed. */
  readonly neighbours: boolean;
}

interface Candidate {
  readonly id: string;
  readonly lastSeenMs: number;
  readonly state: ElementState;
  /** Its properties are still to be read. */
  readonly isBare: boolean;
}

/** Looked at so far: candidates in order, among them edges that turn out not to be visible. */
interface Looked {
  readonly candidates: readonly Candidate[];
  /** Edges, or rows of the index, that this took. */
  readonly scanned: number;
  readonly last: AdjacencyCursor | undefined;
  /** Nothing more is behind. */
  readonly isLast: boolean;
}

export class RecordWalk {
  isDone = false;
  readonly #context: WalkContext;
  readonly #record: number;
  readonly #id: string;
  readonly #life: LifeBounds;
  /** Visible edges are seen at or after this. */
  #sinceMs: number;
  #neighboursRemoved = false;
  #source: AsyncIterator<Looked> | undefined;
  /** Found and not answered yet. */
  #waiting: Candidate[] = [];
  #scanned = 0;
  #fresh = 0;
  #answered = 0;
  #cursor: AdjacencyCursor | undefined;
  #exhausted = false;
  /** Edges that the filter looked at, and those that passed. */
  #filtered = 0;
  #passed = 0;

  constructor(context: WalkContext, record: number, id: string) {
    const { edge, nowMs, request, rows } = context;
    this.#context = context;
    this.#record = record;
    this.#id = id;
    this.#life = rows.lifeOf(edge);
    const unexpiredMs = edge.ttlMs === undefined ? -Infinity : nowMs - edge.ttlMs + 1;
    this.#sinceMs = Math.max(request.sinceMs ?? -Infinity, unexpiredMs);
  }

  async next(): Promise<AdjacencyBatch> {
    const { limit, scanMax } = this.#context.request;
    this.#source ??= this.#look()[Symbol.asyncIterator]();
    while (this.#waiting.length < batchMax && !this.#exhausted && this.#wanted > 0 && this.#scanned < scanMax) {
      const { value, done } = await this.#source.next();
      if (done === true) this.#exhausted = true;
      else await this.#take(value);
    }
    const edges = this.#waiting.splice(0, Math.min(batchMax, limit - this.#answered));
    this.#answered += edges.length;
    const end = this.#end();
    return await this.#batch(edges, end);
  }

  /** Edges that may still be answered, beyond those that wait. */
  get #wanted(): number {
    return this.#context.request.limit - this.#answered - this.#waiting.length;
  }

  #end(): AdjacencyBatch["end"] {
    const { limit, scanMax } = this.#context.request;
    if (this.#waiting.length > 0) return this.#answered >= limit ? "limit" : undefined;
    if (this.#exhausted) return "complete";
    if (this.#answered >= limit) return "limit";
    return this.#scanned >= scanMax ? "scan" : undefined;
  }

  async #take({ candidates, scanned, last, isLast }: Looked): Promise<void> {
    const { rows, edge, request, signal } = this.#context;
    this.#scanned += scanned;
    this.#fresh += scanned;
    this.#cursor = last ?? this.#cursor;
    this.#exhausted = isLast;
    const seen = candidates.filter(({ lastSeenMs, state }) => this.#isWanted(lastSeenMs, state));
    const passed = await this.#filter(seen);
    if (!this.#neighboursRemoved || passed.length === 0) {
      this.#waiting.push(...passed);
      return;
    }
    const type = request.direction === "out" ? edge.to : edge.from;
    const removed = await rows.nodeRemovals(
      type,
      passed.map(({ id }) => id),
      signal,
    );
    this.#waiting.push(...passed.filter(({ id, lastSeenMs }) => lastSeenMs > (removed.get(id) ?? -Infinity)));
  }

  /** Those that pass the filter. */
  async #filter(seen: readonly Candidate[]): Promise<readonly Candidate[]> {
    const { filter, request, select } = this.#context;
    if (filter === undefined || seen.length === 0) return seen;
    const isElsewhere = request.direction === "in" && filter.properties.length > 0;
    const looked = isElsewhere ? await this.#withProperties(seen, this.#columns) : seen;
    const isBare = isElsewhere ? this.#columns !== this.#context.looked && select.length > 0 : undefined;
    const passed = looked.filter(({ state, lastSeenMs }) => filter.passes(state, lastSeenMs));
    this.#filtered += seen.length;
    this.#passed += passed.length;
    return isBare === undefined ? passed : passed.map((each) => ({ ...each, isBare }));
  }

  /** Properties that are read before an edge is filtered: with those selected, unless few pass. */
  get #columns(): readonly PropertyCells[] {
    const { filter, looked } = this.#context;
    const doFewPass = this.#filtered >= looksFirst && this.#passed < fewPass * this.#filtered;
    return filter !== undefined && doFewPass ? filter.properties : looked;
  }

  /** The same edges with these properties. */
  async #withProperties(
    edges: readonly Candidate[],
    properties: readonly PropertyCells[],
  ): Promise<readonly Candidate[]> {
    const { rows, edge, request, signal } = this.#context;
    const ids = edges.map(({ id }) => id);
    const found =
      request.direction === "in"
        ? await rows.origins(edge, ids, this.#id, properties, signal)
        : await rows.neighbours(edge.forward, edge, this.#id, ids, properties, signal);
    return edges.map((each) => ({
      ...each,
      state: { ...each.state, rows: stateAt(found, each.id).rows },
      isBare: false,
    }));
  }

  #isWanted(lastSeenMs: number, { removedAtMs }: ElementState): boolean {
    const { untilMs = Infinity } = this.#context.request;
    return lastSeenMs > removedAtMs && lastSeenMs >= this.#sinceMs && lastSeenMs < untilMs;
  }

  async #batch(edges: readonly Candidate[], end: AdjacencyBatch["end"]): Promise<AdjacencyBatch> {
    const { references, request, edge, select } = this.#context;
    const there = request.direction === "out" ? edge.to : edge.from;
    const ids = edges.map(({ id }) => id);
    const bare = edges.filter(({ isBare }) => isBare);
    const read = bare.length > 0 ? await this.#withProperties(bare, select) : bare;
    const whole = new Map(read.map((each) => [each.id, each]));
    const states = edges.map((each) => (whole.get(each.id) ?? each).state);
    const scanned = this.#fresh;
    this.#fresh = 0;
    this.isDone = end !== undefined;
    // What waits was looked at for this record but is not answered: whoever goes on begins behind the last answered edge.
    const cut = this.#waiting.length > 0 || end === "limit" ? edges.at(-1) : undefined;
    const cursor = cut === undefined ? this.#cursor : { lastSeenMs: cut.lastSeenMs, neighbour: cut.id };
    const goesOn = end === "limit" || end === "scan";
    return {
      record: this.#record,
      count: edges.length,
      neighbours: Int32Array.from(ids, (id) => references.of(there, id)),
      firstSeenMs: Float64Array.from(edges, ({ state }) => state.firstSeenMs),
      lastSeenMs: Float64Array.from(edges, ({ lastSeenMs }) => lastSeenMs),
      properties: select.map((property) => states.map((state) => propertyOf(property, state))),
      scanned,
      ...(end !== undefined && { end }),
      ...(goesOn && cursor !== undefined && { cursor }),
    };
  }

  async *#look(): AsyncGenerator<Looked> {
    const { request, rows, edge, smallRecordRows, large, removals, signal } = this.#context;
    const { direction, scanMax } = request;
    // The index has the bounds in time, the table has not.
    const order = request.sinceMs === undefined && request.untilMs === undefined ? request.order : "latest";
    const own = this.#own;
    const table = direction === "out" ? edge.forward : edge.reverse;
    const { where, param } = wholeRecord(this.#list, this.#id);
    const query = `SELECT ${rowColumns(["nb"], own)} FROM ${tableOf(rows.layout, table)} WHERE ${where}`;
    const rowsMax = Math.min(smallRecordRows, scanMax) + 1;
    const goesToIndex = order === "latest" && large.has(table, this.#id);
    const [ends, head] = await Promise.all([
      removals,
      goesToIndex ? undefined : rows.session.read(query, [param], signal, { rowsMax }),
    ]);
    this.#neighboursRemoved = ends.neighbours;
    this.#sinceMs = Math.max(this.#sinceMs, (ends.records.get(this.#id) ?? -Infinity) + 1);
    if (head === undefined) yield* this.#lookByIndex(table);
    else if (head.next === undefined && head.rows.length < rowsMax) yield this.#lookAtAll(head.rows);
    else {
      if (head.rows.length > smallRecordRows) large.add(table, this.#id);
      if (order === "any") yield* this.#lookByPages(query, head);
      else yield* this.#lookByIndex(table);
    }
  }

  /** Properties that are read with the rows of the record's own partition. */
  get #own(): readonly PropertyCells[] {
    return this.#context.request.direction === "out" ? this.#columns : [];
  }

  #isBareWith(own: readonly PropertyCells[]): boolean {
    return own !== this.#context.looked && this.#context.select.length > 0;
  }

  /** The whole record at once. */
  #lookAtAll(all: readonly types.Row[]): Looked {
    const { order, scanMax, records } = this.#context.request;
    const after = records[this.#record]!.after;
    const candidates = this.#candidatesOf(all).filter(
      ({ id, lastSeenMs, state }) =>
        this.#isWanted(lastSeenMs, state) && (after === undefined || behind(lastSeenMs, id, after) > 0),
    );
    if (order === "latest") {
      candidates.sort((a, b) => behind(a.lastSeenMs, a.id, { lastSeenMs: b.lastSeenMs, neighbour: b.id }));
    }
    return this.#looked(candidates, candidates.slice(0, scanMax), true);
  }

  async *#lookByPages(query: string, head: Page): AsyncGenerator<Looked> {
    const { rows, request, signal } = this.#context;
    const { param } = wholeRecord(this.#list, this.#id);
    let held: readonly types.Row[] = [];
    for (let page = head; ;) {
      const all = [...held, ...page.rows];
      // Rows of the last edge may go on in the next page.
      const split = page.next === undefined ? all.length : all.findIndex((row) => isOfSame(row, all.at(-1)!));
      held = all.slice(split);
      const candidates = this.#candidatesOf(all.slice(0, split));
      const left = request.scanMax - this.#scanned;
      yield this.#looked(candidates, candidates.slice(0, left), page.next === undefined);
      if (page.next === undefined) return;
      const rowsMax = Math.min(pageRows, request.scanMax - this.#scanned + 1);
      page = await rows.session.read(query, [param], signal, { rowsMax, from: page.next });
    }
  }

  async *#lookByIndex(table: string): AsyncGenerator<Looked> {
    const { rows, edge, request, signal } = this.#context;
    const fromTop = request.untilMs === undefined && request.records[this.#record]!.after === undefined;
    const sighted = new Set<string>();
    const pages = pagesOfList({
      rows,
      list: this.#list,
      id: this.#id,
      sinceMs: this.#sinceMs,
      untilMs: request.untilMs ?? Infinity,
      after: request.records[this.#record]!.after,
      rowsMax: () => Math.min(this.#pageOfIndex, request.scanMax - this.#scanned + 1),
      signal,
    });
    for await (const page of pages) {
      const own = this.#own;
      const isBare = this.#isBareWith(own);
      const listed = page.listed.slice(0, request.scanMax - this.#scanned);
      const ids = listed.map(({ id }) => id).filter((id) => !sighted.has(id));
      const states = await rows.neighbours(table, edge, this.#id, ids, own, signal);
      const candidates: Candidate[] = [];
      for (const { id, seenMs } of listed) {
        const state = stateAt(states, id);
        // Not written there yet: what it was before is listed further behind.
        if (sighted.has(id) || state.lastSeenMs < seenMs) continue;
        sighted.add(id);
        if (state.lastSeenMs === seenMs || fromTop) candidates.push({ id, lastSeenMs: seenMs, state, isBare });
      }
      const last = listed.at(-1);
      yield {
        candidates,
        scanned: listed.length,
        last: last && { lastSeenMs: last.seenMs, neighbour: last.id },
        isLast: page.isLast && listed.length === page.listed.length,
      };
    }
  }

  /** Rows of the next page of the index: about as many as there are to look at for what is wanted. */
  get #pageOfIndex(): number {
    const rows = Math.ceil(this.#wanted * spare) + spareRows;
    if (this.#filtered === 0) return Math.min(batchMax, rows);
    return Math.min(filteredRows, Math.ceil((rows * (this.#filtered + 1)) / (this.#passed + 1)));
  }

  get #list(): ListKind {
    return { edge: this.#context.edge, direction: this.#context.request.direction };
  }

  #candidatesOf(all: readonly types.Row[]): Candidate[] {
    // Read before anything was filtered: all that is in the partition.
    const isBare = this.#context.request.direction === "in" && this.#context.select.length > 0;
    return [...statesBy(all, "nb", this.#life)].map(([id, state]) => ({
      id,
      lastSeenMs: state.lastSeenMs,
      state,
      isBare,
    }));
  }

  #looked(all: readonly Candidate[], candidates: readonly Candidate[], isLastPage: boolean): Looked {
    const last = candidates.at(-1);
    return {
      candidates,
      scanned: candidates.length,
      last: last && { lastSeenMs: last.lastSeenMs, neighbour: last.id },
      isLast: isLastPage && candidates.length === all.length,
    };
  }
}

const isOfSame = (a: types.Row, b: types.Row): boolean => a.get("nb") === b.get("nb");

/** Positive when (lastSeenMs, id) comes behind the cursor in the order latest. */
function behind(lastSeenMs: number, id: string, cursor: AdjacencyCursor): number {
  return cursor.lastSeenMs - lastSeenMs || Buffer.compare(Buffer.from(id), Buffer.from(cursor.neighbour));
}
