// What every cache server's adapter must do: run with the twin in memory, and with each adapter over a real server.
import { describe, expect, test } from "vitest";
import { randomId } from "../../core/random.ts";
import type { CacheConnection, CacheServer } from "./tier.ts";

export interface CacheServerUnderTest {
  readonly server: CacheServer;
  /** Lets so much of the server's time pass. */
  pass(ms: number): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const ttlMs = 60_000;
const connectMs = 10_000;

export function cacheServerConformance(name: string, open: () => Promise<CacheServerUnderTest>): void {
  /** Keys of its own per test: servers are shared. */
  async function connected(
    run: (connection: CacheConnection, key: (of: string) => string, opened: CacheServerUnderTest) => Promise<void>,
  ): Promise<void> {
    const opened = await open();
    const connection = await opened.server.connect(connectMs);
    const prefix = randomId();
    try {
      await run(connection, (of) => `${prefix}:${of}`, opened);
    } finally {
      connection.close();
    }
  }

  describe(`cache server: ${name}`, () => {
    test("gives what was put, in the order of the keys, and undefined for what is not there", () =>
      connected(async (connection, key) => {
        await connection.put([
          { key: key("a"), value: bytes("A"), ttlMs },
          { key: key("b"), value: bytes("B"), ttlMs },
        ]);
        const values = await connection.get(["b", "none", "a", "b"].map(key));
        expect(values.map((value) => value && Buffer.from(value).toString())).toEqual(["B", undefined, "A", "B"]);
        expect(await connection.get([])).toEqual([]);
        await connection.put([]);
      }));

    test("keeps any bytes under any key", () =>
      connected(async (connection, key) => {
        const all = Uint8Array.from({ length: 256 }, (_, i) => i);
        const large = new Uint8Array(1_000_000).fill(13);
        const keys = ["", "__proto__", "a b\r\nc\0", "ключ 🔑", "x".repeat(1_100)].map(key);
        const values = [all, new Uint8Array(0), bytes("$-1\r\n"), large, bytes("nil")];
        await connection.put(keys.map((each, i) => ({ key: each, value: values[i]!, ttlMs })));
        const found = await connection.get(keys);
        expect(found.map((value) => Buffer.from(value!))).toEqual(values.map((value) => Buffer.from(value)));
      }));

    test("takes what is put in the order of the calls", () =>
      connected(async (connection, key) => {
        const calls = Array.from({ length: 50 }, (_, i) =>
          connection.put([{ key: key("same"), value: bytes(String(i)), ttlMs }]),
        );
        const seen = connection.get([key("same")]);
        await Promise.all(calls);
        expect(Buffer.from((await seen)[0]!).toString()).toBe("49");
      }));

    test("answers many calls at once, each with its own", () =>
      connected(async (connection, key) => {
        const names = Array.from({ length: 2_000 }, (_, i) => key(String(i)));
        await connection.put(names.map((each) => ({ key: each, value: bytes(each), ttlMs })));
        const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => connection.get(names.slice(i * 100))));
        for (const [i, values] of answers.entries()) {
          expect(values.map((value) => Buffer.from(value!).toString())).toEqual(names.slice(i * 100));
        }
      }));

    test("a value is gone after its time, others stay; putting it again begins it anew", () =>
      connected(async (connection, key, opened) => {
        await connection.put([
          { key: key("soon"), value: bytes("1"), ttlMs: 150 },
          { key: key("later"), value: bytes("2"), ttlMs },
          { key: key("again"), value: bytes("3"), ttlMs: 150 },
        ]);
        await connection.put([{ key: key("again"), value: bytes("4"), ttlMs }]);
        await opened.pass(200);
        const values = await connection.get(["soon", "later", "again"].map(key));
        expect(values.map((value) => value && Buffer.from(value).toString())).toEqual([undefined, "2", "4"]);
      }));

    test("what is put by one connection is there for others", () =>
      connected(async (connection, key, { server }) => {
        const other = await server.connect(connectMs);
        try {
          await connection.put([{ key: key("a"), value: bytes("A"), ttlMs }]);
          expect(Buffer.from((await other.get([key("a")]))[0]!).toString()).toBe("A");
        } finally {
          other.close();
        }
      }));

    test("closing ends it: calls reject, those under way too", () =>
      connected(async (connection, key) => {
        const calls = [connection.get([key("a")]), connection.put([{ key: key("a"), value: bytes("A"), ttlMs }])];
        connection.close();
        const settled = await Promise.allSettled([...calls, connection.get([key("a")])]);
        expect(settled.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
        await connection.ended;
        connection.close();
      }));
  });
}
