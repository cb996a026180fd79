// What the callbacks of jobs leave behind: expressions with their types, steps, and maps.
import { expect, test } from "vitest";
import { account } from "../../../examples/streaming/graph.ts";
import { order, thing, emitOf, brief } from "../../../test/definition/every-field.ts";
import type { JobModel, ValueType } from "../definition.ts";
import type { Emit, Expression } from "../plan.ts";
import { edge, node } from "./element.ts";
import { sideInput } from "./event.ts";
import { t } from "./field.ts";
import { count, when } from "./functions.ts";
import { defineGraph } from "./graph.ts";
import { job } from "./job.ts";

const holds = edge("holds", thing, node("part"));

type Row = Parameters<Parameters<ReturnType<typeof startOrder>["emit"]>[0]>[0];

const startOrder = () => job(order);

const emitted = (run: (e: Row) => readonly unknown[]): readonly Emit[] =>
  emitOf(job(order).emit((e) => run(e) as ReturnType<Parameters<ReturnType<typeof startOrder>["emit"]>[0]>));

/** The expression that is contributed to a property, as a short text. */
function contributed(property: keyof typeof thing.properties, expression: (e: Row) => unknown): string {
  const [emit] = emitted((e) => [thing.upsert(e.id, { [property]: expression(e) })]);
  return emit?.kind === "upsertNode" ? brief(emit.properties[0]!.value) : "";
}

const expressions: readonly [keyof typeof thing.properties, (e: Row) => unknown, string][] = [
  ["text", (e) => e.id, "id"],
  ["text", (e) => e.address.city, "address.city"],
  ["weight", (e) => e.address.geo.lat, "address.geo.lat"],
  ["place", (e) => e.address, "address"],
  ["text", () => "x", '"x":string'],
  ["text", () => null, "null:string"],
  ["text", (e) => e.kind, 'mapEnum(kind, "a":enum, "a":string, "b":enum, "b":string)'],
  ["kind", (e) => e.kind, 'mapEnum(kind, "a":enum, "a":enum, "b":enum, "b":enum)'],
  ["kind", () => "c", '"c":enum'],
  ["kind", (e) => e.id.mapEnum({ x: "a", y: "c" }), 'mapEnum(id, "x":string, "a":enum, "y":string, "c":enum)'],
  [
    "kind",
    (e) => when(e.express, "a" as const, "b" as const),
    'choose(equals(express, true:boolean), "a":enum, "b":enum)',
  ],
  ["small", (e) => e.small, "small"],
  ["small", () => 7, "7:int32"],
  ["small", (e) => when(e.express, 7, e.small), "choose(equals(express, true:boolean), 7:int32, small)"],
  ["big", (e) => e.small, "add(small, 0:int64)"],
  ["big", (e) => e.small.add(e.big).subtract(1).multiply(2n), "multiply(subtract(add(small, big), 1:int64), 2:int64)"],
  ["big", (e) => e.big.div(3).rem(-2), "rem(div(big, 3:int64), -2:int64)"],
  ["big", (e) => e.weight.toInt64(), "toInt64(weight)"],
  ["big", (e) => e.at.toMillis(), "toMillis(at)"],
  ["big", (e) => e.id.length(), "length(id)"],
  ["weight", (e) => e.small, "toDouble(small)"],
  ["weight", () => 7, "7:double"],
  ["weight", () => -0, "0:double"],
  ["weight", (e) => e.big.toDouble(), "toDouble(big)"],
  ["weight", (e) => e.big.divide(e.small), "divide(toDouble(big), toDouble(small))"],
  [
    "weight",
    (e) => e.weight.add(1).subtract(e.small).multiply(0.5).divide(2),
    "divide(multiply(subtract(add(weight, 1:double), toDouble(small)), 0.5:double), 2:double)",
  ],
  ["weight", (e) => e.weight.floor().ceil(), "ceil(floor(weight))"],
  ["text", (e) => e.small.toText().concat("-", e.big.toText()), 'concat(toText(small), "-":string, toText(big))'],
  ["text", (e) => e.id.lower().upper().hash(), "hash(upper(lower(id)))"],
  ["text", (e) => e.id.substring(1), "substring(id, 1:int64)"],
  ["text", (e) => e.id.substring(e.small, 3), "substring(id, add(small, 0:int64), 3:int64)"],
  ["text", (e) => e.id.orElse("none"), 'orElse(id, "none":string)'],
  ["text", (e) => e.id.orElse(null), "orElse(id, null:string)"],
  [
    "text",
    (e) => e.other.orElse("a").lower(),
    'lower(orElse(mapEnum(other, "b":enum, "b":string, "a":enum, "a":string, "c":enum, "c":string), "a":string))',
  ],
  ["time", (e) => e.at.truncate("week").plus(e.small), 'plus(truncate(at, "week":string), add(small, 0:int64))'],
  ["time", (e) => e.big.fromMillis(), "fromMillis(big)"],
  ["time", () => new Date(5), "5:timestamp"],
  ["blob", () => Uint8Array.of(0, 1), '"AAE=":bytes'],
  ["flag", (e) => e.express, "express"],
  ["flag", (e) => e.express.not(), "not(equals(express, true:boolean))"],
  [
    "flag",
    (e) => e.id.isPresent().and(e.id.isAbsent(), e.express).and(e.small.gt(1)),
    "and(isPresent(id), isAbsent(id), equals(express, true:boolean), gt(small, 1:int32))",
  ],
  [
    "flag",
    (e) =>
      e.small
        .gt(1)
        .or(e.small.gte(2))
        .or(e.small.lt(3).and(e.small.lte(4))),
    "or(gt(small, 1:int32), gte(small, 2:int32), and(lt(small, 3:int32), lte(small, 4:int32)))",
  ],
  ["flag", (e) => e.small.equals(e.big), "equals(add(small, 0:int64), big)"],
  ["flag", (e) => e.small.equals(3_000_000_000), "equals(add(small, 0:int64), 3000000000:int64)"],
  [
    "flag",
    (e) => e.kind.equals(e.other as never),
    'equals(mapEnum(kind, "a":enum, "a":enum, "b":enum, "b":enum), other)',
  ],
  ["flag", (e) => e.kind.in("a", "b"), 'in(kind, "a":enum, "b":enum)'],
  ["flag", (e) => e.big.in(1, 2n), "in(big, 1:int64, 2:int64)"],
  [
    "flag",
    (e) => e.id.startsWith("a").or(e.id.endsWith("b"), e.id.contains(e.id)),
    'or(startsWith(id, "a":string), endsWith(id, "b":string), contains(id, id))',
  ],
  ["flag", (e) => e.at.gte(new Date(9)), "gte(at, 9:timestamp)"],
  ["n", () => count(), "1:int64"],
  ["n", (e) => count(e.small), "add(small, 0:int64)"],
  ["n", (e) => when(e.kind.equals("a"), 2), 'choose(equals(kind, "a":enum), 2:int64)'],
  ["tags", (e) => e.id, "id"],
  ["tags", (e) => e.tags, "tags"],
  ["tags", (e) => e.id.split(","), 'split(id, ",":string)'],
];

test.each(expressions.map(([property, run, plan]) => ({ property, run, plan })))(
  "$property: $plan",
  ({ property, run, plan }) => {
    expect(contributed(property, run)).toBe(plan);
  },
);

test("every expression of the plan says its type", () => {
  const [emit] = emitted((e) => [thing.upsert(e.id.concat(e.kind), { n: e.small.add(1) })]);
  const kinds: ValueType["kind"][] = [];
  const collect = (expression: Expression): void => {
    kinds.push(expression.type.kind);
    if (expression.kind === "call") expression.args.forEach(collect);
  };
  if (emit?.kind === "upsertNode") [emit.id, ...emit.properties.map(({ value }) => value)].forEach(collect);
  const mapped = ["string", "enum", "enum", "string", "enum", "string"];
  expect(kinds).toEqual(["string", "string", ...mapped, "int64", "int32", "int64"]);
});

test("each and when nest; items are named by their distance", () => {
  const plan = emitted((e) => [
    e.lines.each((line) => [
      thing.upsert(line.sku, { n: line.quantity }),
      when(line.quantity.gt(0), [
        line.parts.each((part) => [thing.upsert(part.concat(line.sku, e.id)), [holds.remove(line.sku, part)]]),
      ]),
    ]),
  ]);
  expect(plan).toMatchObject([
    {
      kind: "each",
      emit: [
        { kind: "upsertNode", properties: [{ property: "n" }] },
        {
          kind: "when",
          emit: [{ kind: "each", emit: [{ kind: "upsertNode" }, { kind: "removeEdge" }] }],
        },
      ],
    },
  ]);
  const outer = plan[0] as Extract<Emit, { kind: "each" }>;
  const inner = (outer.emit[1] as Extract<Emit, { kind: "when" }>).emit[0] as Extract<Emit, { kind: "each" }>;
  expect(brief(outer.array)).toBe("lines");
  expect(brief(inner.array)).toBe("item0:parts");
  expect(brief((inner.emit[0] as { id: Expression }).id)).toBe("concat(item0:, item1:sku, id)");
});

test("where and enrich are steps in order, and lookups see what was enriched before", () => {
  const stock = sideInput("stock", { key: "sku", fields: { sku: t.string(), house: t.string() } });
  const houses = sideInput("houses", { key: "name", fields: { name: t.string(), city: t.string() } });
  const { model, uses } = job(order)
    .where((e) => e.express)
    .enrich({ stock: stock.by((e) => e.id) })
    .where((_, { stock }) => stock.house.isPresent())
    .enrich({ house: houses.by((_, { stock }) => stock.house) })
    .emit((e, { house }) => [thing.upsert(e.id, { text: house.city })]);
  expect(model.steps.map(briefStep)).toEqual([
    "where equals(express, true:boolean)",
    "enrich stock = stock[id]",
    "where isPresent(stock:house)",
    "enrich house = houses[stock:house]",
  ]);
  expect(uses.sideInputs.map(({ name }) => name)).toEqual(["stock", "houses"]);
});

function briefStep(step: JobModel["steps"][number]): string {
  if (step.kind === "where") return `where ${brief(step.condition)}`;
  return `enrich ${step.alias} = ${step.input}[${brief(step.key)}]`;
}

test("rows can be spread and listed, and awaiting one does no harm", async () => {
  let keys: string[] = [];
  let row: unknown;
  job(order).emit((e) => {
    const { id, ...rest } = e;
    keys = ["id", ...Object.keys(rest)];
    row = e;
    return [thing.upsert(id)];
  });
  expect(keys).toEqual(order.model.fields.map(({ name }) => name));
  expect(await row).toBe(row);
});

test("map keeps its function beside the model, with its source in it", () => {
  const run = (): never[] => [];
  const graph = defineGraph("g", { jobs: [job(order).map(run)], nodes: [account] });
  expect(graph.maps.get("order")).toBe(run);
  expect(graph.model.jobs[0]!.output).toEqual({ kind: "map", source: String(run) });
});
