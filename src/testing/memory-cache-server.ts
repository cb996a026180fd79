// The twin of a cache server, in memory: what tests hold the servers' adapters to, and what they break as they like.
import type { Clock } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { CacheConnection, CacheServer } from "../query/cache/tier.ts";

export interface MemoryCacheServer extends CacheServer {
  readonly values: Map<string, { readonly value: Uint8Array; readonly untilMs: number }>;
  readonly connections: ReadonlySet<CacheConnection>;
  readonly counts: { connects: number; gets: number; puts: number };
  /** Asked before every call is answered: what it returns is waited for, what it throws is the answer. */
  before: (call: "connect" | "get" | "put") => Promise<void>;
}

/** @param clock what the server's own time is */
export function memoryCacheServer(clock: Clock): MemoryCacheServer {
  const connections = new Set<CacheConnection>();
  const server: MemoryCacheServer = {
    address: "memory",
    values: new Map(),
    connections,
    counts: { connects: 0, gets: 0, puts: 0 },
    before: () => Promise.resolve(),
    async connect() {
      server.counts.connects++;
      await server.before("connect");
      const connection = connectionTo(server, clock, () => connections.delete(connection));
      connections.add(connection);
      return connection;
    },
  };
  return server;
}

function connectionTo(server: MemoryCacheServer, clock: Clock, onEnd: () => void): CacheConnection {
  const { values, counts } = server;
  let end!: () => void;
  let open = true;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const answer = async (call: "get" | "put"): Promise<void> => {
    await Promise.race([server.before(call), ended]);
    // Nothing comes at the moment of the question.
    await Promise.resolve();
    if (open) return;
    throw new RdgError("unavailable", "cache_lost", "The connection was closed.", { hint: "Connect again." });
  };
  return {
    ended,
    async get(keys) {
      counts.gets++;
      await answer("get");
      return keys.map((key) => {
        const held = values.get(key);
        return held !== undefined && clock.monotonicMs() < held.untilMs ? Uint8Array.from(held.value) : undefined;
      });
    },
    async put(entries) {
      counts.puts++;
      await answer("put");
      const nowMs = clock.monotonicMs();
      for (const { key, value, ttlMs } of entries) {
        values.set(key, { value: Uint8Array.from(value), untilMs: nowMs + ttlMs });
      }
    },
    close() {
      open = false;
      onEnd();
      end();
    },
  };
}
