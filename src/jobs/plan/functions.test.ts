// The meaning of each function, case by case, on both engines: the reference and the compiled plan.
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { encodeRecord } from "../../../test/plan/avro.ts";
import { createRecordingSink } from "../../../test/plan/recording-sink.ts";
import type { FieldModel, GraphModel, ScalarType, ValueType } from "../../model/definition.ts";
import type { PropertyValue } from "../../model/filter.ts";
import type { Expression, FunctionName } from "../../model/plan.ts";
import { compileJob } from "./compiler.ts";
import { applyFunction } from "./functions.ts";

const string: ScalarType = { kind: "string" };
const int32: ScalarType = { kind: "int32" };
const int64: ScalarType = { kind: "int64" };
const double: ScalarType = { kind: "double" };
const boolean: ScalarType = { kind: "boolean" };
const timestamp: ScalarType = { kind: "timestamp" };
const bytes: ScalarType = { kind: "bytes" };
const size: ScalarType = { kind: "enum", symbols: ["small", "large", "huge"] };

/** A value and its type; undefined is absent, null an explicit null. */
type Argument = readonly [ValueType, PropertyValue];

const s = (value: string | null | undefined): Argument => [string, value];
const l = (value: number | bigint | null | undefined): Argument => [int64, value];
const d = (value: number | undefined): Argument => [double, value];
const b = (value: boolean | null | undefined): Argument => [boolean, value];
const t = (value: number | undefined): Argument => [timestamp, value];
const at = (iso: string): Argument => t(Date.parse(iso));

/** What the compiled engine makes of a call whose arguments are fields of an event, and again with arguments that are literals. */
function compiled(name: FunctionName, args: readonly Argument[], result: ValueType, literals: boolean): PropertyValue {
  const fields: FieldModel[] = args.map(([type], i) => ({ name: `f${i}`, type, optional: true }));
  const operands = args.map(([type, value], i): Expression => {
    if (value === null) return { kind: "null", type };
    const mustBeLiteral = literals || (i > 0 && ["split", "truncate", "mapEnum", "in"].includes(name));
    if (value === undefined || !mustBeLiteral)
      return { kind: "field", scope: { kind: "event" }, path: [`f${i}`], type };
    return { kind: "literal", value: literalOf(type, value), type: type as ScalarType };
  });
  const expression: Expression = { kind: "call", function: name, args: operands, type: result };
  const id: Expression = { kind: "literal", value: "n", type: string };
  const merge = result.kind === "array" ? "union" : "last";
  const model: GraphModel = {
    format: 1,
    name: "functions",
    events: [
      {
        name: "e",
        fields: [...fields, { name: "at", type: timestamp, optional: false }],
        key: "f0",
        time: "at",
        dedupHorizonMs: 0,
        partitions: 1,
        retention: {},
      },
    ],
    sideInputs: [],
    nodes: [{ name: "n", properties: [{ name: "p", type: result.kind === "array" ? result.item : result, merge }] }],
    edges: [],
    jobs: [
      {
        event: "e",
        settings: { windowMs: 0, windowKeysMax: 1, windowBytesMax: 1, parallelism: 1 },
        steps: [],
        output: {
          kind: "emit",
          emit: [{ kind: "upsertNode", type: "n", id, properties: [{ property: "p", value: expression }] }],
        },
      },
    ],
    skewMaxMs: 0,
    latenessMs: 0,
    tombstoneGraceMs: 0,
  };
  const job = compileJob(model, model.jobs[0]!, { side: () => ({ find: () => undefined }) });
  const values = args.flatMap(([, value], i) => (value === undefined || value === null ? [] : [[`f${i}`, value]]));
  const event = encodeRecord(model.events[0]!.fields, { ...Object.fromEntries(values), at: 0 });
  const sink = createRecordingSink(model);
  expect(job.process(event, 0, event.length, 0, sink)).toBe(0);
  const contributions = sink.updates[0]!.properties.map(({ value }) => value);
  return result.kind === "array" ? contributions : contributions[0];
}

function literalOf(type: ValueType, value: PropertyValue): string | number | boolean {
  if (type.kind === "int64") return `${value as bigint}`;
  return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : (value as string | number | boolean);
}

type Case = readonly [FunctionName, readonly Argument[], PropertyValue];

function cases(type: ValueType, list: readonly Case[]): void {
  for (const [name, args, expected] of list) {
    const values = args.map(([, value]) => value);
    const types = args.map(([type]) => type);
    test(`${name}(${values.map((value) => inspect(value)).join(", ")})`, () => {
      expect(applyFunction(name, values, types)).toStrictEqual(expected);
      expect(compiled(name, args, type, false)).toStrictEqual(expected);
      expect(compiled(name, args, type, true)).toStrictEqual(expected);
    });
  }
}

const max = 2n ** 63n - 1n;
const min = -(2n ** 63n);
const safe = Number.MAX_SAFE_INTEGER;

describe("presence and logic", () => {
  cases(boolean, [
    ["isPresent", [s("")], true],
    ["isPresent", [s(null)], true],
    ["isPresent", [s(undefined)], false],
    ["isAbsent", [l(null)], false],
    ["isAbsent", [b(undefined)], true],
    ["not", [b(undefined)], true],
    ["not", [b(null)], true],
    ["not", [b(true)], false],
    ["and", [b(true), b(undefined)], false],
    ["and", [b(true), b(true)], true],
    ["and", [], true],
    ["or", [b(undefined), b(true)], true],
    ["or", [b(null), b(false)], false],
    ["or", [], false],
  ]);
});

describe("comparison", () => {
  cases(boolean, [
    ["equals", [s("a"), s("a")], true],
    ["equals", [s("a"), s("a ")], false],
    ["equals", [s("é"), s("e\u0301")], false],
    ["equals", [s(undefined), s(undefined)], false],
    ["equals", [s(null), s(null)], false],
    ["equals", [l(2n ** 53n), l(2n ** 53n)], true],
    ["equals", [l(2n ** 53n), l(2n ** 53n + 1n)], false],
    ["equals", [[int32, 7], l(7)], true],
    ["equals", [d(0), d(0)], true],
    [
      "equals",
      [
        [bytes, Uint8Array.of(1, 255)],
        [bytes, Uint8Array.of(1, 255)],
      ],
      true,
    ],
    [
      "equals",
      [
        [size, "large"],
        [size, "large"],
      ],
      true,
    ],
    ["gt", [s("\u{1F600}"), s("\uFFFD")], true], // UTF-16 would say the opposite
    ["gt", [s("b"), s("ab")], true],
    ["gt", [s("ab"), s("a")], true],
    ["lt", [s(""), s("\0")], true],
    [
      "gt",
      [
        [bytes, Uint8Array.of(128)],
        [bytes, Uint8Array.of(127, 1)],
      ],
      true,
    ],
    [
      "gt",
      [
        [size, "huge"],
        [size, "large"],
      ],
      true,
    ], // as declared, not by letters
    ["gt", [l(max), l(safe)], true],
    ["lt", [l(min), l(-1)], true],
    ["gte", [l(5), l(5)], true],
    ["lte", [t(-1), t(0)], true],
    ["lt", [b(false), b(true)], true],
    ["gte", [l(5), l(undefined)], false],
    ["lte", [l(null), l(5)], false],
    ["in", [s("b"), s("a"), s("b")], true],
    ["in", [s("c"), s("a"), s("b")], false],
    ["in", [s("c")], false],
    ["in", [s(undefined), s("a")], false],
  ]);
});

describe("integers", () => {
  cases(int64, [
    ["add", [l(1), l(2)], 3],
    [
      "add",
      [
        [int32, 2147483647],
        [int32, 1],
      ],
      2147483648,
    ],
    ["add", [l(safe), l(1)], 2n ** 53n],
    ["add", [l(max), l(1)], min],
    ["add", [l(2n ** 53n), l(-1)], safe],
    ["add", [l(1), l(undefined)], undefined],
    ["add", [l(1), l(null)], undefined],
    ["subtract", [l(min), l(1)], max],
    ["subtract", [l(5), l(5)], 0],
    ["multiply", [l(3037000500), l(3037000500)], -9223372036709301616n],
    ["multiply", [l(safe), l(safe)], BigInt.asIntN(64, BigInt(safe) ** 2n)],
    ["multiply", [l(0), l(-1)], 0],
    ["div", [l(-7), l(2)], -3],
    ["div", [l(7), l(-2)], -3],
    ["div", [l(-1), l(2)], 0],
    ["div", [l(safe), l(2)], 4503599627370495],
    ["div", [l(min), l(-1)], min],
    ["div", [l(1), l(0)], undefined],
    ["rem", [l(-7), l(2)], -1],
    ["rem", [l(7), l(-2)], 1],
    ["rem", [l(-4), l(2)], 0],
    ["rem", [l(max), l(10)], 7],
    ["rem", [l(7), l(0)], undefined],
    ["toInt64", [d(-2.9)], -2],
    ["toInt64", [d(-0.5)], 0],
    ["toInt64", [d(9007199254740994)], 9007199254740994n],
    ["toInt64", [d(9223372036854775808)], undefined],
    ["toInt64", [d(-9223372036854775808)], min],
    ["toInt64", [d(1e300)], undefined],
    ["toMillis", [t(-5)], -5],
    ["length", [s("")], 0],
    ["length", [s("a😀é")], 3],
    ["length", [s("e\u0301")], 2],
  ]);
  cases(string, [
    ["toText", [l(-12)], "-12"],
    ["toText", [l(min)], "-9223372036854775808"],
    ["toText", [l(undefined)], undefined],
  ]);
});

describe("doubles", () => {
  cases(double, [
    ["add", [d(0.1), d(0.2)], 0.30000000000000004],
    ["add", [d(1.7e308), d(1.7e308)], undefined],
    ["subtract", [d(1), d(undefined)], undefined],
    ["multiply", [d(0), d(-1)], 0], // not -0
    ["multiply", [d(1e300), d(-1e300)], undefined],
    ["divide", [d(1), d(4)], 0.25],
    ["divide", [d(1), d(0)], undefined],
    ["divide", [d(0), d(0)], undefined],
    ["divide", [d(0), d(-3)], 0],
    ["divide", [d(1e300), d(1e-300)], undefined],
    ["floor", [d(-2.5)], -3],
    ["ceil", [d(-2.5)], -2],
    ["ceil", [d(-0.5)], 0],
    ["toDouble", [l(3)], 3],
    ["toDouble", [l(2n ** 53n + 1n)], 2 ** 53],
  ]);
});

describe("text", () => {
  cases(string, [
    ["concat", [s("a"), s("😀"), s("b")], "a😀b"],
    ["concat", [s("a"), s(undefined)], undefined],
    ["concat", [s("a"), s(null)], undefined],
    ["concat", [], ""],
    ["lower", [s("ÀB\u0130")], "àbi\u0307"],
    ["lower", [s("ΑΣ")], "ας"], // a final sigma
    ["lower", [s("ABC xyz 123 @[`{")], "abc xyz 123 @[`{"],
    ["upper", [s("ßﬁa")], "SSFIA"],
    ["upper", [s("az@[`{ÿ")], "AZ@[`{Ÿ"],
    ["upper", [s("az@[`{")], "AZ@[`{"],
    ["upper", [s("i")], "I"], // in no locale dotted
    ["substring", [s("abc"), l(1)], "bc"],
    ["substring", [s("abc"), l(0), l(2)], "ab"],
    ["substring", [s("abc"), l(-2), l(2)], "ab"],
    ["substring", [s("abc"), l(1), l(-1)], ""],
    ["substring", [s("abc"), l(9), l(1)], ""],
    ["substring", [s("abc"), l(1), l(max)], "bc"],
    ["substring", [s("a😀é"), l(1), l(1)], "😀"],
    ["substring", [s("abc"), l(undefined)], undefined],
    ["hash", [s("é")], "4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c"],
    ["hash", [s("")], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ]);
  cases(boolean, [
    ["startsWith", [s("😀a"), s("😀")], true],
    ["startsWith", [s("a"), s("ab")], false],
    ["startsWith", [s("a"), s("")], true],
    ["endsWith", [s("aé"), s("é")], true],
    ["endsWith", [s("aé"), s("a")], false],
    ["contains", [s("abc"), s("b")], true],
    ["contains", [s("abc"), s("")], true],
    ["contains", [s(undefined), s("")], false],
  ]);
  cases({ kind: "array", item: string }, [
    ["split", [s(""), s(",")], []],
    ["split", [s("a,b,,c,"), s(",")], ["a", "b", "", "c", ""]],
    ["split", [s(","), s(",")], ["", ""]],
    ["split", [s("a😀b"), s("😀")], ["a", "b"]],
    ["split", [s("a--b---c"), s("--")], ["a", "b", "-c"]],
    ["split", [s("abc"), s("x")], ["abc"]],
  ]);
});

describe("time", () => {
  cases(timestamp, [
    ["truncate", [at("2026-11-21T16:56:17.123Z"), s("second")], Date.parse("2026-11-21T16:56:17Z")],
    ["truncate", [at("2026-11-21T16:56:17.123Z"), s("minute")], Date.parse("2026-11-21T16:56:00Z")],
    ["truncate", [at("2026-11-21T16:56:17.123Z"), s("hour")], Date.parse("2026-11-21T16:00:00Z")],
    ["truncate", [at("2026-11-21T16:56:17.123Z"), s("day")], Date.parse("2026-11-21T00:00:00Z")],
    ["truncate", [at("2026-11-21T16:56:17.123Z"), s("week")], Date.parse("2026-11-16T00:00:00Z")], // a Monday
    ["truncate", [at("2026-11-16T00:00:00Z"), s("week")], Date.parse("2026-11-16T00:00:00Z")],
    ["truncate", [t(-1), s("second")], -1000],
    ["truncate", [t(-1), s("day")], -86_400_000],
    ["truncate", [t(0), s("week")], Date.parse("1969-12-29T00:00:00Z")],
    ["truncate", [t(-8.64e15), s("week")], undefined],
    ["plus", [t(1), l(-2)], -1],
    ["plus", [t(8.64e15), l(1)], undefined],
    ["plus", [t(0), l(max)], undefined],
    ["fromMillis", [l(5)], 5],
    ["fromMillis", [l(max)], undefined],
    ["fromMillis", [l(-8_640_000_000_000_001)], undefined],
  ]);
});

describe("choice", () => {
  cases(string, [
    ["orElse", [s("a"), s("b")], "a"],
    ["orElse", [s(""), s("b")], ""],
    ["orElse", [s(undefined), s("b")], "b"],
    ["orElse", [s(null), s("b")], "b"],
    ["orElse", [s(undefined), s(null)], null],
    ["orElse", [s(null), s(undefined)], undefined],
    ["choose", [b(true), s("a"), s("b")], "a"],
    ["choose", [b(false), s("a"), s("b")], "b"],
    ["choose", [b(undefined), s("a"), s("b")], "b"],
    ["choose", [b(false), s("a")], undefined],
    ["choose", [b(true), s(null), s("b")], null],
    ["choose", [b(true), s(undefined), s("b")], undefined],
    ["mapEnum", [[size, "large"], [size, "small"], s("S"), [size, "large"], s("L")], "L"],
    ["mapEnum", [[size, "huge"], [size, "small"], s("S"), [size, "large"], s("L")], undefined],
    ["mapEnum", [s("a"), s("a"), s("first"), s("a"), s("second")], "first"],
    ["mapEnum", [l(undefined), l(1), s("one")], undefined],
  ]);
  cases(size, [
    ["mapEnum", [l(2), l(1), [size, "small"], l(2), [size, "huge"]], "huge"],
    [
      "orElse",
      [
        [size, undefined],
        [size, "large"],
      ],
      "large",
    ],
  ]);
});
