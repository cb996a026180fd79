// The builders: what they leave in the model, and the streaming example's model as a golden file.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import streaming, {
  account,
  fromAccountClosed,
  fromPlayback,
  playback,
  watched,
} from "../../../examples/streaming/graph.ts";
import type { GraphModel, JobModel, ValueType } from "../definition.ts";
import { canonicalJson } from "../fingerprint.ts";
import type { Emit, Expression } from "../plan.ts";
import { edge, node } from "./element.ts";
import { event, sideInput } from "./event.ts";
import { t } from "./field.ts";
import { count, when } from "./functions.ts";
import { defineGraph, type GraphOptions, isGraph, loadGraph } from "./graph.ts";
import { job, type JobDef } from "./job.ts";

const golden = new URL("../../../test/golden/definition/streaming.json", import.meta.url);

test("the streaming example yields its golden model and fingerprint", async () => {
  expect(streaming.model).toEqual(JSON.parse(await readFile(golden, "utf8")));
  expect(streaming.fingerprint).toBe("5b0f115b941788a625c4d35cd314703277a11925edcbcd649396bec239ce6014");
  expect(streaming.maps.size).toBe(0);
});

test("a model is plain data, frozen to its leaves, the same for the same definition", () => {
  expect(JSON.parse(JSON.stringify(streaming.model))).toEqual(streaming.model);
  const frozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
  expect(frozen(streaming.model)).toBe(true);
  const again = defineGraph("streaming", { jobs: [fromPlayback, fromAccountClosed] });
  expect(again.fingerprint).toBe(streaming.fingerprint);
  expect(defineGraph("other", { jobs: [fromPlayback, fromAccountClosed] }).fingerprint).not.toBe(streaming.fingerprint);
  expect(canonicalJson({ b: 1, a: [true, null, "x"], c: undefined })).toBe('{"a":[true,null,"x"],"b":1}');
});

test("declarations carry their models and defaults", () => {
  expect(playback.model).toMatchObject({ key: "accountId", time: "at", partitions: 1, dedupHorizonMs: 3_600_000 });
  expect(watched.model).toEqual({
    name: "watched",
    from: "profile",
    to: "title",
    ttlMs: 8_640_000_000,
    properties: [
      { name: "positionMs", type: { kind: "int64" }, merge: "last" },
      { name: "furthestMs", type: { kind: "int64" }, merge: "max" },
      { name: "plays", type: { kind: "int64" }, merge: "sum" },
    ],
  });
});

const at = t.timestamp();
const order = event("order", {
  key: "id",
  time: "at",
  fields: {
    id: t.string(),
    at,
    kind: t.enum("a", "b"),
    other: t.enum("b", "a", "c").optional(),
    small: t.int32(),
    big: t.int64(),
    weight: t.double(),
    express: t.boolean().optional(),
    tags: t.array(t.string()),
    address: t.record({ city: t.string(), geo: t.record({ lat: t.double() }) }),
    lines: t.array(t.record({ sku: t.string(), quantity: t.int32(), parts: t.array(t.string()) })),
  },
});
const thing = node("thing", {
  text: t.string(),
  kind: t.enum("a", "b", "c"),
  small: t.int32(),
  big: t.int64(),
  weight: t.double(),
  time: t.timestamp(),
  flag: t.boolean(),
  blob: t.bytes(),
  n: t.counter(),
  tags: t.set(t.string(), { sizeMax: 8 }),
  place: t.record({ city: t.string(), geo: t.record({ lat: t.double() }) }),
});
const holds = edge("holds", thing, node("part"));
type Row = Parameters<Parameters<ReturnType<typeof startOrder>["emit"]>[0]>[0];
const startOrder = () => job(order);

const emitOf = (definition: JobDef): readonly Emit[] => {
  const { output } = definition.model;
  return output.kind === "emit" ? output.emit : [];
};
const emitted = (run: (e: Row) => readonly unknown[]): readonly Emit[] =>
  emitOf(job(order).emit((e) => run(e) as ReturnType<Parameters<ReturnType<typeof startOrder>["emit"]>[0]>));

/** The expression that is contributed to a property, as a short text. */
function contributed(property: keyof typeof thing.properties, expression: (e: Row) => unknown): string {
  const [emit] = emitted((e) => [thing.upsert(e.id, { [property]: expression(e) })]);
  return emit?.kind === "upsertNode" ? brief(emit.properties[0]!.value) : "";
}

function brief(expression: Expression): string {
  switch (expression.kind) {
    case "literal":
      return `${typeof expression.value === "string" && expression.type.kind !== "int64" ? JSON.stringify(expression.value) : expression.value}:${expression.type.kind}`;
    case "null":
      return `null:${expression.type.kind}`;
    case "field":
      return `${scopeOf(expression.scope)}${expression.path.join(".")}`;
    case "call":
      return `${expression.function}(${expression.args.map(brief).join(", ")})`;
  }
}
function scopeOf(scope: Extract<Expression, { kind: "field" }>["scope"]): string {
  if (scope.kind === "event") return "";
  return scope.kind === "side" ? `${scope.alias}:` : `item${scope.depth}:`;
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

test("types are listed in order of first mention, ends behind their edges", () => {
  const [a, b, c, d] = [node("a"), node("b"), node("c"), node("d")];
  const [ab, cd] = [edge("ab", a, b), edge("cd", c, d)];
  const { model } = defineGraph("g", {
    jobs: [job(order).emit((e) => [b.upsert(e.id), ab.upsert(e.id, e.id)])],
    nodes: [d],
    edges: [cd],
  });
  expect(model.nodes.map(({ name }) => name)).toEqual(["b", "a", "d", "c"]);
  expect(model.edges.map(({ name }) => name)).toEqual(["ab", "cd"]);
});

test("settings of jobs and times of graphs", () => {
  const settings = { window: "250ms", windowKeys: 10, windowBytes: 4096, parallelism: 3 } as const;
  expect(job(order, settings).emit(() => []).model.settings).toEqual({
    windowMs: 250,
    windowKeysMax: 10,
    windowBytesMax: 4096,
    parallelism: 3,
  });
  const kept = event("kept", {
    key: "id",
    time: "at",
    retention: { time: "30d", bytes: 5 },
    fields: { id: t.string(), at },
  });
  const keep = job(kept).emit(() => []);
  const times = ({ model }: { model: GraphModel }): number[] => [
    model.skewMaxMs,
    model.latenessMs,
    model.tombstoneGraceMs,
  ];
  expect(times(defineGraph("g", { jobs: [keep] }))).toEqual([300_000, 86_400_000, 32 * 86_400_000]);
  const given = { skewMax: "1m", lateness: "2m", tombstoneGrace: "31d" } as const;
  expect(times(defineGraph("g", { jobs: [keep], ...given }))).toEqual([60_000, 120_000, 31 * 86_400_000]);
});

test("fields may have any name", () => {
  const names = [
    "then",
    "constructor",
    "__proto__",
    "toString",
    "isPresent",
    "equals",
    "hasOwnProperty",
    "toJSON",
  ] as const;
  const strings = Object.fromEntries(names.map((name) => [name, t.string()])) as Record<
    (typeof names)[number],
    ReturnType<typeof t.string>
  >;
  const odd = event("odd", {
    key: "then",
    time: "at",
    fields: { ...strings, ["__proto__"]: t.string(), at, inner: t.record({ ...strings, ["__proto__"]: t.string() }) },
  });
  const oddNode = node("odd", { ...strings, ["__proto__"]: t.string() });
  expect(odd.model.fields.map(({ name }) => name).toSorted()).toEqual([...names, "at", "inner"].toSorted());
  const [emit] = emitOf(
    job(odd).emit((e) => [
      oddNode.upsert(e.constructor, Object.fromEntries(names.map((name) => [name, e.inner[name]])) as never),
    ]),
  );
  expect(
    emit?.kind === "upsertNode" &&
      [brief(emit.id), ...emit.properties.map(({ property, value }) => `${property}=${brief(value)}`)].toSorted(),
  ).toEqual(["constructor", ...names.map((name) => `${name}=inner.${name}`)].toSorted());
});

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

test("defaults of traversals are kept as they are given; a definition without them says nothing", () => {
  const traversals = (given?: GraphOptions["traversals"]): unknown =>
    defineGraph("g", { jobs: [], ...(given && { traversals: given }) }).model.traversals;
  expect(traversals()).toBe(undefined);
  expect(traversals({})).toBe(undefined);
  expect(traversals({ since: "ever" })).toEqual({ sinceMs: "ever" });
  expect(traversals({ since: "2d", limit: 5, order: "any" })).toEqual({ sinceMs: 172_800_000, limit: 5, order: "any" });
});

test("map keeps its function beside the model, with its source in it", () => {
  const run = (): never[] => [];
  const graph = defineGraph("g", { jobs: [job(order).map(run)], nodes: [account] });
  expect(graph.maps.get("order")).toBe(run);
  expect(graph.model.jobs[0]!.output).toEqual({ kind: "map", source: String(run) });
});

test("declarations are Standard Schemas", () => {
  const standard = order["~standard"];
  expect([standard.version, standard.vendor]).toEqual([1, "rdg"]);
  const { fields } = event("e", {
    key: "id",
    time: "at",
    fields: { id: t.string(), at, n: t.int64(), o: t.string().optional() },
  });
  const small = event("e", { key: "id", time: "at", fields });
  const good = small["~standard"].validate({ id: "x", at: "2026-01-01T00:00:00Z", n: "5", o: null });
  expect(good).toEqual({ value: { id: "x", at: new Date("2026-01-01T00:00:00Z"), n: 5n } });
  const bad = small["~standard"].validate({ id: "", at: 0, n: 1.5 });
  expect(bad.issues).toMatchObject([{ path: ["id"] }, { path: ["n"] }]);
  expect(thing["~standard"].validate({ tags: ["a"], n: 5 })).toEqual({ value: { tags: ["a"], n: 5n } });
  expect(sideInput("s", { key: "k", fields: { k: t.string() } })["~standard"].validate({}).issues).toHaveLength(1);
});

test("graphs are recognised in modules", () => {
  expect(isGraph(streaming)).toBe(true);
  expect([null, {}, "x", streaming.model].map(isGraph)).toEqual([false, false, false, false]);
  expect(loadGraph(streaming)).toBe(streaming);
  expect(loadGraph({ default: streaming, other: defineGraph("x", { jobs: [] }) })).toBe(streaming);
  expect(loadGraph({ graph: streaming, playback })).toBe(streaming);
  expect(() => loadGraph({ playback })).toThrow(expect.objectContaining({ code: "no_graph" }));
  expect(() => loadGraph(undefined)).toThrow(expect.objectContaining({ code: "no_graph" }));
  const two = { a: streaming, b: defineGraph("x", { jobs: [] }) };
  expect(() => loadGraph(two)).toThrow(expect.objectContaining({ code: "many_graphs" }));
});
