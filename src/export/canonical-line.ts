// The canonical form of an element: one line of JSON, the same wherever the element is stored, and the key by which lines are ordered.
import type { GraphModel, PropertyModel, ValueType } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import { compareBytes, encodeValue } from "../model/update/encoded-value.ts";
import type { ScannedElement } from "../store/port.ts";

/** JSON of a value that is neither absent nor null. */
type Writer = (value: PropertyValue) => string;

interface TypeLines {
  /** Up to the first id. */
  readonly start: string;
  /** In order of names, which is not that of the definition: what a folder holds keeps an older order. */
  readonly properties: readonly { readonly index: number; readonly name: string; readonly write: Writer }[];
}

export class CanonicalLines {
  readonly #nodes: readonly TypeLines[];
  readonly #edges: readonly TypeLines[];

  constructor(model: GraphModel) {
    this.#nodes = model.nodes.map(({ name, properties }) => ({
      start: `{"kind":"node","type":${JSON.stringify(name)},"id":`,
      properties: propertiesOf(properties),
    }));
    this.#edges = model.edges.map(({ name, properties }) => ({
      start: `{"kind":"edge","type":${JSON.stringify(name)},"from":`,
      properties: propertiesOf(properties),
    }));
  }

  /** Without a line feed. */
  line(element: ScannedElement): string {
    const { start, properties } = (element.kind === "node" ? this.#nodes : this.#edges)[element.type]!;
    const ids =
      element.kind === "node"
        ? JSON.stringify(element.id)
        : `${JSON.stringify(element.from)},"to":${JSON.stringify(element.to)}`;
    let values = "";
    for (const { index, name, write } of properties) {
      const value = element.properties[index];
      if (value === undefined) continue;
      values += `${values === "" ? "" : ","}${name}${value === null ? "null" : write(value)}`;
    }
    const times = `"firstSeen":${timeJson(element.firstSeenMs)},"lastSeen":${timeJson(element.lastSeenMs)}`;
    return `${start}${ids},${times},"properties":{${values}}}`;
  }
}

function propertiesOf(properties: readonly PropertyModel[]): TypeLines["properties"] {
  return properties
    .map(({ name, type, merge }, index) => ({ index, name, write: merge === "union" ? setWriter(type) : writer(type) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((property) => ({ ...property, name: `${JSON.stringify(property.name)}:` }));
}

function writer(type: ValueType): Writer {
  switch (type.kind) {
    case "string":
    case "enum":
    case "int32":
    case "double":
    case "boolean":
      return (value) => JSON.stringify(value);
    case "int64":
      return (value) => `"${value as number | bigint}"`;
    case "timestamp":
      return (value) => timeJson(value as number | bigint);
    case "bytes": {
      return (value) => {
        const { buffer, byteOffset, length } = value as Uint8Array;
        return `"${Buffer.from(buffer, byteOffset, length).toString("base64")}"`;
      };
    }
    case "array": {
      const item = orNull(writer(type.item));
      return (value) => `[${(value as readonly PropertyValue[]).map(item).join(",")}]`;
    }
    case "map": {
      const item = orNull(writer(type.value));
      return (value) => objectJson(value, () => item);
    }
    case "record": {
      const fields = new Map(type.fields.map(({ name, type: of }) => [name, orNull(writer(of))]));
      return (value) => objectJson(value, (name) => fields.get(name));
    }
  }
}

function orNull(write: Writer): Writer {
  return (value) => (value === null || value === undefined ? "null" : write(value));
}

function objectJson(value: PropertyValue, writerOf: (name: string) => Writer | undefined): string {
  const members = Object.entries(value as Readonly<Record<string, PropertyValue>>).flatMap(([name, content]) => {
    const write = writerOf(name);
    return content === undefined || write === undefined
      ? []
      : [{ order: keyPart(name), json: `${JSON.stringify(name)}:${write(content)}` }];
  });
  return `{${members
    .sort((a, b) => (a.order < b.order ? -1 : 1))
    .map(({ json }) => json)
    .join(",")}}`;
}

/** In the order of encoded values, which all engines share. */
function setWriter(type: ValueType): Writer {
  const item = orNull(writer(type));
  return (value) =>
    `[${(value as readonly PropertyValue[])
      .map((each) => ({ order: encodeValue(type, each), json: item(each) }))
      .sort((a, b) => compareBytes(a.order, b.order))
      .map(({ json }) => json)
      .join(",")}]`;
}

/** ISO 8601; a moment that a Date cannot express as its milliseconds. */
function timeJson(ms: number | bigint): string {
  const date = new Date(Number(ms));
  return Number.isNaN(date.getTime()) ? `"${ms}"` : `"${date.toISOString()}"`;
}

/** Keys compare with `<` as their lines are to be ordered: each character is one byte. */
export function nodeKey(type: string, id: string): string {
  return `0${type}\0\0${keyPart(id)}`;
}

export function edgeKey(type: string, from: string, to: string): string {
  return `1${type}\0\0${keyPart(from)}${keyPart(to)}`;
}

/** Most ids: their characters are the bytes of their UTF-8, none of them zero. */
const isPlain = /^[ -~]*$/;

/** Ends with two zero bytes and holds none before: what an id begins with comes before it, and no two lists of ids run together. */
function keyPart(id: string): string {
  if (isPlain.test(id)) return `${id}\0\0`;
  return `${Buffer.from(id).toString("latin1").replaceAll("\0", "\0\xff")}\0\0`;
}
