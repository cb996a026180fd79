// Records of other schemas: read as avsc's resolver reads them, and refused where the bytes claim what they are not.
import avro from "avsc";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { FieldModel } from "../value-type.ts";
import { compileForeignRecordReader } from "./foreign-record.ts";

const fields: readonly FieldModel[] = [
  { name: "id", type: { kind: "string" }, optional: false },
  { name: "count", type: { kind: "int64" }, optional: false },
  { name: "small", type: { kind: "int32" }, optional: true },
  { name: "ratio", type: { kind: "double" }, optional: false },
  { name: "flag", type: { kind: "boolean" }, optional: true },
  { name: "raw", type: { kind: "bytes" }, optional: false },
  { name: "kind", type: { kind: "enum", symbols: ["A", "B", "C"] }, optional: false },
  {
    name: "items",
    type: {
      kind: "array",
      item: { kind: "record", fields: [{ name: "sku", type: { kind: "string" }, optional: false }] },
    },
    optional: false,
  },
  { name: "labels", type: { kind: "map", value: { kind: "double" } }, optional: false },
];
const kinds = { type: "enum", name: "kind", symbols: ["A", "B", "C"] };
const own = {
  type: "record",
  name: "rdg.events.order",
  fields: [
    { name: "id", type: "string" },
    { name: "count", type: "long" },
    { name: "small", type: ["null", "int"], default: null },
    { name: "ratio", type: "double" },
    { name: "flag", type: ["null", "boolean"], default: null },
    { name: "raw", type: "bytes" },
    { name: "kind", type: kinds },
    {
      name: "items",
      type: { type: "array", items: { type: "record", name: "item", fields: [{ name: "sku", type: "string" }] } },
    },
    { name: "labels", type: { type: "map", values: "double" } },
  ],
};
const ownText = JSON.stringify(own);

type Field = { readonly name: string; readonly type: unknown };

/** What the writer may have for each of our fields. */
const written: Readonly<Record<string, readonly unknown[]>> = {
  id: ["string", ["string"]],
  count: ["int", "long", ["int", "long"]],
  small: [undefined, "int", ["null", "int"], ["int", "null"], "null"],
  ratio: ["int", "long", "float", "double", ["float", "int"]],
  flag: [undefined, "boolean", ["boolean", "null"]],
  raw: ["bytes", "string"],
  kind: [kinds, { type: "enum", name: "acme.kind", symbols: ["C", "A"] }],
  items: [
    {
      type: "array",
      items: {
        type: "record",
        name: "item",
        fields: [
          { name: "price", type: "float" },
          { name: "sku", type: "string" },
        ],
      },
    },
    { type: "array", items: { type: "record", name: "item", fields: [{ name: "sku", type: "string" }] } },
  ],
  labels: [
    { type: "map", values: "float" },
    { type: "map", values: ["int", "double"] },
  ],
};

const unknownTypes: readonly unknown[] = [
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
  ["null", "string"],
  { type: "fixed", name: "hash", size: 7 },
  { type: "array", items: "string" },
  { type: "array", items: "null" },
  { type: "map", values: { type: "array", items: "int" } },
  { type: "enum", name: "colour", symbols: ["RED"] },
  {
    type: "record",
    name: "nested",
    fields: [
      { name: "a", type: "string" },
      { name: "b", type: ["int", "null"] },
    ],
  },
  {
    type: "record",
    name: "tree",
    fields: [
      { name: "left", type: ["null", "tree"] },
      { name: "value", type: "int" },
    ],
  },
];

const writers = fc
  .tuple(
    fc.tuple(
      ...Object.entries(written).map(([name, types]) =>
        fc.constantFrom(...types).map((type): Field => ({ name, type })),
      ),
    ),
    fc.uniqueArray(fc.nat({ max: unknownTypes.length - 1 }), { maxLength: 4 }),
    fc.nat(),
  )
  .map(([known, unknown, seed]) => {
    const all = [
      ...known.filter(({ type }) => type !== undefined),
      ...unknown.map((i): Field => ({ name: `unknown${i}`, type: unknownTypes[i] })),
    ];
    // A fixed shuffle by the seed.
    return {
      type: "record",
      name: "acme.order",
      fields: all.toSorted((a, b) => ((seed * a.name.length) % 13) - ((seed * b.name.length) % 13)),
    };
  });

const typeOf = (schema: unknown): avro.Type => avro.Type.forSchema(schema as never, { wrapUnions: "auto" });

test("what avsc resolves is read alike", () => {
  const reader = typeOf({
    ...own,
    name: "acme.order",
    namespace: undefined,
    fields: JSON.parse(
      JSON.stringify(own.fields).replace('"name":"kind","symbols"', '"name":"kind","aliases":["acme.kind"],"symbols"'),
    ),
  });
  const property = fc.property(writers, (schema) => {
    const writer = typeOf(schema);
    const value: unknown = writer.random();
    const bytes = writer.toBuffer(value);
    const read = compileForeignRecordReader(fields, ownText, JSON.stringify(schema));
    const framed = Buffer.concat([Buffer.from("12345"), bytes, Buffer.from("x")]);
    const foreign = reader.fromBuffer(bytes, reader.createResolver(writer)) as Record<string, unknown>;
    const ours = read(framed, 5, 5 + bytes.length) as Record<string, unknown>;
    for (const { name } of fields) expect(plain(ours[name] ?? null)).toEqual(plain(foreign[name]));
  });
  fc.assert(property, { numRuns: 150 });
});

/** Without the classes and prototypes that the readers differ in. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
  return value;
}

// 80897a is a count of a million.
const idOnly: readonly FieldModel[] = [{ name: "id", type: { kind: "string" }, optional: false }];
const idSchema = '{"type":"record","name":"r","fields":[{"name":"id","type":"string"}]}';
const writerOf = (type: string): string =>
  `{"type":"record","name":"r","fields":[{"name":"more","type":${type}},{"name":"id","type":"string"}]}`;

function read(type: string, hex: string): unknown {
  const bytes = Buffer.from(hex, "hex");
  return compileForeignRecordReader(idOnly, idSchema, writerOf(type))(bytes, 0, bytes.length);
}

test.each([
  ["items without bytes, many", '{"type":"array","items":"null"}', "feffffffffff1f000261"],
  ["items without bytes, in blocks", '{"type":"array","items":"null"}', `${"80897a".repeat(4)}000261`],
  ["a record that holds itself", '{"type":"record","name":"x","fields":[{"name":"x","type":"x"}]}', "0261"],
  [
    "a chain too deep",
    '{"type":"record","name":"x","fields":[{"name":"x","type":["null","x"]}]}',
    `${"02".repeat(5000)}000261`,
  ],
  ["a text beyond the end", '"string"', "7e61"],
  ["a negative length", '"string"', "0161"],
  ["fixed bytes beyond the end", '{"type":"fixed","name":"f","size":1000000000}', "0261"],
  ["an unknown branch", '["null","int"]', "040261"],
  ["a varint without end", '"long"', "ffffffffffffffffffffff"],
  ["bytes left over", '"int"', "02026161"],
  ["too few bytes", '"double"', "00000000"],
  ["nothing", '"int"', ""],
  ["text that is not UTF-8", '"int"', "0202ff"],
])("damage is refused: %s", (_, type, hex) => {
  expect(() => read(type, hex)).toThrow(expect.objectContaining({ kind: "invalid", code: "bad_avro" }));
});

test("what is passed over leaves the rest", () => {
  expect(read('{"type":"array","items":"null"}', "0a000261")).toEqual({ id: "a" });
  expect(read('{"type":"array","items":"string"}', "01040262000261")).toEqual({ id: "a" });
  expect(
    read('{"type":"record","name":"x","fields":[{"name":"x","type":["null","x"]}]}', `${"02".repeat(50)}000261`),
  ).toEqual({ id: "a" });
});

test("a schema that does not fit is refused with the reasons; one that is none, too", () => {
  const compile = (writer: string): unknown => compileForeignRecordReader(idOnly, idSchema, writer);
  expect(() => compile('{"type":"record","name":"r","fields":[]}')).toThrow(
    expect.objectContaining({
      code: "unresolvable_schema",
      message: expect.stringContaining("id: the field was not written and has no default") as string,
    }),
  );
  expect(() => compile('{"type":"record","name":"other","fields":[{"name":"id","type":"string"}]}')).toThrow(
    expect.objectContaining({ code: "unresolvable_schema" }),
  );
  expect(() => compile('"text"')).toThrow(expect.objectContaining({ code: "invalid_schema" }));
});

test("a field called __proto__ is a field", () => {
  const schema = '{"type":"record","name":"r","fields":[{"name":"__proto__","type":"string"}]}';
  const value = compileForeignRecordReader(
    [{ name: "__proto__", type: { kind: "string" }, optional: false }],
    schema,
    schema,
  )(Buffer.from("0261", "hex"), 0, 2) as object;
  expect(Object.entries(value)).toEqual([["__proto__", "a"]]);
});

test("types that refer to each other many times are compiled once", () => {
  let type = '"string"';
  for (let level = 0; level < 30; level++)
    type = `{"type":"record","name":"l${level}","fields":[{"name":"a","type":${type}}${level === 0 ? "" : `,{"name":"b","type":"l${level - 1}"},{"name":"c","type":"l${level - 1}"}`}]}`;
  expect(() => read(type, "")).toThrow(expect.objectContaining({ code: "bad_avro" }));
});
