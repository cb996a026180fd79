// What the driver's errors mean to callers of the store.
import { errors, types } from "cassandra-driver";
import { RdgError } from "../../core/errors.ts";

const { responseErrorCodes: codes } = types;

/** Said by a server that may do it the next time: every statement of ours may be repeated. */
const passing = new Set<number>([
  codes.serverError,
  codes.unavailableException,
  codes.overloaded,
  codes.isBootstrapping,
  codes.truncateError,
  codes.writeTimeout,
  codes.readTimeout,
  codes.readFailure,
  codes.writeFailure,
  // What was prepared is unknown to a node that was started again; the driver prepares it the next time.
  codes.unprepared,
]);

/** Codes of Node's for certificates that are not what they should be. */
const certificateCodes =
  /^(ERR_(TLS|SSL)_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_|CRL_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/;

export function isPassing(error: unknown): boolean {
  if (isUntrusted(error)) return false;
  if (error instanceof errors.ResponseError) return passing.has(error.code);
  if (error instanceof errors.NoHostAvailableError) return !innerErrors(error).some(isRefusal);
  return (
    error instanceof errors.OperationTimedOutError ||
    error instanceof errors.BusyConnectionError ||
    // A connection that broke under the request.
    (error instanceof errors.DriverError && "isSocketError" in error) ||
    (error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("E"))
  );
}

function isUntrusted(error: unknown): boolean {
  return error instanceof Error && "code" in error && certificateCodes.test(String(error.code));
}

/** Refusals that waiting does not mend, of the one that was asked or of all. */
function isRefusal(error: unknown): boolean {
  if (error instanceof errors.AuthenticationError || isUntrusted(error)) return true;
  return error instanceof errors.ResponseError && !passing.has(error.code);
}

function innerErrors(error: errors.NoHostAvailableError): readonly unknown[] {
  return Object.values((error.innerErrors ?? {}) as Readonly<Record<string, unknown>>);
}

/** @param place what was asked of the cluster */
export function failureOf(error: unknown, place: string): RdgError {
  if (error instanceof RdgError) return error;
  const refusal = error instanceof errors.NoHostAvailableError ? innerErrors(error).find(isRefusal) : error;
  const message = refusal instanceof Error ? refusal.message : String(refusal ?? error);
  const details = { place, cause: error };
  const code = refusal instanceof errors.ResponseError ? refusal.code : undefined;
  if (isUntrusted(refusal)) {
    const hint = "Check the certificates: cassandra.ca for the nodes', cassandra.cert and cassandra.key for RDG's own.";
    return new RdgError("unauthorized", "cassandra_tls_refused", `No encrypted connection to Cassandra: ${message}`, {
      ...details,
      hint,
    });
  }
  if (refusal instanceof errors.AuthenticationError || code === codes.badCredentials || code === codes.unauthorized) {
    const hint = "Check the credentials, and what their role may do in the keyspace.";
    return new RdgError("unauthorized", "cassandra_refused", `Cassandra refuses: ${message}`, { ...details, hint });
  }
  if (isPassing(error)) {
    const hint =
      "It is tried again. If it goes on, look at the nodes, at whether they want TLS (cassandra.tls), and at the consistency levels in the settings.";
    const said = error instanceof errors.NoHostAvailableError ? "no node answers" : message;
    return new RdgError("unavailable", "cassandra_unavailable", `Cassandra cannot do it now: ${said}`, {
      ...details,
      hint,
      retryAfterMs: 1000,
    });
  }
  if (
    code === codes.invalid &&
    /unconfigured table|undefined column|unknown identifier|keyspace .* does not exist/i.test(message)
  ) {
    const hint = "Deploy the definition: the store makes and extends its tables when it is told to.";
    return new RdgError("conflict", "tables_missing", `The tables are not those of the definition: ${message}`, {
      ...details,
      hint,
    });
  }
  return new RdgError("internal", "cassandra_failed", `Cassandra failed: ${message}`, {
    ...details,
    hint: "Please report this.",
  });
}
