// Hot path of traversals: columns of a traversal as messages of rdg.v1 (proto/rdg/v1/). No object per node or edge; names are bytes that are ready.
import type { GraphModel, PropertyModel, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { JsonValue } from "../../model/traversal.ts";
import type { EdgesPart, NodesPart } from "../../query/port.ts";
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

/** Elements mostly take 128 bytes and more, chunks 16 KiB and more; where they do not they are moved. */
const elementLengthBytes = 2;
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
  /** Everything before the first id: tag, place of the length, type, tag of the id. */
  private readonly nodeOpening: Uint8Array;
  private readonly edgeOpening: Uint8Array;
  private readonly nodeProperties: readonly PropertyEncoder[];
  private readonly edgeProperties: readonly PropertyEncoder[];

  constructor(writer: ProtobufWriter, name: string, properties: readonly PropertyModel[]) {
    this.writer = writer;
    const opening = (tag: number, idTag: number): Uint8Array =>
      written((to) => {
        to.byte(tag);
        to.begin(elementLengthBytes);
        to.byte(typeTag);
        to.text(name);
        to.byte(idTag);
      });
    this.nodeOpening = opening(chunkNodesTag, nodeIdTag);
    this.edgeOpening = opening(chunkEdgesTag, edgeFromTag);
    this.nodeProperties = properties.map((property) => new PropertyEncoder(writer, nodePropertyTag, property));
    this.edgeProperties = properties.map((property) => new PropertyEncoder(writer, edgePropertyTag, property));
  }

  node(part: NodesPart, row: number): void {
    const { writer } = this;
    const from = writer.length + 1 + elementLengthBytes;
    writer.put(this.nodeOpening);
    writer.text(part.ids[row]!);
    const { visible, firstSeenMs, lastSeenMs, properties } = part.rows;
    if (visible[row] === 1) {
      writer.byte(nodeFirstSeenTag);
      writer.timestamp(firstSeenMs[row]!);
      writer.byte(nodeLastSeenTag);
      writer.timestamp(lastSeenMs[row]!);
      writeProperties(this.nodeProperties, properties, row, part.select);
    }
    if (part.enriched !== undefined) this.enrichments(part, row);
    writer.end(from, elementLengthBytes);
  }

  edge(part: EdgesPart, row: number): void {
    const { writer } = this;
    const from = writer.length + 1 + elementLengthBytes;
    writer.put(this.edgeOpening);
    writer.text(part.fromIds[row]!);
    writer.byte(edgeToTag);
    writer.text(part.toIds[row]!);
    writer.byte(edgeFirstSeenTag);
    writer.timestamp(part.firstSeenMs[row]!);
    writer.byte(edgeLastSeenTag);
    writer.timestamp(part.lastSeenMs[row]!);
    writeProperties(this.edgeProperties, part.properties, row, part.select);
    writer.end(from, elementLengthBytes);
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

/** Absent properties are left out. */
function writeProperties(
  encoders: readonly PropertyEncoder[],
  columns: readonly (readonly PropertyValue[])[],
  row: number,
  select: readonly number[],
): void {
  for (let column = 0; column < select.length; column++) {
    const value = columns[column]![row];
    if (value !== undefined) encoders[select[column]!]!.write(value);
  }
}

/** The entry of one property in the map of properties. Nearly all fit into 127 bytes: then both lengths, of entry and value, are a byte that was left for them. */
class PropertyEncoder {
  private readonly writer: ProtobufWriter;
  /** Tag, place of the entry's length, key, tag and place of the value's length. */
  private readonly opening: Uint8Array;
  private readonly writeValue: (value: PropertyValue) => void;

  constructor(writer: ProtobufWriter, tag: number, { name, type, merge }: PropertyModel) {
    this.writer = writer;
    this.opening = written((to) => {
      to.byte(tag);
      to.begin();
      writeKey(to, name);
      to.begin();
    });
    const item = valueWriter(writer, type);
    this.writeValue = merge === "union" ? listWriter(writer, item) : item;
  }

  write(value: PropertyValue): void {
    const { writer, opening } = this;
    const start = writer.length;
    writer.put(opening);
    const from = start + opening.length;
    if (value === null) writeNull(writer);
    else this.writeValue(value);
    const entryLength = writer.length - start - 2;
    if (entryLength < 128) {
      writer.patch(start + 1, entryLength);
      writer.patch(from - 1, writer.length - from);
    } else {
      writer.end(from);
      writer.end(start + 2);
    }
  }
}

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
