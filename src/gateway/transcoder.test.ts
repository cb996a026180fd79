// The transcoder against its naive twin (JSON.parse, the model's validator and encoder) on random definitions, random records and damaged bytes.
import { isUtf8 } from "node:buffer";
import fc from "fast-check";
import { expect, test } from "vitest";
import { AvroWriter } from "../model/avro/avro-writer.ts";
import { validateRecord } from "../model/avro/json-record.ts";
import { compileRecordEncoder, timestampOf } from "../model/avro/record-encoder.ts";
import type { FieldModel, ValueType } from "../model/value-type.ts";
import { partitionOf } from "./partitioner.ts";
import { Transcoder } from "./transcoder.ts";

const schemaId = 0x01020384;
const timeMaxMs = Date.UTC(2027, 0);
const partitions = 3;

interface Definition {
  readonly fields: readonly FieldModel[];
  readonly isEvent: boolean;
}

// ---- random definitions -------------------------------------------------------------------------------------------

const nameArbitrary = fc
  .oneof(
    fc.constantFrom("a", "b", "ab", "abc", "__proto__", "constructor", "toString", "$", "_", "accountId", "at2"),
    fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,12}$/),
  )
  .map((name) => (name === "$" ? "dollar" : name));

const scalarArbitrary: fc.Arbitrary<ValueType> = fc.oneof(
  fc.constantFrom<ValueType>(
    { kind: "string" },
    { kind: "int32" },
    { kind: "int64" },
    { kind: "double" },
    { kind: "boolean" },
    { kind: "timestamp" },
  ),
  fc
    .uniqueArray(fc.constantFrom("start", "stop", "progress", "A", "AB", "ABC", "__proto__", "constructor"), {
      minLength: 1,
    })
    .map((symbols): ValueType => ({ kind: "enum", symbols })),
);

const typeArbitrary: fc.Arbitrary<ValueType> = fc.oneof(
  { weight: 12, arbitrary: scalarArbitrary },
  { weight: 1, arbitrary: fc.constant<ValueType>({ kind: "bytes" }) },
  { weight: 1, arbitrary: scalarArbitrary.map((item): ValueType => ({ kind: "array", item })) },
);

const definitionArbitrary: fc.Arbitrary<Definition> = fc
  .record({
    fields: fc.uniqueArray(fc.record({ name: nameArbitrary, type: typeArbitrary, optional: fc.boolean() }), {
      maxLength: 7,
      selector: ({ name }) => name,
    }),
    seed: fc.nat(),
    isEvent: fc.boolean(),
  })
  .map(({ fields, seed, isEvent }) => {
    const own: FieldModel[] = [
      ...fields.filter(({ name }) => name !== "key" && name !== "time"),
      { name: "key", type: { kind: "string" }, optional: false },
      { name: "time", type: { kind: "timestamp" }, optional: false },
    ];
    const shift = seed % own.length;
    return { fields: [...own.slice(shift), ...own.slice(0, shift)], isEvent };
  });

// ---- random JSON texts of records ---------------------------------------------------------------------------------

const blank = fc.oneof(
  { weight: 6, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.constantFrom(" ", "  ", "\t", "\r") },
);

const textArbitrary = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-z0-9-]{0,20}$/).map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 80 }).map((text) => JSON.stringify(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\u0041"',
      '"\\ud83d\\ude00"',
      '"\\ud800"',
      '"\u007f"',
      '"é€😀"',
      '""',
      '"a\\/b"',
      '"a\u0001b"',
      '"x',
      '"\\"',
    ),
  },
);

const integerText = fc.oneof(
  fc.integer().map(String),
  fc.maxSafeInteger().map(String),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }).map(String),
  fc.constantFrom(
    "0",
    "-0",
    "00",
    "01",
    "-01",
    "1.0",
    "1e3",
    "1E+2",
    "-",
    "+1",
    "1.",
    "2147483647",
    "2147483648",
    "-2147483649",
    "999999999999999",
    "9007199254740993",
  ),
);

const doubleText = fc.oneof(
  fc.double().map((value) => JSON.stringify(value) ?? "null"),
  fc.tuple(fc.integer(), fc.nat(), fc.integer({ min: -330, max: 330 })).map(([a, b, c]) => `${a}.${b}e${c}`),
  fc.tuple(fc.integer({ min: -1e6, max: 1e6 }), fc.stringMatching(/^[0-9]{1,20}$/)).map(([a, b]) => `${a}.${b}`),
  integerText,
  fc.constantFrom(
    "1e999",
    "-1e999",
    "1e",
    "1e+",
    ".5",
    "0.0",
    "-0.0",
    "0e5",
    "NaN",
    "Infinity",
    "0.1",
    "5e-324",
    `1${"0".repeat(410)}`,
  ),
);

const timeText = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .date({ min: new Date(0), max: new Date(timeMaxMs), noInvalidDate: true })
      .map((time) => JSON.stringify(time)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.date({ min: new Date(-6e13), max: new Date(timeMaxMs + 1e6), noInvalidDate: true }),
        fc.constantFrom("Z", ".1Z", ".123456Z", "+00:00", "-23:59", ".5+01:30"),
      )
      .map(([time, end]) => `"${time.toISOString().slice(0, 19)}${end}"`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"2024-02-29T23:59:59.999Z"',
      '"2023-02-29T00:00:00Z"',
      '"2024-13-01T00:00:00Z"',
      '"2024-01-01T24:00:00Z"',
      '"2024-01-01T00:60:00Z"',
      '"2024-01-01T00:00:60Z"',
      '"2024-01-01"',
      '"2024-01-01T00:00:00"',
      '"2024-01-01 00:00:00Z"',
      '"2024-01-01T0a:00:00Z"',
      '"0000-01-01T00:00:00Z"',
      '"9999-12-31T23:59:59.999Z"',
      '"2024-01-01T00:00:00.1234567890Z"',
      '"2024-01-01T:0:00:00Z"',
      '"2024-01-01T00:00:00./00Z"',
      "8640000000000000",
      "8640000000000001",
    ),
  },
  { weight: 1, arbitrary: integerText },
);

function valueText(type: ValueType): fc.Arbitrary<string> {
  switch (type.kind) {
    case "string":
      return textArbitrary;
    case "enum":
      return fc.constantFrom(...type.symbols.map((symbol) => JSON.stringify(symbol)), '"other"', '"\\u0041"', "1");
    case "int32":
      return fc.oneof({ weight: 3, arbitrary: fc.integer().map(String) }, { weight: 1, arbitrary: integerText });
    case "int64":
      return fc.oneof(
        integerText,
        integerText.map((text) => `"${text}"`),
      );
    case "double":
      return doubleText;
    case "boolean":
      return fc.constantFrom("true", "false", "true", "false", "tru", "1", "falsee");
    case "timestamp":
      return timeText;
    case "bytes":
      return fc.uint8Array({ maxLength: 9 }).map((bytes) => JSON.stringify(Buffer.from(bytes).toString("base64")));
    case "array":
      return fc.array(valueText(type.item), { maxLength: 4 }).map((items) => `[${items.join(",")}]`);
    default:
      throw new Error(type.kind);
  }
}

const oddValue = fc.constantFrom(
  "null",
  "{}",
  "[]",
  "[1,[2,{}]]",
  '{"a":{"b":1}}',
  '"x"',
  "1",
  "true",
  "",
  "nul",
  "undefined",
);

function recordText({ fields, isEvent }: Definition): fc.Arbitrary<string> {
  const good = {
    key: fc.stringMatching(/^[a-z0-9]{1,9}$/).map((key) => `"${key}"`),
    time: fc.constant('"2026-11-21T16:55:00.123Z"'),
  };
  const entry = ({ name, type }: FieldModel): fc.Arbitrary<string> => {
    const usual =
      name === "key" || name === "time"
        ? fc.oneof({ weight: 8, arbitrary: good[name] }, valueText(type))
        : valueText(type);
    const value = fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: oddValue });
    const quoted = fc.oneof(
      { weight: 30, arbitrary: fc.constant(JSON.stringify(name)) },
      { weight: 1, arbitrary: fc.constant(`"\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}${name.slice(1)}"`) },
    );
    return fc.tuple(quoted, blank, blank, value, blank).map(([n, b1, b2, v, b3]) => `${n}${b1}:${b2}${v}${b3}`);
  };
  const present = fc.tuple(
    ...fields.map((field) =>
      fc
        .tuple(fc.integer({ min: 0, max: 19 }), entry(field))
        .map(([skip, text]) => (skip === 0 || (field.optional && skip < 6) ? [] : [text])),
    ),
  );
  const extra = fc.oneof(
    { weight: 20, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: entry(fields[0]!).map((text) => [text]) },
    { weight: 1, arbitrary: fc.constantFrom('"more":1', '"__proto__":{"a":1}', '"":""').map((text) => [text]) },
  );
  const record = fc
    .tuple(present, extra, fc.boolean(), fc.nat(), blank, blank)
    .map(([texts, more, shuffled, seed, b1, b2]) => {
      const entries = [...texts.flat(), ...more];
      // A rotation and a swap reach every order that matters here.
      if (shuffled && entries.length > 1)
        (entries.push(...entries.splice(0, seed % entries.length)),
          entries.push(entries.splice(seed % entries.length, 1)[0]!));
      return `{${b1}${entries.join(seed % 7 === 0 ? ", " : ",")}${b2}}`;
    });
  const deletion = fc.constantFrom('{"$delete":"k1"}', '{"$delete":""}', '{"$delete":1}', '{"$delete":"k","a":1}');
  return fc.oneof(
    { weight: 40, arbitrary: record },
    { weight: 1, arbitrary: fc.constantFrom("null", "[]", "1", "{}", "{", '"text"', "") },
    ...(isEvent ? [] : [deletion]),
  );
}

// ---- the naive twin -----------------------------------------------------------------------------------------------

interface Outcome {
  /** Per partition: records as hex, or "null <key>". */
  readonly records: readonly (readonly string[])[];
  readonly problems: readonly (readonly [index: number, code: string, field: string | undefined])[];
}

function naively({ fields, isEvent }: Definition, lines: readonly Buffer[]): Outcome {
  const records: string[][] = Array.from({ length: partitions }, () => []);
  const problems: [number, string, string | undefined][] = [];
  const encode = compileRecordEncoder(fields);
  const put = (key: string, text: string): void => {
    const bytes = Buffer.from(key);
    records[partitionOf(bytes, 0, bytes.length, partitions)]!.push(isEvent ? text : `${key}: ${text}`);
  };
  const read = (line: Buffer, index: number): void => {
    if (!isUtf8(line)) return void problems.push([index, "bad_utf8", undefined]);
    let value: any;
    try {
      value = JSON.parse(line.toString());
    } catch {
      return void problems.push([index, "bad_json", undefined]);
    }
    if (!isEvent && typeof value === "object" && value !== null && Object.keys(value).join() === "$delete") {
      const key: unknown = value.$delete;
      if (typeof key === "string" && key.length > 0) return put(key, "null");
      return void problems.push([index, "bad_key", "$delete"]);
    }
    const found = validateRecord(fields, value, "key");
    for (const { code, field } of found) problems.push([index, code, field === "" ? undefined : field]);
    if (found.length > 0) return;
    if (isEvent && timestampOf(value.time) > timeMaxMs) return void problems.push([index, "time_in_future", "time"]);
    const writer = new AvroWriter();
    encode(value, writer);
    put(value.key, `0001020384${Buffer.from(writer.copy()).toString("hex")}`);
  };
  lines.forEach(read);
  return { records, problems: problems.slice(0, 100) };
}

function transcoded(
  definition: Definition,
  run: (transcoder: Transcoder) => ReturnType<Transcoder["readLines"]>,
): Outcome {
  const { fields, isEvent } = definition;
  const time = isEvent ? "time" : undefined;
  const transcoder = new Transcoder({
    fields,
    key: "key",
    time,
    schemaId,
    partitions,
    recordBytesMax: 1 << 20,
    recordsMax: 1000,
  });
  const { findings } = run(transcoder);
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
  return body
    .toString("latin1")
    .slice(bom)
    .split("\n")
    .map((line) => Buffer.from(line.replace(/^[ \t\r]+|[ \t\r]+$/g, ""), "latin1"))
    .filter((line) => line.length > 0);
}

function expectLinesEqual(definition: Definition, body: Buffer): void {
  const fast = transcoded(definition, (transcoder) => transcoder.readLines(body, timeMaxMs));
  expect(fast).toEqual(naively(definition, linesOf(body)));
}

// ---- properties ---------------------------------------------------------------------------------------------------

const caseArbitrary = definitionArbitrary.chain((definition) =>
  fc.tuple(fc.constant(definition), fc.array(recordText(definition), { maxLength: 12 })),
);

test("lines: two speeds, one meaning", () => {
  const ends = fc.constantFrom("\n", "\n", "\n", "\r\n", "\n\n", " \n", "\n \t\r\n");
  fc.assert(
    fc.property(
      caseArbitrary,
      fc.array(ends, { minLength: 20, maxLength: 20 }),
      fc.boolean(),
      fc.constantFrom("", "", "\ufeff", "\n"),
      ([definition, texts], lineEnds, ended, start) => {
        const lines = texts.map((text, i) => text + (i < texts.length - 1 || ended ? lineEnds[i]! : ""));
        expectLinesEqual(definition, Buffer.from(start + lines.join("")));
      },
    ),
    { numRuns: 120 },
  );
});

test("damaged bytes: two speeds, one meaning", () => {
  const damage = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(10, 34, 44, 58, 92, 123, 125)),
    how: fc.constantFrom("replace", "insert", "remove", "truncate"),
  });
  fc.assert(
    fc.property(caseArbitrary, fc.array(damage, { minLength: 1, maxLength: 3 }), ([definition, texts], damages) => {
      let body = Buffer.from(texts.join("\n"));
      for (const { at, byte, how } of damages) {
        const p = at % (body.length + 1);
        const behind = how === "replace" || how === "remove" ? p + 1 : p;
        const put = how === "replace" || how === "insert" ? [byte] : [];
        body = Buffer.concat([
          body.subarray(0, p),
          Buffer.from(put),
          how === "truncate" ? Buffer.alloc(0) : body.subarray(behind),
        ]);
      }
      expectLinesEqual(definition, body);
    }),
    { numRuns: 120 },
  );
});

test("a JSON array: two speeds, one meaning, or refused when it is none", () => {
  fc.assert(
    fc.property(
      caseArbitrary,
      fc.constantFrom(",", " ,\n", "\r\n, "),
      fc.constantFrom("[]", "[ ]", "[\n]", "[", "[]x", "]", "[,]"),
      ([definition, texts], comma, brackets) => {
        const end = brackets.indexOf("]") < 0 ? brackets.length : brackets.indexOf("]");
        const body = Buffer.from(brackets.slice(0, end) + texts.join(comma) + brackets.slice(end));
        const read = (): Outcome => transcoded(definition, (transcoder) => transcoder.readJson(body, timeMaxMs));
        let whole: unknown;
        try {
          whole = JSON.parse(body.toString());
        } catch {
          return void expect(read).toThrow(expect.objectContaining({ code: "bad_json" }));
        }
        if (!Array.isArray(whole)) return void expect(read().problems[0]?.[1]).toBe("wrong_type");
        expect(read()).toEqual(
          naively(
            definition,
            texts.map((text) => Buffer.from(text)),
          ),
        );
      },
    ),
    { numRuns: 80 },
  );
});

test("one JSON object", () => {
  fc.assert(
    fc.property(caseArbitrary, blank, ([definition, [text]], around) => {
      if (text === undefined || text.startsWith("[")) return;
      const body = Buffer.from(around + text + around);
      const read = (): Outcome => transcoded(definition, (transcoder) => transcoder.readJson(body, timeMaxMs));
      try {
        JSON.parse(text);
      } catch {
        return void expect(read).toThrow(expect.objectContaining({ code: "bad_json" }));
      }
      expect(read()).toEqual(naively(definition, [Buffer.from(text)]));
    }),
    { numRuns: 40 },
  );
});
