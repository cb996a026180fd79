// The graph, the frames and the views that the conformance suite and the stores' own tests use: every form of property, every kind of id.
import * as fc from "fast-check";
import type { Clock } from "../core/clock.ts";
import type { UpdateFrame } from "../log/port.ts";
import {
  definitionFormat,
  type GraphModel,
  type MergePolicy,
  type PropertyModel,
  type ValueType,
} from "../model/definition.ts";
import type { PropertyValue } from "../model/filter.ts";
import type { Position } from "../model/position.ts";
import { batchOfElements } from "../model/update/batch-of-elements.ts";
import type { ElementKey, Update } from "../model/update/element.ts";
import { graphOf, keyOf, visibleGraph } from "../model/update/oracle.ts";
import type { AdjacencyBatch, AdjacencyRequest, Direction, Store } from "./port.ts";

const property = (name: string, type: ValueType, merge: MergePolicy = "last", unionMax?: number): PropertyModel => ({
  name,
  type,
  merge,
  ...(unionMax !== undefined && { unionMax }),
});
const string = { kind: "string" } as const;
const int64 = { kind: "int64" } as const;

export const ttlMs = 1000;
export const latenessMs = 100;

/** Times of tests lie around this moment. */
export const baseMs = 1_700_000_000_000;

export const conformanceGraph: GraphModel = {
  format: definitionFormat,
  name: "conformance",
  events: [],
  sideInputs: [],
  jobs: [],
  skewMaxMs: 300_000,
  latenessMs,
  tombstoneGraceMs: 10_000,
  nodes: [
    {
      name: "person",
      properties: [
        property("name", string),
        property("country", string, "first"),
        property("age", { kind: "int32" }, "max"),
        property("score", { kind: "double" }, "min"),
        property("active", { kind: "boolean" }),
        property("kind", { kind: "enum", symbols: ["film", "episode", "game"] }, "max"),
        property("balance", int64),
        property("smallest", int64, "min"),
        property("photo", { kind: "bytes" }, "max"),
        property("tags", string, "union", 3),
        property("numbers", int64, "union"),
        property("visits", int64, "sum"),
      ],
    },
    { name: "thing", properties: [] },
    { name: "session", properties: [property("visits", int64, "sum"), property("note", string)], ttlMs },
  ],
  edges: [
    {
      name: "knows",
      from: "person",
      to: "person",
      properties: [
        property("weight", { kind: "double" }),
        property("since", { kind: "timestamp" }, "first"),
        property("times", int64, "sum"),
        property("note", string),
        property("places", string, "union", 2),
      ],
    },
    { name: "owns", from: "person", to: "thing", properties: [] },
    { name: "uses", from: "person", to: "session", properties: [property("times", int64, "sum")], ttlMs },
  ],
};

export const typesOf = {
  person: 0,
  thing: 1,
  session: 2,
  knows: 0,
  owns: 1,
  uses: 2,
} as const;

export class TestClock implements Clock {
  nowMs = baseMs;
  now(): number {
    return this.nowMs;
  }
  /** Stands still, so work never gives way, unless a test lets it pass. */
  monotonic = 0;
  monotonicMs(): number {
    return this.monotonic;
  }
}

export function upsertNode(
  type: string,
  id: string,
  timeMs: number,
  properties: Record<string, PropertyValue> = {},
): Update {
  return { kind: "node", type, id, timeMs, operation: "upsert", properties };
}

export function upsertEdge(
  type: string,
  from: string,
  to: string,
  timeMs: number,
  properties: Record<string, PropertyValue> = {},
): Update {
  return { kind: "edge", type, from, to, timeMs, operation: "upsert", properties };
}

export function remove(key: ElementKey, timeMs: number): Update {
  return { ...key, timeMs, operation: "remove" };
}

export interface FrameOptions {
  readonly source?: string;
  readonly timestampMs?: number;
  readonly inputs?: readonly Position[];
  readonly model?: GraphModel;
}

/** A frame whose batch holds these updates, merged per element. */
export function frameOf(offset: number, updates: readonly Update[], options: FrameOptions = {}): UpdateFrame {
  const { source = "journal", timestampMs = baseMs, inputs = [], model = conformanceGraph } = options;
  const batch = batchOfElements(model, [...graphOf(model, updates).values()], updates.length);
  return { source, offset, job: "test", timestampMs, inputs, updates: () => batch, sizeBytes: 100 * updates.length };
}

/** Ids that trip comparisons, tables and objects: prefixes of each other, planes of Unicode whose order UTF-16 gets wrong, names of prototypes. */
const ids = ["a", "b", "ab", "__proto__", "constructor", "\u{ffee}", "\u{1f600}", "ü", "a".repeat(300)];
const id = fc.constantFrom(...ids);
const time = fc.integer({ min: 0, max: 12 }).map((offset) => baseMs + offset);
const safe = fc.constantFrom(0, 1, -1, 7, 4294967296, -4294967297, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER);
const long = fc.oneof(safe, fc.constantFrom<PropertyValue>(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n)));
const text = fc.constantFrom("", "x", "y", "xy", "\u{1f600}", "z".repeat(200), "z".repeat(5000));

function valueOf({ type, merge }: PropertyModel): fc.Arbitrary<PropertyValue> {
  const value = ((): fc.Arbitrary<PropertyValue> => {
    switch (type.kind) {
      case "string":
        return text;
      case "int64":
        return long;
      case "int32":
        return fc.integer({ min: -3, max: 3 });
      case "double":
        return fc.constantFrom(-1.5, 0, 0.25, 1e300);
      case "boolean":
        return fc.boolean();
      case "enum":
        return fc.constantFrom(...type.symbols);
      case "timestamp":
        return time;
      default:
        return fc.uint8Array({ maxLength: 3 });
    }
  })();
  if (merge === "sum") return value;
  const nullable = fc.oneof({ arbitrary: value, weight: 5 }, { arbitrary: fc.constant(null), weight: 1 });
  return merge === "union" ? fc.array(nullable, { minLength: 1, maxLength: 4 }) : nullable;
}

function propertiesOf(models: readonly PropertyModel[]): fc.Arbitrary<Record<string, PropertyValue>> {
  return fc.record(Object.fromEntries(models.map((model) => [model.name, valueOf(model)])), { requiredKeys: [] });
}

const removed = fc.constant(undefined);

/** Any update to the graph; types with a ttl only when asked for, since their times mean something to the clock. */
export function anyUpdate(withTtl = false): fc.Arbitrary<Update> {
  const types = <T extends { ttlMs?: number }>(all: readonly T[]): readonly T[] =>
    all.filter((type) => withTtl || type.ttlMs === undefined);
  const given = ({ properties }: { properties: readonly PropertyModel[] }) =>
    fc.oneof({ arbitrary: propertiesOf(properties), weight: 4 }, { arbitrary: removed, weight: 1 });
  const nodes = types(conformanceGraph.nodes).map((type) =>
    fc.tuple(id, time, given(type)).map(([id, timeMs, properties]): Update => {
      const key = { kind: "node" as const, type: type.name, id };
      return properties === undefined ? remove(key, timeMs) : { ...key, timeMs, operation: "upsert", properties };
    }),
  );
  const edges = types(conformanceGraph.edges).map((type) =>
    fc.tuple(id, id, time, given(type)).map(([from, to, timeMs, properties]): Update => {
      const key = { kind: "edge" as const, type: type.name, from, to };
      return properties === undefined ? remove(key, timeMs) : { ...key, timeMs, operation: "upsert", properties };
    }),
  );
  return fc.oneof(...nodes, ...edges, ...edges);
}

export interface VisibleState {
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly properties: Readonly<Record<string, PropertyValue>>;
}

/** What the store shows, by the oracle's key. */
export async function shownBy(store: Store, model: GraphModel = conformanceGraph): Promise<Map<string, VisibleState>> {
  const shown = new Map<string, VisibleState>();
  for await (const element of store.scan()) {
    const type = (element.kind === "node" ? model.nodes : model.edges)[element.type]!;
    const key = keyOf({ ...element, type: type.name });
    if (shown.has(key)) throw new Error(`The scan shows ${key} twice.`);
    const values = type.properties.flatMap(({ name }, i) =>
      element.properties[i] === undefined ? [] : [[name, element.properties[i]] as const],
    );
    shown.set(key, {
      firstSeenMs: element.firstSeenMs,
      lastSeenMs: element.lastSeenMs,
      properties: Object.fromEntries(values),
    });
  }
  return shown;
}

/** What the updates mean at a moment, in the same form. */
export function meantBy(
  updates: readonly Update[],
  nowMs: number,
  model: GraphModel = conformanceGraph,
): Map<string, VisibleState> {
  const visible = visibleGraph(model, graphOf(model, updates), nowMs);
  return new Map(
    [...visible].map(([key, { firstSeenMs, lastSeenMs, properties }]) => [
      key,
      { firstSeenMs, lastSeenMs, properties: { ...properties } },
    ]),
  );
}

export interface ListedEdge {
  readonly neighbour: string;
  readonly lastSeenMs: number;
  readonly firstSeenMs: number;
  readonly properties: readonly PropertyValue[];
}

export interface Listing {
  readonly edges: readonly ListedEdge[];
  readonly end: "limit" | "scan" | "complete" | undefined;
  readonly cursor: AdjacencyBatch["cursor"];
  readonly scanned: number;
}

export type ListingOptions = Partial<Omit<AdjacencyRequest, "edge" | "direction" | "records">> & {
  readonly after?: AdjacencyBatch["cursor"];
};

/** One node's adjacency, gathered from its batches. */
export async function listingOf(
  store: Store,
  edge: number,
  direction: Direction,
  id: string,
  { after, ...options }: ListingOptions = {},
  model: GraphModel = conformanceGraph,
): Promise<Listing> {
  const { from, to } = model.edges[edge]!;
  const [here, there] = (direction === "out" ? [from, to] : [to, from]).map((name) =>
    model.nodes.findIndex((node) => node.name === name),
  ) as [number, number];
  const reader = store.reader();
  const signal = new AbortController().signal;
  const [reference] = await reader.find(here, [id], signal);
  const edges: ListedEdge[] = [];
  let last: AdjacencyBatch | undefined;
  let scanned = 0;
  if (reference !== undefined && reference >= 0) {
    const request: AdjacencyRequest = {
      edge,
      direction,
      order: "latest",
      limit: 1_000_000,
      scanMax: 1_000_000,
      select: model.edges[edge]!.properties.map((_, i) => i),
      records: [{ reference, ...(after !== undefined && { after }) }],
      ...options,
    };
    for await (const batch of reader.adjacency(request, signal)) {
      for (let i = 0; i < batch.count; i++) {
        edges.push({
          neighbour: reader.id(there, batch.neighbours[i]!),
          lastSeenMs: batch.lastSeenMs[i]!,
          firstSeenMs: batch.firstSeenMs[i]!,
          properties: batch.properties.map((values) => values[i]),
        });
      }
      scanned += batch.scanned;
      last = batch;
    }
  }
  reader.close();
  return { edges, end: last?.end, cursor: last?.cursor, scanned };
}

/** All differences that the store finds in itself. */
export async function differencesOf(store: Store): Promise<string[]> {
  const differences: string[] = [];
  for await (const { type, element, what } of store.verify()) differences.push(`${type} ${element}: ${what}`);
  return differences;
}

export async function gather<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of stream) all.push(one);
  return all;
}

export async function neighbours(store: Store, type: number, direction: Direction, id: string): Promise<string[]> {
  return (await listingOf(store, type, direction, id)).edges.map(({ neighbour }) => neighbour);
}
