// What caches and adaptive limits of serving tell, as metrics take it.
import type { QueueFill } from "../observe/metrics.ts";
import type { ServingMeasures } from "../observe/serving-metrics.ts";
import type { LimitFigures } from "../query/concurrency/adaptive-limit.ts";
import type { EnricherFigures } from "../query/enrichment/enricher.ts";
import type { ServedStore } from "../query/served-store.ts";

export interface ServingFigures extends ServingMeasures {
  readonly queues: readonly QueueFill[];
}

export function servingFigures(
  store: ReturnType<ServedStore["figures"]>,
  enrichments: EnricherFigures,
): ServingFigures {
  const { cache, shared } = store;
  const limits = [...store.limits, ...enrichments.limits];
  const enriched = enrichments.caches.map((each) => ({ ...each, of: `enrichment ${each.name}`, invalidations: 0 }));
  return {
    uses: [
      ...(cache
        ? [
            { of: "nodes", ...cache.nodes },
            { of: "adjacency", ...cache.adjacency },
          ]
        : []),
      ...(shared
        ? [
            { of: "tier nodes", ...shared.nodes },
            { of: "tier adjacency", ...shared.adjacency },
          ]
        : []),
      ...enriched,
    ],
    ...(shared && { tier: shared }),
    losses: [...(cache ? [{ of: "store", ...cache }] : []), ...enriched],
    limits: limits.map(({ name: of, refused, lowered }) => ({ of, refused, lowered })),
    queues: [
      ...(cache ? [{ queue: "serve_cache", unit: "bytes", fill: cache.bytes, max: cache.bytesMax } as const] : []),
      ...(shared
        ? [
            { queue: "cache_tier_reads", unit: "elements", fill: shared.keys.underWay, max: shared.keys.max } as const,
            {
              queue: "cache_tier_puts",
              unit: "bytes",
              fill: shared.putBytes.underWay,
              max: shared.putBytes.max,
            } as const,
          ]
        : []),
      ...enriched.map(({ name: of, weight, weightMax }): QueueFill => {
        return { queue: "enrichment_cache", of, unit: "elements", fill: weight, max: weightMax };
      }),
      ...limits.flatMap(limitQueues),
    ],
  };
}

function limitQueues({ name: of, running, runningMax, waiting, waitingMax }: LimitFigures): QueueFill[] {
  return [
    { queue: "limited_calls", of, unit: "requests", fill: running, max: runningMax },
    { queue: "limited_calls_waiting", of, unit: "requests", fill: waiting, max: waitingMax },
  ];
}
