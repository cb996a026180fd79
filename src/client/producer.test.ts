// The producer against a gateway that fails: every event once, in the order of its key, within bounded memory, and the time that it was given.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Fate, FailingGateway, type GatewayEvent } from "../../test/client/failing-gateway.ts";
import { VirtualTime } from "../../test/sim/virtual-time.ts";
import { RdgError } from "../core/errors.ts";
import { seededRandom } from "../core/random.ts";
import type { ProducerOptions } from "./producer-options.ts";
import { BatchingProducer } from "./producer.ts";

const event = { kind: "event" as const, name: "e", model: { key: "key" } };

interface Stage {
  readonly time: VirtualTime;
  readonly gateway: FailingGateway;
  readonly producer: BatchingProducer;
}

function stage(options: ProducerOptions = {}, seed = 1): Stage {
  const random = seededRandom(seed);
  const time = new VirtualTime(0, random);
  const own = time.process();
  const gateway = new FailingGateway(own, random);
  return {
    time,
    gateway,
    producer: new BatchingProducer(event, options, gateway, { clock: own, timers: own, random }),
  };
}

const at = (number: number, key = "k"): GatewayEvent => ({ key, number });
const codeOf = (error: unknown): string => (error instanceof RdgError ? error.code : String(error));
const numbers = (events: readonly GatewayEvent[]): readonly number[] => events.map(({ number }) => number);

describe("the producer", () => {
  test("stores what comes together in one request", async () => {
    const { time, gateway, producer } = stage();
    const sent = Promise.all([producer.send(at(0)), producer.send(at(1)), producer.send(at(2))]);
    expect(await time.until(sent, "sent")).toEqual(
      ["events.e/0@2", "events.e/0@2", "events.e/0@2"].map((position) => ({ positions: [position] })),
    );
    expect(gateway.calls.map(({ lines }) => lines.length)).toEqual([3]);
  });

  test("sends a full batch at once, by events and by bytes", async () => {
    const { time, gateway, producer } = stage({ batch: 2, lingerMs: 60_000 });
    await time.until(Promise.all([producer.send(at(0)), producer.send(at(1))]), "two", 1_000);
    const bytes = stage({ batchBytes: 60, lingerMs: 60_000 });
    const first = [bytes.producer.send(at(0)), bytes.producer.send(at(1)), bytes.producer.send(at(2))];
    await bytes.time.until(Promise.all(first.slice(0, 2)), "60 bytes", 1_000);
    expect([gateway, bytes.gateway].map(({ calls }) => calls.map(({ lines }) => lines.length))).toEqual([[2], [2]]);
    await bytes.time.until(bytes.producer.close(), "the rest");
    expect(numbers(bytes.gateway.stored)).toEqual([0, 1, 2]);
  });

  test("repeats a request whose answer was lost under its key, and it is stored once", async () => {
    const { time, gateway, producer } = stage();
    const fates: Fate[] = ["lost behind", "refused", "lost before", "lost behind", "stored"];
    gateway.fate = () => fates.shift()!;
    await time.until(producer.send(at(0)), "sent");
    expect(numbers(gateway.stored)).toEqual([0]);
    expect(gateway.calls).toHaveLength(5);
    expect(new Set(gateway.calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  });

  test("waits at least as long as Retry-After says, and longer each time", async () => {
    const { time, gateway, producer } = stage({ lingerMs: 0 });
    const times: number[] = [];
    let refused = 0;
    gateway.fate = () => {
      times.push(time.nowMs);
      return refused++ < 12 ? "refused" : "stored";
    };
    await time.until(producer.send(at(0)), "sent");
    const pauses = times.slice(1).map((ms, i) => ms - times[i]!);
    expect(Math.max(...pauses.slice(-4))).toBeGreaterThan(Math.max(...pauses.slice(0, 3)));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(12_000);
  });

  test("gives up when the time for delivery is over, and says what failed", async () => {
    const { time, gateway, producer } = stage({ deliveryTimeoutMs: 10_000 });
    gateway.fate = () => "refused";
    const failed = producer.send(at(0)).catch(codeOf);
    expect(await time.until(failed, "failed")).toBe("too_many_requests");
    expect(time.nowMs).toBeLessThanOrEqual(10_000);
    gateway.fate = () => "slow";
    expect(await time.until(producer.send(at(1)).catch(codeOf), "hung")).toBe("call_timeout");
    gateway.fate = () => "stored";
    await time.until(producer.send(at(2)), "goes on");
    expect(numbers(gateway.stored)).toEqual([2]);
  });

  test("refuses single events that are not valid; those beside them are stored", async () => {
    const { time, gateway, producer } = stage();
    const all = Array.from({ length: 10 }, (_, i) =>
      producer.send({ ...at(i), bad: i % 2 === 1 }).catch((error: unknown) => error),
    );
    const outcomes = await time.until(Promise.all(all), "settled");
    expect(numbers(gateway.stored)).toEqual([0, 2, 4, 6, 8]);
    expect(outcomes[3]).toMatchObject({ kind: "invalid", code: "bad_records", place: "record, bad" });
    expect(outcomes.filter((outcome) => outcome instanceof RdgError)).toHaveLength(5);
  });

  test("refuses what is no JSON, alone", async () => {
    const { time, gateway, producer } = stage();
    const circle: { key: string; self?: unknown } = { key: "k" };
    circle.self = circle;
    const sent = Promise.allSettled([producer.send(circle), producer.send(at(1))]);
    expect((await time.until(sent, "settled")).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect(numbers(gateway.stored)).toEqual([1]);
  });

  test("holds no more than its bound; the others wait in line, and the line has an end", async () => {
    const { time, gateway, producer } = stage({ batch: 4, bufferedBytesMax: 200, waitingMax: 50, inFlightMax: 2 });
    const sent = Array.from({ length: 80 }, (_, i) => producer.send(at(i, `k${i}`)).catch(codeOf));
    let most = 0;
    gateway.fate = () => {
      most = Math.max(most, producer.bufferedBytes);
      return "stored";
    };
    const outcomes = await time.until(Promise.all(sent), "settled");
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(200 + 30);
    const refused = outcomes.filter((outcome) => outcome === "producer_full").length;
    expect(refused).toBeGreaterThan(10);
    expect(gateway.stored).toHaveLength(80 - refused);
    expect([producer.pending, producer.bufferedBytes, gateway.underWayMost]).toEqual([0, 0, 2]);
  });

  test("reads a source no faster than its events become durable, and stops where one fails", async () => {
    const { time, gateway, producer } = stage({ batch: 10, inFlightMax: 2 });
    let read = 0;
    let ahead = 0;
    function* source(count: number, bad?: number): Generator<GatewayEvent> {
      for (let i = 0; i < count; i++) {
        read++;
        ahead = Math.max(ahead, read - gateway.stored.length);
        yield { ...at(i, `k${i % 7}`), bad: i === bad };
      }
    }
    expect(await time.until(producer.sendAll(source(500)), "all")).toEqual({ accepted: 500 });
    expect(ahead).toBeLessThanOrEqual(31);
    read = gateway.stored.length;
    const failed = producer.sendAll(source(1_000, 20)).catch(codeOf);
    expect(await time.until(failed, "failed")).toBe("bad_records");
    expect(read).toBeLessThan(700);
  });

  test("an aborted event that has not gone out is not sent; the others are", async () => {
    const { time, gateway, producer } = stage({ bufferedBytesMax: 1 });
    const reason = new Error("enough");
    const [first, second] = [new AbortController(), new AbortController()];
    const sent = [
      producer.send(at(0), { signal: first.signal }),
      producer.send(at(1), { signal: second.signal }),
      producer.send(at(2)),
    ].map((promise) => promise.catch((error: unknown) => error));
    first.abort(reason);
    second.abort(reason);
    expect((await time.until(Promise.all(sent), "settled")).slice(0, 2)).toEqual([reason, reason]);
    expect(numbers(gateway.stored)).toEqual([2]);
    await expect(producer.send(at(3), { signal: first.signal })).rejects.toBe(reason);
  });

  test("close sends what is left, and takes no more", async () => {
    const { time, gateway, producer } = stage({ lingerMs: 60_000 });
    const sent = producer.send(at(0));
    await time.until(producer.close(), "closed", 1_000);
    await sent;
    expect(numbers(gateway.stored)).toEqual([0]);
    expect(await producer.send(at(1)).catch(codeOf)).toBe("producer_closed");
    await time.pass(120_000);
    expect(gateway.calls).toHaveLength(1);
  });

  test("flush waits for what was sent before, also for failures", async () => {
    const { time, gateway, producer } = stage({ lingerMs: 60_000, deliveryTimeoutMs: 1 });
    gateway.fate = () => "lost before";
    const failed = producer.send(at(0)).catch(codeOf);
    await time.until(producer.flush(), "flushed", 1_000);
    expect(await failed).toBe("no_answer");
  });

  test.each([{ batch: 0 }, { lingerMs: -1 }, { inFlightMax: 1.5 }, { lingermS: 3 }])("%o is refused", (options) => {
    expect(() => stage(options as ProducerOptions)).toThrow(RdgError);
  });

  test("whatever the gateway does: each event once, in the order of its key", async () => {
    const run = fc.record({
      seed: fc.nat(),
      count: fc.integer({ min: 1, max: 120 }),
      keys: fc.integer({ min: 1, max: 8 }),
      batch: fc.integer({ min: 1, max: 20 }),
      inFlightMax: fc.integer({ min: 1, max: 6 }),
      bufferedBytesMax: fc.constantFrom(1, 300, 1e6),
      failing: fc.integer({ min: 0, max: 90 }),
    });
    await fc.assert(
      fc.asyncProperty(run, async ({ seed, count, keys, failing, ...options }) => {
        const random = seededRandom(seed);
        const { time, gateway, producer } = stage({ ...options, deliveryTimeoutMs: 50 * 60_000 }, seed);
        const fates: Fate[] = ["refused", "lost before", "lost behind", "slow"];
        gateway.fate = () => (random.below(100) < failing ? fates[random.below(4)]! : "stored");
        const refused = new Set<number>();
        const all: Promise<unknown>[] = [];
        for (let i = 0; i < count; i++) {
          const bad = random.below(10) === 0;
          const outcome = producer.send({ ...at(i, `k${random.below(keys)}`), bad });
          all.push(outcome.catch((error: unknown) => (expect(codeOf(error)).toBe("bad_records"), refused.add(i))));
          if (random.below(5) === 0) await time.pass(random.below(20));
        }
        await time.until(producer.close(), "closed", 60 * 60_000);
        await Promise.all(all);
        const byKey = Map.groupBy(gateway.stored, ({ key }) => key);
        for (const events of byKey.values()) expect(numbers(events)).toEqual(numbers(events).toSorted((a, b) => a - b));
        const wanted = Array.from({ length: count }, (_, i) => i).filter((i) => !refused.has(i));
        expect(numbers(gateway.stored).toSorted((a, b) => a - b)).toEqual(wanted);
        expect(gateway.stored.filter(({ bad }) => bad)).toEqual([]);
        expect(gateway.underWayMost).toBeLessThanOrEqual(options.inFlightMax);
        expect([producer.pending, producer.bufferedBytes]).toEqual([0, 0]);
      }),
      { numRuns: 60 },
    );
  });
});
