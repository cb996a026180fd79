// CORS: off, unless origins are configured. Answers the browser's question before a request, and says on answers which page may read them.
import type { FastifyInstance } from "fastify";

const methods = "GET, HEAD, POST, PUT, DELETE";
const requestHeaders = "authorization, content-type, accept, idempotency-key, traceparent, tracestate, x-request-id";
const answerHeaders = "retry-after, www-authenticate, x-request-id";
const rememberedSeconds = 600;

/** The guard of names has refused all other origins before. Credentials are tokens that the page itself sends, never cookies. */
export function answerCors(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  const allowed = new Set(origins);
  app.addHook("onRequest", (request, reply, done) => {
    const { origin } = request.headers;
    reply.header("vary", "origin");
    if (origin === undefined || !allowed.has(origin)) return done();
    reply.header("access-control-allow-origin", origin).header("access-control-expose-headers", answerHeaders);
    const isPreflight = request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
    if (!isPreflight) return done();
    void reply
      .code(204)
      .header("access-control-allow-methods", methods)
      .header("access-control-allow-headers", requestHeaders)
      .header("access-control-max-age", rememberedSeconds)
      .send();
  });
}
