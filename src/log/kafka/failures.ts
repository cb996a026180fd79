// What a failing broker or connection means to a caller, and which failures are worth another attempt.
import { GenericError, MultipleErrors } from "@platformatic/kafka";
import { describeError, RdgError } from "../../core/errors.ts";

export function logClosed(): RdgError {
  return new RdgError("closed", "log_closed", "The log was closed.", { hint: "Open it again." });
}

export function fenced(what: string, name: string, cause?: unknown): RdgError {
  return new RdgError("conflict", "fenced", `${what} ${name} was taken over by a later owner.`, {
    place: name,
    hint: `Give each program a name of its own; this one has to be opened again to go on.`,
    cause,
  });
}

export function unknownTopic(topic: string, cause?: unknown): RdgError {
  return new RdgError("invalid", "unknown_topic", `The log has no topic ${topic}.`, {
    place: topic,
    hint: "Create it with ensureTopics.",
    cause,
  });
}

/** The names that Kafka gives to the errors within a failure, outermost first. */
export function errorNames(error: unknown): string[] {
  const names: string[] = [];
  const visit = (one: unknown): void => {
    if (!(one instanceof Error)) return;
    const id: unknown = (one as { apiId?: unknown }).apiId;
    if (typeof id === "string") names.push(id);
    if (one instanceof AggregateError) for (const inner of one.errors as unknown[]) visit(inner);
    visit(one.cause);
  };
  visit(error);
  return names;
}

const fencing = new Set([
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_ID_MAPPING",
  "UNKNOWN_MEMBER_ID",
  "FENCED_MEMBER_EPOCH",
]);
const unauthenticated = new Set(["SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "ILLEGAL_SASL_STATE"]);
const tooLarge = new Set(["MESSAGE_TOO_LARGE", "RECORD_LIST_TOO_LARGE"]);
/** Leaders, coordinators and connections that moved or went: after new metadata the same call may succeed. */
const transient = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "REQUEST_TIMED_OUT",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_COORDINATOR",
  "NOT_ENOUGH_REPLICAS",
  "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
  "NOT_CONTROLLER",
  "OFFSET_NOT_AVAILABLE",
  "CONCURRENT_TRANSACTIONS",
  "KAFKA_STORAGE_ERROR",
  "THROTTLING_QUOTA_EXCEEDED",
]);

export const isFenced = (error: unknown): boolean => errorNames(error).some((name) => fencing.has(name));

export function isTransient(error: unknown): boolean {
  const own = ownErrorIn(error);
  if (own !== undefined) return own !== error && own.kind === "unavailable";
  if (isUnauthenticated(error) || tlsRefusal(error) !== undefined) return false;
  const names = errorNames(error);
  // Without a name of Kafka's it is the connection that failed.
  return names.length === 0
    ? error instanceof GenericError || error instanceof MultipleErrors
    : names.every((name) => transient.has(name));
}

/** The coordinator still ends the transaction before: nothing moved, it is only too early. */
export const isPreviousTransaction = (error: unknown): boolean => errorNames(error).includes("CONCURRENT_TRANSACTIONS");

function isUnauthenticated(error: unknown): boolean {
  if (errorNames(error).some((name) => unauthenticated.has(name))) return true;
  if (!(error instanceof Error)) return false;
  if ((error as { code?: unknown }).code === "PLT_KFK_AUTHENTICATION") return true;
  return isUnauthenticated(error.cause) || (error instanceof AggregateError && error.errors.some(isUnauthenticated));
}

const certificateCodes =
  /^(ERR_(TLS|SSL)_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_|CRL_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/;

/** Why the handshake failed, in Node's words: asking again does not help. */
function tlsRefusal(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === "string" && certificateCodes.test(code)) return error.message;
  if (error instanceof AggregateError) {
    for (const inner of error.errors as unknown[]) {
      const reason = tlsRefusal(inner);
      if (reason !== undefined) return reason;
    }
  }
  return tlsRefusal(error.cause);
}

/** What our own parts told the client: why there is no token, for one. */
function ownErrorIn(error: unknown): RdgError | undefined {
  if (error instanceof RdgError || !(error instanceof Error)) return error instanceof RdgError ? error : undefined;
  const within = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  for (const inner of [...within, error.cause]) {
    const own = ownErrorIn(inner);
    if (own !== undefined) return own;
  }
  return undefined;
}

/** What a failed call makes of itself. Errors of our own stay as they are. */
export function kafkaFailed(cause: unknown, doing: string, place: string): RdgError {
  const own = ownErrorIn(cause);
  if (own !== undefined) return own;
  const names = errorNames(cause);
  const details = { place, cause };
  if (isUnauthenticated(cause)) {
    return new RdgError("unauthorized", "kafka_login_refused", `Kafka refused the login (${doing}).`, {
      ...details,
      hint: "Check the SASL mechanism, the user and the password.",
    });
  }
  const reason = tlsRefusal(cause);
  if (reason !== undefined) {
    return new RdgError("unauthorized", "kafka_tls_refused", `No encrypted connection to Kafka: ${reason}.`, {
      ...details,
      hint: "Check the certificates: tls.ca for the broker's, tls.cert and tls.key for RDG's own, tls.serverName for its name.",
    });
  }
  const forbidden = names.find((name) => name.endsWith("_AUTHORIZATION_FAILED"));
  if (forbidden !== undefined) {
    return new RdgError("unauthorized", "kafka_forbidden", `Kafka does not allow to ${doing}: ${forbidden}.`, {
      ...details,
      hint: "Give this user the rights that docs/kafka.md lists.",
    });
  }
  if (names.some((name) => fencing.has(name))) return fenced("The owner", place, cause);
  if (names.some((name) => tooLarge.has(name))) {
    return new RdgError("invalid", "too_large", `Kafka takes no batch of this size (${doing}).`, {
      ...details,
      hint: "Send smaller batches, or raise max.message.bytes of the topic.",
    });
  }
  if (names.includes("UNKNOWN_TOPIC_OR_PARTITION")) return unknownTopic(place, cause);
  const what = names[0] ?? describeError(rootOf(cause));
  return new RdgError("unavailable", "kafka_unavailable", `Kafka could not ${doing}: ${what}.`, {
    ...details,
    hint: "Check that the brokers run and can be reached, with the TLS and the login that they want; what was acknowledged is safe.",
    retryAfterMs: 1_000,
  });
}

function rootOf(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return rootOf(error.errors[0]);
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}
