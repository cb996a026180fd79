// What an answer of the registry means to a caller: Confluent's error codes as the port's errors.
import { type ErrorKind, RdgError } from "../../core/errors.ts";

/** An answer that is no success, or none at all. */
export interface Refusal {
  readonly status: number;
  /** Confluent's `error_code`, else the status. */
  readonly code: number;
  readonly message: string;
  readonly retryAfterMs?: number | undefined;
}

const known: ReadonlyMap<number, readonly [ErrorKind, string]> = new Map([
  [40401, ["not_found", "subject_not_found"]],
  [40402, ["not_found", "version_not_found"]],
  [40403, ["not_found", "schema_not_found"]],
  [40404, ["not_found", "subject_soft_deleted"]],
  [40405, ["not_found", "subject_not_soft_deleted"]],
  [40406, ["not_found", "version_soft_deleted"]],
  [40407, ["not_found", "version_not_soft_deleted"]],
  [409, ["conflict", "incompatible_schema"]],
  [42201, ["invalid", "invalid_schema"]],
  [42202, ["invalid", "invalid_version"]],
  [42203, ["invalid", "invalid_compatibility"]],
  [42205, ["conflict", "registry_read_only"]],
  [42208, ["invalid", "invalid_subject"]],
]);

const hints: Readonly<Record<string, string>> = {
  incompatible_schema:
    "Give new fields a default and keep what the earlier versions have, or change the subject's compatibility.",
  invalid_schema: "Correct the Avro schema.",
  subject_not_found: "Subjects are named <topic>-value unless a team has other rules.",
  schema_not_found: "The record was written with another registry, or it is damaged.",
  registry_read_only: "Set the subject's mode to READWRITE, or register through whoever may.",
};

/** Whether the same request may succeed soon. */
export const isTransient = ({ status }: Refusal): boolean =>
  status === 0 || status === 408 || status === 429 || status >= 500;

/** @param place the subject, version or id that was asked for */
export function registryFailed(refusal: Refusal, doing: string, place: string): RdgError {
  const { status, code, message, retryAfterMs } = refusal;
  const [kind, name] = known.get(code) ?? known.get(status === 409 ? 409 : 0) ?? [];
  if (kind !== undefined && name !== undefined) {
    return new RdgError(kind, name, `The registry could not ${doing}: ${sentence(message)}`, {
      place,
      hint: hints[name],
    });
  }
  if (status === 401 || status === 403) {
    return new RdgError("unauthorized", "registry_forbidden", `The registry does not allow to ${doing} (${status}).`, {
      place,
      hint: "Check the user, password or token, and what they may do in the registry.",
    });
  }
  if (isTransient(refusal)) {
    const kind = status === 429 ? "overloaded" : "unavailable";
    return new RdgError(kind, "registry_unavailable", `The registry could not ${doing}: ${sentence(message)}`, {
      place,
      hint: "Check that the registry runs and can be reached.",
      retryAfterMs: retryAfterMs ?? 1_000,
    });
  }
  return new RdgError(
    "invalid",
    "registry_refused",
    `The registry refused to ${doing} (${code}): ${sentence(message)}`,
    {
      place,
      hint: "Check that the address is that of a Confluent-compatible REST API.",
    },
  );
}

function sentence(message: string): string {
  const text = message.slice(0, 2_000);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
