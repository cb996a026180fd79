// A span per request, where tracing is configured: begun with the trace context that came with the request (W3C), ended with its answer.
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { RequestSpan, Tracer } from "../observe/port.ts";

const held = Symbol("span");
type Traced = FastifyRequest & { [held]?: RequestSpan | null };

/** Undefined where requests are not traced. */
export function spanOf(request: FastifyRequest): RequestSpan | undefined {
  return (request as Traced)[held] ?? undefined;
}

export function traceRequests(app: FastifyInstance, tracer: Tracer): void {
  app.decorateRequest(held, null);
  app.addHook("onRequest", (request, _reply, done) => {
    const { traceparent, tracestate } = request.headers;
    // Routes, never paths: paths hold ids, of which there is no end.
    const name = `${request.method} ${request.routeOptions.url ?? "unknown"}`;
    (request as Traced)[held] = tracer.request(name, {
      traceparent: oneOf(traceparent),
      tracestate: oneOf(tracestate),
    });
    done();
  });
  app.addHook("onResponse", (request, reply, done) => {
    const attributes = {
      "http.request.method": request.method,
      "http.route": request.routeOptions.url ?? "unknown",
      "http.response.status_code": reply.statusCode,
      "rdg.request_id": request.id,
    };
    spanOf(request)?.end(attributes, reply.statusCode >= 500);
    done();
  });
}

function oneOf(header: string | string[] | undefined): string | undefined {
  return typeof header === "string" ? header : undefined;
}
