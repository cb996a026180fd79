// Avro bytes to JavaScript or JSON values, by closures made once per list of fields. What it accepts is valid by json-record.ts (the key's length aside).
//
// Values: int64 as bigint, timestamp as Date, bytes as a copy, an absent field as undefined. As JSON: decimal text, ISO 8601 (milliseconds where the year has not
// four digits), base64; absent fields are left out. Records have plain prototypes, maps have none, so that an entry may be called `__proto__`.
import type { FieldModel, ValueType } from "../definition.ts";
import { AvroReader } from "./avro-reader.ts";
import { formatBase64, int32Max, int32Min, itemsMax, textBytesMax, timestampMaxMs } from "./json-values.ts";

/** Reads the record that fills `bytes[start, end)`. @throws RdgError invalid, `bad_avro` */
export type RecordDecoder = (bytes: Uint8Array, start?: number, end?: number) => Record<string, unknown>;

/** For map functions, tests and answers in JavaScript. */
export function compileRecordDecoder(fields: readonly FieldModel[]): RecordDecoder {
  return wholeRecord(recordReader(fields, javaScriptForms));
}

/** What `JSON.stringify` can write and `validateRecord` accepts again. */
export function compileJsonDecoder(fields: readonly FieldModel[]): RecordDecoder {
  return wholeRecord(recordReader(fields, jsonForms));
}

/** A single value as elements hold it (update/element.ts): int64 canonical, timestamps in ms. */
export function compileValueReader(type: ValueType): (reader: AvroReader) => unknown {
  return valueReader(type, elementForms);
}

type Read = (reader: AvroReader) => unknown;

interface Forms {
  readonly int64: (value: number | bigint) => unknown;
  readonly timestamp: (valueMs: number) => unknown;
  readonly bytes: (value: Uint8Array) => unknown;
  readonly absentFields: "undefined" | "left out";
}

const javaScriptForms: Forms = {
  int64: BigInt,
  timestamp: (valueMs) => new Date(valueMs),
  // Not slice(): that of a Buffer is a view.
  bytes: (value) => new Uint8Array(value),
  absentFields: "undefined",
};

const elementForms: Forms = {
  int64: (value) => value,
  timestamp: (valueMs) => valueMs,
  bytes: (value) => new Uint8Array(value),
  absentFields: "undefined",
};

const jsonForms: Forms = {
  int64: String,
  timestamp: (valueMs) =>
    valueMs >= yearZeroMs && valueMs < yearTenThousandMs ? new Date(valueMs).toISOString() : valueMs,
  bytes: formatBase64,
  absentFields: "left out",
};
const yearZeroMs = Date.UTC(-1, 12);
const yearTenThousandMs = Date.UTC(10_000, 0);

function wholeRecord(read: Read): RecordDecoder {
  return whole(read) as RecordDecoder;
}

function whole(read: Read): (bytes: Uint8Array, start?: number, end?: number) => unknown {
  const reader = new AvroReader();
  return (bytes, start = 0, end = bytes.length) => {
    reader.open(bytes, start, end);
    const value = read(reader);
    reader.finish();
    return value;
  };
}

function valueReader(type: ValueType, forms: Forms): Read {
  switch (type.kind) {
    case "string":
      return (reader) => reader.text(textBytesMax);
    case "int32":
      return readInt32;
    case "int64":
      return (reader) => forms.int64(reader.long());
    case "double":
      return readDouble;
    case "boolean":
      return readBoolean;
    case "timestamp":
      return (reader) => forms.timestamp(readTimestamp(reader));
    case "bytes":
      return (reader) => forms.bytes(reader.blob(textBytesMax));
    case "enum":
      return enumReader(type.symbols);
    case "array":
      return arrayReader(valueReader(type.item, forms));
    case "map":
      return mapReader(valueReader(type.value, forms));
    case "record":
      return recordReader(type.fields, forms);
  }
}

function readInt32(reader: AvroReader): number {
  const value = reader.long();
  if (typeof value !== "number" || value < int32Min || value > int32Max)
    throw reader.fail("an int has more than 32 bits");
  return value;
}

function readDouble(reader: AvroReader): number {
  const value = reader.double();
  if (!Number.isFinite(value)) throw reader.fail("a double is not finite");
  return value === 0 ? 0 : value;
}

function readBoolean(reader: AvroReader): boolean {
  const value = reader.byte();
  if (value > 1) throw reader.fail("a boolean is neither 0 nor 1");
  return value === 1;
}

function readTimestamp(reader: AvroReader): number {
  const value = reader.long();
  if (typeof value !== "number" || Math.abs(value) > timestampMaxMs) throw reader.fail("a timestamp is out of range");
  return value;
}

function enumReader(symbols: readonly string[]): Read {
  return (reader) => {
    const index = reader.long();
    const symbol = typeof index === "number" ? symbols[index] : undefined;
    if (symbol === undefined) throw reader.fail("an enum has no such symbol");
    return symbol;
  };
}

/** Runs `read` for every item of an array's or map's blocks; items may take no bytes at all, so that only the count bounds them. */
function readBlocks(reader: AvroReader, read: (index: number) => void): void {
  let total = 0;
  for (;;) {
    let count = reader.long();
    if (count === 0) return;
    if (count < 0) {
      count = -count;
      reader.long();
    }
    if (typeof count !== "number" || total + count > itemsMax) {
      throw reader.fail(`an array or map has more than ${itemsMax} items`);
    }
    for (let i = 0; i < count; i++) read(total++);
  }
}

function arrayReader(read: Read): Read {
  return (reader) => {
    const items: unknown[] = [];
    readBlocks(reader, () => items.push(read(reader)));
    return items;
  };
}

function mapReader(read: Read): Read {
  return (reader) => {
    const entries = Object.create(null) as Record<string, unknown>;
    readBlocks(reader, () => {
      const name = reader.text(textBytesMax);
      entries[name] = read(reader);
    });
    return entries;
  };
}

function recordReader(fields: readonly FieldModel[], forms: Forms): Read {
  const names = fields.map((field) => field.name);
  const readers = fields.map((field) => {
    const read = valueReader(field.type, forms);
    return field.optional ? optionalReader(read) : read;
  });
  const leavesOut = forms.absentFields === "left out";
  const special = names.indexOf("__proto__");
  return (reader) => {
    const record: Record<string, unknown> = {};
    for (let i = 0; i < readers.length; i++) {
      const value = readers[i]!(reader);
      if (value === undefined && leavesOut) continue;
      if (i === special)
        Object.defineProperty(record, "__proto__", { value, enumerable: true, writable: true, configurable: true });
      else record[names[i]!] = value;
    }
    return record;
  };
}

function optionalReader(read: Read): Read {
  return (reader) => {
    const branch = reader.byte();
    if (branch === 0) return undefined;
    if (branch !== 2) throw reader.fail("an optional field has no such branch");
    return read(reader);
  };
}
