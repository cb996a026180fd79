// Nodes with millions of edges, at the ends of a question and in the middle: what is looked at, and for how long at a stretch, stays bounded. The store here makes
// edges up as they are looked at, so that two million of them take no memory, and takes a millisecond of the clock for every hundred.
import { describe, expect, test } from "vitest";
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { GraphModel } from "../../model/definition.ts";
import type {
  AdjacencyBatch,
  AdjacencyRequest,
  Degree,
  DegreesRequest,
  EdgeRequest,
  EdgeRow,
  NodeRows,
  NodesRequest,
  Store,
  StoreReader,
} from "../../store/port.ts";
import type { QueryContext, Questions } from "../port.ts";
import { createQueries } from "../queries.ts";

const nowMs = Date.parse("2026-11-21T12:00:00Z");
const millions = 2_000_000;
const model: GraphModel = {
  format: 1,
  name: "supernodes",
  events: [],
  sideInputs: [],
  nodes: [{ name: "node", properties: [] }],
  edges: [{ name: "to", from: "node", to: "node", properties: [] }],
  jobs: [],
  skewMaxMs: 0,
  latenessMs: 0,
  tombstoneGraceMs: 0,
};

/** Out-edges of a node: a list, or the nodes [from, to), the last of which is the newest, and one that is older. */
type Edges = readonly number[] | { readonly from: number; readonly to: number; readonly oldest?: number };

/** Nodes are numbers; those that are not named have no out-edges. In-edges are found only of those that are named. */
class EndlessStore implements Pick<Store, "capabilities" | "applied" | "reader"> {
  readonly capabilities = {
    atomicPositions: true,
    exactDegrees: true,
    local: true,
    filters: { edge: true, node: true },
  };
  readonly #out: ReadonlyMap<number, Edges>;
  /** Edges that were looked at. */
  scanned = 0;
  /** Single edges that were looked for. */
  probed = 0;
  ms = 0;
  #stretchFromMs = 0;
  longestStretchMs = 0;
  readonly clock: Clock = { now: () => nowMs, monotonicMs: () => this.ms };
  readonly turns = {
    next: async (): Promise<void> => {
      this.longestStretchMs = Math.max(this.longestStretchMs, this.ms - this.#stretchFromMs);
      this.#stretchFromMs = this.ms;
    },
  };

  constructor(out: ReadonlyMap<number, Edges>) {
    this.#out = out;
  }

  async applied(): ReturnType<Store["applied"]> {
    return { sources: new Map(), inputs: [] };
  }

  reader(): StoreReader {
    return {
      find: async (_, ids) => Int32Array.from(ids, Number),
      id: (_, reference) => String(reference),
      nodes: async (request) => this.#nodes(request),
      adjacency: (request, signal) => this.#adjacency(request, signal),
      edge: async (request) => this.#edge(request),
      degrees: async (request) => this.#degrees(request),
      close() {},
    };
  }

  #neighbours(direction: "out" | "in", node: number): { readonly count: number; readonly at: (i: number) => number } {
    const edges = direction === "out" ? (this.#out.get(node) ?? []) : this.#into(node);
    if ("from" in edges) {
      const { from, to, oldest } = edges;
      const at = (i: number): number => (i === to - from ? oldest! : to - 1 - i);
      return { count: to - from + (oldest === undefined ? 0 : 1), at };
    }
    return { count: edges.length, at: (i) => edges[i]! };
  }

  #into(node: number): readonly number[] {
    return [...this.#out.keys()].filter((from) => this.#has(from, node));
  }

  #has(from: number, to: number): boolean {
    const edges = this.#out.get(from) ?? [];
    return "from" in edges ? (to >= edges.from && to < edges.to) || to === edges.oldest : edges.includes(to);
  }

  #nodes({ references }: NodesRequest): NodeRows {
    const { length } = references;
    const times = new Float64Array(length).fill(nowMs);
    return { visible: new Uint8Array(length).fill(1), firstSeenMs: times, lastSeenMs: times, properties: [] };
  }

  #edge({ from, to }: EdgeRequest): EdgeRow | undefined {
    this.probed++;
    this.ms += 0.01;
    if (!this.#has(Number(from), Number(to))) return undefined;
    return { firstSeenMs: nowMs, lastSeenMs: nowMs, properties: [] };
  }

  #degrees({ direction, references }: DegreesRequest): Degree[] {
    return Array.from(references, (node) => ({ count: this.#neighbours(direction, node).count, exact: true }));
  }

  async *#adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncGenerator<AdjacencyBatch> {
    for (const [record, { reference }] of request.records.entries()) {
      const { count, at } = this.#neighbours(request.direction, reference);
      const max = Math.min(count, request.scanMax);
      for (let from = 0; ; from += 100) {
        signal.throwIfAborted();
        const to = Math.min(from + 100, max);
        const neighbours = Int32Array.from({ length: to - from }, (_, i) => at(from + i));
        const times = new Float64Array(neighbours.length).fill(nowMs);
        this.scanned += neighbours.length;
        this.ms += 1;
        const end = to < max ? undefined : count > max ? "scan" : "complete";
        const batch = { record, count: neighbours.length, neighbours, firstSeenMs: times, lastSeenMs: times };
        yield { ...batch, properties: [], scanned: neighbours.length, ...(end && { end }) };
        if (end !== undefined) break;
      }
    }
  }
}

function open(edges: Readonly<Record<number, Edges>>): { store: EndlessStore; questions: Questions } {
  const store = new EndlessStore(new Map(Object.entries(edges).map(([node, of]) => [Number(node), of])));
  const questions = createQueries({
    model,
    store: store as unknown as Store,
    clock: store.clock,
    turns: store.turns,
    waitFor: async () => true,
    continuationKey: new Uint8Array(32),
  });
  return { store, questions };
}

const context: QueryContext = { signal: new AbortController().signal };
const named = (id: number): object => ({ type: "node", id: String(id) });
const many = (from: number): Edges => ({ from, to: from + millions });
/** What two million edges start with: nobody else leads there. */
const [one, other] = [1, 2];
const [first, second] = [10_000_000, 20_000_000];

describe("a path", () => {
  test("from a supernode to one of its oldest neighbours is found from the other end", async () => {
    const { store, questions } = open({ [one]: many(first) });
    const answer = await questions.shortestPath({ from: named(one), to: named(first), maxDepth: 3 }, context);
    expect(answer).toMatchObject({ found: true, length: 1, complete: true });
    expect(store.scanned).toBeLessThan(10);
  });

  test("through a supernode is found without looking through it", async () => {
    const { store, questions } = open({ [one]: many(first) });
    const asked = { from: named(first), to: named(first + 1) };
    expect(await questions.shortestPath(asked, context)).toMatchObject({ found: true, length: 2, complete: true });
    expect(store.scanned).toBeLessThan(10);
  });

  test("between two supernodes is found where one edge connects them, and proven where none does", async () => {
    const connected = open({ [one]: { from: other, to: millions }, [other]: many(second) });
    const asked = { from: named(one), to: named(other), direction: "out", maxDepth: 1 };
    expect(await connected.questions.shortestPath(asked, context)).toMatchObject({ found: true, length: 1 });
    const apart = open({ [one]: many(first), [other]: many(second) });
    const both = { ...asked, direction: "both" };
    expect(await apart.questions.shortestPath(both, context)).toMatchObject({ found: false, complete: true });
    expect(apart.store.scanned).toBeLessThan(3_000);
  });

  test("over the oldest edge of one of two supernodes is found from the other one", async () => {
    const { store, questions } = open({
      [one]: many(first),
      [other]: { from: second, to: second + 10, oldest: first },
    });
    const asked = { from: named(one), to: named(other), maxDepth: 2 };
    expect(await questions.shortestPath(asked, context)).toMatchObject({ found: true, length: 2, complete: true });
    const newest = open({ [one]: many(first), [other]: { from: first - millions + 1, to: first + 1 } });
    const found = newest.questions.shortestPath({ ...asked, limit: 500 }, context);
    expect(await found).toMatchObject({ found: true, length: 2, complete: true });
    expect(store.scanned + newest.store.scanned).toBeLessThan(3_000);
  });

  test("that only the oldest edges of two supernodes make is told as not proven", async () => {
    const { store, questions } = open({
      [one]: { from: first, to: first + millions, oldest: 7 },
      [other]: { from: second, to: second + millions, oldest: 7 },
    });
    const answer = await questions.shortestPath({ from: named(one), to: named(other), maxDepth: 2 }, context);
    expect(answer).toMatchObject({ found: false, complete: false, truncated: { cause: "limit" } });
    expect(store.scanned).toBeLessThan(3_000);
  });

  test("gives way to other work, and ends at its time", async () => {
    const { store, questions } = open({ [one]: many(first), [other]: many(second) });
    const asked = { from: named(one), to: named(other), limit: 10_000, timeoutMs: 300 };
    const answer = await questions.shortestPath(asked, context);
    expect(answer).toMatchObject({ found: false, complete: false, truncated: { cause: "deadline" } });
    expect(store.ms).toBeLessThan(305);
    expect(store.longestStretchMs).toBeLessThan(12);
  });

  test("is given up when nobody waits for it any more", async () => {
    const { store, questions } = open({ [one]: many(first), [other]: many(second) });
    const caller = new AbortController();
    store.turns.next = async () => caller.abort();
    const asked = questions.shortestPath(
      { from: named(one), to: named(other), limit: 10_000 },
      { signal: caller.signal },
    );
    await expect(asked).rejects.toBeInstanceOf(RdgError);
    expect(store.scanned).toBeLessThan(2_000);
  });
});

describe("common neighbours", () => {
  const of = (...ids: number[]): object => ({ type: "node", ids: ids.map(String) });

  test("of a supernode and a small node cost what the small one has", async () => {
    const { store, questions } = open({ [one]: many(first), [other]: [first, first + 5, 7] });
    const answer = await questions.commonNeighbours({ of: of(one, other), edge: "to" }, context);
    expect(answer.nodes.map(({ id }) => id)).toEqual([String(first), String(first + 5)]);
    expect(answer.complete).toBe(true);
    expect(store.scanned).toBe(3);
    expect(store.probed).toBeLessThan(20);
  });

  test("of two small nodes are found by going through both", async () => {
    const small = Array.from({ length: 50 }, (_, i) => i + 100);
    const { store, questions } = open({ [one]: small, [other]: small.slice(0, 40) });
    const answer = await questions.commonNeighbours({ of: of(one, other), edge: "to", limit: 10 }, context);
    expect(answer).toMatchObject({ complete: false, truncated: { cause: "limit" } });
    expect([answer.nodes.length, answer.edges.length, store.scanned, store.probed]).toEqual([10, 20, 90, 20]);
  });

  test("of two supernodes are the newest of them, as far as the budget goes", async () => {
    const { store, questions } = open({ [one]: many(first), [other]: many(first + 100) });
    const asked = { of: of(one, other), edge: "to", budget: { scanned: 20_000 }, limit: 50, timeoutMs: 60_000 };
    const answer = await questions.commonNeighbours(asked, context);
    expect(answer.nodes).toHaveLength(50);
    expect(answer).toMatchObject({ complete: false, truncated: { cause: "scan" } });
    expect(store.scanned + store.probed).toBeLessThan(20_200);
    expect(store.longestStretchMs).toBeLessThan(12);
  });

  test("of supernodes are given in any order as soon as there are enough", async () => {
    const { store, questions } = open({ [one]: many(first), [other]: many(first + 100) });
    const asked = { of: of(one, other), edge: "to", budget: { scanned: 20_000 }, limit: 50, order: "any" };
    const answer = await questions.commonNeighbours(asked, context);
    expect(answer.nodes).toHaveLength(50);
    expect(store.probed).toBeLessThan(400);
  });

  test("end at their time with what was found until then", async () => {
    const { store, questions } = open({ [one]: many(first), [other]: many(first + 100) });
    const asked = { of: of(one, other), edge: "to", budget: { scanned: 20_000 }, limit: 10_000, timeoutMs: 120 };
    const answer = await questions.commonNeighbours(asked, context);
    expect(answer).toMatchObject({ complete: false, truncated: { cause: "deadline" } });
    expect(answer.nodes.length).toBeGreaterThan(0);
    expect(store.ms).toBeLessThan(125);
  });
});

test("a count of a supernode is looked up; a narrowed one is at least what the budget counts", async () => {
  const { store, questions } = open({ [one]: many(first) });
  const from = { type: "node", ids: [String(one)] };
  expect((await questions.count({ from, edge: "to" }, context)).counts).toMatchObject([{ count: millions }]);
  expect(store.scanned).toBe(0);
  const narrowed = { from, edge: "to", until: "0ms", budget: { scanned: 5_000 } };
  const { counts } = await questions.count(narrowed, context);
  expect(counts).toEqual([{ id: String(one), edge: "to", direction: "out", count: 5_000, atLeast: true }]);
  expect(store.longestStretchMs).toBeLessThan(12);
});
