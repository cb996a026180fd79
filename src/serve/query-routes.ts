// POST /v1/traverse and /v1/query, GET /v1/nodes/{type}/{id} and /v1/edges/{type}/{from}/{to}. Answers come as bytes and go out as they are.
import { isUtf8 } from "node:buffer";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { Queries, QueryAnswer, QueryContext } from "../query/port.ts";
import { takeBodies } from "./bodies.ts";
import type { ByteBudget } from "./byte-budget.ts";
import type { Admission } from "./guards.ts";

export interface QueryRouteOptions {
  readonly queries: Queries;
  readonly bytesMax: number;
  readonly bodies: ByteBudget;
  readonly admission: Admission;
  /** For queries that wait for positions: they cost nothing while they wait, and must not keep others out. */
  readonly waiting: Admission;
  /** Answers until they are taken. */
  readonly answers: ByteBudget;
}

type Ask = (context: QueryContext) => Promise<QueryAnswer>;

export function queryRoutes(app: FastifyInstance, options: QueryRouteOptions): void {
  const { queries, admission, waiting, answers } = options;
  takeBodies(app, ["application/json"], options.bytesMax, options.bodies);
  const answer = async (reply: FastifyReply, ask: Ask, admitted = admission): Promise<FastifyReply> => {
    const given = new AbortController();
    reply.raw.once("close", () => {
      if (!reply.raw.writableFinished) given.abort();
    });
    answers.expect(1);
    const { json } = await admitted.run(() => ask({ signal: given.signal }));
    if (!given.signal.aborted) {
      const holding = answers.hold(() => reply.raw.destroy());
      reply.raw.once("close", () => holding.release());
      holding.addRegardless(json.length);
    }
    return reply.type("application/json; charset=utf-8").send(json);
  };
  const asked = (
    request: FastifyRequest,
    reply: FastifyReply,
    ask: (body: unknown, context: QueryContext) => Promise<QueryAnswer>,
  ) => {
    const body = jsonOf(request);
    return answer(reply, (context) => ask(body, context), waits(body) ? waiting : admission);
  };
  app.post("/v1/traverse", async (request, reply) =>
    asked(request, reply, (body, context) => queries.traverse(body, context)),
  );
  app.post("/v1/query", async (request, reply) =>
    asked(request, reply, (body, context) => queries.query(body, context)),
  );
  app.get<{ Params: { type: string; id: string } }>("/v1/nodes/:type/:id", (request, reply) => {
    const { type, id } = request.params;
    return answer(reply, (context) => queries.node(type, id, context));
  });
  app.get<{ Params: { type: string; from: string; to: string } }>("/v1/edges/:type/:from/:to", (request, reply) => {
    const { type, from, to } = request.params;
    return answer(reply, (context) => queries.edge(type, from, to, context));
  });
}

function waits(body: unknown): boolean {
  return typeof body === "object" && body !== null && "waitFor" in body;
}

function jsonOf({ body }: FastifyRequest): unknown {
  if (!Buffer.isBuffer(body)) {
    throw new RdgError("invalid", "unsupported_media_type", "A query is a JSON body.", {
      hint: "Send it with Content-Type: application/json.",
    });
  }
  try {
    if (!isUtf8(body)) throw new Error("It is not UTF-8");
    return JSON.parse(body.toString());
  } catch (error) {
    throw new RdgError("invalid", "bad_json", `The body is not JSON: ${(error as Error).message}.`, {
      hint: "See docs/queries.md.",
    });
  }
}
