// The compatibility checker against a table of the Avro specification's resolution rules, and against avsc's resolver where both follow them.
import avro from "avsc";
import { expect, test } from "vitest";
import { readingProblems } from "./schema-resolution.ts";
import { parseAvroSchema } from "./schema-tree.ts";

type Schema = string | object;

const record = (fields: object[], more: object = {}): Schema => ({ type: "record", name: "R", fields, ...more });
const field = (name: string, type: unknown, more: object = {}): object => ({ name, type, ...more });
const enumOf = (symbols: string[], more: object = {}): Schema => ({ type: "enum", name: "E", symbols, ...more });
const fixed = (size: number, name = "F", more: object = {}): Schema => ({ type: "fixed", name, size, ...more });
const list = (item: unknown): Schema => record([field("value", item), field("next", ["null", "R"])]);

const primitives = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];
const promoted: Record<string, string[]> = {
  int: ["long", "float", "double"],
  long: ["float", "double"],
  float: ["double"],
  string: ["bytes"],
  bytes: ["string"],
};

/** [what, reader, writer, the first reason] */
type Case = readonly [what: string, reader: Schema, writer: Schema, reason: string | undefined];

/** avsc compares full names, and takes no field called `__proto__`. */
const avscDiffers = new Set(["another namespace", "a name like __proto__"]);

const cases: readonly Case[] = [
  [
    "a field is added with a default",
    record([field("a", "int"), field("b", "int", { default: 0 })]),
    record([field("a", "int")]),
    undefined,
  ],
  [
    "a field is added without a default",
    record([field("a", "int"), field("b", "int")]),
    record([field("a", "int")]),
    "b: the field was not written and has no default",
  ],
  [
    "a nullable field is added without a default",
    record([field("b", ["null", "int"])]),
    record([]),
    "b: the field was not written and has no default",
  ],
  ["a field is removed", record([]), record([field("a", "int")]), undefined],
  [
    "fields in another order",
    record([field("b", "int"), field("a", "string")]),
    record([field("a", "string"), field("b", "int")]),
    undefined,
  ],
  [
    "a field is renamed with an alias",
    record([field("new", "int", { aliases: ["old"] })]),
    record([field("old", "int")]),
    undefined,
  ],
  [
    "a field is renamed without an alias",
    record([field("new", "int")]),
    record([field("old", "int")]),
    "new: the field was not written and has no default",
  ],
  [
    "an aliased field has another type",
    record([field("new", "int", { aliases: ["old"] })]),
    record([field("old", "string")]),
    "new: int cannot read string",
  ],
  ["a field's type is widened", record([field("a", "long")]), record([field("a", "int")]), undefined],
  ["a field's type is narrowed", record([field("a", "int")]), record([field("a", "long")]), "a: int cannot read long"],
  ["a field becomes nullable", record([field("a", ["null", "int"])]), record([field("a", "int")]), undefined],
  [
    "a nullable field becomes required",
    record([field("a", "int")]),
    record([field("a", ["null", "int"])]),
    "a: int cannot read null",
  ],
  [
    "another record name",
    record([]),
    record([], { name: "S" }),
    "the schema: record R cannot read record S: neither its name nor an alias is the same",
  ],
  ["another record name with an alias", record([], { aliases: ["S"] }), record([], { name: "S" }), undefined],
  ["another namespace", record([], { namespace: "a" }), record([], { namespace: "b" }), undefined],
  [
    "an alias with a namespace",
    record([], { namespace: "a", aliases: ["b.S"] }),
    record([], { name: "S", namespace: "b" }),
    undefined,
  ],
  [
    "an alias gets its type's namespace",
    record([], { namespace: "a", aliases: ["S"] }),
    record([], { name: "S", namespace: "b" }),
    "the schema: record a.R cannot read record b.S: neither its name nor an alias is the same",
  ],
  ["a symbol is added", enumOf(["A", "B"]), enumOf(["A"]), undefined],
  ["a symbol is removed", enumOf(["A"]), enumOf(["A", "B"]), "the schema: enum E lacks B and has no default"],
  ["a symbol is removed, the enum has a default", enumOf(["A"], { default: "A" }), enumOf(["A", "B"]), undefined],
  ["symbols in another order", enumOf(["B", "A"]), enumOf(["A", "B"]), undefined],
  [
    "another enum name",
    enumOf(["A"]),
    enumOf(["A"], { name: "F" }),
    "the schema: enum E cannot read enum F: neither its name nor an alias is the same",
  ],
  ["the same fixed", fixed(4), fixed(4), undefined],
  ["another size", fixed(4), fixed(8), "the schema: fixed F has 4 bytes, but was written with 8"],
  [
    "another fixed name",
    fixed(4),
    fixed(4, "G"),
    "the schema: fixed F cannot read fixed G: neither its name nor an alias is the same",
  ],
  ["another fixed name with an alias", fixed(4, "F", { aliases: ["G"] }), fixed(4, "G"), undefined],
  ["fixed is not bytes", "bytes", fixed(4), "the schema: bytes cannot read fixed F"],
  ["items are widened", { type: "array", items: "double" }, { type: "array", items: "int" }, undefined],
  [
    "items of another type",
    { type: "array", items: "string" },
    { type: "array", items: "int" },
    "[]: string cannot read int",
  ],
  ["values are widened", { type: "map", values: "double" }, { type: "map", values: "long" }, undefined],
  [
    "values of another type",
    { type: "map", values: "boolean" },
    { type: "map", values: "int" },
    "{}: boolean cannot read int",
  ],
  [
    "an array is no map",
    { type: "array", items: "int" },
    { type: "map", values: "int" },
    "the schema: array cannot read map",
  ],
  ["a branch is added", ["null", "int", "string"], ["null", "int"], undefined],
  [
    "a branch is removed",
    ["null", "int"],
    ["null", "int", "string"],
    "the schema: no branch of the union reads string",
  ],
  ["branches in another order", ["string", "null"], ["null", "string"], undefined],
  ["a branch is widened", ["null", "long"], ["null", "int"], undefined],
  ["a union reads a plain type", ["null", "double"], "int", undefined],
  ["a union does not read a plain type", ["null", "int"], "string", "the schema: no branch of the union reads string"],
  ["a plain type reads a union of what it can read", "double", ["int", "long"], undefined],
  ["a plain type does not read null", "double", ["null", "long"], "the schema: double cannot read null"],
  [
    "a record in a union says what is wrong inside",
    ["null", record([field("a", "int")])],
    ["null", record([])],
    "a: the field was not written and has no default",
  ],
  ["a recursive record reads itself", list("int"), list("int"), undefined],
  ["a recursive record is widened", list("long"), list("int"), undefined],
  ["a recursive record is narrowed", list("int"), list("long"), "value: int cannot read long"],
  [
    "two records that refer to each other, one of them changed at its end",
    record([field("s", { type: "record", name: "S", fields: [field("r", ["null", "R"]), field("x", "int")] })]),
    record([field("s", { type: "record", name: "S", fields: [field("r", ["null", "R"])] })]),
    "s.x: the field was not written and has no default",
  ],
  ["logical types are ignored", { type: "long", logicalType: "timestamp-millis" }, "long", undefined],
  [
    "a name like __proto__",
    record([field("__proto__", "int"), field("constructor", "int", { default: 1 })]),
    record([field("__proto__", "int")]),
    undefined,
  ],
  ...primitives.flatMap((reader) =>
    primitives.map((writer): Case => {
      const reads = reader === writer || promoted[writer]?.includes(reader) === true;
      return [
        `${reader} reads ${writer}`,
        reader,
        writer,
        reads ? undefined : `the schema: ${reader} cannot read ${writer}`,
      ];
    }),
  ),
];

const nodeOf = (schema: Schema): ReturnType<typeof parseAvroSchema>["root"] =>
  parseAvroSchema(JSON.stringify(schema)).root;

test.each(cases)("%s", (_, reader, writer, reason) => {
  expect(readingProblems(nodeOf(reader), nodeOf(writer))[0]).toBe(reason);
});

test.each(cases.filter(([what]) => !avscDiffers.has(what)))("avsc agrees: %s", (_, reader, writer, reason) => {
  const typeOf = (schema: Schema): avro.Type => avro.Type.forSchema(schema as never, { wrapUnions: true });
  const resolve = (): unknown => typeOf(reader).createResolver(typeOf(writer));
  if (reason === undefined) expect(resolve).not.toThrow();
  else expect(resolve).toThrow();
});

test("schemas that multiply by reference are compared once", () => {
  const chain = (innermost: string): string => {
    let fields: object[] = [field("x", innermost)];
    for (let level = 0; level < 40; level++) {
      const name = `L${level}`;
      fields = [
        field("a", ["null", { type: "record", name, fields }]),
        field("b", ["null", name]),
        field("c", ["null", name]),
      ];
    }
    return JSON.stringify(record(fields));
  };
  const reader = parseAvroSchema(chain("long")).root;
  expect(readingProblems(reader, parseAvroSchema(chain("int")).root)).toEqual([]);
  expect(readingProblems(reader, parseAvroSchema(chain("string")).root)).toHaveLength(1);
});
