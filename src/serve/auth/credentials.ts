// What a request brings to say who asks: the one place that reads `Authorization` headers, and the errors about them.
//
// Nothing of a header ever gets into a message: it may hold a secret, also where it is malformed.
import { RdgError } from "../../core/errors.ts";

/** Tokens of large issuers have some kilobytes. */
const headerLengthMax = 8 * 1024;
/** RFC 6750, with token68 of RFC 7235. */
const bearerPattern = /^bearer +(?<token>[A-Za-z0-9._~+/-]+={0,2})$/i;

/** The token of the one `Authorization` header; undefined where there is none. @throws RdgError unauthorized, `bad_credentials` */
export function bearerTokenOf(authorization: readonly string[]): string | undefined {
  if (authorization.length === 0) return undefined;
  if (authorization.length > 1) throw badCredentials("There is more than one Authorization header.");
  const header = authorization[0]!;
  if (header.length > headerLengthMax) {
    throw badCredentials(`The Authorization header has more than ${headerLengthMax} characters.`);
  }
  const token = bearerPattern.exec(header)?.groups?.["token"];
  if (token === undefined) throw badCredentials("The Authorization header does not have the form `Bearer <token>`.");
  return token;
}

export function badCredentials(message: string, hint?: string): RdgError {
  return new RdgError("unauthorized", "bad_credentials", message, { place: "Authorization", hint });
}

export function noCredentials(): RdgError {
  return new RdgError("unauthorized", "no_credentials", "This server answers to those only whom it knows.", {
    place: "Authorization",
    hint: "Send `Authorization: Bearer <key>`; `rdg keys create` makes a key, and rdg itself takes it from RDG_TOKEN.",
  });
}
