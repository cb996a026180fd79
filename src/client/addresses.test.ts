// Several addresses behind one client: who is asked, who is left alone and for how long, what is waited for, what is never repeated.
import { beforeEach, describe, expect, test } from "vitest";
import { RdgError } from "../core/errors.ts";
import { seededRandom } from "../core/random.ts";
import { Addresses, type AddressesOptions, type ProbedTransport } from "./addresses.ts";
import { transportTo } from "./client.ts";
import type { AnswerPart, Produced } from "./transport.ts";

const signal = new AbortController().signal;
const noAnswer = new RdgError("unavailable", "no_answer", "Nobody is there.");

/** A replica that answers as of what it has applied, or not at all. */
class Replica implements ProbedTransport {
  isThere = true;
  isReady = true;
  hangs = false;
  applied = 0;
  asked = 0;
  probed = 0;
  produced = 0;
  failure = noAnswer;
  waitedFor: readonly string[] | undefined;

  async ask(_question: unknown, request: object, ended: AbortSignal): Promise<unknown> {
    this.asked++;
    if (this.hangs)
      return await new Promise((_, reject) => ended.addEventListener("abort", () => reject(ended.reason)));
    return this.#answer(request);
  }

  async *parts(request: object): AsyncGenerator<AnswerPart> {
    this.asked++;
    yield { level: 0, nodes: [] };
    if (!this.isThere) throw this.failure;
    yield { end: this.#answer(request) as never };
  }

  async produce(): Promise<Produced> {
    this.produced++;
    if (!this.isThere) throw this.failure;
    return { accepted: 1, positions: [] };
  }

  async ready(): Promise<boolean> {
    this.probed++;
    if (!this.isThere) throw noAnswer;
    return this.isReady;
  }

  close(): void {}

  #answer(request: object): object {
    if (!this.isThere) throw this.failure;
    const { waitFor } = request as { readonly waitFor?: readonly string[] };
    this.waitedFor = waitFor;
    const needed = Math.max(-1, ...(waitFor ?? []).map((position) => Number(position.split("@")[1])));
    if (needed > this.applied) throw new RdgError("unavailable", "not_applied_yet", "Later.", { retryAfterMs: 60_000 });
    return { asOf: [`events.visit/0@${this.applied}`] };
  }
}

let nowMs = 0;
let timers: { readonly atMs: number; readonly run: () => void }[] = [];
const ports = {
  clock: { now: () => nowMs, monotonicMs: () => nowMs },
  timers: {
    after(delayMs: number, run: () => void) {
      const timer = { atMs: nowMs + delayMs, run };
      timers.push(timer);
      return () => void (timers = timers.filter((each) => each !== timer));
    },
    sleep: async () => undefined,
  },
  random: seededRandom(1),
};
const pass = async (ms: number): Promise<void> => {
  nowMs += ms;
  for (const { atMs, run } of timers) if (atMs <= nowMs) run();
  await new Promise((resolve) => setImmediate(resolve));
};
beforeEach(() => {
  nowMs = 0;
  timers = [];
});

function several(count: number, options: Partial<AddressesOptions> = {}) {
  const replicas = Array.from({ length: count }, () => new Replica());
  const all = new Addresses(replicas, { monotonic: true, answerMs: 1_000, ...options }, ports);
  return { replicas, all, ask: (request: object = {}) => all.ask("nodes", request, signal) };
}

async function gather(parts: AsyncIterable<AnswerPart>): Promise<AnswerPart[]> {
  const all: AnswerPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

describe("several addresses", () => {
  test("are asked about equally; the busier of two is passed by", async () => {
    const { replicas, ask } = several(3);
    for (let i = 0; i < 300; i++) await ask();
    for (const { asked } of replicas) expect(asked).toBeGreaterThan(60);
    const [busy, other] = replicas;
    busy!.hangs = true;
    replicas[2]!.isThere = false;
    const before = other!.asked;
    const hanging = [ask(), ask(), ask()];
    for (let i = 0; i < 20; i++) await ask();
    expect(other!.asked - before).toBeGreaterThanOrEqual(20);
    await pass(1_000);
    await Promise.all(hanging);
  });

  test("one that does not answer is not missed, rests longer each time, and is back when it says that it is ready", async () => {
    const { replicas, ask } = several(2);
    const [away] = replicas as [Replica, Replica];
    away.isThere = false;
    for (let i = 0; i < 50; i++) await ask();
    expect(away.asked).toBe(1);
    const probedAt: number[] = [];
    for (let i = 0; i < 600; i++) {
      const before = away.probed;
      await ask();
      if (away.probed > before) probedAt.push(nowMs);
      await pass(100);
    }
    expect(away.asked).toBe(1);
    const pauses = probedAt.slice(1).map((ms, i) => ms - probedAt[i]!);
    expect(pauses.at(-1)!).toBeGreaterThan(10 * pauses[0]!);
    // It is there, and catches up: it is left alone until it has.
    [away.isThere, away.isReady] = [true, false];
    for (let i = 0; i < 4; i++) {
      await ask();
      await pass(30_000);
    }
    expect(away.asked).toBe(1);
    away.isReady = true;
    for (let i = 0; i < 50; i++) {
      await ask();
      await pass(1_000);
    }
    expect(away.asked).toBeGreaterThan(5);
  });

  test("one that hangs is given up for another one; the last one has the whole call's time", async () => {
    const { replicas, ask } = several(2);
    for (const replica of replicas) replica.hangs = true;
    const asked = ask();
    await pass(999);
    expect(replicas.reduce((sum, replica) => sum + replica.asked, 0)).toBe(1);
    await pass(1);
    expect(replicas.map((replica) => replica.asked)).toEqual([1, 1]);
    const patient = ask({ timeoutMs: 60_000 });
    await pass(60_000);
    expect(replicas.reduce((sum, replica) => sum + replica.asked, 0)).toBe(3);
    await pass(250);
    expect(replicas.reduce((sum, replica) => sum + replica.asked, 0)).toBe(4);
    patient.catch(() => undefined);
    await pass(100_000);
    expect(await Promise.race([asked, Promise.resolve("still waiting")])).toBe("still waiting");
  });

  test("where none answers, each is asked once, and the call tells what the last one said", async () => {
    const { replicas, ask } = several(3);
    for (const replica of replicas) replica.isThere = false;
    await expect(ask()).rejects.toBe(noAnswer);
    expect(replicas.map(({ asked }) => asked)).toEqual([1, 1, 1]);
    for (const replica of replicas) replica.isThere = true;
    await ask();
  });

  test("what another address would say, too, is not asked of it", async () => {
    const { replicas, ask } = several(3);
    const invalid = new RdgError("invalid", "unknown_type", "There is none.");
    for (const replica of replicas) [replica.isThere, replica.failure] = [false, invalid];
    await expect(ask()).rejects.toBe(invalid);
    expect(replicas.reduce((sum, { asked }) => sum + asked, 0)).toBe(1);
  });

  test("answers never go back: a replica that is behind what was shown is passed by", async () => {
    const { replicas, ask } = several(2);
    const [ahead, behind] = replicas as [Replica, Replica];
    ahead.applied = 10;
    let shown = -1;
    for (let i = 0; i < 100; i++) {
      const { asOf } = (await ask()) as { readonly asOf: readonly string[] };
      const offset = Number(asOf[0]!.split("@")[1]);
      expect(offset).toBeGreaterThanOrEqual(shown);
      shown = offset;
      await pass(500);
    }
    expect(shown).toBe(10);
    behind.applied = 11;
    ahead.isThere = false;
    await ask({ waitFor: ["events.visit/0@11", "events.visit/1@3"] });
    expect(behind.waitedFor).toEqual(["events.visit/0@11", "events.visit/1@3"]);
    ahead.isThere = true;
    await expect(ask({ waitFor: ["events.visit/0@12"] })).rejects.toMatchObject({ code: "not_applied_yet" });
  });

  test("without that promise, nobody waits", async () => {
    const { replicas, ask } = several(2, { monotonic: false });
    for (let i = 0; i < 20; i++) await ask();
    for (const { waitedFor } of replicas) expect(waitedFor).toBeUndefined();
  });

  test("an answer in parts is given up where it broke off, and what follows goes elsewhere", async () => {
    const { replicas, all } = several(2);
    for (const replica of replicas) replica.isThere = false;
    await expect(gather(all.parts({}, signal))).rejects.toBe(noAnswer);
    for (const replica of replicas) replica.isThere = true;
    expect(await gather(all.parts({}, signal))).toHaveLength(2);
    expect(replicas.map(({ asked }) => asked)).toEqual([1, 1]);
  });

  test("events go to another gateway under their key only", async () => {
    const { replicas, all } = several(2);
    for (const replica of replicas) replica.isThere = false;
    const call = { target: { kind: "event", name: "visit" }, lines: ["{}"] } as const;
    await expect(all.produce(call, signal)).rejects.toBe(noAnswer);
    expect(replicas.reduce((sum, { produced }) => sum + produced, 0)).toBe(1);
    for (const replica of replicas) replica.isThere = true;
    await pass(60_000);
    const [first] = replicas as [Replica, Replica];
    first.isThere = false;
    for (let i = 0; i < 20; i++) await all.produce({ ...call, idempotencyKey: String(i) }, signal);
  });
});

test("events go to the gateways where these are elsewhere; no address at all is refused", async () => {
  const opened = new Map<string, Replica>();
  const open = (url: string): Replica => {
    const replica = new Replica();
    opened.set(url, replica);
    return replica;
  };
  const transport = transportTo(["s1", "s2"], { gateways: "g" }, open, ports);
  await transport.ask("nodes", {}, signal);
  await transport.produce({ target: { kind: "event", name: "visit" }, lines: [] }, signal);
  expect([...opened].map(([url, { produced }]) => [url, produced])).toEqual([
    ["s1", 0],
    ["s2", 0],
    ["g", 1],
  ]);
  transport.close();
  expect(() => transportTo([] as never, {}, open, ports)).toThrow(expect.objectContaining({ code: "no_address" }));
});
