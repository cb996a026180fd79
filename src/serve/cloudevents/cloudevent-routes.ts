// POST /v1/cloudevents: CloudEvents 1.0 in binary, structured and batched mode. They become records of events and go the way of all events.
import type { FastifyInstance, FastifyRequest } from "fastify";
import { RdgError } from "../../core/errors.ts";
import type { MixedPart, MixedRequest, Stray } from "../../gateway/port.ts";
import { principalOf } from "../auth/guard.ts";
import { mayProduce } from "../auth/port.ts";
import { declaredBytes, takeBodies } from "../bodies.ts";
import {
  type IngestOptions,
  StandingRefusal,
  idempotencyOf,
  partialOf,
  produceWithin,
  sendAccepted,
} from "../ingest-request.ts";
import { readBinary } from "./binary-mode.ts";
import { type CloudEvent, essenceOf, structuredBytes } from "./cloud-event.ts";
import { readBatch, readStructured } from "./json-format.ts";
import { EventMapping } from "./mapping.ts";

const structuredType = "application/cloudevents+json";
const batchType = "application/cloudevents-batch+json";
/** As the gateway's bound on one request. */
const eventsMax = 100_000;

type Wanted = Pick<MixedRequest, "partial" | "idempotencyKey">;

export function cloudEventRoutes(app: FastifyInstance, options: IngestOptions): void {
  const { gateway, clock, latencyLimit } = options;
  const mapping = new EventMapping(options.model.events);
  const refusal = new StandingRefusal(clock);
  const wanted = new WeakMap<FastifyRequest, Wanted>();
  app.addHook("onRequest", (request, _reply, done) => {
    try {
      checkFormat(request);
      wanted.set(request, {
        partial: partialOf(request.query as Readonly<Record<string, unknown>>),
        ...idempotencyOf(request),
      });
      refusal.check();
      latencyLimit.expect(declaredBytes(request));
    } catch (error) {
      return done(error as Error);
    }
    done();
  });
  // In binary mode the body is of whatever type the data is.
  takeBodies(app, ["*"], options.bytesMax, options.bodies);
  app.post("/v1/cloudevents", async (request, reply) => {
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
    const events = eventsOf(request, body);
    const produce = () => gateway.produceMixed(mixedOf(events, mapping, request, wanted.get(request)!));
    return sendAccepted(reply, await produceWithin(options, refusal, body.length, produce));
  });
}

/** @throws RdgError invalid, `unsupported_media_type`: there are formats of CloudEvents beside JSON */
function checkFormat({ headers }: FastifyRequest): void {
  const type = headers["content-type"];
  const format = type === undefined ? "" : essenceOf(type);
  const isJson = format === structuredType || format === batchType;
  const charset = type === undefined ? undefined : /;\s*charset="?([^";\s]+)/i.exec(type)?.[1]?.toLowerCase();
  if (!isJson && !format.startsWith("application/cloudevents")) return;
  if (isJson && (charset === undefined || charset === "utf-8" || charset === "us-ascii")) return;
  throw new RdgError("invalid", "unsupported_media_type", "This format of CloudEvents is not understood here.", {
    place: "Content-Type",
    hint: `Send ${structuredType} or ${batchType} in UTF-8, or an event in binary mode.`,
  });
}

function eventsOf({ headers, raw }: FastifyRequest, body: Uint8Array): readonly CloudEvent[] {
  const type = headers["content-type"];
  const format = type === undefined ? "" : essenceOf(type);
  if (format === structuredType) return [readStructured(body)];
  if (format === batchType) {
    const events = readBatch(body);
    if (events.length <= eventsMax) return events;
    throw new RdgError("invalid", "too_many_records", `The request has more than ${eventsMax} events.`, {
      hint: "Send them in several requests.",
    });
  }
  const event = readBinary(raw.rawHeaders, type, body);
  if (event !== undefined) return [event];
  throw new RdgError("invalid", "not_a_cloudevent", "The request has no attributes of a CloudEvent.", {
    hint: `Send ${structuredType} or ${batchType}, or the headers ce-specversion, ce-id, ce-source and ce-type.`,
  });
}

/** Events that cannot be mapped are strays. @throws RdgError unauthorized, `scope_missing` */
function mixedOf(
  events: readonly CloudEvent[],
  mapping: EventMapping,
  request: FastifyRequest,
  wanted: Wanted,
): MixedRequest {
  const lines = new Map<string, { readonly lines: string[]; readonly indexes: number[] }>();
  const strays: Stray[] = [];
  for (const [index, event] of events.entries()) {
    try {
      const mapped = mapping.map(event);
      if ("problem" in mapped) {
        strays.push({ problem: { index, ...mapped.problem }, bytes: structuredBytes(event) });
        continue;
      }
      let part = lines.get(mapped.event);
      if (part === undefined) lines.set(mapped.event, (part = { lines: [], indexes: [] }));
      part.lines.push(mapped.line);
      part.indexes.push(index);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const place = `event ${index}`;
      throw new RdgError("invalid", "bad_json", "The data is nested too deeply.", { place, cause: error });
    }
  }
  const principal = principalOf(request);
  const parts = [...lines].map(([name, part]): MixedPart => {
    if (mayProduce(principal, name)) {
      const body = Buffer.from(part.lines.join("\n"));
      return { target: { kind: "event", name }, format: "ndjson", body, indexes: part.indexes };
    }
    throw new RdgError("unauthorized", "scope_missing", `The caller may not send the event "${name}".`, {
      hint: `It needs the scope produce:${name}.`,
    });
  });
  return { parts, strays, ...wanted };
}
