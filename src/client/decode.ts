// Elements of answers as rows: times become Dates, int64 bigint, bytes Uint8Array, by their declarations; without one, properties stay as they came.
import { parseBase64 } from "../model/avro/json-values.ts";
import type { AnyEdge, AnyNode } from "../model/define/declaration.ts";
import type { AnyAskedEnrichment } from "../model/define/enrichment.ts";
import type { PropertyModel, ValueType } from "../model/definition.ts";
import type { EdgeAnswer, JsonValue, NodeAnswer } from "../model/traversal.ts";

type Values = { readonly [name: string]: unknown };

/** A row of any type, as it is at run time. */
export interface AnyNodeRow {
  readonly type: string;
  readonly id: string;
  readonly firstSeen?: Date;
  readonly lastSeen?: Date;
  readonly properties: Values;
  readonly enriched?: Values;
}

export interface EndId {
  readonly id: string;
}

export interface AnyEdgeRow {
  readonly type: string;
  /** By id only where the declaration is not known. */
  readonly from: AnyNodeRow | EndId;
  readonly to: AnyNodeRow | EndId;
  readonly firstSeen: Date;
  readonly lastSeen: Date;
  readonly properties: Values;
}

export function nodeRow(
  node: NodeAnswer,
  declaration: AnyNode | undefined,
  enrichments: readonly AnyAskedEnrichment[] = [],
): AnyNodeRow {
  const { type, id, firstSeen, lastSeen, properties = {}, enriched } = node;
  const seen = firstSeen !== undefined && lastSeen !== undefined;
  return {
    type,
    id,
    ...(seen && { firstSeen: new Date(firstSeen), lastSeen: new Date(lastSeen) }),
    properties: decodeProperties(properties, declaration?.model.properties),
    ...(enrichments.length > 0 && { enriched: enrichedOf(type, enriched, enrichments) }),
  };
}

/** Of the enrichments that are about this type of nodes. */
function enrichedOf(type: string, values: NodeAnswer["enriched"], enrichments: readonly AnyAskedEnrichment[]): Values {
  const entries = enrichments
    .filter(({ on }) => on.name === type)
    .map(
      ({ name, model }) => [name, decode(values?.[name] ?? null, { kind: "record", fields: model.fields })] as const,
    );
  return Object.fromEntries(entries);
}

export function edgeRow(
  edge: EdgeAnswer,
  from: AnyNodeRow | EndId,
  to: AnyNodeRow | EndId,
  declaration: AnyEdge | undefined,
): AnyEdgeRow {
  return {
    type: edge.type,
    from,
    to,
    firstSeen: new Date(edge.firstSeen),
    lastSeen: new Date(edge.lastSeen),
    properties: decodeProperties(edge.properties, declaration?.model.properties),
  };
}

function decodeProperties(
  values: { readonly [name: string]: JsonValue },
  properties: readonly PropertyModel[] | undefined,
): Values {
  if (properties === undefined) return values;
  const entries = properties.flatMap(({ name, type, merge }): [string, unknown][] => {
    if (!Object.hasOwn(values, name)) return [];
    return [[name, decode(values[name]!, merge === "union" ? { kind: "array", item: type } : type)]];
  });
  return Object.fromEntries(entries);
}

function decode(value: JsonValue, type: ValueType): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case "int64":
      return BigInt(value as string | number);
    case "timestamp":
      return new Date(value as string);
    case "bytes":
      return parseBase64(value as string);
    case "array":
      return (value as readonly JsonValue[]).map((item) => decode(item, type.item));
    case "map":
      return Object.fromEntries(
        Object.entries(value).map(([key, item]) => [key, decode(item as JsonValue, type.value)]),
      );
    case "record": {
      const record = value as { readonly [name: string]: JsonValue };
      const present = type.fields.filter(({ name }) => Object.hasOwn(record, name));
      return Object.fromEntries(present.map((field) => [field.name, decode(record[field.name]!, field.type)]));
    }
    default:
      return value;
  }
}
