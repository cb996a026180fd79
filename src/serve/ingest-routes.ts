// POST /v1/events/{event} and /v1/inputs/{name}. Per request, not per event: bodies go to the gateway as the bytes they came as.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RdgError } from "../core/errors.ts";
import type { Gateway, RecordFormat } from "../gateway/port.ts";
import { guardBytes } from "./guards.ts";
import type { ServerSettings } from "./settings.ts";

const formats: ReadonlyMap<string, RecordFormat> = new Map([
  ["application/json", "json"],
  ["application/x-ndjson", "ndjson"],
  ["avro/binary", "avro"],
]);

const idempotencyKeyBytesMax = 256;

export function ingestRoutes(app: FastifyInstance, gateway: Gateway, settings: ServerSettings): void {
  guardBytes(app, settings.bytesInFlightMax, settings.eventBytesMax);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    [...formats.keys()],
    { parseAs: "buffer", bodyLimit: settings.eventBytesMax },
    (_request, body, done) => done(null, body),
  );
  for (const [kind, path] of [
    ["event", "/v1/events/:name"],
    ["input", "/v1/inputs/:name"],
  ] as const) {
    app.post<{ Params: { name: string }; Querystring: { partial?: unknown } }>(path, async (request, reply) => {
      const answer = await gateway.produce({
        target: { kind, name: request.params.name },
        format: formatOf(request),
        body: request.body as Uint8Array,
        partial: partialOf(request.query.partial),
        ...idempotencyOf(request),
      });
      const { accepted, positions, duplicate, rejected, rejectedCount } = answer;
      return json(reply, 202, {
        accepted,
        positions,
        ...(duplicate ? { duplicate } : {}),
        ...(rejectedCount > 0 ? { rejected, rejectedCount } : {}),
      });
    });
  }
}

function formatOf(request: FastifyRequest): RecordFormat {
  const type = (request.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
  const format = formats.get(type);
  const encoding = request.headers["content-encoding"];
  if (
    format === undefined ||
    (encoding !== undefined && encoding !== "identity") ||
    !(request.body instanceof Uint8Array)
  ) {
    throw new RdgError("invalid", "unsupported_media_type", "The body's type or encoding is not understood here.", {
      hint: `Send ${[...formats.keys()].join(", ")}, not compressed, with its Content-Type.`,
    });
  }
  return format;
}

function partialOf(value: unknown): boolean {
  if (value === undefined || value === "false") return false;
  if (value === "true" || value === "") return true;
  throw new RdgError("invalid", "bad_parameter", "partial is neither true nor false.", { place: "?partial" });
}

function idempotencyOf(request: FastifyRequest): { idempotencyKey?: string } {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return {};
  if (typeof key !== "string" || key === "" || Buffer.byteLength(key) > idempotencyKeyBytesMax) {
    throw new RdgError("invalid", "bad_idempotency_key", "The Idempotency-Key is not usable.", {
      place: "Idempotency-Key",
      hint: `Send one key of 1 to ${idempotencyKeyBytesMax} bytes.`,
    });
  }
  return { idempotencyKey: key };
}

function json(reply: FastifyReply, status: number, value: unknown): FastifyReply {
  return reply.code(status).type("application/json; charset=utf-8").send(JSON.stringify(value));
}
