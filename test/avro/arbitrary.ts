// Random field lists and random valid records for tests, with the naive statement of what a record means.
import * as fc from "fast-check";
import type { FieldModel, ScalarType, ValueType } from "../../src/model/definition.ts";

export const nameArbitrary = fc.oneof(
  fc.constantFrom("then", "constructor", "toString", "a", "b", "hasOwnProperty", "valueOf", "length"),
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/).filter((name) => name !== "__proto__"),
);

const scalarArbitrary: fc.Arbitrary<ScalarType> = fc.oneof(
  fc.constantFrom<ScalarType>(
    { kind: "string" },
    { kind: "int32" },
    { kind: "int64" },
    { kind: "double" },
    { kind: "boolean" },
    { kind: "timestamp" },
    { kind: "bytes" },
  ),
  fc
    .uniqueArray(fc.constantFrom("start", "stop", "A", "AB", "Z_9"), { minLength: 1 })
    .map((symbols): ScalarType => ({ kind: "enum", symbols })),
);

const fieldsOf = (type: fc.Arbitrary<ValueType>, minLength: number): fc.Arbitrary<FieldModel[]> =>
  fc.uniqueArray(fc.record({ name: nameArbitrary, type, optional: fc.boolean() }), {
    minLength,
    maxLength: 6,
    selector: ({ name }) => name,
  });

const typeArbitrary = fc.letrec<{ type: ValueType }>((tie) => ({
  type: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalarArbitrary,
    tie("type").map((item): ValueType => ({ kind: "array", item })),
    tie("type").map((value): ValueType => ({ kind: "map", value })),
    fieldsOf(tie("type"), 1).map((fields): ValueType => ({ kind: "record", fields })),
  ),
})).type;

export const fieldsArbitrary: fc.Arbitrary<readonly FieldModel[]> = fieldsOf(typeArbitrary, 1);

export const textArbitrary = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "binary-ascii", maxLength: 60 }),
);

const int64Arbitrary = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 2n ** 53n, 2n ** 53n - 1n, -(2n ** 53n), 2n ** 52n, -(2n ** 52n), 2n ** 63n - 1n, -(2n ** 63n)),
  fc.maxSafeInteger().map(BigInt),
  fc.integer({ min: -100, max: 100 }).map(BigInt),
);

/** A way to write a value in JSON or JavaScript, and the value that it stands for, as the decoder gives it. */
export interface Written {
  readonly given: unknown;
  readonly value: unknown;
}
const same = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Written> =>
  arbitrary.map((value) => ({ given: value, value }));

function writtenInt64(value: bigint, form: number): unknown {
  if (form === 0) return value;
  return form === 1 || !Number.isSafeInteger(Number(value)) ? String(value) : Number(value);
}

function writtenTime(ms: number, form: number): unknown {
  if (form === 0) return new Date(ms);
  const year = new Date(ms).getUTCFullYear();
  return form === 1 || year < 0 || year > 9999 ? ms : new Date(ms).toISOString();
}

function scalarWritten(type: ScalarType): fc.Arbitrary<Written> {
  switch (type.kind) {
    case "string":
      return same(textArbitrary);
    case "int32":
      return same(fc.integer());
    case "int64":
      return fc
        .tuple(int64Arbitrary, fc.nat({ max: 2 }))
        .map(([value, form]) => ({ given: writtenInt64(value, form), value }));
    case "double":
      return fc
        .double({ noNaN: true, noDefaultInfinity: true })
        .map((given) => ({ given, value: given === 0 ? 0 : given }));
    case "boolean":
      return same(fc.boolean());
    case "timestamp":
      return fc
        .tuple(fc.oneof(fc.integer({ min: -1e12, max: 4e12 }), fc.integer({ min: -8.64e15, max: 8.64e15 })), fc.nat(2))
        .map(([ms, form]) => ({ given: writtenTime(ms, form), value: new Date(ms) }));
    case "bytes":
      return fc
        .tuple(fc.uint8Array({ maxLength: 20 }), fc.boolean())
        .map(([value, asText]) => ({ given: asText ? Buffer.from(value).toString("base64") : value, value }));
    case "enum":
      return same(fc.constantFrom(...type.symbols));
  }
}

export function writtenOf(type: ValueType): fc.Arbitrary<Written> {
  switch (type.kind) {
    case "array":
      return fc.array(writtenOf(type.item), { maxLength: 4 }).map((items) => ({
        given: items.map(({ given }) => given),
        value: items.map(({ value }) => value),
      }));
    case "map":
      return fc.dictionary(textArbitrary, writtenOf(type.value), { maxKeys: 4 }).map((entries) => ({
        given: fromEntries(Object.entries(entries).map(([name, { given }]) => [name, given])),
        value: fromEntries(Object.entries(entries).map(([name, { value }]) => [name, value])),
      }));
    case "record":
      return recordOf(type.fields);
    default:
      return scalarWritten(type);
  }
}

/** A valid record of these fields; absent fields are missing or null. */
export function recordOf(fields: readonly FieldModel[]): fc.Arbitrary<Written> {
  const contents = fields.map(({ name, type, optional }) => {
    const present = writtenOf(type).map((written): [string, Written | undefined, boolean] => [name, written, true]);
    const absent = fc.boolean().map((named): [string, Written | undefined, boolean] => [name, undefined, named]);
    return optional ? fc.oneof(present, absent) : present;
  });
  return fc.tuple(...contents).map((entries) => ({
    given: fromEntries(
      entries.flatMap(([name, written, named]) =>
        named ? [[name, written === undefined ? null : written.given]] : [],
      ),
    ),
    value: fromEntries(entries.flatMap(([name, written]) => (written === undefined ? [] : [[name, written.value]]))),
  }));
}

function fromEntries(entries: readonly (readonly [string, unknown])[] | unknown[][]): object {
  return Object.fromEntries(entries as [string, unknown][]);
}
