// The limit against a simulated other side in simulated time: it finds what that side can take, follows when that changes, and its line stays bounded.
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { ManualTime } from "../../../test/log/manual-time.ts";
import { AdaptiveLimit, type CallOutcome } from "./adaptive-limit.ts";

const patient = new AbortController().signal;

/** Calls take `baseMs` while no more than `capacity` are under way, and longer in proportion above. */
class OtherSide {
  running = 0;
  runningMost = 0;
  capacity = 40;
  baseMs = 10;
  fails = false;
  readonly #time: ManualTime;

  constructor(time: ManualTime) {
    this.#time = time;
  }

  async call(): Promise<CallOutcome> {
    this.running++;
    this.runningMost = Math.max(this.running, this.runningMost);
    await this.#time.sleep(this.baseMs * Math.max(1, this.running / this.capacity));
    this.running--;
    return this.fails ? "failed" : "fine";
  }
}

class Story {
  readonly time = new ManualTime(0);
  readonly limit = new AdaptiveLimit({ name: "reads", clock: this.time, timers: this.time, waitingMax: 200 });
  readonly other = new OtherSide(this.time);
  done = 0;
  refused = 0;

  /** So many callers arrive every millisecond, for so long. */
  async run(callsPerMs: number, ms: number, patienceMs = 100): Promise<void> {
    this.done = this.refused = 0;
    let arrived = 0;
    for (let i = 0; i < ms; i++) {
      for (arrived += callsPerMs; arrived >= 1; arrived--) void this.#caller(patienceMs);
      await turn();
      this.time.advance(1);
      await turn();
      const { running, runningMax, waiting, waitingMax } = this.limit.figures;
      expect(waiting).toBeLessThanOrEqual(waitingMax);
      // When the limit is lowered, those that have begun go on.
      if (this.limit.figures.lowered === 0) expect(running).toBeLessThanOrEqual(runningMax);
    }
  }

  async #caller(patienceMs: number): Promise<void> {
    try {
      const permit = await this.limit.enter({ signal: patient, deadlineMs: this.time.monotonicMs() + patienceMs });
      const startedMs = this.time.monotonicMs();
      permit.end(await this.other.call(), this.time.monotonicMs() - startedMs);
      this.done++;
    } catch {
      this.refused++;
    }
  }

  async drain(): Promise<void> {
    for (let i = 0; i < 1_000; i++) {
      this.time.advance(1);
      await turn();
    }
    expect(this.limit.figures).toMatchObject({ running: 0, waiting: 0 });
    expect([this.other.running, this.time.pendingTimers]).toEqual([0, 0]);
  }
}

describe("the limit", () => {
  test("grows with demand while the other side is healthy", async () => {
    const story = new Story();
    await story.run(3.5, 1_000);
    expect(story.limit.figures.runningMax).toBeGreaterThanOrEqual(30);
    expect(story.limit.figures.lowered).toBe(0);
    await story.run(3.5, 500);
    expect(story.refused).toBe(0);
    expect(story.done).toBeGreaterThan(1_700);
    await story.drain();
  });

  test("does not grow without demand", async () => {
    const story = new Story();
    await story.run(0.2, 1_000);
    expect(story.limit.figures.runningMax).toBe(16);
  });

  test("keeps a flood from the other side: it goes on at its full rate, and who cannot have a turn in time is refused", async () => {
    const story = new Story();
    await story.run(3, 500);
    await story.run(20, 2_000);
    // 4 a millisecond is what it can do.
    expect(story.done).toBeGreaterThan(6_500);
    expect(story.refused).toBeGreaterThan(25_000);
    expect(story.limit.figures.runningMax).toBeLessThan(160);
    expect(story.other.runningMost).toBeLessThan(160);
    await story.drain();
  });

  test("goes down when the other side slows down, and up again when it has recovered", async () => {
    const story = new Story();
    await story.run(3.5, 1_000);
    const before = story.limit.figures.runningMax;
    story.other.baseMs = 100;
    await story.run(3.5, 500);
    expect(story.limit.figures.runningMax).toBeLessThan(before / 2);
    story.other.baseMs = 10;
    await story.run(3.5, 2_000);
    expect(story.limit.figures.runningMax).toBeGreaterThanOrEqual(30);
    await story.drain();
  });

  test("goes down to its least when calls fail, and never below", async () => {
    const story = new Story();
    story.other.fails = true;
    await story.run(2, 500);
    expect(story.limit.figures.runningMax).toBe(2);
    await story.drain();
  });
});

describe("callers in line", () => {
  async function full(tookMs = 10): Promise<{ story: Story; end: () => void }> {
    const story = new Story();
    const permits = await Promise.all(Array.from({ length: 16 }, () => story.limit.enter({ signal: patient })));
    return { story, end: () => permits.forEach((permit) => permit.end("fine", tookMs)) };
  }

  test("are refused at once when their deadline would pass, by what is known of call times", async () => {
    const { story, end } = await full(1_000);
    end();
    const { limit, time } = story;
    for (let i = limit.figures.runningMax; i > 0; i--) await limit.enter({ signal: patient });
    const caller = { signal: patient, deadlineMs: time.monotonicMs() + 1 };
    await expect(limit.enter(caller)).rejects.toMatchObject({ kind: "overloaded", code: "store_busy" });
    expect(limit.figures.waiting).toBe(0);
  });

  test("leave it at their deadline, and when they give up", async () => {
    const { story, end } = await full();
    const given = new AbortController();
    const late = story.limit.enter({ signal: patient, deadlineMs: 50 });
    const gone = story.limit.enter({ signal: given.signal, deadlineMs: 1_000 });
    const next = story.limit.enter({ signal: patient });
    expect(story.limit.figures.waiting).toBe(3);
    given.abort();
    await expect(gone).rejects.toMatchObject({ name: "AbortError" });
    story.time.advance(50);
    await expect(late).rejects.toMatchObject({ kind: "unavailable", code: "deadline_exceeded" });
    expect([story.limit.figures.waiting, story.time.pendingTimers]).toEqual([1, 0]);
    end();
    (await next).end("fine", 1);
    expect(story.limit.figures).toMatchObject({ running: 0, waiting: 0 });
  });

  test("are refused beyond the line's bound, and with a deadline that has passed", async () => {
    const { story } = await full();
    for (let i = 0; i < 200; i++) void story.limit.enter({ signal: patient });
    const busy = { kind: "overloaded", code: "store_busy", retryAfterMs: 1_000 };
    await expect(story.limit.enter({ signal: patient })).rejects.toMatchObject(busy);
    await expect(story.limit.enter({ signal: patient, deadlineMs: 0 })).rejects.toMatchObject({
      code: "deadline_exceeded",
    });
    expect(story.limit.figures).toMatchObject({ waiting: 200, refused: 2 });
  });

  test("given up early, a call says nothing; given up after long, it counts as failed", async () => {
    const story = new Story();
    for (const tookMs of [10, 11, 3]) (await story.limit.enter({ signal: patient })).end("late", tookMs);
    const before = story.limit.figures.lowered;
    (await story.limit.enter({ signal: patient })).end("fine", 100);
    (await story.limit.enter({ signal: patient })).end("late", 90);
    expect(story.limit.figures.lowered).toBe(before);
    story.time.advance(1);
    (await story.limit.enter({ signal: patient })).end("late", 900);
    expect(story.limit.figures.lowered).toBe(before + 1);
  });
});
