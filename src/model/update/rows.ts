// Single updates of a packed batch as plain objects: for people, tests and foreign readers. A row is a merged state of one element (element.ts).
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import {
  type BytesColumn,
  type EdgeColumns,
  type NodeColumns,
  type PropertyColumn,
  stateAbsent,
  stateNull,
  type UpdateBatch,
} from "./batch.ts";
import type { Element, ElementKey, PropertyState } from "./element.ts";
import { decodeValue, valueOfBytes, valueOfNumber } from "./encoded-value.ts";
import { canonicalInt64 } from "./int64.ts";

/** The key, then what the batch knows of the element. */
export type UpdateRow = ElementKey & Element;

/**
 * Every update of the batch, nodes first. Nodes that are only an end of an edge are left out.
 * @throws RdgError corrupt, `bad_encoded_value` when the batch was written for another definition
 */
export function* updateRows(model: GraphModel, batch: UpdateBatch): Generator<UpdateRow> {
  for (const nodes of batch.nodes) yield* nodeRows(model, nodes);
  for (const edges of batch.edges) yield* edgeRows(model, batch, edges);
}

/** The updates of one node or edge type, by its name: what a reader of its type topic sees. */
export function* updateRowsOf(
  model: GraphModel,
  batch: UpdateBatch,
  kind: "node" | "edge",
  type: string,
): Generator<UpdateRow> {
  if (kind === "node") {
    for (const nodes of batch.nodes) if (model.nodes[nodes.type]?.name === type) yield* nodeRows(model, nodes);
  } else {
    for (const edges of batch.edges) if (model.edges[edges.type]?.name === type) yield* edgeRows(model, batch, edges);
  }
}

function* nodeRows(model: GraphModel, nodes: NodeColumns): Generator<UpdateRow> {
  const type = model.nodes[nodes.type]!;
  for (let row = 0; row < nodes.count; row++) {
    const removedAtMs = nodes.removedAtMs?.[row] ?? -Infinity;
    if (nodes.lastSeenMs[row] === -Infinity && removedAtMs === -Infinity) continue;
    yield { kind: "node", type: type.name, id: textOf(nodes.ids, row), ...elementOf(type, nodes, row) };
  }
}

function* edgeRows(model: GraphModel, batch: UpdateBatch, edges: EdgeColumns): Generator<UpdateRow> {
  const type = model.edges[edges.type]!;
  const from = endsOf(model, batch, type.from);
  const to = endsOf(model, batch, type.to);
  for (let row = 0; row < edges.count; row++) {
    yield {
      kind: "edge",
      type: type.name,
      from: textOf(from, edges.from[row]!),
      to: textOf(to, edges.to[row]!),
      ...elementOf(type, edges, row),
    };
  }
}

function endsOf(model: GraphModel, batch: UpdateBatch, name: string): BytesColumn {
  return batch.nodes.find((nodes) => model.nodes[nodes.type]?.name === name)!.ids;
}

function textOf(column: BytesColumn, row: number): string {
  const { bytes, starts } = column;
  return valueOfBytes({ kind: "string" }, bytes, starts[row]!, starts[row + 1]!) as string;
}

function elementOf(type: NodeModel | EdgeModel, columns: NodeColumns | EdgeColumns, row: number): Element {
  const lastSeenMs = columns.lastSeenMs[row]!;
  const removedAtMs = columns.removedAtMs?.[row] ?? -Infinity;
  const properties: Record<string, PropertyState> = Object.create(null);
  for (const [index, property] of type.properties.entries()) {
    const column = columns.properties[index];
    const state = column === undefined ? undefined : stateOf(property, column, columns, row);
    if (state !== undefined) properties[property.name] = state;
  }
  return {
    ...(lastSeenMs > -Infinity && { firstSeenMs: columns.firstSeenMs[row]!, lastSeenMs }),
    ...(removedAtMs > -Infinity && { removedAtMs }),
    properties,
  };
}

function stateOf(
  property: PropertyModel,
  column: PropertyColumn,
  rows: NodeColumns | EdgeColumns,
  row: number,
): PropertyState | undefined {
  if (column.form === "set") return setOf(property, column, row);
  const state = column.states?.[row];
  if (state === stateAbsent) return undefined;
  const value = state === stateNull ? null : valueOf(property, column, row);
  if (column.form === "counter" || property.merge === "min" || property.merge === "max") return { value };
  const own = property.merge === "last" ? rows.lastSeenMs : rows.firstSeenMs;
  return { value, timeMs: (column.timesMs ?? own)[row]! };
}

function valueOf(
  property: PropertyModel,
  column: Exclude<PropertyColumn, { form: "set" }>,
  row: number,
): PropertyValue {
  if (column.form === "number") return valueOfNumber(property.type, column.values[row]!);
  if (column.form !== "bytes")
    return column.exact === undefined ? column.values[row]! : canonicalInt64(column.exact[row]!);
  const { bytes, starts } = column.values;
  return valueOfBytes(property.type, bytes, starts[row]!, starts[row + 1]!);
}

function setOf(
  property: PropertyModel,
  column: Extract<PropertyColumn, { form: "set" }>,
  row: number,
): PropertyState | undefined {
  const items: PropertyValue[] = [];
  const { bytes, starts } = column.items;
  for (let i = column.starts[row]!; i < column.starts[row + 1]!; i++) {
    items.push(decodeValue(property.type, bytes, starts[i], starts[i + 1]));
  }
  if (items.length === 0) return undefined;
  return column.cut?.[row] === 1 ? { value: items, cut: true } : { value: items };
}
