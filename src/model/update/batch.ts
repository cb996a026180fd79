// Merged updates in columns: what a merge window publishes and a store applies. No object per update exists on the way between them.
//
// A value is stored by its type's storage class:
//   number  int32, double, boolean (0, 1), timestamp (ms), enum (index of the symbol)
//   int64   int64
//   bytes   string (UTF-8), bytes, and opaque values (array, map, record: their Avro bytes)
// Within a class the order of encoded values (docs/SEMANTICS.md, section 1) is: null first, then numbers numerically, bytes as unsigned bytes.
import type { PropertyModel, ValueType } from "../definition.ts";

export type StorageClass = "number" | "int64" | "bytes";

export function storageClassOf(type: ValueType): StorageClass {
  switch (type.kind) {
    case "int32":
    case "double":
    case "boolean":
    case "timestamp":
    case "enum":
      return "number";
    case "int64":
      return "int64";
    default:
      return "bytes";
  }
}

/** How a property is held in columns and rows: a register (last, first, min, max) by storage class, a counter, or a set. */
export type PropertyForm = "number" | "int64" | "bytes" | "counter" | "set";

export function propertyFormOf(property: PropertyModel): PropertyForm {
  if (property.merge === "sum") return "counter";
  return property.merge === "union" ? "set" : storageClassOf(property.type);
}

/** Value i is `bytes[starts[i] .. starts[i + 1])`; `starts` has one entry more than there are values. */
export interface BytesColumn {
  readonly bytes: Uint8Array;
  readonly starts: Uint32Array;
}

export const stateAbsent = 0;
export const stateNull = 1;
export const stateValue = 2;

/**
 * The contributions of all rows to one property. `states` is missing when every row has a value; `timesMs` (only `last` and `first`) is missing when
 * every contribution's time is the row's `lastSeenMs` (`last`) or `firstSeenMs` (`first`).
 */
export type PropertyColumn =
  | {
      readonly form: "number";
      readonly states?: Uint8Array;
      readonly timesMs?: Float64Array;
      readonly values: Float64Array;
    }
  /** `exact` is there when a value is not a safe integer, and then holds all values; `values` holds their nearest doubles. */
  | {
      readonly form: "int64";
      readonly states?: Uint8Array;
      readonly timesMs?: Float64Array;
      readonly values: Float64Array;
      readonly exact?: BigInt64Array;
    }
  | {
      readonly form: "bytes";
      readonly states?: Uint8Array;
      readonly timesMs?: Float64Array;
      readonly values: BytesColumn;
    }
  /** What is added (int64, wrapping). Rows without a contribution have state absent. */
  | {
      readonly form: "counter";
      readonly states?: Uint8Array;
      readonly values: Float64Array;
      readonly exact?: BigInt64Array;
    }
  /** Items of row i are `items[starts[i] .. starts[i + 1])`: encoded values (model/update/encoded-value.ts), sorted, distinct, at most `unionMax`; `cut[i]` is 1 when more were seen. */
  | { readonly form: "set"; readonly starts: Uint32Array; readonly items: BytesColumn; readonly cut?: Uint8Array };

/** Rows of one type. A row without upsert has `lastSeenMs` -Infinity and `firstSeenMs` +Infinity; one without removal has `removedAtMs` -Infinity. */
interface ElementColumns {
  /** Index of the type in the definition's `nodes` or `edges`. */
  readonly type: number;
  readonly count: number;
  readonly lastSeenMs: Float64Array;
  readonly firstSeenMs: Float64Array;
  /** Missing when the batch removes nothing of this type. */
  readonly removedAtMs?: Float64Array;
  /** One per declared property, in declared order; undefined when no row contributes to it. */
  readonly properties: readonly (PropertyColumn | undefined)[];
}

/** Every id of this node type that the batch mentions, each once: updated nodes, and nodes that are only an end of an edge (neither upsert nor removal). */
export interface NodeColumns extends ElementColumns {
  readonly ids: BytesColumn;
}

export interface EdgeColumns extends ElementColumns {
  /** Row numbers in the `NodeColumns` of the edge type's `from` and `to` node types. Each (from, to) occurs once. */
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

export interface UpdateBatch {
  /** Events that the batch accounts for. */
  readonly eventCount: number;
  /** At most one entry per type; types that do not occur are left out. */
  readonly nodes: readonly NodeColumns[];
  readonly edges: readonly EdgeColumns[];
}
