// GraphML of an export, for graph tools. What is our own has names with a dot, which no property has: rdg.type, rdg.id, rdg.firstSeen, rdg.lastSeen.
//
// A node's XML id is its type, a colon and its id: ids of different types may be equal, and no type has a colon. GraphML has no null: properties that are
// null are left out, as absent ones are. Lists and maps are their JSON, bytes base64.
import type { GraphModel, PropertyModel } from "../model/definition.ts";
import { pieces } from "./pieces.ts";
import { plainText } from "./plain-text.ts";
import { type LineElement, type MentionedNode, type SortedExport } from "./sort-export.ts";

/** By name of the property: the GraphML key. */
type Keys = ReadonlyMap<string, string>;

export function graphmlFile(sorted: SortedExport, model: GraphModel): Generator<Uint8Array> {
  return pieces(texts(sorted, model));
}

function* texts(sorted: SortedExport, model: GraphModel): Generator<string> {
  const nodes = new Map(model.nodes.map(({ name, properties }, i) => [name, keysOf(`n${i}`, properties)]));
  const edges = new Map(model.edges.map(({ name, properties }, i) => [name, keysOf(`e${i}`, properties)]));
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n`;
  for (const kind of ["node", "edge"] as const) {
    for (const name of kind === "node" ? ["type", "id", "firstSeen", "lastSeen"] : ["type", "firstSeen", "lastSeen"]) {
      yield key(`${kind}.${name}`, kind, `rdg.${name}`, "string");
    }
  }
  for (const [i, { properties }] of model.nodes.entries()) yield* keys(`n${i}`, "node", properties);
  for (const [i, { properties }] of model.edges.entries()) yield* keys(`e${i}`, "edge", properties);
  yield `<graph id="${attribute(sorted.header.graph)}" edgedefault="directed">\n`;
  const ends = new Map(model.edges.map(({ name, from, to }) => [name, { from, to }]));
  for (const line of sorted.lines) {
    const element = JSON.parse(line) as LineElement | MentionedNode;
    if (element.kind === "edge") {
      const { from, to } = ends.get(element.type)!;
      yield `<edge source="${nodeId(from, element.from)}" target="${nodeId(to, element.to)}">`;
      yield `${data("edge.type", element.type)}${content("edge", element, edges.get(element.type)!)}</edge>\n`;
    } else {
      const own = `${data("node.type", element.type)}${data("node.id", element.id)}`;
      const rest = element.kind === "node" ? content("node", element, nodes.get(element.type)!) : "";
      yield `<node id="${nodeId(element.type, element.id)}">${own}${rest}</node>\n`;
    }
  }
  yield "</graph>\n</graphml>\n";
}

/** Names of properties may be equal in several types, their types different: each has a key of its own. */
function keysOf(prefix: string, properties: readonly PropertyModel[]): Keys {
  return new Map(properties.map(({ name }, i) => [name, `${prefix}.${i}`]));
}

function* keys(prefix: string, kind: "node" | "edge", properties: readonly PropertyModel[]): Generator<string> {
  for (const [i, property] of properties.entries()) yield key(`${prefix}.${i}`, kind, property.name, typeOf(property));
}

function key(id: string, kind: "node" | "edge", name: string, type: string): string {
  return `<key id="${id}" for="${kind}" attr.name="${attribute(name)}" attr.type="${type}"/>\n`;
}

function typeOf({ type, merge }: PropertyModel): string {
  if (merge === "union") return "string";
  switch (type.kind) {
    case "int32":
      return "int";
    case "int64":
      return "long";
    case "double":
    case "boolean":
      return type.kind;
    default:
      return "string";
  }
}

function content(kind: "node" | "edge", { firstSeen, lastSeen, properties }: LineElement, named: Keys): string {
  let text = `${data(`${kind}.firstSeen`, firstSeen)}${data(`${kind}.lastSeen`, lastSeen)}`;
  for (const [name, value] of Object.entries(properties)) {
    const id = named.get(name);
    if (value !== null && id !== undefined) text += data(id, plainText(value));
  }
  return text;
}

function nodeId(type: string, id: string): string {
  return attribute(`${type}:${id}`);
}

function data(key: string, value: string): string {
  return `<data key="${key}">${escaped(value).replaceAll("\r", "&#13;")}</data>`;
}

/** Readers make blanks of line feeds and tabs in attributes, unless they are written as numbers. */
function attribute(value: string): string {
  return escaped(value).replaceAll(/["\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/**
 * XML 1.0 cannot hold most control characters, nor U+FFFE and U+FFFF, in whatever way they are written. They are written as `_x0001_`, as Office Open XML does,
 * and an underscore before an x and four such digits as `_x005F_`: so every text can be had back.
 */
function escaped(value: string): string {
  return value
    .replaceAll(/_(?=x[0-9A-Fa-f]{4})/g, "_x005F_")
    .replaceAll(/\p{Cc}|[\ufffe\uffff]/gu, (character) => {
      const code = character.charCodeAt(0);
      if ((code >= 0x7f && code < 0xfffe) || "\t\n\r".includes(character)) return character;
      return `_x${code.toString(16).toUpperCase().padStart(4, "0")}_`;
    })
    .replaceAll(/[&<>]/g, (character) => (character === "&" ? "&amp;" : character === "<" ? "&lt;" : "&gt;"));
}
