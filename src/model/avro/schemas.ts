// The Avro schemas that follow from a definition: of events, of rows of side inputs, and of the updates of nodes and edges as external readers see them.
//
// Names are stable: `rdg.events.<event>`, `rdg.inputs.<sideInput>`, `rdg.nodes.<type>`, `rdg.edges.<type>`. A record or enum within is named after its path in
// the namespace of what holds it: `rdg.events.order_.lines`, `rdg.events.order_.lines_.kind` (with the underscore, because no package of generated Java may be
// called like a class). The text is canonical: equal definitions have equal texts. Optional is a union with null, null first and default.
import { sha256Hex } from "../../core/sha256.ts";
import type {
  EdgeModel,
  EventModel,
  FieldModel,
  GraphModel,
  NodeModel,
  PropertyModel,
  SideInputModel,
  ValueType,
} from "../definition.ts";

type Schema = string | readonly Schema[] | { readonly [attribute: string]: unknown };

/** A schema and where it is registered. */
export interface ModelSchema {
  /** As RDG names it. */
  readonly topic: string;
  /** `<topic>-value`, the topic as other programs name it. */
  readonly subject: string;
  readonly schema: string;
  readonly fingerprint: string;
}

/**
 * The schemas of RDG's own topics of a definition: events, side inputs, nodes, edges.
 * @param prefix stands before the names of topics for other programs
 */
export function modelSchemas(model: GraphModel, prefix = ""): readonly ModelSchema[] {
  const modelSchema = (topic: string, schema: string): ModelSchema => {
    return { topic, subject: `${prefix}${topic}-value`, schema, fingerprint: schemaFingerprint(schema) };
  };
  return [
    ...model.events
      .filter(({ source }) => source === undefined)
      .map((event) => modelSchema(`events.${event.name}`, eventSchema(event))),
    ...model.sideInputs
      .filter(({ source }) => source === undefined)
      .map((input) => modelSchema(`inputs.${input.name}`, sideInputSchema(input))),
    ...model.nodes.map((node) => modelSchema(`nodes.${node.name}`, nodeUpdateSchema(node))),
    ...model.edges.map((edge) => modelSchema(`edges.${edge.name}`, edgeUpdateSchema(edge))),
  ];
}

/** SHA-256 of the canonical text, hexadecimal. */
function schemaFingerprint(schema: string): string {
  return sha256Hex(new TextEncoder().encode(schema));
}

export function eventSchema(event: EventModel): string {
  return JSON.stringify(recordSchema(`rdg.events.${event.name}`, event.fields));
}

function sideInputSchema(input: SideInputModel): string {
  return JSON.stringify(recordSchema(`rdg.inputs.${input.name}`, input.fields));
}

/**
 * What a window knows of a node: `{ id, firstSeen, lastSeen, removedAt, properties }`. Times are null when there was no upsert or no removal. A property is null when
 * nothing was contributed, else by policy: last, first `{ t, v }` with the time of the contribution; min, max `{ v }`; sum the sum; union `{ v, cut }`. A null `v` is a null.
 */
function nodeUpdateSchema(node: NodeModel): string {
  return JSON.stringify(updateSchema(`rdg.nodes.${node.name}`, ["id"], node.properties));
}

/** As that of a node, with `from` and `to` instead of `id`. */
function edgeUpdateSchema(edge: EdgeModel): string {
  return JSON.stringify(updateSchema(`rdg.edges.${edge.name}`, ["from", "to"], edge.properties));
}

const timestampSchema: Schema = { type: "long", logicalType: "timestamp-millis" };

function recordSchema(name: string, fields: readonly FieldModel[]): Schema {
  return {
    type: "record",
    name,
    fields: fields.map((field) => {
      const type = valueSchema(field.type, `${name}_.${field.name}`);
      return field.optional ? nullable(field.name, type) : { name: field.name, type };
    }),
  };
}

function nullable(name: string, type: Schema): Schema {
  return { name, type: ["null", type], default: null };
}

function valueSchema(type: ValueType, name: string): Schema {
  switch (type.kind) {
    case "string":
    case "double":
    case "boolean":
    case "bytes":
      return type.kind;
    case "int32":
      return "int";
    case "int64":
      return "long";
    case "timestamp":
      return timestampSchema;
    case "enum":
      return { type: "enum", name, symbols: type.symbols };
    case "array":
      return { type: "array", items: valueSchema(type.item, name) };
    case "map":
      return { type: "map", values: valueSchema(type.value, name) };
    case "record":
      return recordSchema(name, type.fields);
  }
}

function updateSchema(name: string, ids: readonly string[], properties: readonly PropertyModel[]): Schema {
  const held = `${name}_.properties`;
  return {
    type: "record",
    name,
    fields: [
      ...ids.map((id) => ({ name: id, type: "string" })),
      nullable("firstSeen", timestampSchema),
      nullable("lastSeen", timestampSchema),
      nullable("removedAt", timestampSchema),
      {
        name: "properties",
        type: {
          type: "record",
          name: held,
          fields: properties.map((property) =>
            nullable(property.name, contributionSchema(property, `${held}_.${property.name}`)),
          ),
        },
      },
    ],
  };
}

function contributionSchema({ merge, type }: PropertyModel, name: string): Schema {
  if (merge === "sum") return "long";
  const value = ["null", valueSchema(type, `${name}_.v`)];
  if (merge === "union") {
    const fields = [
      { name: "v", type: { type: "array", items: value } },
      { name: "cut", type: "boolean" },
    ];
    return { type: "record", name, fields };
  }
  const timed = merge === "last" || merge === "first";
  return {
    type: "record",
    name,
    fields: [...(timed ? [{ name: "t", type: timestampSchema }] : []), { name: "v", type: value }],
  };
}
