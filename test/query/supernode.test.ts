// A node with two million edges, as a start and in the middle: what is read of it is bounded by limits and budgets, whatever its size. Its store makes edges when
// they are asked for, and counts them.
import { expect, test } from "vitest";
import type { Clock } from "../../src/core/clock.ts";
import { systemTimers } from "../../src/core/clock.ts";
import type { GraphModel } from "../../src/model/definition.ts";
import type { TraverseAnswer } from "../../src/model/traversal.ts";
import { createQueries } from "../../src/query/queries.ts";
import { servedStore } from "../../src/query/served-store.ts";
import { baseMs, conformanceGraph } from "../../src/store/conformance-graph.ts";
import type { AdjacencyBatch, AdjacencyRequest, NodeRows, Store, StoreReader } from "../../src/store/port.ts";

const edgesOfHub = 2_000_000;
const batchMax = 100;
const nowMs = baseMs + edgesOfHub;
const clock: Clock = { now: () => nowMs, monotonicMs: () => 0 };

const model: GraphModel = {
  ...conformanceGraph,
  nodes: [{ name: "person", properties: [{ name: "name", type: { kind: "string" }, merge: "last" }] }],
  edges: [
    {
      name: "knows",
      from: "person",
      to: "person",
      properties: [{ name: "weight", type: { kind: "int32" }, merge: "last" }],
    },
  ],
};

/** Person 0 is the hub: it knows all others, and they know it. Reference and id are the number. */
class HubReader implements StoreReader {
  made = 0;
  read = 0;

  async find(_type: number, ids: readonly string[]): Promise<Int32Array> {
    return Int32Array.from(ids, Number);
  }

  id(_type: number, reference: number): string {
    return String(reference);
  }

  async nodes({ references, select }: { references: Int32Array; select: readonly number[] }): Promise<NodeRows> {
    this.read += references.length;
    const times = new Float64Array(references.length).fill(baseMs);
    const names = Array.from(references, (reference) => `name of ${reference}`);
    return {
      visible: new Uint8Array(references.length).fill(1),
      firstSeenMs: times,
      lastSeenMs: times,
      properties: select.map(() => names),
    };
  }

  async *adjacency(request: AdjacencyRequest, signal: AbortSignal): AsyncIterable<AdjacencyBatch> {
    const { records, limit, scanMax, select, sinceMs = -Infinity } = request;
    for (const [record, { reference, after }] of records.entries()) {
      const size = reference === 0 ? edgesOfHub : 1;
      // The edge to neighbour n was seen at baseMs + n: newest first is n descending.
      let next =
        reference === 0 ? (after === undefined ? size : Number(after.neighbour) - 1) : after === undefined ? 0 : -1;
      for (let taken = 0; ;) {
        signal.throwIfAborted();
        const last = reference === 0 ? Math.max(1, sinceMs - baseMs) : 0;
        const room = Math.min(batchMax, limit - taken, scanMax - taken);
        const count = Math.max(0, Math.min(room, next - last + 1));
        const neighbours = Int32Array.from({ length: count }, (_, i) => next - i);
        const times = Float64Array.from(neighbours, (neighbour) => baseMs + neighbour);
        this.made += count;
        taken += count;
        next -= count;
        const batch = {
          record,
          count,
          neighbours,
          firstSeenMs: times,
          lastSeenMs: times,
          properties: select.map(() => Array.from(neighbours, (neighbour) => neighbour % 1_000)),
          scanned: count,
        };
        const cursor = { lastSeenMs: baseMs + next + 1, neighbour: String(next + 1) };
        const end = next < last ? "complete" : taken >= limit ? "limit" : taken >= scanMax ? "scan" : undefined;
        yield end === undefined ? batch : end === "complete" ? { ...batch, end } : { ...batch, end, cursor };
        if (end !== undefined) break;
      }
    }
  }

  edge(): Promise<never> {
    throw new Error("Nobody asks.");
  }

  degrees(): Promise<never> {
    throw new Error("Nobody asks.");
  }

  close(): void {}
}

interface Asked {
  readonly answer: TraverseAnswer;
  /** Edges that the store made, nodes that it read. */
  readonly made: number;
  readonly read: number;
}

function subject(
  filters: boolean,
  cacheBytesMax = 0,
): { ask: (request: object) => Promise<Asked>; bytes: () => number } {
  let reader = new HubReader();
  const absent = (): never => {
    throw new Error("Nobody asks.");
  };
  const store: Store = {
    capabilities: {
      local: true,
      atomicPositions: true,
      exactDegrees: false,
      filters: { edge: filters, node: filters },
    },
    applied: async () => ({ sources: new Map(), inputs: [] }),
    reader: () => (reader = new HubReader()),
    apply: absent,
    verify: absent,
    scan: absent,
    statistics: absent,
    close: async () => undefined,
  };
  const served = servedStore({ store, model, clock, timers: systemTimers, cacheBytesMax, cacheTtlMs: 1_000 });
  const queries = createQueries({
    model,
    store: served.store,
    clock,
    waitFor: async () => true,
    continuationKey: new Uint8Array(32),
  });
  const ask = async (request: object): Promise<Asked> => {
    const { json } = await queries.traverse(request, { signal: new AbortController().signal });
    return { answer: JSON.parse(Buffer.from(json).toString()) as TraverseAnswer, made: reader.made, read: reader.read };
  };
  return { ask, bytes: () => served.figures().cache?.bytes ?? 0 };
}

const from = { type: "person", ids: ["0"] };
const ever = { since: "ever" };

test("as a start, the newest hundred cost a hundred", async () => {
  const { answer, made, read } = await subject(true).ask({ from, hops: [{ edge: "knows", limit: 100, ...ever }] });
  expect([made, read]).toEqual([100, 101]);
  expect(answer.levels[1]!.nodes[0]).toMatchObject({ id: String(edgesOfHub) });
  expect(answer.hops).toMatchObject([{ complete: false, truncated: { cause: "limit", nodes: 1 } }]);
});

test("in the middle, on both sides of it, limits hold at every level", async () => {
  const hops = [
    { edge: "knows", direction: "out", limit: 50, ...ever },
    { edge: "knows", direction: "in", limit: 1, ...ever },
    { edge: "knows", limit: 200, ...ever },
    { edge: "knows", limit: 10, ...ever },
  ];
  const { answer, made } = await subject(true).ask({ from: { type: "person", ids: ["7"] }, hops });
  expect(answer.levels.map(({ nodes }) => nodes.length)).toEqual([1, 1, 1, 1, 10]);
  // One to the hub, from it one back, one to the hub again, and ten.
  expect(made).toBe(1 + 1 + 1 + 10);
});

test("what a filter passes by is bounded by the budget of edges looked at, and the answer goes on from there", async () => {
  const where = { edge: { weight: 999_999 } };
  const { ask } = subject(false);
  const { answer, made } = await ask({ from, hops: [{ edge: "knows", where, ...ever }], budget: { scanned: 20_000 } });
  expect(made).toBeLessThanOrEqual(20_000);
  const [hop] = answer.hops as readonly unknown[] as readonly { truncated: { cause: string; next: string } }[];
  expect(hop!.truncated.cause).toBe("scan");
  const next = await ask({ continue: hop!.truncated.next, budget: { scanned: 30_000 } });
  expect(next.made).toBeLessThanOrEqual(30_000);
  expect(next.answer.hops).toMatchObject([{ truncated: { cause: "scan" } }]);
});

test("nothing of it piles up: memory stays that of the answer", async () => {
  const { ask } = subject(false);
  const request = { from, hops: [{ edge: "knows", limit: 10_000, where: { edge: { weight: 5 } }, ...ever }] };
  await ask(request);
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 2; i++) {
    const { answer, made } = await ask(request);
    expect(made).toBe(1_000_000);
    expect(answer.levels[1]!.edges).toHaveLength(1_000);
    expect(answer.hops).toMatchObject([{ truncated: { cause: "scan" } }]);
  }
  // Two million edges of some 50 bytes each went by.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(60_000_000);
});

test("the cache keeps its newest edges only", async () => {
  const { ask, bytes } = subject(true, 10_000_000);
  const request = { from, hops: [{ edge: "knows", limit: 10_000, ...ever }] };
  expect((await ask(request)).made).toBe(10_000);
  const short = await ask({ from, hops: [{ edge: "knows", limit: 1_000, ...ever }] });
  expect([short.made, short.answer.levels[1]!.edges!.length]).toEqual([0, 1_000]);
  expect((await ask(request)).made).toBe(10_000);
  expect(bytes()).toBeLessThan(10_000_000);
});
