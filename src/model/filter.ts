// Filters on properties as data: what a request asks for and a store evaluates near its data.
import type { Int64 } from "./update/sink.ts";

/**
 * A property's value as readers get it: string, number (int32, double; timestamp in ms), Int64 (canonical: number when safe, else bigint), boolean, bytes,
 * enum symbol, list (set, array), record or map of such. `null` is an explicit null, `undefined` is absent.
 */
export type PropertyValue =
  | string
  | number
  | Int64
  | boolean
  | Uint8Array
  | null
  | undefined
  | readonly PropertyValue[]
  | { readonly [name: string]: PropertyValue };

/** What a filter looks at: a property (index in the type's declaration), or firstSeen / lastSeen in ms, of the edge or of the neighbour node. */
export type FilterTarget =
  | { readonly of: "edge" | "node"; readonly property: number }
  | { readonly of: "edge" | "node"; readonly time: "firstSeen" | "lastSeen" };

/** Comparison with an absent or null value is false. For a set, `equals` and `in` ask whether an item equals. `present` is true for null too. */
export type Filter =
  | { readonly kind: "and" | "or"; readonly filters: readonly Filter[] }
  | { readonly kind: "not"; readonly filter: Filter }
  | {
      readonly kind: "compare";
      readonly target: FilterTarget;
      readonly operator: "equals" | "gt" | "gte" | "lt" | "lte";
      readonly value: PropertyValue;
    }
  | { readonly kind: "in"; readonly target: FilterTarget; readonly values: readonly PropertyValue[] }
  | { readonly kind: "present"; readonly target: FilterTarget }
  | { readonly kind: "prefix"; readonly target: FilterTarget; readonly value: string };
