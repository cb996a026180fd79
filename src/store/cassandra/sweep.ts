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
): Promise<Swept> {
  const sweep = new Sweep(rows, bounds, options, signal);
  const swept = { listed: 0, lives: 0, sets: 0 };
  for (const edge of rows.layout.edges) {
    swept.listed += await sweep.listed(edge, edge.outgoing, edge.forward);
    swept.listed += await sweep.listed(edge, edge.incoming, edge.reverse);
    swept.lives += await sweep.lives(edge, edge.forward, ["rec", "nb"], false);
    await sweep.lives(edge, edge.reverse, ["rec", "nb"], false);
    swept.sets += await sweep.sets(edge, edge.forward, ["rec", "nb"]);
  }
  for (const node of rows.layout.nodes) {
    swept.lives += await sweep.lives(node, node.table, ["id"], true);
    swept.sets += await sweep.sets(node, node.table, ["id"]);
  }
  return swept;
}

class Sweep {
  readonly #rows: RowsRead;
  readonly #bounds: CassandraBounds;
  readonly #publishedMs: number;
  readonly #signal: AbortSignal;

  constructor(rows: RowsRead, bounds: CassandraBounds, { publishedMs }: SweepOptions, signal: AbortSignal) {
    this.#rows = rows;
    this.#bounds = bounds;
    this.#publishedMs = publishedMs;
    this.#signal = signal;
  }

  /** Rows of one index that no reader will take for current again. */
  async listed(edge: EdgeLayout, table: string, base: string): Promise<number> {
    const name = tableOf(this.#rows.layout, table);
    const query = `DELETE FROM ${name} USING TIMESTAMP ? WHERE rec = ? AND seen = ? AND nb = ?`;
    let swept = 0;
    for await (const page of listedIn(this.#rows, table, this.#signal)) {
      const statements: Statement[] = [];
      for (const [record, all] of Map.groupBy(page, (row) => row.record)) {
        const ids = all.map(({ neighbour }) => neighbour);
        const states = await this.#rows.neighbours(base, edge, record, ids, [], this.#signal);
        const met = new Set(all.map(({ neighbour, seenMs }) => `${seenMs} ${neighbour}`));
        for (const { neighbour, seenMs } of all) {
          const { lastSeenMs, removedAtMs } = stateAt(states, neighbour);
          if (lastSeenMs < seenMs || (lastSeenMs === seenMs && removedAtMs < seenMs)) continue;
          // A writer may stand between the row and its place in the list: then this one is still needed.
          const isFollowed =
            removedAtMs >= seenMs ||
            met.has(`${lastSeenMs} ${neighbour}`) ||
            (await this.#isListed(name, record, lastSeenMs, neighbour));
          if (!isFollowed) continue;
          const seen = bigintCell(seenMs);
          statements.push({ query, params: [seen, record, seen, neighbour] });
        }
      }
      await this.#write(statements);
      swept += statements.length;
    }
    return swept;
  }

  /**
   * Rows of lives that are over.
   * @param areEnds removals of nodes hide edges, and stay
   */
  async lives(
    type: NodeLayout | EdgeLayout,
    table: string,
    keys: readonly string[],
    areEnds: boolean,
  ): Promise<number> {
    if (type.ttlMs === undefined) return 0;
    const life = this.#rows.lifeOf(type);
    const overMs = this.#publishedMs - type.ttlMs - 2 * life.latenessMs;
    const where = keys.map((key) => `${key} = ?`).join(" AND ");
    const query = `DELETE FROM ${tableOf(this.#rows.layout, table)} ${afterAll} WHERE ${where} AND slice <= ?`;
    let swept = 0;
    for await (const page of elementsOf(this.#rows, table, keys, [], life, this.#signal)) {
      const statements = page.flatMap(({ key, state, all }): readonly Statement[] => {
        const isOver = Math.max(state.lastSeenMs, state.removedAtMs) < overMs;
        const over = isOver ? all : all.filter((row) => !state.rows.includes(row) && row.get("seen") !== null);
        if (over.length === 0 || (areEnds && over.some((row) => row.get("removed") !== null))) return [];
        return [{ query, params: [...key, bigintCell(Math.max(...over.map(sliceAt)))] }];
      });
      await this.#write(statements);
      swept += statements.length;
    }
    return swept;
  }

  /** Items beyond the bound: the smallest are kept, and what is greater than those never comes to count. */
  async sets(type: NodeLayout | EdgeLayout, table: string, keys: readonly string[]): Promise<number> {
    const sets = type.properties.filter(({ form }) => form === "set");
    if (sets.length === 0) return 0;
    const where = [...keys, "slice"].map((key) => `${key} = ?`).join(" AND ");
    let swept = 0;
    for await (const page of elementsOf(this.#rows, table, keys, sets, this.#rows.lifeOf(type), this.#signal)) {
      const statements: Statement[] = [];
      for (const { column, model } of sets) {
        const name = quoted(column);
        const query = `UPDATE ${tableOf(this.#rows.layout, table)} USING TIMESTAMP 1 SET ${name} = ${name} - ? WHERE ${where}`;
        for (const { key, row } of rowsOf(page)) {
          const items = (row.get(column) as readonly Buffer[] | null) ?? [];
          const max = model.unionMax ?? unionMaxDefault;
          if (items.length <= setSlack * max) continue;
          statements.push({ query, params: [items.slice(max), ...key, bigintCell(sliceAt(row))] });
        }
      }
      await this.#write(statements);
      swept += statements.length;
    }
    return swept;
  }

  async #isListed(table: string, record: string, seenMs: number, neighbour: string): Promise<boolean> {
    const query = `SELECT nb FROM ${table} WHERE rec = ? AND seen = ? AND nb = ?`;
    const { rows } = await this.#rows.session.read(query, [record, bigintCell(seenMs), neighbour], this.#signal);
    return rows.length > 0;
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    const { batchStatementsMax: statementsMax, batchBytesMax: bytesMax } = this.#bounds;
    for (const batch of inBatches(statements, { statementsMax, bytesMax })) {
      this.#signal.throwIfAborted();
      await this.#rows.session.write(batch);
    }
  }
}

function* rowsOf(page: readonly ScannedRow[]): Generator<{ readonly key: readonly string[]; readonly row: types.Row }> {
  for (const { key, all } of page) for (const row of all) yield { key, row };
}

const sliceAt = (row: types.Row): number => (row.get("slice") as types.Long).toNumber();
