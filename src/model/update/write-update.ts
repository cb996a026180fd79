// Writes updates that are plain objects into an update sink: the way of tests, and of whatever has objects anyway. Not for the hot path.
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import { storageClassOf } from "./batch.ts";
import type { Update } from "./element.ts";
import { bytesOf, numberOf } from "./encoded-value.ts";
import type { Int64, PropertySink, SetSink, UpdateSink } from "./sink.ts";

const encoder = new TextEncoder();

/** Ids and values must be valid: `bad_value` is thrown for a value of a wrong type, ids are not checked. */
export function writeUpdate(model: GraphModel, sink: UpdateSink, update: Update): void {
  if (update.kind === "node") {
    const type = indexOf(model.nodes, update.type);
    const nodes = sink.nodes[type]!;
    const reference = intern(sink, type, update.id);
    if (update.operation === "remove") return nodes.remove(reference, update.timeMs);
    const row = nodes.upsert(reference, update.timeMs);
    return writeProperties(model.nodes[type]!, nodes.properties, row, update.timeMs, update.properties);
  }
  const type = indexOf(model.edges, update.type);
  const edge = model.edges[type]!;
  const edges = sink.edges[type]!;
  const from = intern(sink, indexOf(model.nodes, edge.from), update.from);
  const to = intern(sink, indexOf(model.nodes, edge.to), update.to);
  if (update.operation === "remove") return edges.remove(from, to, update.timeMs);
  const row = edges.upsert(from, to, update.timeMs);
  return writeProperties(edge, edges.properties, row, update.timeMs, update.properties);
}

function indexOf(types: readonly { readonly name: string }[], name: string): number {
  return types.findIndex((type) => type.name === name);
}

function intern(sink: UpdateSink, type: number, id: string): number {
  const bytes = encoder.encode(id);
  return sink.nodes[type]!.intern(bytes, 0, bytes.length);
}

function writeProperties(
  type: NodeModel | EdgeModel,
  sinks: readonly PropertySink[],
  row: number,
  timeMs: number,
  values: Readonly<Record<string, PropertyValue>>,
): void {
  for (const [index, property] of type.properties.entries()) {
    const value = Object.hasOwn(values, property.name) ? values[property.name] : undefined;
    if (value !== undefined) writeProperty(property, sinks[index]!, row, timeMs, value);
  }
}

function writeProperty(
  property: PropertyModel,
  sink: PropertySink,
  row: number,
  timeMs: number,
  value: PropertyValue,
): void {
  if (sink.form === "set") {
    for (const item of value as readonly PropertyValue[]) writeItem(property, sink, row, item);
  } else if (sink.form === "counter") sink.add(row, value as Int64);
  else if (value === null) sink.setNull(row, timeMs);
  else if (sink.form === "number") sink.set(row, timeMs, Number(numberOf(property.type, value)));
  else if (sink.form === "int64") sink.set(row, timeMs, numberOf(property.type, value));
  else {
    const bytes = bytesOf(property.type, value);
    sink.set(row, timeMs, bytes, 0, bytes.length);
  }
}

function writeItem(property: PropertyModel, sink: SetSink, row: number, item: PropertyValue): void {
  if (item === null) return sink.addNull(row);
  const storage = storageClassOf(property.type);
  if (storage === "number") return sink.addNumber(row, Number(numberOf(property.type, item)));
  if (storage === "int64") return sink.addInt64(row, numberOf(property.type, item));
  const bytes = bytesOf(property.type, item);
  return sink.addBytes(row, bytes, 0, bytes.length);
}
