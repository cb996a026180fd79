// The one error type of RDG: few kinds, each of which a caller handles differently, and each error says what to do next.

/**
 * - `invalid`: the caller's input is wrong; repeating it cannot help.
 * - `not_found`: what was named does not exist.
 * - `conflict`: somebody else owns it or it exists in another form (a fenced owner, a locked folder).
 * - `unavailable`: cannot be served now, through no fault of the caller; retry later.
 * - `overloaded`: a bound is reached and nothing was stored; retry after a while.
 * - `unauthorized`: not allowed.
 * - `corrupt`: stored bytes are damaged; names the file or partition and the offset.
 * - `closed`: the component was closed.
 * - `internal`: a bug of ours.
 */
export type ErrorKind =
  | "invalid"
  | "not_found"
  | "conflict"
  | "unavailable"
  | "overloaded"
  | "unauthorized"
  | "corrupt"
  | "closed"
  | "internal";

export interface ErrorDetails {
  /** Where: a field path, a file and offset, a topic and partition. */
  readonly place?: string | undefined;
  /** What to do next, as a sentence. */
  readonly hint?: string | undefined;
  /** With `overloaded` and `unavailable`: when a retry is worth it, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
  /** Plain data for programs: the problems of single records, for example. */
  readonly details?: unknown;
}

/** Every failure that RDG reports. `code` is stable and machine-readable (`unknown_field`, `segment_damaged`); `message` is for people. */
export class RdgError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly place: string | undefined;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly details: unknown;

  constructor(kind: ErrorKind, code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "RdgError";
    this.kind = kind;
    this.code = code;
    this.place = details.place;
    this.hint = details.hint;
    this.retryAfterMs = details.retryAfterMs;
    this.details = details.details;
  }

  /** Whether the same request may succeed later. It says nothing about whether the first one was carried out: what is stored is repeated with an idempotency key. */
  get retryable(): boolean {
    return this.kind === "overloaded" || this.kind === "unavailable";
  }
}

/** The error's message, its place and its hint on one line, as logs and the command line print it. */
export function describeError(error: unknown): string {
  if (!(error instanceof RdgError)) return error instanceof Error ? error.message : String(error);
  const place = error.place === undefined ? "" : ` (at ${error.place})`;
  const hint = error.hint === undefined ? "" : ` ${error.hint}`;
  return `${error.message}${place}${hint}`;
}

/** States what must be true unless RDG has a bug. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RdgError("internal", "assertion_failed", message, { hint: "Please report this." });
}
