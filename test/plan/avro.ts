// Writes test records as Avro: with avsc, a foreign writer, and by a naive writer that may cut arrays and maps into blocks of any size.
import avro from "avsc";
import type { RecordValue } from "../../src/jobs/plan/decode.ts";
import type { FieldModel, ValueType } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";

/** Decides how many of `left` items go into the next block and whether it tells its size in bytes. */
export type CutBlock = (left: number) => { readonly count: number; readonly sized: boolean };

export function encodeRecord(fields: readonly FieldModel[], record: RecordValue, cut: CutBlock = oneBlock): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      const value = record[field.name];
      if (!field.optional) return encodeValue(field.type, value, cut);
      return value === undefined ? long(0n) : Buffer.concat([long(1n), encodeValue(field.type, value, cut)]);
    }),
  );
}

const oneBlock: CutBlock = (left) => ({ count: left, sized: false });

function encodeValue(type: ValueType, value: PropertyValue, cut: CutBlock): Buffer {
  switch (type.kind) {
    case "string":
      return withLength(Buffer.from(value as string, "utf8"));
    case "bytes":
      return withLength(Buffer.from(value as Uint8Array));
    case "int32":
    case "int64":
    case "timestamp":
      return long(BigInt(value as number | bigint));
    case "double": {
      const bytes = Buffer.alloc(8);
      bytes.writeDoubleLE(value as number);
      return bytes;
    }
    case "boolean":
      return Buffer.from([value === true ? 1 : 0]);
    case "enum":
      return long(BigInt(type.symbols.indexOf(value as string)));
    case "array":
      return blocks(
        (value as readonly PropertyValue[]).map((item) => encodeValue(type.item, item, cut)),
        cut,
      );
    case "map": {
      const entries = Object.entries(value as RecordValue);
      const encode = ([key, each]: [string, PropertyValue]): Buffer =>
        Buffer.concat([withLength(Buffer.from(key, "utf8")), encodeValue(type.value, each, cut)]);
      return blocks(entries.map(encode), cut);
    }
    case "record":
      return encodeRecord(type.fields, value as RecordValue, cut);
  }
}

function blocks(items: readonly Buffer[], cut: CutBlock): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < items.length;) {
    const { count, sized } = cut(items.length - i);
    const body = Buffer.concat(items.slice(i, i + count));
    parts.push(sized ? Buffer.concat([long(BigInt(-count)), long(BigInt(body.length))]) : long(BigInt(count)), body);
    i += count;
  }
  return Buffer.concat([...parts, long(0n)]);
}

function withLength(bytes: Buffer): Buffer {
  return Buffer.concat([long(BigInt(bytes.length)), bytes]);
}

export function long(value: bigint): Buffer {
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Buffer.from([...bytes, Number(rest)]);
}

// --- avsc: fields and symbols go by position, since Avro's rules for names are not what is tested here ---------------------

const longs = avro.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

export function createForeignWriter(fields: readonly FieldModel[]): (record: RecordValue) => Buffer {
  let names = 0;
  const fieldsSchema = (each: readonly FieldModel[]): object[] =>
    each.map((field, i) => ({
      name: `f${i}`,
      type: field.optional ? ["null", typeSchema(field.type)] : typeSchema(field.type),
    }));
  const typeSchema = (type: ValueType): unknown => {
    switch (type.kind) {
      case "int32":
        return "int";
      case "int64":
      case "timestamp":
        return "long";
      case "enum":
        return { type: "enum", name: `E${names++}`, symbols: type.symbols.map((_, i) => `s${i}`) };
      case "array":
        return { type: "array", items: typeSchema(type.item) };
      case "map":
        return { type: "map", values: typeSchema(type.value) };
      case "record":
        return { type: "record", name: `R${names++}`, fields: fieldsSchema(type.fields) };
      default:
        return type.kind;
    }
  };
  const schema = { type: "record", name: "Event", fields: fieldsSchema(fields) };
  const type = avro.Type.forSchema(schema as avro.Schema, { registry: { long: longs } });
  return (record) => type.toBuffer(foreignRecord(fields, record));
}

function foreignRecord(fields: readonly FieldModel[], record: RecordValue): object {
  const values = fields.map((field, i) => {
    const value = record[field.name];
    return [`f${i}`, value === undefined ? null : foreignValue(field.type, value)];
  });
  return Object.fromEntries(values) as object;
}

function foreignValue(type: ValueType, value: PropertyValue): unknown {
  switch (type.kind) {
    case "int64":
    case "timestamp":
      return BigInt(value as number | bigint);
    case "bytes":
      return Buffer.from(value as Uint8Array);
    case "enum":
      return `s${type.symbols.indexOf(value as string)}`;
    case "array":
      return (value as readonly PropertyValue[]).map((item) => foreignValue(type.item, item));
    case "map":
      return Object.fromEntries(
        Object.entries(value as RecordValue).map(([key, each]) => [key, foreignValue(type.value, each)]),
      );
    case "record":
      return foreignRecord(type.fields, value as RecordValue);
    default:
      return value;
  }
}
