// Durations of HTTP requests by route and status, as a histogram in the registry that composition gives.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import { Histogram, type HistogramSeries } from "../core/histogram.ts";

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

/** Where a request keeps when it came. */
const startedMs = Symbol("startedMs");

interface Started {
  [startedMs]: number;
}

export function measureRequests(app: FastifyInstance, registry: Registry, clock: Clock): void {
  const durations = new Histogram({
    name: "rdg_http_request_duration_seconds",
    help: "Time from a request's headers to the end of its answer.",
    labelNames: ["method", "route", "status"] as const,
    buckets,
    registers: [registry],
  });
  const known = new Map<string, HistogramSeries>();
  const seriesOf = ({ method, routeOptions }: FastifyRequest, { statusCode }: FastifyReply): HistogramSeries => {
    // Routes, never paths: paths hold ids, of which there is no end.
    const route = routeOptions.url ?? "unknown";
    const key = `${statusCode} ${method} ${route}`;
    let series = known.get(key);
    if (series === undefined) known.set(key, (series = durations.of({ method, route, status: String(statusCode) })));
    return series;
  };
  app.decorateRequest(startedMs, 0);
  app.addHook("onRequest", (request, _reply, done) => {
    (request as unknown as Started)[startedMs] = clock.monotonicMs();
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    const { [startedMs]: fromMs } = request as unknown as Started;
    seriesOf(request, reply).observe((clock.monotonicMs() - fromMs) / 1_000);
    done();
  });
}
