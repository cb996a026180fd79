// Records as text, for tests of the transcoder: every known form of every type, and random ones.
import * as fc from "fast-check";
import type { FieldModel, ValueType } from "../../src/model/value-type.ts";
import { timeMaxMs, type Definition } from "./naive-transcoder.ts";

export const integers = [
  "0",
  "-0",
  "7",
  "-7",
  "00",
  "01",
  "-01",
  "1.0",
  "1.5",
  "1e3",
  "1E+2",
  "-",
  "+1",
  "1.",
  ".1",
  "1e",
  "0x1",
  "1_0",
  "2147483647",
  "2147483648",
  "-2147483648",
  "-2147483649",
  "999999999999999",
  "-999999999999999",
  "1000000000000000",
  "9007199254740991",
  "9007199254740992",
  "-9007199254740993",
  "9223372036854775807",
  "63",
  "64",
  "-64",
  "-65",
  "1073741823",
  "1073741824",
  "-1073741824",
  "-1073741825",
  "268435455",
  "268435456",
  "134217728",
  "4294967296",
  "34359738368",
];

export const odd = [
  "null",
  "nul",
  "nulll",
  "{}",
  "[]",
  "[1]",
  '{"a":{"b":"}"}}',
  '"x"',
  "1",
  "true",
  "",
  "undefined",
  "'x'",
  "NaN",
  "Infinity",
  '"',
  "\u00a0",
];

export const texts = [
  '"plain"',
  '""',
  '" blanks "',
  '"\\u0041"',
  '"\\ud83d\\ude00"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\n"',
  '"a\\/b"',
  '"\u007f"',
  '"é€😀"',
  '"a\u0001b"',
  '"a\tb"',
  '"x',
  '"\\"',
  '"\\x"',
  '"\\u12"',
  '"a"b"',
  `"${"x".repeat(64)}"`,
  `"${"x".repeat(65)}"`,
  `"${"é".repeat(600)}"`,
];

export const keys = [
  ...texts,
  `"${"k".repeat(1024)}"`,
  `"${"k".repeat(1025)}"`,
  `"${"é".repeat(512)}"`,
  `"${"é".repeat(513)}"`,
  "1",
  "null",
  '"__proto__"',
];

export const times = [
  ...[
    "2024-02-29T23:59:59.999Z",
    // From here on the day is known, so that what is wrong behind it must be seen by the fast path.
    "2024-01-01T00:00:00.000Z",
    "2024-01-01T00:00:00.123z",
    "2024-01-01T00:00:00.1234",
    "2023-02-29T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "2024-01-00T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "2024-01-01T24:00:00Z",
    "2024-01-01T23:60:00Z",
    "2024-01-01T23:59:60Z",
    "2024-01-01",
    "2024-01-01T00:00:00",
    "2024-01-01 00:00:00Z",
    "2024-01-01t00:00:00Z",
    "2024-01-01T00:00:00z",
    "2024-01-01T0a:00:00Z",
    "2024-01-01T00:a0:00Z",
    "2024-01-01T00:00:0:Z",
    "0000-01-01T00:00:00Z",
    "1969-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59.999Z",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00.1Z",
    "2024-01-01T00:00:00.12Z",
    "2024-01-01T00:00:00.1234Z",
    "2024-01-01T00:00:00.123456789Z",
    "2024-01-01T00:00:00.1234567890Z",
    "2024-01-01T00:00:00./00Z",
    "2024-01-01T00:00:00.12:Z",
    "2024-01-01T00:00:00+00:00",
    "2024-01-01T00:00:00.5-23:59",
    "2024-01-01T00:00:00+24:00",
    "2024-01-01T00:00:00,5Z",
    "2024-01-01T00:00:00.123Zx",
    "2024-01-01T00:00:00Zx",
    "24-01-01T00:00:00Z",
    "2026-12-31T23:59:59.999Z",
    "2027-01-01T00:00:00.000Z",
    "2027-01-01T00:00:00.001Z",
    "2027-01-01T00:00:00-00:01",
    "2024-01-01T00-00:00Z",
    "2024-01-01T00:00-00Z",
    "2024\\u002d01-01T00:00:00Z",
  ].map((text) => `"${text}"`),
  "8640000000000000",
  "-8640000000000000",
  "8640000000000001",
  "1798761600000",
  "1798761600001",
  "1.5",
  "-1",
  ...integers,
];

export const doubles = [
  ...integers,
  "0.1",
  "-0.1",
  "0.0",
  "-0.0",
  "0e5",
  "-0e5",
  "1e999",
  "-1e999",
  "1e308",
  "1e-400",
  "5e-324",
  "2.5e-324",
  "1.7976931348623157e308",
  "0.1234567890123456789",
  "123456789012345.6",
  "12345678901234.5",
  "9007199254740993.5",
  "1e22",
  "1e23",
  "4.35",
  "0.000001",
  "0.3",
  "100.25",
  `1${"0".repeat(308)}`,
  `1${"0".repeat(410)}`,
  `0.${"0".repeat(410)}1`,
  "1.e5",
  "1e5.5",
  "1E5",
  "0.1e",
  "--1",
];

export const symbols = ["start", "stop", "progress", "A", "AB", "__proto__"];

export function formsOf(type: ValueType): readonly string[] {
  switch (type.kind) {
    case "string":
      return texts;
    case "enum":
      return [
        ...type.symbols.map((symbol) => `"${symbol}"`),
        '"other"',
        '"STOP"',
        '"\\u0041"',
        '"stop "',
        '""',
        '"constructor"',
      ];
    case "int32":
      return integers;
    case "int64":
      return [
        ...integers,
        ...integers.map((text) => `"${text}"`),
        '" 1"',
        '"1 "',
        '""',
        '"-9223372036854775808"',
        '"9223372036854775808"',
      ];
    case "double":
      return doubles;
    case "boolean":
      return ["true", "false", "tru", "truee", "True", "falsefalse", "1", '"true"'];
    case "timestamp":
      return times;
    case "bytes":
      return ['""', '"AQ=="', '"AQ"', '"AR=="', '"AQI="', '"AQID"', '"A_=="', '" AQ=="'];
    case "array":
      return ["[]", "[1,2]", "[1,null]", '["a"]', "[1,]", "[ 1 ]", "{}"];
    default:
      throw new Error(type.kind);
  }
}

export const scalarTypes: readonly ValueType[] = [
  { kind: "string" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "double" },
  { kind: "boolean" },
  { kind: "timestamp" },
  { kind: "enum", symbols },
];

export const key: FieldModel = { name: "key", type: { kind: "string" }, optional: false };

export const time: FieldModel = { name: "time", type: { kind: "timestamp" }, optional: false };

export const goodKey = '"key":"k1"';

export const goodTime = '"time":"2026-11-21T16:55:00.123Z"';

export const blank = fc.constantFrom("", "", "", "", "", "", " ", "  ", "\t", "\r");

export function goodText(type: ValueType): fc.Arbitrary<string> {
  switch (type.kind) {
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => JSON.stringify(text));
    case "enum":
      return fc.constantFrom(...type.symbols).map((symbol) => `"${symbol}"`);
    case "int32":
      return fc.integer().map(String);
    case "int64":
      return fc.oneof(
        fc.maxSafeInteger().map(String),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => `"${value}"`),
      );
    case "double":
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value));
    case "boolean":
      return fc.constantFrom("true", "false");
    default:
      return fc
        .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date(timeMaxMs), noInvalidDate: true })
        .map((value) => JSON.stringify(value));
  }
}

/** A valid record in some order with some blanks; one in three then has one entry that is odd, missing, or there twice. */
export function records({ fields }: Definition): fc.Arbitrary<string> {
  const valueOf = (field: FieldModel): fc.Arbitrary<string> =>
    field === key ? fc.stringMatching(/^[a-z0-9]{1,9}$/).map((text) => `"${text}"`) : goodText(field.type);
  const present = fields.map((field) => fc.tuple(valueOf(field), field.optional ? fc.boolean() : fc.constant(true)));
  return fc
    .record({
      values: fc.tuple(...present),
      rotation: fc.oneof(fc.constant(0), fc.nat({ max: 9 })),
      change: fc.nat({ max: 11 }),
      at: fc.nat(),
      form: fc.nat(),
      b: fc.tuple(blank, blank, blank, blank),
    })
    .map(({ values, rotation, change, at, form, b }) => {
      const entries = values.flatMap(([value, given], i) => (given ? [[fields[i]!, value] as const] : []));
      const changed = at % entries.length;
      const [field] = entries[changed]!;
      const forms = [...formsOf(field.type), ...odd];
      if (change === 0) entries[changed] = [field, forms[form % forms.length]!];
      else if (change === 1) entries.splice(changed, 1);
      else if (change === 2) entries.push(entries[changed]!);
      const list = entries.map(([{ name }, value]) => `"${name}"${b[0]}:${b[1]}${value}${b[2]}`);
      return `{${b[3]}${[...list.slice(rotation), ...list.slice(0, rotation)].join(`,${b[1]}`)}}`;
    });
}
