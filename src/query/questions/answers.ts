// Nodes and edges of a store as the plain objects of an answer: times as ISO 8601, int64 as decimal strings, bytes as base64, absent properties left out.
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { EdgeAnswer, JsonValue, NodeAnswer } from "../../model/traversal.ts";
import type { EdgeRow, NodeRows } from "../../store/port.ts";

/** Row `row` of rows that were read with `select`. A node that is not visible is answered by id alone. */
export function nodeAnswer(
  model: GraphModel,
  type: number,
  id: string,
  rows: NodeRows,
  row: number,
  select: readonly number[],
): NodeAnswer {
  const { name, properties } = model.nodes[type]!;
  if (rows.visible[row] !== 1) return { type: name, id };
  return {
    type: name,
    id,
    firstSeen: timeText(rows.firstSeenMs[row]!),
    lastSeen: timeText(rows.lastSeenMs[row]!),
    properties: propertiesOf(properties, select, (column) => rows.properties[column]![row]),
  };
}

export function edgeAnswer(
  model: GraphModel,
  edge: number,
  from: string,
  to: string,
  row: EdgeRow,
  select: readonly number[],
): EdgeAnswer {
  const { name, properties } = model.edges[edge]!;
  return {
    type: name,
    from,
    to,
    firstSeen: timeText(row.firstSeenMs),
    lastSeen: timeText(row.lastSeenMs),
    properties: propertiesOf(properties, select, (column) => row.properties[column]),
  };
}

function propertiesOf(
  models: readonly PropertyModel[],
  select: readonly number[],
  valueAt: (column: number) => PropertyValue,
): { readonly [name: string]: JsonValue } {
  const entries: [string, JsonValue][] = [];
  for (const [column, property] of select.entries()) {
    const value = valueAt(column);
    if (value === undefined) continue;
    const { name, type, merge } = models[property]!;
    entries.push([name, jsonOf(merge === "union" ? { kind: "array", item: type } : type, value)]);
  }
  // Unlike assignment, this takes a property that is called `__proto__`.
  return Object.fromEntries(entries);
}

/** A moment that a Date cannot express stands as its milliseconds. */
function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

/** A value as answers tell it. */
export function jsonOf(type: ValueType, value: PropertyValue): JsonValue {
  if (value === null || value === undefined) return null;
  switch (type.kind) {
    case "int64":
      return (value as number | bigint).toString();
    case "timestamp":
      return timeText(value as number);
    case "bytes": {
      const { buffer, byteOffset, length } = value as Uint8Array;
      return Buffer.from(buffer, byteOffset, length).toString("base64");
    }
    case "array":
      return (value as readonly PropertyValue[]).map((item) => jsonOf(type.item, item));
    case "map":
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, jsonOf(type.value, item as PropertyValue)]),
      );
    case "record": {
      const entries: [string, JsonValue][] = [];
      for (const field of type.fields) {
        const held = value as { readonly [name: string]: PropertyValue };
        const item = Object.hasOwn(held, field.name) ? held[field.name] : undefined;
        if (item !== undefined) entries.push([field.name, jsonOf(field.type, item)]);
      }
      return Object.fromEntries(entries);
    }
    default:
      return value as JsonValue;
  }
}
