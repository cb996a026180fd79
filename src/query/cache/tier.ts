// A second tier of the serving cache: a server of keys and values beside the serving processes, which they share, such as Valkey or Redis.
//
// A server is asked for one connection at a time; whoever asks keeps the time-outs, gives up connections that do not answer and makes new ones later
// (tier-calls.ts). Adapters do what they are told and fail otherwise. Promises:
//  - values are bytes and come back as they were put, whole, or not at all;
//  - a value is gone `ttlMs` after the server took it, at the latest; it may be gone at any moment before;
//  - what one connection puts is taken in the order of the calls;
//  - calls do not wait for each other: many may be under way.
// Keys are well-formed text of up to 4 KB. Nothing here knows what values mean: whoever can write to the server can change answers.

export interface CacheServer {
  /** Where it is, for people; without names and passwords. */
  readonly address: string;
  /** @throws RdgError unavailable, unauthorized; at the latest after `timeoutMs` */
  connect(timeoutMs: number): Promise<CacheConnection>;
}

export interface CacheConnection {
  /** Values in the order of `keys`, undefined where there is none, in one round trip. Rejects when the server refuses or the connection is lost. */
  get(keys: readonly string[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** In one round trip. Rejects as `get` does, then some may have been put. */
  put(entries: readonly CacheEntry[]): Promise<void>;
  /** Resolves when the connection is lost or was closed. */
  readonly ended: Promise<void>;
  /** At once: calls under way reject. */
  close(): void;
}

export interface CacheEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** A positive integer. */
  readonly ttlMs: number;
}
