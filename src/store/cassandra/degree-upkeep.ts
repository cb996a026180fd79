// Keeps the degrees of records with many edges: names the records, counts what is there, and settles what is written from then on (docs/adr/0128).
import type { types } from "cassandra-driver";
import type { DegreeCounters } from "./degree-counters.ts";
import { type ListKind, listsOf, tableOf } from "./layout.ts";
import { bucketsOf, recordIn, wholeRecord } from "./partitions.ts";
import type { RowsRead } from "./rows-read.ts";
import type { Statement } from "./session.ts";
import { edgeStatements } from "./statements.ts";
import { nameOfList, type Supernodes } from "./supernodes.ts";

const pageRows = 1_000;

export interface DegreeUpkeepOptions {
  readonly rows: RowsRead;
  readonly supernodes: Supernodes;
  readonly counters: DegreeCounters;
}

export class DegreeUpkeep {
  readonly #options: DegreeUpkeepOptions;
  readonly #lists: readonly ListKind[];
  /** By the statement that writes a row of the list's edges. */
  readonly #byQuery: ReadonlyMap<string, ListKind>;

  constructor(options: DegreeUpkeepOptions) {
    const { layout } = options.rows;
    this.#options = options;
    this.#lists = layout.edges.flatMap(listsOf);
    this.#byQuery = new Map(
      this.#lists.map((list) => {
        const { forward, reverse } = edgeStatements(layout, list.edge);
        return [list.direction === "out" ? forward : reverse, list];
      }),
    );
  }

  /** To be called when these are written, and before anybody is told so. */
  async settle(statements: Iterable<Statement>): Promise<void> {
    const known = await this.#options.supernodes.known();
    if (known.size === 0) return;
    const touched = new Map<ListKind, Map<string, Set<string>>>();
    for (const { query, params } of statements) {
      const list = this.#byQuery.get(query);
      const records = list && known.get(nameOfList(list));
      if (list === undefined || records === undefined) continue;
      // Their keys are last: record, neighbour, slice.
      const record = recordIn(list, String(params.at(-3)));
      if (!records.has(record)) continue;
      const all = touched.get(list) ?? new Map<string, Set<string>>();
      touched.set(list, all.set(record, (all.get(record) ?? new Set()).add(String(params.at(-2)))));
    }
    await Promise.all(
      [...touched].flatMap(([list, records]) =>
        [...records].map(([record, neighbours]) => this.#options.counters.settle(list, record, neighbours)),
      ),
    );
  }

  /** Walks over the tables of edges, one each, that begin to keep the degrees of records with at least so many rows. */
  walks(rowsMin: number, signal: AbortSignal, onPage: () => Promise<void>): readonly (() => Promise<void>)[] {
    return this.#lists.map((list) => async () => {
      for await (const records of this.#largeIn(list, rowsMin, signal, onPage)) {
        const already = await this.#options.supernodes.countedAmong(list, records, signal);
        for (const record of records) if (!already.has(record)) await this.#count(list, record, signal, onPage);
      }
    });
  }

  async #count(list: ListKind, record: string, signal: AbortSignal, onPage: () => Promise<void>): Promise<void> {
    const { rows, supernodes, counters } = this.#options;
    await supernodes.name(list, record);
    const { where, param } = wholeRecord(list, record);
    const query = `SELECT nb FROM ${this.#tableOf(list)} WHERE ${where}`;
    let from: string | undefined;
    do {
      const page = await rows.session.read(query, [param], signal, { rowsMax: pageRows, from });
      await counters.settle(
        list,
        record,
        page.rows.map((row) => row.get("nb") as string),
      );
      from = page.next;
      await onPage();
    } while (from !== undefined);
    await supernodes.setCounted(list, record);
  }

  async *#largeIn(
    list: ListKind,
    rowsMin: number,
    signal: AbortSignal,
    onPage: () => Promise<void>,
  ): AsyncGenerator<readonly string[]> {
    const { session } = this.#options.rows;
    // Neighbours are spread evenly over buckets.
    const limit = Math.ceil(rowsMin / bucketsOf(list));
    const query = `SELECT rec FROM ${this.#tableOf(list)} PER PARTITION LIMIT ${limit}`;
    let from: string | undefined;
    let partition = "";
    let seen = 0;
    do {
      const page: { readonly rows: readonly types.Row[]; readonly next: string | undefined } = await session.read(
        query,
        [],
        signal,
        { rowsMax: pageRows, from },
      );
      const large = new Set<string>();
      for (const row of page.rows) {
        const found = row.get("rec") as string;
        seen = found === partition ? seen + 1 : 1;
        partition = found;
        if (seen === limit) large.add(recordIn(list, found));
      }
      yield [...large];
      from = page.next;
      await onPage();
    } while (from !== undefined);
  }

  #tableOf({ edge, direction }: ListKind): string {
    return tableOf(this.#options.rows.layout, direction === "out" ? edge.forward : edge.reverse);
  }
}
