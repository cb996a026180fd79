// Rates of single principals: token buckets for requests and for the edges that traversals scan.
//
// What a traversal costs is known afterwards only, so it is charged then: the bucket may go below zero, and until it is refilled nothing more is let in.
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import type { Principal, RateLimits } from "./port.ts";

/** What was not used is saved up for so long. */
const burstSeconds = 2;
/** Those that have been quiet longest are forgotten first, which fills their buckets. */
export const bucketsMax = 10_000;

interface Buckets {
  requests: number;
  scanned: number;
  filledMs: number;
}

export class RateLimiter {
  readonly #defaults: RateLimits;
  readonly #clock: Clock;
  readonly #byPrincipal = new Map<string, Buckets>();

  constructor(defaults: RateLimits, clock: Clock) {
    this.#defaults = defaults;
    this.#clock = clock;
  }

  /** Principals that are remembered. */
  get size(): number {
    return this.#byPrincipal.size;
  }

  /** Counts a request. @throws RdgError overloaded, `rate_limited`, with the time after which there is room again */
  admit(principal: Principal): void {
    const limits = this.#limitsOf(principal);
    if (limits === undefined) return;
    const buckets = this.#filled(principal.id, limits);
    const { requestsPerSecond, scannedPerSecond } = limits;
    if (scannedPerSecond !== undefined && buckets.scanned <= 0) {
      throw limited(`${scannedPerSecond} scanned edges`, (1 - buckets.scanned) / scannedPerSecond);
    }
    if (requestsPerSecond === undefined) return;
    if (buckets.requests < 1) {
      throw limited(`${requestsPerSecond} requests`, (1 - buckets.requests) / requestsPerSecond);
    }
    buckets.requests--;
  }

  charge(principal: Principal, scannedEdges: number): void {
    const limits = this.#limitsOf(principal);
    if (limits?.scannedPerSecond === undefined) return;
    this.#filled(principal.id, limits).scanned -= scannedEdges;
  }

  /** undefined where nothing is limited. */
  #limitsOf({ limits }: Principal): RateLimits | undefined {
    const requestsPerSecond = limits?.requestsPerSecond ?? this.#defaults.requestsPerSecond;
    const scannedPerSecond = limits?.scannedPerSecond ?? this.#defaults.scannedPerSecond;
    if (requestsPerSecond === undefined && scannedPerSecond === undefined) return undefined;
    return { requestsPerSecond, scannedPerSecond };
  }

  #filled(id: string, { requestsPerSecond = 0, scannedPerSecond = 0 }: RateLimits): Buckets {
    const nowMs = this.#clock.monotonicMs();
    const requestsMax = requestsPerSecond * burstSeconds;
    const scannedMax = scannedPerSecond * burstSeconds;
    let buckets = this.#byPrincipal.get(id);
    if (buckets === undefined) {
      if (this.#byPrincipal.size >= bucketsMax) this.#forgetOldest();
      buckets = { requests: requestsMax, scanned: scannedMax, filledMs: nowMs };
    } else {
      this.#byPrincipal.delete(id);
      const seconds = (nowMs - buckets.filledMs) / 1_000;
      buckets.requests = Math.min(requestsMax, buckets.requests + seconds * requestsPerSecond);
      buckets.scanned = Math.min(scannedMax, buckets.scanned + seconds * scannedPerSecond);
      buckets.filledMs = nowMs;
    }
    // The order of the map is that of the last use.
    this.#byPrincipal.set(id, buckets);
    return buckets;
  }

  #forgetOldest(): void {
    for (const id of this.#byPrincipal.keys()) return void this.#byPrincipal.delete(id);
  }
}

function limited(rate: string, seconds: number): RdgError {
  return new RdgError("overloaded", "rate_limited", `This key may cause ${rate} per second, and has caused more.`, {
    hint: "Ask again after the time in Retry-After, ask less, or have the limit raised.",
    retryAfterMs: Math.max(1, Math.ceil(seconds * 1_000)),
  });
}
