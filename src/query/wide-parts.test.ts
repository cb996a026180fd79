// How wide traversals are walked and handed over: branches of a level at once, parts, tokens.
import { describe, expect, test } from "vitest";
import {
  clock,
  context,
  edge,
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
import { RdgError } from "../core/errors.ts";
import { Slots } from "../core/slots.ts";
import type { GraphModel } from "../model/definition.ts";
import type { HopRequest } from "../model/traversal.ts";
import { batchOfElements } from "../model/update/batch-of-elements.ts";
import { graphOf } from "../model/update/oracle.ts";
import { referenceStore } from "../testing/reference-store.ts";

describe("the branches of a level", () => {
  test("are read at the same time", async () => {
    let reading = 0;
    const both = Promise.withResolvers<void>();
    const store = watched(await filledStore(), () => {
      if (++reading === 2) both.resolve();
      return both.promise;
    });
    expect(edgesOf(await ask(await open({ store }), request([{ edge: ["knows", "uses"] }])))).toHaveLength(3);
  });

  test("have all ended before a failure of one of them is told and the reader is closed", async () => {
    let ended = false;
    const store = watched(await filledStore(), async ({ edge: type }) => {
      if (type === 0) throw new RdgError("unavailable", "store_gone", "It is gone.");
      await new Promise((resolve) => setImmediate(resolve));
      expect(store.open).toBe(1);
      ended = true;
    });
    const failed = (await open({ store })).traverse(request([{ edge: "*" }]), context);
    await expect(failed).rejects.toMatchObject({ code: "store_gone" });
    expect([ended, store.open]).toEqual([true, 0]);
  });
});

describe("parts", () => {
  const hops: HopRequest[] = [{ edge: ["knows", "uses"] }, { edge: "knows", direction: "both" }, { edge: "*" }];

  test("are walked level by level as they are asked for, in a slot each; leaving early closes the reader", async () => {
    const read: number[] = [];
    const store = watched(await filledStore(), ({ edge: type }) => void read.push(type));
    const slots = new Slots(1);
    const queries = await open({ store, slots });
    const kinds: string[] = [];
    for await (const part of queries.traverseParts(request(hops), context)) {
      kinds.push(part.kind === "end" ? part.kind : `${part.kind} ${part.level}`);
      expect([slots.taken, store.open]).toEqual([0, 1]);
      // A slow reader keeps nobody else from being answered.
      expect(edgesOf(await ask(queries, request([])))).toEqual([]);
      if (kinds.at(-1) === "edges 2") break;
    }
    expect(kinds).toEqual(["nodes 0", "edges 1", "edges 1", "nodes 1", "nodes 1", "edges 2"]);
    expect(read).toEqual([0, 1, 0, 0]);
    expect(store.open).toBe(0);
  });

  test("hold at most a thousand rows", async () => {
    const store = referenceStore({ model, clock });
    const many = Array.from({ length: 2_001 }, (_, i) => upsertEdge("knows", "a", `k${i}`, i));
    const batch = batchOfElements(model, [...graphOf(model, many).values()]);
    await store.apply({
      source: "s",
      offset: 0,
      job: "j",
      timestampMs: 0,
      inputs: [],
      sizeBytes: 0,
      updates: () => batch,
    });
    const sizes: number[] = [];
    for await (const part of (await open({ store })).traverseParts(request([{ edge: "knows", limit: 5_000 }]), context))
      if (part.kind !== "end") sizes.push(part.to - part.from);
    expect(sizes).toEqual([1, 1_000, 1_000, 1, 1_000, 1_000, 1]);
  });

  test("tell a refused request before anything", async () => {
    const parts = (await open()).traverseParts(request([{ edge: "nothing" }]), context);
    await expect(parts[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "unknown_edge_type" });
  });
});

describe("a token", () => {
  const cutAtB = request([{ edge: "knows" }, { edge: "*" }], { budget: { edges: 3 } });

  test("is refused when the definition means something else by then, or is of another graph", async () => {
    const next = nextOf(await ask(await open(), cutAtB), 1);
    const code = async (changed: GraphModel): Promise<unknown> =>
      (await open({ model: changed })).traverse({ continue: next }, context).then(
        () => "accepted",
        (error: RdgError) => error.code,
      );
    expect(await code({ ...model, name: "renamed", latenessMs: 5 })).toBe("accepted");
    expect(await code({ ...model, traversals: { limit: 5 } })).toBe("continuation_stale");
    expect(await code({ ...model, edges: [...model.edges, edge("owns", "account", "device")] })).toBe(
      "continuation_stale",
    );
    const foreign = await open({ continuationKey: new Uint8Array(32).fill(8) });
    await expect(foreign.traverse({ continue: next }, context)).rejects.toMatchObject({ code: "bad_continuation" });
  });

  test("goes on with what its holder may read, and no more", async () => {
    const queries = await open();
    const next = nextOf(await ask(queries, cutAtB), 1);
    const all = edgesOf(await ask(queries, { continue: next }));
    const mayRead = (type: string): boolean => type !== "uses";
    const less = edgesOf(await ask(queries, { continue: next }, { ...context, mayRead }));
    expect(all.some((text) => text.includes("uses"))).toBe(true);
    expect(less).toEqual(all.filter((text) => !text.includes("uses")));
    const named = nextOf(
      await ask(queries, request([{ edge: "uses" }, { edge: "uses", direction: "in", limit: 1 }])),
      1,
    );
    const refused = queries.traverse({ continue: named }, { ...context, mayRead });
    await expect(refused).rejects.toMatchObject({ kind: "unauthorized", code: "type_not_readable" });
  });
});
