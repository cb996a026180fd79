// Reads of rows by their keys, in parts that suit the cluster: several keys per statement, several statements at once.
import type { types } from "cassandra-driver";
import { timeOfCell } from "./cells.ts";
import { chunks } from "./counters.ts";
import { absentElement, type ElementState, elementState, type LifeBounds } from "./element-state.ts";
import { type EdgeLayout, type GraphLayout, type NodeLayout, type PropertyCells, tableOf } from "./layout.ts";
import type { Session } from "./session.ts";
import { edgeStatements, type EdgeStatements, nodeStatements, type NodeStatements, rowColumns } from "./statements.ts";

/** Keys of one statement that reads several partitions: measured as the cheapest, for both sides. */
const partitionsPerRead = 10;
/** Rows of one partition that are named in one statement. */
const rowsPerRead = 100;

export class RowsRead {
  readonly layout: GraphLayout;
  readonly session: Session;
  readonly #nodes: readonly NodeStatements[];
  readonly #edges: readonly EdgeStatements[];

  constructor(session: Session, layout: GraphLayout) {
    this.session = session;
    this.layout = layout;
    this.#nodes = layout.nodes.map((node) => nodeStatements(layout, node));
    this.#edges = layout.edges.map((edge) => edgeStatements(layout, edge));
  }

  /** When the type's elements end their lives. */
  lifeOf({ ttlMs }: NodeLayout | EdgeLayout): LifeBounds {
    return { ttlMs, latenessMs: this.layout.latenessMs };
  }

  /** States of those that have rows, by id. */
  async nodes(
    type: number,
    ids: readonly string[],
    properties: readonly PropertyCells[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ElementState>> {
    const node = this.layout.nodes[type]!;
    const query = `SELECT ${rowColumns(["id"], properties)} FROM ${tableOf(this.layout, node.table)} WHERE id IN ?`;
    const rows = await this.#inParts(query, ids, partitionsPerRead, (part) => [part], signal);
    return statesBy(rows, "id", this.lifeOf(node));
  }

  /** When nodes were removed: those that were. */
  async nodeRemovals(type: number, ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const removed = new Map<string, number>();
    const query = this.#nodes[type]!.removed;
    for (const row of await this.#inParts(query, ids, partitionsPerRead, (part) => [part], signal)) {
      const cell = row.get("removed") as Buffer | null;
      if (cell === null) continue;
      const id = row.get("id") as string;
      removed.set(id, Math.max(timeOfCell(cell), removed.get(id) ?? -Infinity));
    }
    return removed;
  }

  /** Edges of one record to these neighbours, by neighbour; the reverse table has times only. */
  async neighbours(
    table: string,
    edge: EdgeLayout,
    record: string,
    neighbours: readonly string[],
    properties: readonly PropertyCells[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ElementState>> {
    const query = `SELECT ${rowColumns(["nb"], properties)} FROM ${tableOf(this.layout, table)} WHERE rec = ? AND nb IN ?`;
    const rows = await this.#inParts(query, neighbours, rowsPerRead, (part) => [record, part], signal);
    return statesBy(rows, "nb", this.lifeOf(edge));
  }

  /** Edges from these origins to one end, by origin: their properties are in the origins' partitions. */
  async origins(
    edge: EdgeLayout,
    origins: readonly string[],
    end: string,
    properties: readonly PropertyCells[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, ElementState>> {
    const query = `SELECT ${rowColumns(["rec"], properties)} FROM ${tableOf(this.layout, edge.forward)} WHERE rec IN ? AND nb = ?`;
    const rows = await this.#inParts(query, origins, partitionsPerRead, (part) => [part, end], signal);
    return statesBy(rows, "rec", this.lifeOf(edge));
  }

  /** Those of the ids that some update mentioned: as a node, or as the end of an edge. */
  async mentioned(type: number, ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    const look = async (query: string, column: string): Promise<void> => {
      const missing = ids.filter((id) => !known.has(id));
      const rows = await this.#inParts(query, missing, partitionsPerRead, (part) => [part], signal);
      for (const row of rows) known.add(row.get(column) as string);
    };
    await look(this.#nodes[type]!.mentioned, "id");
    const left = ids.length > known.size;
    const looks = this.layout.edges.flatMap((edge) => [
      ...(edge.from === type ? [this.#edges[edge.type]!.mentionedFrom] : []),
      ...(edge.to === type ? [this.#edges[edge.type]!.mentionedTo] : []),
    ]);
    if (left) await Promise.all(looks.map((query) => look(query, "rec")));
    return known;
  }

  async #inParts(
    query: string,
    ids: readonly string[],
    size: number,
    params: (part: readonly string[]) => readonly (string | readonly string[])[],
    signal: AbortSignal,
  ): Promise<readonly types.Row[]> {
    const distinct = [...new Set(ids)];
    if (distinct.length === 0) return [];
    const reads = [...chunks(distinct, size)].map((part) => this.session.read(query, params(part), signal));
    const pages = await Promise.all(reads);
    return pages.length === 1 ? pages[0]!.rows : pages.flatMap(({ rows }) => rows);
  }
}

/** States by what this column names. */
export function statesBy(
  rows: readonly types.Row[],
  column: string,
  life: LifeBounds,
): ReadonlyMap<string, ElementState> {
  const states = new Map<string, ElementState>();
  for (const [id, of] of Map.groupBy(rows, (row) => row.get(column) as string)) states.set(id, elementState(of, life));
  return states;
}

export const stateAt = (states: ReadonlyMap<string, ElementState>, id: string): ElementState =>
  states.get(id) ?? absentElement;
