// Single updates of nodes and edges as Avro records (their schemas: schemas.ts), for readers that know nothing of packed batches. Not for hot paths: an object
// per update.
//
// Properties are the last field and are only ever added at its end (align.ts), each a union with null: so a record of an earlier definition ends early and one of
// a later definition has more; both are read.
import type { EdgeModel, NodeModel, PropertyModel } from "../definition.ts";
import type { PropertyValue } from "../filter.ts";
import type { Element, PropertyState } from "../update/element.ts";
import { isOpaque } from "../update/opaque-value.ts";
import type { UpdateRow } from "../update/rows.ts";
import { AvroReader } from "./avro-reader.ts";
import { AvroWriter } from "./avro-writer.ts";
import { readBlocks } from "./foreign-values.ts";
import { compileValueReader } from "./record-decoder.ts";
import { compileValueEncoder } from "./record-encoder.ts";

export interface UpdateRecords {
  /** Without framing. */
  encode(row: UpdateRow): Uint8Array;
  /** @throws RdgError invalid, `bad_avro` */
  decode(bytes: Uint8Array, start: number, end: number): UpdateRow;
}

const idBytesMax = 1024;
const itemsMax = 1_000_000;
const absent = 0;
const present = 2;

export function compileUpdateRecords(kind: "node" | "edge", type: NodeModel | EdgeModel): UpdateRecords {
  const writer = new AvroWriter();
  const reader = new AvroReader();
  const properties = type.properties.map((property) => ({ name: property.name, ...contributions(property) }));
  return {
    encode(row) {
      writer.reset();
      for (const id of row.kind === "node" ? [row.id] : [row.from, row.to]) writer.text(id);
      for (const timeMs of [row.firstSeenMs, row.lastSeenMs, row.removedAtMs]) {
        writer.byte(timeMs === undefined ? absent : present);
        if (timeMs !== undefined) writer.long(timeMs);
      }
      for (const { name, write } of properties) {
        const state = row.properties[name];
        writer.byte(state === undefined ? absent : present);
        if (state !== undefined) write(writer, state);
      }
      return writer.copy();
    },
    decode(bytes, start, end) {
      reader.open(bytes, start, end);
      const id = reader.text(idBytesMax);
      const key =
        kind === "node"
          ? ({ kind, type: type.name, id } as const)
          : ({ kind, type: type.name, from: id, to: reader.text(idBytesMax) } as const);
      const [firstSeenMs, lastSeenMs, removedAtMs] = [optionalTime(reader), optionalTime(reader), optionalTime(reader)];
      const states: Record<string, PropertyState> = Object.create(null) as Record<string, PropertyState>;
      for (const { name, read } of properties) {
        if (reader.remaining === 0) break;
        if (isPresent(reader)) states[name] = read(reader);
      }
      const element: Element = {
        ...(firstSeenMs !== undefined && lastSeenMs !== undefined && { firstSeenMs, lastSeenMs }),
        ...(removedAtMs !== undefined && { removedAtMs }),
        properties: states,
      };
      return { ...key, ...element };
    },
  };
}

interface Contributions {
  readonly write: (writer: AvroWriter, state: PropertyState) => void;
  readonly read: (reader: AvroReader) => PropertyState;
}

function contributions({ type, merge }: PropertyModel): Contributions {
  if (merge === "sum") {
    const [encode, decode] = [compileValueEncoder({ kind: "int64" }), compileValueReader({ kind: "int64" })];
    return {
      write: (writer, { value }) => encode(value, writer),
      read: (reader) => ({ value: decode(reader) as PropertyValue }),
    };
  }
  const { write, read } = nullableValue(type);
  if (merge === "union") {
    return {
      write(writer, { value, cut }) {
        const items = value as readonly PropertyValue[];
        if (items.length > 0) {
          writer.long(items.length);
          for (const item of items) write(writer, item);
        }
        writer.byte(0);
        writer.byte(cut === true ? 1 : 0);
      },
      read(reader) {
        const items: PropertyValue[] = [];
        readBlocks(reader, itemsMax, () => items.push(read(reader)));
        return reader.byte() === 1 ? { value: items, cut: true } : { value: items };
      },
    };
  }
  if (merge === "min" || merge === "max") {
    return { write: (writer, { value }) => write(writer, value), read: (reader) => ({ value: read(reader) }) };
  }
  return {
    write(writer, { value, timeMs }) {
      writer.long(timeMs!);
      write(writer, value);
    },
    read(reader) {
      const timeMs = Number(reader.long());
      return { value: read(reader), timeMs };
    },
  };
}

function nullableValue(type: PropertyModel["type"]): {
  readonly write: (writer: AvroWriter, value: PropertyValue) => void;
  readonly read: (reader: AvroReader) => PropertyValue;
} {
  const encode = compileValueEncoder(type);
  const decode = compileValueReader(type);
  const opaque = isOpaque(type);
  return {
    write(writer, value) {
      writer.byte(value === null ? absent : present);
      if (value === null) return;
      // Opaque values are held as their Avro bytes.
      if (opaque) writer.raw(value as Uint8Array);
      else encode(value, writer);
    },
    read(reader) {
      if (!isPresent(reader)) return null;
      const start = reader.position;
      const value = decode(reader) as PropertyValue;
      return opaque ? reader.slice(start) : value;
    },
  };
}

function isPresent(reader: AvroReader): boolean {
  const branch = reader.byte();
  if (branch !== absent && branch !== present) throw reader.fail("an optional value has no such branch");
  return branch === present;
}

function optionalTime(reader: AvroReader): number | undefined {
  return isPresent(reader) ? Number(reader.long()) : undefined;
}
