// The rules of validity, one by one.
import { inspect } from "node:util";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { FieldModel, ValueType } from "../definition.ts";
import { validateRecord } from "./json-record.ts";
import { formatBase64, parseBase64, parseInt64, parseTimestamp, utf8Length } from "./json-values.ts";

const field = (type: ValueType, optional = false): FieldModel[] => [{ name: "f", type, optional }];
const codes = (type: ValueType, value: unknown): string[] =>
  validateRecord(field(type), { f: value }).map(({ code }) => code);

const good: readonly [ValueType, unknown][] = [
  [{ kind: "string" }, ""],
  [{ kind: "string" }, "x".repeat(1_048_576)],
  [{ kind: "int32" }, 2_147_483_647],
  [{ kind: "int32" }, -2_147_483_648],
  [{ kind: "int32" }, -0],
  [{ kind: "int64" }, Number.MAX_SAFE_INTEGER],
  [{ kind: "int64" }, "9223372036854775807"],
  [{ kind: "int64" }, "-9223372036854775808"],
  [{ kind: "int64" }, 5n],
  [{ kind: "double" }, 1e308],
  [{ kind: "double" }, -0],
  [{ kind: "boolean" }, false],
  [{ kind: "timestamp" }, 8.64e15],
  [{ kind: "timestamp" }, "2024-02-29T23:59:59.999999999+23:59"],
  [{ kind: "timestamp" }, "0000-01-01T00:00:00Z"],
  [{ kind: "timestamp" }, new Date(0)],
  [{ kind: "bytes" }, "AAE="],
  [{ kind: "bytes" }, ""],
  [{ kind: "bytes" }, Uint8Array.of(1)],
  [{ kind: "enum", symbols: ["a", "b"] }, "b"],
  [{ kind: "array", item: { kind: "int32" } }, Array(10_000).fill(1)],
  [{ kind: "map", value: { kind: "int32" } }, { "any name": 1 }],
  [{ kind: "record", fields: field({ kind: "string" }) }, { f: "x" }],
];

const label = (type: ValueType, value: unknown): string =>
  `${type.kind} ${inspect(value, { maxStringLength: 40, depth: 1 })}`;

test.each(good.map(([type, value]) => ({ name: label(type, value), type, value })))(
  "valid: $name",
  ({ type, value }) => {
    expect(codes(type, value)).toEqual([]);
  },
);

const bad: readonly [ValueType, unknown, string][] = [
  [{ kind: "string" }, 5, "wrong_type"],
  [{ kind: "string" }, "\ud800", "ill_formed_text"],
  [{ kind: "string" }, "x".repeat(1_048_577), "too_long"],
  [{ kind: "string" }, "é".repeat(524_289), "too_long"],
  [{ kind: "string" }, null, "null_value"],
  [{ kind: "string" }, undefined, "missing_field"],
  [{ kind: "int32" }, 2_147_483_648, "out_of_range"],
  [{ kind: "int32" }, 1.5, "wrong_type"],
  [{ kind: "int32" }, "5", "wrong_type"],
  [{ kind: "int32" }, 5n, "wrong_type"],
  [{ kind: "int64" }, 2 ** 53, "unsafe_integer"],
  [{ kind: "int64" }, 0.5, "wrong_type"],
  [{ kind: "int64" }, "9223372036854775808", "out_of_range"],
  [{ kind: "int64" }, "007", "out_of_range"],
  [{ kind: "int64" }, "-0", "out_of_range"],
  [{ kind: "int64" }, " 5", "out_of_range"],
  [{ kind: "int64" }, 2n ** 63n, "out_of_range"],
  [{ kind: "int64" }, true, "wrong_type"],
  [{ kind: "double" }, Infinity, "not_finite"],
  [{ kind: "double" }, NaN, "not_finite"],
  [{ kind: "double" }, "1", "wrong_type"],
  [{ kind: "boolean" }, 1, "wrong_type"],
  [{ kind: "timestamp" }, "2023-02-29T00:00:00Z", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01T00:00:00", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01T24:00:00Z", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01T00:00:60Z", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01t00:00:00z", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01T00:00:00.Z", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01T00:00:00+24:00", "bad_timestamp"],
  [{ kind: "timestamp" }, "2024-01-01T00:00:00Z\n", "bad_timestamp"],
  [{ kind: "timestamp" }, "1700000000000", "bad_timestamp"],
  [{ kind: "timestamp" }, 8.64e15 + 1, "bad_timestamp"],
  [{ kind: "timestamp" }, 0.5, "bad_timestamp"],
  [{ kind: "timestamp" }, new Date(NaN), "bad_timestamp"],
  [{ kind: "bytes" }, "AAE", "bad_base64"],
  [{ kind: "bytes" }, "AAF=", "bad_base64"],
  [{ kind: "bytes" }, "AA-_", "bad_base64"],
  [{ kind: "bytes" }, "====", "bad_base64"],
  [{ kind: "bytes" }, new Uint8Array(1_048_577), "too_long"],
  [{ kind: "enum", symbols: ["a"] }, "b", "unknown_symbol"],
  [{ kind: "enum", symbols: ["a"] }, 0, "wrong_type"],
  [{ kind: "enum", symbols: ["a"] }, "constructor", "unknown_symbol"],
  [{ kind: "array", item: { kind: "int32" } }, Array(10_001).fill(1), "too_many_items"],
  [{ kind: "array", item: { kind: "int32" } }, {}, "wrong_type"],
  [{ kind: "array", item: { kind: "int32" } }, [null], "null_value"],
  // eslint-disable-next-line no-sparse-arrays -- a hole is no item
  [{ kind: "array", item: { kind: "int32" } }, [,], "null_value"],
  [{ kind: "map", value: { kind: "int32" } }, [1], "wrong_type"],
  [{ kind: "map", value: { kind: "int32" } }, { a: null }, "null_value"],
  [{ kind: "map", value: { kind: "int32" } }, { "\ud800": 1 }, "ill_formed_text"],
  [{ kind: "record", fields: field({ kind: "string" }) }, "x", "wrong_type"],
  [{ kind: "record", fields: field({ kind: "string" }) }, new Date(), "wrong_type"],
];

test.each(bad.map(([type, value, code]) => ({ name: label(type, value), type, value, code })))(
  "invalid: $name is $code",
  ({ type, value, code }) => {
    expect(codes(type, value)).toEqual([code]);
  },
);

test("null and undefined are absent where the field is optional", () => {
  for (const value of [null, undefined])
    expect(validateRecord(field({ kind: "int32" }, true), { f: value })).toEqual([]);
});

test("paths say where in the record", () => {
  const line: ValueType = { kind: "record", fields: field({ kind: "map", value: { kind: "int32" } }) };
  const fields = field({ kind: "array", item: line });
  const problems = validateRecord(fields, { f: [{ f: {} }, { f: { "a b": "x", c: 1.5 }, g: 1 }, {}], extra: 1 });
  expect(problems.map(({ field, code }) => [field, code])).toEqual([
    ['f[1].f["a b"]', "wrong_type"],
    ["f[1].f.c", "wrong_type"],
    ["f[1].g", "unknown_field"],
    ["f[2].f", "missing_field"],
    ["extra", "unknown_field"],
  ]);
});

test("a record is an object, and inherited names are not its fields", () => {
  for (const value of [null, undefined, 5, "x", [], new Map()]) {
    expect(validateRecord(field({ kind: "string" }), value).map(({ code }) => code)).toEqual(["wrong_type"]);
  }
  const fields: FieldModel[] = [{ name: "toString", type: { kind: "string" }, optional: false }];
  expect(validateRecord(fields, {}).map(({ code }) => code)).toEqual(["missing_field"]);
  expect(validateRecord(fields, JSON.parse('{"toString": "x", "__proto__": 1}')).map(({ field }) => field)).toEqual([
    "__proto__",
  ]);
});

test("the key has 1 to 1,024 bytes", () => {
  const fields = field({ kind: "string" });
  const keyCodes = (f: unknown): string[] => validateRecord(fields, { f }, "f").map(({ code }) => code);
  expect(keyCodes("")).toEqual(["bad_key"]);
  expect(keyCodes("é".repeat(512))).toEqual([]);
  expect(keyCodes("é".repeat(513))).toEqual(["bad_key"]);
  expect(keyCodes(5)).toEqual(["wrong_type"]);
});

test("at most 100 problems are told", () => {
  const given = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
  expect(validateRecord([], given)).toHaveLength(100);
});

test("times are read as Date reads them", () => {
  const time = fc.date({
    min: new Date("0000-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(time, fc.integer({ min: -1439, max: 1439 }), (date, offset) => {
      const local = new Date(date.getTime() + offset * 60_000).toISOString();
      fc.pre(local.length === 24);
      const [hours, minutes] = [Math.floor(Math.abs(offset) / 60), Math.abs(offset) % 60];
      const zone = `${offset < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
      expect(parseTimestamp(local.replace("Z", zone))).toBe(date.getTime());
      expect(parseTimestamp(date.toISOString().replace("Z", "999Z"))).toBe(date.getTime());
    }),
    { numRuns: 300 },
  );
});

test("int64 texts are read as BigInt reads them", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (value) => {
      const fits = BigInt.asIntN(64, value) === value;
      const parsed = parseInt64(String(value));
      expect(parsed === undefined ? undefined : BigInt(parsed)).toBe(fits ? value : undefined);
      expect(typeof parsed === "number").toBe(fits && Number.isSafeInteger(Number(value)));
    }),
  );
});

test("base64 and UTF-8 lengths agree with Node's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.string({ unit: "binary" }), (bytes, text) => {
      const base64 = Buffer.from(bytes).toString("base64");
      expect(formatBase64(bytes)).toBe(base64);
      expect(parseBase64(base64)).toEqual(bytes);
      expect(utf8Length(text)).toBe(Buffer.byteLength(text));
    }),
  );
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), (text) => {
      const parsed = parseBase64(text);
      if (parsed !== undefined) expect(Buffer.from(parsed).toString("base64")).toBe(text);
    }),
  );
});
