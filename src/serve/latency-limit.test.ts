// The limit on what is worked on: it finds the length of queue at which requests are in time, whatever the rate is and however it changes.
import { expect, test } from "vitest";
import { RdgError } from "../core/errors.ts";
import { LatencyLimit } from "./latency-limit.ts";

const refusal = (): RdgError => new RdgError("overloaded", "too_many_requests", "Too many.");
const bytesMax = 64_000_000;
const targetMs = 500;
const size = 100_000;

/** One server that works requests off in order at a rate, and callers who send three times as much: the latencies of what is taken. */
class Simulation {
  nowMs = 0;
  bytesPerMs: number;
  readonly limit: LatencyLimit;
  refused = 0;
  taken: { ms: number; atMs: number }[] = [];
  readonly #queue: { atMs: number; done: () => void }[] = [];
  #credit = 0;

  constructor(bytesPerMs: number) {
    this.bytesPerMs = bytesPerMs;
    const clock = { now: () => 0, monotonicMs: () => this.nowMs };
    this.limit = new LatencyLimit({ bytesMax, targetMs, clock, refusal });
  }

  async run(ms: number, times = 3): Promise<void> {
    let arrived = 0;
    const endMs = this.nowMs + ms;
    for (; this.nowMs < endMs; this.nowMs++) {
      for (arrived += (this.bytesPerMs * times) / size; arrived >= 1; arrived--) this.#arrive();
      this.#credit = this.#queue.length === 0 ? 0 : this.#credit + this.bytesPerMs;
      for (; this.#credit >= size && this.#queue.length > 0; this.#credit -= size) {
        const { atMs, done } = this.#queue.shift()!;
        this.taken.push({ ms: this.nowMs - atMs, atMs: this.nowMs });
        done();
      }
      await Promise.resolve();
      await Promise.resolve();
    }
  }

  #arrive(): void {
    const atMs = this.nowMs;
    this.limit
      .run(size, () => new Promise<void>((resolve) => this.#queue.push({ atMs, done: resolve })))
      .catch(() => this.refused++);
  }

  since(atMs: number): { ms: number; atMs: number }[] {
    return this.taken.filter((each) => each.atMs >= atMs);
  }
}

test.each([2_000, 20_000, 100_000])(
  "at %i bytes a millisecond requests are soon in time, and the server is never idle",
  async (bytesPerMs) => {
    const simulation = new Simulation(bytesPerMs);
    await simulation.run(20_000);
    const settled = simulation.since(10_000);
    // 2 MB are always worked on: on the slowest server they take a second.
    const worstMs = Math.max(1.3 * targetMs, 1.3 * (2_000_000 / bytesPerMs));
    expect(Math.max(...settled.map(({ ms }) => ms))).toBeLessThan(worstMs);
    expect((settled.length * size) / 10_000).toBeGreaterThan(bytesPerMs * 0.99);
    expect(simulation.refused).toBeGreaterThan(simulation.taken.length);
  },
);

test("a server that becomes slower, and faster again", async () => {
  const simulation = new Simulation(50_000);
  await simulation.run(10_000);
  simulation.bytesPerMs = 10_000;
  await simulation.run(15_000);
  expect(Math.max(...simulation.since(20_000).map(({ ms }) => ms))).toBeLessThan(1.5 * targetMs);
  const slowLimit = simulation.limit.bytesMax;
  simulation.bytesPerMs = 50_000;
  await simulation.run(15_000);
  expect(simulation.limit.bytesMax).toBeGreaterThan(3 * slowLimit);
  expect((simulation.since(35_000).length * size) / 5_000).toBeGreaterThan(50_000 * 0.99);
});

test("what the server keeps up with is never refused, whatever the limit was before", async () => {
  const simulation = new Simulation(20_000);
  await simulation.run(5_000);
  await simulation.run(1_000, 0);
  const before = simulation.refused;
  await simulation.run(10_000, 0.5);
  expect(simulation.refused).toBe(before);
});

test("one request is always taken; a failure gives back what it held", async () => {
  const clock = { now: () => 0, monotonicMs: () => 0 };
  const limit = new LatencyLimit({ bytesMax: 10, targetMs, clock, refusal });
  const large = limit.run(1_000, () => Promise.reject(new Error("failed")));
  expect(limit.bytes).toBe(1_000);
  expect(() => limit.expect(1)).toThrow("Too many.");
  await expect(large).rejects.toThrow("failed");
  expect(limit.bytes).toBe(0);
  limit.expect(1_000);
});
