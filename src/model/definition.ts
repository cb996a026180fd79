// The frozen definition of a graph as plain, serialisable data: what every stage, adapter, schema and client is derived from.
// The builders that users call (`event`, `node`, `job` ...) yield this; nothing here knows about them.
import type { Emit, PlanStep } from "./plan.ts";
import type { FieldModel, ValueType } from "./value-type.ts";

export type { FieldModel, ScalarType, ValueType } from "./value-type.ts";

/** The format of a serialised definition; raised when its shape changes incompatibly. */
export const definitionFormat = 1;

export type MergePolicy = "last" | "first" | "min" | "max" | "union" | "sum";

/**
 * A property of a node or edge type. `sum` is an exact int64 counter (`t.counter()`, `merge("sum")`); `union` is a set of
 * `type` (the item's type, a scalar) that keeps the `unionMax` smallest by encoded order. Types other than scalars are opaque: `last` and `first` only.
 */
export interface PropertyModel {
  readonly name: string;
  readonly type: ValueType;
  readonly merge: MergePolicy;
  readonly unionMax?: number;
}

export interface Retention {
  readonly timeMs?: number;
  readonly sizeBytes?: number;
}

/** Where a team already has the records of an event, or the rows of a side input: a topic that RDG reads and never writes to. */
export interface EventSource {
  /** Its name in the log's own technology, as it is. */
  readonly topic: string;
  /** `avro`: with Confluent's framing, by schemas of the registry. `json`: a text each. */
  readonly values: "avro" | "json";
  /** Of the registry, for `avro`. */
  readonly subject?: string;
  /** The version whose names, aliases and defaults records are read by; without one, each record's own schema. */
  readonly version?: number;
  /** Where fields are in the source's record that are not under their own names. */
  readonly paths?: Readonly<Record<string, readonly string[]>>;
}

export interface EventModel {
  readonly name: string;
  readonly fields: readonly FieldModel[];
  /** A required string field: decides the partition. */
  readonly key: string;
  /** A required timestamp field: the event time. */
  readonly time: string;
  /** A string field: a repeated id within `dedupHorizonMs` is dropped by the job. */
  readonly id?: string;
  readonly dedupHorizonMs: number;
  readonly partitions: number;
  /** Name of the cluster that its topic is on, if not the one that all else is on. Said by settings, not by definitions. */
  readonly cluster?: string;
  readonly retention: Retention;
  /** Missing: events come through the gateway, into a topic of RDG's own. */
  readonly source?: EventSource;
}

export interface SideInputModel {
  readonly name: string;
  readonly fields: readonly FieldModel[];
  /** A required string field. */
  readonly key: string;
  /** Of the topic of `source`; RDG's own have one. */
  readonly partitions?: number;
  /** Missing: rows come through the gateway, into a topic of RDG's own. */
  readonly source?: EventSource;
}

/** Updates of a type as records of a topic, for readers beside RDG's own stores (update/type-records.ts). Said by settings, not by definitions. */
export interface Publication {
  readonly form: "single" | "packed";
  readonly partitions: number;
  readonly retention: Retention;
}

export interface NodeModel {
  readonly name: string;
  readonly properties: readonly PropertyModel[];
  readonly ttlMs?: number;
  readonly published?: Publication;
  /** Name of the store that it is on; missing: the main one. Said by settings, not by definitions. */
  readonly store?: string;
}

export interface EdgeModel {
  readonly name: string;
  /** Names of node types. */
  readonly from: string;
  readonly to: string;
  readonly properties: readonly PropertyModel[];
  readonly ttlMs?: number;
  readonly published?: Publication;
  readonly store?: string;
}

export interface JobSettings {
  /** Updates to one element are merged for this long before they are published; 0 publishes as soon as the input pauses. */
  readonly windowMs: number;
  /** The window also ends when it holds this many distinct elements or bytes. */
  readonly windowKeysMax: number;
  readonly windowBytesMax: number;
  readonly parallelism: number;
}

/** One job per event. `map` jobs run a TypeScript function, which is kept beside the definition and is no part of it; `source` is its text. */
export interface JobModel {
  readonly event: string;
  readonly settings: JobSettings;
  readonly steps: readonly PlanStep[];
  readonly output:
    | { readonly kind: "emit"; readonly emit: readonly Emit[] }
    | { readonly kind: "map"; readonly source: string };
}

/** What holds for every hop of every traversal that says nothing else, over what is built in (since 100 days, 300 edges per node, latest). */
export interface TraversalDefaults {
  /** How far back edges are followed; `ever`: without bound. */
  readonly sinceMs?: number | "ever";
  readonly limit?: number;
  readonly order?: "latest" | "any";
}

/** What who asks knows of an enrichment. Enrichments are served beside the definition and are no part of it. */
export interface AskedEnrichmentModel {
  readonly name: string;
  /** Name of the node type. */
  readonly on: string;
  readonly fields: readonly FieldModel[];
}

/** Lists are in order of first mention, and an index into them is how batches and layouts name a type. */
export interface GraphModel {
  readonly format: typeof definitionFormat;
  readonly name: string;
  readonly events: readonly EventModel[];
  readonly sideInputs: readonly SideInputModel[];
  readonly nodes: readonly NodeModel[];
  readonly edges: readonly EdgeModel[];
  readonly jobs: readonly JobModel[];
  /** Event times further ahead of the time of receipt than this are quarantined. */
  readonly skewMaxMs: number;
  /** Allowed lateness: how long after its event time an event may arrive and still find its element's history. */
  readonly latenessMs: number;
  /** How long a removed element's tombstone is kept. */
  readonly tombstoneGraceMs: number;
  /** Missing in definitions that declare nothing, and in those of earlier versions. */
  readonly traversals?: TraversalDefaults;
}

/** What `/v1/definition` answers. */
export interface ServedDefinition extends GraphModel {
  readonly enrichments?: readonly AskedEnrichmentModel[];
}
