// POST /v1/traverse and /v1/query, GET /v1/nodes/{type}/{id} and /v1/edges/{type}/{from}/{to}. Answers come as bytes and go out as they are.
import type { FastifyInstance } from "fastify";
import type { Queries } from "../query/port.ts";
import { takeBodies } from "./bodies.ts";
import { type QueryBounds, answersQueries, jsonOf } from "./query-answers.ts";
import { type StreamBounds, streamLines, wantsLines } from "./streamed-answers.ts";

export interface QueryRouteOptions extends QueryBounds, StreamBounds {
  readonly queries: Queries;
}

export function queryRoutes(app: FastifyInstance, options: QueryRouteOptions): void {
  const { queries } = options;
  takeBodies(app, ["application/json"], options.bytesMax, options.bodies);
  const { answer, asked } = answersQueries(options);
  app.post("/v1/traverse", async (request, reply) => {
    if (!wantsLines(request)) return asked(request, reply, (body, context) => queries.traverse(body, context));
    const body = jsonOf(request);
    return streamLines(request, reply, (context) => queries.traverseLines(body, context), options);
  });
  app.post("/v1/query", async (request, reply) => {
    if (!wantsLines(request)) return asked(request, reply, (body, context) => queries.query(body, context));
    const body = jsonOf(request);
    return streamLines(request, reply, (context) => queries.queryLines(body, context), options);
  });
  app.get<{ Params: { type: string; id: string } }>("/v1/nodes/:type/:id", (request, reply) => {
    const { type, id } = request.params;
    return answer(request, reply, (context) => queries.node(type, id, context));
  });
  app.get<{ Params: { type: string; from: string; to: string } }>("/v1/edges/:type/:from/:to", (request, reply) => {
    const { type, from, to } = request.params;
    return answer(request, reply, (context) => queries.edge(type, from, to, context));
  });
}
