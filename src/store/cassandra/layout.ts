// The tables of a graph, from its definition: names, columns and statements that make them. Pure data; docs/adr/0106 says why it is laid out so.
//
//   n_<type>   node rows, by id                        e_<type>   edge rows, by origin then end
//   r_<type>   the same by end then origin: times only  o_, i_<type>  newest first: candidates of which e_ and r_ know whether they are current
//
// `slice` separates lives: the start of the span of one ttl in which the contributions lie; 0 for types without.
import { sha256Hex } from "../../core/sha256.ts";
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../../model/definition.ts";
import { type PropertyForm, propertyFormOf } from "../../model/update/batch.ts";
import type { Direction } from "../port.ts";

export interface PropertyCells {
  readonly model: PropertyModel;
  readonly form: PropertyForm;
  /** Name of the column, without quotes. */
  readonly column: string;
}

interface ElementLayout {
  /** Index of the type in the definition. */
  readonly type: number;
  readonly name: string;
  readonly ttlMs: number | undefined;
  readonly properties: readonly PropertyCells[];
  readonly hasCounters: boolean;
}

export interface NodeLayout extends ElementLayout {
  readonly table: string;
}

export interface EdgeLayout extends ElementLayout {
  /** Node types, by index. */
  readonly from: number;
  readonly to: number;
  readonly forward: string;
  readonly reverse: string;
  readonly outgoing: string;
  readonly incoming: string;
  /** Partitions that each record's edges are cut into. */
  readonly buckets: Readonly<Record<Direction, number>>;
}

/** One direction of an edge type. */
export interface ListKind {
  readonly edge: EdgeLayout;
  readonly direction: Direction;
}

export const listsOf = (edge: EdgeLayout): readonly ListKind[] => [
  { edge, direction: "out" },
  { edge, direction: "in" },
];

/** The table of the list's edges. */
export const baseOf = ({ edge, direction }: ListKind): string => (direction === "out" ? edge.forward : edge.reverse);

/** Which list a table of edges or an index belongs to; undefined for other tables. */
export function listOfTable({ edges }: GraphLayout, table: string): ListKind | undefined {
  for (const edge of edges) {
    if (table === edge.forward || table === edge.outgoing) return { edge, direction: "out" };
    if (table === edge.reverse || table === edge.incoming) return { edge, direction: "in" };
  }
  return undefined;
}

/** Of edge types, by name. */
export type Buckets = Readonly<Record<string, Partial<Readonly<Record<Direction, number>>>>>;

export interface GraphLayout {
  readonly keyspace: string;
  readonly latenessMs: number;
  readonly nodes: readonly NodeLayout[];
  readonly edges: readonly EdgeLayout[];
  /** Up to which frame and input position each source is applied. */
  readonly positions: string;
  /** Node types of which a node was removed at some time: of others nobody needs to ask. */
  readonly removals: string;
  /** Records of which the degree is kept. */
  readonly supernodes: string;
  /** Their degrees, and which neighbours are counted. */
  readonly degrees: string;
  /** What each column means: names of columns are not used again. */
  readonly meanings: string;
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: string;
  readonly meaning: string;
}

export interface TableDefinition {
  readonly name: string;
  /** With all its columns. */
  readonly create: string;
  /** Those of properties, which a table that is there may lack. */
  readonly columns: readonly ColumnDefinition[];
}

const nameLengthMax = 48;

export function layoutOf(model: GraphModel, keyspace: string, buckets: Buckets = {}): GraphLayout {
  const typeOf = (name: string): number => model.nodes.findIndex((node) => node.name === name);
  return {
    keyspace,
    latenessMs: model.latenessMs,
    nodes: model.nodes.map((node, type) => ({ ...elementLayout(node, type), table: tableName("n", node.name) })),
    edges: model.edges.map((edge, type) => ({
      ...elementLayout(edge, type),
      from: typeOf(edge.from),
      to: typeOf(edge.to),
      forward: tableName("e", edge.name),
      reverse: tableName("r", edge.name),
      outgoing: tableName("o", edge.name),
      incoming: tableName("i", edge.name),
      buckets: { out: 1, in: 1, ...buckets[edge.name] },
    })),
    positions: "rdg_positions",
    removals: "rdg_removals",
    supernodes: "rdg_supernodes",
    degrees: "rdg_degrees",
    meanings: "rdg_meanings",
  };
}

function elementLayout(model: NodeModel | EdgeModel, type: number): ElementLayout {
  const properties = model.properties.map((property) => ({
    model: property,
    form: propertyFormOf(property),
    column: `p_${property.name}`,
  }));
  const hasCounters = properties.some(({ form }) => form === "counter");
  return { type, name: model.name, ttlMs: model.ttlMs, properties, hasCounters };
}

/** Cassandra takes 48 characters; longer names are cut and told apart by a hash. */
function tableName(kind: string, name: string): string {
  const whole = `${kind}_${name}`;
  if (whole.length <= nameLengthMax) return whole;
  return `${whole.slice(0, nameLengthMax - 9)}_${sha256Hex(new TextEncoder().encode(name)).slice(0, 8)}`;
}

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** The table with its keyspace, as statements name it. */
export const tableOf = ({ keyspace }: GraphLayout, table: string): string => `${quoted(keyspace)}.${quoted(table)}`;

/** Every table, those of the store itself first. */
export function tablesOf(layout: GraphLayout): readonly TableDefinition[] {
  const define = (
    name: string,
    columns: string,
    key: string,
    options: string,
    own: readonly ColumnDefinition[] = [],
  ) => {
    const properties = own.map((column) => `${quoted(column.name)} ${column.type}, `).join("");
    const create = `CREATE TABLE IF NOT EXISTS ${tableOf(layout, name)} (${columns}, ${properties}PRIMARY KEY (${key}))${options}`;
    return { name, create, columns: own };
  };
  const times = "slice bigint, seen blob, first blob, removed blob";
  return [
    define(layout.meanings, "part text, name text, meaning text", "(part), name", ""),
    define(layout.positions, "source text, input text, reached blob", "(source), input", ""),
    define(layout.removals, "part text, type text", "(part), type", ""),
    define(layout.supernodes, "list text, rec text, counted int", "(list), rec", ""),
    define(
      layout.degrees,
      "list text, rec text, part int, nb text, version int static, spans blob static, span bigint",
      "(list, rec, part), nb",
      ` WITH ${compaction}`,
    ),
    ...layout.nodes.map(({ table, properties }) =>
      define(table, `id text, ${times}`, "(id), slice", rowOptions, columnsOf(properties)),
    ),
    ...layout.edges.flatMap(({ forward, reverse, outgoing, incoming, properties }) => [
      define(forward, `rec text, nb text, ${times}`, "(rec), nb, slice", rowOptions, columnsOf(properties)),
      define(reverse, `rec text, nb text, ${times}`, "(rec), nb, slice", rowOptions),
      define(outgoing, "rec text, seen bigint, nb text", "(rec), seen, nb", indexOptions),
      define(incoming, "rec text, seen bigint, nb text", "(rec), seen, nb", indexOptions),
    ]),
  ];
}

const compaction = "compaction = {'class': 'UnifiedCompactionStrategy'}";
const rowOptions = ` WITH ${compaction} AND gc_grace_seconds = 864000`;
/** Their rows expire by themselves; a day is longer than the hint window. */
const indexOptions = ` WITH CLUSTERING ORDER BY (seen DESC, nb ASC) AND ${compaction} AND gc_grace_seconds = 86400`;

function columnsOf(properties: readonly PropertyCells[]): readonly ColumnDefinition[] {
  return properties.map(({ column, form, model }) => ({
    name: column,
    type: form === "counter" ? "map<text, blob>" : form === "set" ? "set<blob>" : "blob",
    meaning: JSON.stringify({ merge: model.merge, type: model.type }),
  }));
}
