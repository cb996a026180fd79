// How every question about the graph is answered over HTTP: admitted, given up when its caller goes away, and counted until its answer is taken.
import { isUtf8 } from "node:buffer";
import type { FastifyReply, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { QueryAnswer, QueryContext } from "../query/port.ts";
import { allowanceOf } from "./auth/guard.ts";
import type { ByteBudget, Holding } from "./byte-budget.ts";
import type { Admission } from "./guards.ts";
import { spanOf } from "./request-spans.ts";
import { whenOver } from "./when-over.ts";

export interface QueryBounds {
  readonly bytesMax: number;
  readonly bodies: ByteBudget;
  readonly admission: Admission;
  /** For queries that wait for positions: they cost nothing while they wait, and must not keep others out. */
  readonly waiting: Admission;
  /** Answers until they are taken. */
  readonly answers: ByteBudget;
}

export interface QueryAnswering {
  readonly answer: (
    request: FastifyRequest,
    reply: FastifyReply,
    ask: (context: QueryContext) => Promise<QueryAnswer>,
    admitted?: Admission,
  ) => Promise<FastifyReply>;
  /** Answers what the JSON body asks. */
  readonly asked: (
    request: FastifyRequest,
    reply: FastifyReply,
    ask: (body: unknown, context: QueryContext) => Promise<QueryAnswer>,
  ) => Promise<FastifyReply>;
}

export function answersQueries({ admission, waiting, answers }: QueryBounds): QueryAnswering {
  const answer: QueryAnswering["answer"] = async (request, reply, ask, admitted = admission) => {
    const given = new AbortController();
    let holding: Holding | undefined;
    whenOver(reply.raw, () => {
      if (!reply.raw.writableFinished) given.abort();
      holding?.release();
    });
    answers.expect(1);
    const { json } = await admitted.run(() => ask(contextOf(request, given.signal)));
    if (!given.signal.aborted) {
      holding = answers.hold(() => reply.raw.destroy());
      holding.addRegardless(json.length);
    }
    return reply.type("application/json; charset=utf-8").send(json);
  };
  return {
    answer,
    asked(request, reply, ask) {
      const body = jsonOf(request);
      return answer(request, reply, (context) => ask(body, context), waits(body) ? waiting : admission);
    },
  };
}

export function contextOf(request: FastifyRequest, signal: AbortSignal): QueryContext {
  return { signal, requestId: request.id, span: spanOf(request), ...allowanceOf(request) };
}

function waits(body: unknown): boolean {
  return typeof body === "object" && body !== null && "waitFor" in body;
}

export function jsonOf({ body }: FastifyRequest): unknown {
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
