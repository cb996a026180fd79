// Degrees that are kept, of records with many edges: how many of the record's edges are visible by themselves. Beside the number stands for each neighbour
// whether, and in which span of time, it is counted; both change together or not at all, and only if nobody else changed them meanwhile (a lightweight
// transaction within one partition). So a counter is settled by looking at rows as they are, as often as one likes: repeated frames, several writers and late
// arrivals end at the same number (docs/adr/0128).
//
// Edges that expire are counted by spans of the time at which they were seen last: spans that are over are left out, and the one in between is looked at.
import type { types } from "cassandra-driver";
import type { Clock } from "../../core/clock.ts";
import { hashBytes } from "../../core/hash.ts";
import { bigintCell, intCell } from "./cells.ts";
import { type ListKind, tableOf } from "./layout.ts";
import { partitionOf } from "./partitions.ts";
import { type RowsRead, stateAt, statesBy } from "./rows-read.ts";
import type { Parameter, Statement } from "./session.ts";
import { rowColumns } from "./statements.ts";
import { nameOfList } from "./supernodes.ts";

/** A record's counter is kept in so many partitions: none becomes large, and writers meet less often. */
const parts = Array.from({ length: 4 }, (_, part) => intCell(part));
/** Neighbours of one transaction; fewer when their ids are long. */
const neighboursMax = 100;
const neighboursBytesMax = 8 * 1024;
/** Spans that one ttl is cut into. */
const spansOfTtl = 16;
/** The span of a neighbour that is not counted. */
const nowhere = Number.MIN_SAFE_INTEGER;
const secondsMax = 630_000_000;

/** Counted edges by span. */
type Spans = ReadonlyMap<number, number>;

export interface KeptDegree {
  /** Of spans in which nothing can have expired. */
  readonly count: number;
  /** Those seen within these bounds are not counted here: some may have expired. */
  readonly besides: { readonly sinceMs: number; readonly untilMs: number } | undefined;
}

export interface DegreeCountersOptions {
  readonly rows: RowsRead;
  readonly clock: Clock;
  /** By which clocks may differ. */
  readonly slackMs: number;
}

export class DegreeCounters {
  readonly #options: DegreeCountersOptions;
  readonly #readParts: string;
  readonly #readNeighbours: string;
  readonly #first: string;
  readonly #next: string;
  readonly #place: string;

  constructor(options: DegreeCountersOptions) {
    const { layout } = options.rows;
    const table = tableOf(layout, layout.degrees);
    const key = "list = ? AND rec = ? AND part = ?";
    const update = `UPDATE ${table} SET version = ?, spans = ? WHERE ${key}`;
    this.#options = options;
    this.#readParts = `SELECT DISTINCT list, rec, part, version, spans FROM ${table} WHERE list = ? AND rec = ? AND part IN ?`;
    this.#readNeighbours = `SELECT nb, span FROM ${table} WHERE ${key} AND nb IN ?`;
    this.#first = `${update} IF version = NULL`;
    this.#next = `${update} IF version = ?`;
    this.#place = `UPDATE ${table} USING TTL ? SET span = ? WHERE ${key} AND nb = ?`;
  }

  /** Makes the counter agree with the rows of these neighbours as they are now. */
  async settle(list: ListKind, record: string, neighbours: Iterable<string>): Promise<void> {
    const byPart = Map.groupBy(new Set(neighbours), partOf);
    await Promise.all(
      [...byPart].map(async ([part, all]) => {
        for (const some of inSteps(all)) while (!(await this.#settleOnce(list, record, part, some)));
      }),
    );
  }

  /** What is kept; the edges of the span in which some may have expired are for the caller to count. */
  async read(list: ListKind, record: string, nowMs: number, signal: AbortSignal): Promise<KeptDegree> {
    const { rows } = await this.#options.rows.session.read(this.#readParts, [nameOfList(list), record, parts], signal);
    const { ttlMs } = list.edge;
    const sinceMs = ttlMs === undefined ? -Infinity : nowMs - ttlMs + 1;
    const between = ttlMs === undefined ? nowhere : spanOf(sinceMs, ttlMs);
    let count = 0;
    for (const row of rows) for (const [span, edges] of spansIn(row)) if (span > between) count += edges;
    if (ttlMs === undefined) return { count, besides: undefined };
    return { count, besides: { sinceMs, untilMs: (between + 1) * spanMsOf(ttlMs) } };
  }

  /** False when somebody else changed the counter meanwhile. */
  async #settleOnce(list: ListKind, record: string, part: number, neighbours: readonly string[]): Promise<boolean> {
    const { session } = this.#options.rows;
    const name = nameOfList(list);
    const key = [name, record, parts[part]!];
    // Read first: whoever settles one of these neighbours between here and the writing makes this attempt fail.
    const [kept] = (await session.readToWrite(this.#readParts, [name, record, [parts[part]!]])).rows;
    const version = kept === undefined ? undefined : ((kept.get("version") as number | null) ?? undefined);
    const [places, present] = await Promise.all([
      session.readToWrite(this.#readNeighbours, [...key, neighbours]),
      this.#presentSpans(list, record, neighbours),
    ]);
    const before = new Map(
      places.rows.map((row) => [row.get("nb") as string, (row.get("span") as types.Long | null)?.toNumber()]),
    );
    const spans = new Map(kept === undefined ? [] : spansIn(kept));
    const statements: Statement[] = [];
    for (const neighbour of neighbours) {
      const was = before.get(neighbour) ?? nowhere;
      const is = present.get(neighbour)!;
      if (was === is) continue;
      if (was !== nowhere) spans.set(was, (spans.get(was) ?? 0) - 1);
      if (is !== nowhere) spans.set(is, (spans.get(is) ?? 0) + 1);
      statements.push({ query: this.#place, params: [this.#secondsOf(list, is), bigintCell(is), ...key, neighbour] });
    }
    if (statements.length === 0) return true;
    const counter: Parameter[] = [(version ?? 0) + 1, this.#spansCell(list, spans), ...key];
    return await session.writeIf([
      version === undefined
        ? { query: this.#first, params: counter }
        : { query: this.#next, params: [...counter, version] },
      ...statements,
    ]);
  }

  /** Where each of the neighbours is to be counted, as its rows are now. */
  async #presentSpans(
    list: ListKind,
    record: string,
    neighbours: readonly string[],
  ): Promise<ReadonlyMap<string, number>> {
    const { rows } = this.#options;
    const { edge, direction } = list;
    const table = tableOf(rows.layout, direction === "out" ? edge.forward : edge.reverse);
    const query = `SELECT ${rowColumns(["nb"], [])} FROM ${table} WHERE rec = ? AND nb IN ?`;
    const byPartition = [...Map.groupBy(neighbours, (neighbour) => partitionOf(list, record, neighbour))];
    const found = await Promise.all(byPartition.map((params) => rows.session.readToWrite(query, params)));
    const states = statesBy(
      found.flatMap((page) => page.rows),
      "nb",
      rows.lifeOf(edge),
    );
    return new Map(
      neighbours.map((neighbour) => {
        const { lastSeenMs, removedAtMs } = stateAt(states, neighbour);
        const isCounted = lastSeenMs > removedAtMs && !this.#isOver(list, spanOf(lastSeenMs, edge.ttlMs));
        return [neighbour, isCounted ? spanOf(lastSeenMs, edge.ttlMs) : nowhere];
      }),
    );
  }

  /** Whether all that was seen in the span has expired, whatever clock one goes by. */
  #isOver({ edge: { ttlMs } }: ListKind, span: number): boolean {
    const { clock, slackMs } = this.#options;
    // More slack than the ttl would keep more spans than it is cut into several times.
    return ttlMs !== undefined && this.#endOf(ttlMs, span, Math.min(ttlMs, slackMs)) < clock.now();
  }

  /** When all that was seen in the span has expired, by a clock that is late by so much. */
  #endOf(ttlMs: number, span: number, slackMs: number): number {
    return (span + 1) * spanMsOf(ttlMs) + ttlMs + slackMs;
  }

  /** How long a neighbour's place is of use, and never less: a place that is gone before its span is over would be counted twice. 0 is for ever. */
  #secondsOf({ edge: { ttlMs } }: ListKind, span: number): number {
    if (ttlMs === undefined || span === nowhere) return 0;
    const { clock, slackMs } = this.#options;
    const seconds = Math.max(1, Math.ceil((this.#endOf(ttlMs, span, slackMs) - clock.now()) / 1000));
    return seconds > secondsMax ? 0 : seconds;
  }

  #spansCell(list: ListKind, spans: Spans): Buffer {
    const cells: Buffer[] = [];
    for (const [span, edges] of spans) {
      if (edges > 0 && !this.#isOver(list, span)) cells.push(bigintCell(span), bigintCell(edges));
    }
    return Buffer.concat(cells);
  }
}

const encoder = new TextEncoder();

function partOf(neighbour: string): number {
  const bytes = encoder.encode(neighbour);
  return hashBytes(bytes, 0, bytes.length) % parts.length;
}

function* inSteps(neighbours: readonly string[]): Generator<readonly string[]> {
  let step: string[] = [];
  let bytes = 0;
  for (const neighbour of neighbours) {
    if (step.length === neighboursMax || (step.length > 0 && bytes + neighbour.length > neighboursBytesMax)) {
      yield step;
      [step, bytes] = [[], 0];
    }
    step.push(neighbour);
    bytes += neighbour.length;
  }
  if (step.length > 0) yield step;
}

const spanMsOf = (ttlMs: number): number => Math.max(1, Math.floor(ttlMs / spansOfTtl));

function spanOf(timeMs: number, ttlMs: number | undefined): number {
  return ttlMs === undefined ? 0 : Math.floor(timeMs / spanMsOf(ttlMs));
}

/** As `#spansCell` wrote them. */
function* spansIn(row: types.Row): Generator<readonly [number, number]> {
  const cell = (row.get("spans") as Buffer | null) ?? Buffer.alloc(0);
  for (let at = 0; at < cell.length; at += 16) {
    yield [Number(cell.readBigInt64BE(at)), Number(cell.readBigInt64BE(at + 8))];
  }
}
