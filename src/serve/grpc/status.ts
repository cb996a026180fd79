// Every failure as gRPC tells it: a status code, and google.rpc details for programs. The one place that maps error kinds to codes.
import { Metadata, type StatusObject, status } from "@grpc/grpc-js";
import { type ErrorKind, RdgError } from "../../core/errors.ts";
import { BadRecords } from "../../gateway/port.ts";
import { BadRequest, ErrorInfo, RetryInfo } from "../../model/rpc/generated/google/rpc/error_details.ts";
import { Status } from "../../model/rpc/generated/google/rpc/status.ts";
import { problemOf, retryAfterOf } from "../problems.ts";
import { type RequestShape, fieldPath } from "./field-path.ts";

const codeOfKind: Readonly<Record<ErrorKind, status>> = {
  invalid: status.INVALID_ARGUMENT,
  unauthorized: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  conflict: status.FAILED_PRECONDITION,
  overloaded: status.RESOURCE_EXHAUSTED,
  corrupt: status.DATA_LOSS,
  internal: status.INTERNAL,
  unavailable: status.UNAVAILABLE,
  closed: status.UNAVAILABLE,
};

const codeOfCode: ReadonlyMap<string, status> = new Map([
  ["not_applied_yet", status.DEADLINE_EXCEEDED],
  ["no_credentials", status.UNAUTHENTICATED],
  ["bad_credentials", status.UNAUTHENTICATED],
  ["request_aborted", status.CANCELLED],
  ["deadline_over", status.DEADLINE_EXCEEDED],
]);

/** Clients refuse trailers of more than 8 KiB, unless told otherwise; base64 makes a third more of the details. */
const detailBytesMax = 4_500;
const textMax = 500;
const violationsMax = 20;

/** @param shape the request's, for the places in it; undefined where it has none */
export function statusOf(error: unknown, shape?: RequestShape): StatusObject {
  const { code, detail, place, hint } = problemOf(error);
  const kind = error instanceof RdgError ? error.kind : "internal";
  const statusCode = codeOfCode.get(code) ?? codeOfKind[kind];
  const message = short(hint === undefined || hint === "" ? detail : `${detail} ${hint}`);
  const info = ErrorInfo.create({
    reason: code.toUpperCase(),
    domain: "rdg",
    metadata: new Map(
      Object.entries({ code, place, hint }).flatMap(([name, text]) =>
        text === undefined || text === "" ? [] : [[name, short(text)]],
      ),
    ),
  });
  const details = [anyOf("ErrorInfo", ErrorInfo.encode(info).finish())];
  const violations = kind === "invalid" ? violationsOf(error, fieldOf(place ?? "", shape)) : [];
  const retryAfterS = statusCode === status.CANCELLED ? undefined : retryAfterOf(error);
  if (retryAfterS !== undefined) {
    const { retryAfterMs = retryAfterS * 1_000 } = error as RdgError;
    const seconds = Math.floor(retryAfterMs / 1_000);
    const retryDelay = { seconds: BigInt(seconds), nanos: (retryAfterMs - seconds * 1_000) * 1_000_000 };
    details.push(anyOf("RetryInfo", RetryInfo.encode({ retryDelay }).finish()));
  }
  const metadata = new Metadata();
  for (let count = violations.length; ; count = Math.floor(count / 2)) {
    const bad = BadRequest.encode(BadRequest.create({ fieldViolations: violations.slice(0, count) })).finish();
    const all = count === 0 ? details : [...details, anyOf("BadRequest", bad)];
    const encoded = Status.encode({ code: statusCode, message, details: all }).finish();
    if (encoded.length > detailBytesMax && count > 0) continue;
    metadata.set("grpc-status-details-bin", Buffer.from(encoded));
    break;
  }
  return { code: statusCode, details: message, metadata };
}

function anyOf(name: string, value: Uint8Array): { typeUrl: string; value: Uint8Array } {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value };
}

/** `ErrorInfo` has the place as HTTP tells it, the same for clients of both; the violation has the field that was sent. */
function fieldOf(place: string, shape: RequestShape | undefined): string {
  return shape === undefined ? place : fieldPath(place, shape);
}

function violationsOf(error: unknown, field: string): BadRequest["fieldViolations"] {
  const records = BadRecords.from(error);
  const violations = records
    ? records.problems.map(({ index, field, code, reason }) => ({
        field: `records[${index}]${field === undefined ? "" : `.${field}`}`,
        description: reason,
        reason: code,
      }))
    : [{ field, description: (error as RdgError).message, reason: (error as RdgError).code }];
  return violations.slice(0, violationsMax).map(({ field, description, reason }) => ({
    field: short(field),
    description: short(description),
    reason: reason.toUpperCase(),
    localizedMessage: undefined,
  }));
}

/** Messages quote what was sent: anything of any length. */
function short(text: string): string {
  return (text.length > textMax ? `${text.slice(0, textMax)}...` : text).toWellFormed();
}
