// Every failure as HTTP tells it: RFC 9457 problem+json with RDG's code, place and hint. The one place that maps error kinds to statuses.
import { type ErrorKind, RdgError } from "../core/errors.ts";
import { BadRecords, type RecordProblem } from "../gateway/port.ts";

export const problemType = "application/problem+json";

const statusOfKind: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  not_found: 404,
  conflict: 409,
  overloaded: 429,
  corrupt: 500,
  internal: 500,
  unavailable: 503,
  closed: 503,
};

/** Codes for which HTTP has a more telling status than for their kind. */
const statusOfCode: ReadonlyMap<string, number> = new Map([
  ["not_applied_yet", 504],
  ["deadline_exceeded", 504],
  ["body_too_large", 413],
  ["batch_too_large", 413],
  ["unsupported_media_type", 415],
  ["method_not_allowed", 405],
  ["host_not_allowed", 403],
  ["scope_missing", 403],
  ["type_not_readable", 403],
  ["origin_not_allowed", 403],
  ["request_timeout", 408],
  ["headers_too_large", 431],
]);

const titles: Readonly<Record<ErrorKind, string>> = {
  invalid: "The request is not valid",
  unauthorized: "Not allowed",
  not_found: "Not found",
  conflict: "Conflict",
  overloaded: "Too much at once",
  corrupt: "Stored data is damaged",
  internal: "Internal error",
  unavailable: "Not available now",
  closed: "Shutting down",
};

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: string;
  readonly place?: string | undefined;
  readonly hint?: string | undefined;
  readonly errors?: readonly RecordProblem[];
  readonly errorCount?: number;
}

/** Messages quote what was sent, which may be long. */
const textMax = 2_000;

/** The beginning of a text that may hold anything of any length. */
export function cut(text: string): string {
  return text.length > textMax ? `${text.slice(0, textMax)}...`.toWellFormed() : text;
}

/** Errors that are not ours say nothing to callers: their text may hold what is none of their business. */
export function problemOf(error: unknown): Problem {
  const known = error instanceof RdgError ? error : hidden(error);
  const records = BadRecords.from(known);
  return {
    type: `urn:rdg:problem:${known.code}`,
    title: titles[known.kind],
    status: statusOfCode.get(known.code) ?? statusOfKind[known.kind],
    detail: cut(known.message),
    code: known.code,
    place: known.place && cut(known.place),
    hint: known.hint && cut(known.hint),
    ...(records && { errors: records.problems, errorCount: records.problemCount }),
  };
}

/** Seconds, for the Retry-After header. */
export function retryAfterOf(error: unknown): number | undefined {
  if (!(error instanceof RdgError) || !["overloaded", "unavailable", "closed"].includes(error.kind)) return undefined;
  return Math.max(1, Math.ceil((error.retryAfterMs ?? 1_000) / 1_000));
}

/** What fastify and node:http report, in our terms; anything else is a bug of ours. */
function hidden(error: unknown): RdgError {
  const { code, statusCode } = (typeof error === "object" && error !== null ? error : {}) as {
    readonly code?: unknown;
    readonly statusCode?: unknown;
  };
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new RdgError("invalid", "body_too_large", "The body is too large.", { hint: "Send less per request." });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new RdgError("invalid", "unsupported_media_type", "This content type is not understood here.", {
        hint: "Events: application/x-ndjson, application/json or avro/binary. Queries: application/json.",
      });
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new RdgError("invalid", "bad_body", "The body does not have the length that its headers say.");
    case "FST_ERR_BAD_URL":
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new RdgError("invalid", "bad_url", "The URL is not well-formed.", {
        hint: "Percent-encode ids in paths, as encodeURIComponent does; they have at most 1,024 bytes.",
      });
    default:
  }
  if (typeof statusCode === "number" && statusCode >= 400 && statusCode < 500) {
    return new RdgError("invalid", "bad_request", "The request is malformed.");
  }
  return new RdgError("internal", "internal", "Something went wrong inside RDG.", {
    hint: "The log of the server says what. Please report it.",
  });
}

/** Whether the error is worth a line in the log: a bug or damage, not a caller's mistake. */
export function isOurFault(error: unknown): boolean {
  return problemOf(error).status === 500;
}
