// Bad records at the gateway: every documented refusal, and what becomes of them in partial requests.
import { describe, expect, test } from "vitest";
import { nowMs, at, produce, order, stored, quarantined, problemsOf } from "../../test/gateway/shop.ts";

const long = "x".repeat(1_100_000);
const deep = "[".repeat(100_000) + "]".repeat(100_000);

/** Every line but the bad one is good, so index 1 is what is reported. */
const badLines: readonly (readonly [what: string, line: string | Uint8Array, code: string, field?: string])[] = [
  ["truncated JSON", '{"customer":"c1","at', "bad_json"],
  ["no JSON at all", "customer=c1", "bad_json"],
  ["NaN", `{"customer":"c1","at":"${at}","total":NaN}`, "bad_json"],
  ["a raw control character", `{"customer":"c\u0001","at":"${at}"}`, "bad_json"],
  ["an array", "[]", "wrong_type"],
  ["null", "null", "wrong_type"],
  ["a text as double", order("c1", { total: "1" }), "wrong_type", "total"],
  ["an object as text", order("c1", { note: {} }), "wrong_type", "note"],
  ["a fraction as int32", order("c1", { count: 1.5 }), "wrong_type", "count"],
  ["an int32 of 33 bits", order("c1", { count: 2 ** 31 }), "out_of_range", "count"],
  ["an unsafe number", `{"customer":"c1","at":"${at}","number":9007199254740993}`, "unsafe_integer", "number"],
  ["a number of 65 bits", order("c1", { number: "9223372036854775808" }), "out_of_range", "number"],
  ["a huge number", `{"customer":"c1","at":"${at}","total":1e999}`, "not_finite", "total"],
  ["an unknown symbol", order("c1", { state: "lost" }), "unknown_symbol", "state"],
  ["a lone surrogate as escape", `{"customer":"c1","at":"${at}","note":"\\ud800"}`, "ill_formed_text", "note"],
  [
    "a lone surrogate in bytes",
    Buffer.from(`{"customer":"c1","at":"${at}","note":"\u00ed\u00a0\u0080"}`, "latin1"),
    "bad_utf8",
  ],
  ["bytes that are not UTF-8", Buffer.from(`{"customer":"c1","at":"${at}","note":"\u00ff"}`, "latin1"), "bad_utf8"],
  ["a missing key", `{"at":"${at}"}`, "missing_field", "customer"],
  ["a null key", order("c1", { customer: null }), "null_value", "customer"],
  ["an empty key", order(""), "bad_key", "customer"],
  ["a key of 1,025 bytes", order("é".repeat(512) + "x"), "bad_key", "customer"],
  ["an unknown field", order("c1", { colour: "red" }), "unknown_field", "colour"],
  ["constructor as a field", order("c1", { constructor: 1 }), "unknown_field", "constructor"],
  ["__proto__ of the wrong type", `{"customer":"c1","at":"${at}","__proto__":{"note":1}}`, "wrong_type", "__proto__"],
  [
    "__proto__ within",
    `{"customer":"c1","at":"${at}","lines":[{"sku":"s","__proto__":1}]}`,
    "unknown_field",
    "lines[0].__proto__",
  ],
  ["a nested problem", order("c1", { lines: [{ sku: "s" }, {}] }), "missing_field", "lines[1].sku"],
  ["no time", '{"customer":"c1"}', "missing_field", "at"],
  ["a time that is none", order("c1", { at: "yesterday" }), "bad_timestamp", "at"],
  ["a time without zone", order("c1", { at: "2026-11-21T16:55:00" }), "bad_timestamp", "at"],
  ["a time out of range", order("c1", { at: 8.64e15 + 1 }), "bad_timestamp", "at"],
  ["a time in the future", order("c1", { at: nowMs + 300_001 }), "time_in_future", "at"],
  ["a time in the far future", order("c1", { at: "9999-12-31T23:59:59Z" }), "time_in_future", "at"],
  ["a text of more than 1 MiB", order("c1", { note: long }), "record_too_large"],
  ["a line of 10 MB", order("c1", { note: long.repeat(9) }), "record_too_large"],
  ["nesting 100,000 levels deep", `{"customer":"c1","at":"${at}","note":${deep}}`, "wrong_type", "note"],
  ["deletion, which events have not", '{"$delete":"c1"}', "unknown_field", '["$delete"]'],
];

describe("bad records", () => {
  const named = badLines.map(([what, line, code, where]) => ({ what, line, code, where }));

  test.each(named)("$what", async ({ line, code, where }) => {
    const body = Buffer.concat([Buffer.from(`${order("c0")}\n`), Buffer.from(line), Buffer.from(`\n${order("c2")}\n`)]);
    const { problems, recordCount } = await problemsOf(body);
    expect(problems[0]).toEqual({
      index: 1,
      ...(where === undefined ? {} : { field: where }),
      code,
      reason: expect.any(String) as string,
    });
    expect(recordCount).toBe(1);
    expect(await stored("events.order")).toEqual([]);
    expect(await stored("quarantine.gateway")).toEqual([]);
  });

  test("what is just within the bounds is good", async () => {
    const good = [
      order("é".repeat(512)),
      order("c1", { at: nowMs + 300_000 }),
      order("c1", { at: -8.64e15 }),
      order("c1", { note: "y".repeat(1_048_000) }),
      order("__proto__"),
      `{"customer":"c1","at":"${at}","__proto__":"x"}`,
    ];
    expect(await produce(good.join("\n"))).toMatchObject({ accepted: good.length });
  });

  test("all problems are counted, a hundred are listed", async () => {
    const { problems, problemCount, recordCount, message } = await problemsOf(
      Array.from({ length: 300 }, () => '{"customer":"","colour":1}').join("\n"),
    );
    expect([problems.length, problemCount, recordCount]).toEqual([100, 900, 300]);
    expect(problems.slice(0, 4).map(({ index, field: name }) => [index, name])).toEqual([
      [0, "customer"],
      [0, "colour"],
      [0, "at"],
      [1, "customer"],
    ]);
    expect(message).toContain("300 records are not valid");
  });

  test("a body that is not JSON as a whole is refused as such", async () => {
    for (const body of [
      "",
      "[",
      `[${order("c1")}`,
      `[${order("c1")},]`,
      `${order("c1")}\n${order("c2")}`,
      Buffer.from([0x5b, 0xff, 0x5d]),
    ]) {
      await expect(produce(body, { format: "json", partial: true })).rejects.toMatchObject({
        kind: "invalid",
        code: "bad_json",
      });
    }
    expect(await stored("events.order")).toEqual([]);
    expect(await stored("quarantine.gateway")).toEqual([]);
  });
});

describe("partial requests", () => {
  test("store good records and quarantine bad ones with their bytes and the cause", async () => {
    const bad = badLines.filter(([, line]) => line.length < 1_000_000);
    const body = Buffer.concat(
      bad.flatMap(([, line], i) => [
        Buffer.from(order(`c${i}`)),
        Buffer.from("\n"),
        Buffer.from(line),
        Buffer.from(" \r\n"),
      ]),
    );
    const answer = await produce(body, { partial: true });
    expect(answer).toMatchObject({ accepted: bad.length, rejectedCount: bad.length, duplicate: false });
    expect(answer.rejected.map(({ index }) => index)).toEqual(expect.arrayContaining(bad.map((_, i) => i * 2 + 1)));
    expect(await stored("events.order")).toHaveLength(bad.length);
    const records = await quarantined();
    expect(records.map(({ bytes }) => Buffer.from(bytes).toString("hex"))).toEqual(
      bad.map(([, line]) => Buffer.from(line).toString("hex")),
    );
    for (const [i, record] of records.entries()) {
      expect(record).toMatchObject({ stage: "gateway", code: bad[i]![2], topic: "events.order", receivedMs: nowMs });
      expect(record.message).toContain(bad[i]![3] ?? "");
    }
  });

  test("of bad records only are answered, and elements of arrays are quarantined too", async () => {
    const answer = await produce(`[ {"a":1} , ${order("c1", { count: "x" })}\n]`, { format: "json", partial: true });
    expect(answer).toMatchObject({ accepted: 0, positions: [], rejectedCount: 2 });
    expect((await quarantined()).map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      '{"a":1}',
      order("c1", { count: "x" }),
    ]);
  });
});
