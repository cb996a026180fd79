// Filters compiled to tests that look at rows in place: no property value is made for an edge that does not pass. Hot path.
import { RdgError } from "../../core/errors.ts";
import type { Filter, FilterTarget, PropertyValue } from "../../model/filter.ts";
import { stateAbsent, stateValue } from "../../model/update/batch.ts";
import { bytesOf, compareRanges, encodeValue, numberOf } from "../../model/update/encoded-value.ts";
import { Counter } from "./counter.ts";
import type { EdgeType } from "./edge-type.ts";
import type { ElementType } from "./element-type.ts";
import type { NodeType } from "./node-type.ts";
import type { Property } from "./property.ts";
import { BytesRegister, Int64Register, NumberRegister } from "./registers.ts";
import { SetProperty } from "./set.ts";

/** Whether a visible edge and its neighbour, given by their rows, pass. */
export type EdgeTest = (edge: number, neighbour: number) => boolean;

type RowTest = (row: number) => boolean;
/** How the row's value compares with a fixed one: negative, 0, positive; NaN when it has none. */
type RowOrder = (row: number, removedAtMs: number) => number;

/** @throws RdgError invalid: `bad_value`, `bad_filter` */
export function compileFilter(filter: Filter, edges: EdgeType, neighbours: NodeType, nowMs: number): EdgeTest {
  if ("filters" in filter) {
    const tests = filter.filters.map((inner) => compileFilter(inner, edges, neighbours, nowMs));
    if (filter.kind === "and") return (edge, neighbour) => tests.every((test) => test(edge, neighbour));
    return (edge, neighbour) => tests.some((test) => test(edge, neighbour));
  }
  if (filter.kind === "not") {
    const test = compileFilter(filter.filter, edges, neighbours, nowMs);
    return (edge, neighbour) => !test(edge, neighbour);
  }
  if (filter.target.of === "edge") return rowTest(filter, edges);
  const test = rowTest(filter, neighbours);
  return (_, neighbour) => neighbours.isVisible(neighbour, nowMs) && test(neighbour);
}

function rowTest(filter: Extract<Filter, { target: FilterTarget }>, type: ElementType): RowTest {
  const { rows } = type;
  if (filter.kind === "present") {
    if ("time" in filter.target) return () => true;
    const property = propertyAt(filter.target, type);
    return (row) => property.stateOf(row, rows.removedAtMs(row)) !== stateAbsent;
  }
  if (filter.kind === "prefix") return prefixTest(filter, type);
  if (filter.kind === "in") {
    const tests = filter.values.map((value) => comparison(filter.target, "equals", value, type));
    return (row) => tests.some((test) => test(row));
  }
  return comparison(filter.target, filter.operator, filter.value, type);
}

type Operator = Extract<Filter, { kind: "compare" }>["operator"];

function comparison(target: FilterTarget, operator: Operator, value: PropertyValue, type: ElementType): RowTest {
  if (value === null || value === undefined) return () => false;
  const { rows } = type;
  const order = "time" in target ? timeOrder(target, value, type) : undefined;
  const property = "time" in target ? undefined : propertyAt(target, type);
  if (property instanceof SetProperty) {
    if (operator !== "equals") return () => false;
    const item = encodeValue(modelAt(target, type).type, value);
    return (row) => property.has(row, item);
  }
  const compare = order ?? propertyOrder(property!, value, target, type);
  switch (operator) {
    case "equals":
      return (row) => compare(row, rows.removedAtMs(row)) === 0;
    case "gt":
      return (row) => compare(row, rows.removedAtMs(row)) > 0;
    case "gte":
      return (row) => compare(row, rows.removedAtMs(row)) >= 0;
    case "lt":
      return (row) => compare(row, rows.removedAtMs(row)) < 0;
    case "lte":
      return (row) => compare(row, rows.removedAtMs(row)) <= 0;
  }
}

function timeOrder(target: FilterTarget & { time: string }, value: PropertyValue, { rows }: ElementType): RowOrder {
  const timeMs = Number(numberOf({ kind: "timestamp" }, value));
  if (target.time === "firstSeen") return (row) => rows.firstSeenMs(row) - timeMs;
  return (row) => rows.lastSeenMs(row) - timeMs;
}

function propertyOrder(property: Property, value: PropertyValue, target: FilterTarget, type: ElementType): RowOrder {
  const model = modelAt(target, type);
  if (property instanceof NumberRegister) {
    const wanted = Number(numberOf(model.type, value));
    return (row, removedAtMs) =>
      property.stateOf(row, removedAtMs) === stateValue ? property.number(row) - wanted : Number.NaN;
  }
  if (property instanceof Int64Register || property instanceof Counter) {
    const wanted = numberOf({ kind: "int64" }, value);
    return (row, removedAtMs) => {
      if (property.stateOf(row, removedAtMs) !== stateValue) return Number.NaN;
      const held = property.int64(row);
      return held === wanted ? 0 : held < wanted ? -1 : 1;
    };
  }
  if (property instanceof BytesRegister) {
    const wanted = bytesOf(model.type, value);
    return (row, removedAtMs) => {
      if (property.stateOf(row, removedAtMs) !== stateValue) return Number.NaN;
      property.place(row);
      return compareRanges(property.bytes, property.start, property.end, wanted, 0, wanted.length);
    };
  }
  throw badFilter(`Property "${model.name}" cannot be compared.`);
}

function prefixTest(filter: Extract<Filter, { kind: "prefix" }>, type: ElementType): RowTest {
  const { target, value } = filter;
  const property = "time" in target ? undefined : propertyAt(target, type);
  if (!(property instanceof BytesRegister) || modelAt(target, type).type.kind !== "string") return () => false;
  const wanted = bytesOf({ kind: "string" }, value);
  return (row) => {
    if (property.stateOf(row, type.rows.removedAtMs(row)) !== stateValue) return false;
    property.place(row);
    const end = property.start + wanted.length;
    return end <= property.end && compareRanges(property.bytes, property.start, end, wanted, 0, wanted.length) === 0;
  };
}

function propertyAt(target: FilterTarget, type: ElementType): Property {
  const property = "property" in target ? type.properties[target.property] : undefined;
  if (property === undefined) throw badFilter(`Type "${type.model.name}" has no such property.`);
  return property;
}

function modelAt(target: FilterTarget, type: ElementType) {
  const model = "property" in target ? type.model.properties[target.property] : undefined;
  if (model === undefined) throw badFilter(`Type "${type.model.name}" has no such property.`);
  return model;
}

function badFilter(message: string): RdgError {
  return new RdgError("invalid", "bad_filter", message, { hint: "Name properties by their index in the definition." });
}
