// Nodes and edges of answers that the query stage gives as JSON forms (model/traversal.ts), as messages. Traversals, which answer more, go by encode-answer.ts.
import { RdgError } from "../../core/errors.ts";
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { Timestamp } from "../../model/rpc/generated/google/protobuf/timestamp.ts";
import type { Edge, Node, Value } from "../../model/rpc/generated/rdg/v1/element.ts";
import type { EdgeAnswer, JsonValue, NodeAnswer } from "../../model/traversal.ts";

type Converter = (json: JsonValue) => Value;
type Converters = ReadonlyMap<string, Converter>;

/** Converts elements of one definition: only it knows which texts are numbers and moments. */
export class ElementMessages {
  readonly #nodes: ReadonlyMap<string, Converters>;
  readonly #edges: ReadonlyMap<string, Converters>;

  constructor(model: GraphModel) {
    this.#nodes = new Map(model.nodes.map(({ name, properties }) => [name, convertersOf(properties)]));
    this.#edges = new Map(model.edges.map(({ name, properties }) => [name, convertersOf(properties)]));
  }

  node({ type, id, firstSeen, lastSeen, properties = {}, enriched = {} }: NodeAnswer): Node {
    return {
      type,
      id,
      firstSeen: firstSeen === undefined ? undefined : timestampOf(firstSeen),
      lastSeen: lastSeen === undefined ? undefined : timestampOf(lastSeen),
      properties: propertiesOf(properties, this.#nodes.get(type)),
      enriched: new Map(Object.entries(enriched).map(([name, json]) => [name, plainValue(json)])),
    };
  }

  edge({ type, from, to, firstSeen, lastSeen, properties }: EdgeAnswer): Edge {
    return {
      type,
      fromId: from,
      toId: to,
      firstSeen: timestampOf(firstSeen),
      lastSeen: timestampOf(lastSeen),
      properties: propertiesOf(properties, this.#edges.get(type)),
    };
  }
}

function convertersOf(properties: readonly PropertyModel[]): Converters {
  return new Map(
    properties.map(({ name, type, merge }) => [
      name,
      merge === "union" ? listConverter(converterOf(type)) : converterOf(type),
    ]),
  );
}

function propertiesOf(
  properties: { readonly [name: string]: JsonValue },
  converters: Converters | undefined,
): Map<string, Value> {
  return new Map(
    Object.entries(properties).map(([name, json]) => {
      const convert = converters?.get(name);
      if (convert === undefined) throw unknownProperty(name);
      return [name, orNull(convert)(json)];
    }),
  );
}

function unknownProperty(name: string): RdgError {
  return new RdgError("internal", "unknown_property", `An answer has the property "${name}", which nobody declared.`);
}

/** An explicit null is one of every type. */
function orNull(convert: Converter): Converter {
  return (json) => (json === null ? nullValue : convert(json));
}

const nullValue: Value = { kind: { $case: "nullValue", value: 0 } };

function converterOf(type: ValueType): Converter {
  switch (type.kind) {
    case "string":
    case "enum":
      return (json) => ({ kind: { $case: "stringValue", value: json as string } });
    case "int32":
    case "int64":
      return (json) => ({ kind: { $case: "int64Value", value: BigInt(json as string | number) } });
    case "double":
      return (json) => ({ kind: { $case: "doubleValue", value: json as number } });
    case "boolean":
      return (json) => ({ kind: { $case: "boolValue", value: json as boolean } });
    case "timestamp":
      return (json) => ({ kind: { $case: "timestampValue", value: timestampOf(json as string) } });
    case "bytes":
      return (json) => ({ kind: { $case: "bytesValue", value: Buffer.from(json as string, "base64") } });
    case "array":
      return listConverter(converterOf(type.item));
    case "map": {
      const item = orNull(converterOf(type.value));
      return (json) => mapOf(json as { readonly [name: string]: JsonValue }, () => item);
    }
    case "record": {
      const items = new Map(type.fields.map((field) => [field.name, orNull(converterOf(field.type))]));
      return (json) => mapOf(json as { readonly [name: string]: JsonValue }, (name) => items.get(name) ?? plainValue);
    }
  }
}

function listConverter(item: Converter): Converter {
  const convert = orNull(item);
  return (json) => ({ kind: { $case: "listValue", value: { values: (json as JsonValue[]).map(convert) } } });
}

function mapOf(json: { readonly [name: string]: JsonValue }, itemOf: (name: string) => Converter): Value {
  const entries = new Map(Object.entries(json).map(([name, value]) => [name, itemOf(name)(value)]));
  return { kind: { $case: "mapValue", value: { entries } } };
}

/** What has no type but JSON's. */
function plainValue(json: JsonValue): Value {
  if (json === null) return nullValue;
  if (Array.isArray(json)) return listConverter(plainValue)(json as JsonValue);
  switch (typeof json) {
    case "string":
      return { kind: { $case: "stringValue", value: json } };
    case "number":
      return { kind: { $case: "doubleValue", value: json } };
    case "boolean":
      return { kind: { $case: "boolValue", value: json } };
    default:
      return mapOf(json as { readonly [name: string]: JsonValue }, () => plainValue);
  }
}

/** Of ISO 8601, or of milliseconds where a moment has no such form. */
function timestampOf(text: string): Timestamp {
  const parsed = Date.parse(text);
  const ms = Number.isNaN(parsed) ? Number(text) : parsed;
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 };
}
