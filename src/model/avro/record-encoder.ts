// Valid records (JSON or JavaScript values) to Avro bytes, by closures made once per list of fields. The bytes are canonical: equal values have equal bytes.
//
// Canonical means: an array or map is one block with its count (no block at all when empty); a map's entries are in the order of their names' UTF-8;
// varints are shortest; -0 is 0; an absent optional field is branch 0 of its union, a present one branch 1.
// The value must be valid by json-record.ts: it is not checked again, and what the encoder cannot write is refused with `not_validated`.
import { RdgError } from "../../core/errors.ts";
import type { FieldModel, ValueType } from "../definition.ts";
import type { AvroWriter } from "./avro-writer.ts";
import { ownValue } from "./json-record.ts";
import { canonicalInt64, parseBase64, parseInt64, parseTimestamp } from "./json-values.ts";

export type RecordEncoder = (value: unknown, writer: AvroWriter) => void;

/** Appends the record to the writer. */
export function compileRecordEncoder(fields: readonly FieldModel[]): RecordEncoder {
  const encoders = fields.map(encoderOfField);
  return (value, writer) => {
    if (typeof value !== "object" || value === null) throw notValidated("record");
    for (const encode of encoders) encode(value, writer);
  };
}

/** The same for a single value: an opaque property, an item. */
export function compileValueEncoder(type: ValueType): RecordEncoder {
  switch (type.kind) {
    case "string":
      return (value, writer) => {
        if (typeof value !== "string") throw notValidated("string");
        writer.text(value);
      };
    case "int32":
      return (value, writer) => {
        if (typeof value !== "number") throw notValidated("int32");
        writer.long(value);
      };
    case "int64":
      return (value, writer) => writer.long(int64Of(value));
    case "double":
      return (value, writer) => {
        if (typeof value !== "number") throw notValidated("double");
        writer.double(value === 0 ? 0 : value);
      };
    case "boolean":
      return (value, writer) => writer.byte(value === true ? 1 : 0);
    case "timestamp":
      return (value, writer) => writer.long(timestampOf(value));
    case "bytes":
      return (value, writer) => writer.blob(bytesOf(value));
    case "enum":
      return encoderOfEnum(type.symbols);
    case "array":
      return encoderOfArray(compileValueEncoder(type.item));
    case "map":
      return encoderOfMap(compileValueEncoder(type.value));
    case "record":
      return compileRecordEncoder(type.fields);
  }
}

function encoderOfField({ name, type, optional }: FieldModel): (record: object, writer: AvroWriter) => void {
  const encode = compileValueEncoder(type);
  if (!optional) return (record, writer) => encode(ownValue(record, name), writer);
  return (record, writer) => {
    const value = ownValue(record, name);
    if (value === null || value === undefined) return writer.byte(0);
    writer.byte(2);
    encode(value, writer);
  };
}

function encoderOfEnum(symbols: readonly string[]): RecordEncoder {
  const indexes = new Map(symbols.map((symbol, index) => [symbol, index]));
  return (value, writer) => {
    const index = indexes.get(value as string);
    if (index === undefined) throw notValidated("enum");
    writer.long(index);
  };
}

function encoderOfArray(encode: RecordEncoder): RecordEncoder {
  return (value, writer) => {
    if (!Array.isArray(value)) throw notValidated("array");
    if (value.length > 0) {
      writer.long(value.length);
      for (let i = 0; i < value.length; i++) encode(value[i], writer);
    }
    writer.byte(0);
  };
}

function encoderOfMap(encode: RecordEncoder): RecordEncoder {
  return (value, writer) => {
    if (typeof value !== "object" || value === null) throw notValidated("map");
    const names = Object.keys(value).sort(compareCodePoints);
    if (names.length > 0) {
      writer.long(names.length);
      for (const name of names) {
        writer.text(name);
        encode((value as Record<string, unknown>)[name], writer);
      }
    }
    writer.byte(0);
  };
}

/** The order of the strings' UTF-8 bytes, which is that of their code points and not that of JavaScript's `<`. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [xPair, yPair] = [x >= 0xd800 && x < 0xe000, y >= 0xd800 && y < 0xe000];
    return xPair === yPair ? x - y : xPair ? 1 : -1;
  }
  return a.length - b.length;
}

/** The int64 that a valid value states: a number when it is a safe integer, else a bigint. */
export function int64Of(value: unknown): number | bigint {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return canonicalInt64(value);
  const parsed = typeof value === "string" ? parseInt64(value) : undefined;
  if (parsed === undefined) throw notValidated("int64");
  return parsed;
}

/** The milliseconds that a valid timestamp states. */
export function timestampOf(value: unknown): number {
  if (typeof value === "number") return value;
  const parsed =
    value instanceof Date ? value.getTime() : typeof value === "string" ? parseTimestamp(value) : undefined;
  if (parsed === undefined || Number.isNaN(parsed)) throw notValidated("timestamp");
  return parsed;
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  const parsed = typeof value === "string" ? parseBase64(value) : undefined;
  if (parsed === undefined) throw notValidated("bytes");
  return parsed;
}

function notValidated(kind: string): RdgError {
  return new RdgError("invalid", "not_validated", `A value of type ${kind} is expected.`, {
    hint: "Check the record with validateRecord before it is encoded.",
  });
}
