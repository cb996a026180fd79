// Shortest paths by example, and what questions ask of the store while they are answered.
import { describe, expect, test } from "vitest";
import { nowMs, model, open, openSlow, context, account, accounts, asOf } from "../../../test/query/small-graph.ts";
import { RdgError } from "../../core/errors.ts";
import type { StoreReader } from "../../store/port.ts";
import { referenceStore } from "../../testing/reference-store.ts";
import { lateError } from "../concurrency/adaptive-limit.ts";

describe("a shortest path", () => {
  test("crosses types, in both directions unless told otherwise", async () => {
    const questions = await open();
    const asked = { from: { type: "device", id: "d1" }, to: { type: "title", id: "t1" } };
    const answer = await questions.shortestPath(asked, context);
    expect(answer).toMatchObject({ found: true, length: 4, complete: true, asOf });
    expect(answer.path!.nodes.map(({ id }) => id)).toEqual(["d1", "a1", "d2", "a3", "t1"]);
    expect(answer.path!.edges.map(({ type, from, to }) => [type, from, to])).toEqual([
      ["uses", "a1", "d1"],
      ["uses", "a1", "d2"],
      ["uses", "a3", "d2"],
      ["watched", "a3", "t1"],
    ]);
    expect(await questions.shortestPath({ ...asked, maxDepth: 3 }, context)).toEqual({
      found: false,
      complete: true,
      asOf,
    });
    const recent = await questions.shortestPath({ ...asked, since: "1d" }, context);
    expect(recent.path!.nodes.map(({ id }) => id)).toEqual(["d1", "a2", "d2", "a3", "t1"]);
    const directed = { from: account("a4"), to: account("a1"), edge: "knows" };
    expect(await questions.shortestPath({ ...directed, direction: "out" }, context)).toMatchObject({ length: 1 });
    expect(await questions.shortestPath({ ...directed, direction: "in" }, context)).toMatchObject({ found: false });
  });

  test("leads through nodes that meet the condition; its end need not", async () => {
    const questions = await open();
    const asked = { from: account("a1"), to: account("a3"), edge: "uses" };
    const through = async (kind: string): Promise<boolean> =>
      (await questions.shortestPath({ ...asked, where: { node: { kind } } }, context)).found;
    expect(await through("phone")).toBe(true);
    expect(await through("tv")).toBe(false);
    const wrong = questions.shortestPath({ ...asked, where: { node: { colour: "red" } } }, context);
    await expect(wrong).rejects.toMatchObject({ code: "unknown_property", place: "/where/node/colour" });
    const times = { where: { edge: { times: { gte: 3 } } } };
    const any = await questions.shortestPath(
      { from: account("a1"), to: { type: "device", id: "d1" }, ...times },
      context,
    );
    expect(any).toMatchObject({ found: true, length: 1 });
  });

  test("to itself is there where the node is", async () => {
    const questions = await open();
    const itself = (id: string): Promise<unknown> =>
      questions.shortestPath({ from: account(id), to: account(id) }, context);
    expect(await itself("a1")).toMatchObject({ found: true, length: 0, path: { nodes: [{ id: "a1" }], edges: [] } });
    expect(await itself("a4")).toMatchObject({ found: true, length: 0 });
    expect(await itself("nobody")).toMatchObject({ found: false, complete: true });
  });

  test("selects of each type what it has", async () => {
    const select = { node: ["kind", "visits"], edge: [] };
    const asked = { from: account("a1"), to: account("a2"), edge: "uses", select };
    const { path } = await (await open()).shortestPath(asked, context);
    expect(path!.nodes.map(({ properties }) => properties)).toEqual([
      { visits: String(2n ** 60n) },
      { kind: "tv" },
      { visits: "1" },
    ]);
  });

  test("says what ended the search", async () => {
    const asked = { from: account("a1"), to: { type: "title", id: "t1" } };
    const scanned = await (await open()).shortestPath({ ...asked, budget: { scanned: 2 } }, context);
    expect(scanned).toMatchObject({ found: false, complete: false, truncated: { cause: "scan" } });
    const late = await openSlow();
    expect(await late.shortestPath({ ...asked, timeoutMs: 25 }, context)).toMatchObject({
      found: false,
      complete: false,
      truncated: { cause: "deadline" },
    });
    const limited = await (await open()).shortestPath({ ...asked, limit: 1, maxDepth: 3 }, context);
    expect(limited.complete || limited.truncated?.cause === "limit").toBe(true);
  });

  test("is looked for again when an edge has gone, and not without end", async () => {
    let misses = 2;
    const missing = (reader: StoreReader): Partial<StoreReader> => ({
      edge: async (request, signal) => (misses-- > 0 ? undefined : reader.edge(request, signal)),
    });
    const asked = { from: account("a1"), to: account("a3"), edge: "uses" };
    expect(await (await open({}, missing)).shortestPath(asked, context)).toMatchObject({ found: true, length: 2 });
    misses = Infinity;
    const never = (await open({}, missing)).shortestPath(asked, context);
    await expect(never).rejects.toMatchObject({ kind: "unavailable", code: "changed_meanwhile" });
  });
});

describe("the store", () => {
  const late = async (): Promise<never> => {
    throw lateError("reads of the store");
  };
  // oxlint-disable-next-line require-yield
  const lateStream = async function* (): AsyncGenerator<never> {
    await late();
  };
  const paths = { from: account("a1"), to: account("a3") };

  test("that is late ends a search at what is known", async () => {
    const questions = await open({}, () => ({ adjacency: lateStream, degrees: late }));
    const counted = await questions.count({ from: accounts("a1"), edge: "uses" }, context);
    expect(counted.counts).toMatchObject([{ count: 0, atLeast: true }]);
    const narrowed = await questions.count(
      { from: accounts("a1"), edge: "uses", since: "ever", until: "0ms" },
      context,
    );
    expect(narrowed.counts).toMatchObject([{ count: 0, atLeast: true }]);
    const truncated = { complete: false, truncated: { cause: "deadline" } };
    expect(await questions.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, context)).toMatchObject(
      truncated,
    );
    const noStreams = await open({}, () => ({ adjacency: lateStream }));
    expect(await noStreams.shortestPath(paths, context)).toMatchObject({ found: false, ...truncated });
    const found = await noStreams.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, context);
    expect(found).toMatchObject({ nodes: [], ...truncated });
  });

  test("that is late for what was found is told as the deadline", async () => {
    const questions = await open({}, () => ({ nodes: late, edge: late }));
    for (const asked of [
      questions.nodes({ type: "account", ids: ["a1"] }, context),
      questions.edges({ type: "uses", pairs: [{ from: "a1", to: "d1" }] }, context),
      questions.shortestPath(paths, context),
    ]) {
      await expect(asked).rejects.toMatchObject({ code: "deadline_exceeded" });
    }
    const common = await questions.commonNeighbours({ of: accounts("a1", "a2"), edge: "uses" }, context);
    expect(common).toMatchObject({ nodes: [], truncated: { cause: "deadline" } });
  });

  test("that fails fails the question", async () => {
    const failing = async (): Promise<never> => {
      throw new RdgError("unavailable", "store_down", "The store is down.");
    };
    const questions = await open({}, () => ({ find: failing }));
    await expect(questions.count({ from: accounts("a1"), edge: "uses" }, context)).rejects.toMatchObject({
      code: "store_down",
    });
    const deep = await open({}, () => ({ degrees: failing, edge: failing }));
    await expect(deep.shortestPath(paths, context)).rejects.toMatchObject({ code: "store_down" });
  });

  test("is let go of, whatever happens, and what was scanned is charged", async () => {
    let [opened, closed, charged] = [0, 0, 0];
    const questions = await open({}, (reader) => {
      opened++;
      return {
        close: () => {
          closed++;
          reader.close();
        },
      };
    });
    const charge = (scanned: number): void => void (charged += scanned);
    await questions.nodes({ type: "account", ids: ["a1", "a2"] }, { ...context, charge });
    expect(charged).toBe(2);
    await questions.shortestPath(paths, { ...context, charge });
    expect(charged).toBeGreaterThan(2);
    const gone = new AbortController();
    gone.abort();
    await expect(questions.shortestPath(paths, { signal: gone.signal })).rejects.toMatchObject({
      code: "request_aborted",
    });
    expect(opened).toBe(closed);
  });

  test("is told of the deadline, and whether a cache may answer", async () => {
    const told: unknown[] = [];
    const store = referenceStore({ model, clock: { now: () => nowMs, monotonicMs: () => 7 } });
    const reader = store.reader.bind(store);
    store.reader = (options) => {
      told.push(options);
      return reader(options);
    };
    const questions = await open({ store, clock: { now: () => nowMs, monotonicMs: () => 7 } });
    await questions.count({ from: accounts("a1"), edge: "uses", timeoutMs: 50, cache: false }, context);
    expect(told).toMatchObject([{ deadlineMs: 57, cache: false }]);
  });
});
