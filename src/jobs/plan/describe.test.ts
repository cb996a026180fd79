// Plans in words.
import { expect, test } from "vitest";
import { playbackJob } from "../../../test/plan/streaming.ts";
import type { JobModel, ValueType } from "../../model/definition.ts";
import type { Expression, FunctionName } from "../../model/plan.ts";
import { describePlan } from "./describe.ts";

const string: ValueType = { kind: "string" };
const number = { kind: "int64" } as const;
const field = (name: string, ...within: string[]): Expression => ({
  kind: "field",
  scope: { kind: "event" },
  path: [name, ...within],
  type: string,
});
const item = (depth: number, ...path: string[]): Expression => ({
  kind: "field",
  scope: { kind: "item", depth },
  path,
  type: string,
});
const call = (name: FunctionName, ...args: Expression[]): Expression => ({
  kind: "call",
  function: name,
  args,
  type: string,
});
const literal = (value: string): Expression => ({ kind: "literal", value, type: number });
const where = (condition: Expression): string => {
  const text = describePlan({
    ...playbackJob,
    steps: [{ kind: "where", condition }],
    output: { kind: "emit", emit: [] },
  });
  return text.split("\n")[1]!.trim();
};

test("the streaming example reads like its definition", async () => {
  await expect(describePlan(playbackJob)).toMatchFileSnapshot("../../../test/golden/plan/streaming-playback.plan.txt");
});

test("operators are written between their operands, with the brackets they need", () => {
  const [a, b, c] = [field("a"), field("b"), field("c")];
  expect([
    where(call("or", call("and", a, b), c)),
    where(call("and", call("or", a, b), c)),
    where(call("not", call("and", a, b))),
    where(call("and", call("not", a), call("isAbsent", b))),
    where(call("not", call("equals", a, call("add", b, literal("1"))))),
    where(call("gt", call("multiply", call("add", a, b), c), literal("-2"))),
    where(call("subtract", a, call("subtract", b, c))),
    where(call("subtract", call("subtract", a, b), c)),
    where(call("in", a, literal("1"), literal("2"))),
    where(call("equals", call("choose", a, b, c), call("choose", a, b))),
    where(call("startsWith", call("lower", field("odd name", "inner")), c)),
    where({ kind: "null", type: string }),
  ]).toStrictEqual([
    "where  e.a and e.b or e.c",
    "where  (e.a or e.b) and e.c",
    "where  not (e.a and e.b)",
    "where  not e.a and e.b is absent",
    "where  not e.a = e.b + 1",
    "where  (e.a + e.b) * e.c > -2",
    "where  e.a - (e.b - e.c)",
    "where  e.a - e.b - e.c",
    "where  e.a in (1, 2)",
    "where  (e.b if e.a else e.c) = (e.b if e.a)",
    'where  startsWith(lower(e."odd name".inner), e.c)',
    "where  null",
  ]);
});

test("nested emits are indented and name their items", () => {
  const job: JobModel = {
    ...playbackJob,
    steps: [],
    output: {
      kind: "emit",
      emit: [
        {
          kind: "each",
          array: field("lines"),
          emit: [
            {
              kind: "each",
              array: item(0, "parts"),
              emit: [{ kind: "removeEdge", type: "made of", from: item(1, "sku"), to: item(0) }],
            },
          ],
        },
        { kind: "when", condition: field("closed"), emit: [{ kind: "removeNode", type: "account", id: field("id") }] },
      ],
    },
  };
  expect(describePlan(job)).toBe(`job playback
  each   item of e.lines
    each   item2 of item.parts
      remove "made of"(item.sku -> item2)
  when   e.closed
    remove account(e.id)
`);
});

test("a map job says what cannot run it", () => {
  const job: JobModel = { ...playbackJob, steps: [], output: { kind: "map", source: "(event) => []" } };
  expect(describePlan(job)).toMatch(/map {4}a TypeScript function.*Flink cannot run it/u);
});
