// Hot path of traversals: values of properties as entries of a map of rdg.v1's Value (proto/rdg/v1/value.proto), by their type. What depends on types only is made ready once.
import type { PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { JsonValue } from "../../model/traversal.ts";
import { FixedBytes, putAscii, putInteger, putText, putTimestamp } from "./element-bytes.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

// Tags: field number * 8 + wire type (0 varint, 1 eight bytes, 2 with a length).
const nullTag = 0x08;
const boolTag = 0x10;
const stringTag = 0x1a;
const int64Tag = 0x20;
const doubleTag = 0x29;
const timestampTag = 0x32;
const bytesTag = 0x3a;
const listTag = 0x42;
const mapTag = 0x4a;

/** The entry of one property in the map of properties. Nearly all fit into 127 bytes: then both lengths, of entry and value, are a byte that was left for them. */
export class PropertyEncoder {
  /** Tag, place of the entry's length, key, tag and place of the value's length. */
  readonly opening: Uint8Array;
  readonly type: ValueType;
  private readonly fixed: FixedBytes;
  private readonly writer: ProtobufWriter;
  /** Of values that are mostly short; 0: they are not. */
  private readonly shortTag: number;
  private readonly writeValue: (value: PropertyValue) => void;

  constructor(writer: ProtobufWriter, tag: number, { name, type, merge }: PropertyModel) {
    this.writer = writer;
    this.type = type;
    this.opening = written((to) => {
      to.byte(tag);
      to.begin();
      writeKey(to, name);
      to.begin();
    });
    this.fixed = new FixedBytes(this.opening);
    const item = valueWriter(writer, type);
    this.writeValue = merge === "union" ? listWriter(writer, item) : item;
    this.shortTag = merge === "union" ? 0 : (shortTags.get(type.kind) ?? 0);
  }

  /** Writes in place, where room was left, what most values are; false: it is none of these, and what was written does not count. */
  writeShort(value: PropertyValue): boolean {
    const { writer, shortTag, fixed } = this;
    const { buffer, at: start } = writer;
    const from = start + fixed.length;
    fixed.put(writer.view, start);
    let end: number;
    if (typeof value === "number") {
      if (shortTag === int64Tag && value >= 0) end = putInteger(buffer, from + 1, value);
      else if (shortTag === timestampTag) end = putTimestamp(writer.view, from + 1, value);
      else return false;
    } else if (typeof value === "string" && shortTag === stringTag) end = putText(buffer, from + 1, value);
    else return false;
    const entryLength = end - start - 2;
    if (end < 0 || entryLength > 127) return false;
    buffer[start + 1] = entryLength;
    buffer[from - 1] = end - from;
    buffer[from] = shortTag;
    writer.at = end;
    return true;
  }

  /** The same for a text of ASCII in `bytes[start, stop)`. */
  writeAscii(bytes: Uint8Array, from: number, to: number): boolean {
    const { writer, fixed } = this;
    const { buffer, at: start } = writer;
    const valueFrom = start + fixed.length;
    fixed.put(writer.view, start);
    const end = putAscii(buffer, valueFrom + 1, bytes, from, to);
    const entryLength = end - start - 2;
    if (end < 0 || entryLength > 127) return false;
    buffer[start + 1] = entryLength;
    buffer[valueFrom - 1] = end - valueFrom;
    buffer[valueFrom] = stringTag;
    writer.at = end;
    return true;
  }

  write(value: PropertyValue): void {
    const { writer, opening } = this;
    const start = writer.length;
    writer.put(opening);
    const from = start + opening.length;
    if (value === null) writeNull(writer);
    else this.writeValue(value);
    writer.end(from);
    writer.end(start + 2);
  }
}

const shortTags: ReadonlyMap<string, number> = new Map([
  ["string", stringTag],
  ["enum", stringTag],
  ["int32", int64Tag],
  ["int64", int64Tag],
  ["timestamp", timestampTag],
]);

export function written(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter();
  write(writer);
  return Uint8Array.from(writer.written());
}

/** The key of an entry of a map, and the tag of its value. An empty key is the default, which is not written. */
export function writeKey(writer: ProtobufWriter, name: string): void {
  if (name !== "") {
    writer.byte(0x0a);
    writer.text(name);
  }
  writer.byte(0x12);
}

function writeNull(writer: ProtobufWriter): void {
  writer.byte(nullTag);
  writer.byte(0);
}

/** Writes the content of a Value of a type: what is neither null nor absent. */
function valueWriter(writer: ProtobufWriter, type: ValueType): (value: PropertyValue) => void {
  switch (type.kind) {
    case "string":
    case "enum":
      return (value) => {
        writer.byte(stringTag);
        writer.text(value as string);
      };
    case "int32":
    case "int64":
      return (value) => {
        writer.byte(int64Tag);
        writer.int64(value as number | bigint);
      };
    case "double":
      return (value) => {
        writer.byte(doubleTag);
        writer.double(value as number);
      };
    case "timestamp":
      return (value) => {
        writer.byte(timestampTag);
        writer.timestamp(value as number);
      };
    case "boolean":
      return (value) => {
        writer.byte(boolTag);
        writer.byte(value === true ? 1 : 0);
      };
    case "bytes":
      return (value) => {
        writer.byte(bytesTag);
        writer.bytes(value as Uint8Array);
      };
    case "array":
      return listWriter(writer, valueWriter(writer, type.item));
    case "map": {
      const item = valueWriter(writer, type.value);
      return (value) => writeMap(writer, value as Record<string, PropertyValue>, () => item);
    }
    case "record": {
      const items = new Map(type.fields.map((field) => [field.name, valueWriter(writer, field.type)]));
      return (value) => writeMap(writer, value as Record<string, PropertyValue>, (name) => items.get(name));
    }
  }
}

function listWriter(writer: ProtobufWriter, item: (value: PropertyValue) => void): (value: PropertyValue) => void {
  return (value) => {
    writer.byte(listTag);
    const from = writer.begin();
    for (const entry of value as readonly PropertyValue[]) {
      writer.byte(0x0a);
      const itemFrom = writer.begin();
      if (entry === null || entry === undefined) writeNull(writer);
      else item(entry);
      writer.end(itemFrom);
    }
    writer.end(from);
  };
}

function writeMap<T>(
  writer: ProtobufWriter,
  map: { readonly [name: string]: T },
  itemOf: (name: string) => ((value: T) => void) | undefined,
): void {
  writer.byte(mapTag);
  const from = writer.begin();
  for (const [name, value] of Object.entries(map)) {
    const item = itemOf(name);
    if (value === undefined || item === undefined) continue;
    writer.byte(0x0a);
    const entry = writer.begin();
    writeKey(writer, name);
    const valueFrom = writer.begin();
    if (value === null) writeNull(writer);
    else item(value);
    writer.end(valueFrom);
    writer.end(entry);
  }
  writer.end(from);
}

/** The content of a Value for what has no type but JSON's. */
export function writeJson(writer: ProtobufWriter, value: JsonValue): void {
  if (value === null) return writeNull(writer);
  if (Array.isArray(value)) return listWriter(writer, (entry) => writeJson(writer, entry as JsonValue))(value);
  switch (typeof value) {
    case "string":
      writer.byte(stringTag);
      return writer.text(value);
    case "number":
      writer.byte(doubleTag);
      return writer.double(value);
    case "boolean":
      writer.byte(boolTag);
      return writer.byte(value ? 1 : 0);
    default:
      return writeMap(
        writer,
        value as { readonly [name: string]: JsonValue },
        () => (entry) => writeJson(writer, entry),
      );
  }
}
