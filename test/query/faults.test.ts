// Traversals on a store that is slow, fails, hangs, or does so in part: answers in time with their cause, no queue without bound, nothing left behind. In simulated time.
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { RdgError } from "../../src/core/errors.ts";
import { Slots } from "../../src/core/slots.ts";
import type { TraverseAnswer } from "../../src/model/traversal.ts";
import type { Queries } from "../../src/query/port.ts";
import { createQueries } from "../../src/query/queries.ts";
import { type ServedStore, servedStore } from "../../src/query/served-store.ts";
import { createServer } from "../../src/serve/server.ts";
import { baseMs, conformanceGraph as model, frameOf, upsertEdge } from "../../src/store/conformance-graph.ts";
import { type Fault, type FaultyStore, type StoreCall, faultyStore } from "../../src/testing/faulty-store.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { ManualTime } from "../log/manual-time.ts";

const none: Fault = { kind: "none" };
const edgesPerNode = 250;

/** Everybody knows four others, and the first owns many things. */
const updates = [
  ...Array.from({ length: 40 }, (_, i) =>
    upsertEdge("knows", `p${i % 10}`, `p${(i % 10) + 1 + Math.floor(i / 10)}`, baseMs + i),
  ),
  ...Array.from({ length: edgesPerNode }, (_, i) => upsertEdge("owns", "p0", `t${i}`, baseMs + i)),
];

class Subject {
  readonly time = new ManualTime(baseMs + 1_000);
  readonly faulty: FaultyStore;
  readonly served: ServedStore;
  readonly queries: Queries;
  readonly slots = new Slots(32, this.time);

  private constructor(cacheBytesMax: number) {
    const { time } = this;
    this.faulty = faultyStore({ store: referenceStore({ model, clock: time }), timers: time });
    const ports = { model, clock: time, timers: time };
    this.served = servedStore({ store: this.faulty, ...ports, cacheBytesMax, cacheTtlMs: 60_000 });
    const waitFor = async (): Promise<boolean> => true;
    const { store } = this.served;
    this.queries = createQueries({
      model,
      store,
      clock: time,
      waitFor,
      continuationKey: new Uint8Array(32),
      slots: this.slots,
    });
  }

  static async open(cacheBytesMax = 0): Promise<Subject> {
    const subject = new Subject(cacheBytesMax);
    await subject.faulty.apply(frameOf(0, updates));
    return subject;
  }

  /** The same fault wherever it is not said otherwise. */
  breaks(faults: Partial<Record<StoreCall, Fault | ((batch: number) => Fault)>>): void {
    this.faulty.fault = (call, batch) => {
      const fault = faults[call] ?? none;
      return typeof fault === "function" ? fault(batch) : fault;
    };
  }

  async ask(request: object, signal = new AbortController().signal): Promise<TraverseAnswer> {
    const { json } = await this.queries.traverse(request, { signal });
    return JSON.parse(Buffer.from(json).toString()) as TraverseAnswer;
  }

  /** Lets time pass until the work is done; returns how much did. */
  async until(work: Promise<unknown>, msMax: number): Promise<number> {
    const state = { isOver: false };
    void work.then(
      () => (state.isOver = true),
      () => (state.isOver = true),
    );
    for (let ms = 0; ms <= msMax; ms++) {
      for (let i = 0; i < 5; i++) await turn();
      if (state.isOver) return ms;
      this.time.advance(1);
    }
    throw new Error(`It was not over after ${msMax} ms.`);
  }

  async expectNothingLeft(): Promise<void> {
    for (let i = 0; i < 5; i++) await turn();
    const { running, openReaders } = this.faulty.counts;
    const limits = this.served.figures().limits.map((limit) => [limit.running, limit.waiting]);
    expect({
      running,
      openReaders,
      limits,
      slots: [this.slots.taken, this.slots.waiting],
      timers: this.time.pendingTimers,
    }).toEqual({
      running: 0,
      openReaders: 0,
      limits: [
        [0, 0],
        [0, 0],
      ],
      slots: [0, 0],
      timers: 0,
    });
  }
}

const twoHops = {
  from: { type: "person", ids: ["p0", "p1"] },
  hops: [{ edge: "knows" }, { edge: "knows", direction: "both" }],
};
const things = { from: { type: "person", ids: ["p0"] }, hops: [{ edge: "owns" }] };
const late = { kind: "unavailable", code: "deadline_exceeded", retryAfterMs: 1_000 };

describe("a slow store", () => {
  test("is waited for, and answers as a fast one", async () => {
    const [slow, fast] = [await Subject.open(), await Subject.open()];
    const calm = fast.ask(twoHops);
    await fast.until(calm, 10);
    const slowness: Fault = { kind: "slow", ms: 5 };
    slow.breaks({ find: slowness, nodes: slowness, adjacency: slowness });
    const answer = slow.ask(twoHops);
    expect(await slow.until(answer, 1_000)).toBeGreaterThan(20);
    expect((await answer).levels).toEqual((await calm).levels);
    await slow.expectNothingLeft();
  });

  test("with a deadline of a millisecond answers in time, with the cause", async () => {
    for (const fault of [{ kind: "slow", ms: 50 }, { kind: "hang" }, { kind: "hang", deaf: true }] as const) {
      const subject = await Subject.open();
      subject.breaks({ find: fault });
      const answer = subject.ask({ ...twoHops, timeoutMs: 1 });
      answer.catch(() => undefined);
      expect(await subject.until(answer, 10)).toBeLessThanOrEqual(1);
      await expect(answer).rejects.toMatchObject(late);
      // Simulated waiting is not given up.
      subject.time.advance(50);
      if (!("deaf" in fault)) await subject.expectNothingLeft();
    }
  });

  test("that becomes late in the middle of a hop gives what it gave, and where to go on", async () => {
    for (const cacheBytesMax of [0, 1_000_000]) {
      const subject = await Subject.open(cacheBytesMax);
      subject.breaks({ adjacency: (batch) => (batch === 2 ? { kind: "hang" } : none) });
      const answer = subject.ask({ ...things, timeoutMs: 100 });
      expect(await subject.until(answer, 1_000)).toBeLessThanOrEqual(100);
      const { levels, hops, complete } = await answer;
      expect(levels[1]!.edges).toHaveLength(200);
      expect(hops).toMatchObject([{ complete: false, truncated: { cause: "deadline", nodes: 1 } }]);
      expect(complete).toBe(false);
      await subject.expectNothingLeft();
      subject.breaks({});
      const [hop] = hops;
      const rest = subject.ask({ continue: (hop as { truncated: { next: string } }).truncated.next });
      await subject.until(rest, 10);
      const ids = [...levels[1]!.nodes, ...(await rest).levels[1]!.nodes].map(({ id }) => id);
      expect(new Set(ids)).toEqual(new Set(Array.from({ length: edgesPerNode }, (_, i) => `t${i}`)));
      expect(ids).toHaveLength(edgesPerNode);
    }
  });

  test("whose filters are evaluated here becomes late in the same way", async () => {
    const subject = await Subject.open();
    Object.assign(subject.faulty.capabilities, { filters: { edge: false, node: false } });
    subject.breaks({ adjacency: (batch) => (batch === 1 ? { kind: "hang" } : none) });
    const where = { edge: { lastSeen: { gte: new Date(baseMs).toISOString() } } };
    const answer = subject.ask({ ...things, hops: [{ edge: "owns", where }], timeoutMs: 100 });
    await subject.until(answer, 100);
    const { levels, hops } = await answer;
    expect(levels[1]!.edges).toHaveLength(100);
    expect(hops).toMatchObject([{ truncated: { cause: "deadline" } }]);
    await subject.expectNothingLeft();
  });
});

describe("a failing store", () => {
  test("fails the request, with its cause, wherever in it: nothing of an answer is left out silently", async () => {
    const fail: Fault = { kind: "fail" };
    for (const faults of [
      { find: fail },
      { nodes: fail },
      { adjacency: fail },
      { adjacency: (batch: number) => (batch === 1 ? fail : none) },
    ]) {
      const subject = await Subject.open(1_000_000);
      subject.breaks(faults);
      const answer = subject.ask(twoHops);
      answer.catch(() => undefined);
      await subject.until(answer, 10);
      await expect(answer).rejects.toMatchObject({ kind: "unavailable", code: "store_down" });
      await subject.expectNothingLeft();
      subject.breaks({});
      const again = subject.ask(twoHops);
      await subject.until(again, 10);
      expect((await again).complete).toBe(true);
    }
  });

  test("is asked less and less, and more again once it has recovered", async () => {
    const subject = await Subject.open();
    const most = (): number => subject.served.figures().limits[0]!.runningMax;
    const before = most();
    subject.breaks({ find: { kind: "fail" } });
    for (let i = 0; i < 20; i++) {
      const answer = subject.ask(twoHops).catch(() => undefined);
      await subject.until(answer, 10);
      subject.time.advance(1);
    }
    expect(most()).toBe(2);
    subject.breaks({ find: { kind: "slow", ms: 1 }, nodes: { kind: "slow", ms: 1 } });
    const all = Promise.all(Array.from({ length: 200 }, () => subject.ask(twoHops)));
    await subject.until(all, 10_000);
    expect(most()).toBeGreaterThan(before / 2);
    await subject.expectNothingLeft();
  });
});

describe("a store of which a part fails", () => {
  /** The first read of adjacency hangs, the other one fails after a while. */
  const partly = (subject: Subject, deaf: boolean): void => {
    let calls = 0;
    subject.faulty.fault = (call) => {
      if (call !== "adjacency" && call !== "edge") return none;
      return ++calls === 1 ? { kind: "hang", deaf } : { kind: "slow", ms: 5, thenFails: true };
    };
  };
  const questions: readonly (readonly [name: string, ask: (subject: Subject) => Promise<unknown>])[] = [
    ["a hop of two edge types", (subject) => subject.ask({ ...things, hops: [{ edge: ["knows", "owns"] }] })],
    [
      "edges by their ends",
      (subject) =>
        subject.queries.edges(
          { type: "owns", pairs: [0, 1, 2].map((i) => ({ from: "p0", to: `t${i}` })) },
          { signal: new AbortController().signal },
        ),
    ],
  ];

  test.each(questions)("%s: what is read beside it is given up at once, and the cause is told", async (_name, ask) => {
    for (const deaf of [false, true]) {
      const subject = await Subject.open();
      partly(subject, deaf);
      const answer = ask(subject);
      answer.catch(() => undefined);
      // Long before the deadline of ten seconds.
      expect(await subject.until(answer, 20)).toBe(5);
      await expect(answer).rejects.toMatchObject({ kind: "unavailable", code: "store_down" });
      expect(subject.faulty.counts).toMatchObject({ openReaders: 0, running: deaf ? 1 : 0, cancelled: deaf ? 0 : 1 });
      if (!deaf) await subject.expectNothingLeft();
    }
  });
});

describe("a hanging store", () => {
  test("does not let queues grow: who cannot be served in time is told so, all are answered by their deadline, nothing is left", async () => {
    const subject = await Subject.open();
    subject.breaks({ find: { kind: "hang" } });
    const codes = new Map<string, number>();
    const all = Array.from({ length: 2_000 }, () =>
      subject.ask({ ...twoHops, timeoutMs: 100 }).catch((error: unknown) => {
        const { code, retryAfterMs } = error as RdgError;
        expect(retryAfterMs).toBeGreaterThan(0);
        codes.set(code, (codes.get(code) ?? 0) + 1);
      }),
    );
    for (let i = 0; i < 5; i++) await turn();
    // 32 are walked, of which the store sees as many as the limit allows.
    expect(subject.faulty.counts).toMatchObject({ running: 16, openReaders: 32 });
    expect(await subject.until(Promise.all(all), 200)).toBeLessThanOrEqual(101);
    expect(subject.faulty.counts.runningMost).toBeLessThanOrEqual(32);
    expect([...codes.values()].reduce((sum, count) => sum + count, 0)).toBe(2_000);
    expect([...codes.keys()].sort()).toEqual(["deadline_exceeded", "no_turn"]);
    await subject.expectNothingLeft();
  });

  test("that ignores being given up keeps its places for a while, so that it is not given more and more", async () => {
    const subject = await Subject.open();
    subject.breaks({ find: { kind: "hang", deaf: true } });
    for (let round = 0; round < 5; round++) {
      const all = Promise.all(
        Array.from({ length: 30 }, () => subject.ask({ ...twoHops, timeoutMs: 10 }).catch(() => undefined)),
      );
      expect(await subject.until(all, 100)).toBeLessThanOrEqual(11);
    }
    expect(subject.faulty.counts.running).toBe(16);
    expect(subject.faulty.counts.openReaders).toBe(0);
    subject.time.advance(5_000);
    const [finds] = subject.served.figures().limits;
    expect(finds).toMatchObject({ running: 0, waiting: 0 });
    expect(finds!.runningMax).toBeLessThan(16);
    subject.breaks({});
    const answer = subject.ask(twoHops);
    await subject.until(answer, 10);
    expect((await answer).complete).toBe(true);
  });

  test("is left at once when the caller has gone", async () => {
    for (const call of ["find", "nodes", "adjacency"] as const) {
      for (const deaf of [false, true]) {
        const subject = await Subject.open(1_000_000);
        subject.breaks({ [call]: { kind: "hang", deaf } });
        const caller = new AbortController();
        const answer = subject.ask(twoHops, caller.signal);
        answer.catch(() => undefined);
        for (let i = 0; i < 10; i++) await turn();
        expect(subject.faulty.counts.running).toBeGreaterThan(0);
        caller.abort();
        expect(await subject.until(answer, 0)).toBe(0);
        await expect(answer).rejects.toThrow(RdgError);
        expect(subject.faulty.counts.openReaders).toBe(0);
        if (deaf) continue;
        expect(subject.faulty.counts.cancelled).toBeGreaterThan(0);
        await subject.expectNothingLeft();
      }
    }
  });

  test("a caller that takes an answer in parts and leaves gives everything back", async () => {
    const subject = await Subject.open();
    const parts = subject.queries.traverseParts(twoHops, { signal: new AbortController().signal });
    const iterator = parts[Symbol.asyncIterator]();
    const first = iterator.next();
    await subject.until(first, 10);
    expect((await first).done).toBe(false);
    await iterator.return?.();
    await subject.expectNothingLeft();
  });
});

test("over HTTP, what was too much or too late says when to try again", async () => {
  const subject = await Subject.open();
  const { time, queries } = subject;
  const server = createServer({ model, clock: time, timers: time, queries });
  const ask = (timeoutMs: number) => {
    const payload = JSON.stringify({ ...twoHops, timeoutMs });
    const headers = { "content-type": "application/json", host: "localhost" };
    return server.app.inject({ method: "POST", url: "/v1/traverse", headers, payload });
  };
  subject.breaks({ find: { kind: "hang" } });
  const all = Promise.all(Array.from({ length: 300 }, () => ask(20)));
  await subject.until(all, 100);
  const answers = await all;
  const statuses = new Set(answers.map(({ statusCode }) => statusCode));
  expect(statuses).toEqual(new Set([429, 504]));
  for (const { headers } of answers) expect(Number(headers["retry-after"])).toBeGreaterThanOrEqual(1);
  await server.close();
});
