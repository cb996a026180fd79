// The second tier over Valkey or Redis, made of settings: what whoever composes a serving process calls.
import type { Clock, Timers } from "../../core/clock.ts";
import type { RdgError } from "../../core/errors.ts";
import type { Random } from "../../core/random.ts";
import type { TierUse } from "../cache/store.ts";
import { Tier } from "../cache/tier-calls.ts";
import { redisServer } from "./server.ts";
import { type CacheServerSettings, redisConnectionOf } from "./settings.ts";

export interface RedisTierPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Told when the cache server goes away, with the reason, and when it is back. */
  readonly notice: (problem: RdgError | undefined) => void;
}

/** Undefined where no cache server is named. Does not wait for the server. Close `tier` when serving has ended. @throws RdgError invalid, `bad_setting` */
export async function openRedisTier(
  settings: CacheServerSettings,
  ports: RedisTierPorts,
): Promise<TierUse | undefined> {
  const connection = await redisConnectionOf(settings);
  if (connection === undefined) return undefined;
  const server = redisServer(connection, ports.timers);
  return {
    tier: new Tier({ ...ports, server, timeoutMs: settings["cache.timeout"] }),
    prefix: settings["cache.prefix"],
    valueBytesMax: settings["cache.value"],
    budgetMs: settings["cache.budget"],
  };
}
