// The schemas that follow from the definition: names of types, nodes and edges as answers tell them, records of events and rows of side inputs.
import type { EdgeModel, GraphModel, NodeModel } from "../../model/definition.ts";
import { type JsonSchema, answered, closed, mapOf, oneOfNames, ref } from "./json-schema.ts";
import { decimal, id, propertySchema, recordSchema, time } from "./value-schemas.ts";

export type Components = Readonly<Record<string, JsonSchema>>;

/** Name of the component with an event's or side input's records. */
export function recordComponent(kind: "event" | "input", name: string): string {
  return `${kind === "event" ? "Event" : "Row"}_${name}`;
}

export function graphSchemas(model: GraphModel): Components {
  const { nodes, edges, events, sideInputs } = model;
  const properties = [...new Set([...nodes, ...edges].flatMap((type) => type.properties.map(({ name }) => name)))];
  return {
    NodeType: oneOfNames(nodes.map(({ name }) => name)),
    EdgeType: oneOfNames(edges.map(({ name }) => name)),
    PropertyName: oneOfNames(properties),
    Id: { ...id, description: "At most 1,024 bytes of UTF-8." },
    Time: { ...time, description: "ISO 8601." },
    Decimal: { ...decimal, description: "An integer of 64 bits." },
    Position: positionSchema(model),
    ...Object.fromEntries(nodes.map((node) => [`Node_${node.name}`, nodeSchema(node)])),
    Node: oneOf(nodes.map(({ name }) => `Node_${name}`)),
    ...Object.fromEntries(edges.map((edge) => [`Edge_${edge.name}`, edgeSchema(edge)])),
    Edge: oneOf(edges.map(({ name }) => `Edge_${name}`)),
    ...Object.fromEntries(events.map((event) => [recordComponent("event", event.name), recordSchema(event)])),
    ...Object.fromEntries(
      sideInputs.map((input) => [
        recordComponent("input", input.name),
        { anyOf: [recordSchema(input), closed({ $delete: id }, ["$delete"])] },
      ]),
    ),
  };
}

/** `waitFor` takes those of topics that the graph accounts for. */
function positionSchema({ events, nodes, edges }: GraphModel): JsonSchema {
  const topics = [
    ...events.map(({ name }) => `events\\.${name}`),
    ...nodes.map(({ name }) => `nodes\\.${name}`),
    ...edges.map(({ name }) => `edges\\.${name}`),
  ];
  const example = events[0] && { examples: [`events.${events[0].name}/0@1234`] };
  return { type: "string", pattern: `^(${topics.join("|")})/\\d{1,6}@\\d{1,16}$`, ...example };
}

function nodeSchema({ name, properties }: NodeModel): JsonSchema {
  const members = {
    type: { const: name },
    id: ref("Id"),
    firstSeen: ref("Time"),
    lastSeen: ref("Time"),
    properties: closed(Object.fromEntries(properties.map((property) => [property.name, propertySchema(property)]))),
    enriched: mapOf({ type: ["object", "null"] }),
  };
  return {
    ...answered(members, ["firstSeen", "lastSeen", "properties", "enriched"]),
    description: "Without times and properties where it was never upserted or is not visible any more.",
  };
}

function edgeSchema({ name, from, to, properties }: EdgeModel): JsonSchema {
  const schema = answered({
    type: { const: name },
    from: ref("Id"),
    to: ref("Id"),
    firstSeen: ref("Time"),
    lastSeen: ref("Time"),
    properties: closed(Object.fromEntries(properties.map((property) => [property.name, propertySchema(property)]))),
  });
  return { ...schema, description: `From ${from} to ${to}.` };
}

function oneOf(components: readonly string[]): JsonSchema {
  if (components.length === 0) return { not: {} };
  const mapping = Object.fromEntries(
    components.map((name) => [name.slice(name.indexOf("_") + 1), `#/components/schemas/${name}`]),
  );
  return { oneOf: components.map((name) => ref(name)), discriminator: { propertyName: "type", mapping } };
}
