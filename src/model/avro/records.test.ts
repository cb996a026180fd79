// Records against avsc as the foreign reader and writer: random definitions, random values, damaged bytes.
import { readFile } from "node:fs/promises";
import avro from "avsc";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { playback } from "../../../examples/streaming/graph.ts";
import { fieldsArbitrary, recordOf, type Written } from "../../../test/avro/arbitrary.ts";
import { RdgError } from "../../core/errors.ts";
import type { EventModel, FieldModel, ValueType } from "../definition.ts";
import { AvroWriter } from "./avro-writer.ts";
import { validateRecord } from "./json-record.ts";
import { compileJsonDecoder, compileRecordDecoder } from "./record-decoder.ts";
import { compileRecordEncoder } from "./record-encoder.ts";
import { compileResolvingDecoder } from "./resolving-decoder.ts";
import { eventSchema } from "./schemas.ts";

const int64 = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer(value: bigint) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

function schemaOf(fields: readonly FieldModel[]): string {
  const event: EventModel = { name: "e", fields, key: "", time: "", dedupHorizonMs: 0, partitions: 1, retention: {} };
  return eventSchema(event);
}

function foreignType(fields: readonly FieldModel[]): avro.Type {
  const typeHook = (schema: avro.Schema): avro.Type | undefined =>
    schema === "long" || (schema as { type?: unknown }).type === "long" ? int64 : undefined;
  return avro.Type.forSchema(JSON.parse(schemaOf(fields)) as avro.Schema, { typeHook });
}

function encoded(fields: readonly FieldModel[], given: unknown): Uint8Array {
  const writer = new AvroWriter(1);
  compileRecordEncoder(fields)(given, writer);
  return writer.copy();
}

/** A value as avsc has it. */
function foreign(type: ValueType, value: unknown): unknown {
  switch (type.kind) {
    case "timestamp":
      return BigInt((value as Date).getTime());
    case "bytes":
      return Buffer.from(value as Uint8Array);
    case "array":
      return (value as unknown[]).map((item) => foreign(type.item, item));
    case "map":
      return Object.fromEntries(
        Object.entries(value as object).map(([name, item]) => [name, foreign(type.value, item)]),
      );
    case "record":
      return foreignRecord(type.fields, value as object);
    default:
      return value;
  }
}

function foreignRecord(fields: readonly FieldModel[], value: object): object {
  const own = new Map<string, unknown>(Object.entries(value));
  return Object.fromEntries(
    fields.map(({ name, type }) => [name, own.has(name) ? foreign(type, own.get(name)) : null]),
  );
}

/** Without classes: avsc makes one per record type. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, content]) => [name, plain(content)]));
}

const recordArbitrary: fc.Arbitrary<{ fields: readonly FieldModel[]; written: Written }> = fieldsArbitrary.chain(
  (fields) => recordOf(fields).map((written) => ({ fields, written })),
);

test("what is valid is encoded, and decoded as the value it stands for", () => {
  fc.assert(
    fc.property(recordArbitrary, ({ fields, written }) => {
      expect(validateRecord(fields, written.given)).toEqual([]);
      const bytes = encoded(fields, written.given);
      expect(compileRecordDecoder(fields)(bytes)).toEqual(written.value);
      // Once more by way of JSON text, which is canonical too.
      const json: unknown = JSON.parse(JSON.stringify(compileJsonDecoder(fields)(bytes)));
      expect(validateRecord(fields, json)).toEqual([]);
      expect(encoded(fields, json)).toEqual(bytes);
    }),
    { numRuns: 200 },
  );
});

test("the bytes of an event are those of the golden file", async () => {
  const golden = new URL("../../../test/golden/definition/playback-record.json", import.meta.url);
  const { record, hex } = JSON.parse(await readFile(golden, "utf8")) as { record: unknown; hex: string };
  expect(Buffer.from(encoded(playback.model.fields, record)).toString("hex")).toBe(hex);
});

/** avsc loses entries of maps with this name. */
function hasProtoEntry(value: unknown): boolean {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  return Object.entries(value).some(([name, content]) => name === "__proto__" || hasProtoEntry(content));
}

test("avsc reads what we write, and we read what avsc writes", () => {
  fc.assert(
    fc.property(recordArbitrary, ({ fields, written }) => {
      fc.pre(!hasProtoEntry(written.value));
      const type = foreignType(fields);
      const bytes = encoded(fields, written.given);
      const expected = foreignRecord(fields, written.value as object);
      expect(plain(type.fromBuffer(Buffer.from(bytes)))).toEqual(plain(expected));
      expect(compileRecordDecoder(fields)(type.toBuffer(expected))).toEqual(written.value);
    }),
    { numRuns: 200 },
  );
});

test("a record of the same definition under another registered schema is read as it was written", () => {
  fc.assert(
    fc.property(recordArbitrary, ({ fields, written }) => {
      const schema = schemaOf(fields);
      const writer = schemaOf(fields.toReversed());
      const bytes = encoded(fields.toReversed(), written.given);
      expect(compileResolvingDecoder(writer, schema, fields)(bytes)).toEqual(written.value);
    }),
    { numRuns: 100 },
  );
});

test("damaged bytes are refused or mean something valid; nothing is read beyond the end", () => {
  const damage = fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(recordArbitrary, damage, fc.integer({ min: -12, max: 6 }), ({ fields, written }, changes, length) => {
      const bytes = Buffer.from(encoded(fields, written.given));
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
      const cut =
        length < 0
          ? bytes.subarray(0, Math.max(0, bytes.length + length))
          : Buffer.concat([bytes, Buffer.alloc(length, 7)]);
      expectRefusedOrValid(fields, cut);
    }),
    { numRuns: 500 },
  );
});

test("random bytes are refused or mean something valid", () => {
  fc.assert(fc.property(fieldsArbitrary, fc.uint8Array({ maxLength: 64 }), expectRefusedOrValid), { numRuns: 500 });
});

function expectRefusedOrValid(fields: readonly FieldModel[], bytes: Uint8Array): void {
  let json: unknown;
  try {
    json = compileJsonDecoder(fields)(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(RdgError);
    expect(error).toMatchObject({ kind: "invalid", code: "bad_avro" });
    return;
  }
  expect(validateRecord(fields, json)).toEqual([]);
}

const hostile: readonly [string, ValueType, number[]][] = [
  [
    "an array that claims 2^62 items",
    { kind: "array", item: { kind: "boolean" } },
    [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  ],
  [
    "an array that claims -2^63 items",
    { kind: "array", item: { kind: "boolean" } },
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
  ],
  [
    "more than 10,000 items",
    { kind: "array", item: { kind: "boolean" } },
    [0xa2, 0x9c, 0x01, ...Array<number>(10_001).fill(1), 0],
  ],
  ["a text longer than the record", { kind: "string" }, [0x10, 0x61]],
  ["a text of negative length", { kind: "string" }, [0x01]],
  ["a text that is not UTF-8", { kind: "string" }, [0x02, 0xff]],
  ["an encoded surrogate", { kind: "string" }, [0x06, 0xed, 0xa0, 0x80]],
  ["an integer of 65 bits", { kind: "int64" }, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]],
  ["an endless integer", { kind: "int64" }, Array<number>(20).fill(0xff)],
  ["an int of 33 bits", { kind: "int32" }, [0x80, 0x80, 0x80, 0x80, 0x20]],
  ["a boolean that is neither", { kind: "boolean" }, [2]],
  ["a symbol that does not exist", { kind: "enum", symbols: ["a"] }, [2]],
  ["a negative symbol", { kind: "enum", symbols: ["a"] }, [1]],
  ["NaN", { kind: "double" }, [0, 0, 0, 0, 0, 0, 0xf8, 0x7f]],
  ["a time after the end of time", { kind: "timestamp" }, [0x82, 0x80, 0x8d, 0xd4, 0xb1, 0x90, 0xd9, 0x1e]],
  ["bytes left over", { kind: "boolean" }, [1, 1]],
  ["nothing", { kind: "boolean" }, []],
];

test.each(hostile)("refuses %s", (_, type, bytes) => {
  const decode = compileRecordDecoder([{ name: "f", type, optional: false }]);
  // What lies behind the record is nobody's.
  const padded = Uint8Array.from([...bytes, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  expect(() => decode(padded, 0, bytes.length)).toThrow(RdgError);
});

test("arrays in several blocks, with sizes, as other writers make them", () => {
  const decode = compileRecordDecoder([
    { name: "f", type: { kind: "array", item: { kind: "int32" } }, optional: false },
  ]);
  expect(decode(Uint8Array.from([2, 10, 3, 4, 12, 14, 0]))).toEqual({ f: [5, 6, 7] });
});

test("fields and entries may be called __proto__", () => {
  const fields: FieldModel[] = [
    { name: "__proto__", type: { kind: "map", value: { kind: "int32" } }, optional: true },
    { name: "constructor", type: { kind: "string" }, optional: true },
  ];
  const given: unknown = JSON.parse('{"__proto__": {"__proto__": 7, "a": 1}}');
  expect(validateRecord(fields, given)).toEqual([]);
  const bytes = encoded(fields, given);
  const decoded = compileRecordDecoder(fields)(bytes);
  expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype);
  const entries = Object.getOwnPropertyDescriptor(decoded, "__proto__")!.value as object;
  expect(Object.entries(entries)).toEqual([
    ["__proto__", 7],
    ["a", 1],
  ]);
  expect(decoded["constructor"]).toBeUndefined();
  expect(encoded(fields, compileJsonDecoder(fields)(bytes))).toEqual(bytes);
  expect(validateRecord(fields, {})).toEqual([]);
  expect(encoded(fields, {})).toEqual(Uint8Array.from([0, 0]));
});

test("a map's entries are written in the order of their names' UTF-8", () => {
  const fields: FieldModel[] = [{ name: "f", type: { kind: "map", value: { kind: "boolean" } }, optional: false }];
  const names = ["\u{1F600}", "\uFFFD", "10", "9", "b", "a", ""];
  const one = encoded(fields, { f: Object.fromEntries(names.map((name) => [name, true])) });
  const other = encoded(fields, { f: Object.fromEntries(names.toReversed().map((name) => [name, true])) });
  expect(one).toEqual(other);
  const decoded = compileRecordDecoder(fields)(one)["f"] as object;
  const written = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(Object.keys(decoded).filter((name) => !/^\d+$/.test(name))).toEqual(
    written.filter((name) => !/^\d+$/.test(name)),
  );
});
