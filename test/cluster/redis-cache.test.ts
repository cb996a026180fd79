// The cache server's adapter over a real Valkey or Redis: the same suite as its twin in memory, and what the tier makes of servers that are full, locked, mute
// or gone.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Clock, systemClock, systemTimers } from "../../src/core/clock.ts";
import type { RdgError } from "../../src/core/errors.ts";
import { systemRandom } from "../../src/core/random.ts";
import { resolveSettings } from "../../src/core/settings.ts";
import { cacheServerConformance } from "../../src/query/cache/conformance.ts";
import { CachedStore } from "../../src/query/cache/store.ts";
import { Tier } from "../../src/query/cache/tier-calls.ts";
import { redisServer } from "../../src/query/redis/server.ts";
import { type RedisConnection, cacheServerSettings } from "../../src/query/redis/settings.ts";
import { openRedisTier } from "../../src/query/redis/tier.ts";
import { TestClock, conformanceGraph as model, frameOf } from "../../src/store/conformance-graph.ts";
import type { Store } from "../../src/store/port.ts";
import { referenceStore } from "../../src/testing/reference-store.ts";
import { issue } from "../auth/der.ts";
import { ask, expectSame, remote, stories, ttlMs } from "../query/cache-stories.ts";
import { startRedis, type RedisServer } from "./servers.ts";
import { uniqueName } from "./shared.ts";

let shared: RedisServer | undefined;
beforeAll(async () => {
  shared = await startRedis();
});
afterAll(() => shared?.stop());

const connectMs = 10_000;
const serverAt = ({ host, port }: RedisServer, more: Partial<RedisConnection> = {}) =>
  redisServer({ host, port, database: 0, ...more }, systemTimers);

cacheServerConformance("Redis", async () => ({
  server: serverAt(shared!),
  pass: (ms) => systemTimers.sleep(ms),
}));

test("databases are apart", async () => {
  const [one, two] = [
    await serverAt(shared!, { database: 1 }).connect(connectMs),
    await serverAt(shared!, { database: 2 }).connect(connectMs),
  ];
  try {
    await one.put([{ key: "apart", value: Buffer.from("1"), ttlMs: 60_000 }]);
    expect(await two.get(["apart"])).toEqual([undefined]);
    expect(await one.get(["apart"])).toEqual([Buffer.from("1")]);
  } finally {
    one.close();
    two.close();
  }
});

test("a password is asked for, and a wrong one refused by name", async () => {
  const locked = await startRedis({ password: "open sesame" });
  try {
    const connection = await serverAt(locked, { password: "open sesame" }).connect(connectMs);
    await connection.put([{ key: "a", value: Buffer.from("A"), ttlMs: 60_000 }]);
    expect(await connection.get(["a"])).toEqual([Buffer.from("A")]);
    connection.close();
    const refused = { kind: "unauthorized", code: "cache_refuses" };
    await expect(serverAt(locked).connect(connectMs)).rejects.toMatchObject(refused);
    await expect(serverAt(locked, { password: "wrong" }).connect(connectMs)).rejects.toMatchObject(refused);
  } finally {
    await locked.stop();
  }
});

test("connections are encrypted, both ends show certificates, and those of others are refused", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rdg-redis-tls-"));
  const file = (name: string): string => join(folder, name);
  const ca = issue({ commonName: "test authority" });
  const own = issue({ commonName: "127.0.0.1", dns: ["localhost"], issuer: ca });
  const client = issue({ commonName: "rdg", issuer: ca });
  await writeFile(file("ca.pem"), ca.cert);
  await writeFile(file("cert.pem"), own.cert);
  await writeFile(file("key.pem"), own.key);
  const server = await startRedis({ tls: { cert: file("cert.pem"), key: file("key.pem"), ca: file("ca.pem") } });
  const away = { kind: "unavailable", code: "cache_away" };
  const at = { host: "localhost" };
  try {
    const tls = { ca: ca.cert, cert: client.cert, key: client.key };
    const connection = await serverAt(server, { ...at, tls }).connect(connectMs);
    await connection.put([{ key: "a", value: Buffer.from("A"), ttlMs: 60_000 }]);
    expect(await connection.get(["a"])).toEqual([Buffer.from("A")]);
    connection.close();
    const stranger = { ...tls, ca: issue({ commonName: "another authority" }).cert };
    await expect(serverAt(server, { ...at, tls: stranger }).connect(connectMs)).rejects.toMatchObject(away);
    await expect(serverAt(server, { ...at, tls: { ca: ca.cert } }).connect(connectMs)).rejects.toMatchObject(away);
    await expect(serverAt(server, at).connect(connectMs)).rejects.toMatchObject(away);
  } finally {
    await server.stop();
    await rm(folder, { recursive: true });
  }
});

describe("processes that share a server by their settings", () => {
  const settings = resolveSettings(cacheServerSettings, {}).values;
  const notices: (RdgError | undefined)[] = [];
  const ports = {
    clock: systemClock,
    timers: systemTimers,
    random: systemRandom,
    notice: (problem: RdgError | undefined) => notices.push(problem),
  };

  /** A serving process before the store of all. */
  async function serving(store: Store, clock: Clock, prefix: string) {
    const url = `redis://${shared!.host}:${shared!.port}/3`;
    const own = { "cache.url": url, "cache.prefix": prefix, "cache.timeout": 10_000, "cache.budget": 10_000 };
    const tier = (await openRedisTier({ ...settings, ...own }, ports))!;
    const cached = new CachedStore({ store: remote(store), model, clock, bytesMax: 2_000, ttlMs, tier });
    await vi.waitFor(() => expect(cached.sharedFigures!.connected).toBe(true), { timeout: 60_000, interval: 5 });
    return { cached, close: () => tier.tier.close() };
  }

  test("answer as the store does once positions are equal", async () => {
    let [hits, compared] = [0, 0];
    await fc.assert(
      fc.asyncProperty(stories, async (steps) => {
        const clock = new TestClock();
        const plain = referenceStore({ model, clock });
        const prefix = `${uniqueName("stories")}:`;
        const both = [await serving(plain, clock, prefix), await serving(plain, clock, prefix)];
        try {
          for (const [offset, step] of steps.entries()) {
            if (step.kind === "apply") await plain.apply(frameOf(offset, step.updates));
            else if (step.kind === "pass") {
              clock.nowMs += step.ms;
              clock.monotonic += step.ms;
            } else {
              const { cached } = both[offset % 2]!;
              const [seen, now] = [await cached.applied(), await plain.applied()];
              const answer = await ask(cached, step.question);
              if (seen.sources.get("journal") !== now.sources.get("journal")) continue;
              expectSame(answer, await ask(plain, step.question), step.question);
              compared++;
            }
          }
          hits += both.reduce((sum, { cached }) => sum + cached.sharedFigures!.nodes.hits, 0);
        } finally {
          for (const { close } of both) close();
        }
      }),
      { numRuns: 40 },
    );
    expect(hits).toBeGreaterThan(20);
    expect(compared).toBeGreaterThan(20);
    expect(notices).toEqual([]);
  });
});

describe("the tier", () => {
  const patienceMs = 10_000;
  const value = Buffer.from("A");
  const put = (tier: Tier): void => tier.put([{ key: "a", value, ttlMs: 60_000 }]);

  function tierOf(server: RedisServer, timeoutMs = 2_000) {
    const notices: (RdgError | undefined)[] = [];
    const tier = new Tier({
      server: serverAt(server),
      clock: systemClock,
      timers: systemTimers,
      random: systemRandom,
      timeoutMs,
      notice: (problem) => notices.push(problem),
    });
    return { tier, notices, connected: () => until(() => tier.figures.connected) };
  }

  const until = (holds: () => boolean): Promise<void> =>
    vi.waitFor(() => expect(holds()).toBe(true), { timeout: 90_000, interval: 20 });

  test("goes on without a server that was killed, and with it again once it is back", async () => {
    const server = await startRedis();
    const { tier, notices, connected } = tierOf(server);
    try {
      await connected();
      put(tier);
      expect(await tier.get(["a"], patienceMs)).toEqual([value]);
      await server.kill();
      await until(() => !tier.figures.connected);
      expect(await tier.get(["a"], patienceMs)).toBeUndefined();
      expect(notices).toMatchObject([{ kind: "unavailable" }]);
      await server.restart();
      await connected();
      expect(await tier.get(["a"], patienceMs)).toEqual([undefined]);
      expect(notices.at(-1)).toBeUndefined();
    } finally {
      tier.close();
      await server.stop();
    }
  });

  test("waits for a mute server no longer than it may, then leaves it, and comes back when it speaks", async () => {
    const server = await startRedis();
    const { tier, connected } = tierOf(server, 20);
    try {
      await connected();
      await server.pause();
      while (tier.figures.connected) await tier.get(["a"], patienceMs);
      const { calls, givenUp, keys } = tier.figures;
      expect({ ...calls, givenUp }).toMatchObject({ late: 5, givenUp: 1 });
      for (let i = 0; i < 1_000; i++) expect(await tier.get(["a"], patienceMs)).toBeUndefined();
      expect(tier.figures.calls.late).toBe(5);
      expect(keys.underWay).toBeLessThanOrEqual(5);
      await until(() => tier.figures.keys.underWay === 0);
      await server.resume();
      await connected();
    } finally {
      tier.close();
      await server.stop();
    }
  });

  test("reads on from a server that is full and takes nothing more", async () => {
    const server = await startRedis({ isFullAtBytes: 3_000_000 });
    const { tier, connected } = tierOf(server);
    try {
      await connected();
      put(tier);
      const large = Buffer.alloc(100_000);
      for (let i = 0; i < 50; i++) tier.put([{ key: `large ${i}`, value: large, ttlMs: 60_000 }]);
      await until(() => tier.figures.putBytes.underWay === 0);
      expect(tier.figures.puts.failed).toBeGreaterThan(0);
      expect(await tier.get(["a"], patienceMs)).toEqual([value]);
      expect(tier.figures).toMatchObject({ connected: true, givenUp: 0 });
    } finally {
      tier.close();
      await server.stop();
    }
  });
});
