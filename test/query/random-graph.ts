// Random definitions, graphs and requests for the tests of queries.
import * as fc from "fast-check";
import type { EdgeModel, GraphModel, NodeModel, PropertyModel, ScalarType } from "../../src/model/definition.ts";
import type { PropertyValue } from "../../src/model/filter.ts";
import type { Comparisons, Condition, HopRequest, TraverseRequest } from "../../src/model/traversal.ts";
import { batchOfElements } from "../../src/model/update/batch-of-elements.ts";
import type { Update } from "../../src/model/update/element.ts";
import { graphOf } from "../../src/model/update/oracle.ts";
import type { Store } from "../../src/store/port.ts";
import type { PlainEdge, PlainGraph, PlainNode } from "../../src/testing/reference-traversal.ts";

export const nowMs = Date.parse("2026-11-21T12:00:00Z");

const scalars: readonly ScalarType[] = [
  { kind: "string" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "double" },
  { kind: "boolean" },
  { kind: "timestamp" },
  { kind: "bytes" },
  { kind: "enum", symbols: ["z", "b", "a"] },
];
/** Names that trip what handles names carelessly. */
const names = ["plain", "__proto__", "and", "firstSeen", "constructor", "latest", "select", "limit"];

const properties = fc
  .uniqueArray(fc.record({ name: fc.constantFrom(...names), type: fc.constantFrom(...scalars), set: fc.boolean() }), {
    maxLength: 4,
    selector: ({ name }) => name,
  })
  .map((list): PropertyModel[] =>
    list.map(({ name, type, set }) =>
      set ? { name, type, merge: "union", unionMax: 8 } : { name, type, merge: "last" },
    ),
  );

export const models: fc.Arbitrary<GraphModel> = fc
  .record({
    nodes: fc.array(properties, { minLength: 1, maxLength: 3 }),
    edges: fc.array(fc.record({ from: fc.nat(), to: fc.nat(), properties }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ nodes, edges }) => ({
    format: 1,
    name: "random",
    events: [],
    sideInputs: [],
    nodes: nodes.map((of, i): NodeModel => ({ name: `n${i}`, properties: of })),
    edges: edges.map(({ from, to, properties: of }, i): EdgeModel => ({
      name: `e${i}`,
      from: `n${from % nodes.length}`,
      to: `n${to % nodes.length}`,
      properties: of,
    })),
    jobs: [],
    skewMaxMs: 300_000,
    latenessMs: 600_000,
    tombstoneGraceMs: 86_400_000,
  }));

const ids = ["a", "__proto__", "\u{1f600}", "\uffee", 'q"\\'];
/** Around three days ago; now and then beyond the hundred days that hops look back unless they say more. */
const times = fc.oneof(
  { weight: 9, arbitrary: fc.integer({ min: -5, max: 5 }).map((step) => nowMs - 86_400_000 * 3 + step * 1_000) },
  { weight: 1, arbitrary: fc.constant(nowMs - 86_400_000 * 200) },
);

function values({ type }: PropertyModel): fc.Arbitrary<PropertyValue> {
  return valuesOf(type as ScalarType);
}

function valuesOf(type: ScalarType): fc.Arbitrary<PropertyValue> {
  switch (type.kind) {
    case "string":
      return fc.constantFrom("", "x", "xy", "\u{1f600}", "\uffee", "line\n");
    case "int32":
      return fc.integer({ min: -3, max: 3 });
    case "int64":
      return fc.constantFrom<PropertyValue>(-1, 0, 7, 2 ** 53 - 1, 2n ** 62n, -(2n ** 63n));
    case "double":
      return fc.constantFrom(-1.5, 0, 0.1, 1e300);
    case "boolean":
      return fc.boolean();
    case "timestamp":
      return fc.constantFrom(0, -1, nowMs, nowMs - 86_400_000);
    case "bytes":
      return fc.constantFrom(new Uint8Array(), new Uint8Array([1]), new Uint8Array([1, 255]));
    case "enum":
      return fc.constantFrom(...type.symbols);
  }
}

/** A list for a union, one value else; nothing now and then, and null. */
function contributions(models: readonly PropertyModel[]): fc.Arbitrary<Readonly<Record<string, PropertyValue>>> {
  const each = models.map((model) => {
    const item = fc.oneof({ weight: 6, arbitrary: values(model) }, { weight: 1, arbitrary: fc.constant(null) });
    const value: fc.Arbitrary<PropertyValue> =
      model.merge === "union" ? fc.array(item, { minLength: 1, maxLength: 3 }) : item;
    return fc.option(value, { nil: undefined, freq: 4 });
  });
  return fc.tuple(...each).map((row) => Object.fromEntries(row.map((value, i) => [models[i]!.name, value])));
}

export function updatesOf(model: GraphModel): fc.Arbitrary<Update[]> {
  const id = fc.constantFrom(...ids);
  const options = [
    ...model.nodes.map(({ name, properties: of }) =>
      fc
        .record({ type: fc.constant(name), id, timeMs: times, properties: contributions(of) })
        .map((update): Update => ({
          ...update,
          kind: "node",
          operation: "upsert",
        })),
    ),
    ...model.edges.flatMap(({ name, properties: of }) => {
      const upsert = fc
        .record({ type: fc.constant(name), from: id, to: id, timeMs: times, properties: contributions(of) })
        .map((update): Update => ({ ...update, kind: "edge", operation: "upsert" }));
      return [upsert, upsert, upsert, upsert];
    }),
  ];
  return fc.array(fc.oneof(...options), { minLength: 10, maxLength: 80, size: "max" });
}

export interface Scenario {
  readonly model: GraphModel;
  readonly updates: readonly Update[];
  readonly request: TraverseRequest;
}

export const scenarios: fc.Arbitrary<Scenario> = models.chain((model) =>
  fc.record({ model: fc.constant(model), updates: updatesOf(model), request: requestsOf(model) }),
);

/** Applies the updates as one transaction. */
export async function feed(store: Store, { model, updates }: Scenario): Promise<void> {
  const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
  await store.apply({
    source: "test",
    offset: 0,
    job: "test",
    timestampMs: nowMs,
    inputs: [{ topic: "events.test", partition: 0, offset: updates.length }],
    updates: () => batch,
    sizeBytes: 0,
  });
}

/** What the store says there is. */
export async function plainGraph(store: Store): Promise<PlainGraph> {
  const nodes: PlainNode[] = [];
  const edges: PlainEdge[] = [];
  for await (const element of store.scan()) {
    if (element.kind === "node") nodes.push(element);
    else edges.push(element);
  }
  return { nodes, edges };
}

export function requestsOf(model: GraphModel): fc.Arbitrary<TraverseRequest> {
  return fc.nat({ max: model.nodes.length - 1 }).chain((type) =>
    fc.record({
      from: fc.record(
        {
          type: fc.constant(model.nodes[type]!.name),
          ids: fc.array(fc.constantFrom(...ids, "absent"), { minLength: 1, maxLength: 6 }),
          select: selection(model.nodes[type]!.properties),
        },
        { requiredKeys: ["type", "ids"] },
      ),
      hops: hopsFrom(model, model.nodes[type]!.name, 3),
    }),
  );
}

function hopsFrom(model: GraphModel, type: string, left: number): fc.Arbitrary<readonly HopRequest[]> {
  const steps = model.edges.flatMap(({ name, from, to }) => [
    ...(from === type ? [{ edge: name, direction: "out" as const, to }] : []),
    ...(to === type ? [{ edge: name, direction: "in" as const, to: from }] : []),
    ...(from === type || to === type
      ? [{ edge: name, direction: "both" as const, to: from === type ? to : from }]
      : []),
  ]);
  if (left === 0 || steps.length === 0) return fc.constant([]);
  return fc.constantFrom(...steps, ...steps, ...steps, undefined).chain((step): fc.Arbitrary<readonly HopRequest[]> => {
    if (step === undefined) return fc.constant([]);
    const hop = hopOf(model, step.edge, step.direction, step.to);
    return fc.tuple(hop, hopsFrom(model, step.to, left - 1)).map(([first, rest]) => [first, ...rest]);
  });
}

function hopOf(
  model: GraphModel,
  edge: string,
  direction: HopRequest["direction"],
  to: string,
): fc.Arbitrary<HopRequest> {
  const [edgeModel, nodeModel] = [
    model.edges.find(({ name }) => name === edge)!,
    model.nodes.find(({ name }) => name === to)!,
  ];
  const moment = fc.oneof(
    times.map((ms) => new Date(ms).toISOString()),
    fc.constantFrom("3d", "259201s", "2026-11-18"),
  );
  const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
  return fc
    .record({
      edge: fc.constant(edge),
      direction: fc.constant(direction!),
      limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
      order: rarely(fc.constant("latest" as const)),
      since: rarely(moment),
      until: rarely(moment),
      where: rarely(
        fc.record(
          { edge: conditionOf(edgeModel.properties), node: conditionOf(nodeModel.properties) },
          { requiredKeys: [] },
        ),
      ),
      select: rarely(
        fc.record(
          { edge: selection(edgeModel.properties), node: selection(nodeModel.properties) },
          { requiredKeys: [] },
        ),
      ),
    })
    .map(
      (hop) =>
        Object.fromEntries(Object.entries(hop).filter(([, value]) => value !== undefined)) as unknown as HopRequest,
    );
}

function selection(models: readonly PropertyModel[]): fc.Arbitrary<string[]> {
  return fc.subarray(models.map(({ name }) => name));
}

/** Small conditions, as many properties as tests allow. */
export function conditionOf(models: readonly PropertyModel[]): fc.Arbitrary<Condition> {
  const test = fc.oneof(timeTest, ...models.map(testOf));
  const { condition } = fc.letrec<{ condition: Condition }>((tie) => ({
    condition: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      test,
      fc.record({ and: fc.array(tie("condition"), { minLength: 1, maxLength: 2 }) }),
      fc.record({ or: fc.array(tie("condition"), { minLength: 1, maxLength: 2 }) }),
      fc.record({ not: tie("condition") }),
      fc.tuple(test, test).map(([a, b]) => ({ ...a, ...b })),
    ),
  }));
  return condition;
}

const timeTest = fc
  .tuple(fc.constantFrom("firstSeen", "lastSeen"), fc.constantFrom("gt", "gte", "lt", "lte"), times)
  .map(([key, operator, ms]): Condition => ({ [key]: { [operator]: new Date(ms).toISOString() } as Comparisons }));

function testOf(model: PropertyModel): fc.Arbitrary<Condition> {
  const key = ["and", "firstSeen"].includes(model.name) ? `.${model.name}` : model.name;
  const value = values(model).map((plain) => literalOf(model.type as ScalarType, plain));
  const tests: fc.Arbitrary<Comparisons | string | number | boolean>[] = [
    value,
    value.map((equals) => ({ equals })),
    fc.array(value, { maxLength: 3 }).map((list) => ({ in: list })),
    fc.boolean().map((present) => ({ present })),
  ];
  if (model.merge !== "union") {
    tests.push(
      fc.tuple(value, value).map(([gte, lt]) => ({ gte, lt })),
      fc.tuple(value, value).map(([gt, lte]) => ({ gt, lte })),
    );
    if (model.type.kind === "string") tests.push(fc.constantFrom("", "x", "\u{1f600}").map((prefix) => ({ prefix })));
  }
  return fc.oneof(...tests).map((test) => Object.fromEntries([[key, test]]) as unknown as Condition);
}

function literalOf(type: ScalarType, value: PropertyValue): string | number | boolean {
  if (type.kind === "int64") return typeof value === "bigint" ? value.toString() : (value as number);
  if (type.kind === "timestamp") return new Date(value as number).toISOString();
  if (type.kind === "bytes") return Buffer.from(value as Uint8Array).toString("base64");
  return value as string | number | boolean;
}
