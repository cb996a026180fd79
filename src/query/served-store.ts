// A store as queries are answered from it: limits before a store that is elsewhere, a cache before those. A local store needs no limits: its reads are done
// when they return.
import type { Clock, Timers } from "../core/clock.ts";
import type { GraphModel } from "../model/definition.ts";
import type { Store } from "../store/port.ts";
import type { CacheFigures } from "./cache/elements.ts";
import { CachedStore } from "./cache/store.ts";
import type { LimitFigures } from "./concurrency/adaptive-limit.ts";
import { LimitedStore } from "./concurrency/store.ts";

export interface ServedStoreOptions {
  readonly store: Store;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly timers: Timers;
  /** 0: no cache. */
  readonly cacheBytesMax: number;
  /** For how long a store that is elsewhere is answered for by the cache. */
  readonly cacheTtlMs: number;
}

export interface ServedStore {
  readonly store: Store;
  readonly figures: () => { readonly cache: CacheFigures | undefined; readonly limits: readonly LimitFigures[] };
}

export function servedStore(options: ServedStoreOptions): ServedStore {
  const { model, clock, timers, cacheBytesMax: bytesMax, cacheTtlMs: ttlMs } = options;
  const limited =
    options.store.capabilities.local === true ? undefined : new LimitedStore({ store: options.store, clock, timers });
  const store = limited ?? options.store;
  const cached = bytesMax > 0 ? new CachedStore({ store, model, clock, bytesMax, ttlMs }) : undefined;
  return {
    store: cached ?? store,
    figures: () => ({ cache: cached?.figures, limits: limited?.figures ?? [] }),
  };
}
