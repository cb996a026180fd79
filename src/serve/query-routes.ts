// POST /v1/traverse and /v1/query, GET /v1/nodes/{type}/{id} and /v1/edges/{type}/{from}/{to}. Answers come as bytes and go out as they are.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { Queries, QueryAnswer } from "../query/port.ts";
import { Admission } from "./guards.ts";
import type { ServerSettings } from "./settings.ts";

export function queryRoutes(app: FastifyInstance, queries: Queries, settings: ServerSettings): void {
  const admission = new Admission(settings.queriesInFlightMax);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "application/json",
    { parseAs: "buffer", bodyLimit: settings.queryBytesMax },
    (_request, body, done) => done(null, body),
  );
  const answer = async (
    reply: FastifyReply,
    ask: (signal: AbortSignal) => Promise<QueryAnswer>,
  ): Promise<FastifyReply> => {
    const given = new AbortController();
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) given.abort();
    });
    const { json } = await admission.run(() => ask(given.signal));
    return reply.type("application/json; charset=utf-8").send(json);
  };
  app.post("/v1/traverse", (request, reply) => {
    return answer(reply, async (signal) => queries.traverse(jsonOf(request), signal));
  });
  app.post("/v1/query", (request, reply) => {
    return answer(reply, async (signal) => queries.query(jsonOf(request), signal));
  });
  app.get<{ Params: { type: string; id: string } }>("/v1/nodes/:type/:id", (request, reply) => {
    const { type, id } = request.params;
    return answer(reply, (signal) => queries.node(type, id, signal));
  });
  app.get<{ Params: { type: string; from: string; to: string } }>("/v1/edges/:type/:from/:to", (request, reply) => {
    const { type, from, to } = request.params;
    return answer(reply, (signal) => queries.edge(type, from, to, signal));
  });
}

function jsonOf(request: FastifyRequest): unknown {
  if (!(request.body instanceof Uint8Array)) {
    throw new RdgError("invalid", "unsupported_media_type", "A query is a JSON body.", {
      hint: "Send it with Content-Type: application/json.",
    });
  }
  try {
    return JSON.parse(Buffer.from(request.body).toString());
  } catch (error) {
    throw new RdgError("invalid", "bad_json", `The body is not JSON: ${(error as Error).message}.`, {
      hint: "See docs/queries.md.",
    });
  }
}
