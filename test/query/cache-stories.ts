// Stories of a store with a cache before it: what is asked, what is applied, how time passes. Few elements and few questions, so that they meet.
import * as fc from "fast-check";
import { expect } from "vitest";
import type { GraphModel } from "../../src/model/definition.ts";
import type { Update } from "../../src/model/update/element.ts";
import {
  anyUpdate,
  baseMs,
  conformanceGraph as model,
  remove,
  ttlMs as elementTtlMs,
  upsertEdge,
} from "../../src/store/conformance-graph.ts";
import type { AdjacencyRequest, Store, StoreReader } from "../../src/store/port.ts";

/** For how long entries of the stories' caches live. */
export const ttlMs = 400;
const signal = new AbortController().signal;

/** The same store as one that is elsewhere. */
export function remote(store: Store): Store {
  const { local: _, ...capabilities } = store.capabilities;
  return wrapped(store, { capabilities });
}

export function wrapped<T extends object>(of: T, replaced: Partial<T>): T {
  return new Proxy(of, {
    get(target, name) {
      if (name in replaced) return Reflect.get(replaced, name) as unknown;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

export interface Asked {
  readonly type: number;
  readonly ids: readonly string[];
  readonly select: readonly number[];
  readonly adjacency: Omit<AdjacencyRequest, "records">;
}

const ids = ["a", "b", "ab", "never"];
const nodesOf = ({ from, to }: GraphModel["edges"][number], direction: "in" | "out"): number =>
  model.nodes.findIndex(({ name }) => name === (direction === "out" ? from : to));

export const asked: fc.Arbitrary<Asked> = fc
  .record({ edge: fc.nat(model.edges.length - 1), direction: fc.constantFrom("out" as const, "in" as const) })
  .chain(({ edge, direction }) => {
    const type = nodesOf(model.edges[edge]!, direction);
    const moment = fc.option(
      fc.integer({ min: -1, max: 13 }).map((offset) => baseMs + offset),
      { nil: undefined },
    );
    return fc.record({
      type: fc.constant(type),
      ids: fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 3 }),
      select: fc.subarray(model.nodes[type]!.properties.map((_, i) => i)),
      adjacency: fc
        .record({
          edge: fc.constant(edge),
          direction: fc.constant(direction),
          order: fc.constantFrom("latest" as const, "latest" as const, "any" as const),
          limit: fc.integer({ min: 1, max: 5 }),
          scanMax: fc.constantFrom(1_000, 1_000, 2),
          sinceMs: moment,
          untilMs: fc.oneof(fc.constant(undefined), fc.constant(undefined), moment),
          select: fc.subarray(model.edges[edge]!.properties.map((_, i) => i)),
        })
        .map(({ sinceMs, untilMs, ...rest }) => ({
          ...rest,
          ...(sinceMs !== undefined && { sinceMs }),
          ...(untilMs !== undefined && { untilMs }),
        })),
    });
  });

/** Everything that a request can be told, without references. */
async function answersOf(reader: StoreReader, { type, ids, select, adjacency }: Asked): Promise<unknown> {
  const found = await reader.find(type, ids, signal);
  const references = found.filter((reference) => reference >= 0);
  const { visible, firstSeenMs, lastSeenMs, properties } = await reader.nodes({ type, references, select }, signal);
  const nodes = Array.from(references, (reference, i) =>
    visible[i] === 1
      ? [reader.id(type, reference), firstSeenMs[i], lastSeenMs[i], properties.map((column) => column[i])]
      : [reader.id(type, reference)],
  );
  const there = nodesOf(model.edges[adjacency.edge]!, adjacency.direction === "out" ? "in" : "out");
  const lists = Array.from(references, () => ({ edges: [] as unknown[], end: "", cursor: undefined as unknown }));
  const records = Array.from(references, (reference) => ({ reference }));
  for await (const batch of reader.adjacency({ ...adjacency, records }, signal)) {
    const list = lists[batch.record]!;
    for (let i = 0; i < batch.count; i++) {
      const row = [batch.firstSeenMs[i], batch.lastSeenMs[i], batch.properties.map((column) => column[i])];
      list.edges.push([reader.id(there, batch.neighbours[i]!), ...row]);
    }
    if (batch.end !== undefined) Object.assign(list, { end: batch.end, cursor: batch.cursor });
  }
  return { found: nodes, lists: lists.map((list) => (list.end === "complete" ? { ...list, cursor: 0 } : list)) };
}

export async function ask(store: Store, question: Asked, options = {}): Promise<unknown> {
  const reader = store.reader(options);
  try {
    return await answersOf(reader, question);
  } finally {
    reader.close();
  }
}

/** A cache may say that there may be more where a list ends exactly at the limit. */
export function expectSame(cached: unknown, plain: unknown, { adjacency: { limit } }: Asked): void {
  type Lists = { lists: { edges: unknown[]; end: string; cursor: unknown }[] };
  for (const [i, list] of (plain as Lists).lists.entries()) {
    const other = (cached as Lists).lists[i];
    if (list.end !== "complete" || list.edges.length !== limit || other?.end !== "limit") continue;
    Object.assign(other, { end: list.end, cursor: list.cursor });
  }
  expect(cached).toEqual(plain);
}

const few = ["a", "b", "ab"];

/** Updates of few elements, so that they meet in what was read. */
export const update: fc.Arbitrary<Update> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(anyUpdate(true), fc.constantFrom(...few), fc.constantFrom(...few))
      .map(([any, id, to]): Update => (any.kind === "node" ? { ...any, id } : { ...any, from: id, to })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("person", "thing"), fc.constantFrom(...few), fc.integer({ min: 0, max: 12 }))
      .map(([type, id, offset]) => remove({ kind: "node", type, id }, baseMs + offset)),
  },
);
/** A graph to begin with: all edges of the few, at any time. */
export const seeding: fc.Arbitrary<readonly Update[]> = fc
  .array(fc.integer({ min: 0, max: 12 }), { minLength: 27, maxLength: 27 })
  .map((offsets) =>
    offsets.map((offset, i) =>
      upsertEdge(
        ["knows", "owns", "uses"][i % 3]!,
        few[Math.floor(i / 3) % 3]!,
        few[Math.floor(i / 9)]!,
        baseMs + offset,
      ),
    ),
  );

export type Step =
  | { readonly kind: "ask"; readonly question: Asked }
  | { readonly kind: "apply"; readonly updates: readonly Update[] }
  | { readonly kind: "pass"; readonly ms: number };

/** Few questions, so that they are asked again. */
export const stories: fc.Arbitrary<readonly Step[]> = fc
  .array(asked, { minLength: 1, maxLength: 4 })
  .chain((questions) =>
    fc.array(
      fc.oneof(
        { weight: 5, arbitrary: fc.constantFrom(...questions).map((question): Step => ({ kind: "ask", question })) },
        {
          weight: 3,
          arbitrary: fc
            .oneof(seeding, fc.array(update, { minLength: 1, maxLength: 3 }))
            .map((updates): Step => ({ kind: "apply", updates })),
        },
        {
          weight: 2,
          arbitrary: fc
            .constantFrom(1, ttlMs / 8, ttlMs - 1, ttlMs, elementTtlMs)
            .map((ms): Step => ({ kind: "pass", ms })),
        },
      ),
      { minLength: 4, maxLength: 40, size: "max" },
    ),
  );
