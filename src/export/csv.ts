// CSV of an export as neo4j-admin database import reads it: a file per node and edge type, typed columns, ids of different types apart (`:ID(person)`).
//
// A field that is null or absent is empty; an empty text is "". Sets of numbers, times, booleans, symbols and bytes are lists parted by semicolons (a null
// among them is left out); a semicolon within a text could not be told from one between texts: sets of texts, lists and maps are their JSON. Bytes are base64.
import type { EdgeModel, GraphModel, NodeModel, PropertyModel } from "../model/definition.ts";
import { plainText } from "./plain-text.ts";
import { type LineElement, type MentionedNode, type SortedExport } from "./sort-export.ts";

export interface CsvText {
  readonly file: string;
  readonly text: string;
}

const times = ["rdg.firstSeen:datetime", "rdg.lastSeen:datetime"];

/** First the header of every file, then their rows in canonical order. Names of our own have a dot, which no property has. */
export function* csvFiles(sorted: SortedExport, model: GraphModel): Generator<CsvText> {
  const nodes = new Map(model.nodes.map((type) => [type.name, type]));
  const edges = new Map(model.edges.map((type) => [type.name, type]));
  for (const { name, properties } of model.nodes) {
    yield row(nodesFile(name), [`rdg.id:ID(${name})`, ...times, ...properties.map(column), ":LABEL"]);
  }
  for (const { name, from, to, properties } of model.edges) {
    const ends = [`:START_ID(${from})`, `:END_ID(${to})`];
    yield row(edgesFile(name), [...ends, ...times, ...properties.map(column), ":TYPE"]);
  }
  for (const line of sorted.lines) {
    const element = JSON.parse(line) as LineElement | MentionedNode;
    const { type } = element;
    if (element.kind === "edge") {
      const fields = [element.from, element.to, ...content(element, edges.get(type)!), type];
      yield row(edgesFile(type), fields);
    } else {
      const ofType = nodes.get(type)!;
      const known =
        element.kind === "node"
          ? content(element, ofType)
          : [undefined, undefined, ...ofType.properties.map(() => undefined)];
      yield row(nodesFile(type), [element.id, ...known, type]);
    }
  }
}

const nodesFile = (type: string): string => `nodes.${type}.csv`;
const edgesFile = (type: string): string => `edges.${type}.csv`;

function column({ name, type, merge }: PropertyModel): string {
  return `${name}:${columnType(type)}${merge === "union" && type.kind !== "string" ? "[]" : ""}`;
}

function columnType(type: PropertyModel["type"]): string {
  switch (type.kind) {
    case "int32":
      return "int";
    case "int64":
      return "long";
    case "double":
    case "boolean":
      return type.kind;
    case "timestamp":
      return "datetime";
    default:
      return "string";
  }
}

/** undefined: nothing stands there. */
type Field = string | undefined;

function content({ firstSeen, lastSeen, properties }: LineElement, model: NodeModel | EdgeModel): Field[] {
  return [firstSeen, lastSeen, ...model.properties.map((property) => fieldOf(property, properties))];
}

function fieldOf({ name, type, merge }: PropertyModel, properties: LineElement["properties"]): Field {
  const value = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (value === undefined || value === null) return undefined;
  if (merge !== "union" || type.kind === "string") return plainText(value);
  const items = (value as readonly unknown[]).filter((item) => item !== null);
  return items.length === 0 ? undefined : items.map(plainText).join(";");
}

function row(file: string, fields: readonly Field[]): CsvText {
  return { file, text: `${fields.map(quoted).join(",")}\n` };
}

function quoted(field: Field): string {
  if (field === undefined) return "";
  return field === "" || /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
