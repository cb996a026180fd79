// A graph with every policy and type, and random updates to it with many ties, nulls, removals and extreme values: what the algebra's tests draw from.
import * as fc from "fast-check";
import type {
  EdgeModel,
  GraphModel,
  MergePolicy,
  NodeModel,
  PropertyModel,
  ValueType,
} from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";
import type { ElementKey, Update } from "../../src/model/update/element.ts";
import { canonicalInt64 } from "../../src/model/update/int64.ts";

const types: readonly ValueType[] = [
  { kind: "string" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "double" },
  { kind: "boolean" },
  { kind: "timestamp" },
  { kind: "bytes" },
  { kind: "enum", symbols: ["film", "episode", "game"] },
];

const registers: readonly MergePolicy[] = ["last", "first", "min", "max"];

const everyProperty: readonly PropertyModel[] = [
  ...types.flatMap((type) => registers.map((merge) => ({ name: `${merge}_${type.kind}`, type, merge }))),
  ...types.map((type): PropertyModel => ({ name: `union_${type.kind}`, type, merge: "union", unionMax: 2 })),
  { name: "union_wide", type: { kind: "string" }, merge: "union" },
  { name: "last_opaque", type: { kind: "array", item: { kind: "string" } }, merge: "last" },
  { name: "first_opaque", type: { kind: "map", value: { kind: "int64" } }, merge: "first" },
  { name: "total", type: { kind: "int64" }, merge: "sum" },
  { name: "__proto__", type: { kind: "string" }, merge: "last" },
  { name: "constructor", type: { kind: "int64" }, merge: "sum" },
];

export const arbitraryModel: GraphModel = {
  format: 1,
  name: "every",
  events: [],
  sideInputs: [],
  nodes: [
    { name: "account", properties: everyProperty },
    { name: "device", properties: [] },
  ],
  edges: [
    { name: "uses", from: "account", to: "device", properties: everyProperty },
    { name: "knows", from: "account", to: "account", properties: [] },
  ],
  jobs: [],
  skewMaxMs: 300_000,
  latenessMs: 3_600_000,
  tombstoneGraceMs: 86_400_000,
};

const timeMs = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 4 }) },
  { weight: 1, arbitrary: fc.constantFrom(-8.64e15, -1, 1_700_000_000_000, 1_700_000_000_001, 8.64e15) },
);

const text = fc.oneof(
  fc.constantFrom("", "a", "b", "ä", "\u{ffff}", "\u{1f600}", "__proto__", "x".repeat(70)),
  fc.string({ unit: "grapheme", maxLength: 4 }),
);
const id = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom("a", "b", "__proto__", "ä\u{0}") },
  { weight: 1, arbitrary: fc.constantFrom('","', "i".repeat(1024)) },
);
const int64 = fc
  .oneof(
    fc.constantFrom(
      0n,
      1n,
      -1n,
      2n ** 53n - 1n,
      2n ** 53n,
      2n ** 53n + 1n,
      -(2n ** 53n),
      -(2n ** 53n) - 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  )
  .map(canonicalInt64);
const bytes = fc.uint8Array({ maxLength: 3 });
const double = fc
  .oneof(
    fc.constantFrom(0, 1, -1, 0.5, 5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  )
  .map((value) => value + 0);

/** A value of a type, never null; opaque types yield bytes. */
export function arbitraryValue(type: ValueType): fc.Arbitrary<PropertyValue> {
  switch (type.kind) {
    case "string":
      return text;
    case "int32":
      return fc.oneof(fc.integer({ min: -1, max: 1 }), fc.integer());
    case "int64":
      return int64;
    case "double":
      return double;
    case "boolean":
      return fc.boolean();
    case "timestamp":
      return timeMs;
    case "enum":
      return fc.constantFrom(...type.symbols);
    default:
      return bytes;
  }
}

function contribution({ type, merge }: PropertyModel): fc.Arbitrary<PropertyValue> {
  const value = arbitraryValue(type);
  if (merge === "sum") return value;
  const nullable = fc.option(value, { freq: 5 });
  return merge === "union" ? fc.array(nullable, { maxLength: 4 }) : nullable;
}

/** Contributions to few of the type's properties, so that updates meet in some of them and leave others out. */
function contributions({ properties }: NodeModel | EdgeModel): fc.Arbitrary<Readonly<Record<string, PropertyValue>>> {
  if (properties.length === 0) return fc.constant({});
  const one = fc
    .constantFrom(...properties)
    .chain((property) => contribution(property).map((value) => [property.name, value] as const));
  return fc.array(one, { maxLength: 8 }).map((entries) => {
    const record: Record<string, PropertyValue> = Object.create(null);
    for (const [name, value] of entries) record[name] = value;
    return record;
  });
}

function updateOf(type: NodeModel | EdgeModel, key: fc.Arbitrary<ElementKey>): fc.Arbitrary<Update> {
  const upsert = fc.record({ key, timeMs, properties: contributions(type) });
  const removal = fc.record({ key, timeMs });
  return fc.oneof(
    { weight: 5, arbitrary: upsert.map(({ key, ...rest }): Update => ({ ...key, ...rest, operation: "upsert" })) },
    { weight: 1, arbitrary: removal.map(({ key, timeMs }): Update => ({ ...key, timeMs, operation: "remove" })) },
  );
}

/** Updates of any element of a model. */
export function arbitraryUpdateOf(model: GraphModel): fc.Arbitrary<Update> {
  return fc.oneof(
    ...model.nodes.map((type) =>
      updateOf(
        type,
        id.map((id): ElementKey => ({ kind: "node", type: type.name, id })),
      ),
    ),
    ...model.edges.map((type) =>
      updateOf(
        type,
        fc.tuple(id, id).map(([from, to]): ElementKey => ({ kind: "edge", type: type.name, from, to })),
      ),
    ),
  );
}

export const arbitraryUpdate: fc.Arbitrary<Update> = arbitraryUpdateOf(arbitraryModel);

/** The model reduced to one node type with the properties of one value type, so that updates meet in every one of them. */
export function modelOfType(kind: ValueType["kind"]): GraphModel {
  const properties = everyProperty.filter(({ type }) => type.kind === kind);
  return { ...arbitraryModel, nodes: [{ name: "account", properties }], edges: [] };
}

/** Updates of one and the same account. */
export const arbitraryAccountUpdate: fc.Arbitrary<Update> = updateOf(
  arbitraryModel.nodes[0]!,
  fc.constant<ElementKey>({ kind: "node", type: "account", id: "a" }),
);

export const accountProperties: readonly PropertyModel[] = everyProperty;
