// Traversals over several edge types: mixed levels, explanations, budgets, who may not read a type.
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import {
  clock,
  context,
  model,
  upsertEdge,
  filledStore,
  open,
  request,
  ask,
  edgesOf,
  nextOf,
  watched,
} from "../../test/query/wide-graph.ts";
import type { HopRequest, TraverseAnswer } from "../model/traversal.ts";
import { batchOfElements } from "../model/update/batch-of-elements.ts";
import { graphOf } from "../model/update/oracle.ts";
import { referenceStore } from "../testing/reference-store.ts";

const wideGolden = new URL("../../test/golden/traversal/wide-answer.v2.json", import.meta.url);

const wide = request(
  [
    { edge: "*", repeat: { times: 2, until: { blocked: true } }, limit: 2 },
    { edge: ["uses", { type: "knows", limit: 1, direction: "both" }], direction: "both" },
  ],
  { explain: "profile" },
);

describe("an answer of mixed levels and a repetition", () => {
  test("has its form, and its tokens have theirs", async () => {
    const { json } = await (await open()).traverse(wide, context);
    expect(`${Buffer.from(json).toString()}\n`).toBe(await readFile(wideGolden, "utf8"));
  });

  test("is gone on with by a server that was started later", async () => {
    const golden = JSON.parse(await readFile(wideGolden, "utf8")) as TraverseAnswer;
    const queries = await open();
    const first = await ask(queries, { continue: nextOf(golden, 0) });
    expect([first.fromHop, first.hops[0]]).toMatchObject([undefined, { hop: 0, repetition: 1 }]);
    expect(edgesOf(first)[0]).toBe("1 b knows a");
    const second = await ask(queries, { continue: nextOf(golden, 1), explain: "plan" });
    expect(second.explain!.hops.map(({ hop, repetition }) => [hop, repetition])).toEqual([
      [0, 2],
      [1, undefined],
    ]);
  });
});

describe("an explanation", () => {
  test("of the plan alone reads nothing, and neither does an impossible path", async () => {
    const store = new Proxy(await filledStore(), {
      get(target, name) {
        if (name === "capabilities") return target.capabilities;
        throw new Error(`The store was asked for ${String(name)}.`);
      },
    });
    const waitFor = () => Promise.reject(new Error("It waited."));
    const queries = await open({ store, waitFor });
    const { levels, hops, complete, explain } = await ask(queries, request([{ edge: "*" }], { explain: "plan" }));
    expect([levels, hops, complete]).toEqual([[], [], true]);
    expect(explain!.hops[0]!.branches.map((branch) => [branch.edge, branch.direction])).toEqual([
      ["knows", "both"],
      ["uses", "out"],
    ]);
    expect(explain!.budget).toEqual({ edges: 100_000, scanned: 1_000_000, bytes: 67_108_864, timeoutMs: 10_000 });
    const impossible = queries.traverse(request([{ edge: "uses" }, { edge: "knows" }]), context);
    await expect(impossible).rejects.toMatchObject({ code: "impossible_hop" });
  });

  test("with figures tells what each level cost", async () => {
    const hops: HopRequest[] = [{ edge: "knows" }, { edge: "uses", where: { node: { label: { prefix: "y" } } } }];
    const { explain } = await ask(await open(), request(hops, { explain: "profile" }));
    const cost = { cacheHits: 0, cacheMisses: 0, adjacencyUs: 0, nodesUs: 0, enrichUs: 0 };
    expect(explain!.levels).toEqual([
      { frontier: 1, scanned: 2, filtered: 0, returned: 2, ...cost },
      { frontier: 2, scanned: 3, filtered: 1, returned: 2, ...cost },
    ]);
    expect(explain!.totals).toEqual({ waitUs: 0, planUs: 0, walkUs: 0, encodeUs: 0 });
  });
});

describe("a budget", () => {
  test("of bytes ends a hop with a token, never with an error", async () => {
    const queries = await open();
    const hops: HopRequest[] = [{ edge: "uses" }, { edge: "uses", direction: "in" }];
    const first = await ask(queries, request(hops, { budget: { bytes: 10 } }));
    expect(first.hops).toMatchObject([{ complete: true }, { truncated: { cause: "budget_bytes", nodes: 1 } }]);
    const second = await ask(queries, { continue: nextOf(first, 1), budget: { bytes: 10 } });
    expect(edgesOf(second)).toEqual(["1 a uses d1", "1 b uses d1"]);
    expect(second.fromHop).toBe(1);
  });

  /**
   * Both ways, four edges of `knows` are eight that are read; of a budget of nine one is left for `uses`. Four come back when `spent` is called: while `uses`
   * is read.
   */
  async function gaveBack(ids: readonly string[], spend: "when left" | "in a pause"): Promise<TraverseAnswer> {
    const [readTwice, spent] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let isReading = false;
    const waitForOthers = async (): Promise<void> => {
      if (isReading) spent.resolve();
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const store = watched(
      await filledStore(),
      async ({ edge: type }) => {
        if (type === 0) return;
        await readTwice.promise;
        isReading = true;
      },
      async ({ edge: type, direction }) => {
        if (type === 1) return spend === "when left" ? waitForOthers() : undefined;
        if (direction === "out") return;
        readTwice.resolve();
        await spent.promise;
      },
    );
    let nowMs = 0;
    const pausing = { clock: { ...clock, monotonicMs: () => (nowMs += 20) }, turns: { next: waitForOthers } };
    const queries = await open({ store, ...(spend === "in a pause" ? pausing : {}) });
    const hops: HopRequest[] = [{ edge: ["uses", { type: "knows", direction: "both" }] }];
    return ask(queries, { from: { type: "account", ids }, hops, budget: { edges: 9 } });
  }

  test("of edges that a branch gives back is there for those that are walked at the same time", async () => {
    const answer = await gaveBack(["a", "b", "c"], "when left");
    expect(answer.hops).toEqual([{ complete: true }]);
    expect(edgesOf(answer)).toHaveLength(8);
  });

  test("of edges that is given back too late has left something out, and the answer says so", async () => {
    const answer = await gaveBack(["b", "a", "c"], "in a pause");
    expect(answer.hops).toMatchObject([{ truncated: { cause: "budget_edges", nodes: 1 } }]);
    const next = edgesOf(await ask(await open(), { continue: nextOf(answer, 0) }));
    expect([...edgesOf(answer), ...next].filter((text) => text.includes("uses"))).toHaveLength(4);
  });

  test("that another branch used up ends a walk behind what it has read already", async () => {
    const store = referenceStore({ model, clock });
    const many = ["knows", "uses"].flatMap((type) =>
      Array.from({ length: 150 }, (_, i) => upsertEdge(type, "a", `${type}${i}`, i)),
    );
    const batch = batchOfElements(model, [...graphOf(model, many).values()]);
    const frame = { source: "s", offset: 0, job: "j", timestampMs: 0, inputs: [], sizeBytes: 0 };
    await store.apply({ ...frame, updates: () => batch });
    const queries = await open({ store });
    const first = await ask(queries, request([{ edge: ["knows", "uses"] }], { budget: { edges: 200 } }));
    const second = await ask(queries, { continue: nextOf(first, 0) });
    const edges = [...edgesOf(first), ...edgesOf(second)];
    expect([edges.length, new Set(edges).size, second.complete]).toEqual([300, 300, true]);
  });

  test("of edges looked at is shared by the branches of a level", async () => {
    const scanned: number[] = [];
    const store = watched(await filledStore(), ({ scanMax }) => void scanned.push(scanMax));
    const queries = await open({ store });
    await ask(queries, request([{ edge: ["knows", "uses"] }, { edge: "knows" }], { budget: { scanned: 100 } }));
    expect(scanned).toEqual([50, 50, 97]);
  });
});

describe("who may not read a type", () => {
  const mayRead = (type: string): boolean => type !== "device";

  test("sees none of it by any edge type, and is refused what is named", async () => {
    const queries = await open();
    const answer = await ask(queries, request([{ edge: "*", repeat: { times: 3 } }]), { ...context, mayRead });
    expect(new Set(answer.levels.flatMap(({ nodes }) => nodes.map(({ type }) => type)))).toEqual(new Set(["account"]));
    const refused = { kind: "unauthorized", code: "type_not_readable" };
    const asked = { ...context, mayRead };
    await expect(queries.traverse(request([{ edge: "uses" }]), asked)).rejects.toMatchObject(refused);
    await expect(queries.node("device", "d1", asked)).rejects.toMatchObject(refused);
    const noEdges = { ...context, mayRead: (type: string) => type !== "uses" };
    await expect(queries.edge("uses", "a", "d1", noEdges)).rejects.toMatchObject(refused);
    await expect(queries.query({ query: "(account {id: 'a'})-[:uses]->()" }, noEdges)).rejects.toMatchObject(refused);
  });
});

test("enrichments that nobody declared are refused before anything is read", async () => {
  const asked = (await open()).traverse(request([], { enrich: ["score"] }), context);
  await expect(asked).rejects.toMatchObject({ code: "unknown_enrichment", place: "/enrich/0" });
});
