// Several serving processes with one second tier before one store that is elsewhere: each answers what the store had once applied, at least as much as it says.
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ManualTime } from "../../../test/log/manual-time.ts";
import { ask, expectSame, remote, stories, ttlMs, wrapped } from "../../../test/query/cache-stories.ts";
import type { Clock } from "../../core/clock.ts";
import { seededRandom } from "../../core/random.ts";
import {
  TestClock,
  baseMs,
  conformanceGraph as model,
  frameOf,
  remove,
  ttlMs as elementTtlMs,
  typesOf,
  upsertEdge,
  upsertNode,
} from "../../store/conformance-graph.ts";
import { storeConformance } from "../../store/conformance.ts";
import type { NodesRequest, Store } from "../../store/port.ts";
import { type MemoryCacheServer, memoryCacheServer } from "../../testing/memory-cache-server.ts";
import { referenceStore } from "../../testing/reference-store.ts";
import { CachedStore } from "./store.ts";
import { Tier } from "./tier-calls.ts";

const bytesMax = 1_000_000;
const budgetMs = 50;
const signal = new AbortController().signal;

interface ProcessWishes {
  readonly graph?: typeof model;
  readonly valueBytesMax?: number;
  readonly prefix?: string;
  readonly bytesMax?: number;
}

/** A serving process: its own cache and connection, the tier and the store of all. */
class Process {
  readonly time = new ManualTime(0);
  readonly store: CachedStore;

  constructor(plain: Store, clock: Clock, server: MemoryCacheServer, wishes: ProcessWishes = {}) {
    const { graph = model, valueBytesMax = 65_536, prefix = "" } = wishes;
    const random = seededRandom(1);
    const tier = new Tier({ server, clock, timers: this.time, random, timeoutMs: 20, notice: () => undefined });
    this.store = new CachedStore({
      store: remote(plain),
      model: graph,
      clock,
      bytesMax: wishes.bytesMax ?? bytesMax,
      ttlMs,
      tier: { tier, prefix, valueBytesMax, budgetMs },
    });
  }

  get shared() {
    return this.store.sharedFigures!;
  }

  /** The offset that a request would be told, asked as one does. */
  async seen(): Promise<number> {
    return (await this.store.applied()).sources.get("journal") ?? -1;
  }
}

storeConformance("a cache with a second tier before the reference store", async (graph, clock) => {
  const server = memoryCacheServer(clock);
  const plain = referenceStore({ model: graph, clock });
  const { store } = new Process(plain, clock, server, { graph });
  await turn();
  await store.applied();
  // What such a cache tells as applied is what its oldest entry has seen: the suite asks for more.
  const applied = async (): ReturnType<Store["applied"]> => {
    await store.applied();
    return plain.applied();
  };
  return wrapped<Store>(store, { applied, capabilities: plain.capabilities });
});

describe("answers with and without the tier agree", () => {
  test("once positions are equal, and before that they are of positions in between", async () => {
    let [hits, compared, later] = [0, 0, 0];
    const who = fc.constantFrom(0, 1, 2);
    const trouble = fc.constantFrom("none", "none", "none", "lose", "fail", "forget", "forget some");
    const told = fc.infiniteStream(fc.tuple(who, trouble));
    await fc.assert(
      fc.asyncProperty(stories, told, fc.constantFrom(bytesMax, 2_000), async (steps, tellings, bytes) => {
        const clock = new TestClock();
        const plain = referenceStore({ model, clock });
        const server = memoryCacheServer(clock);
        const processes = [0, 1, 2].map(() => new Process(plain, clock, server, { bytesMax: bytes }));
        await turn();
        // What the store was at each position: all of them, with the time that it is now.
        const history: { readonly offset: number; readonly store: Store }[] = [
          { offset: -1, store: referenceStore({ model, clock }) },
        ];
        const applied: Parameters<typeof frameOf>[1][] = [];
        for (const [offset, step] of steps.entries()) {
          const { value } = tellings.next();
          const [number, what] = value as [number, string];
          if (what === "lose") for (const connection of server.connections) connection.close();
          if (what === "forget") server.values.clear();
          if (what === "forget some") {
            for (const [i, key] of [...server.values.keys()].entries()) if (i % 2 === 0) server.values.delete(key);
          }
          server.before = () => (what === "fail" ? Promise.reject(new Error("down")) : Promise.resolve());
          for (const { time } of processes) time.advance(1_000);
          await turn();
          if (step.kind === "apply") {
            applied.push(step.updates);
            await plain.apply(frameOf(offset, step.updates));
            const then = referenceStore({ model, clock });
            for (const [i, updates] of applied.entries()) await then.apply(frameOf(i, updates));
            history.push({ offset, store: then });
          } else if (step.kind === "pass") {
            clock.nowMs += step.ms;
            clock.monotonic += step.ms;
          } else {
            const { question } = step;
            const { store } = processes[number]!;
            const seen = await processes[number]!.seen();
            const newest = history.at(-1)!;
            expect(await ask(store, question, { current: true })).toEqual(await ask(plain, question));
            const answer = await ask(store, question);
            // A question of several elements may be answered with several moments: each alone.
            for (const id of question.ids) {
              const one = { ...question, ids: [id] };
              const single = await ask(store, one);
              const possible = history.filter(({ offset }) => offset >= seen);
              await expectOneOf(single, possible, one);
              later++;
            }
            if (seen !== newest.offset) continue;
            expectSame(answer, await ask(plain, question), question);
            compared++;
          }
        }
        hits += processes.reduce((sum, { shared }) => sum + shared.nodes.hits + shared.adjacency.hits, 0);
      }),
      { numRuns: 60 },
    );
    expect(hits).toBeGreaterThan(0);
    expect(compared).toBeGreaterThan(0);
    expect(later).toBeGreaterThan(0);
  });

  async function expectOneOf(
    answer: unknown,
    possible: readonly { readonly store: Store }[],
    question: Parameters<typeof ask>[1],
  ): Promise<void> {
    let failure = new Error("There was never such a list.");
    type Whole = { found: unknown; lists: unknown };
    for (const part of ["found", "lists"] as const) {
      let isOne = false;
      for (const { store } of possible) {
        const then = (await ask(store, question)) as Whole;
        const mine = structuredClone(answer) as Whole;
        try {
          // What is found decides which lists there are.
          if (part === "lists" && (then.lists as unknown[]).length !== (mine.lists as unknown[]).length) continue;
          if (part === "lists") expectSame({ lists: mine.lists }, { lists: then.lists }, question);
          else expect(mine.found).toEqual(then.found);
          isOne = true;
          break;
        } catch (error) {
          failure = error as Error;
        }
      }
      if (!isOne) throw failure;
    }
  }
});

describe("the tier", () => {
  const question: NodesRequest = { type: typesOf.person, references: new Int32Array(), select: [0] };

  async function opened(count: number, wishes: ProcessWishes = {}) {
    const clock = new TestClock();
    const plain = referenceStore({ model, clock });
    const server = memoryCacheServer(clock);
    const processes = Array.from({ length: count }, () => new Process(plain, clock, server, wishes));
    await turn();
    const apply = (offset: number, ...updates: Parameters<typeof frameOf>[1]): Promise<void> =>
      plain.apply(frameOf(offset, updates));
    const pass = (ms: number): void => void ((clock.nowMs += ms), (clock.monotonic += ms));
    return { clock, plain, server, processes, apply, pass };
  }

  async function nameOf(process: Process, id: string, options = {}, select = [0]): Promise<readonly unknown[]> {
    await process.store.applied();
    const reader = process.store.reader(options);
    const references = await reader.find(question.type, [id], signal);
    const { properties, visible } = await reader.nodes({ ...question, references, select }, signal);
    const { cached } = reader;
    reader.close();
    // What was read is put.
    await turn();
    return [visible[0] === 1 ? properties[0]![0] : undefined, cached?.hits, cached?.misses];
  }

  test("what one process has read another does not ask the store for; unknown ids, too", async () => {
    const { processes, apply } = await opened(2);
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    expect(await nameOf(processes[0]!, "a")).toEqual(["A", 0, 1]);
    expect(await nameOf(processes[0]!, "nobody")).toEqual([undefined, 0, 0]);
    await turn();
    expect(await nameOf(processes[1]!, "a")).toEqual(["A", 1, 0]);
    expect(await nameOf(processes[1]!, "nobody")).toEqual([undefined, 0, 0]);
    expect(processes[1]!.shared.nodes).toEqual({ hits: 2, misses: 0 });
    // From here on from its own memory.
    expect(await nameOf(processes[1]!, "a")).toEqual(["A", 1, 0]);
    expect(processes[1]!.shared.calls.answered).toBe(processes[1]!.shared.nodes.hits + 1);
  });

  test("is passed by where a request wants no cache or what is current", async () => {
    const { processes, apply } = await opened(2);
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    await nameOf(processes[0]!, "a");
    await apply(1, upsertNode("person", "a", baseMs + 1, { name: "B" }));
    expect((await nameOf(processes[1]!, "a", { current: true }))[0]).toBe("B");
    expect((await nameOf(processes[1]!, "a", { cache: false }))[0]).toBe("B");
    expect(processes[1]!.shared.calls.answered).toBe(0);
  });

  test("an entry is not used by who says that it has seen more, whatever its age", async () => {
    const { processes, apply, pass } = await opened(2);
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    await nameOf(one, "a");
    await apply(1, upsertNode("person", "a", baseMs + 1, { name: "B" }));
    expect(await two.seen()).toBe(1);
    expect((await nameOf(two, "a"))[0]).toBe("B");
    expect(two.shared.outdated).toBe(1);
    // The first one still says that it has seen less, and what the second one has put since is newer: it may use both.
    pass(ttlMs - 1);
    expect([await one.seen(), (await nameOf(one, "a"))[0]]).toEqual([0, "A"]);
  });

  test("an entry that was put late is no younger for that", async () => {
    const { processes, server, apply, pass } = await opened(2);
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    await two.seen();
    let go!: () => void;
    const held = new Promise<void>((resolve) => (go = resolve));
    server.before = (call) => (call === "put" ? held : Promise.resolve());
    await nameOf(one, "a");
    await apply(1, upsertNode("person", "a", baseMs + 1, { name: "B" }));
    pass(5 * ttlMs);
    go();
    await turn();
    expect(server.values.size).toBeGreaterThan(0);
    await two.seen();
    pass(ttlMs);
    expect([await two.seen(), (await nameOf(two, "a"))[0]]).toEqual([1, "B"]);
  });

  test("who applies updates through its cache sees them, whatever others have put", async () => {
    const { processes, apply } = await opened(2);
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    expect([await two.seen(), (await nameOf(one, "a"))[0]]).toEqual([0, "A"]);
    await two.store.apply(frameOf(1, [upsertNode("person", "a", baseMs + 1, { name: "B" })]));
    expect((await nameOf(two, "a"))[0]).toBe("B");
    await two.store.apply(frameOf(2, [remove({ kind: "node", type: "person", id: "a" }, baseMs + 1)]));
    expect((await nameOf(two, "a"))[0]).toBeUndefined();
  });

  test("an element near its expiry is not kept beyond it, neither there nor here", async () => {
    const { server, processes, apply, pass, clock } = await opened(2);
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("session", "s", baseMs, { note: "x" }), upsertEdge("uses", "a", "s", baseMs));
    const session: NodesRequest = { type: typesOf.session, references: new Int32Array(), select: [] };
    const visible = async (process: Process): Promise<unknown> => {
      await process.store.applied();
      const reader = process.store.reader();
      const references = await reader.find(session.type, ["s"], signal);
      const rows = await reader.nodes({ ...session, references }, signal);
      reader.close();
      return rows.visible[0];
    };
    pass(elementTtlMs - 10);
    expect(await visible(one)).toBe(1);
    await turn();
    const kept = [...server.values].filter(([key]) => key.includes(`:n${typesOf.session}:`));
    expect(kept.map(([, { untilMs }]) => untilMs)).toEqual([clock.monotonic + 10]);
    expect(await visible(two)).toBe(1);
    expect(two.shared.nodes.hits).toBe(1);
    pass(10);
    expect([await visible(two), await visible(one)]).toEqual([0, 0]);
  });

  test("keys are of the definition's meaning and of who is told a prefix", async () => {
    const { plain, clock, server, processes, apply } = await opened(1);
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    await nameOf(processes[0]!, "a");
    const changed = { ...model, nodes: model.nodes.map((node) => ({ ...node, ttlMs: 77_000 })) };
    const others = [{ graph: changed }, { prefix: "staging:" }].map(
      (wishes) => new Process(plain, clock, server, wishes),
    );
    await turn();
    for (const other of others) {
      expect(await nameOf(other, "a")).toEqual(["A", 0, 1]);
      expect(other.shared.nodes.hits).toBe(0);
    }
    expect([...server.values.keys()].some((key) => key.startsWith("staging:rdg"))).toBe(true);
  });

  test("what is too large is not put, and nothing is more than once asked for by one request", async () => {
    const { processes, apply } = await opened(2, { valueBytesMax: 100 });
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("person", "a", baseMs, { name: "A".repeat(200) }));
    await nameOf(one, "a");
    await nameOf(two, "a");
    expect(one.shared.oversize).toBe(1);
    expect(two.shared.nodes).toEqual({ hits: 0, misses: 1 });
    expect(two.shared.calls.answered).toBe(1);
  });

  test("properties that others did not read are read together with those that they did", async () => {
    const { processes, apply } = await opened(2);
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("person", "a", baseMs, { name: "A", country: "NL" }));
    await nameOf(one, "a", {}, [0]);
    expect(await nameOf(two, "a", {}, [1])).toEqual(["NL", 0, 1]);
    await turn();
    expect(await nameOf(one, "a", {}, [0])).toEqual(["A", 1, 0]);
    expect(await nameOf(two, "a", {}, [0])).toEqual(["A", 1, 0]);
  });

  test("what others have written there is not taken for an entry", async () => {
    const { server, processes, apply } = await opened(2);
    const [one, two] = processes as [Process, Process];
    await apply(0, upsertNode("person", "a", baseMs, { name: "A" }));
    await nameOf(one, "a");
    await turn();
    for (const [key, { value, untilMs }] of server.values) {
      if (key.includes("mark:")) continue;
      server.values.set(key, { value: Uint8Array.from(value, (byte, i) => (i === 20 ? byte ^ 1 : byte)), untilMs });
    }
    expect((await nameOf(two, "a"))[0]).toBe("A");
    expect(two.shared.unreadable).toBe(1);
    for (const [key, { untilMs }] of server.values) server.values.set(key, { value: Uint8Array.of(1), untilMs });
    const three = new Process(referenceStore({ model, clock: new TestClock() }), new TestClock(), server);
    await turn();
    expect((await nameOf(three, "a"))[0]).toBeUndefined();
  });

  test("a store in this process's memory has none", () => {
    const clock = new TestClock();
    const tier = new Tier({
      server: memoryCacheServer(clock),
      clock,
      timers: new ManualTime(0),
      random: seededRandom(1),
      timeoutMs: 20,
      notice: () => undefined,
    });
    const use = { tier, prefix: "", valueBytesMax: 1_000, budgetMs };
    const store = referenceStore({ model, clock });
    expect(() => new CachedStore({ store, model, clock, bytesMax, ttlMs, tier: use })).toThrow(
      expect.objectContaining({ kind: "invalid", code: "tier_of_local_store" }),
    );
  });
});
