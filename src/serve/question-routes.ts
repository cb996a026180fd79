// POST /v1/nodes, /v1/edges, /v1/count, /v1/shortest-path and /v1/common-neighbours.
import type { FastifyInstance } from "fastify";
import type { QueryContext, Questions } from "../query/port.ts";
import { takeBodies } from "./bodies.ts";
import { type QueryBounds, answersQueries } from "./query-answers.ts";

export interface QuestionRouteOptions extends QueryBounds {
  readonly questions: Questions;
}

export function questionRoutes(app: FastifyInstance, options: QuestionRouteOptions): void {
  const { questions } = options;
  takeBodies(app, ["application/json"], options.bytesMax, options.bodies);
  const { asked } = answersQueries(options);
  const route = (path: string, ask: (body: unknown, context: QueryContext) => Promise<object>): void => {
    app.post(path, async (request, reply) =>
      asked(request, reply, async (body, context) => {
        const answer = await ask(body, context);
        return { json: Buffer.from(JSON.stringify(answer)) };
      }),
    );
  };
  route("/v1/nodes", (body, context) => questions.nodes(body, context));
  route("/v1/edges", (body, context) => questions.edges(body, context));
  route("/v1/count", (body, context) => questions.count(body, context));
  route("/v1/shortest-path", (body, context) => questions.shortestPath(body, context));
  route("/v1/common-neighbours", (body, context) => questions.commonNeighbours(body, context));
}
