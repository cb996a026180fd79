// An UpdateSink that writes down what it is given as plain updates, as the interpreter yields them.
import { decodeRecord } from "../../src/jobs/plan/decode.ts";
import type { PlainUpdate } from "../../src/jobs/plan/interpreter.ts";
import type { GraphModel, PropertyModel, ValueType } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";
import { propertyFormOf } from "../../src/model/update/batch.ts";
import type { EdgeSink, NodeSink, PropertySink, UpdateSink } from "../../src/model/update/sink.ts";

export interface RecordingSink extends UpdateSink {
  readonly updates: PlainUpdate[];
  /** Calls of any kind, interns included. */
  calls: number;
  clear(): void;
}

export function createRecordingSink(model: GraphModel): RecordingSink {
  const updates: PlainUpdate[] = [];
  const ids: string[][] = model.nodes.map(() => []);
  const record = (kind: PlainUpdate["kind"], type: number, ids: readonly string[], timeMs: number): number => {
    sink.calls++;
    return updates.push({ kind, type, ids, timeMs, properties: [] }) - 1;
  };
  const idOf = (type: number, reference: number): string => {
    const id = ids[type]![reference];
    if (id === undefined) throw new Error(`node type ${type} has no reference ${reference}`);
    return id;
  };
  const propertySinks = (properties: readonly PropertyModel[]): PropertySink[] =>
    properties.map((property, index) => createPropertySink(property, index, updates, sink));
  const sink: RecordingSink = {
    updates,
    calls: 0,
    clear() {
      updates.length = 0;
      sink.calls = 0;
      for (const known of ids) known.length = 0;
    },
    nodes: [],
    edges: [],
  };
  const nodes = model.nodes.map((node, type): NodeSink => ({
    intern(bytes, start, end) {
      sink.calls++;
      const id = textOf(bytes, start, end);
      const known = ids[type]!.indexOf(id);
      return known < 0 ? ids[type]!.push(id) - 1 : known;
    },
    upsert: (reference, timeMs) => record("upsertNode", type, [idOf(type, reference)], timeMs),
    remove: (reference, timeMs) => void record("removeNode", type, [idOf(type, reference)], timeMs),
    properties: propertySinks(node.properties),
  }));
  const edges = model.edges.map((edge, type): EdgeSink => {
    const from = model.nodes.findIndex((node) => node.name === edge.from);
    const to = model.nodes.findIndex((node) => node.name === edge.to);
    const ends = (a: number, b: number): string[] => [idOf(from, a), idOf(to, b)];
    return {
      upsert: (a, b, timeMs) => record("upsertEdge", type, ends(a, b), timeMs),
      remove: (a, b, timeMs) => void record("removeEdge", type, ends(a, b), timeMs),
      properties: propertySinks(edge.properties),
    };
  });
  return Object.assign(sink, { nodes, edges });
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(start, end));
}

function createPropertySink(
  property: PropertyModel,
  index: number,
  updates: PlainUpdate[],
  sink: { calls: number },
): PropertySink {
  const add = (row: number, value: PropertyValue, timeMs?: number): void => {
    sink.calls++;
    const update = updates[row]!;
    if (timeMs !== undefined && timeMs !== update.timeMs)
      throw new Error("a property has another time than its update");
    (update.properties as { property: number; value: PropertyValue }[]).push({ property: index, value });
  };
  const { type } = property;
  const form = propertyFormOf(property);
  switch (form) {
    case "number":
      return {
        form,
        set: (row, timeMs, value) => add(row, numberValue(type, value), timeMs),
        setNull: (row, timeMs) => add(row, null, timeMs),
      };
    case "int64":
      return {
        form,
        set: (row, timeMs, value) => add(row, value, timeMs),
        setNull: (row, timeMs) => add(row, null, timeMs),
      };
    case "bytes":
      return {
        form,
        set: (row, timeMs, bytes, start, end) => add(row, bytesValue(type, bytes, start, end), timeMs),
        setNull: (row, timeMs) => add(row, null, timeMs),
      };
    case "counter":
      return { form, add };
    case "set":
      return {
        form,
        addNumber: (row, value) => add(row, numberValue(type, value)),
        addInt64: add,
        addBytes: (row, bytes, start, end) => add(row, bytesValue(type, bytes, start, end)),
        addNull: (row) => add(row, null),
      };
  }
}

function numberValue(type: ValueType, value: number): PropertyValue {
  if (typeof value !== "number") throw new Error(`${String(value)} is no number`);
  if (type.kind === "boolean") return value === 1;
  return type.kind === "enum" ? type.symbols[value] : value;
}

function bytesValue(type: ValueType, bytes: Uint8Array, start: number, end: number): PropertyValue {
  if (type.kind === "string") return textOf(bytes, start, end);
  if (type.kind === "bytes") return new Uint8Array(bytes.subarray(start, end));
  return decodeRecord([{ name: "value", type, optional: false }], bytes, start, end)["value"];
}
