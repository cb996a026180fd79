// The statements by which rows are written and read, as text: each is prepared once per node.
import { type EdgeLayout, type GraphLayout, type NodeLayout, type PropertyCells, quoted, tableOf } from "./layout.ts";

/** All rows are written at this one timestamp: which of two writes stays is decided by their bytes. */
const always = "USING TIMESTAMP 1";

export interface NodeStatements {
  /** Parameters: seen, first, removed, those of the properties, id, slice. */
  readonly write: string;
  readonly removed: string;
  readonly mentioned: string;
}

export interface EdgeStatements {
  /** Parameters: seen, first, removed, those of the properties, rec, nb, slice. */
  readonly forward: string;
  /** Parameters: seen, first, removed, rec, nb, slice. */
  readonly reverse: string;
  /** Parameters: rec, seen, nb, timestamp, and the ttl where the type has one. */
  readonly outgoing: string;
  readonly incoming: string;
  /** Records of which there is a row, by `IN`. */
  readonly mentionedFrom: string;
  readonly mentionedTo: string;
}

export function nodeStatements(layout: GraphLayout, node: NodeLayout): NodeStatements {
  const table = tableOf(layout, node.table);
  return {
    write: `UPDATE ${table} ${always} SET ${assignments(node.properties)} WHERE id = ? AND slice = ?`,
    removed: `SELECT id, removed FROM ${table} WHERE id IN ?`,
    mentioned: `SELECT DISTINCT id FROM ${table} WHERE id IN ?`,
  };
}

export function edgeStatements(layout: GraphLayout, edge: EdgeLayout): EdgeStatements {
  const key = "WHERE rec = ? AND nb = ? AND slice = ?";
  const ttl = edge.ttlMs === undefined ? "" : " AND TTL ?";
  const index = (table: string): string =>
    `INSERT INTO ${tableOf(layout, table)} (rec, seen, nb) VALUES (?, ?, ?) USING TIMESTAMP ?${ttl}`;
  const mentioned = (table: string): string => `SELECT DISTINCT rec FROM ${tableOf(layout, table)} WHERE rec IN ?`;
  return {
    forward: `UPDATE ${tableOf(layout, edge.forward)} ${always} SET ${assignments(edge.properties)} ${key}`,
    reverse: `UPDATE ${tableOf(layout, edge.reverse)} ${always} SET ${assignments([])} ${key}`,
    outgoing: index(edge.outgoing),
    incoming: index(edge.incoming),
    mentionedFrom: mentioned(edge.forward),
    mentionedTo: mentioned(edge.reverse),
  };
}

function assignments(properties: readonly PropertyCells[]): string {
  const own = properties.map(({ column, form }) => {
    const name = quoted(column);
    if (form === "counter") return `${name}[?] = ?`;
    return form === "set" ? `${name} = ${name} + ?` : `${name} = ?`;
  });
  return ["seen = ?", "first = ?", "removed = ?", ...own].join(", ");
}

/** `seen, first, removed` and these properties' columns, behind what else is asked for. */
export function rowColumns(keys: readonly string[], properties: readonly PropertyCells[]): string {
  return [...keys, "seen", "first", "removed", ...properties.map(({ column }) => quoted(column))].join(", ");
}
