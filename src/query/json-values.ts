// Hot path of queries: values of properties as JSON, by their type. What depends on types only is made ready once.
import type { PropertyModel, ValueType } from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { JsonWriter } from "./json-writer.ts";

const comma = 0x2c;
const close = 0x7d;

/** Writes values of a property that are neither null nor absent. */
export function propertyWriter(writer: JsonWriter, { type, merge }: PropertyModel): (value: PropertyValue) => void {
  const item = valueWriter(writer, type);
  return merge === "union" ? listWriter(writer, item) : item;
}

/** Writes values of a type that are neither null nor absent. */
function valueWriter(writer: JsonWriter, type: ValueType): (value: PropertyValue) => void {
  switch (type.kind) {
    case "string":
    case "enum":
      return (value) => writer.text(value as string);
    case "int32":
    case "double":
      return (value) => writer.number(value as number);
    case "int64":
      return (value) => writer.int64(value as number | bigint);
    case "timestamp":
      return (value) => writer.time(value as number);
    case "boolean":
      return (value) => writer.raw(value === true ? "true" : "false");
    case "bytes":
      return (value) => {
        const { buffer, byteOffset, length } = value as Uint8Array;
        writer.raw(`"${Buffer.from(buffer, byteOffset, length).toString("base64")}"`);
      };
    case "array":
      return listWriter(writer, valueWriter(writer, type.item));
    case "map": {
      const item = valueWriter(writer, type.value);
      return (value) => objectWriter(writer, Object.entries(value as object), () => item);
    }
    case "record": {
      const items = new Map(type.fields.map((field) => [field.name, valueWriter(writer, field.type)]));
      return (value) => objectWriter(writer, Object.entries(value as object), (name) => items.get(name));
    }
  }
}

function listWriter(writer: JsonWriter, item: (value: PropertyValue) => void): (value: PropertyValue) => void {
  return (value) => {
    writer.char(0x5b);
    for (const [i, entry] of (value as readonly PropertyValue[]).entries()) {
      if (i > 0) writer.char(comma);
      if (entry === null || entry === undefined) writer.raw("null");
      else item(entry);
    }
    writer.char(0x5d);
  };
}

function objectWriter(
  writer: JsonWriter,
  entries: readonly (readonly [string, PropertyValue])[],
  itemOf: (name: string) => ((value: PropertyValue) => void) | undefined,
): void {
  writer.char(0x7b);
  let first = true;
  for (const [name, value] of entries) {
    const item = itemOf(name);
    if (value === undefined || item === undefined) continue;
    if (!first) writer.char(comma);
    first = false;
    writer.text(name);
    writer.char(0x3a);
    if (value === null) writer.raw("null");
    else item(value);
  }
  writer.char(close);
}
