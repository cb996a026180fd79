// Evaluates filters on property values: for what a store does not evaluate itself, and as the reference for those that do.
import { compareCodePoints } from "./avro/record-encoder.ts";
import type { GraphModel, PropertyModel, ScalarType, ValueType } from "./definition.ts";
import type { Filter, FilterTarget, PropertyValue } from "./filter.ts";

/** The value that a target has in the row at hand; undefined when absent. */
export type Lookup = (target: FilterTarget) => PropertyValue;
export type Predicate = (lookup: Lookup) => boolean;

/** Properties of the two sides that a filter's targets refer to. */
export interface FilterTypes {
  readonly edge: readonly PropertyModel[];
  readonly node: readonly PropertyModel[];
}

export function filterTypes(model: GraphModel, edge: number, node: number): FilterTypes {
  return { edge: model.edges[edge]!.properties, node: model.nodes[node]!.properties };
}

export function compileFilter(filter: Filter, types: FilterTypes): Predicate {
  switch (filter.kind) {
    case "and": {
      const parts = filter.filters.map((part) => compileFilter(part, types));
      return (lookup) => parts.every((part) => part(lookup));
    }
    case "or": {
      const parts = filter.filters.map((part) => compileFilter(part, types));
      return (lookup) => parts.some((part) => part(lookup));
    }
    case "not": {
      const inner = compileFilter(filter.filter, types);
      return (lookup) => !inner(lookup);
    }
    case "present":
      return (lookup) => lookup(filter.target) !== undefined;
    case "prefix":
      return (lookup) => {
        const value = lookup(filter.target);
        return typeof value === "string" && value.startsWith(filter.value);
      };
    case "in": {
      const equal = filter.values.map((value) => comparison(filter.target, "equals", value, types));
      return (lookup) => equal.some((test) => test(lookup));
    }
    case "compare":
      return comparison(filter.target, filter.operator, filter.value, types);
  }
}

type Operator = Extract<Filter, { readonly kind: "compare" }>["operator"];

function comparison(target: FilterTarget, operator: Operator, operand: PropertyValue, types: FilterTypes): Predicate {
  const type = typeOf(target, types);
  const holds = (value: PropertyValue): boolean => {
    if (value === undefined || value === null) return false;
    const order = compareScalars(type, value, operand);
    switch (operator) {
      case "equals":
        return order === 0;
      case "gt":
        return order > 0;
      case "gte":
        return order >= 0;
      case "lt":
        return order < 0;
      case "lte":
        return order <= 0;
    }
  };
  return (lookup) => {
    const value = lookup(target);
    return Array.isArray(value) ? value.some(holds) : holds(value);
  };
}

function typeOf(target: FilterTarget, types: FilterTypes): ValueType {
  return "time" in target ? { kind: "timestamp" } : types[target.of][target.property]!.type;
}

/** The order of encoded values (docs/SEMANTICS.md, section 1) of two values of one scalar type, neither null nor absent. */
function compareScalars(type: ValueType, left: PropertyValue, right: PropertyValue): number {
  switch (type.kind) {
    case "string":
      return compareCodePoints(left as string, right as string);
    case "bytes":
      return Buffer.compare(left as Uint8Array, right as Uint8Array);
    case "enum":
      return symbolIndex(type, left) - symbolIndex(type, right);
    default: {
      const [a, b] = [left as number | bigint | boolean, right as number | bigint | boolean];
      return a < b ? -1 : a > b ? 1 : 0;
    }
  }
}

function symbolIndex(type: Extract<ScalarType, { readonly kind: "enum" }>, value: PropertyValue): number {
  return type.symbols.indexOf(value as string);
}

/** Indexes of the properties that a filter looks at on one side, added to `into`. */
export function collectProperties(filter: Filter | undefined, of: "edge" | "node", into: Set<number>): void {
  if (filter === undefined) return;
  switch (filter.kind) {
    case "and":
    case "or":
      for (const part of filter.filters) collectProperties(part, of, into);
      return;
    case "not":
      collectProperties(filter.filter, of, into);
      return;
    default:
      if (filter.target.of === of && "property" in filter.target) into.add(filter.target.property);
  }
}
