// The interpreter on cases small enough to be worked out by hand.
import { expect, test } from "vitest";
import { playbackJob, started, streaming } from "../../../test/plan/streaming.ts";
import type { JobModel, ScalarType, ValueType } from "../../model/definition.ts";
import type { Emit, Expression } from "../../model/plan.ts";
import { interpretJob, type Interpreted } from "./interpreter.ts";

const string: ScalarType = { kind: "string" };
const field = (path: readonly string[], type: ValueType = string): Expression => ({
  kind: "field",
  scope: { kind: "event" },
  path,
  type,
});
const run = (emit: readonly Emit[] | undefined, event: object, rows: object = {}): Interpreted => {
  const job: JobModel =
    emit === undefined ? playbackJob : { ...playbackJob, steps: [], output: { kind: "emit", emit } };
  return interpretJob(
    streaming,
    job,
    { ...started, ...event },
    started.at,
    (input, key) => (rows as never)[`${input}/${key}`],
  );
};
const time = started.at;

test("the streaming example, with the row of its title", () => {
  expect(run(undefined, {}, { "catalogue/t9": { titleId: "t9", name: "Alien", kind: "film" } })).toStrictEqual({
    kind: "mapped",
    skipped: 0,
    updates: [
      { kind: "upsertNode", type: 0, ids: ["a1"], timeMs: time, properties: [{ property: 0, value: "DE" }] },
      { kind: "upsertNode", type: 1, ids: ["tv"], timeMs: time, properties: [{ property: 0, value: "DE" }] },
      {
        kind: "upsertNode",
        type: 2,
        ids: ["t9"],
        timeMs: time,
        properties: [
          { property: 0, value: "Alien" },
          { property: 1, value: "film" },
        ],
      },
      { kind: "upsertEdge", type: 0, ids: ["a1", "p1"], timeMs: time, properties: [] },
      { kind: "upsertEdge", type: 1, ids: ["a1", "tv"], timeMs: time, properties: [] },
      {
        kind: "upsertEdge",
        type: 2,
        ids: ["p1", "t9"],
        timeMs: time,
        properties: [
          { property: 0, value: 5000 },
          { property: 1, value: 5000 },
          { property: 2, value: 1 },
        ],
      },
    ],
  });
});

test("events are filtered, or quarantined for their time or an id", () => {
  expect(run(undefined, { titleId: undefined })).toStrictEqual({ kind: "filtered" });
  expect(run(undefined, { at: time + streaming.skewMaxMs })).toMatchObject({ kind: "mapped" });
  expect(run(undefined, { at: time + streaming.skewMaxMs + 1 })).toStrictEqual({
    kind: "quarantined",
    cause: "time_in_future",
  });
  expect(run(undefined, { profileId: "é".repeat(512) })).toMatchObject({ kind: "mapped" });
  expect(run(undefined, { profileId: "é".repeat(513) })).toStrictEqual({ kind: "quarantined", cause: "id_too_long" });
});

test("updates without an id are skipped: absent, null, empty, or either end of an edge", () => {
  const nothing: Expression = { kind: "null", type: string };
  const skipped: Emit[] = [
    { kind: "upsertNode", type: "account", id: field(["country"]), properties: [] },
    { kind: "removeNode", type: "account", id: nothing },
    { kind: "removeEdge", type: "uses", from: field(["accountId"]), to: field(["profileId"]) },
    { kind: "upsertEdge", type: "uses", from: field(["country"]), to: field(["deviceId"]), properties: [] },
  ];
  expect(run(skipped, { country: undefined, profileId: "" })).toStrictEqual({
    kind: "mapped",
    updates: [],
    skipped: 4,
  });
});

test("null is contributed, absent is not; a set takes items one by one", () => {
  const emit: Emit = {
    kind: "upsertNode",
    type: "device",
    id: field(["deviceId"]),
    properties: [
      { property: "countries", value: field(["countries"], { kind: "array", item: string }) },
      { property: "countries", value: field(["country"]) },
      { property: "countries", value: { kind: "null", type: string } },
    ],
  };
  const result = run([emit], { countries: ["NL", "BE"], country: undefined });
  expect(result.kind === "mapped" && result.updates[0]!.properties).toStrictEqual([
    { property: 0, value: "NL" },
    { property: 0, value: "BE" },
    { property: 0, value: null },
  ]);
});

test("each runs inside out, and items know the ones around them", () => {
  const item = (depth: number, ...path: string[]): Expression => ({
    kind: "field",
    scope: { kind: "item", depth },
    path,
    type: string,
  });
  const inner: Emit = { kind: "removeEdge", type: "uses", from: item(1, "sku"), to: item(0) };
  const emit: Emit[] = [
    {
      kind: "each",
      array: field(["lines"]),
      emit: [
        { kind: "each", array: item(0, "parts"), emit: [inner] },
        { kind: "removeNode", type: "account", id: item(0, "sku") },
      ],
    },
    { kind: "each", array: field(["missing"]), emit: [inner] },
  ];
  const result = run(emit, { lines: [{ sku: "a", parts: ["1", "2"] }, null, { sku: "b" }] });
  expect(result.kind === "mapped" && result.updates.map(({ ids }) => ids.join("-"))).toStrictEqual([
    "a-1",
    "a-2",
    "a",
    "b",
  ]);
});

test("names of fields are looked up as own properties only", () => {
  const emit: Emit = { kind: "upsertNode", type: "account", id: field(["constructor", "name"]), properties: [] };
  expect(run([emit], {})).toStrictEqual({ kind: "mapped", updates: [], skipped: 1 });
  expect(run([emit], JSON.parse('{"constructor": {"name": "x"}}') as object)).toMatchObject({
    updates: [{ ids: ["x"] }],
  });
});
