// Reading records of somebody else's schema: aliases and defaults of the version that is read by, logical types and units, unions, and what is told before any record.
import avro from "avsc";
import { expect, test } from "vitest";
import { event, t } from "../../index.ts";
import type { EventFields } from "../define/field.ts";
import type { FieldModel } from "../definition.ts";
import { parseAvroSchema } from "./schema-tree.ts";
import { compileSourceReader, type SourceFinding } from "./source-record.ts";

function fieldsOf(fields: EventFields): readonly FieldModel[] {
  const all = { ...fields, key_: t.string(), time_: t.timestamp() };
  return event("e", { fields: all, key: "key_", time: "time_" }).model.fields.slice(0, -2);
}

const record = (...fields: readonly object[]): object => ({ type: "record", name: "R", fields });

/** What is read of a value that avsc has written, and what was said before. */
function through(
  fields: EventFields,
  writer: object,
  value: unknown,
  reader: object = writer,
): { readonly read: unknown; readonly findings: readonly SourceFinding[] } {
  const bytes = avro.Type.forSchema(writer as avro.Schema, { wrapUnions: true, logicalTypes: {} }).toBuffer(value);
  const [r, w] = [reader, writer].map((schema) => parseAvroSchema(JSON.stringify(schema)).root);
  const compiled = compileSourceReader(fieldsOf(fields), r!, w!);
  return { read: { ...(compiled.read(bytes, 0, bytes.length) as object) }, findings: compiled.findings };
}

const long = (logicalType: string): object => ({ type: "long", logicalType });

test.each([
  ["timestamp-millis", long("timestamp-millis"), 1_500, 1_500],
  ["timestamp-micros", long("timestamp-micros"), 1_500_999, 1_500],
  ["timestamp-micros before 1970", long("timestamp-micros"), -1, -1],
  ["timestamp-nanos", long("timestamp-nanos"), 1_500_999_999, 1_500],
  ["local-timestamp-micros", long("local-timestamp-micros"), 1_000, 1],
  ["a plain long", "long", 1_500, 1_500],
  ["a date", { type: "int", logicalType: "date" }, -1, -86_400_000],
  ["a text", "string", "2026-11-21T12:00:00Z", "2026-11-21T12:00:00Z"],
])("a timestamp out of %s", (_, type, written, expected) => {
  expect(through({ f: t.timestamp() }, record({ name: "f", type }), { f: written }).read).toEqual({ f: expected });
});

const decimal = { type: "bytes", logicalType: "decimal", precision: 10, scale: 3 };
test.each([
  ["a decimal", decimal, Buffer.from([0xfb, 0x2e]), "-1.234"],
  ["a decimal below one", decimal, Buffer.from([5]), "0.005"],
  ["a decimal of no bytes", decimal, Buffer.from([]), "0.000"],
  ["a fixed decimal", { ...decimal, type: "fixed", name: "D", size: 5 }, Buffer.from([0, 0, 0, 4, 0xd2]), "1.234"],
  [
    "a fixed uuid",
    { type: "fixed", name: "U", size: 16, logicalType: "uuid" },
    Buffer.alloc(16, 0xab),
    "abababab-abab-abab-abab-abababababab",
  ],
  ["a long", "long", -12, "-12"],
  ["an int", "int", 7, "7"],
  ["an enum", { type: "enum", name: "E", symbols: ["A", "B"] }, "B", "B"],
  ["bytes", "bytes", Buffer.from("hé"), "hé"],
])("a text out of %s", (_, type, written, expected) => {
  expect(through({ f: t.string() }, record({ name: "f", type }), { f: written }).read).toEqual({ f: expected });
});

test.each<readonly [string, EventFields[string], unknown]>([
  ["int32 out of long", t.int32(), "long"],
  ["double out of a decimal", t.double(), decimal],
  ["int64 out of string", t.int64(), "string"],
  ["a text out of a date", t.string(), { type: "int", logicalType: "date" }],
  ["a timestamp out of time-micros", t.timestamp(), long("time-micros")],
  ["a text out of a duration", t.string(), { type: "fixed", name: "F", size: 12, logicalType: "duration" }],
  ["boolean out of int", t.boolean(), "int"],
  ["an array out of a map", t.array(t.string()), { type: "map", values: "string" }],
])("%s is not read, and said so with the place", (_, field, type) => {
  const root = parseAvroSchema(JSON.stringify(record({ name: "f", type }))).root;
  const { findings, read } = compileSourceReader(fieldsOf({ f: field }), root, root);
  expect(findings).toMatchObject([{ place: "f", unreadable: "every" }]);
  expect(() => read(new Uint8Array(100), 0, 100)).toThrow(
    expect.objectContaining({ code: "unresolvable_schema" }) as Error,
  );
});

test("names, aliases and defaults are those of the version that is read by", () => {
  const writer = record({ name: "old", type: "int" }, { name: "gone", type: "string" });
  const reader = record(
    { name: "now", aliases: ["older", "old"], type: "long" },
    { name: "count", type: "int", default: 5 },
    { name: "at", type: long("timestamp-micros"), default: 2_500 },
    { name: "tags", type: { type: "array", items: "string" }, default: ["a"] },
    { name: "card", type: ["null", { ...record({ name: "last4", type: "string" }), name: "Card" }], default: null },
    { name: "raw", type: "bytes", default: "\u00ff\u0001" },
  );
  const fields = {
    now: t.int64(),
    count: t.int32(),
    at: t.timestamp(),
    tags: t.array(t.string()),
    card: t.record({ last4: t.string() }).optional(),
    raw: t.bytes(),
  };
  const { read, findings } = through(fields, writer, { old: 3, gone: "x" }, reader);
  expect(read).toEqual({ now: 3, count: 5, at: 2, tags: ["a"], card: null, raw: new Uint8Array([255, 1]) });
  expect(findings.filter(({ unreadable }) => unreadable !== "none")).toEqual([]);
});

test("what neither was written nor has a default is absent where it may be, and unreadable where not", () => {
  const writer = record({ name: "a", type: "int" });
  const reader = record({ name: "a", type: "int" }, { name: "b", type: "string" });
  expect(through({ a: t.int32(), b: t.string().optional() }, writer, { a: 1 }, reader).read).toEqual({ a: 1 });
  expect(() => through({ a: t.int32(), b: t.string() }, writer, { a: 1 }, reader)).toThrow(/no default/);
});

test("a union of several types is a record of them; null is absent, or a record of nothing in a list", () => {
  const card = { type: "record", name: "com.shop.Card", fields: [{ name: "last4", type: "string" }] };
  const union = ["null", "string", card];
  const shape = t.record({ string: t.string().optional(), Card: t.record({ last4: t.string() }).optional() });
  const schema = record(
    { name: "by", type: union },
    { name: "all", type: { type: "array", items: ["null", "string", "com.shop.Card"] } },
  );
  const written = { by: { "com.shop.Card": { last4: "1" } }, all: [null, { string: "s" }] };
  const { read } = through({ by: shape.optional(), all: t.array(shape) }, schema, written);
  expect(JSON.parse(JSON.stringify(read))).toEqual({ by: { Card: { last4: "1" } }, all: [{}, { string: "s" }] });
});

test("a union of what reads as one type is that type", () => {
  const schema = record({ name: "f", type: ["null", "int", "long"] });
  expect(through({ f: t.int64().optional() }, schema, { f: { long: 5 } }).read).toEqual({ f: 5 });
});

test("a type of a union that cannot be read refuses its own records only", () => {
  const schema = record({ name: "f", type: ["null", "int", "string"] });
  const { read, findings } = through({ f: t.int32().optional() }, schema, { f: { int: 5 } });
  expect(read).toEqual({ f: 5 });
  expect(findings).toMatchObject([{ place: "f", unreadable: "some" }]);
  expect(() => through({ f: t.int32().optional() }, schema, { f: { string: "x" } })).toThrow(/cannot be read as int32/);
});

test("the writer's unit counts, whatever the version says that is read by", () => {
  const [millis, micros] = ["timestamp-millis", "timestamp-micros"].map((name) =>
    record({ name: "f", type: long(name) }),
  );
  expect(through({ f: t.timestamp() }, millis!, { f: 1_500 }, micros).read).toEqual({ f: 1_500 });
});

test("symbols: unknown ones fall to the default of the version that is read by; ours that are missing are told", () => {
  const symbols = (...names: readonly string[]): object =>
    record({ name: "f", type: { type: "enum", name: "E", symbols: names } });
  const reader = record({ name: "f", type: { type: "enum", name: "E", symbols: ["A", "B"], default: "A" } });
  expect(through({ f: t.enum("A", "B") }, symbols("B", "C"), { f: "C" }, reader).read).toEqual({ f: "A" });
  const { findings } = through({ f: t.enum("A") }, symbols("A", "B"), { f: "A" });
  expect(findings).toMatchObject([{ place: "f", reason: "records with B cannot be read", unreadable: "some" }]);
});

test("recursive types that nobody asked for are passed over", () => {
  const schema = record({ name: "a", type: "int" }, { name: "next", type: ["null", "R"] }, { name: "b", type: "int" });
  const written = { a: 1, next: { R: { a: 2, next: null, b: 3 } }, b: 4 };
  expect(through({ a: t.int32(), b: t.int32() }, schema, written).read).toEqual({ a: 1, b: 4 });
});

test("a decimal of many bytes is refused, not computed", () => {
  const written = { f: Buffer.alloc(100_000, 1) };
  expect(() => through({ f: t.string() }, record({ name: "f", type: decimal }), written)).toThrow(
    /more than 1000 bytes/,
  );
});
