// Metrics of what stands before stores and functions of the definition: caches and adaptive limits. How full they are is told with all other bounds.
import { Counter, Gauge, type Registry } from "prom-client";

/** Counts grow from when the process started. */
export interface ServingMeasures {
  /** What was found in a cache: nodes and adjacency of the store, values of each enrichment. */
  readonly uses: readonly { readonly of: string; readonly hits: number; readonly misses: number }[];
  /** What left a cache: for room, or void because an update changed it. */
  readonly losses: readonly { readonly of: string; readonly evictions: number; readonly invalidations: number }[];
  readonly limits: readonly { readonly of: string; readonly refused: number; readonly lowered: number }[];
  /** The cache server that processes share, where there is one. */
  readonly tier?: TierMeasures;
}

export interface TierMeasures {
  /** Its address. */
  readonly server: string;
  readonly connected: boolean;
  readonly calls: {
    readonly answered: number;
    readonly late: number;
    readonly failed: number;
    readonly skipped: number;
  };
  readonly puts: { readonly stored: number; readonly failed: number; readonly skipped: number };
  readonly givenUp: number;
  readonly waitedMs: number;
  readonly outdated: number;
  readonly unreadable: number;
  readonly oversize: number;
}

export function registerServingMetrics(registry: Registry, measure: () => ServingMeasures): void {
  const counter = (
    name: string,
    help: string,
    labels: readonly string[],
    samples: (measures: ServingMeasures) => readonly (readonly [...labels: string[], value: number])[],
  ): void => {
    const metric: Counter = new Counter({
      name: `rdg_${name}`,
      help,
      labelNames: [...labels],
      registers: [registry],
      collect() {
        metric.reset();
        for (const sample of samples(measure())) {
          const named = Object.fromEntries(labels.map((label, i) => [label, sample[i]!]));
          metric.inc(named, sample[labels.length] as number);
        }
      },
    });
  };
  counter("cache_reads_total", "What was asked of caches, by whether it was there.", ["of", "outcome"], ({ uses }) =>
    uses.flatMap(({ of, hits, misses }) => [
      [of, "hit", hits],
      [of, "miss", misses],
    ]),
  );
  counter(
    "cache_losses_total",
    "Entries that left a cache: evicted for room, or void because an update changed what they hold.",
    ["of", "cause"],
    ({ losses }) =>
      losses.flatMap(({ of, evictions, invalidations }) => [
        [of, "evicted", evictions],
        [of, "void", invalidations],
      ]),
  );
  const isConnected: Gauge = new Gauge({
    name: "rdg_cache_tier_connected",
    help: "Whether the cache server that processes share is in use; no series where there is none.",
    labelNames: ["server"],
    registers: [registry],
    collect() {
      isConnected.reset();
      const { tier } = measure();
      if (tier !== undefined) isConnected.set({ server: tier.server }, Number(tier.connected));
    },
  });
  counter("cache_tier_calls_total", "What became of calls to the cache server.", ["outcome"], ({ tier }) =>
    Object.entries(tier?.calls ?? {}),
  );
  counter("cache_tier_wait_seconds_total", "Time that reads waited for the cache server.", [], ({ tier }) =>
    tier === undefined ? [] : [[tier.waitedMs / 1_000]],
  );
  counter(
    "cache_tier_puts_total",
    "What became of elements that were read of the store: stored, failed, skipped, oversize.",
    ["outcome"],
    ({ tier }) => (tier === undefined ? [] : Object.entries({ ...tier.puts, oversize: tier.oversize })),
  );
  counter(
    "cache_tier_unused_total",
    "Elements that the cache server had and that were not used: they had not seen enough, or were none.",
    ["cause"],
    ({ tier }) => (tier === undefined ? [] : Object.entries({ outdated: tier.outdated, unreadable: tier.unreadable })),
  );
  counter(
    "cache_tier_given_up_total",
    "How often the cache server was left for being late or failing.",
    [],
    ({ tier }) => (tier === undefined ? [] : [[tier.givenUp]]),
  );
  counter("limited_calls_refused_total", "Calls that an adaptive limit refused.", ["of"], ({ limits }) =>
    limits.map(({ of, refused }) => [of, refused]),
  );
  counter("limit_lowered_total", "How often an adaptive limit was lowered.", ["of"], ({ limits }) =>
    limits.map(({ of, lowered }) => [of, lowered]),
  );
}
