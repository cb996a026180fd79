// Failed calls as the errors that the server raised: its google.rpc details tell code, place, hint and when a retry is worth it.
import { type ServiceError, status } from "@grpc/grpc-js";
import { type ErrorKind, RdgError } from "../../core/errors.ts";
import { BadRequest, ErrorInfo, RetryInfo } from "../../model/rpc/generated/google/rpc/error_details.ts";
import { Status } from "../../model/rpc/generated/google/rpc/status.ts";

const kindOfStatus: ReadonlyMap<status, ErrorKind> = new Map([
  [status.INVALID_ARGUMENT, "invalid"],
  [status.OUT_OF_RANGE, "invalid"],
  [status.UNIMPLEMENTED, "invalid"],
  [status.NOT_FOUND, "not_found"],
  [status.ALREADY_EXISTS, "conflict"],
  [status.FAILED_PRECONDITION, "conflict"],
  [status.PERMISSION_DENIED, "unauthorized"],
  [status.UNAUTHENTICATED, "unauthorized"],
  [status.RESOURCE_EXHAUSTED, "overloaded"],
  [status.UNAVAILABLE, "unavailable"],
  [status.DEADLINE_EXCEEDED, "unavailable"],
  [status.CANCELLED, "unavailable"],
  [status.ABORTED, "unavailable"],
  [status.DATA_LOSS, "corrupt"],
]);

export function failureOf(error: ServiceError, address: string): RdgError {
  const kind = kindOfStatus.get(error.code) ?? "internal";
  const { info, retryAfterMs, violations } = detailsOf(error);
  if (info === undefined) {
    // Not from RDG: nobody is there, or something between.
    const code = kind === "unavailable" ? "no_answer" : `grpc_${status[error.code].toLowerCase()}`;
    return new RdgError(kind, code, `The call to ${address} failed: ${error.details}.`, {
      hint: "Check the address, and that RDG listens for gRPC there.",
      cause: error,
    });
  }
  const code = info.metadata.get("code") ?? info.reason.toLowerCase();
  const hint = info.metadata.get("hint");
  // The status holds both on one line.
  const message =
    hint !== undefined && error.details.endsWith(` ${hint}`) ? error.details.slice(0, -hint.length - 1) : error.details;
  const details = code === "bad_records" ? { problems: violations.flatMap(problemOf) } : undefined;
  return new RdgError(kind, code, message, {
    place: info.metadata.get("place"),
    hint,
    retryAfterMs,
    details,
    cause: error,
  });
}

interface Details {
  readonly info?: ErrorInfo;
  readonly retryAfterMs?: number;
  readonly violations: BadRequest["fieldViolations"];
}

function detailsOf({ metadata }: ServiceError): Details {
  const [encoded] = metadata?.get("grpc-status-details-bin") ?? [];
  if (!(encoded instanceof Uint8Array)) return { violations: [] };
  let details: Details = { violations: [] };
  for (const { typeUrl, value } of Status.decode(encoded).details) {
    switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
      case "google.rpc.ErrorInfo":
        details = { ...details, info: ErrorInfo.decode(value) };
        break;
      case "google.rpc.RetryInfo": {
        const { seconds = 0n, nanos = 0 } = RetryInfo.decode(value).retryDelay ?? {};
        details = { ...details, retryAfterMs: Number(seconds) * 1_000 + nanos / 1_000_000 };
        break;
      }
      case "google.rpc.BadRequest":
        details = { ...details, violations: BadRequest.decode(value).fieldViolations };
        break;
      default:
    }
  }
  return details;
}

/** `records[3].at` is the field of a record. */
function problemOf({ field, description, reason }: BadRequest["fieldViolations"][number]): object[] {
  const match = /^records\[(\d+)\]\.?(.*)$/.exec(field);
  if (match === null) return [];
  const [, index, path] = match;
  return [
    { index: Number(index), ...(path !== "" && { field: path }), code: reason.toLowerCase(), reason: description },
  ];
}
