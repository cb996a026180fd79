// Calls to the second tier never fail and never wait too long, whatever the server does; and the twin in memory is a cache server as the real ones are.
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ManualTime } from "../../../test/log/manual-time.ts";
import { RdgError } from "../../core/errors.ts";
import { seededRandom } from "../../core/random.ts";
import { type MemoryCacheServer, memoryCacheServer } from "../../testing/memory-cache-server.ts";
import { cacheServerConformance } from "./conformance.ts";
import { Tier } from "./tier-calls.ts";

const shared = new ManualTime(0);
const twin = memoryCacheServer(shared);
cacheServerConformance("in memory", async () => ({ server: twin, pass: async (ms) => shared.advance(ms) }));

const timeoutMs = 20;
const patienceMs = 1_000;
const never = new Promise<void>(() => undefined);
const refuse = (): Promise<void> => Promise.reject(new RdgError("unavailable", "down", "It is down."));

class Story {
  readonly time = new ManualTime(0);
  readonly server: MemoryCacheServer = memoryCacheServer(this.time);
  readonly notices: (string | undefined)[] = [];
  readonly tier: Tier;

  constructor() {
    this.tier = new Tier({
      server: this.server,
      clock: this.time,
      timers: this.time,
      random: seededRandom(1),
      timeoutMs,
      notice: (problem) => this.notices.push(problem?.code),
    });
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left--) {
      this.time.advance(1);
      await turn();
    }
  }

  /** Until the tier has answered or given up; and how long it took. */
  async get(keys: readonly string[] = ["a"], patience = patienceMs): Promise<readonly [unknown, number]> {
    const begunMs = this.time.monotonicMs();
    const state = { settled: false };
    const answer = this.tier.get(keys, patience).finally(() => (state.settled = true));
    await turn();
    while (!state.settled) await this.pass(1);
    return [await answer, this.time.monotonicMs() - begunMs];
  }
}

describe("the tier", () => {
  test("is not waited for before it is connected", async () => {
    const story = new Story();
    expect(await story.get()).toEqual([undefined, 0]);
    await turn();
    expect(await story.get()).toEqual([[undefined], 0]);
    expect(story.tier.figures.calls).toEqual({ answered: 1, late: 0, failed: 0, skipped: 1 });
  });

  test("waits for an answer as long as it may, and no longer than who asks", async () => {
    const story = new Story();
    await turn();
    story.server.before = () => never;
    const [answer, waitedMs] = await story.get();
    expect([answer, waitedMs <= timeoutMs + 1]).toEqual([undefined, true]);
    expect((await story.get(["a"], 3))[1]).toBeLessThanOrEqual(4);
    expect(story.tier.figures).toMatchObject({ calls: { late: 2 }, keys: { underWay: 2 } });
  });

  test("takes an answer that has arrived while this thread was busy", async () => {
    const story = new Story();
    await turn();
    story.server.before = () => story.time.sleep(timeoutMs);
    const answer = story.tier.get(["a"], patienceMs);
    await turn();
    // Both are due when the thread looks at its timers again: the time-out and the answer.
    story.time.advance(10 * timeoutMs);
    await turn();
    expect(await answer).toEqual([undefined]);
    expect(story.tier.figures.calls).toMatchObject({ answered: 1, late: 0 });
  });

  test("leaves a server that is late again and again, and asks for another connection at growing intervals", async () => {
    const story = new Story();
    await turn();
    story.server.before = () => never;
    for (let i = 0; i < 5; i++) await story.get();
    expect(story.tier.figures).toMatchObject({ connected: false, givenUp: 1, calls: { late: 5 } });
    expect(story.notices).toEqual(["cache_late"]);
    expect(story.server.connections.size).toBe(0);
    expect(await story.get()).toEqual([undefined, 0]);
    await turn();
    expect(story.tier.figures.keys.underWay).toBe(0);

    story.server.before = refuse;
    const attempts = (): number => story.server.counts.connects;
    const [before, gaps] = [attempts(), [] as number[]];
    for (let at = before, lastMs = story.time.monotonicMs(); gaps.length < 10; await story.pass(10)) {
      if (attempts() === at) continue;
      gaps.push(story.time.monotonicMs() - lastMs);
      [at, lastMs] = [attempts(), story.time.monotonicMs()];
    }
    expect(gaps[0]).toBeLessThan(400);
    expect(Math.max(...gaps)).toBeGreaterThan(10_000);
    expect(Math.max(...gaps)).toBeLessThan(46_000);

    story.server.before = () => Promise.resolve();
    while (!story.tier.figures.connected) await story.pass(100);
    expect(story.notices).toEqual(["cache_late", undefined]);
    expect(await story.get()).toEqual([[undefined], 0]);
  });

  test("stays with a server of which one answer in twenty is late", async () => {
    const story = new Story();
    await turn();
    let calls = 0;
    story.server.before = () => (++calls % 20 === 0 ? never : Promise.resolve());
    for (let i = 0; i < 400; i++) await story.get();
    expect(story.tier.figures).toMatchObject({ connected: true, givenUp: 0, calls: { late: 20, answered: 380 } });
  });

  test("bounds what is under way, and skips what is beyond", async () => {
    const story = new Story();
    await turn();
    story.server.before = () => never;
    const keys = Array.from({ length: 8_000 }, (_, i) => String(i));
    const calls = [1, 2, 3].map(() => story.tier.get(keys, patienceMs));
    expect(await calls[2]).toBeUndefined();
    expect(story.tier.figures).toMatchObject({ keys: { underWay: 16_000 }, calls: { skipped: 1 } });
    const value = new Uint8Array(1_000_000);
    for (let i = 0; i < 9; i++) story.tier.put([{ key: "k", value, ttlMs: 1 }]);
    expect(story.tier.figures).toMatchObject({ puts: { skipped: 2 } });
    const { underWay, max } = story.tier.figures.putBytes;
    expect(underWay).toBeLessThanOrEqual(max);
  });

  test("closed, it neither answers nor connects again", async () => {
    const story = new Story();
    await turn();
    const call = story.tier.get(["a"], patienceMs);
    story.tier.close();
    expect(await call).toBeUndefined();
    await story.pass(100);
    expect(story.time.pendingTimers).toBe(0);
    expect(story.server.connections.size).toBe(0);
  });

  test("never fails and never waits longer than its time-out, whatever the server does", async () => {
    const fault = fc.constantFrom("none", "none", "slow", "mute", "fail", "lose");
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { minLength: 1, maxLength: 60 }), async (faults) => {
        const story = new Story();
        for (const each of faults) {
          story.server.before = () => {
            if (each === "slow") return story.time.sleep(timeoutMs / 2);
            if (each === "mute") return never;
            return each === "fail" ? refuse() : Promise.resolve();
          };
          if (each === "lose") for (const connection of story.server.connections) connection.close();
          story.tier.put([{ key: "a", value: Uint8Array.of(1), ttlMs: 5 }]);
          const [answer, waitedMs] = await story.get();
          expect(waitedMs).toBeLessThanOrEqual(timeoutMs + 1);
          if (answer !== undefined) expect(answer).toHaveLength(1);
          if (each === "slow") await story.pass(300);
        }
        story.server.before = () => Promise.resolve();
        for (let i = 0; i < 500 && !story.tier.figures.connected; i++) await story.pass(100);
        expect(story.tier.figures.connected).toBe(true);
        const { answered, late, failed, skipped } = story.tier.figures.calls;
        expect(answered + late + failed + skipped).toBe(faults.length);
        story.tier.close();
      }),
      { numRuns: 40 },
    );
  });
});
