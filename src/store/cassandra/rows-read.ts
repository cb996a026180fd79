// Reads of rows by their keys, in parts that suit the cluster: several keys per statement, several statements at once.
import type { types } from "cassandra-driver";
import { timeOfCell } from "./cells.ts";
import { chunks } from "./counters.ts";
import { absentElement, type ElementState, elementState, type LifeBounds } from "./element-state.ts";
import {
  type EdgeLayout,
  type GraphLayout,
  type ListKind,
  listsOf,
  type NodeLayout,
  type PropertyCells,
  tableOf,
} from "./layout.ts";
import { bucketsOf, partitionOf, partitionsOf, recordIn } from "./partitions.ts";
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
    const list = { edge, direction: table === edge.reverse ? "in" : "out" } as const;
    const byPartition =
      bucketsOf(list) === 1
        ? [[record, neighbours] as const]
        : [...Map.groupBy(neighbours, (neighbour) => partitionOf(list, record, neighbour))];
    const parts = byPartition.map(([partition, some]) =>
      this.#inParts(query, some, rowsPerRead, (part) => [partition, part], signal),
    );
    return statesBy((await Promise.all(parts)).flat(), "nb", this.lifeOf(edge));
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
    const list = { edge, direction: "out" } as const;
    const partitions = origins.map((origin) => partitionOf(list, origin, end));
    const rows = await this.#inParts(query, partitions, partitionsPerRead, (part) => [part, end], signal);
    const states = statesBy(rows, "rec", this.lifeOf(edge));
    if (bucketsOf(list) === 1) return states;
    return new Map([...states].map(([partition, state]) => [recordIn(list, partition), state]));
  }

  /** Those of the ids that some update mentioned: as a node, or as the end of an edge. */
  async mentioned(type: number, ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const known = new Set<string>();
    const look = async (query: string, column: string, list?: ListKind): Promise<void> => {
      const missing = ids.filter((id) => !known.has(id));
      const keys = list === undefined ? missing : missing.flatMap((id) => partitionsOf(list, id));
      const rows = await this.#inParts(query, keys, partitionsPerRead, (part) => [part], signal);
      for (const row of rows) {
        const key = row.get(column) as string;
        known.add(list === undefined ? key : recordIn(list, key));
      }
    };
    await look(this.#nodes[type]!.mentioned, "id");
    if (ids.length === known.size) return known;
    const lists = this.layout.edges.flatMap(listsOf);
    const ends = lists.filter(({ edge, direction }) => (direction === "out" ? edge.from : edge.to) === type);
    await Promise.all(
      ends.map((list) => {
        const { mentionedFrom, mentionedTo } = this.#edges[list.edge.type]!;
        return look(list.direction === "out" ? mentionedFrom : mentionedTo, "rec", list);
      }),
    );
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
