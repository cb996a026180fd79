// Tokens of an issuer (JWT, RFC 7519): verified against its public keys, and remembered, since a signature costs a hundred times a lookup.
import { hash } from "node:crypto";
import { type JWTPayload, errors, jwtVerify } from "jose";
import type { Clock } from "../../core/clock.ts";
import { RdgError } from "../../core/errors.ts";
import { badCredentials } from "./credentials.ts";
import type { Jwks, KeySet } from "./jwks.ts";
import type { Principal } from "./port.ts";
import { grantsOfForeign } from "./scopes.ts";

/** Public keys only: with HS256 the issuer's public key would be the secret. */
const algorithms = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");
const rememberedMax = 10_000;
const verifyingMax = 256;
const subjectLengthMax = 255;

export interface TokenVerifierOptions {
  readonly jwks: Jwks;
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Clock;
  /** By how much the clocks of issuer and server may differ. */
  readonly skewMs: number;
}

interface Remembered {
  readonly principal: Principal;
  readonly untilMs: number;
  /** Of the keys that it was verified with. */
  readonly generation: number;
}

export class TokenVerifier {
  readonly rememberedMax = rememberedMax;
  readonly verifyingMax = verifyingMax;
  readonly #options: TokenVerifierOptions;
  /** By digest: how long a lookup takes tells nothing of a token. In the order of use. */
  readonly #remembered = new Map<string, Remembered>();
  #verifying = 0;

  constructor(options: TokenVerifierOptions) {
    this.#options = options;
  }

  get remembered(): number {
    return this.#remembered.size;
  }

  get verifying(): number {
    return this.#verifying;
  }

  /** Throws, or rejects: `bad_credentials`; unavailable, `jwks_unreachable`; overloaded. */
  authenticate(token: string): Principal | Promise<Principal> {
    const digest = hash("sha256", token, "base64");
    const found = this.#remembered.get(digest);
    if (found !== undefined) {
      this.#remembered.delete(digest);
      if (found.generation === this.#options.jwks.generation && this.#options.clock.now() < found.untilMs) {
        this.#remembered.set(digest, found);
        return found.principal;
      }
    }
    return this.#verify(token, digest);
  }

  async #verify(token: string, digest: string): Promise<Principal> {
    if (this.#verifying >= verifyingMax) {
      throw new RdgError("overloaded", "too_many_requests", `${verifyingMax} tokens are being verified already.`, {
        hint: "Send less at once.",
        retryAfterMs: 1_000,
      });
    }
    this.#verifying++;
    try {
      const { jwks, skewMs } = this.#options;
      const keys = await jwks.current();
      const { generation } = jwks;
      const payload = await this.#payloadOf(token, keys);
      const principal = principalOf(payload);
      if (this.#remembered.size >= rememberedMax) this.#forgetOldest();
      this.#remembered.set(digest, { principal, generation, untilMs: payload.exp! * 1_000 + skewMs });
      return principal;
    } finally {
      this.#verifying--;
    }
  }

  async #payloadOf(token: string, keys: KeySet): Promise<JWTPayload> {
    try {
      return await this.#checked(token, keys);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw refusalOf(error);
    }
    const renewed = await this.#options.jwks.renewed();
    if (renewed === undefined) throw unknownSigner();
    try {
      return await this.#checked(token, renewed);
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async #checked(token: string, keys: KeySet): Promise<JWTPayload> {
    const { issuer, audience, clock, skewMs } = this.#options;
    const { payload } = await jwtVerify(token, keys, {
      algorithms,
      issuer,
      audience,
      requiredClaims: ["exp", "sub"],
      clockTolerance: skewMs / 1_000,
      currentDate: new Date(clock.now()),
    });
    return payload;
  }

  #forgetOldest(): void {
    for (const digest of this.#remembered.keys()) return void this.#remembered.delete(digest);
  }
}

function principalOf(payload: JWTPayload): Principal {
  const { sub } = payload;
  if (typeof sub !== "string" || sub.length === 0 || sub.length > subjectLengthMax) {
    throw badCredentials(`The token's subject is not a text of 1 to ${subjectLengthMax} characters.`);
  }
  return Object.freeze({ kind: "jwt", id: `jwt:${sub}`, name: sub, grants: grantsOfForeign(scopesOf(payload)) });
}

/** `scope` (RFC 8693) is one text, `scp` of some issuers a list or a text. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  return [scope, scp].flatMap((claim) => {
    if (typeof claim === "string") return claim.split(" ");
    return Array.isArray(claim) ? claim.filter((each) => typeof each === "string") : [];
  });
}

/** Says which check failed, never with what. */
function refusalOf(error: unknown): Error {
  if (error instanceof errors.JWKSNoMatchingKey) return unknownSigner();
  if (error instanceof errors.JWTExpired) return badCredentials("The token has expired.", "Get a new one.");
  if (error instanceof errors.JWTClaimValidationFailed) {
    const reason = reasons.get(error.claim) ?? "A claim that it must have is missing or not valid.";
    return badCredentials(`The token is not valid here. ${reason}`);
  }
  if (error instanceof errors.JOSEAlgNotAllowed || error instanceof errors.JOSENotSupported) {
    return badCredentials("The token's algorithm is not allowed.", `Allowed: ${algorithms.join(", ")}.`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return badCredentials("The token's signature is wrong.");
  if (error instanceof errors.JWKSMultipleMatchingKeys) {
    return badCredentials("The token names no key (`kid`), and several could be meant.");
  }
  if (error instanceof errors.JOSEError) return badCredentials("The token is not a well-formed JWT.");
  return error as Error;
}

const reasons: ReadonlyMap<string, string> = new Map([
  ["aud", "It was issued for another audience (`aud`, setting auth.audience)."],
  ["iss", "It was issued by another issuer (`iss`, setting auth.issuer)."],
  ["nbf", "It is not valid yet (`nbf`)."],
  ["exp", "It has no time at which it expires (`exp`)."],
  ["sub", "It has no subject (`sub`)."],
]);

function unknownSigner(): RdgError {
  return badCredentials("The token was signed with a key that the issuer does not publish.");
}
