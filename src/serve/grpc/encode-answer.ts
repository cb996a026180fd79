// Hot path of traversals: columns of a traversal as messages of rdg.v1 (proto/rdg/v1/). No object per node or edge; names are bytes that are ready.
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { JsonValue } from "../../model/traversal.ts";
import type { EdgesPart, NodesPart } from "../../query/port.ts";
import { FixedBytes, putInteger, putText, putTimestamp, valueBytesMax } from "./element-bytes.ts";
import { ProtobufWriter } from "./protobuf-writer.ts";

/** What is still to be answered: the rows from `at` on. */
export interface PendingPart {
  readonly part: NodesPart | EdgesPart;
  at: number;
}

// Tags: field number * 8 + wire type (0 varint, 1 eight bytes, 2 with a length).
const chunkTag = 0x0a;
const summaryTag = 0x12;
const levelTag = 0x08;
const chunkNodesTag = 0x12;
const chunkEdgesTag = 0x1a;

const typeTag = 0x0a;
const nodeIdTag = 0x12;
const nodeFirstSeenTag = 0x1a;
const nodeLastSeenTag = 0x22;
const nodePropertyTag = 0x2a;
const nodeEnrichedTag = 0x32;
const edgeFromTag = 0x12;
const edgeToTag = 0x1a;
const edgeFirstSeenTag = 0x22;
const edgeLastSeenTag = 0x2a;
const edgePropertyTag = 0x32;

const nullTag = 0x08;
const boolTag = 0x10;
const stringTag = 0x1a;
const int64Tag = 0x20;
const doubleTag = 0x29;
const timestampTag = 0x32;
const bytesTag = 0x3a;
const listTag = 0x42;
const mapTag = 0x4a;

/** Chunks mostly take 16 KiB and more; where they do not they are moved. */
const chunkLengthBytes = 3;

/** Writes messages of one definition, one at a time. */
export class AnswerEncoder {
  private readonly writer = new ProtobufWriter();
  private readonly nodes: readonly ElementEncoder[];
  private readonly edges: readonly ElementEncoder[];

  constructor(model: GraphModel) {
    this.nodes = model.nodes.map(({ name, properties }) => new ElementEncoder(this.writer, name, properties));
    this.edges = model.edges.map(({ name, properties }) => new ElementEncoder(this.writer, name, properties));
  }

  /**
   * A TraverseResponse with what is pending, one element at least and up to about `bytesMax`, and with the encoded summary if all of it fits. Takes what it has written from `pending`.
   * The bytes are valid until the next call.
   */
  response(pending: PendingPart[], bytesMax: number, summary: Uint8Array | undefined): Buffer {
    const { writer } = this;
    writer.reset();
    let taken = 0;
    for (const next of pending) {
      // Whether a part is through, and not the length, says whether the next may come: a chunk may become shorter at its end.
      if (writer.length >= bytesMax || !this.chunk(next, bytesMax)) break;
      taken++;
    }
    pending.splice(0, taken);
    if (summary !== undefined && pending.length === 0) {
      writer.byte(summaryTag);
      writer.bytes(summary);
    }
    return writer.written();
  }

  /** Whether the part is through. */
  private chunk(pending: PendingPart, bytesMax: number): boolean {
    const { writer } = this;
    const { part } = pending;
    if (pending.at >= part.to) return true;
    writer.byte(chunkTag);
    const from = writer.begin(chunkLengthBytes);
    if (part.level > 0) {
      writer.byte(levelTag);
      writer.varint(part.level);
    }
    if (part.kind === "nodes") {
      const encoder = this.nodes[part.type]!;
      do encoder.node(part, pending.at++);
      while (pending.at < part.to && writer.length < bytesMax);
    } else {
      const encoder = this.edges[part.edge]!;
      do encoder.edge(part, pending.at++);
      while (pending.at < part.to && writer.length < bytesMax);
    }
    writer.end(from, chunkLengthBytes);
    return pending.at >= part.to;
  }
}

/** Encodes nodes or edges of one type. */
class ElementEncoder {
  private readonly writer: ProtobufWriter;
  /** Tag; and behind the place of the length everything before the first id: type, tag of the id. */
  private readonly nodeOpening: FixedBytes;
  private readonly edgeOpening: FixedBytes;
  private readonly nodeProperties: readonly PropertyEncoder[];
  private readonly edgeProperties: readonly PropertyEncoder[];
  /** Of an element whose values are all short. */
  private readonly bytesMax: number;
  /** Bytes that the length of the element before took: where the next takes others, it is moved. */
  private lengthBytes = 2;

  constructor(writer: ProtobufWriter, name: string, properties: readonly PropertyModel[]) {
    this.writer = writer;
    const opening = (idTag: number): FixedBytes =>
      new FixedBytes(
        written((to) => {
          to.byte(typeTag);
          to.text(name);
          to.byte(idTag);
        }),
      );
    this.nodeOpening = opening(nodeIdTag);
    this.edgeOpening = opening(edgeFromTag);
    this.nodeProperties = properties.map((property) => new PropertyEncoder(writer, nodePropertyTag, property));
    this.edgeProperties = properties.map((property) => new PropertyEncoder(writer, edgePropertyTag, property));
    const openings = this.nodeProperties.reduce((sum, { opening: { length } }) => sum + length + valueBytesMax, 0);
    // Beside its properties an element has a length, two ids and two moments.
    this.bytesMax = this.nodeOpening.length + 5 * valueBytesMax + openings;
  }

  node(part: NodesPart, row: number): void {
    const { writer, lengthBytes } = this;
    const from = this.open(chunkNodesTag, this.nodeOpening);
    this.id(part.ids[row]!);
    const { visible, firstSeenMs, lastSeenMs, properties } = part.rows;
    if (visible[row] === 1) {
      this.moment(nodeFirstSeenTag, firstSeenMs[row]!);
      this.moment(nodeLastSeenTag, lastSeenMs[row]!);
      this.properties(this.nodeProperties, properties, row, part.select);
    }
    if (part.enriched !== undefined) this.enrichments(part, row);
    this.lengthBytes = writer.end(from, lengthBytes);
  }

  edge(part: EdgesPart, row: number): void {
    const { writer, lengthBytes } = this;
    const from = this.open(chunkEdgesTag, this.edgeOpening);
    this.id(part.fromIds[row]!);
    writer.buffer[writer.at++] = edgeToTag;
    this.id(part.toIds[row]!);
    this.moment(edgeFirstSeenTag, part.firstSeenMs[row]!);
    this.moment(edgeLastSeenTag, part.lastSeenMs[row]!);
    this.properties(this.edgeProperties, part.properties, row, part.select);
    this.lengthBytes = writer.end(from, lengthBytes);
  }

  /** Leaves room for all short values of the element. Where its content begins. */
  private open(tag: number, opening: FixedBytes): number {
    const { writer } = this;
    writer.reserve(this.bytesMax);
    writer.buffer[writer.at] = tag;
    const from = writer.at + 1 + this.lengthBytes;
    opening.put(writer.view, from);
    writer.at = from + opening.length;
    return from;
  }

  private id(id: string): void {
    const { writer } = this;
    const end = putText(writer.buffer, writer.at, id);
    if (end >= 0) {
      writer.at = end;
      return;
    }
    writer.text(id);
    writer.reserve(this.bytesMax);
  }

  private moment(tag: number, ms: number): void {
    const { writer } = this;
    writer.buffer[writer.at++] = tag;
    const end = putTimestamp(writer.view, writer.at, ms);
    if (end >= 0) writer.at = end;
    else writer.timestamp(ms);
  }

  /** Absent ones are left out. */
  private properties(
    encoders: readonly PropertyEncoder[],
    columns: readonly (readonly PropertyValue[])[],
    row: number,
    select: readonly number[],
  ): void {
    for (let column = 0; column < select.length; column++) {
      const value = columns[column]![row];
      if (value === undefined) continue;
      const encoder = encoders[select[column]!]!;
      if (encoder.writeShort(value)) continue;
      encoder.write(value);
      this.writer.reserve(this.bytesMax);
    }
  }

  private enrichments({ enriched }: NodesPart, row: number): void {
    const { writer } = this;
    for (const { name, values } of enriched!) {
      writer.byte(nodeEnrichedTag);
      const entry = writer.begin();
      writeKey(writer, name);
      const from = writer.begin();
      writeJson(writer, values[row] ?? null);
      writer.end(from);
      writer.end(entry);
    }
  }
}

/** The entry of one property in the map of properties. Nearly all fit into 127 bytes: then both lengths, of entry and value, are a byte that was left for them. */
class PropertyEncoder {
  /** Tag, place of the entry's length, key, tag and place of the value's length. */
  readonly opening: Uint8Array;
  private readonly fixed: FixedBytes;
  private readonly writer: ProtobufWriter;
  /** Of values that are mostly short; 0: they are not. */
  private readonly shortTag: number;
  private readonly writeValue: (value: PropertyValue) => void;

  constructor(writer: ProtobufWriter, tag: number, { name, type, merge }: PropertyModel) {
    this.writer = writer;
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

function written(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter();
  write(writer);
  return Uint8Array.from(writer.written());
}

/** The key of an entry of a map, and the tag of its value. An empty key is the default, which is not written. */
function writeKey(writer: ProtobufWriter, name: string): void {
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
function writeJson(writer: ProtobufWriter, value: JsonValue): void {
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
