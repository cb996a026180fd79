// rdg.v1.IngestService over the gateway: the same bounds as HTTP's routes for events (ingest-routes.ts), and the same answers.
import { didYouMean } from "../../core/did-you-mean.ts";
import { RdgError } from "../../core/errors.ts";
import type { Gateway, ProduceRequest as GatewayRequest, RecordFormat as Format } from "../../gateway/port.ts";
import type { GraphModel } from "../../model/definition.ts";
import { ProduceRequest, ProduceResponse, RecordFormat } from "../../model/rpc/generated/rdg/v1/ingest_service.ts";
import { type Principal, mayProduce } from "../auth/port.ts";
import type { ServerBounds } from "../server.ts";
import type { Calls } from "./calls.ts";
import { type Handlers, ingestMethods } from "./services.ts";

const formats: ReadonlyMap<RecordFormat, Format> = new Map([
  [RecordFormat.RECORD_FORMAT_JSON, "json"],
  [RecordFormat.RECORD_FORMAT_NDJSON, "ndjson"],
  [RecordFormat.RECORD_FORMAT_AVRO, "avro"],
]);
const idempotencyKeyBytesMax = 256;

export interface IngestServiceOptions {
  readonly model: GraphModel;
  readonly gateway: Gateway;
  readonly bounds: Pick<ServerBounds, "events" | "eventBytes" | "eventBodies">;
}

export function ingestService(
  calls: Calls,
  { model, gateway, bounds }: IngestServiceOptions,
): Handlers<typeof ingestMethods> {
  const method = {
    path: ingestMethods.Produce.path,
    request: ProduceRequest,
    shape: "produce",
    bodies: bounds.eventBodies,
  } as const;
  return {
    Produce: calls.unary(method, async (request, { principal }) => {
      const asked = gatewayRequestOf(request, model, principal);
      const { body } = asked;
      const answer = await bounds.events.run(() => bounds.eventBytes.run(body.length, () => gateway.produce(asked)));
      const { accepted, positions, duplicate, rejected, rejectedCount } = answer;
      return ProduceResponse.encode({
        accepted,
        positions: [...positions],
        duplicate,
        rejectedCount,
        rejected: rejected.map(({ index, field = "", code, reason }) => ({ index, field, code, reason })),
      }).finish();
    }),
  };
}

function gatewayRequestOf(request: ProduceRequest, model: GraphModel, principal: Principal): GatewayRequest {
  const { target, format, records, partial, idempotencyKey } = request;
  if (target === undefined || target.value === "") {
    throw new RdgError("invalid", "bad_request", "The request does not say what its records are.", {
      place: "event",
      hint: "Set event, or input.",
    });
  }
  const kind = target.$case;
  const name = target.value;
  const names = model[kind === "event" ? "events" : "sideInputs"].map((each) => each.name);
  if (!names.includes(name)) {
    const what = kind === "event" ? "event" : "side input";
    throw new RdgError("not_found", `unknown_${kind}`, `The definition has no ${what} "${name.slice(0, 100)}".`, {
      hint: didYouMean(name, names),
    });
  }
  if (!mayProduce(principal, name)) {
    throw new RdgError("unauthorized", "scope_missing", `The caller may not send "${name}".`, {
      hint: `Use credentials with the scope produce:${name}.`,
    });
  }
  const known = formats.get(format);
  if (known === undefined) {
    throw new RdgError("invalid", "unsupported_media_type", "The records' format is not said.", {
      place: "format",
      hint: "Set it to JSON, NDJSON or AVRO.",
    });
  }
  const key = idempotencyKey === undefined ? undefined : checkedKey(idempotencyKey);
  // The gateway may live on another thread: it takes the buffer with it, which must hold nothing else.
  const body = new Uint8Array(records);
  return {
    target: { kind, name },
    format: known,
    body,
    partial,
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
}

function checkedKey(key: string): string {
  const bytes = Buffer.byteLength(key);
  if (bytes > 0 && bytes <= idempotencyKeyBytesMax && !key.includes("\ufffd")) return key;
  throw new RdgError("invalid", "bad_idempotency_key", "The idempotency key is not usable.", {
    place: "idempotency_key",
    hint: `Send one of 1 to ${idempotencyKeyBytesMax} bytes of UTF-8.`,
  });
}
