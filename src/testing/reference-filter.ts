// The meaning of filters, stated over property values: the twin that a store's evaluation in place is tested against.
import type { PropertyModel, ValueType } from "../model/definition.ts";
import type { Filter, FilterTarget, PropertyValue } from "../model/filter.ts";
import { compareBytes, encodeValue } from "../model/update/encoded-value.ts";

/** A visible element: its times and one value per declared property. */
export interface Seen {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly properties: readonly PropertyValue[];
  readonly models: readonly PropertyModel[];
}

/** Whether an edge and its neighbour pass; a neighbour that is not visible has no times and no properties. */
export function referenceFilter(filter: Filter): (edge: Seen, node: Seen | undefined) => boolean {
  return (edge, node) => passes(filter, edge, node);
}

function passes(filter: Filter, edge: Seen, node: Seen | undefined): boolean {
  if ("filters" in filter) {
    const results = filter.filters.map((inner) => passes(inner, edge, node));
    return filter.kind === "and" ? results.every(Boolean) : results.some(Boolean);
  }
  if (filter.kind === "not") return !passes(filter.filter, edge, node);
  const { value, model } = look(filter.target, edge, node);
  if (filter.kind === "present") return value !== undefined;
  if (value === undefined || value === null) return false;
  const set = model?.merge === "union";
  if (filter.kind === "prefix")
    return !set && model?.type.kind === "string" && (value as string).startsWith(filter.value);
  const type: ValueType = model?.type ?? { kind: "timestamp" };
  const order = (a: PropertyValue, b: PropertyValue): number =>
    compareBytes(encodeValue(type, a), encodeValue(type, b));
  const equals = (wanted: PropertyValue): boolean =>
    wanted !== null &&
    (set ? (value as readonly PropertyValue[]) : [value]).some((item) => item !== null && order(item, wanted) === 0);
  if (filter.kind === "in") return filter.values.some(equals);
  if (filter.operator === "equals") return equals(filter.value);
  if (set || filter.value === null) return false;
  const difference = order(value, filter.value);
  if (filter.operator === "gt") return difference > 0;
  if (filter.operator === "gte") return difference >= 0;
  return filter.operator === "lt" ? difference < 0 : difference <= 0;
}

function look(
  target: FilterTarget,
  edge: Seen,
  node: Seen | undefined,
): { value: PropertyValue; model?: PropertyModel } {
  const seen = target.of === "edge" ? edge : node;
  if ("time" in target) return { value: target.time === "firstSeen" ? seen?.firstSeenMs : seen?.lastSeenMs };
  const value = seen?.properties[target.property];
  const model = seen?.models[target.property];
  return model === undefined ? { value } : { value, model };
}
