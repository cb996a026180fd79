// What a canonical line says, read back in the obvious way.
import type { GraphModel, PropertyModel, ValueType } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";
import { canonicalInt64 } from "../../src/model/update/int64.ts";
import type { ScannedElement } from "../../src/store/port.ts";

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

interface Line {
  readonly kind: "node" | "edge";
  readonly type: string;
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly firstSeen: string;
  readonly lastSeen: string;
  readonly properties: Readonly<Record<string, Json>>;
}

export function decodeLine(model: GraphModel, text: string): ScannedElement {
  const line = JSON.parse(text) as Line;
  const types = line.kind === "node" ? model.nodes : model.edges;
  const type = types.findIndex(({ name }) => name === line.type);
  const shared = {
    type,
    firstSeenMs: Date.parse(line.firstSeen),
    lastSeenMs: Date.parse(line.lastSeen),
    properties: types[type]!.properties.map((property) => propertyOf(property, line)),
  };
  return line.kind === "node"
    ? { kind: "node", id: line.id, ...shared }
    : { kind: "edge", from: line.from, to: line.to, ...shared };
}

function propertyOf({ name, type, merge }: PropertyModel, { properties }: Line): PropertyValue {
  if (!Object.hasOwn(properties, name)) return undefined;
  const value = properties[name]!;
  if (merge !== "union" || value === null) return valueOf(type, value);
  return (value as readonly Json[]).map((item) => valueOf(type, item));
}

function valueOf(type: ValueType, value: Json): PropertyValue {
  if (value === null) return null;
  switch (type.kind) {
    case "int64":
      return canonicalInt64(BigInt(value as string));
    case "timestamp":
      return Date.parse(value as string);
    case "bytes":
      return new Uint8Array(Buffer.from(value as string, "base64"));
    case "array":
      return (value as readonly Json[]).map((item) => valueOf(type.item, item));
    case "map":
      return objectOf(value, () => type.value);
    case "record":
      return objectOf(value, (name) => type.fields.find((field) => field.name === name)!.type);
    default:
      return value;
  }
}

function objectOf(value: Json, typeOf: (name: string) => ValueType): PropertyValue {
  const object: Record<string, PropertyValue> = Object.create(null) as Record<string, PropertyValue>;
  for (const [name, content] of Object.entries(value as Readonly<Record<string, Json>>)) {
    object[name] = valueOf(typeOf(name), content);
  }
  return object;
}
