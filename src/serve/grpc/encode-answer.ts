// Hot path of traversals: columns of a traversal as messages of rdg.v1 (proto/rdg/v1/). No object per node or edge; names are bytes that are ready.
import type { GraphModel, PropertyModel } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import { stateAbsent, stateNull } from "../../model/update/batch.ts";
import { valueOfNumber } from "../../model/update/encoded-value.ts";
import type { EdgesOfLevel, FoundInPlace, NodesOfLevel } from "../../query/in-place/port.ts";
import type { EdgesPart, NodesPart } from "../../query/port.ts";
import type { ElementsInPlace, PlacedBytes } from "../../store/in-place/port.ts";
import { FixedBytes, putAscii, putText, putTimestamp, valueBytesMax } from "./element-bytes.ts";
import { PropertyEncoder, writeJson, writeKey, written } from "./property-bytes.ts";
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

  /**
   * A whole answer as one TraverseResponse, from rows as they lie in the store; undefined where it takes more than `bytesMax`. In the order of parts: the edges of
   * a level before its nodes. The bytes are valid until the next call.
   */
  whole({ levels, nowMs }: FoundInPlace, bytesMax: number, summary: () => Uint8Array): Buffer | undefined {
    const { writer } = this;
    writer.reset();
    for (let level = 0; level < levels.length; level++) {
      const { nodes, edges } = levels[level]!;
      if (edges === undefined && nodes.count === 0) continue;
      writer.byte(chunkTag);
      const from = writer.begin(chunkLengthBytes);
      if (level > 0) {
        writer.byte(levelTag);
        writer.varint(level);
      }
      if (edges !== undefined && !this.edges[edges.edge]!.edgesInPlace(edges, bytesMax)) return undefined;
      if (!this.nodes[nodes.type]!.nodesInPlace(nodes, nowMs, bytesMax)) return undefined;
      writer.end(from, chunkLengthBytes);
    }
    writer.byte(summaryTag);
    writer.bytes(summary());
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

  /** False where there are more bytes than these. */
  edgesInPlace({ of, select, near, far, reversed, from, to, columns }: EdgesOfLevel, bytesMax: number): boolean {
    const { writer } = this;
    const { edges, origins, targets, lastSeenMs } = columns;
    const [left, right] = reversed ? [far, near] : [near, far];
    const [lefts, rights] = reversed ? [targets, origins] : [origins, targets];
    of.warm(edges.subarray(from, to), to - from, select);
    far.of.warm(far.references, far.count, far.select);
    for (let i = from; i < to; i++) {
      const row = edges[i]!;
      const begin = this.open(chunkEdgesTag, this.edgeOpening);
      this.idInPlace(left.of.ids, left.references[lefts[i]!]!);
      writer.buffer[writer.at++] = edgeToTag;
      this.idInPlace(right.of.ids, right.references[rights[i]!]!);
      this.moment(edgeFirstSeenTag, of.firstSeenMs(row));
      this.moment(edgeLastSeenTag, lastSeenMs[i]!);
      this.propertiesInPlace(this.edgeProperties, of, row, select);
      this.lengthBytes = writer.end(begin, this.lengthBytes);
      if (writer.length > bytesMax) return false;
    }
    return true;
  }

  nodesInPlace({ of, references, count, select, hidden }: NodesOfLevel, nowMs: number, bytesMax: number): boolean {
    const { writer } = this;
    for (let i = 0; i < count; i++) {
      if (hidden?.[i] === 1) continue;
      const row = references[i]!;
      const begin = this.open(chunkNodesTag, this.nodeOpening);
      this.idInPlace(of.ids, row);
      if (of.isVisible(row, nowMs)) {
        this.moment(nodeFirstSeenTag, of.firstSeenMs(row));
        this.moment(nodeLastSeenTag, of.lastSeenMs(row));
        this.propertiesInPlace(this.nodeProperties, of, row, select);
      }
      this.lengthBytes = writer.end(begin, this.lengthBytes);
      if (writer.length > bytesMax) return false;
    }
    return true;
  }

  private idInPlace(ids: PlacedBytes, row: number): void {
    const { writer } = this;
    ids.place(row);
    const end = putAscii(writer.buffer, writer.at, ids.bytes, ids.start, ids.end);
    if (end >= 0) writer.at = end;
    else this.id(ids.bytes.toString("utf8", ids.start, ids.end));
  }

  private propertiesInPlace(
    encoders: readonly PropertyEncoder[],
    of: ElementsInPlace,
    row: number,
    select: readonly number[],
  ): void {
    const removedAtMs = of.hasRemovals ? of.removedAtMs(row) : -Infinity;
    for (let column = 0; column < select.length; column++) {
      const number = select[column]!;
      const property = of.properties[number]!;
      const state = property.of.stateOf(row, removedAtMs);
      if (state === stateAbsent) continue;
      const encoder = encoders[number]!;
      let value: PropertyValue = null;
      if (state !== stateNull) {
        switch (property.form) {
          case "int64":
            value = property.of.int64(row);
            break;
          case "text": {
            property.of.place(row);
            const { bytes, start, end } = property.of;
            if (encoder.writeAscii(bytes, start, end)) continue;
            value = bytes.toString("utf8", start, end);
            break;
          }
          case "number":
            value = valueOfNumber(encoder.type, property.of.number(row));
            break;
          case "value":
            value = property.of.read(row, removedAtMs);
        }
      }
      if (encoder.writeShort(value)) continue;
      encoder.write(value);
      this.writer.reserve(this.bytesMax);
    }
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
