// Compiled jobs on the streaming example, its generated source, and plans that are refused.
import { describe, expect, test } from "vitest";
import { encodeRecord } from "../../../test/plan/avro.ts";
import { createRecordingSink } from "../../../test/plan/recording-sink.ts";
import { encodePlayback, playback, playbackJob, started, streaming } from "../../../test/plan/streaming.ts";
import type { RdgError } from "../../core/errors.ts";
import type { GraphModel, JobModel, ValueType } from "../../model/definition.ts";
import type { Emit, Expression, PlanStep } from "../../model/plan.ts";
import { compileJob, compileRowReader, type JobOptions } from "./compiler.ts";
import { filtered, idTooLong, malformedRecord, mapped, timeInFuture, tooManyItems } from "./result.ts";

const noRows: JobOptions = { side: () => ({ find: () => undefined }) };
const catalogue = streaming.sideInputs[0]!;
const string: ValueType = { kind: "string" };

function titleRow(): { readonly bytes: Uint8Array; readonly offsets: Int32Array } {
  const reader = compileRowReader(catalogue.fields);
  const bytes = encodeRecord(catalogue.fields, { titleId: "t9", name: "Alien", kind: "film" });
  const offsets = new Int32Array(reader.offsetCount);
  expect(reader.read(bytes, 0, bytes.length, offsets)).toBe(true);
  return { bytes, offsets };
}

function withEmits(emit: readonly Emit[], steps: readonly PlanStep[] = []): JobModel {
  return { ...playbackJob, steps, output: { kind: "emit", emit } };
}

const field = (name: string, type: ValueType = string): Expression => ({
  kind: "field",
  scope: { kind: "event" },
  path: [name],
  type,
});

describe("the streaming example", () => {
  test("becomes this function", async () => {
    const job = compileJob(streaming, playbackJob, noRows);
    await expect(job.printSource()).toMatchFileSnapshot("../../../test/golden/plan/streaming-playback.js.txt");
  });

  test("maps an event to its updates, with the row of its title", () => {
    const asked: [string, number][] = [];
    const job = compileJob(streaming, playbackJob, {
      side: () => ({
        find(bytes, start, end, receivedMs) {
          asked.push([Buffer.from(bytes.subarray(start, end)).toString(), receivedMs]);
          return titleRow();
        },
      }),
    });
    const sink = createRecordingSink(streaming);
    const bytes = encodePlayback();
    expect(job.read(bytes, 0, bytes.length, started.at)).toBe(mapped);
    expect(job.found).toStrictEqual({ timeMs: started.at, idStart: -1, idEnd: -1 });
    expect(job.emit(sink)).toBe(mapped);
    expect(asked).toStrictEqual([["t9", started.at]]);
    const elements = sink.updates.map(({ kind, ids, properties }) => [kind, ...ids, properties.map((p) => p.value)]);
    expect(elements).toStrictEqual([
      ["upsertNode", "a1", ["DE"]],
      ["upsertNode", "tv", ["DE"]],
      ["upsertNode", "t9", ["Alien", "film"]],
      ["upsertEdge", "a1", "p1", []],
      ["upsertEdge", "a1", "tv", []],
      ["upsertEdge", "p1", "t9", [5000, 5000, 1]],
    ]);
    expect(job.counts).toStrictEqual({ emitted: 6, skipped: 0 });
  });

  test("interns each id once", () => {
    const job = compileJob(streaming, playbackJob, noRows);
    const sink = createRecordingSink(streaming);
    const bytes = encodePlayback();
    job.process(bytes, 0, bytes.length, started.at, sink);
    // 4 ids, 6 updates, 5 properties (no row: the title has none).
    expect(sink.calls).toBe(4 + 6 + 5);
  });

  test("filters, skips and quarantines", () => {
    const job = compileJob(streaming, playbackJob, noRows);
    const sink = createRecordingSink(streaming);
    const process = (change: Parameters<typeof encodePlayback>[0]): number => {
      const bytes = encodePlayback(change);
      return job.process(bytes, 0, bytes.length, started.at, sink);
    };
    expect(process({ titleId: undefined })).toBe(filtered);
    expect(process({ at: started.at + streaming.skewMaxMs + 1 })).toBe(timeInFuture);
    expect(job.explain(timeInFuture)).toMatch(/more than 300000 ms ahead/u);
    expect(process({ deviceId: "d".repeat(1025) })).toBe(idTooLong);
    expect(job.explain(idTooLong)).toMatch(/longer than 1024 bytes/u);
    expect(sink.calls).toBe(0);
    expect(job.counts).toStrictEqual({ emitted: 0, skipped: 0 });
    expect(process({ at: started.at + streaming.skewMaxMs, deviceId: "" })).toBe(mapped);
    expect(job.counts).toStrictEqual({ emitted: 4, skipped: 2 });
  });

  test("refuses every record that is cut short or too long, and says where", () => {
    const job = compileJob(streaming, playbackJob, noRows);
    const sink = createRecordingSink(streaming);
    const bytes = Buffer.concat([encodePlayback(), Buffer.of(0)]);
    for (let end = 0; end < bytes.length - 1; end++) {
      expect(job.process(bytes, 0, end, started.at, sink)).toBe(malformedRecord);
      expect(job.explain(malformedRecord)).toMatch(/ends too early.*\(at \w+\)/u);
    }
    expect(job.process(bytes, 0, bytes.length, started.at, sink)).toBe(malformedRecord);
    expect(job.explain(malformedRecord)).toMatch(/1 bytes follow the last field/u);
    expect(sink.calls).toBe(0);
  });

  test("refuses text that is no UTF-8, unknown symbols and numbers of more than 64 bits", () => {
    const job = compileJob(streaming, playbackJob, noRows);
    const sink = createRecordingSink(streaming);
    const refused = (bytes: Uint8Array, why: RegExp): void => {
      expect(job.process(bytes, 0, bytes.length, started.at, sink)).toBe(malformedRecord);
      expect(job.explain(malformedRecord)).toMatch(why);
    };
    const valid = encodePlayback({ accountId: "ab" });
    for (const bad of [
      [0xc0, 0x80],
      [0xff, 0x61],
      [0x80, 0x80],
      [0xc3, 0x61],
      [0x61, 0xc3],
    ]) {
      const bytes = Buffer.from(valid);
      bytes.set(bad, 1);
      refused(bytes, /no UTF-8.*accountId/u);
    }
    for (const bad of [
      [0xed, 0xa0, 0x80],
      [0xe0, 0x80, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
    ]) {
      const bytes = Buffer.from(encodePlayback({ accountId: "x".repeat(bad.length) }));
      bytes.set(bad, 1);
      refused(bytes, /no UTF-8.*accountId/u);
    }
    const symbol = Buffer.from(valid);
    symbol[valid.indexOf("t9") + 2] = 6;
    refused(symbol, /3 is not between 0 and 2.*action/u);
    const at = valid.indexOf("t9") + 3;
    const long = Buffer.concat([valid.subarray(0, at), Buffer.alloc(9, 0xff), Buffer.of(2), valid.subarray(at + 2)]);
    refused(long, /longer than 64 bits.*positionMs/u);
  });
});

describe("all or nothing", () => {
  const orders: GraphModel = {
    ...streaming,
    events: [
      {
        ...playback,
        name: "order",
        fields: [
          { name: "lines", type: { kind: "array", item: string }, optional: false },
          { name: "accountId", type: string, optional: false },
          { name: "at", type: { kind: "timestamp" }, optional: false },
        ],
      },
    ],
    jobs: [],
  };
  const item: Expression = { kind: "field", scope: { kind: "item", depth: 0 }, path: [], type: string };
  const lines = field("lines", { kind: "array", item: string });

  test("an id that is too long in the last item keeps the first ones out", () => {
    for (const id of [item, { kind: "call", function: "concat", args: [item, item], type: string } as const]) {
      const emit: Emit[] = [
        { kind: "upsertNode", type: "account", id: field("accountId"), properties: [] },
        { kind: "each", array: lines, emit: [{ kind: "upsertNode", type: "title", id, properties: [] }] },
      ];
      const job = compileJob(orders, { ...withEmits(emit), event: "order" }, noRows);
      const sink = createRecordingSink(orders);
      const encode = (last: string): Buffer =>
        encodeRecord(orders.events[0]!.fields, { lines: ["a", "b", last], accountId: "a1", at: 0 });
      const long = encode("é".repeat(513));
      expect(job.process(long, 0, long.length, 0, sink)).toBe(idTooLong);
      expect(sink.calls).toBe(0);
      const good = encode("é".repeat(256));
      expect(job.process(good, 0, good.length, 0, sink)).toBe(mapped);
      expect(sink.updates).toHaveLength(4);
    }
  });

  test("the product of arrays is bounded, before anything is written", () => {
    const removal: Emit = { kind: "removeNode", type: "title", id: item };
    const items = (count: number): string[] => Array.from({ length: count }, () => "t");
    const run = (emit: readonly Emit[], count: number): number => {
      const job = compileJob(orders, { ...withEmits(emit), event: "order" }, noRows);
      const sink = createRecordingSink(orders);
      const bytes = encodeRecord(orders.events[0]!.fields, { lines: items(count), accountId: "a1", at: 0 });
      const result = job.process(bytes, 0, bytes.length, 0, sink);
      expect(sink.updates).toHaveLength(job.counts.emitted);
      return result === mapped ? sink.updates.length : -result;
    };
    const each = (...emit: Emit[]): Emit => ({ kind: "each", array: lines, emit });
    expect(run([each(removal)], 10_000)).toBe(10_000);
    expect(run([each(each(removal))], 316)).toBe(316 * 316);
    expect(run([each(each(removal))], 317)).toBe(-tooManyItems);
    expect(run([each(each(each(each(each(each(each(each(removal))))))))], 10_000)).toBe(-tooManyItems);
    const countries: Emit = {
      kind: "upsertNode",
      type: "device",
      id: item,
      properties: [{ property: "countries", value: lines }],
    };
    expect(run([each(countries)], 316)).toBe(316);
    expect(run([each(countries)], 317)).toBe(-tooManyItems);
  });

  test("an update that is not emitted quarantines nothing", () => {
    const never: Expression = { kind: "literal", value: false, type: { kind: "boolean" } };
    const emit: Emit[] = [
      {
        kind: "when",
        condition: never,
        emit: [{ kind: "upsertNode", type: "account", id: field("accountId"), properties: [] }],
      },
      { kind: "upsertEdge", type: "has_profile", from: field("profileId"), to: field("accountId"), properties: [] },
    ];
    const job = compileJob(streaming, withEmits(emit), noRows);
    const bytes = encodePlayback({ accountId: "x".repeat(2000), profileId: "" });
    expect(job.process(bytes, 0, bytes.length, started.at, createRecordingSink(streaming))).toBe(mapped);
    expect(job.counts).toStrictEqual({ emitted: 0, skipped: 1 });
  });
});

describe("plans", () => {
  const account = (id: Expression): Emit => ({ kind: "upsertNode", type: "account", id, properties: [] });
  const call = (name: string, type: ValueType, ...args: Expression[]): Expression =>
    ({ kind: "call", function: name, args, type }) as Expression;
  const refusal = (job: JobModel): string => {
    try {
      compileJob(streaming, job, noRows);
    } catch (error) {
      const { code, place, message } = error as RdgError;
      return `${code} at ${place}: ${message}`;
    }
    return "compiled";
  };

  test("that do not fit the definition are refused, naming the place", () => {
    const number: ValueType = { kind: "int64" };
    const unknownProperty: Emit = {
      kind: "upsertNode",
      type: "account",
      id: field("accountId"),
      properties: [{ property: "nope", value: field("country") }],
    };
    const wrongProperty: Emit = { ...unknownProperty, properties: [{ property: "firstCountry", value: field("at") }] };
    const side: Expression = { kind: "field", scope: { kind: "side", alias: "film" }, path: ["name"], type: string };
    const item: Expression = { kind: "field", scope: { kind: "item", depth: 0 }, path: [], type: string };
    const long: Expression = { kind: "literal", value: "x".repeat(1025), type: { kind: "string" } };
    const empty: Expression = { kind: "literal", value: "", type: { kind: "string" } };
    expect([
      refusal({ ...playbackJob, event: "nope" }),
      refusal(withEmits([account(field("nope"))])),
      refusal(withEmits([{ ...account(field("accountId")), type: "nope" } as Emit])),
      refusal(withEmits([account(field("at"))])),
      refusal(withEmits([account(long)])),
      refusal(withEmits([unknownProperty])),
      refusal(withEmits([wrongProperty])),
      refusal(withEmits([account(side)])),
      refusal(withEmits([account(item)])),
      refusal(withEmits([{ kind: "each", array: field("accountId"), emit: [] }])),
      refusal(withEmits([account(call("nope", string))])),
      refusal(withEmits([account(call("lower", string))])),
      refusal(withEmits([account(call("toText", string, call("add", number, field("accountId"), field("at"))))])),
      refusal(withEmits([{ kind: "each", array: call("split", string, field("country"), empty), emit: [] }])),
      refusal(withEmits([], [{ kind: "enrich", alias: "a", input: "nope", key: field("titleId") }])),
      refusal(withEmits([], [{ kind: "where", condition: call("gt", string, field("at"), field("titleId")) }])),
    ]).toMatchInlineSnapshot(`
      [
        "bad_plan at nope: There is no event nope.",
        "bad_plan at emit[0]: There is no field event.nope.",
        "bad_plan at emit[0]: There is no type nope.",
        "bad_plan at emit[0]: timestamp is not string.",
        "bad_plan at emit[0]: An id is longer than 1024 bytes.",
        "bad_plan at emit[0].properties.nope: account has no property nope.",
        "bad_plan at emit[0].properties.firstCountry: timestamp is not string.",
        "bad_plan at emit[0]: Nothing is enriched under the name "film".",
        "bad_plan at emit[0]: There is no enclosing \`each\`.",
        "bad_plan at emit[0]: each takes an array, not string.",
        "bad_plan at emit[0]: nope is no function of 0 arguments.",
        "bad_plan at emit[0]: lower is no function of 0 arguments.",
        "bad_plan at emit[0]: string is not int32 or int64 or double.",
        "bad_plan at emit[0]: split takes a literal separator that is not empty.",
        "bad_plan at steps[0]: There is no side input nope.",
        "bad_plan at steps[0]: timestamp cannot be compared with string.",
      ]
    `);
  });

  test("may nest as deeply as the builders allow", () => {
    const items: ValueType = { kind: "array", item: string };
    let emits: Emit[] = [account(field("accountId"))];
    for (let i = 0; i < 32; i++) {
      const condition = call("isPresent", { kind: "boolean" }, field("country"));
      emits = [{ kind: "when", condition, emit: emits }];
    }
    for (let i = 0; i < 8; i++) {
      const separator: Expression = { kind: "literal", value: "/", type: { kind: "string" } };
      emits = [{ kind: "each", array: call("split", items, field("profileId"), separator), emit: emits }];
    }
    let text = field("accountId");
    for (let i = 0; i < 190; i++) text = call("orElse", string, call("lower", string, text), field("country"));
    const job = compileJob(streaming, withEmits([...emits, account(text)]), noRows);
    const sink = createRecordingSink(streaming);
    const bytes = encodePlayback({ profileId: "a/b" });
    expect(job.process(bytes, 0, bytes.length, started.at, sink)).toBe(mapped);
    expect(sink.updates).toHaveLength(2 ** 8 + 1);
  });

  test("carry no name or literal into the code", () => {
    const hostile = "*/\n\u2028 }; globalThis.harmed = true; //`${globalThis.harmed = true}`'\"\\";
    const fields = [...playback.fields, { name: hostile, type: string, optional: true }];
    const model: GraphModel = { ...streaming, events: [{ ...playback, fields }] };
    const value: Expression = { kind: "literal", value: hostile, type: { kind: "string" } };
    const emit: Emit[] = [
      account(call("concat", string, field("accountId"), value)),
      account(field(hostile)),
      { kind: "upsertNode", type: "account", id: value, properties: [] },
    ];
    const job = compileJob(
      model,
      withEmits(emit, [{ kind: "enrich", alias: hostile, input: "catalogue", key: value }]),
      noRows,
    );
    const bytes = encodeRecord(fields, { ...started, [hostile]: "h" });
    const sink = createRecordingSink(model);
    expect(job.process(bytes, 0, bytes.length, started.at, sink)).toBe(mapped);
    expect(sink.updates.map(({ ids }) => ids[0])).toStrictEqual([`a1${hostile}`, "h", hostile]);
    expect("harmed" in globalThis).toBe(false);
  });
});

describe("rows of side inputs", () => {
  test("are read whole or not at all", () => {
    const reader = compileRowReader(catalogue.fields);
    const { bytes } = titleRow();
    const offsets = new Int32Array(reader.offsetCount);
    for (let end = 0; end < bytes.length; end++) expect(reader.read(bytes, 0, end, offsets)).toBe(false);
    expect(reader.read(Buffer.concat([bytes, bytes]), 0, bytes.length + 1, offsets)).toBe(false);
  });
});
