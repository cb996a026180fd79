// POST /v1/events/{event} and /v1/inputs/{name}. Per request, not per event: bodies go to the gateway as the bytes they came as. What the path and the
// headers tell is decided before the body is read.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Clock } from "../core/clock.ts";
import { didYouMean } from "../core/did-you-mean.ts";
import { RdgError } from "../core/errors.ts";
import type { Gateway, ProduceRequest, RecordFormat } from "../gateway/port.ts";
import type { GraphModel } from "../model/definition.ts";
import { declaredBytes, takeBodies } from "./bodies.ts";
import type { ByteBudget } from "./byte-budget.ts";
import { type Admission, comesTwice } from "./guards.ts";
import type { LatencyLimit } from "./latency-limit.ts";

const formats: ReadonlyMap<string, RecordFormat> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "ndjson"],
  ["avro/binary", "avro"],
]);

const idempotencyKeyBytesMax = 256;
/** For so long at most a refusal of everything is repeated without asking the gateway. */
const refusalMaxMs = 250;

export interface IngestOptions {
  readonly gateway: Gateway;
  readonly model: GraphModel;
  readonly clock: Clock;
  readonly bytesMax: number;
  readonly bodies: ByteBudget;
  readonly admission: Admission;
  readonly latencyLimit: LatencyLimit;
}

interface Route {
  Params: { name: string };
  Querystring: Readonly<Record<string, unknown>>;
}

type Wanted = Omit<ProduceRequest, "body">;

export function ingestRoutes(app: FastifyInstance, options: IngestOptions): void {
  const { gateway, clock, admission, latencyLimit } = options;
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
        const produce = (): ReturnType<Gateway["produce"]> => gateway.produce({ ...wanted.get(request)!, body });
        const answer = await admission
          .run(() => latencyLimit.run(body.length, produce))
          .catch((error: unknown) => {
            refusal.note(error);
            throw error;
          });
        const { accepted, positions, duplicate, rejected, rejectedCount } = answer;
        return json(reply, 202, {
          accepted,
          positions,
          ...(duplicate ? { duplicate } : {}),
          ...(rejectedCount > 0 ? { rejected, rejectedCount } : {}),
        });
      });
    });
  }
}

/** While the gateway takes nothing at all (jobs lag, the store or the disk is full), bodies need not be read to be refused. */
class StandingRefusal {
  readonly #clock: Clock;
  #error: RdgError | undefined;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(error: unknown): void {
    if (!(error instanceof RdgError)) return;
    const { kind, code, retryAfterMs = 0 } = error;
    if (code !== "jobs_behind" && kind !== "unavailable") return;
    this.#error = error;
    this.#untilMs = this.#clock.monotonicMs() + Math.min(retryAfterMs, refusalMaxMs);
  }

  check(): void {
    if (this.#error === undefined) return;
    if (this.#clock.monotonicMs() < this.#untilMs) throw this.#error;
    this.#error = undefined;
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

function partialOf(query: Route["Querystring"]): boolean {
  for (const name of Object.keys(query)) {
    if (name === "partial") continue;
    const message = `There is no parameter "${name.slice(0, 100)}".`;
    throw new RdgError("invalid", "bad_parameter", message, { place: "?", hint: "There is: partial." });
  }
  const value = query["partial"];
  if (value === undefined || value === "false") return false;
  if (value === "true" || value === "") return true;
  throw new RdgError("invalid", "bad_parameter", "partial is neither true nor false.", { place: "?partial" });
}

/** The header's bytes as UTF-8; node hands them out as Latin-1, and several headers joined. */
function idempotencyOf(request: FastifyRequest<Route>): { idempotencyKey?: string } {
  const header = request.headers["idempotency-key"];
  if (header === undefined) return {};
  const bytes = Buffer.from(String(header), "latin1");
  const key = bytes.toString("utf8");
  const twice = comesTwice(request, "idempotency-key");
  if (twice || bytes.length === 0 || bytes.length > idempotencyKeyBytesMax || key.includes("\ufffd")) {
    throw new RdgError("invalid", "bad_idempotency_key", "The Idempotency-Key is not usable.", {
      place: "Idempotency-Key",
      hint: `Send one key of 1 to ${idempotencyKeyBytesMax} bytes of UTF-8.`,
    });
  }
  return { idempotencyKey: key };
}

function json(reply: FastifyReply, status: number, value: unknown): FastifyReply {
  return reply.code(status).type("application/json; charset=utf-8").send(JSON.stringify(value));
}
