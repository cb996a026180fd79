// Sweeps of a shared store begin when everything that was received is in the graph, rest between pages, and are done again after a failure.
import { expect, test } from "vitest";
import type { Clock, Timers } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Position } from "../../model/position.ts";
import type { SweepOptions } from "../../store/cassandra/sweep.ts";
import { createLogger } from "../logger.ts";
import { Sweeper, type SweeperOptions } from "./sweeper.ts";

/** Time passes while somebody sleeps, and only then. */
class SleptTime implements Clock, Timers {
  nowMs = 0;
  readonly slept: number[] = [];

  now(): number {
    return this.nowMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
  after(): () => void {
    throw new Error("Nobody asks for it here.");
  }
  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    this.slept.push(delayMs);
    this.nowMs += delayMs;
  }
}

const swept = { listed: 3, lives: 2, sets: 1 };
const hourMs = 3_600_000;

function optionsOf(time: SleptTime, store: SweeperOptions["store"]): SweeperOptions {
  return {
    store,
    log: { settled: async () => ({ timestampMs: 5_000, next: [8, 0] }) },
    topics: ["events.visit"],
    everyMs: 24 * hourMs,
    percent: 25,
    clock: time,
    timers: time,
    random: { below: () => 7 },
    logger: createLogger("silent"),
  };
}

test("a sweep waits until what was received is applied, takes its share of the time, and is told of", async () => {
  const time = new SleptTime();
  const stop = new AbortController();
  let asked = 0;
  const swept1: SweepOptions[] = [];
  const positions = async () => {
    const offset = 5 + asked++;
    const inputs: Position[] = [{ topic: "events.visit", partition: 0, offset }];
    return { sources: new Map(), inputs };
  };
  const sweep = async (options: SweepOptions) => {
    swept1.push(options);
    expect(sweeper.figures.state).toBe("sweeping");
    time.nowMs += 20;
    await options.onPage?.(swept);
    expect(sweeper.figures.swept).toEqual({ listed: 3 * swept1.length, lives: 2 * swept1.length, sets: swept1.length });
    if (swept1.length === 2) stop.abort();
    return swept;
  };
  const sweeper = new Sweeper(optionsOf(time, { positions, sweep }));
  await sweeper.run(stop.signal);
  expect(swept1[0]).toMatchObject({ publishedMs: 5_000, first: 7 });
  expect(time.slept.slice(0, 5)).toEqual([hourMs, 1_000, 1_000, 60, 24 * hourMs]);
  expect(sweeper.figures).toMatchObject({ state: "resting", completed: 2, failed: 0, swept: { listed: 6 } });
});

test("one that fails is begun again soon; 0 is never", async () => {
  const time = new SleptTime();
  const stop = new AbortController();
  let tries = 0;
  const positions = async () => ({ sources: new Map(), inputs: [{ topic: "events.visit", partition: 0, offset: 7 }] });
  const sweep = async ({ onPage }: SweepOptions) => {
    await onPage?.(swept);
    if (++tries === 2) stop.abort();
    throw new RdgError("unavailable", "cassandra_unavailable", "Not now.");
  };
  const options = optionsOf(time, { positions, sweep });
  const sweeper = new Sweeper(options);
  await sweeper.run(stop.signal);
  expect(time.slept).toEqual([hourMs, 0, hourMs, 0]);
  // What it had taken away before is away.
  expect(sweeper.figures).toMatchObject({ completed: 0, failed: 1, swept: { listed: 6 } });
  await new Sweeper({ ...options, everyMs: 0 }).run(new AbortController().signal);
});
