// Metrics of what stands before stores and functions of the definition: caches and adaptive limits. How full they are is told with all other bounds.
import { Counter, type Registry } from "prom-client";

/** Counts grow from when the process started. */
export interface ServingMeasures {
  /** What was found in a cache: nodes and adjacency of the store, values of each enrichment. */
  readonly uses: readonly { readonly of: string; readonly hits: number; readonly misses: number }[];
  /** What left a cache: for room, or void because an update changed it. */
  readonly losses: readonly { readonly of: string; readonly evictions: number; readonly invalidations: number }[];
  readonly limits: readonly { readonly of: string; readonly refused: number; readonly lowered: number }[];
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
  counter("limited_calls_refused_total", "Calls that an adaptive limit refused.", ["of"], ({ limits }) =>
    limits.map(({ of, refused }) => [of, refused]),
  );
  counter("limit_lowered_total", "How often an adaptive limit was lowered.", ["of"], ({ limits }) =>
    limits.map(({ of, lowered }) => [of, lowered]),
  );
}
