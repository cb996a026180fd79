// Durations of HTTP requests by route and status, as a histogram in the registry that composition gives.
import type { FastifyInstance } from "fastify";
import { Histogram, type Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";

const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

export function measureRequests(app: FastifyInstance, registry: Registry, clock: Clock): void {
  const durations = new Histogram({
    name: "rdg_http_request_duration_seconds",
    help: "Time from a request's headers to the end of its answer.",
    labelNames: ["method", "route", "status"] as const,
    buckets,
    registers: [registry],
  });
  const started = new WeakMap<object, number>();
  app.addHook("onRequest", (request, _reply, done) => {
    started.set(request, clock.monotonicMs());
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    // Routes, never paths: paths hold ids, of which there is no end.
    const labels = { method: request.method, route: request.routeOptions.url ?? "unknown", status: reply.statusCode };
    durations.observe(labels, (clock.monotonicMs() - (started.get(request) ?? 0)) / 1_000);
    done();
  });
}
