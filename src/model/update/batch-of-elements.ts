// A batch in columns from elements as objects: for tests and tools, never on the hot path. The way back is rows.ts.
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import {
  type BytesColumn,
  type EdgeColumns,
  type NodeColumns,
  type PropertyColumn,
  propertyFormOf,
  stateAbsent,
  stateNull,
  stateValue,
  type UpdateBatch,
} from "./batch.ts";
import type { Element, PropertyState } from "./element.ts";
import { bytesOf, encodeValue, numberOf } from "./encoded-value.ts";
import type { UpdateRow } from "./rows.ts";
import type { Int64 } from "./sink.ts";

type NodeElement = Extract<UpdateRow, { kind: "node" }>;
type EdgeElement = Extract<UpdateRow, { kind: "edge" }>;

const encoder = new TextEncoder();

/** The batch whose rows are these elements, each of which occurs once. Opaque values are their Avro bytes. */
export function batchOfElements(
  model: GraphModel,
  elements: readonly UpdateRow[],
  eventCount = elements.length,
): UpdateBatch {
  const edges = elements.filter((element) => element.kind === "edge");
  const nodes = elements.filter((element) => element.kind === "node");
  const idsByType = model.nodes.map(({ name }) => idsOf(model, name, nodes, edges));
  return {
    eventCount,
    nodes: model.nodes.flatMap((node, type) => nodeColumns(node, type, idsByType[type]!, nodes)),
    edges: model.edges.flatMap((edge, type) => {
      const ofType = edges.filter((element) => element.type === edge.name);
      const rowsOf = (name: string): ReadonlyMap<string, number> =>
        idsByType[model.nodes.findIndex((node) => node.name === name)]!;
      return ofType.length === 0 ? [] : [edgeColumns(edge, type, ofType, rowsOf(edge.from), rowsOf(edge.to))];
    }),
  };
}

function idsOf(
  model: GraphModel,
  type: string,
  nodes: readonly NodeElement[],
  edges: readonly EdgeElement[],
): ReadonlyMap<string, number> {
  const ids = new Map<string, number>();
  const mention = (id: string): unknown => ids.has(id) || ids.set(id, ids.size);
  for (const node of nodes) if (node.type === type) mention(node.id);
  for (const edge of edges) {
    const ends = model.edges.find(({ name }) => name === edge.type)!;
    if (ends.from === type) mention(edge.from);
    if (ends.to === type) mention(edge.to);
  }
  return ids;
}

function nodeColumns(
  model: NodeModel,
  type: number,
  ids: ReadonlyMap<string, number>,
  nodes: readonly NodeElement[],
): NodeColumns[] {
  if (ids.size === 0) return [];
  const byId = new Map(nodes.filter((node) => node.type === model.name).map((node) => [node.id, node]));
  const rows = [...ids.keys()].map(
    (id): Element => byId.get(id) ?? { properties: Object.create(null) as Element["properties"] },
  );
  return [
    {
      ...elementColumns(model.properties, type, rows),
      ids: bytesColumn([...ids.keys()].map((id) => encoder.encode(id))),
    },
  ];
}

function edgeColumns(
  model: EdgeModel,
  type: number,
  edges: readonly EdgeElement[],
  fromRows: ReadonlyMap<string, number>,
  toRows: ReadonlyMap<string, number>,
): EdgeColumns {
  return {
    ...elementColumns(model.properties, type, edges),
    from: Uint32Array.from(edges, ({ from }) => fromRows.get(from)!),
    to: Uint32Array.from(edges, ({ to }) => toRows.get(to)!),
  };
}

function elementColumns(properties: readonly PropertyModel[], type: number, rows: readonly Element[]) {
  return {
    type,
    count: rows.length,
    lastSeenMs: Float64Array.from(rows, (row) => row.lastSeenMs ?? -Infinity),
    firstSeenMs: Float64Array.from(rows, (row) => row.firstSeenMs ?? Infinity),
    ...(rows.some((row) => row.removedAtMs !== undefined) && {
      removedAtMs: Float64Array.from(rows, (row) => row.removedAtMs ?? -Infinity),
    }),
    properties: properties.map((property) => propertyColumn(property, rows)),
  };
}

function propertyColumn(property: PropertyModel, rows: readonly Element[]): PropertyColumn | undefined {
  const states = rows.map((row) => row.properties[property.name]);
  if (states.every((state) => state === undefined)) return undefined;
  const form = propertyFormOf(property);
  if (form === "set") return setColumn(property, states);
  const values = states.map((state) => state?.value ?? null);
  const flags = states.some((state) => state === undefined || state.value === null) && {
    states: Uint8Array.from(states, (state) =>
      state === undefined ? stateAbsent : state.value === null ? stateNull : stateValue,
    ),
  };
  if (form === "counter") return { form, ...flags, ...int64Column(property, values) };
  const times = timesColumn(property, states, rows);
  if (form === "int64") return { form, ...flags, ...times, ...int64Column(property, values) };
  if (form === "number") {
    return {
      form,
      ...flags,
      ...times,
      values: Float64Array.from(values, (value) => (value === null ? 0 : Number(numberOf(property.type, value)))),
    };
  }
  const bytes = values.map((value) => (value === null ? new Uint8Array(0) : bytesOf(property.type, value)));
  return { form, ...flags, ...times, values: bytesColumn(bytes) };
}

function timesColumn(
  property: PropertyModel,
  states: readonly (PropertyState | undefined)[],
  rows: readonly Element[],
): { readonly timesMs?: Float64Array } {
  if (property.merge !== "last" && property.merge !== "first") return {};
  const usual = (row: Element | undefined): number =>
    (property.merge === "last" ? row?.lastSeenMs : row?.firstSeenMs) ?? 0;
  if (states.every((state, i) => state === undefined || state.timeMs === usual(rows[i]))) return {};
  return { timesMs: Float64Array.from(states, (state, i) => state?.timeMs ?? usual(rows[i])) };
}

function int64Column(
  property: PropertyModel,
  values: readonly PropertyValue[],
): { values: Float64Array; exact?: BigInt64Array } {
  const numbers = values.map((value): Int64 => (value === null ? 0 : numberOf(property.type, value)));
  return {
    values: Float64Array.from(numbers, Number),
    ...(numbers.some((number) => typeof number === "bigint") && { exact: BigInt64Array.from(numbers, BigInt) }),
  };
}

function setColumn(property: PropertyModel, states: readonly (PropertyState | undefined)[]): PropertyColumn {
  const starts = new Uint32Array(states.length + 1);
  const items: Uint8Array[] = [];
  for (const [i, state] of states.entries()) {
    for (const item of (state?.value ?? []) as readonly PropertyValue[]) items.push(encodeValue(property.type, item));
    starts[i + 1] = items.length;
  }
  const cut = states.some((state) => state?.cut === true) && {
    cut: Uint8Array.from(states, (state) => (state?.cut === true ? 1 : 0)),
  };
  return { form: "set", starts, items: bytesColumn(items), ...cut };
}

function bytesColumn(values: readonly Uint8Array[]): BytesColumn {
  const starts = new Uint32Array(values.length + 1);
  for (const [i, value] of values.entries()) starts[i + 1] = starts[i]! + value.length;
  return { bytes: Uint8Array.from(Buffer.concat(values)), starts };
}
