// A store as queries are answered from it: limits before a store that is elsewhere, a cache before those. A local store needs no limits: its reads are done
// when they return. Beside the cache there may be a second tier that processes share.
import type { Clock, Timers } from "../core/clock.ts";
import { RdgError } from "../core/errors.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Store } from "../store/port.ts";
import type { CacheFigures } from "./cache/elements.ts";
import type { SharedFigures } from "./cache/shared-reads.ts";
import { CachedStore, type TierUse } from "./cache/store.ts";
import type { LimitFigures } from "./concurrency/adaptive-limit.ts";
import { LimitedStore } from "./concurrency/store.ts";

export interface ServedStoreOptions {
  readonly store: Store;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0: no cache. */
  readonly cacheBytesMax: number;
  /** For how long a store that is elsewhere is answered for by the cache. A local one's updates make entries void instead. */
  readonly cacheTtlMs: number;
  /** What the cache shares with those of other processes: for a store that is elsewhere, and with a cache. */
  readonly tier?: TierUse;
}

export interface ServedStore {
  readonly store: Store;
  readonly figures: () => {
    readonly cache: CacheFigures | undefined;
    readonly shared: SharedFigures | undefined;
    readonly limits: readonly LimitFigures[];
  };
}

/** @throws RdgError invalid, where there is a second tier and nothing before it, or the store needs none */
export function servedStore(options: ServedStoreOptions): ServedStore {
  const { model, clock, timers, cacheBytesMax: bytesMax, cacheTtlMs: ttlMs } = options;
  const limited =
    options.store.capabilities.local === true ? undefined : new LimitedStore({ store: options.store, clock, timers });
  const store = limited ?? options.store;
  const { tier } = options;
  if (tier !== undefined && bytesMax === 0) {
    throw new RdgError("invalid", "tier_without_cache", "There is a second tier, but no cache before it.", {
      hint: "Give the setting serve.cache some memory, such as 256MB, or leave cache.url empty.",
    });
  }
  const cached =
    bytesMax > 0 ? new CachedStore({ store, model, clock, bytesMax, ttlMs, ...(tier && { tier }) }) : undefined;
  return {
    store: cached ?? store,
    figures: () => ({ cache: cached?.figures, shared: cached?.sharedFigures, limits: limited?.figures ?? [] }),
  };
}
