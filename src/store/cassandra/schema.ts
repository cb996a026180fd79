// Makes the tables of a definition and extends those that are there. Nothing is ever dropped, and no column is given another meaning: writes at one timestamp
// would stay invisible in a column that was dropped and made again.
import { RdgError } from "../../core/errors.ts";
import { canonicalJson } from "../../model/fingerprint.ts";
import type { ValueType } from "../../model/value-type.ts";
import { baseOf, type ColumnDefinition, type GraphLayout, listsOf, quoted, tableOf, tablesOf } from "./layout.ts";
import { bucketsOf } from "./partitions.ts";
import type { Session } from "./session.ts";
import type { CassandraConnection } from "./settings.ts";

/** What is in the keyspace: tables by name with their columns, and the meanings of columns as `table/column`. */
interface Existing {
  readonly keyspace: boolean;
  readonly tables: ReadonlyMap<string, ReadonlySet<string>>;
  readonly meanings: ReadonlyMap<string, string>;
}

export interface SchemaChange {
  /** For people: `table e_watched`, `column p_plays of e_watched`. */
  readonly what: string;
  readonly statements: readonly string[];
}

/**
 * What is missing for this definition, in the order in which it is made. Empty when nothing is.
 * @throws RdgError conflict, `column_in_use` where a column already means something else
 */
export async function missingTables(
  session: Session,
  layout: GraphLayout,
  connection: CassandraConnection,
): Promise<readonly SchemaChange[]> {
  const existing = await existingTables(session, layout);
  const changes: SchemaChange[] = [];
  if (!existing.keyspace) changes.push(keyspaceChange(layout, connection));
  for (const table of tablesOf(layout)) {
    const columns = existing.tables.get(table.name);
    changes.push(...bucketChanges(layout, table.name, existing));
    if (columns === undefined) changes.push({ what: `table ${table.name}`, statements: [table.create] });
    const missing = table.columns.filter(({ name }) => columns?.has(name) === false);
    if (missing.length > 0) {
      const added = missing.map(({ name, type }) => `${quoted(name)} ${type}`).join(", ");
      changes.push({
        what: `columns ${missing.map(({ name }) => name).join(", ")} of ${table.name}`,
        statements: [`ALTER TABLE ${tableOf(layout, table.name)} ADD IF NOT EXISTS (${added})`],
      });
    }
    const unsaid = table.columns.filter((column) => {
      const meaning = existing.meanings.get(`${table.name}/${column.name}`);
      if (meaning !== undefined && !isSameMeaning(meaning, column.meaning)) throw inUse(table.name, column, meaning);
      return meaning !== column.meaning;
    });
    if (unsaid.length > 0) {
      changes.push({
        what: `meanings of ${unsaid.map(({ name }) => name).join(", ")} of ${table.name}`,
        statements: unsaid.map(({ name, meaning }) => meaningStatement(layout, table.name, name, meaning)),
      });
    }
  }
  return changes;
}

export async function makeTables(session: Session, changes: readonly SchemaChange[]): Promise<void> {
  for (const { statements } of changes) for (const statement of statements) await session.command(statement);
}

async function existingTables(session: Session, layout: GraphLayout): Promise<Existing> {
  const { keyspace } = layout;
  const columnRows = await session.command(
    "SELECT table_name, column_name FROM system_schema.columns WHERE keyspace_name = ?",
    [keyspace],
  );
  const keyspaceRows = await session.command(
    "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?",
    [keyspace],
  );
  const tables = new Map<string, Set<string>>();
  for (const row of columnRows) {
    const [table, column] = row.values() as [string, string];
    tables.set(table, (tables.get(table) ?? new Set()).add(column));
  }
  const meanings = new Map<string, string>();
  if (tables.has(layout.meanings)) {
    for (const row of await session.command(`SELECT part, name, meaning FROM ${tableOf(layout, layout.meanings)}`)) {
      const [part, name, meaning] = row.values() as [string, string, string];
      meanings.set(`${part}/${name}`, meaning);
    }
  }
  return { keyspace: keyspaceRows.length > 0, tables, meanings };
}

function keyspaceChange({ keyspace }: GraphLayout, { replication }: CassandraConnection): SchemaChange {
  if (replication === undefined || Object.keys(replication).length === 0) {
    throw new RdgError("not_found", "keyspace_missing", `There is no keyspace "${keyspace}".`, {
      place: keyspace,
      hint: 'Make it, or name the replicas per data center in the settings ("replication"), for it to be made.',
    });
  }
  const centers = Object.entries(replication).map(([center, replicas]) => `${literal(center)}: ${replicas}`);
  const options = `{'class': 'NetworkTopologyStrategy', ${centers.join(", ")}}`;
  return {
    what: `keyspace ${keyspace}`,
    statements: [`CREATE KEYSPACE IF NOT EXISTS ${quoted(keyspace)} WITH replication = ${options}`],
  };
}

function meaningStatement(layout: GraphLayout, table: string, column: string, meaning: string): string {
  const values = [table, column, meaning].map(literal).join(", ");
  return `INSERT INTO ${tableOf(layout, layout.meanings)} (part, name, meaning) VALUES (${values})`;
}

/** Into how many partitions records are cut is said before the table is there, and never changed. */
function bucketChanges(layout: GraphLayout, table: string, existing: Existing): readonly SchemaChange[] {
  const list = layout.edges.flatMap(listsOf).find((each) => baseOf(each) === table);
  if (list === undefined) return [];
  const said = existing.meanings.get(`${table}/${bucketsName}`);
  const wanted = String(bucketsOf(list));
  if (existing.tables.has(table)) {
    if ((said ?? "1") === wanted) return [];
    const message = `Records of ${table} are cut into ${said ?? 1} partitions; the settings say ${wanted}.`;
    throw new RdgError("conflict", "buckets_in_use", message, {
      place: table,
      hint: "Put the setting back, or deploy to another keyspace and rebuild the graph there from the type topics.",
    });
  }
  if (said === undefined && wanted === "1") return [];
  const statements = [meaningStatement(layout, table, bucketsName, wanted)];
  return [{ what: `${wanted} buckets of ${table}`, statements }];
}

/** In the place of a column's name: those of properties begin otherwise. */
const bucketsName = "buckets";

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

interface Meaning {
  readonly merge: string;
  readonly type: ValueType;
}

/** Whether what was written with the first is read rightly with the second. */
function isSameMeaning(before: string, after: string): boolean {
  const [a, b] = [JSON.parse(before) as Meaning, JSON.parse(after) as Meaning];
  if (a.merge !== b.merge) return false;
  if (a.type.kind === "enum" && b.type.kind === "enum") {
    const { symbols } = b.type;
    return a.type.symbols.every((symbol, i) => symbols[i] === symbol);
  }
  const integers = ["int32", "int64", "timestamp"];
  if (integers.includes(a.type.kind) && integers.includes(b.type.kind)) return true;
  return canonicalJson(a.type) === canonicalJson(b.type);
}

function inUse(table: string, column: ColumnDefinition, before: string): RdgError {
  const message = `Column ${column.name} of ${table} holds ${before}; the definition says ${column.meaning}.`;
  return new RdgError("conflict", "column_in_use", message, {
    place: `${table}.${column.name}`,
    hint: "Give the property another name, or deploy to another keyspace and rebuild the graph there from the type topics.",
  });
}
