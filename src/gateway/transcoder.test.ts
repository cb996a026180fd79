// The transcoder against its naive twin (JSON.parse, the model's validator and encoder): every known form of every type, and random definitions, records and damage.
import { isUtf8 } from "node:buffer";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { validateRecord } from "../model/avro/json-record.ts";
import { compileRecordEncoder, timestampOf } from "../model/avro/record-encoder.ts";
import type { FieldModel, ValueType } from "../model/value-type.ts";
import { partitionOf } from "./partitioner.ts";
import { createOutputs } from "./record-output.ts";
import { Transcoder } from "./transcoder.ts";

const schemaId = 0x01020384;
const timeMaxMs = Date.UTC(2027, 0);
const partitions = 3;

interface Definition {
  readonly fields: readonly FieldModel[];
  readonly isEvent: boolean;
}

// ---- the naive twin -----------------------------------------------------------------------------------------------

interface Outcome {
  /** Per partition: records as hex; rows of side inputs with their keys. */
  readonly records: readonly (readonly string[])[];
  readonly problems: readonly (readonly [index: number, code: string, field: string | undefined])[];
}

function naively(definition: Definition, lines: readonly Buffer[]): Outcome {
  const records: string[][] = Array.from({ length: partitions }, () => []);
  const problems: [number, string, string | undefined][] = [];
  const put = (key: string, text: string): void => {
    const bytes = Buffer.from(key);
    const stored = definition.isEvent ? text : `${key}: ${text}`;
    records[partitionOf(bytes, 0, bytes.length, partitions)]!.push(stored);
  };
  lines.forEach((line, index) => {
    for (const [code, field] of readNaively(definition, line, put)) problems.push([index, code, field]);
  });
  return { records, problems: problems.slice(0, 100) };
}

type Problem = readonly [code: string, field: string | undefined];

function readNaively(
  { fields, isEvent }: Definition,
  line: Buffer,
  put: (key: string, text: string) => void,
): readonly Problem[] {
  if (!isUtf8(line)) return [["bad_utf8", undefined]];
  let value: any;
  try {
    value = JSON.parse(line.toString());
  } catch {
    return [["bad_json", undefined]];
  }
  if (!isEvent && typeof value === "object" && value !== null && Object.keys(value).join() === "$delete") {
    const key: unknown = value.$delete;
    if (typeof key !== "string" || key === "") return [["bad_key", "$delete"]];
    put(key, "null");
    return [];
  }
  const found = validateRecord(fields, value, "key");
  if (found.length > 0) return found.map(({ code, field }) => [code, field === "" ? undefined : field]);
  if (isEvent && timestampOf(value.time) > timeMaxMs) return [["time_in_future", "time"]];
  const writer = new AvroWriter();
  compileRecordEncoder(fields)(value, writer);
  put(value.key, `0001020384${Buffer.from(writer.copy()).toString("hex")}`);
  return [];
}

function transcoderOf({ fields, isEvent }: Definition): Transcoder {
  const time = isEvent ? "time" : undefined;
  return new Transcoder({
    fields,
    key: "key",
    time,
    schemaId,
    outputs: createOutputs(partitions, !isEvent),
    recordBytesMax: 1 << 20,
    recordsMax: 1000,
  });
}

function outcomeOf(transcoder: Transcoder, { findings }: ReturnType<Transcoder["readLines"]>): Outcome {
  const records = transcoder.outputs.map((output) => {
    const { count, values, keys, nulls } = output.take();
    const slice = ({ bytes, starts }: typeof values, i: number): Buffer =>
      Buffer.from(bytes.subarray(starts[i], starts[i + 1]));
    return Array.from({ length: count }, (_, i) => {
      const text = nulls?.[i] === 1 ? "null" : slice(values, i).toString("hex");
      return keys === undefined ? text : `${slice(keys, i).toString()}: ${text}`;
    });
  });
  return { records, problems: findings.problems.map(({ index, code, field }) => [index, code, field]) };
}

/** The lines as NDJSON defines them, without blanks around them, without blank ones. */
function linesOf(body: Buffer): Buffer[] {
  const bom = body.subarray(0, 3).toString("hex") === "efbbbf" ? 3 : 0;
  const lines = body.toString("latin1").slice(bom).split("\n");
  return lines
    .map((line) => Buffer.from(line.replace(/^[ \t\r]+|[ \t\r]+$/g, ""), "latin1"))
    .filter((line) => line.length > 0);
}

function expectLinesEqual(definition: Definition, body: Buffer): void {
  const transcoder = transcoderOf(definition);
  const outcome = outcomeOf(transcoder, transcoder.readLines(body, timeMaxMs));
  expect(outcome).toEqual(naively(definition, linesOf(body)));
}

// ---- every known form ---------------------------------------------------------------------------------------------

const integers = [
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
const odd = [
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
const texts = [
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
const keys = [
  ...texts,
  `"${"k".repeat(1024)}"`,
  `"${"k".repeat(1025)}"`,
  `"${"é".repeat(512)}"`,
  `"${"é".repeat(513)}"`,
  "1",
  "null",
  '"__proto__"',
];
const times = [
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
const doubles = [
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
const symbols = ["start", "stop", "progress", "A", "AB", "__proto__"];

function formsOf(type: ValueType): readonly string[] {
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

const scalarTypes: readonly ValueType[] = [
  { kind: "string" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "double" },
  { kind: "boolean" },
  { kind: "timestamp" },
  { kind: "enum", symbols },
];
const key: FieldModel = { name: "key", type: { kind: "string" }, optional: false };
const time: FieldModel = { name: "time", type: { kind: "timestamp" }, optional: false };
const goodKey = '"key":"k1"';
const goodTime = '"time":"2026-11-21T16:55:00.123Z"';

test.each([...scalarTypes, { kind: "bytes" } as const, { kind: "array", item: { kind: "int32" } } as const])(
  "every form of $kind",
  (type) => {
    for (const optional of [false, true]) {
      const fields: FieldModel[] = [key, { name: "field", type, optional }, time];
      const lines = [...formsOf(type), ...odd].flatMap((form) => [
        `{${goodKey},"field":${form},${goodTime}}`,
        `{${goodTime} , "field" : ${form} , ${goodKey} }`,
        `{"field":${form},"field":${form},${goodKey},${goodTime}}`,
        `{${goodKey},${goodTime},"field":${form}}`,
      ]);
      expectLinesEqual({ fields, isEvent: true }, Buffer.from(lines.join("\n")));
      // Alone in its body, so that the bytes end where the value does.
      for (const form of formsOf(type)) {
        expectLinesEqual({ fields, isEvent: false }, Buffer.from(`{${goodKey},${goodTime},"field":${form}}`));
        expectLinesEqual({ fields, isEvent: true }, Buffer.from(`{${goodKey},${goodTime},"field":${form}`));
      }
    }
  },
);

test("every form of the key and of the event time", () => {
  const fields: FieldModel[] = [key, time];
  const lines = [
    ...keys.map((form) => `{"key":${form},${goodTime}}`),
    ...[...times, ...odd].map((form) => `{${goodKey},"time":${form}}`),
  ];
  expectLinesEqual({ fields, isEvent: true }, Buffer.from(lines.join("\n")));
  expectLinesEqual({ fields, isEvent: false }, Buffer.from(lines.join("\r\n")));
});

test("every form of a record", () => {
  const more: FieldModel = { name: "__proto__", type: { kind: "string" }, optional: true };
  const count: FieldModel = { name: "n", type: { kind: "int32" }, optional: true };
  const record = `${goodKey},${goodTime}`;
  const lines = [
    `{${record}}`,
    ` {${record}} `,
    `{${record}}x`,
    `{${goodKey},\u000b${goodTime}}`,
    `{${record}\u000c}`,
    `{${record}},`,
    `{${record}}{${record}}`,
    `{${record}} {}`,
    `{${record},}`,
    `{,${record}}`,
    `{${record}`,
    `${record}}`,
    `{${record}]`,
    `[{${record}}]`,
    `{${record},"more":1}`,
    `{${record},"":1}`,
    `{${record},"constructor":1}`,
    `{${record},"__proto__":"x"}`,
    `{${record},"__proto__":null}`,
    `{${record},"__proto__":{"key":"y"}}`,
    `{"__proto__":"x",${record}}`,
    `{"__proto__":"x","__proto__":null,${record}}`,
    `{"__proto__":null,"__proto__":"x",${record}}`,
    `{"n":null,"n":1,${record}}`,
    `{"n":1,"n":null,${record}}`,
    `{${record},"key":"k2"}`,
    `{"k\\u0065y":"k2",${goodTime}}`,
    `{${record},"k\\u0065y":"k2"}`,
    `{${goodKey}}`,
    `{${goodTime}}`,
    "{}",
    "{ }",
    "{",
    "}",
    "null",
    "[]",
    "1",
    '"text"',
    "\ufeff{}",
    "{\u000b}",
    `{${goodKey}\u00a0,${goodTime}}`,
    `{"key" "k",${goodTime}}`,
    `{"key"::"k",${goodTime}}`,
    `{"key":"k" ${goodTime}}`,
    `{key:"k",${goodTime}}`,
    `{"key":"k",,${goodTime}}`,
    `{'key':"k",${goodTime}}`,
    '{"$delete":"k1"}',
    '{"$delete":""}',
    '{"$delete":1}',
    '{"$delete":"k","a":1}',
    ' { "$delete" : "k2" } ',
    '{"$delete":null}',
    '{"\\u0024delete":"k3"}',
  ];
  for (const isEvent of [true, false]) {
    for (const fields of [
      [key, time, more, count],
      [more, key, count, time],
      [count, more, time, key],
    ]) {
      expectLinesEqual({ fields, isEvent }, Buffer.from(lines.join("\n")));
      for (const line of lines) expectLinesEqual({ fields, isEvent }, Buffer.from(line));
    }
  }
});

test("a definition of more fields than code is generated for", () => {
  const fields: FieldModel[] = [
    key,
    time,
    ...Array.from({ length: 120 }, (_, i): FieldModel => ({ name: `f${i}`, type: { kind: "int32" }, optional: true })),
  ];
  expectLinesEqual(
    { fields, isEvent: true },
    Buffer.from(`{${goodKey},${goodTime},"f7":7,"f119":8}\n{${goodKey},${goodTime},"f120":1}`),
  );
});

// ---- random definitions, records, damage --------------------------------------------------------------------------

const blank = fc.constantFrom("", "", "", "", "", "", " ", "  ", "\t", "\r");

const definitions: fc.Arbitrary<Definition> = fc
  .record({
    names: fc.uniqueArray(
      fc.oneof(
        fc.constantFrom("a", "b", "ab", "abc", "__proto__", "constructor", "keys", "ke"),
        fc.stringMatching(/^[a-z_][a-z0-9_]{0,9}$/),
      ),
      { maxLength: 7 },
    ),
    types: fc.array(fc.tuple(fc.constantFrom(...scalarTypes), fc.boolean()), { minLength: 7, maxLength: 7 }),
    shift: fc.nat({ max: 8 }),
    isEvent: fc.boolean(),
  })
  .map(({ names, types, shift, isEvent }) => {
    const others = names.filter((name) => name !== "key" && name !== "time");
    const own = [
      ...others.map((name, i): FieldModel => ({ name, type: types[i]![0], optional: types[i]![1] })),
      key,
      time,
    ];
    return { fields: [...own.slice(shift), ...own.slice(0, shift)], isEvent };
  });

function goodText(type: ValueType): fc.Arbitrary<string> {
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
function records({ fields }: Definition): fc.Arbitrary<string> {
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

const cases = definitions.chain((definition) =>
  fc.tuple(fc.constant(definition), fc.array(records(definition), { maxLength: 25 })),
);

test("lines: two speeds, one meaning", () => {
  const lineEnd = fc.constantFrom("\n", "\r\n", "\n\n", " \n", "\n \t\r\n");
  const property = fc.property(
    cases,
    lineEnd,
    fc.boolean(),
    fc.constantFrom("", "\ufeff", "\n"),
    ([definition, lines], end, ended, start) => {
      expectLinesEqual(definition, Buffer.from(start + lines.join(end) + (ended ? end : "")));
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test("damaged bytes: two speeds, one meaning", () => {
  const damage = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(10, 34, 44, 58, 92, 123, 125)),
    how: fc.constantFrom("replace", "insert", "remove", "truncate"),
  });
  const property = fc.property(
    cases,
    fc.array(damage, { minLength: 1, maxLength: 20 }),
    ([definition, lines], damages) => {
      let body = Buffer.from(lines.join("\n"));
      for (const { at, byte, how } of damages) {
        const p = at % (body.length + 1);
        const put = how === "replace" || how === "insert" ? [byte] : [];
        const behind = how === "truncate" && byte < 25 ? body.length : how === "insert" ? p : p + 1;
        body = Buffer.concat([body.subarray(0, p), Buffer.from(put), body.subarray(behind)]);
      }
      expectLinesEqual(definition, body);
    },
  );
  fc.assert(property, { numRuns: 60 });
});

function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

test("a JSON array: two speeds, one meaning, or refused when it is none", () => {
  const brackets = fc.constantFrom(
    ["[", "]"],
    ["\ufeff [ ", " ]\n"],
    ["[\n", "\n]"],
    ["[", ""],
    ["[", "]x"],
    ["[,", "]"],
    ["[", ",]"],
  );
  const property = fc.property(
    cases,
    fc.constantFrom(",", " ,\n", "\r\n, "),
    brackets,
    ([definition, elements], comma, [open, close]) => {
      const text = `${open}${elements.join(comma)}${close}`;
      const transcoder = transcoderOf(definition);
      const read = (): Outcome => outcomeOf(transcoder, transcoder.readJson(Buffer.from(text), timeMaxMs));
      if (parsed(text.replace("\ufeff", "")) === undefined)
        expect(read).toThrow(expect.objectContaining({ code: "bad_json" }));
      else
        expect(read()).toEqual(
          naively(
            definition,
            elements.map((element) => Buffer.from(element)),
          ),
        );
    },
  );
  fc.assert(property, { numRuns: 50 });
});

test("one JSON object, on any number of lines", () => {
  const definition: Definition = { fields: [key, time], isEvent: true };
  const read = (text: string): Outcome => {
    const transcoder = transcoderOf(definition);
    return outcomeOf(transcoder, transcoder.readJson(Buffer.from(text), timeMaxMs));
  };
  for (const text of [
    `{${goodKey},${goodTime}}`,
    `\n{\n ${goodKey}\n,\n${goodTime}\n}\n`,
    "null",
    '{"key":1}',
    " 1 ",
  ]) {
    expect(read(text)).toEqual(naively(definition, [Buffer.from(text)]));
  }
  for (const text of [
    "",
    " ",
    "{",
    "{}{}",
    "{},",
    "1 2",
    "nul",
    `{${goodKey},${goodTime}},`,
    `{${goodKey},${goodTime}}]`,
  ]) {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "bad_json" }));
  }
});
