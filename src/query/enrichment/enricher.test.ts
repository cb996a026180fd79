// Enrichments in traversals: batched, in parallel but not without bound, cached, timed, checked; whatever goes wrong is in the answer, and the answer is there.
import { setImmediate as turn } from "node:timers/promises";
import { beforeEach, describe, expect, test } from "vitest";
import { ManualTime } from "../../../test/log/manual-time.ts";
import {
  type AnyEnrichment,
  type EnrichmentOptions,
  defineGraph,
  enrichment,
  event,
  job,
  node,
  edge,
  t,
} from "../../index.ts";
import type { TraverseAnswer } from "../../model/traversal.ts";
import { batchOfElements } from "../../model/update/batch-of-elements.ts";
import { graphOf } from "../../model/update/oracle.ts";
import { referenceStore } from "../../testing/reference-store.ts";
import { createQueries } from "../queries.ts";
import { Enricher } from "./enricher.ts";

const startMs = Date.UTC(2026, 0, 1);
const account = node("account");
const title = node("title", { name: t.string() });
const watched = edge("watched", account, title);
const seen = event("seen", {
  key: "account",
  time: "at",
  fields: { account: t.string(), title: t.string(), at: t.timestamp() },
});
const fields = { amount: t.int64(), since: t.timestamp().optional(), tags: t.array(t.string()).optional() };
type Options = EnrichmentOptions<typeof title, typeof fields>;
type Load = Options["load"];

function prices(load: Load, options: Partial<Omit<Options, "load">> = {}): AnyEnrichment {
  return enrichment("prices", { on: title, fields, load, ...options });
}

const titles = 250;
const time = { current: new ManualTime(startMs) };
beforeEach(() => {
  time.current = new ManualTime(startMs);
});

class Subject {
  readonly notices: string[] = [];
  readonly enricher: Enricher;
  private readonly queries: ReturnType<typeof createQueries>;

  private constructor(enrichments: readonly AnyEnrichment[]) {
    const graph = defineGraph("shop", {
      jobs: [job(seen).emit((e) => [watched.upsert(e.account, e.title), title.upsert(e.title)])],
      enrichments,
    });
    const { model } = graph;
    const clock = time.current;
    const notice = (name: string, error: unknown): void =>
      void this.notices.push(`${name}: ${(error as Error).message}`);
    this.enricher = new Enricher({ enrichments: graph.enrichments.values(), model, clock, timers: clock, notice });
    const store = referenceStore({ model, clock });
    const updates = Array.from({ length: titles }, (_, i) => {
      return {
        kind: "edge",
        type: "watched",
        from: "a",
        to: `t${i}`,
        timeMs: startMs - i,
        operation: "upsert",
        properties: {},
      } as const;
    });
    const batch = batchOfElements(model, [...graphOf(model, updates).values()]);
    const frame = { source: "test", offset: 0, job: "seen", timestampMs: startMs, inputs: [], sizeBytes: 0 };
    void store.apply({ ...frame, updates: () => batch });
    const waitFor = async (): Promise<boolean> => true;
    const continuationKey = new Uint8Array(32);
    this.queries = createQueries({ model, store, clock, waitFor, continuationKey, enrichments: this.enricher });
  }

  static of(...enrichments: AnyEnrichment[]): Subject {
    return new Subject(enrichments);
  }

  async ask(limit: number, more: object = {}, signal = new AbortController().signal): Promise<TraverseAnswer> {
    const hops = [{ edge: "watched", limit }];
    const request = { from: { type: "account", ids: ["a"] }, hops, enrich: ["prices"], ...more };
    const { json } = await this.queries.traverse(request, { signal });
    return JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
  }
}

/** Lets time pass until the work is done; returns how much did. */
async function passing(work: Promise<unknown>, msMax = 5_000): Promise<number> {
  const state = { isOver: false };
  const over = (): void => void (state.isOver = true);
  work.then(over, over);
  for (let ms = 0; ms <= msMax; ms++) {
    for (let i = 0; i < 5; i++) await turn();
    if (state.isOver) return ms;
    time.current.advance(1);
  }
  throw new Error("It was not over in time.");
}

const enrichedOf = (answer: TraverseAnswer): unknown[] => answer.levels[1]!.nodes.map(({ enriched }) => enriched);

test("nodes of its type get its values, in the form of answers, in batches; others get none", async () => {
  const batches: number[] = [];
  const subject = Subject.of(
    prices(async (ids) => {
      batches.push(ids.length);
      return new Map(
        ids.filter((id) => id !== "t1").map((id) => [id, { amount: 2n ** 60n, since: new Date(startMs), tags: [id] }]),
      );
    }),
  );
  const answer = await subject.ask(250);
  expect(batches).toEqual([100, 100, 50]);
  expect(answer.levels[0]!.nodes.map(Object.keys)).toEqual([["type", "id"]]);
  expect(enrichedOf(answer).slice(0, 2)).toEqual([
    { prices: { amount: "1152921504606846976", since: "2026-01-01T00:00:00.000Z", tags: ["t0"] } },
    { prices: null },
  ]);
  expect(answer.enrichments).toEqual([{ name: "prices", nodes: 250, failed: 0 }]);
});

test("values are kept for their time, also that there is none, and not when the request wants no cache", async () => {
  let loaded: string[] = [];
  const subject = Subject.of(
    prices(
      async (ids) => {
        loaded.push(...ids);
        return new Map([["t0", { amount: 1 }]]);
      },
      { ttl: "1m" },
    ),
  );
  const first = await subject.ask(2);
  expect(await subject.ask(2)).toMatchObject({ levels: first.levels });
  expect(loaded).toEqual(["t0", "t1"]);
  await subject.ask(3);
  expect(loaded).toEqual(["t0", "t1", "t2"]);
  loaded = [];
  await subject.ask(1, { cache: false });
  time.current.advance(60_000);
  await subject.ask(1);
  expect(loaded).toEqual(["t0", "t0"]);
  expect(subject.enricher.figures.caches).toMatchObject([{ name: "prices", hits: 4, misses: 4, weight: 3 }]);
});

describe("what goes wrong is told, and the rest of the answer is there", () => {
  async function failed(load: Load, options: Partial<Options> = {}): Promise<[TraverseAnswer, Subject]> {
    const subject = Subject.of(prices(load, options));
    const answer = subject.ask(2);
    await passing(answer);
    return [await answer, subject];
  }

  test.each<[string, Load, string]>([
    [
      "throws",
      () => {
        throw new Error("secret");
      },
      "failed",
    ],
    ["rejects", () => Promise.reject(new Error("secret")), "failed"],
    ["gives no map", (async () => ({ t0: { amount: 1 } })) as unknown as Load, "invalid"],
    ["never answers", () => new Promise(() => undefined), "timeout"],
  ])("a function that %s", async (_, load, cause) => {
    const [answer, subject] = await failed(load);
    expect(answer.levels[1]!.nodes).toHaveLength(2);
    expect(enrichedOf(answer)).toEqual([{ prices: null }, { prices: null }]);
    expect(answer.enrichments).toEqual([{ name: "prices", nodes: 2, failed: 2, cause }]);
    expect(JSON.stringify(answer)).not.toContain("secret");
    expect(subject.notices).toHaveLength(1);
    time.current.advance(5_000);
    await passing(Promise.resolve());
    expect([time.current.pendingTimers, subject.enricher.figures.limits[0]!.running]).toEqual([0, 0]);
  });

  test("a wrong value is the node's alone, whatever it is", async () => {
    for (const wrong of [
      1,
      "x",
      [],
      { amount: "x" },
      { amount: 1.5 },
      { amount: 1, other: 1 },
      {},
      { amount: 1, tags: ["x".repeat(70_000)] },
    ]) {
      const [answer, subject] = await failed(
        (async () =>
          new Map<string, unknown>([
            ["t0", wrong],
            ["t1", { amount: 7 }],
          ])) as unknown as Load,
      );
      expect(enrichedOf(answer)).toEqual([{ prices: null }, { prices: { amount: "7" } }]);
      expect(answer.enrichments).toEqual([{ name: "prices", nodes: 2, failed: 1, cause: "invalid" }]);
      expect(subject.notices[0]).toContain('"t0"');
    }
  });

  test("a value whose reading fails", async () => {
    const trap = {
      get amount(): number {
        throw new Error("secret");
      },
    };
    const [answer] = await failed(async () => new Map([["t0", trap]]));
    expect(answer.enrichments).toEqual([{ name: "prices", nodes: 2, failed: 1, cause: "invalid" }]);
  });

  test("failures are not kept", async () => {
    let fails = true;
    const [, subject] = await failed(async () => {
      if (fails) throw new Error("down");
      return new Map([["t0", { amount: 1 }]]);
    });
    fails = false;
    expect(enrichedOf(await subject.ask(1))).toEqual([{ prices: { amount: "1" } }]);
  });
});

test("is given up at its timeout, which aborts its signal, and at the request's deadline", async () => {
  const reasons: unknown[] = [];
  const hanging: Load = (_, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason);
        reject(signal.reason as Error);
      });
    });
  const subject = Subject.of(prices(hanging, { timeout: "50ms" }));
  const answer = subject.ask(1);
  expect(await passing(answer)).toBe(50);
  expect((await answer).enrichments).toMatchObject([{ failed: 1, cause: "timeout" }]);
  const short = subject.ask(1, { timeoutMs: 20 });
  expect(await passing(short)).toBe(20);
  expect((await short).enrichments).toMatchObject([{ failed: 1, cause: "deadline" }]);
  expect(reasons).toHaveLength(2);
});

test("stops when the caller has gone", async () => {
  let aborted = 0;
  const subject = Subject.of(
    prices(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            aborted++;
            reject(signal.reason as Error);
          });
        }),
      { batch: 10 },
    ),
  );
  const caller = new AbortController();
  const answer = subject.ask(250, {}, caller.signal);
  answer.catch(() => undefined);
  for (let i = 0; i < 20; i++) await turn();
  caller.abort();
  expect(await passing(answer, 0)).toBe(0);
  await expect(answer).rejects.toThrow();
  expect(aborted).toBe(8);
  expect(subject.enricher.figures.limits).toMatchObject([{ running: 0, waiting: 0 }]);
});

test("a flood of requests on a slow function stays within its limit, and each is answered", async () => {
  const state = { running: 0, beyond: 0 };
  const subject: Subject = Subject.of(
    prices(
      async (ids) => {
        const [limit] = subject.enricher.figures.limits;
        if (++state.running > limit!.runningMax && limit!.lowered === 0) state.beyond++;
        await time.current.sleep(40);
        state.running--;
        return new Map(ids.map((id) => [id, { amount: 1 }]));
      },
      { ttl: "0s", batch: 10 },
    ),
  );
  const all = Promise.all(Array.from({ length: 200 }, () => subject.ask(100, { timeoutMs: 2_000 })));
  await passing(all);
  const answers = await all;
  expect(answers).toHaveLength(200);
  expect(state).toEqual({ running: 0, beyond: 0 });
  const whole = answers.filter(({ enrichments }) => enrichments![0]!.failed === 0);
  expect(whole.length).toBeGreaterThan(0);
  for (const { enrichments } of answers) {
    if (enrichments![0]!.failed > 0) expect(["timeout", "busy", "deadline"]).toContain(enrichments![0]!.cause);
  }
});

test("nodes are asked about once per request, on however many levels they are", async () => {
  const loaded: string[] = [];
  const subject = Subject.of(
    prices(
      async (ids) => {
        loaded.push(...ids);
        return new Map();
      },
      { ttl: "0s" },
    ),
  );
  const back = { edge: "watched", direction: "in", limit: 300 };
  const answer = await subject.ask(3, { hops: [{ edge: "watched", limit: 3 }, back, { edge: "watched", limit: 3 }] });
  expect(loaded).toEqual(["t0", "t1", "t2"]);
  expect(answer.enrichments).toEqual([{ name: "prices", nodes: 3, failed: 0 }]);
});

test("names that are not declared are refused with what there is", async () => {
  const subject = Subject.of(prices(async () => new Map()));
  await expect(subject.ask(1, { enrich: ["price"] })).rejects.toMatchObject({
    kind: "invalid",
    code: "unknown_enrichment",
    place: "/enrich/0",
    hint: 'Did you mean "prices"?',
  });
});

describe("definitions of enrichments", () => {
  const load: Load = async () => new Map();
  const jobs = [job(seen).emit((e) => [watched.upsert(e.account, e.title)])];
  const define = (...enrichments: AnyEnrichment[]) => defineGraph("shop", { jobs, enrichments });

  test("leave the graph's model and fingerprint as they are, and are there as data", () => {
    const graph = define(prices(load, { batch: 7, timeout: "1s", ttl: "0s", cacheMax: 500 }));
    expect(graph.fingerprint).toBe(defineGraph("shop", { jobs }).fingerprint);
    expect(graph.enrichments.get("prices")!.model).toMatchObject({
      name: "prices",
      on: "title",
      batchMax: 7,
      timeoutMs: 1_000,
      ttlMs: 0,
      cacheMax: 500,
      fields: [{ name: "amount" }, { name: "since", optional: true }, { name: "tags" }],
    });
  });

  test.each<[string, () => unknown, string]>([
    ["a bad name", () => enrichment("a b", { on: title, fields, load }), "bad_name"],
    ["no node type", () => enrichment("x", { on: watched as never, fields, load }), "not_a_node"],
    ["no function", () => enrichment("x", { on: title, fields, load: "x" as never }), "not_a_function"],
    ["no fields", () => enrichment("x", { on: title, fields: {}, load: async () => new Map() }), "no_fields"],
    ["an unknown option", () => prices(load, { time: "1s" } as never), "unknown_option"],
    ["a batch of none", () => prices(load, { batch: 0 }), "out_of_range"],
    ["no time", () => prices(load, { timeout: "0s" }), "out_of_range"],
    ["too much time", () => prices(load, { timeout: "2m" }), "out_of_range"],
    ["no function in a graph", () => define(enrichment("x", { on: title, fields }) as never), "not_loaded"],
    ["bounds without a function", () => enrichment("x", { on: title, fields, batch: 5 } as never), "unknown_option"],
    ["twice the same name", () => define(prices(load), prices(load)), "duplicate_enrichment"],
    ["something else", () => define({ name: "prices" } as never), "not_an_enrichment"],
    [
      "a type that is not in the graph",
      () => define(enrichment("x", { on: node("other"), fields, load })),
      "unknown_node_type",
    ],
  ])("%s is refused", (_, run, code) => {
    expect(run).toThrow(expect.objectContaining({ kind: "invalid", code }));
  });
});
