// POST /v1/events/{event} and /v1/inputs/{name}. Per request, not per event: bodies go to the gateway as the bytes they came as. What the path and the
// headers tell is decided before the body is read.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { ProduceAnswer, ProduceRequest, RecordFormat } from "../gateway/port.ts";
import { declaredBytes, takeBodies } from "./bodies.ts";
import {
  type IngestOptions,
  StandingRefusal,
  idempotencyOf,
  partialOf,
  produceWithin,
  sendAccepted,
} from "./ingest-request.ts";

const formats: ReadonlyMap<string, RecordFormat> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "ndjson"],
  ["avro/binary", "avro"],
]);

interface Route {
  Params: { name: string };
  Querystring: Readonly<Record<string, unknown>>;
}

type Wanted = Omit<ProduceRequest, "body">;

export function ingestRoutes(app: FastifyInstance, options: IngestOptions): void {
  const { gateway, clock, latencyLimit } = options;
  const wanted = new WeakMap<FastifyRequest, Wanted>();
  for (const kind of ["event", "input"] as const) {
    const refusal = new StandingRefusal(clock);
    const names = options.model[kind === "event" ? "events" : "sideInputs"].map(({ name }) => name);
    app.register(async (scope) => {
      scope.addHook<Route>("onRequest", (request, _reply, done) => {
        try {
          wanted.set(request, wantedBy(request, kind, names));
          refusal.check();
          latencyLimit.expect(declaredBytes(request));
        } catch (error) {
          return done(error as Error);
        }
        done();
      });
      takeBodies(scope, [...formats.keys()], options.bytesMax, options.bodies);
      scope.post<Route>(`/v1/${kind}s/:name`, async (request, reply) => {
        const { body } = request;
        if (!(body instanceof Uint8Array)) throw unsupportedType();
        const produce = (): Promise<ProduceAnswer> => gateway.produce({ ...wanted.get(request)!, body });
        return sendAccepted(reply, await produceWithin(options, refusal, body.length, produce));
      });
    });
  }
}

function wantedBy(request: FastifyRequest<Route>, kind: "event" | "input", names: readonly string[]): Wanted {
  const { name } = request.params;
  if (!names.includes(name)) {
    const what = kind === "event" ? "event" : "side input";
    throw new RdgError("not_found", `unknown_${kind}`, `The definition has no ${what} "${name.slice(0, 100)}".`, {
      hint: didYouMean(name, names),
    });
  }
  return {
    target: { kind, name },
    format: formatOf(request),
    partial: partialOf(request.query),
    ...idempotencyOf(request),
  };
}

function formatOf({ headers }: FastifyRequest<Route>): RecordFormat {
  const format = formats.get((headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase());
  if (format === undefined) throw unsupportedType();
  return format;
}

function unsupportedType(): RdgError {
  return new RdgError("invalid", "unsupported_media_type", "The body's type is not understood here.", {
    place: "Content-Type",
    hint: `Send ${[...formats.keys()].join(", ")}, with its Content-Type.`,
  });
}
