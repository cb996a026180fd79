// Takes away what readers pass over for good: rows of lists whose edge was seen again or removed since, lives that are over, items of sets beyond their bound.
// A slow walk over whole tables; it may be stopped and begun anew at any time.
import type { types } from "cassandra-driver";
import { unionMaxDefault } from "../../model/update/element.ts";
import { bigintCell } from "./cells.ts";
import { type EdgeLayout, type NodeLayout, quoted, tableOf } from "./layout.ts";
import { type RowsRead, stateAt } from "./rows-read.ts";
import type { Statement } from "./session.ts";
import type { CassandraBounds } from "./settings.ts";
import { elementsOf, listedIn, type ScannedRow } from "./table-scan.ts";
import { inBatches } from "./write-batches.ts";

export interface SweepOptions {
  /** Every frame that was published before this moment is applied. Lives that ended long enough before it are forgotten. */
  readonly publishedMs: number;
  /** Called after each page of at most 1,000 rows, with what was taken away so far; the walk goes on when it resolves. */
  readonly onPage?: (swept: Swept) => Promise<void>;
  /** A number by which the table to begin with is chosen: walks that are often interrupted get everywhere when each begins elsewhere. */
  readonly first?: number;
}

export interface Swept {
  /** Rows of lists. */
  readonly listed: number;
  /** Elements of which earlier lives, or all, were forgotten. */
  readonly lives: number;
  /** Rows of which a set was cut to its bound. */
  readonly sets: number;
}

/** Later than any write of a slice that is over. */
const afterAll = "USING TIMESTAMP 9000000000000000";
/** A set is cut when it has so many times its bound: every cut leaves tombstones. */
const setSlack = 2;

export async function sweepTables(
  rows: RowsRead,
  bounds: CassandraBounds,
  options: SweepOptions,
  signal: AbortSignal,
  /** Further walks over tables, for which this is the occasion. */
  others: (onPage: () => Promise<void>) => readonly (() => Promise<void>)[],
): Promise<Swept> {
  const sweep = new Sweep(rows, bounds, options, signal);
  const walks = [
    ...rows.layout.edges.flatMap((edge) => [
      () => sweep.listed(edge, edge.outgoing, edge.forward),
      () => sweep.listed(edge, edge.incoming, edge.reverse),
      () => sweep.lives(edge, edge.forward, ["rec", "nb"], "elements"),
      () => sweep.lives(edge, edge.reverse, ["rec", "nb"], "copies"),
      () => sweep.sets(edge, edge.forward, ["rec", "nb"]),
    ]),
    ...rows.layout.nodes.flatMap((node) => [
      () => sweep.lives(node, node.table, ["id"], "ends"),
      () => sweep.sets(node, node.table, ["id"]),
    ]),
    ...others(async () => await options.onPage?.(sweep.swept)),
  ];
  const first = (options.first ?? 0) % Math.max(1, walks.length);
  for (const walk of [...walks.slice(first), ...walks.slice(0, first)]) await walk();
  return sweep.swept;
}

class Sweep {
  swept: Swept = { listed: 0, lives: 0, sets: 0 };
  readonly #rows: RowsRead;
  readonly #bounds: CassandraBounds;
  readonly #options: SweepOptions;
  readonly #signal: AbortSignal;

  constructor(rows: RowsRead, bounds: CassandraBounds, options: SweepOptions, signal: AbortSignal) {
    this.#rows = rows;
    this.#bounds = bounds;
    this.#options = options;
    this.#signal = signal;
  }

  /** Rows of one index that no reader will take for current again. */
  async listed(edge: EdgeLayout, table: string, base: string): Promise<void> {
    const name = tableOf(this.#rows.layout, table);
    const query = `DELETE FROM ${name} USING TIMESTAMP ? WHERE rec = ? AND seen = ? AND nb = ?`;
    for await (const page of listedIn(this.#rows, table, this.#signal)) {
      const statements: Statement[] = [];
      for (const [record, all] of Map.groupBy(page, (row) => row.record)) {
        const ids = all.map(({ neighbour }) => neighbour);
        const states = await this.#rows.neighbours(base, edge, record, ids, [], this.#signal);
        const met = new Set(all.map(({ neighbour, seenMs }) => `${seenMs} ${neighbour}`));
        for (const { partition, neighbour, seenMs } of all) {
          const { lastSeenMs, removedAtMs } = stateAt(states, neighbour);
          if (lastSeenMs < seenMs || (lastSeenMs === seenMs && removedAtMs < seenMs)) continue;
          // A writer may stand between the row and its place in the list: then this one is still needed.
          const isFollowed =
            removedAtMs >= seenMs ||
            met.has(`${lastSeenMs} ${neighbour}`) ||
            (await this.#isListed(name, partition, lastSeenMs, neighbour));
          if (!isFollowed) continue;
          const seen = bigintCell(seenMs);
          statements.push({ query, params: [seen, partition, seen, neighbour] });
        }
      }
      await this.#write(statements, "listed");
    }
  }

  /**
   * Rows of lives that are over.
   * @param of `ends`: removals of nodes hide edges, and stay; `copies` are counted elsewhere
   */
  async lives(
    type: NodeLayout | EdgeLayout,
    table: string,
    keys: readonly string[],
    of: "elements" | "copies" | "ends",
  ): Promise<void> {
    if (type.ttlMs === undefined) return;
    const life = this.#rows.lifeOf(type);
    const overMs = this.#options.publishedMs - type.ttlMs - 2 * life.latenessMs;
    const where = keys.map((key) => `${key} = ?`).join(" AND ");
    const query = `DELETE FROM ${tableOf(this.#rows.layout, table)} ${afterAll} WHERE ${where} AND slice <= ?`;
    for await (const page of elementsOf(this.#rows, table, keys, [], life, this.#signal)) {
      const statements = page.flatMap(({ stored, state, all }): readonly Statement[] => {
        const isOver = Math.max(state.lastSeenMs, state.removedAtMs) < overMs;
        const over = isOver ? all : all.filter((row) => !state.rows.includes(row) && row.get("seen") !== null);
        if (over.length === 0 || (of === "ends" && over.some((row) => row.get("removed") !== null))) return [];
        return [{ query, params: [...stored, bigintCell(Math.max(...over.map(sliceAt)))] }];
      });
      await this.#write(statements, of === "copies" ? undefined : "lives");
    }
  }

  /** Items beyond the bound: the smallest are kept, and what is greater than those never comes to count. */
  async sets(type: NodeLayout | EdgeLayout, table: string, keys: readonly string[]): Promise<void> {
    const sets = type.properties.filter(({ form }) => form === "set");
    if (sets.length === 0) return;
    const where = [...keys, "slice"].map((key) => `${key} = ?`).join(" AND ");
    for await (const page of elementsOf(this.#rows, table, keys, sets, this.#rows.lifeOf(type), this.#signal)) {
      const statements: Statement[] = [];
      for (const { column, model } of sets) {
        const name = quoted(column);
        const query = `UPDATE ${tableOf(this.#rows.layout, table)} USING TIMESTAMP 1 SET ${name} = ${name} - ? WHERE ${where}`;
        for (const { stored, row } of rowsOf(page)) {
          const items = (row.get(column) as readonly Buffer[] | null) ?? [];
          const max = model.unionMax ?? unionMaxDefault;
          if (items.length <= setSlack * max) continue;
          statements.push({ query, params: [items.slice(max), ...stored, bigintCell(sliceAt(row))] });
        }
      }
      await this.#write(statements, "sets");
    }
  }

  async #isListed(table: string, partition: string, seenMs: number, neighbour: string): Promise<boolean> {
    const query = `SELECT nb FROM ${table} WHERE rec = ? AND seen = ? AND nb = ?`;
    const { rows } = await this.#rows.session.read(query, [partition, bigintCell(seenMs), neighbour], this.#signal);
    return rows.length > 0;
  }

  async #write(statements: readonly Statement[], what: keyof Swept | undefined): Promise<void> {
    const { batchStatementsMax: statementsMax, batchBytesMax: bytesMax } = this.#bounds;
    for (const batch of inBatches(statements, { statementsMax, bytesMax })) {
      this.#signal.throwIfAborted();
      await this.#rows.session.write(batch);
      if (what !== undefined) this.swept = { ...this.swept, [what]: this.swept[what] + batch.length };
    }
    this.#signal.throwIfAborted();
    await this.#options.onPage?.(this.swept);
  }
}

function* rowsOf(
  page: readonly ScannedRow[],
): Generator<{ readonly stored: readonly string[]; readonly row: types.Row }> {
  for (const { stored, all } of page) for (const row of all) yield { stored, row };
}

const sliceAt = (row: types.Row): number => (row.get("slice") as types.Long).toNumber();
