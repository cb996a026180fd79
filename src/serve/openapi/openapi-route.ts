// GET /v1/openapi.json. Made when it is first asked for: all routes are known by then.
import type { FastifyInstance } from "fastify";
import type { DescribedRoutes } from "./describe-routes.ts";
import { openapiDocument } from "./document.ts";

export function openapiRoute(app: FastifyInstance, described: DescribedRoutes, version: string): void {
  let document: string | undefined;
  app.get("/v1/openapi.json", (_request, reply) => {
    document ??= JSON.stringify(openapiDocument(described, version));
    return reply.type("application/json; charset=utf-8").send(document);
  });
}
