// Versions of teams' schemas, as data: what was written by one and is read by another, or why not. avsc resolves them beside us where it can.
import avro from "avsc";
import { expect, test } from "vitest";
import { event, t } from "../../index.ts";
import type { EventFields } from "../define/field.ts";
import type { FieldModel } from "../definition.ts";
import { parseAvroSchema } from "./schema-tree.ts";
import { compileSourceReader } from "./source-record.ts";

interface Evolution {
  readonly what: string;
  /** Fields of the record `com.shop.Order`, as it was written and as it is read. */
  readonly written: readonly object[];
  readonly read: readonly object[];
  readonly value: object;
  readonly fields: EventFields;
  /** What is read, or what is said of it. */
  readonly expected: object | RegExp;
  /** avsc knows no logical types here, and does less than the specification. */
  readonly avscDiffers?: true;
}

const named = (name: string, ...fields: readonly object[]): object => ({ type: "record", name, fields });
const order = (fields: readonly object[]): string =>
  JSON.stringify({ type: "record", name: "Order", namespace: "com.shop", doc: "passed over", owner: ["a"], fields });
const logical = (type: string, logicalType: string, more: object = {}): object => ({ type, logicalType, ...more });
const decimal = (scale: number): object => logical("bytes", "decimal", { precision: 9, scale });
const field = (type: unknown, more: object = {}): object => ({ name: "f", type, ...more });
const same = (type: unknown): Pick<Evolution, "written" | "read"> => ({ written: [field(type)], read: [field(type)] });

const card = named("Card", { name: "last4", type: "string" });
const bank = named("Bank", { name: "iban", type: "string" }, { name: "bic", type: ["null", "string"], default: null });
const tree = named(
  "Tree",
  { name: "name", type: "string" },
  { name: "left", type: ["null", "Tree"], default: null },
  { name: "all", type: { type: "array", items: "Tree" }, default: [] },
);
const leaf = { name: "l", left: null, all: [] };
const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

const evolutions: readonly Evolution[] = [
  // Names
  {
    what: "a nested record was moved to another namespace: the last part of its name counts",
    written: [field(named("com.old.Card", { name: "last4", type: "string" }))],
    read: [field(named("org.pay.Card", { name: "last4", type: "string" }))],
    value: { f: { last4: "1" } },
    fields: { f: t.record({ last4: t.string() }) },
    expected: { f: { last4: "1" } },
    avscDiffers: true,
  },
  {
    what: "a nested record has a new name, and the old one as its alias",
    written: [field(named("com.old.Card", { name: "last4", type: "string" }))],
    read: [field({ ...named("org.pay.PaymentCard", { name: "last4", type: "string" }), aliases: ["com.old.Card"] })],
    value: { f: { last4: "1" } },
    fields: { f: t.record({ last4: t.string() }) },
    expected: { f: { last4: "1" } },
  },
  {
    what: "an alias without a namespace is in that of its type",
    written: [field(named("Kind", { name: "n", type: "int" }))],
    read: [field({ ...named("Sort", { name: "n", type: "int" }), aliases: ["Kind"] })],
    value: { f: { n: 4 } },
    fields: { f: t.record({ n: t.int32() }) },
    expected: { f: { n: 4 } },
  },
  {
    what: "a field within a record within a list has another name",
    written: [field({ type: "array", items: named("Line", { name: "sku", type: "string" }) })],
    read: [field({ type: "array", items: named("Line", { name: "article", aliases: ["sku"], type: "string" }) })],
    value: { f: [{ sku: "a" }, { sku: "b" }] },
    fields: { f: t.array(t.record({ article: t.string() })) },
    expected: { f: [{ article: "a" }, { article: "b" }] },
  },
  {
    what: "two fields have changed their places",
    written: [field("int"), { name: "g", type: "string" }],
    read: [{ name: "g", type: "string" }, field("int")],
    value: { f: 1, g: "x" },
    fields: { f: t.int32(), g: t.string() },
    expected: { f: 1, g: "x" },
  },
  {
    what: "a type is named once and used again from another namespace",
    written: [field({ ...card, namespace: "com.pay" }), { name: "g", type: ["null", "com.pay.Card"], default: null }],
    read: [field({ ...card, namespace: "com.pay" }), { name: "g", type: ["null", "com.pay.Card"], default: null }],
    value: { f: { last4: "1" }, g: { "com.pay.Card": { last4: "2" } } },
    fields: { f: t.record({ last4: t.string() }), g: t.record({ last4: t.string() }).optional() },
    expected: { f: { last4: "1" }, g: { last4: "2" } },
  },
  // Defaults
  {
    what: "new fields have defaults of every kind",
    written: [],
    read: [
      { name: "a", type: ["string", "null"], default: "first branch" },
      {
        name: "b",
        type: named("In", { name: "n", type: "int", default: 3 }, { name: "s", type: "string" }),
        default: { s: "x" },
      },
      { name: "c", type: { type: "enum", name: "E", symbols: ["A", "B"] }, default: "B" },
      { name: "d", type: { type: "fixed", name: "F", size: 2 }, default: "\u0001\u00ff" },
      { name: "e", type: { type: "map", values: "long" }, default: { k: 5 } },
      { name: "f", type: decimal(2), default: "\u0004\u00d2" },
      { name: "g", type: logical("long", "local-timestamp-micros"), default: 7_000 },
      { name: "h", type: logical("string", "uuid"), default: "u" },
    ],
    value: {},
    fields: {
      a: t.string().optional(),
      b: t.record({ n: t.int32(), s: t.string() }),
      c: t.enum("A", "B"),
      d: t.bytes(),
      e: t.map(t.int64()),
      f: t.string(),
      g: t.timestamp(),
      h: t.string(),
    },
    expected: {
      a: "first branch",
      b: { n: 3, s: "x" },
      c: "B",
      d: bytes(1, 255),
      e: { k: 5 },
      f: "12.34",
      g: 7,
      h: "u",
    },
  },
  {
    what: "a record within a list has a new field with a default",
    written: [field({ type: "array", items: named("Line", { name: "sku", type: "string" }) })],
    read: [
      field({
        type: "array",
        items: named("Line", { name: "sku", type: "string" }, { name: "n", type: "int", default: 1 }),
      }),
    ],
    value: { f: [{ sku: "a" }] },
    fields: { f: t.array(t.record({ sku: t.string(), n: t.int32() })) },
    expected: { f: [{ sku: "a", n: 1 }] },
  },
  {
    what: "a new field without a default",
    written: [],
    read: [field("string")],
    value: {},
    fields: { f: t.string() },
    expected: /f: it was not written and has no default/,
  },
  // Logical types
  {
    what: "a decimal got more places: the writer's count",
    written: [field(decimal(2))],
    read: [field(decimal(3))],
    value: { f: Buffer.from([0x04, 0xd2]) },
    fields: { f: t.string() },
    expected: { f: "12.34" },
    avscDiffers: true,
  },
  {
    what: "milliseconds have become microseconds: the writer's count",
    written: [field(logical("long", "local-timestamp-millis"))],
    read: [field(logical("long", "local-timestamp-nanos"))],
    value: { f: 1_500 },
    fields: { f: t.timestamp() },
    expected: { f: 1_500 },
    avscDiffers: true,
  },
  {
    what: "a duration is its twelve bytes",
    ...same(logical("fixed", "duration", { name: "D", size: 12 })),
    value: { f: Buffer.from([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]) },
    fields: { f: t.bytes() },
    expected: { f: bytes(1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0) },
  },
  {
    what: "a uuid that was a text is sixteen bytes now",
    written: [field(logical("string", "uuid"))],
    read: [field(logical("fixed", "uuid", { name: "U", size: 16 }))],
    value: { f: "abababab-abab-abab-abab-abababababab" },
    fields: { f: t.string() },
    expected: /f: .*string/,
  },
  {
    what: "times of the day are counts",
    written: [field(logical("int", "time-millis")), { name: "g", type: logical("long", "time-micros") }],
    read: [field(logical("int", "time-millis")), { name: "g", type: logical("long", "time-micros") }],
    value: { f: 1_000, g: 1_000_000 },
    fields: { f: t.int32(), g: t.int64() },
    expected: { f: 1_000, g: 1_000_000 },
  },
  {
    what: "a logical type that does not fit its type is none",
    ...same(logical("string", "decimal", { precision: 3 })),
    value: { f: "x" },
    fields: { f: t.string() },
    expected: { f: "x" },
  },
  // Promotions
  {
    what: "numbers were widened",
    written: [field("int"), { name: "g", type: "float" }, { name: "h", type: "long" }],
    read: [field("long"), { name: "g", type: "double" }, { name: "h", type: "double" }],
    value: { f: 5, g: 0.5, h: 7 },
    fields: { f: t.int64(), g: t.double(), h: t.double() },
    expected: { f: 5, g: 0.5, h: 7 },
  },
  {
    what: "a text was bytes",
    written: [field("bytes")],
    read: [field("string")],
    value: { f: Buffer.from("hé") },
    fields: { f: t.string() },
    expected: { f: "hé" },
  },
  {
    what: "a number was narrowed",
    written: [field("long")],
    read: [field("int")],
    value: { f: 5 },
    fields: { f: t.int32() },
    expected: /f: .*long/,
  },
  {
    what: "a fixed has another size",
    written: [field({ type: "fixed", name: "F", size: 2 })],
    read: [field({ type: "fixed", name: "F", size: 3 })],
    value: { f: Buffer.from([1, 2]) },
    fields: { f: t.bytes() },
    expected: /f: .*(?:size|bytes)/,
  },
  // Unions
  {
    what: "what was required may be null now",
    written: [field("string")],
    read: [field(["null", "string"])],
    value: { f: "x" },
    fields: { f: t.string().optional() },
    expected: { f: "x" },
  },
  {
    what: "a union of records got another one, and they have changed their places",
    written: [field([card, bank])],
    read: [field(["null", bank, named("Cash", { name: "till", type: "int" }), card])],
    value: { f: { "com.shop.Bank": { iban: "DE", bic: null } } },
    fields: {
      f: t
        .record({
          Card: t.record({ last4: t.string() }).optional(),
          Bank: t.record({ iban: t.string(), bic: t.string().optional() }).optional(),
        })
        .optional(),
    },
    expected: { f: { Bank: { iban: "DE", bic: null } } },
  },
  {
    what: "a union lost a record that was written",
    written: [field([card, bank])],
    read: [field([card])],
    value: { f: { "com.shop.Bank": { iban: "DE", bic: null } } },
    fields: { f: t.record({ last4: t.string() }) },
    expected: /f: .*Bank/,
  },
  {
    what: "a union lost a record, and another one would do for its fields",
    written: [field([card, { ...card, name: "GiftCard" }])],
    read: [field(["null", card])],
    value: { f: { "com.shop.GiftCard": { last4: "1" } } },
    fields: { f: t.record({ last4: t.string() }).optional() },
    expected: /f: .*GiftCard/,
  },
  {
    what: "the only record of a union was renamed without an alias",
    written: [field(["null", card])],
    read: [field(["null", { ...card, name: "PaymentCard" }])],
    value: { f: { "com.shop.Card": { last4: "1" } } },
    fields: { f: t.record({ last4: t.string() }).optional() },
    expected: { f: { last4: "1" } },
    avscDiffers: true,
  },
  {
    what: "a union lost a record that this one was not",
    written: [field([card, bank])],
    read: [field([card])],
    value: { f: { "com.shop.Card": { last4: "1" } } },
    fields: { f: t.record({ last4: t.string() }) },
    expected: { f: { last4: "1" } },
    avscDiffers: true,
  },
  {
    what: "a record of a union got a field",
    written: [field(["null", card])],
    read: [
      field([
        "null",
        named("Card", { name: "last4", type: "string" }, { name: "brand", type: "string", default: "?" }),
      ]),
    ],
    value: { f: { "com.shop.Card": { last4: "1" } } },
    fields: { f: t.record({ last4: t.string(), brand: t.string() }).optional() },
    expected: { f: { last4: "1", brand: "?" } },
  },
  // Enums
  {
    what: "an enum has a new name, and the old one as its alias",
    written: [field({ type: "enum", name: "com.old.State", symbols: ["A", "B"] })],
    read: [field({ type: "enum", name: "Status", aliases: ["com.old.State"], symbols: ["B", "A"] })],
    value: { f: "B" },
    fields: { f: t.enum("A", "B") },
    expected: { f: "B" },
  },
  {
    what: "a symbol is gone, and there is no default",
    written: [field({ type: "enum", name: "State", symbols: ["A", "B"] })],
    read: [field({ type: "enum", name: "State", symbols: ["A"] })],
    value: { f: "B" },
    fields: { f: t.enum("A") },
    expected: /f: .*B/,
  },
  // Types that refer to themselves
  {
    what: "a type that refers to itself, of which only the top is wanted",
    ...same(tree),
    value: { f: { name: "top", left: { "com.shop.Tree": leaf }, all: [leaf, leaf] } },
    fields: { f: t.record({ name: t.string() }) },
    expected: { f: { name: "top" } },
  },
  {
    what: "a type that refers to itself, as deep as it is wanted",
    ...same(tree),
    value: { f: { name: "top", left: { "com.shop.Tree": { ...leaf, all: [leaf] } }, all: [] } },
    fields: { f: t.record({ left: t.record({ all: t.array(t.record({ name: t.string() })) }).optional() }) },
    expected: { f: { left: { all: [{ name: "l" }] } } },
  },
  {
    what: "a type that refers to itself got a field with a default, also where nobody looks",
    written: [field(named("Node", { name: "next", type: ["null", "Node"], default: null }))],
    read: [
      field(
        named("Node", { name: "next", type: ["null", "Node"], default: null }, { name: "n", type: "int", default: 9 }),
      ),
    ],
    value: { f: { next: { "com.shop.Node": { next: null } } } },
    fields: { f: t.record({ n: t.int32(), next: t.record({ n: t.int32() }).optional() }) },
    expected: { f: { n: 9, next: { n: 9 } } },
  },
];

function fieldsOf(fields: EventFields): readonly FieldModel[] {
  const all = { ...fields, key_: t.string(), time_: t.timestamp() };
  return event("e", { fields: all, key: "key_", time: "time_" }).model.fields.slice(0, -2);
}

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, inner: unknown) => (inner instanceof Uint8Array ? [...inner] : inner)));

const foreign = (schema: string): avro.Type =>
  avro.Type.forSchema(JSON.parse(schema) as avro.Schema, { wrapUnions: true, logicalTypes: {} });

test.each(evolutions)("$what", ({ written, read, value, fields, expected, avscDiffers }) => {
  const [writer, reader] = [order(written), order(read)];
  const bytes = foreign(writer).toBuffer(value);
  const [w, r] = [writer, reader].map((schema) => parseAvroSchema(schema).root);
  const compiled = compileSourceReader(fieldsOf(fields), r!, w!);
  const told = compiled.findings.filter(({ unreadable }) => unreadable !== "none");
  const said = told.map(({ place, reason }) => `${place}: ${reason}`).join("\n");
  if (expected instanceof RegExp) {
    expect(said).toMatch(expected);
    expect(() => compiled.read(bytes, 0, bytes.length)).toThrow();
  } else {
    expect(plain(compiled.read(bytes, 0, bytes.length))).toEqual(plain(expected));
  }
  if (avscDiffers === true) return;
  const resolve = (): unknown => {
    const type = foreign(reader);
    return type.fromBuffer(bytes, type.createResolver(foreign(writer)));
  };
  if (expected instanceof RegExp) expect(resolve).toThrow();
  else expect(resolve()).toBeDefined();
});
