// Valkey or Redis as the cache server: one connection of the Redis protocol, all calls pipelined on it.
import { RESP_TYPES, createClient } from "@redis/client";
import type { Timers } from "../../core/clock.ts";
import { RdgError, describeError } from "../../core/errors.ts";
import type { CacheConnection, CacheServer } from "../cache/tier.ts";
import type { RedisConnection } from "./settings.ts";

export function redisServer({ host, port, ...options }: RedisConnection, timers: Timers): CacheServer {
  const address = `${host}:${port}`;
  return {
    address,
    async connect(timeoutMs) {
      const client = createClient({
        // Understood by every release of both, and by proxies.
        RESP: 2,
        socket: {
          host,
          port,
          connectTimeout: timeoutMs,
          reconnectStrategy: false,
          ...(options.tls && { tls: true, ...options.tls }),
        },
        ...(options.username !== undefined && { username: options.username }),
        ...(options.password !== undefined && { password: options.password }),
        database: options.database,
        disableOfflineQueue: true,
        disableClientInfo: true,
        maintNotifications: "disabled",
        commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
      });
      const ended = new Promise<void>((resolve) => {
        // Whatever the error is: this connection is not used any more.
        client.on("error", () => resolve());
        client.on("end", () => resolve());
      });
      const close = (): void => {
        if (client.isOpen) client.destroy();
      };
      // A server may take connections and say nothing.
      const cancel = timers.after(timeoutMs, close);
      try {
        await client.connect();
        // What may not be done without a password is refused here.
        await client.ping();
      } catch (error) {
        close();
        throw refusal(error, address);
      } finally {
        cancel();
      }
      return connectionOf(client, ended, close);
    },
  };
}

interface RedisCalls {
  mGet(keys: string[]): Promise<readonly (Buffer | null)[]>;
  set(key: string, value: Buffer, options: { expiration: { type: "PX"; value: number } }): Promise<unknown>;
}

function connectionOf(client: RedisCalls, ended: Promise<void>, close: () => void): CacheConnection {
  return {
    ended,
    close,
    async get(keys) {
      if (keys.length === 0) return [];
      return (await client.mGet([...keys])).map((value) => value ?? undefined);
    },
    async put(entries) {
      const puts = entries.map(({ key, value, ttlMs }) =>
        client.set(key, Buffer.from(value.buffer, value.byteOffset, value.length), {
          expiration: { type: "PX", value: ttlMs },
        }),
      );
      await Promise.all(puts);
    },
  };
}

function refusal(cause: unknown, place: string): RdgError {
  const message = describeError(cause);
  if (/^(NOAUTH|WRONGPASS|NOPERM)\b|invalid password|no password is set/i.test(message)) {
    return new RdgError("unauthorized", "cache_refuses", `The cache server refuses RDG: ${message}`, {
      place,
      hint: "Check the settings cache.username and cache.password. RDG needs the commands PING, MGET and SET.",
      cause,
    });
  }
  return new RdgError("unavailable", "cache_away", `The cache server cannot be reached: ${message}`, {
    place,
    hint: "Check that it runs at the address of the setting cache.url, and whether it takes TLS (rediss://) or not.",
    cause,
  });
}
