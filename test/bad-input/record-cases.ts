// Records that are not valid, each with the problem that must be told: its code and the field that it names (docs/events.md, "Problems of a record").

export interface BadRecordCase {
  readonly name: string;
  /** One line of JSON, or of what should have been. */
  readonly line: string | Uint8Array;
  readonly code: string;
  readonly field?: string;
}

/** Text of a valid reading, with fields added or replaced by raw JSON text. */
export function readingText(sensorId: string, fields: Readonly<Record<string, string>> = {}): string {
  const all = new Map(Object.entries({ sensorId: JSON.stringify(sensorId), at: '"2026-01-31T10:00:00Z"', ...fields }));
  return `{${[...all].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(",")}}`;
}

function bad(name: string, fields: Readonly<Record<string, string>>, code: string, field: string): BadRecordCase {
  return { name, line: readingText("bad", fields), code, field };
}

const cutShort = readingText("bad", { level: "5" });
const loneRaw = Buffer.concat([Buffer.from('{"sensorId":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]);
const latin1 = Buffer.from(readingText("bad", { siteId: '"caf\u00e9"' }), "latin1");

export const badRecords: readonly BadRecordCase[] = [
  ...[1, 10, cutShort.length - 1].map((length): BadRecordCase => ({
    name: `cut after ${length} bytes`,
    line: cutShort.slice(0, length),
    code: "bad_json",
  })),
  { name: "NaN", line: readingText("bad", { ratio: "NaN" }), code: "bad_json" },
  { name: "Infinity", line: readingText("bad", { ratio: "-Infinity" }), code: "bad_json" },
  { name: "a number with a leading zero", line: readingText("bad", { level: "01" }), code: "bad_json" },
  { name: "single quotes", line: "{'sensorId':'bad'}", code: "bad_json" },
  { name: "a comma too many", line: '{"sensorId":"bad",}', code: "bad_json" },
  { name: "a raw control character in a text", line: '{"sensorId":"a\u0001b"}', code: "bad_json" },
  { name: "two objects on one line", line: `${cutShort} ${cutShort}`, code: "bad_json" },
  { name: "an unknown escape", line: '{"sensorId":"\\x41"}', code: "bad_json" },
  { name: "100,000 open brackets", line: "[".repeat(100_000), code: "bad_json" },
  { name: "bytes of a surrogate", line: loneRaw, code: "bad_utf8" },
  { name: "Latin-1", line: latin1, code: "bad_utf8" },
  { name: "noise", line: Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc0]), code: "bad_utf8" },
  { name: "a number", line: "7", code: "wrong_type", field: "" },
  { name: "null", line: "null", code: "wrong_type", field: "" },
  { name: "a text", line: '"bad"', code: "wrong_type", field: "" },
  { name: "an array in a line", line: "[]", code: "wrong_type", field: "" },
  { name: "an empty object", line: "{}", code: "missing_field", field: "sensorId" },
  {
    name: "deep nesting",
    line: readingText("bad", { level: `${"[".repeat(5000)}${"]".repeat(5000)}` }),
    code: "wrong_type",
    field: "level",
  },
  {
    name: "deep nesting under an unknown name",
    line: readingText("bad", { deep: `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}` }),
    code: "unknown_field",
    field: "deep",
  },
  {
    name: "more than 1 MiB",
    line: readingText("bad", { siteId: `"${"x".repeat(1_048_576)}"` }),
    code: "record_too_large",
  },

  bad("an empty key", { sensorId: '""' }, "bad_key", "sensorId"),
  bad("a key of one byte more than 1 KiB", { sensorId: `"${"k".repeat(1025)}"` }, "bad_key", "sensorId"),
  bad("a key of 1,026 bytes in 513 characters", { sensorId: `"${"é".repeat(513)}"` }, "bad_key", "sensorId"),
  bad("a key that is a number", { sensorId: "5" }, "wrong_type", "sensorId"),
  bad("a key that is null", { sensorId: "null" }, "null_value", "sensorId"),
  bad("an escaped lone surrogate", { sensorId: '"\\ud800"' }, "ill_formed_text", "sensorId"),
  bad("surrogates in the wrong order", { siteId: '"\\udc00\\ud800"' }, "ill_formed_text", "siteId"),
  bad("a lone surrogate in an array", { tags: '["a","\\udfff"]' }, "ill_formed_text", "tags[1]"),
  bad("a lone surrogate as a name", { labels: '{"\\ud800":"x"}' }, "ill_formed_text", 'labels["\\ud800"]'),
  bad("an unknown field", { colour: '"red"' }, "unknown_field", "colour"),
  bad("toString as a field", { toString: '"x"' }, "unknown_field", "toString"),
  bad("hasOwnProperty as a field", { hasOwnProperty: "1" }, "unknown_field", "hasOwnProperty"),
  bad("__proto__ with a number", { ["__proto__"]: "1" }, "wrong_type", "__proto__"),
  bad("__proto__ with an object", { ["__proto__"]: '{"sensorId":"x"}' }, "wrong_type", "__proto__"),
  bad("constructor with an object", { constructor: '{"prototype":1}' }, "wrong_type", "constructor"),
  bad("a text for an int32", { level: '"5"' }, "wrong_type", "level"),
  bad("a fraction for an int32", { level: "1.5" }, "wrong_type", "level"),
  bad("2^31 for an int32", { level: "2147483648" }, "out_of_range", "level"),
  bad("1e300 for an int32", { level: "1e300" }, "out_of_range", "level"),
  bad("2^53 as an int64 number", { total: "9007199254740992" }, "unsafe_integer", "total"),
  bad("2^63 as an int64 text", { total: '"9223372036854775808"' }, "out_of_range", "total"),
  bad("an int64 text in hex", { total: '"0x10"' }, "out_of_range", "total"),
  bad("an int64 text of a million digits", { total: `"${"9".repeat(1_000_000)}"` }, "out_of_range", "total"),
  bad("1e999 for an int64", { total: "1e999" }, "wrong_type", "total"),
  bad("1e999 for a double", { ratio: "1e999" }, "not_finite", "ratio"),
  bad("a double of 100,000 digits", { ratio: `1${"0".repeat(100_000)}` }, "not_finite", "ratio"),
  bad("a text for a double", { ratio: '"NaN"' }, "wrong_type", "ratio"),
  bad("1 for a boolean", { ok: "1" }, "wrong_type", "ok"),
  bad("base64 without padding", { raw: '"QQ"' }, "bad_base64", "raw"),
  bad("base64 with other characters", { raw: '"Q-_="' }, "bad_base64", "raw"),
  bad("a symbol that is none", { kind: '"lukewarm"' }, "unknown_symbol", "kind"),
  bad("__proto__ as a symbol", { kind: '"__proto__"' }, "unknown_symbol", "kind"),
  bad("a text for an array", { tags: '"a"' }, "wrong_type", "tags"),
  bad("an object for an array", { tags: '{"0":"a","length":1}' }, "wrong_type", "tags"),
  bad("null in an array", { tags: '["a",null]' }, "null_value", "tags[1]"),
  bad("10,001 items", { tags: `[${'"a",'.repeat(10_000)}"a"]` }, "too_many_items", "tags"),
  bad(
    "10,001 entries",
    { labels: `{${Array.from({ length: 10_001 }, (_, i) => `"${i}":"v"`).join(",")}}` },
    "too_many_items",
    "labels",
  ),
  bad("null in a map", { labels: '{"__proto__":null}' }, "null_value", "labels.__proto__"),
  bad("a record with a field too few", { place: '{"x":1}' }, "missing_field", "place.y"),
  bad("a record with __proto__ instead", { place: '{"x":1,"__proto__":{"y":2}}' }, "unknown_field", "place.__proto__"),
  bad("a time without zone", { at: '"2026-01-31T10:00:00"' }, "bad_timestamp", "at"),
  bad("the 30th of February", { at: '"2026-02-30T10:00:00Z"' }, "bad_timestamp", "at"),
  bad("the year 10000", { at: '"+010000-01-01T00:00:00Z"' }, "bad_timestamp", "at"),
  bad("a time with a fraction of a millisecond", { at: "1.5" }, "bad_timestamp", "at"),
  bad("a time out of range", { at: "8640000000000001" }, "bad_timestamp", "at"),
  bad("a time out of range below", { at: "-8640000000000001" }, "bad_timestamp", "at"),
  bad("an enormous time", { at: "1e308" }, "bad_timestamp", "at"),
  bad("a time that is true", { at: "true" }, "wrong_type", "at"),
  bad("a time in the year 9999", { at: '"9999-12-31T23:59:59Z"' }, "time_in_future", "at"),
  bad("the last possible time", { at: "8640000000000000" }, "time_in_future", "at"),
];

/** Odd, and valid all the same: the sensor that the record is about. */
export const oddRecords: readonly { readonly name: string; readonly line: string; readonly sensorId: string }[] = [
  { name: "a key of 1 KiB", line: readingText("k".repeat(1024)), sensorId: "k".repeat(1024) },
  { name: "a key of 1 KiB in 512 characters", line: readingText("é".repeat(512)), sensorId: "é".repeat(512) },
  {
    name: "__proto__ as id, site and property",
    line: readingText("__proto__", { siteId: '"__proto__"', ["__proto__"]: '"__proto__"' }),
    sensorId: "__proto__",
  },
  {
    name: "constructor as id, site and property",
    line: readingText("constructor", { siteId: '"constructor"', constructor: '"constructor"' }),
    sensorId: "constructor",
  },
  {
    name: "a name that comes twice",
    line: `{"sensorId":"first","sensorId":"twice","at":0,"at":"2026-01-31T10:00:00Z"}`,
    sensorId: "twice",
  },
  {
    name: "escapes everywhere",
    line: '{"\\u0073ensorId":"\\u0065scaped\\ud83d\\ude00\\u0000","\\u0061t":0}',
    sensorId: "escaped😀\0",
  },
  { name: "the first possible time", line: readingText("ancient", { at: "-8640000000000000" }), sensorId: "ancient" },
  { name: "1970", line: readingText("epoch", { at: "0" }), sensorId: "epoch" },
  { name: "-0 and 1.0", line: readingText("zero", { ratio: "-0", level: "1.0", total: "1e3" }), sensorId: "zero" },
  {
    name: "the largest numbers",
    line: readingText("largest", {
      level: "2147483647",
      total: '"9223372036854775807"',
      ratio: "1.7976931348623157e308",
    }),
    sensorId: "largest",
  },
  {
    name: "the smallest numbers",
    line: readingText("smallest", { level: "-2147483648", total: '"-9223372036854775808"', ratio: "5e-324" }),
    sensorId: "smallest",
  },
  {
    name: "path-like ids",
    line: readingText("../../etc/passwd%00?#", { siteId: '"/"' }),
    sensorId: "../../etc/passwd%00?#",
  },
  { name: "blanks and a byte order mark as an id", line: readingText(" \ufeff "), sensorId: " \ufeff " },
  {
    name: "maps with names that objects have",
    line: readingText("named", {
      labels: '{"__proto__":"a","constructor":"b","":"c"}',
      parts: '{"__proto__":{"size":1}}',
    }),
    sensorId: "named",
  },
];
