// At half of the ingestion rate that was measured: how soon an acknowledged event is visible in a traversal, and what latency traversals have meanwhile.
import { PlaybackGenerator } from "../examples/streaming/generator.ts";
import { accountId } from "../examples/streaming/playback-event.ts";
import type { TraverseRequest } from "../src/model/traversal.ts";
import { bodiesOf, eventsPerBody } from "./bodies.ts";
import { freshness } from "./freshness.ts";
import { sendBodies } from "./http-load.ts";
import { askBeside } from "./one-client.ts";
import { percentile } from "./percentile.ts";
import { removeData, startStreamingServer, temporaryData } from "./streaming-server.ts";

export interface HalfLoadFigures {
  readonly eventsPerSecond: number;
  readonly freshnessMs: Readonly<Record<string, number>>;
  readonly twoHopsOverHttpMs: Readonly<Record<string, number>>;
}

export async function halfLoad(fullRate: number, seconds: number): Promise<HalfLoadFigures> {
  const data = await temporaryData();
  const server = await startStreamingServer(data, { flags: ["--jobs-window", "0s"] });
  try {
    const rate = Math.round(fullRate / 2);
    const generator = new PlaybackGenerator({ startMs: Date.now() - 3_600_000 });
    const warmUp = bodiesOf(generator, 100_000);
    const bodies = bodiesOf(generator, rate * seconds);
    const singles = bodiesOf(generator, 20_000, 1);
    await sendBodies(server.url, "/v1/events/playback", warmUp, 8);
    await server.settled();
    let running = true;
    const loading = sendBodies(server.url, "/v1/events/playback", bodies, 8, (1000 * eventsPerBody) / rate);
    const probes = [
      freshness({ gateway: server.url, serve: server.url, events: singles, pauseMs: 5, running: () => running }),
      askBeside({ address: server.url.host, requests: twoHops, count: 1e9, warmUp: 200, pauseMs: 5 }, loading),
    ] as const;
    const load = await loading;
    running = false;
    return {
      eventsPerSecond: Math.round((bodies.length * eventsPerBody) / load.wallSeconds),
      freshnessMs: percentiles(await probes[0]),
      twoHopsOverHttpMs: percentiles(await probes[1]),
    };
  } finally {
    await server.stop("SIGKILL");
    await removeData(data);
  }
}

const twoHops = Array.from({ length: 2_000 }, (_, i): TraverseRequest => ({
  from: { type: "account", ids: [accountId((i * 7919) % 200_000)] },
  hops: [
    { edge: "has_profile", limit: 50 },
    { edge: "watched", order: "latest", limit: 50 },
  ],
}));

function percentiles(values: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(values).toSorted();
  return {
    samples: sorted.length,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    max: percentile(sorted, 1),
  };
}
